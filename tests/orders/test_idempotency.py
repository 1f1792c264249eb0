"""The same request under the same key is one order, however often and however simultaneously it comes."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from pydantic import BaseModel, JsonValue
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import Session, col

from maquette.errors import Conflict, NotFound
from maquette.intake.requests import MediaRequest
from maquette.intake.service import Accepted, Intake
from maquette.orders.idempotency import once
from maquette.orders.models import IdempotentAnswer, Job, Order
from maquette.quota.models import Reservation
from maquette.settings import Settings
from maquette.storage import store_from_settings
from tests.orders.rig import REEL, Road, job_of, own_database


class Answer(BaseModel):
    number: int


@pytest.fixture(scope="module")
def intake(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    """The intake of a module on a database with room for 60 connections; each test has a brand and a key of its own."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    with own_database(postgres, pool_size=40) as database:
        yield Intake(database, store_from_settings(settings), settings)


@pytest.fixture
def request_(intake: Intake) -> MediaRequest:
    """An order of two pictures for a brand of its own."""
    brand_id = Road(intake.database).brand("starter")
    return MediaRequest(format="image", topic="Un chat sur une plage", count=2, brand_id=brand_id)


@pytest.fixture
def key() -> str:
    """A key of the test's own."""
    return uuid4().hex


def counted(intake: Intake, brand_id: UUID | None) -> list[int]:
    """The brand's orders, jobs and reservations."""
    with intake.database.begin() as session:
        return [
            session.execute(sa.select(sa.func.count()).where(col(table.brand_id) == brand_id)).scalar_one()
            for table in (Order, Job, Reservation)
        ]


def test_50_simultaneous_duplicates_are_one_order_and_50_equal_answers(
    intake: Intake, request_: MediaRequest, key: str
) -> None:
    barrier = threading.Barrier(50)

    def order(_: int) -> Accepted:
        barrier.wait()
        return intake.order(request_, key=key)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(order, range(50)))
    assert all(answer == answers[0] for answer in answers)
    assert intake.order(request_, key=key) == answers[0]
    assert counted(intake, request_.brand_id) == [1, 1, 2]


def test_the_key_of_another_request_is_a_conflict_and_orders_nothing(
    intake: Intake, request_: MediaRequest, key: str
) -> None:
    first = intake.order(request_, key=key)
    for changed in ({"count": 3}, {"topic": "Un chien"}, {"ratio": "4:5"}):
        with pytest.raises(Conflict) as refused:
            intake.order(request_.model_copy(update=changed), key=key)
        assert refused.value.code == "idempotency_key"
    assert counted(intake, request_.brand_id) == [1, 1, 2]
    assert intake.order(request_, key=f"another {key}").order_id != first.order_id
    assert intake.order(request_).order_id != intake.order(request_).order_id


def test_two_simultaneous_requests_under_one_key_are_one_order_and_conflicts(
    intake: Intake, request_: MediaRequest, key: str
) -> None:
    barrier = threading.Barrier(8)

    def order(number: int) -> str:
        barrier.wait()
        try:
            intake.order(request_.model_copy(update={"seed": number % 2}), key=key)
        except Conflict as error:
            return error.code
        return "ordered"

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(order, range(8)))
    assert sorted(told) == ["idempotency_key"] * 4 + ["ordered"] * 4
    assert counted(intake, request_.brand_id) == [1, 1, 2]


def test_a_first_request_that_is_rolled_back_leaves_the_key_free(intake: Intake, key: str) -> None:
    def refused() -> Answer:
        raise RuntimeError("the request failed after all")

    with pytest.raises(RuntimeError), intake.database.begin() as session:
        once(session, key, {"n": 1}, refused, kind=Answer)
    with intake.database.begin() as session:
        assert once(session, key, {"n": 2}, lambda: Answer(number=2), kind=Answer) == Answer(number=2)


def test_who_waits_for_a_first_request_that_fails_becomes_the_first(intake: Intake, key: str) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    given: list[Answer] = []

    def second() -> None:
        with intake.database.begin() as session:
            given.append(once(session, key, {"n": 1}, lambda: Answer(number=2), kind=Answer))

    thread = threading.Thread(target=second)

    def fail_while_another_waits() -> Answer:
        thread.start()
        patience = threading.Event()
        for _ in range(1000):
            with intake.database.begin() as other:
                if other.execute(sa.text(waiting)).scalar_one():
                    break
            patience.wait(0.01)
        raise RuntimeError("the request failed after all")

    with pytest.raises(RuntimeError), intake.database.begin() as session:
        once(session, key, {"n": 1}, fail_while_another_waits, kind=Answer)
    thread.join(10)
    assert given == [Answer(number=2)]
    with intake.database.begin() as session:
        assert session.get_one(IdempotentAnswer, key).response == {"number": 2}


def test_a_refused_order_leaves_the_key_free(intake: Intake, request_: MediaRequest, key: str) -> None:
    with pytest.raises(NotFound, match="there is no asset"):
        intake.order(request_.model_copy(update={"references": [uuid4()]}), key=key)
    assert intake.order(request_, key=key)
    assert counted(intake, request_.brand_id) == [1, 1, 2]


def test_the_order_of_fields_and_the_kind_of_a_number_tell_no_requests_apart(intake: Intake, key: str) -> None:
    def ask(session: Session, request: dict[str, JsonValue]) -> Answer:
        return once(session, key, request, lambda: Answer(number=next(numbers)), kind=Answer)

    numbers = itertools.count()
    with intake.database.begin() as session:
        ask(session, {"a": 1, "b": [0.0, "é"]})
    with intake.database.begin() as session:
        assert ask(session, {"b": [0, "é"], "a": 1}) == Answer(number=0)


def test_without_their_unique_keys_requests_would_be_worked_on_twice(postgres: str) -> None:
    both = threading.Barrier(2, timeout=20)
    worked: list[int] = []

    def work() -> Answer:
        both.wait()  # with the key, the second would wait for the first instead
        worked.append(len(worked))
        return Answer(number=0)

    with own_database(postgres) as database:
        with database.begin() as session:
            session.execute(sa.text("ALTER TABLE idempotency_keys DROP CONSTRAINT pk_idempotency_keys"))
            session.execute(sa.text("DROP INDEX uq_job_queue_open_subject"))

        def ask(_: int) -> None:
            with suppress(StaleDataError), database.begin() as session:  # where it sees the other's row
                once(session, "a", {"n": 1}, work, kind=Answer)

        def order(_: int) -> UUID:
            return Road(database).place(brand, job_of(REEL, subject="video_a")).order.id

        brand = Road(database).brand()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(ask, range(2)))
            assert worked == [0, 1]
            assert len(set(pool.map(order, range(2)))) == 2
