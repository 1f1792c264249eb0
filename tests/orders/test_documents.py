"""What clients read of orders, jobs and the queue is what is in the tables."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import col

from maquette.errors import NotFound, QuotaExceeded
from maquette.journal import breakers
from maquette.journal import service as journal
from maquette.library import service as library
from maquette.orders import documents, queue
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job
from maquette.orders.service import Payer, PlacedOrder
from maquette.quota.rules import plan
from maquette.storage.port import StoredFile
from tests.orders.rig import IMAGE, SLIDE, Road, job_of, own_database


@pytest.fixture(scope="module")
def road(postgres: str) -> Iterator[Road]:
    """One database for the module; each test has a brand of its own."""
    with own_database(postgres) as database:
        yield Road(database)


@pytest.fixture
def brand(road: Road) -> UUID:
    return road.brand("starter")


def retried(road: Road, placed: PlacedOrder) -> UUID:
    with road.database.begin() as session:
        return orders.place(
            session,
            payer=Payer(placed.order.brand_id, plan("starter")),
            kind="image",
            brief={},
            campaign_name="again",
            jobs=[job_of(IMAGE)],
            max_attempts=3,
            retry_of=placed.order.id,
        ).order.id


def test_an_order_is_told_whole(road: Road, brand: UUID) -> None:
    placed = road.place(brand, job_of(SLIDE, SLIDE, SLIDE, kind="carousel"))
    lease = road.claim(placed.jobs[0].id)
    with road.database.begin() as session:
        call = journal.open_call(
            session,
            journal.CallKey(
                account=lease.subject, brand_id=brand, order_id=placed.order.id, subject="a", step="image-1",
                provider="p", model="m", request={},
            ),
        )  # fmt: skip
        call.cost_micros, call.saved_micros = 40, 7
        shown = library.Shown(brand_id=brand, order_id=placed.order.id, item_id=placed.items[0].id)
        file = StoredFile(key="a.jpg", sha256="a", size_bytes=1)
        asset_id = library.add(session, file, subject=lease.subject, kind="carousel_slide", shown=shown).id
    road.complete(lease, placed.items[0])
    road.fail(lease, placed.items[1])
    with road.database.begin() as session:
        told = documents.order_document(session, placed.order.id)
        listed = documents.list_orders(session, brand_id=brand, limit=5)
    assert (told.expected, told.completed, told.failed, told.progress) == (3, 1, 1, 66)
    assert (told.cost_micros, told.saved_micros, told.status, told.seq) == (40, 7, "processing", 4)
    assert [(item.status, item.reservation, item.asset_id, item.images) for item in told.items] == [
        ("completed", "settled", asset_id, 1),
        ("failed", "refunded", None, 1),
        ("processing", "reserved", None, 1),
    ]
    assert told.items[1].error_code == "filtered"
    assert [(job.status, job.queue, job.attempts, job.max_attempts) for job in told.jobs] == [("running", "free", 1, 3)]
    assert listed == [documents.ListedOrder.model_validate(told.model_dump())]
    with pytest.raises(NotFound), road.database.begin() as session:
        documents.order_document(session, uuid4())


def test_the_list_is_paged_by_a_key_that_skips_and_repeats_nothing(road: Road, brand: UUID) -> None:
    placed = [road.place(brand, job_of(IMAGE)).order.id for _ in range(7)]
    road.place(road.brand(), job_of(IMAGE))
    with road.database.begin() as session:  # several of one moment
        session.execute(sa.text("UPDATE orders SET created_at = now() WHERE brand_id = :id"), {"id": brand})
    found: list[UUID] = []
    after = None
    while True:
        with road.database.begin() as session:
            page = documents.list_orders(session, brand_id=brand, after=after, limit=3)
        if not page:
            break
        found += [order.id for order in page]
        after = page[-1].created_at, page[-1].id
    assert sorted(found) == sorted(placed)
    assert len(found) == 7


def test_the_list_goes_by_status(road: Road, brand: UUID) -> None:
    ended, _ = road.place(brand, job_of(IMAGE)), road.place(brand, job_of(IMAGE))
    road.complete(road.claim(ended.jobs[0].id), *ended.items)
    with road.database.begin() as session:
        found = documents.list_orders(session, brand_id=brand, status="completed", limit=5)
    assert [(order.id, order.progress) for order in found] == [(ended.order.id, 100)]


def test_dead_letters_are_what_failed_and_was_not_ordered_again(road: Road, brand: UUID) -> None:
    half, whole, again, fine = (road.place(brand, job_of(IMAGE, IMAGE)) for _ in range(4))
    for placed in (half, whole, again, fine):
        lease = road.claim(placed.jobs[0].id)
        (road.complete if placed in (half, fine) else road.fail)(lease, placed.items[0])
        (road.complete if placed is fine else road.fail)(lease, placed.items[1])
    road.place(brand, job_of(IMAGE))
    later = retried(road, again)
    with road.database.begin() as session:
        letters = documents.dead_letters(session, brand_id=brand, limit=9)
        assert documents.order_document(session, again.order.id).retried_by == later
        assert documents.order_document(session, later).retry_of == again.order.id
        assert [letter.job.id for letter in documents.dead_letters(session, limit=1)] == [whole.jobs[0].id]
    assert [(letter.job.id, len(letter.items)) for letter in letters] == [(whole.jobs[0].id, 2), (half.jobs[0].id, 1)]
    assert {item.error_code for letter in letters for item in letter.items} == {"filtered"}


def test_the_monitor_counts_by_state_and_sees_what_is_stuck(road: Road, brand: UUID) -> None:
    queued, sent, running, stuck, ended, failed, cancelled, old = (road.place(brand, job_of(IMAGE)) for _ in range(8))
    with road.database.begin() as session:
        queue.mark_sent(session, orders.lock_job(session, sent.jobs[0].id), uuid4(), premium=False)
        orders.end_open(session, orders.lock_job(session, cancelled.jobs[0].id), ItemStatus.CANCELLED)
        orders.get_job(session, queued.jobs[0].id).available_at -= timedelta(seconds=125)
        breakers.trip(session, "p", QuotaExceeded("429"), asked_at=queued.jobs[0].created_at, base_s=30)
    road.claim(running.jobs[0].id)
    road.claim(stuck.jobs[0].id, lease_s=0)
    road.fail(road.claim(failed.jobs[0].id), *failed.items)
    for placed in (ended, old):
        road.complete(road.claim(placed.jobs[0].id), *placed.items)
    with road.database.begin() as session:
        session.execute(
            sa.update(Job).where(col(Job.id) == old.jobs[0].id).values(finished_at=sa.func.now() - timedelta(days=2))
        )
    with road.database.begin() as session:
        told = documents.queue_document(session, brand_id=brand, recent=5)
        everybody = documents.queue_document(session)
    assert told.counts.model_dump() == {
        "queued": 1, "processing": 1, "running": 2, "completed": 2, "failed": 1, "cancelled": 1, "completed_24h": 1,
    }  # fmt: skip
    assert 125 <= told.backlogSeconds < 185
    assert (told.ok, told.scope, told.stuck.runningStuckCount, told.stuck.thresholdSec) == (True, "brand", 1, 300)
    assert len(told.recent) == 5
    assert told.recent[0].id == old.jobs[0].id
    assert [job.updated_at for job in told.recent] == sorted((job.updated_at for job in told.recent), reverse=True)
    assert {job.retry for job in told.recent} <= {"0/3", "1/3"}
    assert [(breaker.provider, breaker.reason) for breaker in told.breakers] == [("p", "429")]
    assert everybody.scope == "all"
    assert everybody.counts.queued >= told.counts.queued
    assert len(everybody.recent) <= 15


def test_a_queue_without_anything_is_told_too(road: Road, brand: UUID) -> None:
    with road.database.begin() as session:
        told = documents.queue_document(session, brand_id=brand)
    assert set(told.counts.model_dump().values()) == {0}
    assert (told.backlogSeconds, told.recent, told.stuck.runningStuckCount) == (0, [], 0)
