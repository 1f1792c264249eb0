"""Give the old shape up: documents take their old place, and the scaffold comes down. There is no way back but the
backup."""

import hashlib
import time
from typing import Final
from uuid import UUID

from psycopg import sql
from pydantic import BaseModel

from maquette.errors import Conflict
from maquette.migrating import exact
from maquette.migrating.cutting_over import require_whole
from maquette.migrating.ddl import under_short_lock
from maquette.migrating.expanding import is_expanded
from maquette.migrating.following import pending
from maquette.migrating.keeping import ORPHANS, archive_whole
from maquette.migrating.models import ENDED, SCHEMA, Phase, PhaseReport, RunStatus, Statement
from maquette.migrating.moving import catch_up, move, move_sql, unmoved
from maquette.migrating.pacing import Pace, Throttle
from maquette.migrating.source import Connection
from maquette.migrating.triggers import withdrawal
from maquette.migrating.work import Work
from maquette.rehearsal import crash_point

LISTED: Final = 100
_FEW: Final = 20
"""Writes that may be left when the tables are locked for the last of them."""
_PAUSE_S: Final = 0.02
_HELD_S: Final = 60.0


class ContractPlan(BaseModel):
    """What the contract does."""

    hash: str
    """Of the run, its plan, the migration's code and the table's columns; not of counts, which go on changing."""
    run_id: UUID
    migration: str
    table: str
    rows: int
    """Documents that take their old place."""
    left_old: int
    """Rows in quarantine: they stay as they are."""
    left_old_keys: list[str]
    """Of these, at most 100."""
    statements: list[Statement]
    soak_left_s: float
    refusals: list[str]
    """Why it cannot be carried out now; empty when it can."""


def contract_plan(work: Work) -> ContractPlan:
    """What the contract of ``work`` would do; reads only. Raises ``Conflict`` when the run has no contract ahead."""
    if work.run.status in ENDED:
        raise Conflict(f"the run is {work.run.status.value}: it has no contract ahead", code="migration_ended")
    if work.run.cut_over_at is None or not is_expanded(work):
        raise Conflict(
            f"the run is {work.run.status.value}, in {work.run.phase.value}: carry it out up to the cut-over first",
            code="migration_not_soaked",
        )
    statements = [
        Statement(
            phase=Phase.CONTRACT, sql=move_sql(work), lock="RowExclusiveLock", blocks="writers of a batch's rows"
        ),
        *[
            Statement(phase=Phase.CONTRACT, sql=text, lock="AccessExclusiveLock", blocks="everybody, for milliseconds")
            for text in _taken_down(work)
        ],
    ]
    left_old = _left_old(work)
    rows = work.connection.execute(sql.SQL("SELECT count(*) FROM {}").format(work.source.new_table)).fetchone()
    left = _soak_left_s(work)
    refusals = []
    if left > 0:
        refusals.append(f"the soak ends in {left:.0f} s")
    if work.run.percent != 100:
        refusals.append(f"{work.run.percent} % of the rows are read in the new shape: it must be all")
    approved = {
        "run": str(work.run.id),
        "plan": work.run.plan_hash,
        "code": work.migration.digest(),
        "columns": [*work.source.types.items()],
    }
    return ContractPlan(
        hash=hashlib.sha256(exact.dumps(approved).encode()).hexdigest(),
        run_id=work.run.id,
        migration=work.migration.name,
        table=work.source.full_name,
        rows=rows[0] if rows else 0,
        left_old=len(left_old),
        left_old_keys=left_old[:LISTED],
        statements=statements,
        soak_left_s=left,
        refusals=refusals,
    )


def contract(work: Work, *, approve: str | None = None) -> PhaseReport:
    """Carry the contract out; ``approve`` is its plan's hash, needed to begin and not to go on after a crash.

    Readers of the view see the new shape all the while. Rows in quarantine stay as they are. Raises ``Conflict``:
    ``migration_not_soaked``, ``plan_changed``, ``migration_incomplete``.
    """
    started = time.perf_counter()
    done = work.finished(Phase.CONTRACT)
    if done is not None:
        return done
    if work.run.status != RunStatus.CONTRACTING:
        _begin(work, approve)
    moved = _move_all(work)
    few = _FEW

    def end(connection: Connection) -> PhaseReport | None:
        return _end(work, connection, started=started, moved=moved) if pending(work) <= few else None

    while True:
        while pending(work) > few:
            catch_up(work)
        ended, _ = under_short_lock(work, end, tables=[work.source.current, work.source.table, work.source.new_table])
        if ended is not None:
            ended.longest_lock_ms = work.longest_lock_ms
            work.leave(ended)
            return ended
        few *= 2  # they keep coming


def require_ready(work: Work, approve: str | None) -> None:
    """May the contract begin, and is it the approved one? Raises ``Conflict``."""
    if work.run.status == RunStatus.CONTRACTING:
        return
    seen = contract_plan(work)
    if work.run.status != RunStatus.SOAKING or seen.refusals:
        reasons = seen.refusals or [f"the run is {work.run.status.value}, and only one that soaks is contracted"]
        raise Conflict(f"not yet: {'; '.join(reasons)}", code="migration_not_soaked")
    if approve != seen.hash:
        raise Conflict(
            f"approved was {approve or 'nothing'}, the contract is {seen.hash}: look at it with `maquette migrate "
            "contract --dry-run`, then approve its hash",
            code="plan_changed",
        )


def _soak_left_s(work: Work) -> float:
    """By the database's clock."""
    found = work.connection.execute(
        "SELECT greatest(0, extract(epoch FROM %s::timestamptz - clock_timestamp()) + %s)::float8",
        [work.run.cut_over_at, work.options.soak_s],
    ).fetchone()
    return float(found[0]) if found else 0.0


def _begin(work: Work, approve: str | None) -> None:
    require_ready(work, approve)
    require_whole(work)
    with work.transaction(holds_locks=False) as connection:
        # Whoever takes the reads back locks the flag first: one of the two sees the other.
        flag = connection.execute(
            f"SELECT percent FROM {SCHEMA}.flags WHERE migration = %s FOR UPDATE", [work.migration.name]
        ).fetchone()
        if flag != (100,):
            raise Conflict("the reads were taken back meanwhile: nothing was given up", code="migration_not_soaked")
        work.enter(Phase.CONTRACT)
        work.set_status(RunStatus.CONTRACTING)


def _move_all(work: Work) -> int:
    """Every document to its old place, in key order, and again from the start for rows that somebody held."""
    pace = Pace(batch_ms=work.options.batch_ms, max_lock_ms=work.options.max_lock_ms)
    throttle = Throttle(work)
    after, _, rows = work.position(Phase.CONTRACT)
    progress_at = time.monotonic()
    while True:
        started = time.perf_counter()
        keys = unmoved(work, after=after, limit=pace.size)
        if not keys and after is None:
            return rows
        after = keys[-1] if keys else None
        if not keys:
            continue
        held = time.perf_counter()
        with work.transaction():
            moved = move(work, keys, passing_by=True)
            work.advance(Phase.CONTRACT, position=after, upto=None, rows=moved)
        ended = time.perf_counter()
        total_ms, lock_ms = (ended - started) * 1000, (ended - held) * 1000
        work.note_batch(Phase.CONTRACT, rows=moved, total_ms=total_ms, lock_ms=lock_ms)
        if len(keys) == pace.size:
            pace.learn(total_ms=total_ms, lock_ms=lock_ms)
        rows += moved
        crash_point("migrating-mid-contract")
        if moved + catch_up(work):
            progress_at = time.monotonic()
        elif time.monotonic() - progress_at > _HELD_S:
            raise Conflict(
                f"{len(keys)} rows of {work.source.full_name} are held by others for {_HELD_S:g} s: end these "
                "transactions, then resume",
                code="busy",
            )
        else:
            time.sleep(_PAUSE_S)
        throttle.wait(lambda: catch_up(work))


def _end(work: Work, connection: Connection, *, started: float, moved: int) -> PhaseReport:
    """With all tables locked: the last writes, and the scaffold is gone."""
    while catch_up(work):
        pass
    orphans = archive_whole(work, reason="no_old_row", which=ORPHANS)
    left_old = _left_old(work)
    for statement in _taken_down(work):
        connection.execute(statement.encode())
    connection.execute(f"DELETE FROM {SCHEMA}.changes WHERE migration = %s", [work.migration.name])
    report = PhaseReport(
        phase=Phase.CONTRACT,
        seconds=time.perf_counter() - started,
        rows=moved,
        longest_lock_ms=work.longest_lock_ms,
        detail={"archived": orphans, "left_old": [*left_old[:LISTED]]},
    )
    work.leave(report)
    work.set_status(RunStatus.COMPLETED)
    return report


def _taken_down(work: Work) -> list[str]:
    """What ends it: the view becomes a plain one, for applications that read it, and all else goes."""
    source = work.source
    found = work.connection.execute(
        "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = to_regclass(%s)",
        [source.current.as_string(work.connection)],
    ).fetchone()
    options = f" WITH ({found[0]})" if found and found[0] else ""
    left_old = _left_old(work)
    is_new = (
        sql.SQL("s.{}::text <> ALL ({}::text[])").format(sql.Identifier(source.key), sql.Literal(left_old))
        if left_old
        else sql.SQL("true")
    )
    plain = sql.SQL(
        "CREATE OR REPLACE VIEW {view}{options} AS SELECT {columns}, {is_new} AS is_new FROM {old} s"
    ).format(
        view=source.current,
        options=sql.SQL(options),
        columns=sql.SQL(", ").join(sql.Identifier("s", column) for column in source.types),
        is_new=is_new,
        old=source.table,
    )
    trigger = sql.SQL("DROP TRIGGER IF EXISTS maquette_write ON {}").format(source.current)
    return [
        plain.as_string(work.connection),
        trigger.as_string(work.connection),
        *(text for text in withdrawal(source, work.migration) if not text.startswith("DROP VIEW")),
    ]


def _left_old(work: Work) -> list[str]:
    """Rows in quarantine, which have no document in the new shape."""
    source = work.source
    return [
        key
        for (key,) in work.connection.execute(
            sql.SQL(
                "SELECT q.key FROM {schema}.quarantine q JOIN {old} s ON s.{key} = CAST(q.key AS {type}) "
                "LEFT JOIN {new} n ON n.{key} = s.{key} WHERE q.run_id = %s AND n.{key} IS NULL ORDER BY q.key"
            ).format(
                schema=sql.Identifier(SCHEMA),
                old=source.table,
                new=source.new_table,
                key=sql.Identifier(source.key),
                type=sql.SQL(source.key_type),
            ),
            [work.run.id],
        )
    ]
