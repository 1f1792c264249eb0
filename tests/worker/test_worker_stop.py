"""Workers that are told to stop, or killed, with runs in flight; and a fork server that is killed.

The stock worker kills its runs with SIGKILL as it stops, and says nothing: they stay Running. The warm worker ends
them as a cancelled run is ended, so that they say themselves that they crashed, and their hooks run. What it has to
kill in the end stays Running, too.
"""

import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.rehearsing import until
from tests.worker.records import is_alive
from tests.worker.rig import Rig, Run, Worker

both = pytest.mark.parametrize(
    "kind", [pytest.param("process", marks=pytest.mark.stock), pytest.param("warm", marks=pytest.mark.slow)]
)


@pytest.fixture
def pool(rig: Rig, kind: str) -> str:
    return rig.pool(f"stop-{kind}", kind)


@pytest.fixture
def worker(rig: Rig, pool: str, kind: str) -> Iterator[Worker]:
    with rig.working(pool, kind) as worker:
        yield worker


def begun(rig: Rig, pool: str, *flows: str) -> list[Run]:
    """A run of each of these flows, in flight."""
    runs = [rig.run(pool, flow) for flow in flows]
    until(lambda: all(run.has_begun() for run in runs), what="the runs' first lines")
    return runs


def is_gone(run: Run) -> bool:
    return not any(is_alive(pid) for pid in (run.began["pid"], run.began.get("grandchild")) if pid)


@both
def test_runs_end_with_a_worker_that_is_told_to_stop(rig: Rig, pool: str, kind: str) -> None:
    """``is_deaf`` does not listen, and is killed when the worker's patience is over."""
    patch = "from maquette.worker import warm; warm.PATIENCE_S = 2" if kind == "warm" else ""
    with rig.working(pool, kind, patch=patch) as worker:
        *listen, deaf = runs = begun(rig, pool, "waits", "sleeps", "has_a_grandchild", "is_deaf")
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0, worker.output
    assert all(is_gone(run) for run in runs)
    assert deaf.states()[-1] == "RUNNING Running"
    if kind == "process":
        assert {run.states()[-1] for run in listen} == {"RUNNING Running"}
    else:
        assert {run.states()[-1] for run in listen} == {"CRASHED Crashed"}
        assert [[note["kind"] for note in run.said("hook")] for run in listen] == [["running", "crashed"]] * 3
        assert list(worker.tmp.glob("*prefect")) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["warm"])
def test_a_second_signal_ends_the_worker_alone(rig: Rig, pool: str, worker: Worker) -> None:
    (run,) = begun(rig, pool, "is_deaf")
    worker.signal(signal.SIGTERM)
    until(lambda: "Sending SIGINT" in worker.output, what="the first signal's arrival")
    worker.signal(signal.SIGTERM)
    assert worker.ended() == -signal.SIGKILL
    run.tell()
    rig.await_end(run)
    assert run.states()[-1] == "COMPLETED Completed"
    until(lambda: is_gone(run), what="the run's process")


@both
def test_runs_outlive_a_worker_that_is_killed(rig: Rig, pool: str, worker: Worker, kind: str) -> None:
    (run,) = begun(rig, pool, "ends_when_told")
    left = [each for each in psutil.Process(worker.pid).children(recursive=True) if each.pid != run.began["pid"]]
    worker.process.kill()
    assert worker.ended() == -signal.SIGKILL
    run.tell()
    rig.await_end(run)
    assert run.states()[-1] == "COMPLETED Completed"
    # The stock worker's runs write to a pipe whose reader has died; their hooks are lost to that.
    assert [note["kind"] for note in run.said("hook")] == ["running", *(["completion"] if kind == "warm" else [])]
    until(lambda: is_gone(run) and not any(is_alive(each.pid) for each in left), what="the end of what it started")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["warm"])
def test_runs_crash_with_their_fork_server_and_the_next_one_runs(rig: Rig, pool: str, worker: Worker) -> None:
    (run,) = begun(rig, pool, "waits")
    os.kill(run.began["parent"], signal.SIGKILL)
    rig.await_end(run)
    assert (run.state().message or "").startswith("Process exited with status code: -9.")
    until(lambda: len(run.said("hook")) == 2, what="its hook")
    assert [note["kind"] for note in run.said("hook")] == ["running", "crashed"]
    following = rig.run(pool, "completes")
    rig.await_end(following)
    assert following.states()[-1] == "COMPLETED Completed"
    assert following.began["parent"] != run.began["parent"]
