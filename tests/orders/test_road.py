"""Place, claim, hold, settle; with the fence in place and with the fence taken away."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from sqlmodel import Session, select

from maquette.brands import service as brands
from maquette.db.engine import Database
from maquette.errors import Conflict, LeaseHeld, MaquetteError, NotFound, StaleLease
from maquette.orders import lease as leases
from maquette.orders import queue
from maquette.orders import service as orders
from maquette.orders.holder import holder_is_dead, holder_name
from maquette.orders.models import ItemStatus, Job, JobStatus, Lease, Order, OrderItem, OrderStatus
from maquette.orders.service import NewItem, NewJob, Payer, PlacedOrder
from maquette.quota.models import LedgerLine, Reservation
from maquette.quota.rules import Amounts, plan

ONE_REEL = NewItem(kind="video", brief={}, amounts=Amounts(reels=1, woofs=2))


def place(session: Session, *jobs: NewJob, brand_id: UUID | None = None) -> PlacedOrder:
    brand = brands.get(session, brand_id)
    return orders.place(
        session,
        payer=Payer(brand.id, plan(brand.plan)),
        kind="video",
        brief={},
        campaign_name="a",
        jobs=jobs,
        max_attempts=3,
    )


def placed(database: Database, subject: str = "video_a", *, items: int = 1) -> UUID:
    """A new job's id."""
    with database.begin() as session:
        return place(session, NewJob(kind="video", subject=subject, items=[ONE_REEL] * items)).jobs[0].id


def claimed(database: Database, job_id: UUID, *, lease_s: float = 60, holder: str = "elsewhere/1/1") -> Lease:
    with database.begin() as session:
        return orders.claim(session, job_id, flow_run_id=uuid4(), lease_s=lease_s, deadline_s=3600, holder=holder)


def job_of(database: Database, job_id: UUID) -> Job:
    with database.begin() as session:
        return orders.get_job(session, job_id)


def item_of(database: Database, job_id: UUID) -> OrderItem:
    with database.begin() as session:
        return orders.items_of(session, job_id)[0]


def fail(session: Session, lease: Lease, error: MaquetteError) -> None:
    for item in orders.items_of(session, lease.job_id):
        orders.fail_item(session, lease, item.id, error)


def test_an_order_is_one_transaction_with_its_item_and_its_job(database: Database) -> None:
    def refused(session: Session) -> None:
        place(session, NewJob(kind="video", subject="video_a", items=[ONE_REEL]))
        raise RuntimeError("the request failed after all")

    with pytest.raises(RuntimeError), database.begin() as session:
        refused(session)
    with database.begin() as session:
        for table in (Order, OrderItem, Job, Reservation, LedgerLine):
            assert session.exec(select(table)).all() == []


def test_a_subject_has_one_open_item_even_among_simultaneous_requests(database: Database) -> None:
    barrier = threading.Barrier(8)

    def order(_: int) -> bool:
        barrier.wait()
        try:
            placed(database)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(order, range(8))) == 1


def test_one_of_many_simultaneous_runs_claims_the_item(database: Database) -> None:
    job_id = placed(database)
    barrier = threading.Barrier(8)

    def claim(_: int) -> int | None:
        barrier.wait()
        try:
            return claimed(database, job_id).token
        except LeaseHeld:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sorted(filter(None, pool.map(claim, range(8)))) == [1]


def test_an_expired_lease_is_taken_over_and_the_old_token_is_void(database: Database) -> None:
    job_id = placed(database)
    old = claimed(database, job_id, lease_s=0.001)
    new = claimed(database, job_id)
    assert new.token == old.token + 1
    for write in (orders.complete, orders.guard):
        with pytest.raises(StaleLease), database.begin() as session:
            write(session, old)
    with pytest.raises(StaleLease), database.begin() as session:
        orders.renew(session, old, lease_s=60)
    with database.begin() as session:
        orders.complete(session, new)
    assert item_of(database, job_id).status == ItemStatus.COMPLETED


def test_without_the_fence_a_stale_worker_would_settle(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = placed(database)
    old = claimed(database, job_id, lease_s=0.001)
    claimed(database, job_id)
    monkeypatch.setattr(orders, "guard", lambda *args, **kwargs: None)
    with database.begin() as session:
        fail(session, old, MaquetteError("too late"))
    assert item_of(database, job_id).status == ItemStatus.FAILED  # which the fence is there to prevent


def test_a_guarded_transaction_cannot_be_overtaken_by_a_claim(database: Database) -> None:
    job_id = placed(database)
    old = claimed(database, job_id, lease_s=0.001)
    overtaken = threading.Event()

    def take_over() -> None:
        claimed(database, job_id)
        overtaken.set()

    with database.begin() as session:
        orders.guard(session, old)
        thread = threading.Thread(target=take_over)
        thread.start()
        assert not overtaken.wait(0.3)
    thread.join()
    assert overtaken.is_set()


def test_a_dead_holder_on_this_host_is_taken_over_at_once(database: Database) -> None:
    job_id = placed(database)
    alive = holder_name()
    assert not holder_is_dead(alive)
    host, pid, started = alive.rsplit("/", 2)
    gone = f"{host}/{pid}/{float(started) - 100:.0f}"  # the id was given to another process since
    claimed(database, job_id, holder=gone)
    assert claimed(database, job_id, holder=alive).token == 2
    with pytest.raises(LeaseHeld, match="held by"):
        claimed(database, job_id)


@pytest.mark.parametrize(
    "holder", [None, "another-host/1/1", f"another-host/{os.getpid()}/0"], ids=["none", "one", "own id"]
)
def test_a_holder_elsewhere_is_never_called_dead(holder: str | None) -> None:
    assert not holder_is_dead(holder)


def test_an_ended_item_is_never_claimed_again(database: Database) -> None:
    job_id = placed(database)
    lease = claimed(database, job_id)
    with database.begin() as session:
        fail(session, lease, MaquetteError("no", code="filtered"))
    with pytest.raises(LeaseHeld, match="ended"):
        claimed(database, job_id)
    with pytest.raises(NotFound):
        claimed(database, uuid4())
    item = item_of(database, job_id)
    assert (item.error_code, item.error_message) == ("filtered", "no")
    with database.begin() as session:
        assert session.get_one(Order, item.order_id).status == OrderStatus.FAILED
        assert orders.get_job(session, job_id).status == JobStatus.FAILED


def test_a_lease_is_renewed_from_its_thread(database: Database) -> None:
    job_id = placed(database)
    lease = claimed(database, job_id, lease_s=0.3)
    first = job_of(database, job_id).lease_expires_at
    with leases.kept(database, lease, lease_s=30, every_s=0.01):
        for _ in range(500):
            later = job_of(database, job_id).lease_expires_at
            if later != first:
                break
    assert first is not None
    assert later is not None
    assert (later - first).total_seconds() > 20


def test_a_lost_lease_ends_its_thread(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    job_id = placed(database)
    lease = claimed(database, job_id, lease_s=0.001)
    claimed(database, job_id)
    before = threading.active_count()
    with leases.kept(database, lease, lease_s=30, every_s=0.001):
        for thread in threading.enumerate():
            if thread.name == f"lease-{job_id}":
                thread.join(5)
        assert threading.active_count() == before
    assert "no longer holds" in caplog.text


def test_released_work_waits_its_delay(database: Database) -> None:
    job_id = placed(database)
    claimed(database, job_id)
    with database.begin() as session:
        queue.release(session, orders.lock_job(session, job_id), reason="crashed", delay_s=60)
    with database.begin() as session:
        assert queue.next_due(session, window=8, ageing_s=300) is None
        assert orders.get_job(session, job_id).last_error == "crashed"
