"""Documents take their old place, a batch at a time: what the contract does row by row."""

import time
from collections.abc import Mapping, Sequence
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from maquette.migrating.following import follow
from maquette.migrating.models import SCHEMA
from maquette.migrating.source import row_of
from maquette.migrating.source_writes import act_as, quiet
from maquette.migrating.work import Work

CAUGHT_UP: Final = 20
"""Rows whose writes are followed and moved in one transaction."""
_PAUSE_S: Final = 0.02

_UNMOVED: Final = (
    "SELECT s.{key}::text FROM {new} n JOIN {old} s USING ({key}) "
    "WHERE (%(after)s::text IS NULL OR n.{key} > CAST(%(after)s AS {type})) AND {differ} "
    "AND NOT EXISTS (SELECT 1 FROM {schema}.changes c WHERE c.migration = %(migration)s AND c.key = s.{key}::text) "
    "ORDER BY n.{key} LIMIT %(limit)s"
)
_LOCK: Final = "SELECT s.{key}::text FROM {old} s WHERE {theirs} ORDER BY s.{key} FOR NO KEY UPDATE"
_SETTLED: Final = (
    "SELECT k FROM unnest(%(keys)s::text[]) k WHERE NOT EXISTS (SELECT 1 FROM {schema}.changes c "
    "WHERE c.migration = %(migration)s AND c.key = k)"
)
_MOVE: Final = "UPDATE {old} s SET {sets} FROM {new} n WHERE n.{key} = s.{key} AND {differ} AND {theirs}"
_PENDING: Final = (
    "SELECT c.key FROM {schema}.changes c WHERE c.migration = %(migration)s "
    "GROUP BY c.key ORDER BY min(c.seq) LIMIT %(limit)s"
)


def unmoved(work: Work, *, after: str | None, limit: int) -> list[str]:
    """The next keys, in their order, whose document is not in its old place yet.

    Without rows whose last write is not followed: those are for ``catch_up``, and people go on writing.
    """
    return _keys(work, _UNMOVED, {"after": after, "limit": limit, "migration": work.migration.name})


def move(work: Work, keys: Sequence[str], *, passing_by: bool) -> int:
    """Move the documents of ``keys``, in the caller's transaction; how many were moved.

    Rows are locked before it is looked whether a write of theirs waits to be followed: with the lock held no other
    can commit, and the look, a statement of its own, sees the last. Such rows are left to ``catch_up``.
    ``passing_by`` leaves out rows that somebody holds: nobody is to wait for us while we wait.
    """
    locked = _keys(work, f"{_LOCK} SKIP LOCKED" if passing_by else _LOCK, {"keys": list(keys)})
    settled = _keys(work, _SETTLED, {"keys": locked, "migration": work.migration.name})
    statement = _composed(work, _MOVE)
    with quiet(work) as quietly:
        if quietly:
            return work.connection.execute(statement, {"keys": settled}).rowcount
        moved = 0
        for key in settled:
            _act_as_owner(work, key)
            moved += work.connection.execute(statement, {"keys": [key]}).rowcount
        return moved


def catch_up(work: Work) -> int:
    """Follow some pending writes and move what they changed, at one stroke; how many rows were followed.

    At one stroke, for a write that was followed is no longer known as one that has to be moved again. 0: nothing is
    pending, or somebody holds a row of it.
    """
    try:
        with work.transaction():
            keys = _keys(work, _PENDING, {"migration": work.migration.name, "limit": CAUGHT_UP})
            if not keys:
                return 0
            followed = follow(work, limit=CAUGHT_UP)
            # We hold rows by now: whoever holds one more is not waited for.
            work.connection.execute("SELECT set_config('lock_timeout', '10ms', true)")
            move(work, keys, passing_by=False)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        time.sleep(_PAUSE_S)
        return 0
    return followed.keys


def move_sql(work: Work) -> str:
    """The statement that moves, for people."""
    return _composed(work, _MOVE).as_string(work.connection).replace("%(keys)s", "…")


def _act_as_owner(work: Work, key: str) -> None:
    columns = list(work.migration.acting_as.values())
    if not columns:
        return
    listed = work.source.select_list(columns, alias="s")
    found = work.connection.execute(
        _composed(work, "SELECT {columns} FROM {old} s WHERE {theirs}", columns=listed), {"keys": [key]}
    ).fetchone()
    if found is not None:
        act_as(work, row_of(columns, found))


def _keys(work: Work, text: LiteralString, values: Mapping[str, object]) -> list[str]:
    return [key for (key,) in work.connection.execute(_composed(work, text), values)]


def _composed(work: Work, text: LiteralString, **further: sql.Composable) -> sql.Composed:
    source = work.source
    key, key_type = sql.Identifier(source.key), sql.SQL(source.key_type)
    columns = [sql.Identifier(column) for column in work.migration.columns]
    return sql.SQL(text).format(
        schema=sql.Identifier(SCHEMA),
        old=source.table,
        new=source.new_table,
        key=key,
        type=key_type,
        theirs=sql.SQL("s.{} = ANY(CAST(%(keys)s AS {}[]))").format(key, key_type),
        sets=sql.SQL(", ").join(sql.SQL("{0} = n.{0}").format(column) for column in columns),
        # As text: for jsonb 1 and 1.0 are equal.
        differ=sql.SQL("({})").format(
            sql.SQL(" OR ").join(sql.SQL("s.{0}::text IS DISTINCT FROM n.{0}::text").format(each) for each in columns)
        ),
        **further,
    )
