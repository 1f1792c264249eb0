"""Upkeep in a real Prefect engine: what is stuck, what has expired, runs that nobody asks about any more."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from prefect.settings import get_current_settings

from flows.maintenance import cleanup_stuck_jobs, retention
from maquette.db.engine import Database
from maquette.intake.requests import MediaRequest
from maquette.journal.costs import costs
from maquette.launch.flow_runs import PrefectFlowRuns
from maquette.library import service as library
from maquette.orders import service as orders
from maquette.settings import Settings
from tests.flows.orders import PRICE, QUICK, intake_of, order_of, run
from tests.rehearsing import Rehearse

# Prefect's engine and its test server leave sockets to the garbage collector.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


async def test_upkeep_frees_what_is_stuck_and_gives_up_what_has_expired(
    rehearse: Rehearse, settings: Settings, database: Database
) -> None:
    videos = rehearse(**QUICK, orphan_grace_s=0.001)
    old = intake_of(videos).order(MediaRequest(topic="une vague"), key="once")
    done = await run(videos, old)
    stuck = intake_of(videos).order(MediaRequest(topic="un pont"))
    with database.begin() as session:
        orders.claim(session, stuck.job_id, flow_run_id=None, lease_s=0.001, deadline_s=600, holder="another-host/1/1")
    repairs = await cleanup_stuck_jobs()
    assert (repairs.retried, repairs.failed) == (1, 0)
    assert order_of(videos, stuck).jobs[0].status == "queued"
    with database.begin() as session:
        for table in ("assets", "events", "idempotency_keys"):
            session.execute(sa.text(f"UPDATE {table} SET created_at = created_at - interval '31 days'"))
        session.execute(sa.text("UPDATE assets SET expires_at = expires_at - interval '31 days'"))
    given_up = await retention()
    assert (given_up.assets, given_up.answers, given_up.prefect_runs) == (2, 1, 0)  # the picture and its raw one
    assert given_up.events == 3  # those of the order that has ended, but its last; the open one's stay
    await cleanup_stuck_jobs()  # which sweeps files that nothing needs
    assert list((settings.home / "assets").glob("??/*")) == []
    assert not (settings.home / "images" / old.subjects[0]).exists()
    with database.begin() as session:
        (asset,) = library.delivered(session, [done.items[0].id])
        assert asset.expired_at is not None and not asset.listed
        assert costs(session, by="order", order_id=done.id).cost_micros == PRICE  # the books stay
    with PrefectFlowRuns(str(get_current_settings().api.url)) as runs:
        assert runs.forget_ended(datetime.now(UTC) + timedelta(days=1)) >= 3
        assert runs.forget_ended(datetime.now(UTC) + timedelta(days=1)) == 0
