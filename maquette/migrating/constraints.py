"""The unique constraint: its index is built while people write, then attached in a moment."""

import random
import time
from enum import StrEnum
from typing import Final

import psycopg
from psycopg import sql

from maquette.errors import Conflict, InvalidInput
from maquette.migrating.ddl import with_short_lock
from maquette.migrating.definition import DocumentMigration, UniqueRule
from maquette.migrating.duplicates import is_there, remove_duplicates
from maquette.migrating.models import Phase, PhaseReport, Statement
from maquette.migrating.source import Connection, Source
from maquette.migrating.work import Work
from maquette.rehearsal import crash_point

TRIES: Final = 5
_PAUSE_S: Final = 0.2
# The index waits for transactions older than itself, and holds up nobody meanwhile.
_PATIENCE_S: Final = 600
_ADDED: Final = "added by this run"


class Uniqueness(StrEnum):
    """What the table has of the rule: something unique over the same columns, nothing, or another thing so named."""

    KEPT = "kept"
    MISSING = "missing"
    NAME_TAKEN = "name taken"


def uniqueness(connection: Connection, source: Source, rule: UniqueRule) -> Uniqueness:
    """Look the rule up in the catalog. An index counts if it is valid, over all rows and checked at once."""
    found = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid "
        "  AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL "
        "  AND i.indexrelid <> coalesce(to_regclass(%(own)s)::oid, 0) "
        "  AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_attribute a "
        "       WHERE a.attrelid = c.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) "
        "      = (SELECT array_agg(u ORDER BY u) FROM unnest(%(columns)s::text[]) u)), "
        "to_regclass(%(constraint)s) IS NOT NULL "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %(schema)s AND c.relname = %(table)s",
        {
            "own": _index(source).as_string(connection),
            "constraint": sql.Identifier(source.schema, rule.constraint).as_string(connection),
            "columns": [*rule.columns],
            "schema": source.schema,
            "table": source.name,
        },
    ).fetchone()
    assert found is not None  # read_source has seen the table
    kept, taken = found
    if kept:
        return Uniqueness.KEPT
    return Uniqueness.NAME_TAKEN if taken or is_there(connection, source, rule.constraint) else Uniqueness.MISSING


def statements(source: Source, migration: DocumentMigration) -> list[Statement]:
    """What ``make_unique`` executes: the index, then its attachment. Empty for a migration without a rule."""
    rule = migration.unique
    if rule is None:
        return []
    columns = sql.SQL(", ").join(map(sql.Identifier, rule.columns))
    index = sql.SQL("CREATE UNIQUE INDEX CONCURRENTLY {} ON {} ({})").format(
        sql.Identifier(_index_name(source)), source.table, columns
    )
    attach = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} UNIQUE USING INDEX {}").format(
        source.table, sql.Identifier(rule.constraint), sql.Identifier(_index_name(source))
    )
    return [
        Statement(
            phase=Phase.UNIQUE,
            sql=index.as_string(),
            lock="ShareUpdateExclusiveLock",
            blocks="no reader and no writer; other DDL and VACUUM of the table wait while it is built. "
            "From its last part on, a write that would make a duplicate is refused",
        ),
        Statement(
            phase=Phase.UNIQUE,
            sql=attach.as_string(),
            lock="AccessExclusiveLock",
            blocks="everybody, for the moment that the catalog takes; given up and tried again where it is not had "
            "within lock_timeout_ms",
        ),
    ]


def make_unique(work: Work) -> PhaseReport:
    """Make the rule a constraint of the table, without a long lock.

    Raises ``Conflict`` where duplicates go on arriving faster than they are merged, where an old transaction never
    ends, or where the table cannot be had for the attachment; ``InvalidInput`` where the name is another thing's.
    """
    started = time.perf_counter()
    rule, builds = work.migration.unique, 0
    if rule is not None:
        found = uniqueness(work.connection, work.source, rule)
        if found == Uniqueness.NAME_TAKEN:
            raise InvalidInput(
                f"{rule.constraint} of {work.source.full_name} is there and is something else than a unique constraint "
                f"over {', '.join(rule.columns)}: rename it, or the migration's constraint"
            )
        if found == Uniqueness.MISSING:
            index, attach = statements(work.source, work.migration)
            # Told before it is done: whoever finds the constraint after a crash knows whose it is.
            with work.transaction(holds_locks=False):
                work.advance(Phase.UNIQUE, position=_ADDED, upto=None, rows=0)
            builds = _build(work, rule, index)
            crash_point("migrating-after-index")
            with_short_lock(work, [attach])
    return PhaseReport(
        phase=Phase.UNIQUE,
        seconds=time.perf_counter() - started,
        longest_lock_ms=work.longest_lock_ms,
        detail={"constraint": rule.constraint if rule else None, "added": _added(work), "builds": builds},
    )


def drop_unique(work: Work) -> None:
    """Take the constraint away that this run added, and what a run that was stopped left of its index."""
    rule = work.migration.unique
    if rule is None or not _added(work):
        return
    if is_there(work.connection, work.source, rule.constraint):
        drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}")
        with_short_lock(work, [drop.format(work.source.table, sql.Identifier(rule.constraint))])
    if _validity(work) is not None:
        _patiently(work, sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(_index(work.source)))


def _build(work: Work, rule: UniqueRule, index: Statement) -> int:
    """Build the index; how often it took. A duplicate that arrives meanwhile spoils it: it is dropped, built again."""
    for builds in range(TRIES + 1):
        work.require_hold()
        valid = _validity(work)
        if valid:
            return builds
        if valid is not None:  # spoilt by a duplicate, or left half-made by a process that was killed
            _patiently(work, sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(_index(work.source)))
        if builds == TRIES:
            break
        if builds:
            time.sleep(_PAUSE_S * 2 ** (builds - 1) * random.uniform(0.5, 1.5))
        remove_duplicates(work, rule)
        try:
            _patiently(work, sql.SQL(index.sql))
        except psycopg.errors.UniqueViolation:
            continue
    raise Conflict(
        f"new duplicates of {work.source.full_name} arrived each time that {rule.constraint} was built, {TRIES} times: "
        "let the application write one row per group, then resume",
        code="busy",
    )


def _patiently(work: Work, statement: sql.SQL | sql.Composed) -> None:
    work.connection.execute(f"SET lock_timeout = '{_PATIENCE_S}s'")
    try:
        work.connection.execute(statement)
    except psycopg.errors.LockNotAvailable as error:
        raise Conflict(
            f"transactions that use {work.source.full_name} did not end within {_PATIENCE_S} s: look at the oldest in "
            "pg_stat_activity, end them, then resume",
            code="busy",
        ) from error
    finally:
        work.connection.execute("RESET lock_timeout")


def _validity(work: Work) -> bool | None:
    """Is our index valid? ``None`` where there is none."""
    found = work.connection.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)",
        [_index(work.source).as_string(work.connection)],
    ).fetchone()
    return None if found is None else found[0]


def _added(work: Work) -> bool:
    return work.position(Phase.UNIQUE)[0] == _ADDED


def _index_name(source: Source) -> str:
    return f"maquette_{source.migration}_unique"


def _index(source: Source) -> sql.Identifier:
    return sql.Identifier(source.schema, _index_name(source))
