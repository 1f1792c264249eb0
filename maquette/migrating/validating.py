"""Read both tables again and check every row, on grounds of its own."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import sql

from maquette.errors import Conflict
from maquette.migrating.backfill import last_key
from maquette.migrating.companion import Pair, read_after_keys, read_pairs
from maquette.migrating.following import drain, follow
from maquette.migrating.models import SCHEMA, Phase, PhaseReport
from maquette.migrating.pacing import Pace
from maquette.migrating.shaping import verify
from maquette.migrating.work import Work
from maquette.rehearsal import crash_point

_DRAIN_S: Final = 600.0
_LOOKS: Final = 20
"""How often a row that people keep writing is looked at again, before it is left as one that is moving."""
_TOLD: Final = 20


@dataclass(frozen=True, slots=True)
class Accounting:
    """Where the rows are, as of one moment. ``missing`` and ``strays`` are faults."""

    rows: int
    """Of the old table."""
    new: int
    """Of these, how many have their new row."""
    quarantined: int
    """Rows that are there and set aside: old rows without a new one, and new ones that have no old shape."""
    pending: int
    """Rows with a write that was not followed yet."""
    missing: int
    """Old rows without new row, quarantine or pending write."""
    strays: int
    """New rows without old row, quarantine or pending write."""

    @property
    def holds(self) -> bool:
        """Is every row accounted for?"""
        return not self.missing and not self.strays


def accounting(work: Work) -> Accounting:
    """Count both tables against each other."""
    found = work.connection.execute(
        sql.SQL(
            "WITH q AS MATERIALIZED (SELECT key FROM {schema}.quarantine WHERE run_id = %s), "
            "c AS MATERIALIZED (SELECT DISTINCT key FROM {schema}.changes WHERE migration = %s) "
            "SELECT count(s.{key}), count(*) FILTER (WHERE s.{key} IS NOT NULL AND n.{key} IS NOT NULL), "
            "count(q.key), count(c.key), "
            "count(*) FILTER (WHERE n.{key} IS NULL AND q.key IS NULL AND c.key IS NULL), "
            "count(*) FILTER (WHERE s.{key} IS NULL AND q.key IS NULL AND c.key IS NULL) "
            "FROM {old} s FULL JOIN {new} n ON n.{key} = s.{key} "
            "LEFT JOIN q ON q.key = coalesce(s.{key}, n.{key})::text "
            "LEFT JOIN c ON c.key = coalesce(s.{key}, n.{key})::text"
        ).format(
            schema=sql.Identifier(SCHEMA),
            key=sql.Identifier(work.source.key),
            old=work.source.table,
            new=work.source.new_table,
        ),
        [work.run.id, work.migration.name],
    ).fetchone()
    assert found is not None  # an aggregate always answers
    return Accounting(*found)


def validate(work: Work) -> PhaseReport:
    """Check every row as it stands in both tables: the model, ``inverse(new) == old``, ``transform(new) == new``, its
    other columns, and that none is missing.

    The other columns are compared by their hash from the time when the new row was last brought up to date. Each write
    of theirs is noted, so without a note they must be what they were; the hash of the backup would call every row that
    people edited since a fault. A row with a note is followed and looked at again.
    Raises ``Conflict`` (``migration_invalid``) with the first rows that are at fault; resuming checks all anew.
    """
    started = time.perf_counter()
    drain(work, within_s=_DRAIN_S)
    position, upto, rows = work.position(Phase.VALIDATE)
    if upto is None:
        upto = last_key(work)
    pace = Pace(batch_ms=work.options.batch_ms, max_lock_ms=work.options.max_lock_ms)
    faults: dict[str, str] = {}
    moving = 0
    while upto is not None and position != upto and len(faults) < _TOLD:
        began = time.perf_counter()
        keys = read_after_keys(work, after=position, upto=upto, limit=pace.size)
        wrong, unsettled = _look(work, keys)
        faults |= wrong
        moving += unsettled
        position = keys[-1] if keys else upto
        held = time.perf_counter()
        if not faults:
            with work.transaction(holds_locks=False):
                work.advance(Phase.VALIDATE, position=position, upto=upto, rows=len(keys))
                ended = time.perf_counter()
                work.note_batch(Phase.VALIDATE, rows=len(keys), total_ms=(ended - began) * 1000, lock_ms=0.0)
            if len(keys) == pace.size:
                pace.learn(total_ms=(ended - began) * 1000, lock_ms=(ended - held) * 1000)
        rows += len(keys)
        follow(work)
        crash_point("migrating-mid-validate")
    account = accounting(work)
    if faults or not account.holds:
        with work.transaction(holds_locks=False) as connection:
            connection.execute(
                f"DELETE FROM {SCHEMA}.cursors WHERE run_id = %s AND phase = %s", [work.run.id, Phase.VALIDATE]
            )
        told = "; ".join(f"{key}: {why}" for key, why in faults.items())
        raise Conflict(
            f"{work.source.full_name} is not whole: {account.missing} rows are missing in the new table, "
            f"{account.strays} are there without an old row"
            + (f", and at fault are {told}" if told else "")
            + ". Set these rows right, then resume, or roll back",
            code="migration_invalid",
        )
    return PhaseReport(
        phase=Phase.VALIDATE,
        seconds=time.perf_counter() - started,
        rows=rows,
        longest_lock_ms=work.longest_lock_ms,
        detail={
            "rows": account.rows,
            "new": account.new,
            "quarantined": account.quarantined,
            "pending": account.pending,
            "moving": moving,
        },
    )


def _look(work: Work, keys: Sequence[str]) -> tuple[dict[str, str], int]:
    """Faults by key, and how many rows were written so often that none of our looks found them at rest."""
    faults: dict[str, str] = {}
    waiting = list(keys)
    for _ in range(_LOOKS):
        if not waiting:
            break
        moved: list[str] = []
        for pair in read_pairs(work, waiting):
            if pair.notes:
                moved.append(pair.key)
            elif (why := _fault(work, pair)) is not None:
                faults[pair.key] = why
        waiting = moved
        if waiting:
            follow(work)
    return faults, len(waiting)


def _fault(work: Work, pair: Pair) -> str | None:
    old, new = pair.old, pair.new
    if old is None or new is None or new.only_new:
        return None  # gone meanwhile, or set aside: the accounting counts them
    if old.untouched != new.untouched:
        return f"{', '.join(_others(work))} changed without a note"
    broken = verify(work.migration, old.row, new.row)
    return None if broken is None else broken.reason


def _others(work: Work) -> list[str]:
    return [column for column in work.source.types if column not in work.migration.columns]
