"""Groups of duplicates: which rows the rule takes for one, and which of them stays."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from maquette.migrating.archiving import Table, digest, document
from maquette.migrating.definition import DocumentMigration, Row, UniqueRule
from maquette.migrating.source import Connection, Source, row_of


@dataclass(frozen=True)
class Group:
    """Rows that the rule takes for one."""

    lock: int
    """Of the group's values: what its advisory lock goes by."""
    keys: Sequence[str]


@dataclass(frozen=True)
class Member:
    """A row of a group as it was read; ``hash`` is that of the whole row."""

    key: str
    hash: str
    row: Row


def find(connection: Connection, source: Source, rule: UniqueRule, *, most: int | None = None) -> list[Group]:
    """The groups of more than one row, at most ``most``. A NULL equals nothing, as UNIQUE has it."""
    found = connection.execute(
        sql.SQL(
            "SELECT hashtextextended(%s || min(ROW({columns})::text), 0), array_agg({key}::text ORDER BY {key}) "
            "FROM {table} s WHERE {given} GROUP BY {columns} HAVING count(*) > 1 ORDER BY min({key}::text) LIMIT %s"
        ).format(columns=_columns(rule), key=sql.Identifier("s", source.key), table=source.table, given=_given(rule)),
        [f"{source.full_name}:", most],
    ).fetchall()
    return [Group(lock, keys) for lock, keys in found]


def count(connection: Connection, source: Source, rule: UniqueRule) -> tuple[int, int]:
    """Groups of more than one row, and rows of theirs that would go to the archive."""
    found = connection.execute(
        sql.SQL(
            "SELECT count(*), coalesce(sum(n - 1), 0)::bigint FROM "
            "(SELECT count(*) AS n FROM {} s WHERE {} GROUP BY {} HAVING count(*) > 1) g"
        ).format(source.table, _given(rule), _columns(rule))
    ).fetchone()
    assert found is not None  # an aggregate always answers
    return found[0], found[1]


def read(
    connection: Connection, source: Source, migration: DocumentMigration, rule: UniqueRule, table: Table, group: Group
) -> list[Member]:
    """The rows of ``group`` that are there, the one that stays first."""
    columns = list(dict.fromkeys([*migration.reads, *migration.columns, *migration.acting_as.values()]))
    found = connection.execute(
        sql.SQL(
            "SELECT {key}::text, {digest}, {key_and_columns} FROM {table} s WHERE {among} ORDER BY {newest}"
        ).format(
            key=sql.Identifier("s", source.key),
            digest=digest(document(table, "s")),
            key_and_columns=source.select_list([source.key, *columns], alias="s"),
            table=source.table,
            among=among(source),
            newest=newest_first(source, rule),
        ),
        [list(group.keys)],
    ).fetchall()
    return [Member(key, hashed, row_of([source.key, *columns], values)) for key, hashed, *values in found]


def standing(
    connection: Connection, source: Source, rule: UniqueRule, table: Table, group: Group
) -> list[tuple[str, str]]:
    """As ``read``, the keys and hashes alone."""
    found: list[tuple[str, str]] = connection.execute(
        sql.SQL("SELECT {}::text, {} FROM {} s WHERE {} ORDER BY {}").format(
            sql.Identifier("s", source.key),
            digest(document(table, "s")),
            source.table,
            among(source),
            newest_first(source, rule),
        ),
        [list(group.keys)],
    ).fetchall()
    return found


def lacking(migration: DocumentMigration, survivor: Member, loser: Member) -> list[str]:
    """What ``loser`` holds and ``survivor`` lacks, as the migration tells it."""
    try:
        return [str(each) for each in migration.lacks(survivor.row, loser.row)]
    except Exception as error:  # a migration's own code: what it cannot compare is archived whole like all else
        return [f"cannot be compared ({type(error).__name__}: {error})"[:300]]


def among(source: Source) -> sql.Composed:
    """The condition that ``s`` is a row of the keys that are given as a list of text."""
    return sql.SQL("{} = ANY (CAST(%s AS {}[]))").format(sql.Identifier("s", source.key), sql.SQL(source.key_type))


def newest_first(source: Source, rule: UniqueRule) -> sql.Composed:
    """The order of a group: newest first, NULL last, the key (descending) for what is equal."""
    columns = [sql.SQL("{} DESC NULLS LAST").format(sql.Identifier("s", column)) for column in rule.newest_first]
    return sql.SQL(", ").join([*columns, sql.SQL("{} DESC").format(sql.Identifier("s", source.key))])


def _columns(rule: UniqueRule) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier("s", column) for column in rule.columns)


def _given(rule: UniqueRule) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier("s", each)) for each in rule.columns)
