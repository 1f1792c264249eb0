"""The Prefect server is killed and comes back while workers work, and while they wait."""

import pytest
from prefect.states import Cancelling

from tests.rehearsing import until
from tests.worker.rig import Rig

# No poll finds a run in that time: what starts was pushed.
NO_POLL_S = "300"
# Prefect's observer of cancelled runs gives up after half a minute without a server; this one does at once.
IMPATIENT = """
from maquette.worker import pushes, warm
from prefect._internal.observers import FlowRunCancellingObserver
from prefect.events.clients import PrefectEventSubscriber
pushes.AGAIN_S = warm.AGAIN_S = 0.5
PrefectEventSubscriber.__init__.__defaults__ = (None, None, 0, False)
async def give_up(self): raise RuntimeError("the last of three polls failed")
FlowRunCancellingObserver._check_for_cancelled_flow_runs = give_up
"""
GIVEN_UP = "Execution will continue, but flow run cancellation will fail"


@pytest.mark.parametrize(
    "kind", [pytest.param("process", marks=pytest.mark.stock), pytest.param("warm", marks=pytest.mark.slow)]
)
def test_runs_outlive_an_outage_and_so_does_their_worker(rig: Rig, kind: str) -> None:
    pool = rig.pool(f"outage-{kind}", kind)
    told = {"PREFECT_WORKER_QUERY_SECONDS": NO_POLL_S} if kind == "warm" else {}
    with rig.working(pool, kind, patch=IMPATIENT if kind == "warm" else "", **told) as worker:
        ends, stays = runs = [rig.run(pool, flow) for flow in ("ends_when_told", "waits")]
        until(lambda: all(run.has_begun() for run in runs), what="the first lines")
        rig.server.kill()
        ends.tell()
        until(lambda: ends.said("ended"), what="the flow's last line, without a server")
        if kind == "warm":
            until(lambda: GIVEN_UP in worker.output, what="the end of Prefect's own patience")
        rig.server.start()
        rig.await_end(ends)
        assert ends.states()[-1] == "COMPLETED Completed"
        assert [note["kind"] for note in ends.said("hook")] == ["running", "completion"]
        following = rig.run(pool, "completes")
        rig.await_end(following)
        assert following.states()[-1] == "COMPLETED Completed"
        rig.client.set_flow_run_state(stays.id, Cancelling())
        rig.await_end(stays)
        assert stays.states()[-1] == "CANCELLED Cancelled"


@pytest.mark.slow
def test_a_worker_that_waits_outlives_an_outage(rig: Rig) -> None:
    pool = rig.pool("outage-idle", "warm")
    with rig.working(pool, "warm", patch=IMPATIENT, PREFECT_WORKER_QUERY_SECONDS=NO_POLL_S):
        for _ in range(2):
            rig.server.kill()
            rig.server.start()
            run = rig.run(pool, "completes")
            rig.await_end(run)
            assert run.states()[-1] == "COMPLETED Completed"
