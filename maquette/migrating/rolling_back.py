"""The way back, until the contract: reads flip at once, and every write made since is kept."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import psycopg
from pydantic import JsonValue

from maquette.errors import Conflict
from maquette.migrating.constraints import drop_unique
from maquette.migrating.ddl import under_short_lock, with_short_lock
from maquette.migrating.duplicates import restore
from maquette.migrating.expanding import is_expanded, withdraw
from maquette.migrating.following import drain, follow, pending
from maquette.migrating.keeping import QUARANTINED, archive_whole
from maquette.migrating.models import ENDED, SCHEMA, Duplicates, Phase, PhaseReport, RunStatus
from maquette.migrating.source import Connection
from maquette.migrating.work import Work, get_run
from maquette.rehearsal import crash_point

FEW: Final = 20
"""Writes that may be left when the tables are locked for the last of them; more where they keep coming."""
_DRAIN_S: Final = 600.0
_SEIZE_S: Final = 5.0


def flip(work: Work) -> float:
    """All reads are old from this transaction's end on, however much is pending; milliseconds that it took."""
    started = time.perf_counter()
    with work.transaction(holds_locks=False) as connection:
        _read_old(connection, work.migration.name)
    work.run.percent = 0
    return (time.perf_counter() - started) * 1000


def seize(connection: Connection, run_id: UUID, *, policy: Duplicates | None = None) -> float:
    """Flip a run that another process may hold, and fence that process out; milliseconds until reads were old.

    Needs no turn, and ends nobody. Raises ``Conflict``: ``migration_contracted``, ``migration_ended``, or ``busy``
    where the holder stands still within a transaction (reads are old by then).
    """
    started = time.perf_counter()
    flipped_ms: float | None = None
    while time.perf_counter() - started < _SEIZE_S:
        run = get_run(connection, run_id)
        require_way_back(run.status)
        try:
            # The flag first and alone: who holds the run's row cannot keep reads from turning back.
            with _patient(connection):
                _read_old(connection, run.migration)
            flipped_ms = flipped_ms or (time.perf_counter() - started) * 1000
            with _patient(connection):
                taken = connection.execute(
                    f"UPDATE {SCHEMA}.runs SET epoch = epoch + 1, status = %s, updated_at = clock_timestamp(), "
                    "options = options || jsonb_build_object('on_rollback', %s::text) WHERE id = %s AND status = %s",
                    [RunStatus.ROLLING_BACK, policy or run.options.on_rollback, run_id, run.status],
                ).rowcount
                _read_old(connection, run.migration)  # the fenced one may have let a cohort in between the two
            if taken:
                return flipped_ms
        except psycopg.errors.LockNotAvailable:
            continue
    raise Conflict(
        f"{'reads are old again, but ' if flipped_ms else ''}another process stands still within a transaction of this "
        "run: end that process, then roll back once more",
        code="busy",
    )


def require_way_back(status: RunStatus) -> None:
    """Raises ``Conflict`` once there is nothing to go back to."""
    if status in (RunStatus.CONTRACTING, RunStatus.COMPLETED):
        raise Conflict(
            "the old shape was given up by the contract: there is no way back but the backup, see `maquette migrate "
            "verify-backup`",
            code="migration_contracted",
        )
    if status in ENDED:
        raise Conflict("this run was rolled back already: there is nothing to do", code="migration_ended")


def roll_back(work: Work, *, reason: str | None = None) -> PhaseReport:
    """Flip, bring every write made since into the old table, and take down what the migration put up.

    Afterwards the old table holds what it held, without the archived duplicates unless ``options.on_rollback``
    restores them, plus all writes made since in either shape. The archive and the books stay. What was written in the
    new shape and has no old one goes to the archive whole (``not_invertible``). May be called again after a crash.
    """
    require_way_back(work.run.status)
    started = time.perf_counter()
    reason = reason or work.run.error
    flipped_ms = flip(work)
    with work.transaction(holds_locks=False):
        work.enter(Phase.ROLL_BACK)
        work.set_status(RunStatus.ROLLING_BACK, error=reason)
    detail: dict[str, JsonValue] = {"flip_ms": round(flipped_ms, 2)}
    _, counted, kept = work.position(Phase.ROLL_BACK)
    if is_expanded(work):
        if counted is None:  # what a killed process brought over counts too
            kept = pending(work)
            with work.transaction(holds_locks=False):
                work.advance(Phase.ROLL_BACK, position=None, upto="counted", rows=kept)
        drain(work, within_s=_DRAIN_S)
    crash_point("migrating-mid-rollback")
    for phase, undo in UNDO.items():
        detail[phase.value] = undo(work)
    report = PhaseReport(
        phase=Phase.ROLL_BACK,
        seconds=time.perf_counter() - started,
        rows=kept,
        longest_lock_ms=work.longest_lock_ms,
        detail=detail,
    )
    with work.transaction(holds_locks=False):
        work.leave(report)
        work.set_status(RunStatus.ROLLED_BACK, error=reason)
    return report


def _undo_unique(work: Work) -> JsonValue:
    drop_unique(work)
    return "dropped"


def _undo_deduplicate(work: Work) -> JsonValue:
    return {"restored": restore(work)} if work.options.on_rollback == Duplicates.RESTORE else "kept in the archive"


def _undo_expand(work: Work) -> JsonValue:
    """Take the scaffold down the moment that the last write in the new shape was brought over."""
    if work.migration.undo:
        with_short_lock(work, work.migration.undo, mode="ACCESS SHARE")
    if not is_expanded(work):
        withdraw(work)
        return "was not there"
    source = work.source

    few = FEW

    def last(_: Connection) -> int | None:
        if pending(work) > few:
            return None
        while pending(work):
            follow(work)
        archived = archive_whole(work, reason="not_invertible", which=QUARANTINED)
        withdraw(work)
        return archived

    while True:
        drain(work, within_s=_DRAIN_S)
        archived, _ = under_short_lock(work, last, tables=[source.current, source.table, source.new_table])
        if archived is not None:
            return {"not_invertible": archived}
        few *= 2


UNDO: Final[Mapping[Phase, Callable[[Work], JsonValue]]] = {
    Phase.UNIQUE: _undo_unique,
    Phase.DEDUPLICATE: _undo_deduplicate,
    Phase.EXPAND: _undo_expand,
}
"""What takes a phase back, the last phase first. The flip takes the cut-over back; backfilled rows go with their table,
and what only reads or writes files needs no way back."""


def _read_old(connection: Connection, migration: str) -> None:
    """In a transaction of the caller's. The flag's lock comes first: a contract that began meanwhile is seen then."""
    connection.execute(f"SELECT 1 FROM {SCHEMA}.flags WHERE migration = %s FOR UPDATE", [migration])
    connection.execute(
        f"UPDATE {SCHEMA}.flags SET percent = 0, updated_at = clock_timestamp() WHERE migration = %s "
        f"AND NOT EXISTS (SELECT 1 FROM {SCHEMA}.runs WHERE migration = %s AND status = %s)",
        [migration, migration, RunStatus.CONTRACTING],
    )


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    with connection.transaction():
        connection.execute("SELECT set_config('lock_timeout', '500ms', true)")
        yield
