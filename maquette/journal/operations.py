"""Looking after an operation that was paid for, at any provider of operations: clips and images alike."""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from maquette.db.engine import Database
from maquette.db.types import now
from maquette.errors import Filtered, MaquetteError, ProviderError, Transient
from maquette.journal import service as journal
from maquette.journal.models import CallState, ProviderCall
from maquette.journal.service import Guard
from maquette.providers.catalogue import Profile
from maquette.providers.clips.port import OperationState, OperationStatus
from maquette.rehearsal import crash_point


class Operator(Protocol):
    """What a provider of operations has, whatever it makes."""

    profile: Profile

    def poll(self, operation_id: str) -> OperationStatus:
        """One look."""
        ...


def call_of(database: Database, call_id: UUID) -> ProviderCall:
    """The call."""
    with database.begin() as session:
        return journal.get_call(session, call_id)


def operation_of(call: ProviderCall) -> str:
    """The operation's id. Raises ``Transient`` while there is none."""
    if call.operation_id is None:
        raise Transient(f"call {call.id} has no operation yet")
    return call.operation_id


def look(
    database: Database, operator: Operator, call: ProviderCall, *, claimed_at: datetime, timeout_s: float, guard: Guard
) -> OperationStatus:
    """One look at the call's operation.

    Raises what the operation failed with, journalled; ``Transient`` when only the look failed; ``Transient``
    with code ``operation_timeout`` when the provider takes longer than ``timeout_s`` since it was asked, or since
    this attempt began at ``claimed_at``: the operation stays in the journal and is looked at again by a later
    attempt, never paid twice.
    """
    if call.state == CallState.SUCCEEDED:
        return OperationStatus(state=OperationState.SUCCEEDED, progress=1)
    operation_id = operation_of(call)
    crash_point("while-waiting")
    try:
        status = operator.poll(operation_id)
    except ProviderError as error:
        if error.values.get("operation_ended"):
            record_failure(database, operator, call.id, error, guard=guard)
        raise
    with database.begin() as session:
        late = now(session) - max(filter(None, (call.submitted_at, claimed_at))) > timedelta(seconds=timeout_s)
    if late and status.state is OperationState.RUNNING:
        raise Transient(
            f"operation {operation_id} still runs after {timeout_s:.0f} s: retry waits for it again, another seed "
            "or take orders another one",
            code="operation_timeout",
        )
    return status


def record_failure(
    database: Database, operator: Operator, call_id: UUID, error: MaquetteError, *, guard: Guard
) -> None:
    """End the call badly; what is refused is not charged, what failed is where the provider charges for it."""
    free = isinstance(error, Filtered) or (isinstance(error, ProviderError) and not operator.profile.charges_failed)
    journal.record_failure(database, call_id, error, cost_micros=0 if free else None, guard=guard)
