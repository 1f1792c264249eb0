"""A worker that has served many runs is no larger than one that has served few."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import Final
from uuid import UUID

import httpx
import psutil
import pytest

from maquette.launch.prefect_sqlite import database_url
from tests.rehearsing import until
from tests.worker import rig as rigging
from tests.worker import trivial
from tests.worker.rig import Rig, Worker, rigged

RUNS: Final = 500
# Caches fill and pools of connections find their size before that.
FROM: Final = 200
BATCH: Final = 25
# A worker that kept one flow run's object of each run would grow by about 10 KiB a run, one that kept its child's by
# 2 KiB and a descriptor. Measured is less than 1 KiB, and less from run to run: the allocator's pages.
MOST_BYTES_A_RUN: Final = 2 * 1024
# Connections come and go. One that stayed in fifty runs would be six by the end.
MOST_DESCRIPTORS_A_RUN: Final = 1 / 50


@dataclass
class Size:
    runs: int
    worker_bytes: int
    worker_descriptors: int
    server_bytes: int
    server_descriptors: int


@pytest.fixture
def quiet_rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """A server of its own that writes little beside the states of runs."""
    plain = rigging.environment

    def environment(home: Path, **told: str) -> dict[str, str]:
        told.pop("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", None)
        services = ("EVENT_PERSISTER", "TASK_RUN_RECORDER", "TRIGGERS")
        return plain(home, **told) | {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_url(home),
            **{f"PREFECT_SERVER_SERVICES_{each}_ENABLED": "false" for each in services},
            "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
            "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
        }

    monkeypatch.setattr(rigging, "environment", environment)
    with rigged(tmp_path) as rig:
        yield rig


def completed(rig: Rig, deployment: UUID) -> int:
    """How many of its runs have completed."""
    wanted = {"deployment_id": {"any_": [str(deployment)]}, "state": {"type": {"any_": ["COMPLETED"]}}}
    answer = httpx.post(f"{rig.server.url}/flow_runs/count", json={"flow_runs": wanted}, timeout=60)
    return int(answer.raise_for_status().json())


def size(worker: Worker, runs: int) -> Size:
    """The worker's and its fork server's, between two batches of runs."""
    process = psutil.Process(worker.pid)
    (server,) = process.children()
    until(lambda: len(server.children()) == 2, what="the spares alone")
    return Size(runs, process.memory_info().rss, process.num_fds(), server.memory_info().rss, server.num_fds())


@pytest.mark.slow
def test_500_runs_leave_neither_memory_nor_descriptors(quiet_rig: Rig) -> None:
    pool = quiet_rig.pool("growth", "warm")
    deployment = quiet_rig.deployment(pool, "trivial", entrypoint=f"{trivial.__name__}.trivial")
    worker = quiet_rig.worker(pool, "warm", "--limit", "4")
    marks = quiet_rig.toys / "marks"
    sizes = []
    for runs in range(BATCH, RUNS + 1, BATCH):
        for _ in range(BATCH):
            quiet_rig.run_of(deployment)
        # The server is asked at the end only: it is what takes the time.
        until(lambda: marks.exists() and marks.stat().st_size == runs, what=f"{runs} runs")  # noqa: B023
        until(lambda: completed(quiet_rig, deployment) == runs, what=f"the end of {runs} runs")  # noqa: B023
        if runs >= FROM:
            sizes.append(size(worker, runs))

    def growth(of: str) -> float:
        """Per run."""
        return linear_regression([each.runs for each in sizes], [getattr(each, of) for each in sizes]).slope

    for of in ("worker_bytes", "server_bytes"):
        assert growth(of) < MOST_BYTES_A_RUN, sizes
    assert growth("worker_descriptors") < MOST_DESCRIPTORS_A_RUN, sizes
    assert len({each.server_descriptors for each in sizes}) == 1, sizes
