"""Everybody at once on the same orders and the same brand: nobody waits for ever, and the ends are consistent."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from maquette.errors import BudgetExceeded, Conflict, LeaseHeld, MaquetteError, StaleLease
from maquette.intake import failures
from maquette.intake.packs import parse_pack
from maquette.intake.requests import MediaRequest
from maquette.intake.service import Accepted, Intake
from maquette.launch.dispatcher import Dispatcher
from maquette.launch.flow_runs import RunState
from maquette.launch.reconciler import Reconciler
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, OrderItem, OrderStatus
from maquette.quota.models import Reservation, ReservationState
from maquette.settings import Settings
from maquette.storage import store_from_settings
from tests.launch.prefect import Prefect
from tests.orders.rig import Road, own_database

Act = Callable[[], None]


@pytest.fixture
def intake(postgres: str, settings: Settings) -> Iterator[Intake]:
    """The intake on a database with room for the crowd."""
    eager = settings.model_copy(update={"dispatch_grace_s": 1e-6, "lease_s": 0.001})
    with own_database(postgres, pool_size=20) as database:
        yield Intake(database, store_from_settings(eager), eager)


def work(road: Road, job_id: UUID, seed: int) -> None:
    """A run: claim, deliver or fail item by item, as long as the lease is its own."""
    dice = random.Random(seed)
    with suppress(LeaseHeld, StaleLease):
        lease = road.claim(job_id, lease_s=dice.choice([0.001, 60]))
        with road.database.begin() as session:
            orders.guard(session, lease)
            orders.announce(session, lease.order_id, "plan", {})
            found = orders.items_of(session, job_id, only_open=True)
        for item in found:
            (road.fail if dice.random() < 0.2 else road.complete)(lease, item)
            with road.database.begin() as session:
                orders.renew(session, lease, lease_s=60)


def test_nobody_waits_crosswise_and_all_ends_agree(intake: Intake) -> None:
    road, prefect, dice = Road(intake.database), Prefect(), random.Random(7)
    brand = road.brand("pro")
    pack, _ = parse_pack(
        {
            "title": "Une semaine",
            "assets": [
                {"id": "a", "kind": "image", "count": 3, "prompt": "Un chat"},
                {"id": "b", "kind": "carousel", "count": 4, "prompt": "Les tendances"},
                {"id": "c", "kind": "video_premium", "count": 1, "prompt": "Le sucre", "durationSeconds": 8},
                {"id": "d", "kind": "video_premium", "count": 1, "prompt": "Le sel", "durationSeconds": 8},
            ],
        }
    )
    accepted = [intake.pack(pack, brand_id=brand) for _ in range(6)]
    reconciler = Reconciler(intake.database, prefect, intake.store, intake.settings)
    dispatcher = Dispatcher(intake.database, prefect, intake.settings)

    def cancel(order_id: UUID) -> None:
        with suppress(Conflict):
            intake.cancel(order_id)

    def retry(order_id: UUID) -> None:
        with suppress(Conflict, BudgetExceeded):
            intake.retry(order_id)

    def place() -> None:
        with suppress(BudgetExceeded):
            intake.order(MediaRequest(format="image", topic="Un chien", count=2, brand_id=brand))

    def reconcile() -> None:
        dispatcher.dispatch_due()
        for run_id in list(prefect.states):
            prefect.states[run_id] = dice.choice([RunState.RUNNING, RunState.ENDED, RunState.CANCELLED])
        reconciler.reconcile()

    acts: list[Act] = [reconcile] * 4 + [place] * 12
    for order in accepted:
        acts += [partial(work, road, job_id, seed) for job_id in order.jobs for seed in range(3)]
        acts.append(partial(retry, order.order_id))
    acts += [partial(cancel, order.order_id) for order in accepted[:3]]
    dice.shuffle(acts)
    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(act) for act in acts]:
            done.result(60)  # a deadlock that PostgreSQL breaks is an error here
    for order in accepted:
        cancel(order.order_id)

    road.assert_books_agree()
    with road.database.begin() as session:
        ended = session.exec(select(OrderItem).where(col(OrderItem.status).not_in(orders.OPEN))).all()
        held = {row.item_id: row.state for row in session.exec(select(Reservation))}
    assert len(ended) >= 6 * 9
    for item in ended:
        wanted = ReservationState.SETTLED if item.status == "completed" else ReservationState.REFUNDED
        assert held[item.id] == wanted
    used = road.counters(brand)
    assert used.images_used == sum(item.status == "completed" and item.kind != "video" for item in ended)
    for order in accepted:
        assert road.order(order.order_id).status not in (OrderStatus.PENDING, OrderStatus.PROCESSING)


def _both_end(road: Road, accepted: Accepted, cancel: Act) -> list[str]:
    """Cancel an order of two jobs while a run is about to deliver the second; what became of both."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    second = max(accepted.jobs)  # the one that a cancellation locks last
    lease = road.claim(second)
    item = next(item for item in road.items(accepted.order_id) if item.job_id == second)
    patience = threading.Event()

    def deliver() -> None:
        with road.database.begin() as session:
            orders.guard(session, lease, settle=True)
            holds.set()
            for _ in range(1000):
                with road.database.begin() as other:
                    if other.execute(sa.text(waiting)).scalar_one():
                        break
                patience.wait(0.01)
            orders.complete_item(session, lease, item.id)

    def told(act: Act) -> str:
        try:
            act()
        except sa.exc.OperationalError as error:
            return type(error.orig).__name__
        return "ended"

    holds = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        delivered = pool.submit(told, deliver)
        assert holds.wait(10)
        cancelled = pool.submit(told, cancel)
        return sorted([delivered.result(30), cancelled.result(30)])


def test_a_cancellation_holds_no_budget_while_it_waits_for_a_run(intake: Intake) -> None:
    road = Road(intake.database)
    request = MediaRequest(format="video", topic="Le sucre", count=2, brand_id=road.brand("pro"))
    accepted = intake.order(request)
    assert _both_end(road, accepted, lambda: intake.cancel(accepted.order_id)) == ["ended", "ended"]
    assert sorted(item.status for item in road.items(accepted.order_id)) == ["cancelled", "completed"]

    def one_by_one() -> None:
        """Ends a job before it locks the next."""
        with road.database.begin() as session:
            for job in orders.jobs_of(session, again.order_id):
                error = MaquetteError("the order was cancelled", code="cancelled")
                failures.end_job(session, orders.lock_job(session, job.id), ItemStatus.CANCELLED, error)

    again = intake.order(request)
    assert _both_end(road, again, one_by_one) == ["DeadlockDetected", "ended"]  # which the order of locks prevents
