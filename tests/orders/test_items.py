"""Jobs of several items and orders of several jobs: each item ends once, is paid once, and is told of in order."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from sqlmodel import Session, select

from maquette.errors import BudgetExceeded, Conflict, MaquetteError, NotFound, StaleLease
from maquette.events import service as events
from maquette.intake.packs import parse_pack
from maquette.intake.requests import MediaRequest
from maquette.intake.service import Accepted, Intake
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, JobStatus, Lease, OrderStatus
from maquette.quota.models import LedgerLine, ReservationState
from maquette.settings import Settings
from maquette.storage import store_from_settings
from tests.orders.rig import IMAGE, SLIDE, Road, job_of, own_database

CAROUSEL = MediaRequest(format="carousel", topic="Les tendances", count=5)
Write = Callable[[Session, Lease, UUID], None]


@pytest.fixture(scope="module")
def road(postgres: str) -> Iterator[Road]:
    """One database for the module; the books agree at its end."""
    with own_database(postgres) as database:
        yield Road(database)
        Road(database).assert_books_agree()


@pytest.fixture(scope="module")
def intake(road: Road, tmp_path_factory: pytest.TempPathFactory) -> Intake:
    """The intake of the module's database."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    return Intake(road.database, store_from_settings(settings), settings)


def told(road: Road, order_id: UUID) -> list[tuple[str, object]]:
    with road.database.begin() as session:
        found = events.since(session, f"order:{order_id}")
        return [(event.type, event.data.get("number") or event.data.get("status")) for event in found]


def states(road: Road, order_id: UUID) -> list[str]:
    return [str(road.reservation(item).state) for item in road.items(order_id)]


def ledger_of(road: Road, item_id: UUID) -> set[str]:
    with road.database.begin() as session:
        return set(session.exec(select(LedgerLine.reason).where(LedgerLine.item_id == item_id)))


def fail_item(session: Session, lease: Lease, item_id: UUID) -> None:
    orders.fail_item(session, lease, item_id, MaquetteError("too late"))


def test_a_carousel_of_five_with_a_failed_slide_pays_four(road: Road) -> None:
    placed = road.place(road.brand("starter"), job_of(*[SLIDE] * 5, kind="carousel"))
    lease = road.claim(placed.jobs[0].id)
    road.complete(lease, *placed.items[:2])
    assert road.order(placed.order.id).status == OrderStatus.PROCESSING
    assert road.counters(placed.order.brand_id).images_reserved == 3
    road.fail(lease, placed.items[2])
    road.complete(lease, *placed.items[3:])
    counters = road.counters(placed.order.brand_id)
    assert (counters.images_used, counters.images_reserved) == (4, 0)
    order, job = road.order(placed.order.id), road.job(placed.jobs[0].id)
    assert (order.status, job.status) == (OrderStatus.PARTIAL, JobStatus.COMPLETED)
    assert (order.finished_at is not None, job.finished_at is not None, job.lease_expires_at) == (True, True, None)
    failed = road.items(placed.order.id)[2]
    assert (failed.status, failed.error_code, failed.error_message) == (ItemStatus.FAILED, "filtered", "no")


def test_listeners_hear_of_every_item_before_the_end(road: Road) -> None:
    placed = road.place(road.brand(), job_of(IMAGE, IMAGE), job_of(IMAGE))
    for job in placed.jobs:
        lease = road.claim(job.id)
        road.complete(lease, *[item for item in placed.items if item.job_id == job.id])
    assert told(road, placed.order.id) == [
        ("placed", None), ("started", None), ("item", 1), ("item", 2), ("item", 3), ("ended", "completed"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ends", "order", "job"),
    [
        ("ff", "failed", "failed"),
        ("cc", "completed", "completed"),
        ("cf", "partial", "completed"),
        ("fc", "partial", "completed"),
    ],
)
def test_the_ends_of_items_in_one_word(road: Road, ends: str, order: str, job: str) -> None:
    placed = road.place(road.brand(), job_of(IMAGE, IMAGE))
    lease = road.claim(placed.jobs[0].id)
    for end, item in zip(ends, placed.items, strict=True):
        (road.complete if end == "c" else road.fail)(lease, item)
    assert (road.order(placed.order.id).status, road.job(placed.jobs[0].id).status) == (order, job)


@pytest.mark.parametrize("write", [orders.complete_item, fail_item])
def test_a_stale_run_delivers_nothing_and_moves_no_unit(road: Road, write: Write) -> None:
    placed = road.place(road.brand(), job_of(IMAGE))
    stopped = road.claim(placed.jobs[0].id, lease_s=0.001)  # as by a SIGSTOP: its lease runs out and it knows nothing
    running = road.claim(placed.jobs[0].id)
    with pytest.raises(StaleLease), road.database.begin() as session:
        write(session, stopped, placed.items[0].id)
    assert ledger_of(road, placed.items[0].id) == {"reserve"}
    assert states(road, placed.order.id) == [ReservationState.RESERVED]
    road.complete(running, placed.items[0])
    with pytest.raises(StaleLease), road.database.begin() as session:
        write(session, stopped, placed.items[0].id)
    assert ledger_of(road, placed.items[0].id) == {"reserve", "settle"}


def test_without_the_fence_a_stale_run_would_settle(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = road.place(road.brand(), job_of(IMAGE))
    stopped = road.claim(placed.jobs[0].id, lease_s=0.001)
    road.claim(placed.jobs[0].id)
    monkeypatch.setattr(orders, "guard", lambda *args, **kwargs: None)
    with road.database.begin() as session:
        orders.complete_item(session, stopped, placed.items[0].id)
    assert ledger_of(road, placed.items[0].id) == {"reserve", "settle"}  # which the fence is there to prevent


def test_an_end_is_final(road: Road) -> None:
    placed = road.place(road.brand(), job_of(IMAGE, IMAGE))
    lease = road.claim(placed.jobs[0].id)
    road.complete(lease, placed.items[0])
    road.fail(lease, placed.items[0])
    assert [item.status for item in road.items(placed.order.id)] == [ItemStatus.COMPLETED, ItemStatus.PROCESSING]
    assert ledger_of(road, placed.items[0].id) == {"reserve", "settle"}


def test_two_jobs_that_end_at_the_same_time_end_their_order_once(road: Road) -> None:
    placed = road.place(road.brand(), *[job_of(IMAGE) for _ in range(6)])
    leases = [road.claim(job.id) for job in placed.jobs]
    barrier = threading.Barrier(6)

    def end(index: int) -> None:
        barrier.wait()
        road.complete(leases[index], placed.items[index])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(end, range(6)))
    assert road.order(placed.order.id).status == OrderStatus.COMPLETED
    assert [type_ for type_, _ in told(road, placed.order.id)].count("ended") == 1


def test_a_cancelled_order_keeps_and_pays_what_was_delivered(road: Road, intake: Intake) -> None:
    brand = road.brand("starter")
    accepted = intake.order(CAROUSEL.model_copy(update={"brand_id": brand}))
    items = road.items(accepted.order_id)
    lease = road.claim(accepted.job_id)
    road.complete(lease, items[0])
    intake.cancel(accepted.order_id)
    assert states(road, accepted.order_id) == ["settled"] + ["refunded"] * 4
    assert {item.error_code for item in road.items(accepted.order_id)[1:]} == {"cancelled"}
    assert road.order(accepted.order_id).status == OrderStatus.PARTIAL
    counters = road.counters(brand)
    assert (counters.images_used, counters.images_reserved) == (1, 0)
    with pytest.raises(StaleLease), road.database.begin() as session:
        orders.complete_item(session, lease, items[1].id)
    with pytest.raises(Conflict, match="has ended"):
        intake.cancel(accepted.order_id)
    with pytest.raises(NotFound):
        intake.cancel(uuid4())


def test_an_order_of_several_things_is_cancelled_whole(road: Road, intake: Intake) -> None:
    request = {"format": "video", "topic": "Le sucre", "count": 3, "duration_s": 15, "brand_id": road.brand("starter")}
    accepted = intake.order(MediaRequest.model_validate(request))
    road.claim(accepted.jobs[1])
    intake.cancel(accepted.order_id)
    assert road.order(accepted.order_id).status == OrderStatus.CANCELLED
    assert {road.job(job_id).status for job_id in accepted.jobs} == {JobStatus.CANCELLED}
    assert states(road, accepted.order_id) == ["refunded"] * 3


def test_what_was_not_delivered_is_ordered_again_once(road: Road, intake: Intake) -> None:
    brand = road.brand("starter")
    accepted = intake.order(CAROUSEL.model_copy(update={"brand_id": brand}))
    with pytest.raises(Conflict, match="being made"):
        intake.retry(accepted.order_id)
    lease, items = road.claim(accepted.job_id), road.items(accepted.order_id)
    road.complete(lease, items[0], items[2], items[3])
    road.fail(lease, items[1], items[4])
    barrier = threading.Barrier(4)

    def retry(_: int) -> Accepted | str:
        barrier.wait()
        try:
            return intake.retry(accepted.order_id)
        except Conflict as error:
            return error.code

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(retry, range(4)))
    [again] = [answer for answer in answers if isinstance(answer, Accepted)]
    assert answers.count("nothing_to_retry") == 3
    assert (again.subjects, again.amounts.images) == (accepted.subjects, 2)
    assert [item.sequence_number for item in road.items(again.order_id)] == [2, 5]
    assert road.order(again.order_id).retry_of == accepted.order_id
    counters = road.counters(brand)
    assert (counters.images_used, counters.images_reserved) == (3, 2)


def test_a_retry_needs_the_budget_as_every_order_does(road: Road, intake: Intake) -> None:
    brand = road.brand("starter")
    accepted = intake.order(MediaRequest(format="image", topic="Un chat", brand_id=brand))
    intake.cancel(accepted.order_id)
    road.place(brand, job_of(*[IMAGE] * 165))
    with pytest.raises(BudgetExceeded):
        intake.retry(accepted.order_id)


def test_a_pack_is_one_order_with_the_woofs_of_its_assets(road: Road, intake: Intake) -> None:
    brand = road.brand("starter")
    assets = [
        {"id": "a", "kind": "image", "count": 2, "title": "Un", "prompt": "Un chat"},
        {"id": "b", "kind": "carousel", "count": 4, "title": "Deux", "prompt": "Les tendances"},
        {"id": "c", "kind": "video_premium", "count": 1, "title": "Trois", "prompt": "Le sucre", "durationSeconds": 8},
    ]
    pack, _ = parse_pack({"title": "Une semaine", "assets": assets})
    accepted = intake.pack(pack, brand_id=brand)
    assert accepted.amounts.model_dump() == {"images": 6, "reels": 1, "woofs": 2 + 10 + 25}
    assert [road.job(job_id).kind for job_id in accepted.jobs] == ["image", "carousel", "video"]
    estimate = intake.estimate_pack(pack, brand_id=brand)
    assert estimate.amounts == accepted.amounts
    counters = road.counters(brand)
    assert (counters.images_reserved, counters.reels_reserved, counters.woofs_reserved) == (6, 1, 37)


def test_nothing_of_a_pack_is_ordered_when_one_asset_cannot_be(road: Road, intake: Intake) -> None:
    brand = road.brand("starter")
    assets = [
        {"id": "a", "kind": "image", "count": 1, "title": "Un", "prompt": "Un chat"},
        {"id": "b", "kind": "video_premium", "count": 1, "title": "Deux", "prompt": "Le sucre", "durationSeconds": 60},
    ]
    pack, _ = parse_pack({"title": "Une semaine", "assets": assets})
    with pytest.raises(BudgetExceeded, match="films of 15 s at most"):
        intake.pack(pack, brand_id=brand)
    assert not intake.estimate_pack(pack, brand_id=brand).allowed
    assert road.counters(brand).images_reserved == 0
