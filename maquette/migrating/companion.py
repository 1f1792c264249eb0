"""Rows of both tables side by side, and how they get into the new one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from maquette.migrating.definition import Row
from maquette.migrating.models import SCHEMA
from maquette.migrating.shaping import Shaped, reason
from maquette.migrating.source import row_of
from maquette.migrating.triggers import untouched
from maquette.migrating.work import Work

_JSON: Final = frozenset({"json", "jsonb"})


@dataclass(frozen=True, slots=True)
class OldRow:
    """A row of the old table as it was read."""

    key: str
    row: Row
    """Key, ``reads`` and ``columns``, and those of ``acting_as``."""
    untouched: str
    """Hash of its other columns."""
    version: str
    """It changes with every write."""


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row of the new table as it was read."""

    row: Row
    """Key and new ``columns``; ``reads`` are those of the old row."""
    untouched: str | None
    version: str
    from_old: bool
    """Was it made from the old row, rather than written in the new shape?"""
    only_new: bool
    """Does it hold a write that has no old shape?"""


@dataclass(frozen=True, slots=True)
class Pair:
    """What there is for a key, and the notes of its writes that were not followed, all of one moment."""

    key: str
    old: OldRow | None
    new: NewRow | None
    notes: list[int]
    """Their numbers."""
    sides: frozenset[str]
    """``old`` and ``new`` for writes of the documents, ``row`` for those of the old row's other columns."""
    last: str | None
    """The side whose document was written last."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A row for the new table."""

    key: str
    texts: Sequence[str | None]
    """Its new ``columns`` as PostgreSQL reads them."""
    untouched: str
    replaces: str | None
    """The version of the new row that it was decided to replace; ``None`` where there was none."""


def old_columns(work: Work) -> list[str]:
    """What is read of an old row."""
    own = work.migration
    return list(dict.fromkeys([own.key, *own.reads, *own.columns, *own.acting_as.values()]))


def read_after(work: Work, *, after: str | None, upto: str, limit: int) -> Iterator[OldRow]:
    """The next old rows in the order of the key, up to ``upto``, all of one moment. No lock is taken.

    One by one: where the documents of a whole batch are there at once, Python's garbage collector walks all of them.
    """
    columns = old_columns(work)
    found = work.connection.execute(
        sql.SQL(
            "SELECT s.{key}::text, s.xmin::text, {untouched}, {columns} FROM {old} s "
            "WHERE (%(after)s::text IS NULL OR s.{key} > CAST(%(after)s AS {type})) "
            "AND s.{key} <= CAST(%(upto)s AS {type}) ORDER BY s.{key} LIMIT %(limit)s"
        ).format(**_names(work), columns=work.source.select_list(columns, alias="s")),
        {"after": after, "upto": upto, "limit": limit},
        prepare=False,  # a plan for whichever `after` would not begin at it
    )
    for key, version, digest, *values in found:
        yield OldRow(key, row_of(columns, values), digest, version)


def read_after_keys(work: Work, *, after: str | None, upto: str, limit: int) -> list[str]:
    """The next keys of the old table in their order, up to ``upto``."""
    found = work.connection.execute(
        sql.SQL(
            "SELECT s.{key}::text FROM {old} s WHERE (%(after)s::text IS NULL OR s.{key} > CAST(%(after)s AS {type})) "
            "AND s.{key} <= CAST(%(upto)s AS {type}) ORDER BY s.{key} LIMIT %(limit)s"
        ).format(**_names(work)),
        {"after": after, "upto": upto, "limit": limit},
        prepare=False,  # as above
    )
    return [key for (key,) in found]


def read_pairs(work: Work, keys: Sequence[str]) -> Iterator[Pair]:
    """Both rows of each key and their notes, one by one as ``read_after``. No lock is taken.

    In one statement, so of one moment: a note that is seen belongs to a write that is seen, and the other way round.
    """
    columns = old_columns(work)
    new_columns = [work.source.key, *work.migration.columns]
    found = work.connection.execute(
        sql.SQL(
            "SELECT v.k, s.xmin::text, {untouched}, n.xmin::text, n.untouched, n.from_old, n.only_new, {columns}, "
            "{new_columns}, c.notes, c.sides, c.last FROM unnest(%s::text[]) AS v (k) "
            "LEFT JOIN {old} s ON s.{key} = CAST(v.k AS {type}) LEFT JOIN {new} n ON n.{key} = CAST(v.k AS {type}) "
            "CROSS JOIN LATERAL (SELECT coalesce(array_agg(c.seq), '{{}}') AS notes, "
            "coalesce(array_agg(DISTINCT c.side), '{{}}') AS sides, "
            "(array_agg(c.side ORDER BY c.seq DESC) FILTER (WHERE c.side <> 'row'))[1] AS last "
            "FROM {changes} c WHERE c.migration = %s AND c.key = v.k) c"
        ).format(
            **_names(work),
            columns=work.source.select_list(columns, alias="s"),
            new_columns=work.source.select_list(new_columns, alias="n"),
        ),
        [list(keys), work.migration.name],
    )
    for key, old_version, digest, new_version, kept_digest, from_old, only_new, *values, notes, sides, last in found:
        row = row_of(columns, values[: len(columns)])
        beside = {each: row[each] for each in work.migration.reads}
        old = OldRow(key, row, digest, old_version) if old_version else None
        new = (
            NewRow(beside | row_of(new_columns, values[len(columns) :]), kept_digest, new_version, from_old, only_new)
            if new_version
            else None
        )
        yield Pair(key, old, new, notes, frozenset(sides), last)


def put(work: Work, arrivals: Sequence[Arrival]) -> tuple[set[str], dict[str, str]]:
    """Write rows into the new table, in the caller's transaction: the keys that got in, and reasons by key for those
    that PostgreSQL cannot hold.

    A row that somebody wrote in the new shape meanwhile stays. So does one missing whose old row is gone: a
    ``TRUNCATE`` leaves no note by key, and this statement waits for it.
    """
    if not arrivals:
        return set(), {}
    try:
        with work.connection.transaction():
            return _put(work, arrivals), {}
    except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded, UnicodeEncodeError) as error:
        if len(arrivals) == 1:
            return set(), {arrivals[0].key: reason(error)}
    got_in: set[str] = set()
    refused: dict[str, str] = {}
    for arrival in arrivals:
        more, why = put(work, [arrival])
        got_in |= more
        refused |= why
    return got_in, refused


def _put(work: Work, arrivals: Sequence[Arrival]) -> set[str]:
    names = _names(work)
    got_in: set[str] = set()
    for statement, chosen in (
        (_INSERT, [each for each in arrivals if each.replaces is None]),
        (_REPLACE, [each for each in arrivals if each.replaces is not None]),
    ):
        if chosen:
            found = work.connection.execute(
                sql.SQL(statement).format(
                    **names,
                    listed=sql.SQL(", ").join(map(sql.Identifier, work.migration.columns)),
                    values=sql.SQL(", ").join(
                        sql.SQL("CAST(v.{} AS {})").format(sql.Identifier(f"c{i}"), sql.SQL(work.source.types[column]))
                        for i, column in enumerate(work.migration.columns)
                    ),
                    sets=sql.SQL(", ").join(
                        sql.SQL("{} = CAST(v.{} AS {})").format(
                            sql.Identifier(column), sql.Identifier(f"c{i}"), sql.SQL(work.source.types[column])
                        )
                        for i, column in enumerate(work.migration.columns)
                    ),
                    arrays=sql.SQL(", ").join([sql.SQL("%b::text[]")] * len(work.migration.columns)),
                    names=sql.SQL(", ").join(sql.Identifier(f"c{i}") for i in range(len(work.migration.columns))),
                ),
                [
                    [each.key for each in chosen],
                    [each.untouched for each in chosen],
                    [each.replaces for each in chosen],
                    *([each.texts[i] for each in chosen] for i in range(len(work.migration.columns))),
                ],
            )
            got_in |= {key for (key,) in found}
    return got_in


_ARRIVING: Final = "unnest(%b::text[], %b::text[], %b::text[], {arrays}) AS v (k, untouched, version, {names})"
_INSERT: Final = f"""INSERT INTO {{new}} AS n ({{key}}, untouched, {{listed}})
SELECT CAST(v.k AS {{type}}), v.untouched, {{values}} FROM {_ARRIVING}
WHERE EXISTS (SELECT 1 FROM {{old}} s WHERE s.{{key}} = CAST(v.k AS {{type}}))
ON CONFLICT ({{key}}) DO NOTHING RETURNING n.{{key}}::text"""
_REPLACE: Final = f"""UPDATE {{new}} n SET untouched = v.untouched, only_new = false, from_old = true,
    written_at = clock_timestamp(), {{sets}} FROM {_ARRIVING}
WHERE n.{{key}} = CAST(v.k AS {{type}}) AND n.xmin::text = v.version RETURNING n.{{key}}::text"""


def input_texts(work: Work, shaped: Shaped) -> list[str | None]:
    """The ``columns`` as PostgreSQL reads them; ``null`` is NULL where the old column may be NULL."""
    found: list[str | None] = []
    for column, text in zip(work.migration.columns, shaped.texts, strict=True):
        value = shaped.row[column]
        if work.source.types[column] in _JSON:
            found.append(None if value is None and column not in work.source.not_null else text)
        else:
            found.append(value if value is None or isinstance(value, str) else text)
    return found


def _names(work: Work) -> dict[str, sql.Composable]:
    source = work.source
    return {
        "old": source.table,
        "new": source.new_table,
        "changes": sql.Identifier(SCHEMA, "changes"),
        "key": sql.Identifier(source.key),
        "type": sql.SQL(source.key_type),
        "untouched": untouched(source, work.migration, alias="s"),
    }
