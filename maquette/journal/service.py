"""Pay once: intent → sending → the operation's id → result, each its own commit.

The order of the commits is the guarantee. The intent is there before anything is sent; ``sending`` says
that something may have been sent; the operation's id is kept before it is polled. Whoever finds a call
in ``sending`` looks it up at the provider and never repeats it blindly.

Every write runs in one transaction with ``guard``, which refuses a worker that lost its lease. What was bought is the
one exception: it is booked first, whoever holds the work by then, and only after that ``guard`` is asked.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, JsonValue
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from maquette.db.engine import Database
from maquette.db.types import now
from maquette.errors import (
    Filtered,
    Invalid,
    MaquetteError,
    OutcomeUnknown,
    ProviderError,
    QuotaExceeded,
    Transient,
    is_outage,
)
from maquette.journal import breakers
from maquette.journal.models import CallState, ProviderCall
from maquette.rehearsal import crash_point

Guard = Callable[[Session], None]
Answer = TypeVar("Answer", bound=BaseModel)


class CallKey(BaseModel):
    """What is asked of whom, for what, and which account it counts for."""

    model_config = ConfigDict(frozen=True)

    account: str
    brand_id: UUID | None = None
    order_id: UUID | None = None
    subject: str
    step: str
    provider: str
    model: str
    request: dict[str, JsonValue]

    @property
    def input_hash(self) -> str:
        """sha256 of the canonical request, provider and model included."""
        canonical = json.dumps(
            [self.provider, self.model, self.request], sort_keys=True, ensure_ascii=False, separators=(",", ":")
        )
        return hashlib.sha256(canonical.encode()).hexdigest()


class Submitter(Protocol):
    """The two verbs that the journal needs of a provider with operations."""

    def submit(self, reference: str) -> str:
        """Send; the operation's id."""
        ...

    def find(self, reference: str, *, since: datetime) -> str | None:
        """The operation sent after ``since`` under ``reference``; ``None`` when there surely is none."""
        ...


def open_call(session: Session, key: CallKey) -> ProviderCall:
    """The call of ``key``, locked: the one there is, or a new intent."""
    session.execute(
        insert(ProviderCall)
        .values(
            account=key.account,
            brand_id=key.brand_id,
            order_id=key.order_id,
            subject=key.subject,
            step=key.step,
            input_hash=key.input_hash,
            provider=key.provider,
            model=key.model,
            request=key.request,
            state=CallState.INTENT,
        )
        .on_conflict_do_nothing(index_elements=["subject", "step", "input_hash"])
    )
    found = find_call(session, key)
    assert found is not None  # the row is there, by our insert or by the one before
    return found


def find_call(session: Session, key: CallKey) -> ProviderCall | None:
    """The call of ``key``, locked, where there is one."""
    return session.exec(
        select(ProviderCall)
        .where(
            ProviderCall.subject == key.subject,
            ProviderCall.step == key.step,
            ProviderCall.input_hash == key.input_hash,
        )
        .with_for_update()
    ).first()


def get_call(session: Session, call_id: UUID) -> ProviderCall:
    """The call, locked."""
    return session.exec(select(ProviderCall).where(ProviderCall.id == call_id).with_for_update()).one()


def submit_once(
    database: Database,
    key: CallKey,
    submitter: Submitter,
    *,
    cost_micros: int,
    guard: Guard,
    breaker_base_s: float = 30,
) -> ProviderCall:
    """Submit ``key`` unless it was, and return its call with the operation's id recorded.

    ``cost_micros`` is booked with the operation's id: providers bill on submit, even where ``guard`` refuses
    afterwards. Raises the provider's translated error, recorded; ``OutcomeUnknown`` when the provider cannot tell
    whether it was sent; ``Transient`` (``provider_paused``) while the provider's breaker is open.
    """
    with database.begin() as session:
        guard(session)
        call = open_call(session, key)
    if call.operation_id is not None:
        return call
    if call.state in (CallState.SENDING, CallState.UNKNOWN):
        found = _look_up(database, call, submitter, cost_micros=cost_micros, guard=guard)
        if found is not None:
            return _record_operation(database, call, found, cost_micros=cost_micros, guard=guard)
    crash_point("after-intent")
    with database.begin() as session:
        guard(session)
        asked_at = breakers.admit(session, key.provider)
        get_call(session, call.id).state = CallState.SENDING
    try:
        operation_id = submitter.submit(call.reference)
    except OutcomeUnknown:
        found = _look_up(database, call, submitter, cost_micros=cost_micros, guard=guard)
        if found is None:
            error = Transient("the request never reached the provider")
            record_failure(database, call.id, error, cost_micros=0, guard=guard)
            raise error from None
        operation_id = found
    except ProviderError as error:
        record_failure(database, call.id, error, cost_micros=0, guard=guard)
        _tell_breaker(database, key.provider, error, asked_at=asked_at, base_s=breaker_base_s)
        raise
    crash_point("after-submit")
    return _record_operation(database, call, operation_id, cost_micros=cost_micros, guard=guard)


def answer_once(
    database: Database,
    key: CallKey,
    ask: Callable[[], Answer],
    *,
    kind: type[Answer],
    cost_micros: Callable[[Answer], int],
    free: bool,
    guard: Guard,
    breaker_base_s: float = 30,
) -> Answer:
    """Ask for an answer that comes at once (a text), or return the one that is recorded.

    A call that was broken off in ``sending`` is asked again only where it is ``free``; else it raises
    ``OutcomeUnknown``, for nobody can look it up. An answer is booked and kept even where ``guard`` refuses afterwards.
    """
    with database.begin() as session:
        guard(session)
        call = open_call(session, key)
        if call.state == CallState.SUCCEEDED:
            return kind.model_validate(call.result)
        lost = call.state in (CallState.SENDING, CallState.UNKNOWN) and not free
        asked_at = None if lost else breakers.admit(session, key.provider)
        call.state = CallState.UNKNOWN if lost else CallState.SENDING
    if asked_at is None:
        raise OutcomeUnknown(f"{key.provider}/{key.model} was asked for {key.step} and the answer was lost")
    try:
        answer = ask()
    except ProviderError as error:
        record_failure(database, call.id, error, cost_micros=0, guard=guard)
        _tell_breaker(database, key.provider, error, asked_at=asked_at, base_s=breaker_base_s)
        raise
    with database.begin() as session:
        breakers.reset(session, key.provider)
        call = get_call(session, call.id)
        if call.state != CallState.SUCCEEDED:
            call.state = CallState.SUCCEEDED
            call.result = answer.model_dump(mode="json")
            call.cost_micros = cost_micros(answer)
            call.submitted_at = call.finished_at = now(session)
    _require(database, guard)
    return kind.model_validate(call.result)


def record_success(session: Session, call_id: UUID, result: dict[str, JsonValue]) -> None:
    """End the call well, in the caller's (guarded) transaction."""
    call = get_call(session, call_id)
    call.state = CallState.SUCCEEDED
    call.result = dict(result)
    call.finished_at = now(session)


def record_failure(
    database: Database, call_id: UUID, error: MaquetteError, *, cost_micros: int | None, guard: Guard
) -> None:
    """End the call badly. ``cost_micros`` of ``None`` leaves what is booked."""
    with database.begin() as session:
        guard(session)
        call = get_call(session, call_id)
        unknown = isinstance(error, OutcomeUnknown)
        call.state = (
            CallState.UNKNOWN if unknown else CallState.FILTERED if isinstance(error, Filtered) else CallState.FAILED
        )
        call.error_code, call.error_message = error.code, str(error)
        if cost_micros is not None:
            call.cost_micros = cost_micros
        call.finished_at = None if unknown else now(session)


def cached_answer(session: Session, key: CallKey, *, across_brands: bool) -> ProviderCall | None:
    """The newest call that was answered for an equal request, of the same brand unless ``across_brands``."""
    found = select(ProviderCall).where(
        ProviderCall.input_hash == key.input_hash,
        ProviderCall.state == CallState.SUCCEEDED,
    )
    if not across_brands:
        found = found.where(ProviderCall.brand_id == key.brand_id)
    return session.exec(found.order_by(col(ProviderCall.finished_at).desc()).limit(1)).first()


def answer_from_cache(session: Session, key: CallKey, source: ProviderCall) -> ProviderCall:
    """Answer ``key`` with what ``source`` was answered with, at no cost; what it saved is written down."""
    call = open_call(session, key)
    if call.state == CallState.INTENT and call.operation_id is None:
        call.state, call.result, call.cached_from = CallState.SUCCEEDED, source.result, source.id
        call.saved_micros = max(source.cost_micros, source.saved_micros)
        call.finished_at = now(session)
        session.flush()
    return call


def total_micros(session: Session, account: str) -> int:
    """What ``account`` has cost so far, in micro-dollars."""
    total = sa.select(sa.func.coalesce(sa.func.sum(ProviderCall.cost_micros), 0))
    return int(session.execute(total.where(col(ProviderCall.account) == account)).scalar_one())


def _tell_breaker(
    database: Database, provider: str, error: ProviderError, *, asked_at: datetime, base_s: float
) -> None:
    with database.begin() as session:
        if isinstance(error, (QuotaExceeded, Transient)) and is_outage(error):
            breakers.trip(session, provider, error, asked_at=asked_at, base_s=base_s)
        elif isinstance(error, (Filtered, Invalid)):
            breakers.reset(session, provider)  # it refused, and so it is in service


def _look_up(
    database: Database, call: ProviderCall, submitter: Submitter, *, cost_micros: int, guard: Guard
) -> str | None:
    try:
        return submitter.find(call.reference, since=call.created_at)
    except OutcomeUnknown as error:
        # Booked until somebody knows better: the provider may well have charged it.
        with database.begin() as session:
            found = get_call(session, call.id)
            if found.operation_id is None and found.state in (CallState.SENDING, CallState.UNKNOWN):
                found.state, found.cost_micros = CallState.UNKNOWN, cost_micros
                found.error_code, found.error_message = error.code, str(error)
        _require(database, guard)
        raise


def _record_operation(
    database: Database, call: ProviderCall, operation_id: str, *, cost_micros: int, guard: Guard
) -> ProviderCall:
    with database.begin() as session:
        breakers.reset(session, call.provider)
        found = get_call(session, call.id)
        if found.operation_id is None:
            found.operation_id = operation_id
            found.state = CallState.SUBMITTED
            found.cost_micros = cost_micros
            found.submitted_at = now(session)
    _require(database, guard)
    return found


def _require(database: Database, guard: Guard) -> None:
    with database.begin() as session:
        guard(session)
