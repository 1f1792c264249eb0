"""What holds runs back holds them back under either worker: limits, other workers, pauses, queues."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from prefect.client.schemas.actions import WorkPoolUpdate

from tests.rehearsing import until
from tests.worker.rig import KINDS, Rig, Run, Worker


@dataclass(frozen=True)
class Line:
    """A pool, and a worker that runs one run at a time."""

    rig: Rig
    kind: str
    pool: str
    worker: Worker

    def run(self, flow: str = "ends_when_told", **more: Any) -> Run:
        return self.rig.run(self.pool, flow, **more)

    def ended(self, *runs: Run) -> None:
        for run in runs:
            run.tell()
        self.rig.await_end(*runs)


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=[pytest.mark.stock if kind == "process" else pytest.mark.slow]) for kind in KINDS],
)
def line(rig: Rig, request: pytest.FixtureRequest) -> Iterator[Line]:
    kind = request.param
    pool = rig.pool(f"line-{kind}", kind)
    for number, queue in enumerate(("quick", "patient"), start=1):
        rig.client.create_work_queue(queue, priority=number, work_pool_name=pool)
    # Polls are told of in the debug log alone.
    with rig.working(pool, kind, "--limit", "1", PREFECT_LOGGING_LEVEL="DEBUG") as worker:
        yield Line(rig, kind, pool, worker)


@pytest.fixture(scope="module")
def other(line: Line) -> Iterator[Worker]:
    """A second worker of the pool."""
    with line.rig.working(line.pool, line.kind, "--limit", "1") as worker:
        yield worker


def test_a_paused_pool_waits_and_then_goes_by_priority_one_at_a_time(line: Line) -> None:
    line.rig.client.update_work_pool(line.pool, WorkPoolUpdate(is_paused=True))
    runs = [line.run("completes", work_queue_name=queue) for queue in ("patient", "patient", "quick")]
    polled = line.worker.output.count("Discovered ")
    until(lambda: line.worker.output.count("Discovered ") > polled + 1, what="two polls of the paused pool")
    assert [run.states() for run in runs] == [["SCHEDULED Scheduled"]] * 3
    line.rig.client.update_work_pool(line.pool, WorkPoolUpdate(is_paused=False))
    line.rig.await_end(*runs)
    *patient, quick = runs
    assert quick.began["at"] < min(run.began["at"] for run in patient)
    spans = sorted(_span(run) for run in runs)
    assert all(ended <= taken for (_, ended), (taken, _) in pairwise(spans))


def _span(run: Run) -> tuple[datetime, datetime]:
    """When a worker took it, and when it ended."""
    times = {state.name: state.timestamp for state in run.client.read_flow_run_states(run.id)}
    return times["Pending"], times["Completed"]


@pytest.mark.usefixtures("other")
def test_the_limit_of_a_deployment_holds(line: Line) -> None:
    deployment = line.rig.deployment(line.pool, "ends_when_told", concurrency_limit=1)
    first, second = runs = [line.rig.run_of(deployment) for _ in range(2)]
    until(lambda: any(run.has_begun() for run in runs), what="the first")
    if second.has_begun():
        first, second = second, first
    until(lambda: second.state().name == "AwaitingConcurrencySlot", what="the second's wait")
    assert not second.has_begun()
    line.ended(first, second)
    assert second.began["at"] > first.said("ended")[0]["at"]


def test_two_workers_run_each_run_once(line: Line, other: Worker) -> None:
    runs = [line.run() for _ in range(4)]
    until(lambda: sum(run.has_begun() for run in runs) == 2, what="a run on each worker")
    at_work = [run for run in runs if run.has_begun()]
    assert {run.now().labels["prefect.worker.name"] for run in at_work} == {line.worker.name, other.name}
    assert all(run.states() == ["SCHEDULED Scheduled"] for run in runs if run not in at_work)
    line.ended(*runs)
    assert [len(run.said("began")) for run in runs] == [1, 1, 1, 1]
    assert {run.states()[-1] for run in runs} == {"COMPLETED Completed"}
