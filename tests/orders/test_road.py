"""Place, claim, hold, settle; with the fence in place and with the fence taken away."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from sqlmodel import Session, select

from maquette.db.engine import Database
from maquette.errors import Conflict, LeaseHeld, MaquetteError, NotFound, StaleLease
from maquette.orders import lease as leases
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job, JobStatus, Lease, Order, OrderItem, OrderStatus


def placed(database: Database, subject: str = "video_a") -> UUID:
    with database.begin() as session:
        return orders.place(session, kind="video", subject=subject, brief={}).id


def claimed(database: Database, item_id: UUID, *, lease_s: float = 60, holder: str = "elsewhere/1/1") -> Lease:
    with database.begin() as session:
        return orders.claim(session, item_id, flow_run_id=uuid4(), lease_s=lease_s, deadline_s=3600, holder=holder)


def item_of(database: Database, item_id: UUID) -> OrderItem:
    with database.begin() as session:
        return orders.get_item(session, item_id)


def test_an_order_is_one_transaction_with_its_item_and_its_job(database: Database) -> None:
    def refused(session: Session) -> None:
        orders.place(session, kind="video", subject="video_a", brief={})
        raise RuntimeError("the request failed after all")

    with pytest.raises(RuntimeError), database.begin() as session:
        refused(session)
    with database.begin() as session:
        for table in (Order, OrderItem, Job):
            assert session.exec(select(table)).all() == []


def test_a_subject_has_one_open_item_even_among_simultaneous_requests(database: Database) -> None:
    barrier = threading.Barrier(8)

    def place(_: int) -> bool:
        barrier.wait()
        try:
            placed(database)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(place, range(8))) == 1


def test_one_of_many_simultaneous_runs_claims_the_item(database: Database) -> None:
    item_id = placed(database)
    barrier = threading.Barrier(8)

    def claim(_: int) -> int | None:
        barrier.wait()
        try:
            return claimed(database, item_id).token
        except LeaseHeld:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sorted(filter(None, pool.map(claim, range(8)))) == [1]


def test_an_expired_lease_is_taken_over_and_the_old_token_is_void(database: Database) -> None:
    item_id = placed(database)
    old = claimed(database, item_id, lease_s=0.001)
    new = claimed(database, item_id)
    assert new.token == old.token + 1
    for write in (orders.complete, orders.guard):
        with pytest.raises(StaleLease), database.begin() as session:
            write(session, old)
    with pytest.raises(StaleLease), database.begin() as session:
        orders.renew(session, old, lease_s=60)
    with database.begin() as session:
        orders.complete(session, new)
    assert item_of(database, item_id).status == ItemStatus.COMPLETED


def test_without_the_fence_a_stale_worker_would_settle(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    item_id = placed(database)
    old = claimed(database, item_id, lease_s=0.001)
    claimed(database, item_id)
    monkeypatch.setattr(orders, "guard", lambda *args, **kwargs: None)
    with database.begin() as session:
        orders.fail(session, old, MaquetteError("too late"))
    assert item_of(database, item_id).status == ItemStatus.FAILED  # which the fence is there to prevent


def test_a_guarded_transaction_cannot_be_overtaken_by_a_claim(database: Database) -> None:
    item_id = placed(database)
    old = claimed(database, item_id, lease_s=0.001)
    overtaken = threading.Event()

    def take_over() -> None:
        claimed(database, item_id)
        overtaken.set()

    with database.begin() as session:
        orders.guard(session, old)
        thread = threading.Thread(target=take_over)
        thread.start()
        assert not overtaken.wait(0.3)
    thread.join()
    assert overtaken.is_set()


def test_a_dead_holder_on_this_host_is_taken_over_at_once(database: Database) -> None:
    item_id = placed(database)
    alive = orders.holder_name()
    assert not orders.holder_is_dead(alive)
    host, pid, started = alive.rsplit("/", 2)
    gone = f"{host}/{pid}/{float(started) - 100:.0f}"  # the id was given to another process since
    claimed(database, item_id, holder=gone)
    assert claimed(database, item_id, holder=alive).token == 2
    with pytest.raises(LeaseHeld, match="held by"):
        claimed(database, item_id)


@pytest.mark.parametrize(
    "holder", [None, "another-host/1/1", f"another-host/{os.getpid()}/0"], ids=["none", "one", "own id"]
)
def test_a_holder_elsewhere_is_never_called_dead(holder: str | None) -> None:
    assert not orders.holder_is_dead(holder)


def test_an_ended_item_is_never_claimed_again(database: Database) -> None:
    item_id = placed(database)
    lease = claimed(database, item_id)
    with database.begin() as session:
        orders.fail(session, lease, MaquetteError("no", code="filtered"))
    with pytest.raises(LeaseHeld, match="ended"):
        claimed(database, item_id)
    with pytest.raises(NotFound):
        claimed(database, uuid4())
    item = item_of(database, item_id)
    assert (item.error_code, item.error_message) == ("filtered", "no")
    with database.begin() as session:
        assert session.get_one(Order, item.order_id).status == OrderStatus.FAILED
        assert orders.job_of(session, item_id).status == JobStatus.FAILED


def test_a_lease_is_renewed_from_its_thread(database: Database) -> None:
    item_id = placed(database)
    lease = claimed(database, item_id, lease_s=0.3)
    first = item_of(database, item_id).lease_expires_at
    with leases.kept(database, lease, lease_s=30, every_s=0.01):
        for _ in range(500):
            later = item_of(database, item_id).lease_expires_at
            if later != first:
                break
    assert first is not None
    assert later is not None
    assert (later - first).total_seconds() > 20


def test_a_lost_lease_ends_its_thread(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    item_id = placed(database)
    lease = claimed(database, item_id, lease_s=0.001)
    claimed(database, item_id)
    before = threading.active_count()
    with leases.kept(database, lease, lease_s=30, every_s=0.001):
        for thread in threading.enumerate():
            if thread.name == f"lease-{item_id}":
                thread.join(5)
        assert threading.active_count() == before
    assert "no longer holds" in caplog.text


def test_released_work_waits_its_delay(database: Database) -> None:
    item_id = placed(database)
    claimed(database, item_id)
    with database.begin() as session:
        orders.release(session, orders.get_item(session, item_id), reason="crashed", delay_s=60)
    with database.begin() as session:
        assert orders.next_due(session) is None
        assert orders.job_of(session, item_id).last_error == "crashed"
