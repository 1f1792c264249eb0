"""Which job is sent next: class, age, fairness between brands, the window; and what others hold is passed over."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from maquette.orders import queue
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job, JobStatus
from tests.orders.rig import IMAGE, Road, job_of, own_database

AGEING_S = 300


@pytest.fixture(scope="module")
def shared(postgres: str) -> Iterator[Road]:
    """One database for the module."""
    with own_database(postgres) as database:
        yield Road(database)


@pytest.fixture
def road(shared: Road) -> Road:
    """The road with nothing on it."""
    with shared.database.begin() as session:
        for job in session.exec(select(Job).where(col(Job.status).in_(orders.OPEN_JOBS))).all():
            orders.end_open(session, job, ItemStatus.CANCELLED)
    return shared


def add(road: Road, brand_id: UUID, number: int = 1) -> list[UUID]:
    """So many orders of the brand; their jobs' ids."""
    return [road.place(brand_id, job_of(IMAGE)).jobs[0].id for _ in range(number)]


def older(road: Road, job_id: UUID, seconds: float) -> None:
    with road.database.begin() as session:
        job = orders.get_job(session, job_id)
        job.available_at -= timedelta(seconds=seconds)


def sent(road: Road, *, window: int = 100) -> tuple[UUID, bool] | None:
    """Send the next job; its id and whether it went to the premium queue."""
    with road.database.begin() as session:
        due = queue.next_due(session, window=window, ageing_s=AGEING_S)
        if due is None:
            return None
        queue.mark_sent(session, due[0], uuid4(), premium=due[1])
        return due[0].id, due[1]


def all_sent(road: Road, *, window: int = 100) -> list[tuple[UUID, bool]]:
    return list(iter(lambda: sent(road, window=window), None))


def brands_of(road: Road, found: list[tuple[UUID, bool]]) -> list[UUID]:
    with road.database.begin() as session:
        return [orders.get_job(session, job_id).brand_id for job_id, _ in found]


def test_premium_comes_before_free(road: Road) -> None:
    free, premium = road.brand("starter"), road.brand("pro")
    first, second = add(road, free), add(road, premium)
    assert all_sent(road) == [(second[0], True), (first[0], False)]


def test_a_free_job_that_waited_long_counts_as_premium(road: Road) -> None:
    free, premium = road.brand("starter"), road.brand("pro")
    [young], [aged], [paid] = add(road, free), add(road, road.brand("starter")), add(road, premium)
    older(road, aged, AGEING_S + 1)
    older(road, young, AGEING_S - 60)
    assert all_sent(road) == [(aged, True), (paid, True), (young, False)]
    assert road.job(aged).sent_premium


def test_within_a_brand_the_oldest_comes_first(road: Road) -> None:
    added = add(road, road.brand("starter"), 3)
    older(road, added[2], 10)
    assert [job_id for job_id, _ in all_sent(road)] == [added[2], added[0], added[1]]


def test_fifty_orders_of_one_brand_do_not_stand_before_the_first_of_another(road: Road) -> None:
    many, one = road.brand("starter"), road.brand("starter")
    add(road, many, 50)
    assert brands_of(road, [found for found in [sent(road)] if found]) == [many]
    add(road, one)
    assert brands_of(road, [found for found in [sent(road)] if found]) == [one]


def test_brands_take_turns_with_a_window_of_one(road: Road) -> None:
    brands = [road.brand("starter") for _ in range(3)]
    for brand, number in zip(brands, (5, 3, 2), strict=True):
        add(road, brand, number)
    turns = []
    for _ in range(10):
        found = sent(road, window=1)
        assert found is not None
        assert sent(road, window=1) is None  # what is sent can no longer be overtaken
        job = road.job(found[0])
        turns += [job.brand_id]
        lease = road.claim(job.id)
        road.complete(lease, *[item for item in road.items(job.order_id) if item.job_id == job.id])
    first, second, third = brands
    assert turns == [first, second, third, first, second, third, first, second, first, first]
    assert sent(road) is None


def test_who_has_the_fewest_runs_under_way_comes_first(road: Road) -> None:
    busy, idle = road.brand("starter"), road.brand("starter")
    for _ in range(2):
        add(road, busy)
        assert sent(road)
    add(road, idle)
    assert brands_of(road, all_sent(road)) == [idle]
    add(road, busy)
    waiting = add(road, idle)
    assert all_sent(road)[0][0] == waiting[0]


def test_the_window_is_counted_by_queue_and_by_runs_that_wait_for_a_worker(road: Road) -> None:
    free, premium = add(road, road.brand("starter"), 4), add(road, road.brand("pro"), 4)
    found = all_sent(road, window=2)
    assert sorted(found, key=lambda each: each[1]) == [
        (free[0], False), (free[1], False), (premium[0], True), (premium[1], True),
    ]  # fmt: skip
    road.claim(free[0])
    assert all_sent(road, window=2) == [(free[2], False)]


def test_what_is_not_due_and_what_was_sent_is_not_sent(road: Road) -> None:
    [later], [now] = add(road, road.brand()), add(road, road.brand())
    older(road, later, -60)
    assert [job_id for job_id, _ in all_sent(road)] == [now]


def test_two_dispatchers_pass_over_what_the_other_holds(road: Road) -> None:
    added = add(road, road.brand(), 3)
    with road.database.begin() as one, road.database.begin() as other:
        taken = [queue.next_due(session, window=8, ageing_s=AGEING_S) for session in (one, other)]
        assert [due[0].id for due in taken if due] == added[:2]


def test_many_dispatchers_send_each_job_once_and_never_wait_for_each_other(road: Road) -> None:
    added = add(road, road.brand(), 15)
    barrier = threading.Barrier(5)

    def dispatch(_: int) -> list[UUID]:
        barrier.wait()
        return [job_id for job_id, _ in all_sent(road)]

    with ThreadPoolExecutor(5) as pool:
        found = [job_id for part in pool.map(dispatch, range(5)) for job_id in part]
    assert sorted(found) == sorted(added)


def test_released_work_comes_back_with_its_count(road: Road) -> None:
    [job_id] = add(road, road.brand())

    def released(*, use_attempt: bool) -> Job:
        assert sent(road)
        road.claim(job_id)
        with road.database.begin() as session:
            job = orders.lock_job(session, job_id)
            queue.release(session, job, reason="no", use_attempt=use_attempt)
            return job

    for number in (1, 2, 3):
        job = released(use_attempt=False)
        assert (job.attempts, job.dispatches, job.status) == (0, number, JobStatus.QUEUED)
    job = released(use_attempt=True)
    assert (job.attempts, job.dispatches, job.flow_run_id, job.lease_holder) == (1, 4, None, None)


def test_a_run_whose_dispatcher_died_is_counted_when_it_claims(road: Road) -> None:
    [job_id] = add(road, road.brand())
    road.claim(job_id, lease_s=0)  # it was created, and nobody lived to write that down
    job = road.job(job_id)
    assert (job.attempts, job.dispatches) == (1, 1)
    road.claim(job_id)  # the same run again: no other was created
    assert road.job(job_id).dispatches == 1


def test_dispatchers_hear_of_what_comes_into_the_queue(road: Road) -> None:
    with psycopg.connect(road.database.libpq_url, autocommit=True) as connection:
        connection.execute(f"LISTEN {queue.CHANNEL}")
        add(road, road.brand())
        assert next(connection.notifies(timeout=5, stop_after=1)).channel == queue.CHANNEL


def test_the_next_job_is_found_among_many_ended_ones_without_reading_them(road: Road) -> None:
    brand = road.brand()
    [job_id] = add(road, brand)
    with road.database.begin() as session:
        order_id = orders.get_job(session, job_id).order_id
        session.execute(
            sa.text(
                "INSERT INTO job_queue (id, order_id, brand_id, kind, subject, status, premium, sent_premium, attempts,"
                " dispatches, max_attempts, fence, sent_at, finished_at) SELECT gen_random_uuid(), :order, :brand,"
                " 'image', 'old_' || n, 'completed', true, true, 1, 1, 3, 1, now() - interval '9 days',"
                " now() - interval '9 days' FROM generate_series(1, 20000) n"
            ),
            {"order": order_id, "brand": brand},
        )
    with road.database.begin() as session:
        session.execute(sa.text("ANALYZE job_queue"))
        plan = queue._ranked(window=8, ageing_s=AGEING_S).compile(
            session.connection(), compile_kwargs={"render_postcompile": True}
        )
        told = session.connection().exec_driver_sql(f"EXPLAIN {plan.string}", dict(plan.params)).scalars().all()
    assert any("ix_job_queue_due" in line for line in told), told
    assert not [line for line in told if "Seq Scan on job_queue" in line], told
