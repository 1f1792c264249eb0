"""Each way that a run can go comes to the same under the warm worker as under Prefect's own."""

import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

from tests.rehearsing import until
from tests.worker.records import HEARTBEAT, Record, is_told, record_of
from tests.worker.rig import KINDS, Rig, Run, Worker
from tests.worker.scenarios import SCENARIOS, Scenario

PATIENCE_S = 240
# The others take their time, and are long tests.
QUICK = ("completes", "raises", "is killed", "cancelled, async")


@dataclass(frozen=True)
class Seen:
    """One run of the stage."""

    run: Run
    worker: Worker
    record: Record


Stage = dict[tuple[str, Scenario], Seen]


def _marked(scenario: Scenario, *, is_slow: bool) -> object:
    return pytest.param(scenario, id=scenario.name, marks=[pytest.mark.slow] if is_slow else [])


@pytest.fixture(scope="module")
def stage(rig: Rig, request: pytest.FixtureRequest) -> Stage:
    """The runs that the chosen tests ask for, all at the same time, and what they came to."""
    wanted = set[tuple[str, Scenario]]()
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.path == request.path:
            kinds: Sequence[str] = (
                KINDS if item.originalname == test_the_stock_worker_does_the_same.__name__ else ["warm"]
            )
            scenario = item.callspec.params["scenario"]
            assert isinstance(scenario, Scenario)
            wanted |= {(kind, scenario) for kind in kinds}
    workers = {
        kind: rig.worker(rig.pool(kind, kind), kind, "--limit", limit)
        for kind, limit in (("warm", "8"), ("process", "4"))
        if any(each == kind for each, _ in wanted)
    }
    for worker in workers.values():
        rig.awaited(worker)
    runs = {
        (kind, scenario): scenario.start(rig, kind)
        for scenario in SCENARIOS
        for kind in workers
        if (kind, scenario) in wanted
    }
    with ThreadPoolExecutor(len(runs)) as meddlers:
        meddling = [
            meddlers.submit(scenario.meddle, rig, run) for (_, scenario), run in runs.items() if scenario.meddle
        ]
        for each in meddling:
            each.result()
    rig.await_end(*runs.values(), seconds=PATIENCE_S)
    until(lambda: all(is_told(rig, run) for run in runs.values()), what="the last word on each run")
    # A worker that ends has sent all that it had to tell.
    for worker in workers.values():
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0, worker.output
    return {
        (kind, scenario): Seen(run, workers[kind], record_of(rig, run, workers[kind]))
        for (kind, scenario), run in runs.items()
    }


@pytest.mark.parametrize("scenario", [_marked(each, is_slow=each.name not in QUICK) for each in SCENARIOS])
def test_a_run_under_the_warm_worker(stage: Stage, scenario: Scenario) -> None:
    seen = stage["warm", scenario]
    assert tuple(seen.record.states) == scenario.states
    assert seen.record.message.startswith(scenario.message)
    assert tuple(hook.partition(" ")[0] for hook in seen.record.hooks) == scenario.hooks
    assert seen.record.attempts == scenario.attempts
    assert seen.record.left == []
    if scenario.attempts:
        is_own = seen.run.began["parent"] == seen.worker.pid
        assert is_own is scenario.has_process


@pytest.mark.parametrize("scenario", [_marked(each, is_slow=True) for each in SCENARIOS if each.has_stock])
def test_the_stock_worker_does_the_same(stage: Stage, scenario: Scenario) -> None:
    warm, stock = stage["warm", scenario].record, stage["process", scenario].record
    if scenario.is_abrupt:
        warm, stock = (_without_what_may_be_lost(record) for record in (warm, stock))
    assert warm == stock


def _without_what_may_be_lost(record: Record) -> Record:
    return replace(record, told=[], events=[event for event in record.events if event != HEARTBEAT])
