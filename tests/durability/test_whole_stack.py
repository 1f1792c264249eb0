"""``maquette up`` as a user runs it: everything killed at once, started again, and the film is finished."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil
import pytest

from maquette.launch.processes import end_tree
from maquette.launch.state import read_state
from tests.rehearsing import environment_of, rehearsal_settings, until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


class Up:
    """A ``maquette up`` of a home of its own."""

    def __init__(self, home: Path) -> None:
        self.settings = rehearsal_settings(home)
        self.url = f"http://127.0.0.1:{self.settings.api_port}"
        self.command = [
            *(str(Path(sys.executable).with_name("maquette")), "up"),
            *("--port", str(self.settings.api_port), "--prefect-port", str(self.settings.prefect_port)),
        ]

    @contextmanager
    def running(self, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """The stack, ready; ended however the block ends."""
        told = os.environ | environment_of(self.settings) | {"MAQUETTE_HOME": str(self.settings.home)} | environment
        process = subprocess.Popen(self.command, cwd=ROOT, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        try:
            until(lambda: process.poll() is not None or self.healthy(), what="GET /health")
            assert process.poll() is None, process.stderr.read().decode()
            yield process
        finally:
            end_tree(process.pid)
            process.wait()
            process.stderr.close()

    def healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    def status(self, video_id: str) -> str:
        return str(httpx.get(f"{self.url}/videos/{video_id}/status").json()["status"])

    def order(self, order_id: str) -> dict[str, object]:
        found: dict[str, object] = httpx.get(f"{self.url}/api/orders/{order_id}").json()
        return found

    def everything(self, process: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """The stack, all that it started, and its PostgreSQL."""
        root = psutil.Process(process.pid)
        postmaster = int((self.settings.home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        database = psutil.Process(postmaster)
        return [root, *root.children(recursive=True), database, *database.children(recursive=True)]


def kill(processes: list[psutil.Process]) -> None:
    for each in processes:
        os.kill(each.pid, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=10)


def test_a_killed_stack_goes_on_where_it_was(subtests: pytest.Subtests) -> None:
    with TemporaryDirectory(prefix="maquette-up-") as folder:
        up = Up(Path(folder))
        with up.running(MAQUETTE_CRASH_AT="after-dispatch") as process:
            ordered = httpx.post(f"{up.url}/videos/create", json={"theme": "Les chats", "target_duration": 15}).json()
            asked = {"format": "carousel", "count": 3, "topic": "Les chats"}
            carousel = httpx.post(f"{up.url}/api/generate-media", json=asked).json()
            until((up.settings.home / "rehearsal" / "after-dispatch").exists, what="a run that is not written down")
            kill(up.everything(process))
        with up.running(MAQUETTE_CRASH_AT="while-waiting") as process:
            until((up.settings.home / "rehearsal" / "while-waiting").exists, what="the crash point")
            with subtests.test("a second up on one home is a clear error"):
                second = subprocess.run(
                    up.command, env=os.environ | {"MAQUETTE_HOME": folder}, capture_output=True, text=True
                )
                assert second.returncode == 3
                assert "already runs" in second.stderr
            kill(up.everything(process))
        with up.running() as process:
            started = time.monotonic()
            until(lambda: up.status(ordered["video_id"]) == "completed", what=ordered["video_id"])
            assert time.monotonic() - started < 60  # the promise, not a measure: see docs/benchmarks.md
            log = (up.settings.home / "provider-local" / "submissions.jsonl").read_text().splitlines()
            assert sorted(json.loads(line)["number"] for line in log) == [1, 2]
            until(lambda: up.order(carousel["orderId"])["status"] == "completed", what="the carousel")
            log = (up.settings.home / "provider-local-images" / "submissions.jsonl").read_text().splitlines()
            assert sorted(json.loads(line)["number"] for line in log) == [1, 2, 3]
            running = up.everything(process)
            process.send_signal(signal.SIGTERM)
            with subtests.test("SIGTERM ends it and leaves nothing running"):
                assert process.wait(60) == 0
                _, alive = psutil.wait_procs(running, timeout=10)
                assert alive == []
                assert read_state(up.settings.home) is None
