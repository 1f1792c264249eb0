"""Breakers: while one is open nobody asks the provider; afterwards one asks first."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import Session, col

from maquette.db.engine import Database
from maquette.errors import Filtered, Invalid, OutcomeUnknown, ProviderError, QuotaExceeded, Transient, is_outage
from maquette.journal import breakers
from maquette.journal import service as journal
from maquette.journal.models import Breaker, ProviderCall
from tests.orders.rig import own_database

BASE_S = 30


def free(session: Session) -> None:
    """A guard that lets everybody through."""


class Text(BaseModel):
    words: str


class Provider:
    """A provider of its own name that logs what it is asked, and answers as it is told."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.name = f"provider_{uuid4().hex}"
        self.log: list[str] = []
        self.answer: Callable[[], None] = lambda: None

    def submit(self, reference: str) -> str:
        self.log.append(reference)
        self.answer()
        return f"operation-{len(self.log)}"

    def find(self, reference: str, *, since: datetime) -> str | None:
        return None

    def key(self) -> journal.CallKey:
        return journal.CallKey(
            account="a", subject=uuid4().hex, step="image-1", provider=self.name, model="m", request={}
        )

    def ask(self) -> ProviderCall:
        """One call of its own, journalled."""
        return journal.submit_once(self.database, self.key(), self, cost_micros=7, guard=free, breaker_base_s=BASE_S)

    def fails(self, error: ProviderError) -> None:
        """Let this error be the answer from now on."""

        def answer() -> None:
            raise error

        self.answer = answer

    def asked_and_failed(self, error: ProviderError, times: int = 1) -> None:
        self.fails(error)
        for _ in range(times):
            with pytest.raises(type(error)):
                self.ask()
        self.answer = lambda: None

    @property
    def breaker(self) -> Breaker | None:
        with self.database.begin() as session:
            return session.get(Breaker, self.name)

    def pause_s(self) -> float:
        """How long it is left alone from now on."""
        with self.database.begin() as session:
            left = sa.select(col(Breaker.open_until) - sa.func.clock_timestamp()).where(
                col(Breaker.provider) == self.name
            )
            found = session.execute(left).scalar_one()
            return float(found.total_seconds()) if found else 0.0

    def pass_time(self) -> None:
        """Until the pause is over."""
        with self.database.begin() as session:
            breaker = session.get_one(Breaker, self.name)
            assert breaker.open_until is not None
            breaker.open_until = breaker.updated_at - timedelta(seconds=1)


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[Database]:
    """One database for the module: each test has a provider of its own."""
    with own_database(postgres, pool_size=20) as database:
        yield database


@pytest.fixture
def provider(database: Database) -> Provider:
    """A provider whose breaker is closed."""
    return Provider(database)


def refused(provider: Provider) -> Transient:
    with pytest.raises(Transient) as paused:
        provider.ask()
    assert paused.value.code == "provider_paused"
    return paused.value


@pytest.mark.parametrize("named_s", [None, 5.0, 600.0])
def test_a_429_opens_it_at_once_for_as_long_as_was_named(provider: Provider, named_s: float | None) -> None:
    provider.asked_and_failed(QuotaExceeded("429", retry_after_s=named_s))
    assert provider.pause_s() == pytest.approx(max(BASE_S, named_s or 0), abs=5)
    error = refused(provider)
    assert error.retry_after_s == pytest.approx(max(BASE_S, named_s or 0), abs=5)
    assert is_outage(error)
    assert len(provider.log) == 1  # nobody asked it since


def test_three_outages_in_a_row_open_it(provider: Provider) -> None:
    provider.asked_and_failed(Transient("503"), 2)
    provider.ask()  # an answer in between starts the count anew
    provider.asked_and_failed(Transient("503"), 2)
    provider.ask()
    provider.asked_and_failed(Transient("503"), 3)
    assert provider.pause_s() == pytest.approx(BASE_S, abs=5)
    refused(provider)


@pytest.mark.parametrize("error", [Filtered("refused"), Invalid("400")])
def test_a_refusal_is_an_answer(provider: Provider, error: ProviderError) -> None:
    provider.asked_and_failed(Transient("503"), 2)
    provider.asked_and_failed(error)
    assert provider.breaker is None
    provider.asked_and_failed(QuotaExceeded("429"))
    provider.pass_time()
    provider.asked_and_failed(error)  # who asks first is refused for its own request's sake
    provider.ask()


@pytest.mark.parametrize(
    "error", [OutcomeUnknown("lost"), Transient("it broke off", operation_ended=True)], ids=["lost", "ended"]
)
def test_what_is_no_outage_opens_nothing(provider: Provider, error: ProviderError) -> None:
    provider.fails(error)
    for _ in range(5):
        with pytest.raises(Transient):
            provider.ask()
    assert provider.breaker is None


def test_while_it_is_open_nobody_asks(provider: Provider) -> None:
    provider.asked_and_failed(QuotaExceeded("429"))
    provider.log.clear()

    def answer() -> Text:
        provider.log.append("a text")
        return Text(words="")

    for _ in range(3):
        refused(provider)
        with pytest.raises(Transient, match="out of service"):
            journal.answer_once(
                provider.database, provider.key(), answer, kind=Text, cost_micros=lambda _: 0, free=True, guard=free
            )
    assert provider.log == []


def test_one_of_twenty_callers_asks_first(provider: Provider) -> None:
    provider.asked_and_failed(QuotaExceeded("429"))
    provider.pass_time()
    provider.log.clear()
    others = threading.Barrier(20)
    told = threading.Event()

    def wait_for_the_others() -> None:
        assert told.wait(20)

    def ask(_: int) -> str:
        others.wait()
        try:
            provider.ask()
        except Transient as error:
            return error.code
        return "asked"

    provider.answer = wait_for_the_others
    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(ask, number) for number in range(20)]
        while sum(future.done() for future in futures) < 19:
            threading.Event().wait(0.01)
        told.set()
        answers = sorted(future.result() for future in futures)
    assert answers == ["asked"] + ["provider_paused"] * 19
    assert len(provider.log) == 1
    assert provider.breaker is None  # the answer closed it
    provider.ask()


def test_who_asks_first_and_fails_leaves_it_alone_for_longer(provider: Provider) -> None:
    provider.asked_and_failed(QuotaExceeded("429"))
    pauses = [provider.pause_s()]
    for error in (Transient("503"), QuotaExceeded("429"), Transient("503"), Transient("503"), Transient("503")):
        provider.pass_time()
        provider.asked_and_failed(error)
        pauses.append(provider.pause_s())
    assert pauses == pytest.approx([30, 60, 120, 240, 480, breakers.LONGEST_S], abs=5)


def test_calls_that_were_under_way_fail_of_the_same_outage(provider: Provider) -> None:
    """Eight calls at once into one outage open the breaker for one round, not for 2^7 of them."""
    barrier = threading.Barrier(8)

    def fail() -> None:
        barrier.wait(20)
        raise QuotaExceeded("429", retry_after_s=50 if len(provider.log) == 8 else None)

    def ask(_: int) -> None:
        with pytest.raises(QuotaExceeded):
            provider.ask()

    provider.answer = fail
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert provider.pause_s() == pytest.approx(50, abs=5)
    assert provider.breaker is not None
    assert provider.breaker.failures == breakers.CHANCES
    provider.pass_time()
    provider.asked_and_failed(Transient("503"))
    assert provider.pause_s() == pytest.approx(60, abs=5)


def test_who_asked_first_and_died_lets_another_ask_later(provider: Provider) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    provider.asked_and_failed(QuotaExceeded("429"))
    provider.pass_time()
    provider.answer = die
    with pytest.raises(Killed):
        provider.ask()
    assert provider.pause_s() == pytest.approx(breakers.PROBE_S, abs=5)
    provider.answer = lambda: None
    refused(provider)
    provider.pass_time()
    provider.ask()
    assert provider.breaker is None


def test_the_breaker_may_be_closed_while_another_waits_to_ask_first(provider: Provider) -> None:
    provider.asked_and_failed(QuotaExceeded("429"))
    provider.pass_time()

    answered: list[str] = []

    def on_update(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE provider_breakers") and not answered:
            answered.append(provider.name)
            with provider.database.begin() as other:
                breakers.reset(other, provider.name)

    sa.event.listen(provider.database.engine, "before_cursor_execute", on_update)
    try:
        provider.ask()
    finally:
        sa.event.remove(provider.database.engine, "before_cursor_execute", on_update)
    assert answered == [provider.name]
    assert provider.breaker is None


def test_open_breakers_are_told(provider: Provider) -> None:
    provider.asked_and_failed(QuotaExceeded("429 from the provider"))
    with provider.database.begin() as session:
        found = {breaker.provider: breaker.reason for breaker in breakers.open_breakers(session)}
    assert found[provider.name] == "429 from the provider"
