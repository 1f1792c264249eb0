"""The journal against a provider that counts what it is asked, at every moment at which a run can break off."""

from collections.abc import Callable
from datetime import datetime

import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import Session, select

from maquette.db.engine import Database
from maquette.errors import Filtered, OutcomeUnknown, StaleLease, Transient
from maquette.journal import service as journal
from maquette.journal.models import CallState, ProviderCall


class Killed(BaseException):
    """Stands for the end of the process: nothing after it runs."""


class Provider:
    """Counts submissions; ``then`` may break off after the submission was taken."""

    def __init__(self, then: Callable[[], None] = lambda: None, *, finds: bool = True) -> None:
        self.operations: dict[str, str] = {}
        self.submissions = 0
        self.then = then
        self.finds = finds

    def submit(self, reference: str) -> str:
        self.submissions += 1
        self.operations[reference] = f"operation-{self.submissions}"
        self.then()
        return self.operations[reference]

    def find(self, reference: str, *, since: datetime) -> str | None:
        if not self.finds:
            raise OutcomeUnknown("this provider cannot tell")
        return self.operations.get(reference)


KEY = journal.CallKey(account="video_a", subject="block:1", step="clip", provider="p", model="m", request={"n": 1})


def free(session: Session) -> None:
    """A guard that lets everybody through."""


def submit(database: Database, provider: Provider, guard: journal.Guard = free) -> ProviderCall:
    return journal.submit_once(database, KEY, provider, cost_micros=7, guard=guard)


def call_of(database: Database) -> ProviderCall:
    with database.begin() as session:
        return session.exec(select(ProviderCall)).one()


def test_a_second_submission_returns_the_first(database: Database) -> None:
    provider = Provider()
    assert submit(database, provider).operation_id == submit(database, provider).operation_id == "operation-1"
    assert provider.submissions == 1
    with database.begin() as session:
        assert journal.total_micros(session, "video_a") == 7


def test_killed_after_the_provider_took_it_the_operation_is_found(database: Database) -> None:
    def kill() -> None:
        raise Killed

    provider = Provider(kill)
    with pytest.raises(Killed):
        submit(database, provider)
    assert call_of(database).state == CallState.SENDING
    assert submit(database, provider).operation_id == "operation-1"
    assert provider.submissions == 1


def test_killed_after_the_intent_it_is_sent_once(database: Database) -> None:
    provider = Provider()
    with database.begin() as session:
        journal.open_call(session, KEY)
    assert submit(database, provider).operation_id == "operation-1"
    assert provider.submissions == 1


def test_a_lost_answer_is_looked_up_at_once(database: Database) -> None:
    def lose() -> None:
        raise OutcomeUnknown("no answer")

    provider = Provider(lose)
    assert submit(database, provider).operation_id == "operation-1"
    assert provider.submissions == 1


def test_an_answer_that_nobody_can_look_up_is_never_sent_again(database: Database) -> None:
    def lose() -> None:
        raise OutcomeUnknown("no answer")

    provider = Provider(lose, finds=False)
    for _ in range(3):
        with pytest.raises(OutcomeUnknown):
            submit(database, provider)
    assert provider.submissions == 1
    call = call_of(database)
    assert (call.state, call.cost_micros) == (CallState.UNKNOWN, 7)


def test_what_surely_never_arrived_may_be_sent_again(database: Database) -> None:
    def drop() -> None:
        provider.operations.clear()
        raise OutcomeUnknown("no answer")

    provider = Provider(drop)
    with pytest.raises(Transient):
        submit(database, provider)
    provider.then = lambda: None
    assert submit(database, provider).operation_id == "operation-2"


def test_a_refusal_is_recorded_and_costs_nothing(database: Database) -> None:
    def refuse() -> None:
        raise Filtered("usage guidelines", code="usage_guidelines")

    with pytest.raises(Filtered):
        submit(database, Provider(refuse))
    call = call_of(database)
    assert (call.state, call.cost_micros, call.error_code) == (CallState.FILTERED, 0, "usage_guidelines")


def test_a_stale_worker_does_not_submit(database: Database) -> None:
    def stale(session: Session) -> None:
        raise StaleLease("gone")

    provider = Provider()
    with pytest.raises(StaleLease):
        submit(database, provider, stale)
    assert provider.submissions == 0


class Cancellable:
    """A guard that lets everybody through until the order is cancelled."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def __call__(self, session: Session) -> None:
        if self.cancelled:
            raise StaleLease("the order was cancelled")


def lose_answer() -> None:
    raise OutcomeUnknown("no answer")


def test_what_was_taken_while_the_order_was_cancelled_is_booked(database: Database) -> None:
    guard = Cancellable()
    provider = Provider(guard.cancel)
    with pytest.raises(StaleLease):
        submit(database, provider, guard)
    call = call_of(database)
    assert (call.state, call.operation_id, call.cost_micros) == (CallState.SUBMITTED, "operation-1", 7)
    assert call.submitted_at is not None


def test_what_is_found_after_the_order_was_cancelled_is_booked(database: Database) -> None:
    guard = Cancellable()

    def lose() -> None:
        guard.cancel()
        lose_answer()

    with pytest.raises(StaleLease):
        submit(database, Provider(lose), guard)
    call = call_of(database)
    assert (call.state, call.operation_id, call.cost_micros) == (CallState.SUBMITTED, "operation-1", 7)


def test_what_nobody_can_look_up_after_the_order_was_cancelled_stays_booked(database: Database) -> None:
    guard = Cancellable()

    def lose() -> None:
        guard.cancel()
        lose_answer()

    with pytest.raises(StaleLease):
        submit(database, Provider(lose, finds=False), guard)
    call = call_of(database)
    assert (call.state, call.operation_id, call.cost_micros) == (CallState.UNKNOWN, None, 7)


@pytest.mark.parametrize("finds", [True, False])
def test_who_comes_too_late_changes_nothing_of_what_the_next_one_recorded(database: Database, finds: bool) -> None:
    guard = Cancellable()

    def overtaken() -> None:
        guard.cancel()
        assert submit(database, Provider(), free).operation_id == "operation-1"
        provider.operations = dict.fromkeys(provider.operations, "operation-of-the-late")
        lose_answer()

    provider = Provider(overtaken, finds=finds)
    with pytest.raises(StaleLease):
        submit(database, provider, guard)
    call = call_of(database)
    assert (call.state, call.operation_id, call.cost_micros) == (CallState.SUBMITTED, "operation-1", 7)


def test_without_its_unique_key_the_journal_would_pay_twice(database: Database) -> None:
    with database.begin() as session:
        session.execute(sa.text("ALTER TABLE provider_calls DROP CONSTRAINT uq_provider_calls_subject_step_input_hash"))
    provider = Provider()
    with pytest.raises(sa.exc.DBAPIError, match="no unique or exclusion constraint"):
        submit(database, provider)
    assert provider.submissions == 0  # the insert itself leans on the key: it refuses rather than pays twice


class Text(BaseModel):
    words: str


def ask(database: Database, answer: Callable[[], Text], *, is_free: bool = False, guard: journal.Guard = free) -> Text:
    return journal.answer_once(database, KEY, answer, kind=Text, cost_micros=lambda text: 3, free=is_free, guard=guard)


def test_an_answer_is_asked_for_once(database: Database) -> None:
    asked = []

    def answer() -> Text:
        asked.append(1)
        return Text(words="oui")

    assert ask(database, answer) == ask(database, answer) == Text(words="oui")
    assert len(asked) == 1
    assert call_of(database).cost_micros == 3


@pytest.mark.parametrize("is_free", [True, False])
def test_a_broken_off_answer_is_repeated_only_where_it_is_free(database: Database, is_free: bool) -> None:
    def kill() -> Text:
        raise Killed

    with pytest.raises(Killed):
        ask(database, kill)
    if is_free:
        assert ask(database, lambda: Text(words="oui"), is_free=True).words == "oui"
    else:
        with pytest.raises(OutcomeUnknown):
            ask(database, lambda: Text(words="oui"))


def test_an_answer_that_came_after_the_order_was_cancelled_is_booked_and_kept(database: Database) -> None:
    guard = Cancellable()

    def answer() -> Text:
        guard.cancel()
        return Text(words="oui")

    with pytest.raises(StaleLease):
        ask(database, answer, guard=guard)
    call = call_of(database)
    assert (call.state, call.cost_micros, call.result) == (CallState.SUCCEEDED, 3, {"words": "oui"})
    assert ask(database, pytest.fail) == Text(words="oui")  # the next order of it is answered without asking


def test_a_late_answer_is_booked_after_it_was_given_up(database: Database) -> None:
    def answer() -> Text:
        with pytest.raises(OutcomeUnknown):
            ask(database, pytest.fail)
        return Text(words="oui")

    assert ask(database, answer) == Text(words="oui")
    call = call_of(database)
    assert (call.state, call.cost_micros) == (CallState.SUCCEEDED, 3)


def test_of_two_free_answers_the_first_one_stays(database: Database) -> None:
    def answer() -> Text:
        assert ask(database, lambda: Text(words="oui"), is_free=True) == Text(words="oui")
        return Text(words="non")

    assert ask(database, answer, is_free=True) == Text(words="oui")
    assert call_of(database).result == {"words": "oui"}


def test_the_hash_is_of_the_canonical_request() -> None:
    one = KEY.model_copy(update={"request": {"a": 1, "b": "é"}})
    other = KEY.model_copy(update={"request": {"b": "é", "a": 1}})
    assert one.input_hash == other.input_hash
    assert one.input_hash != KEY.input_hash
    assert one.input_hash != one.model_copy(update={"model": "n"}).input_hash
