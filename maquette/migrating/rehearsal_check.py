"""What a rehearsal compares: the tables as they were restored, its own few writes, and what is there at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg
from psycopg import sql
from pydantic import JsonValue

from maquette.migrating import exact
from maquette.migrating.contents import Content
from maquette.migrating.definition import DocumentMigration, Row
from maquette.migrating.models import SCHEMA
from maquette.migrating.source import Connection, Source, row_of

_SPACE: Final = "maquette_rehearsal"
_WRITTEN_KEYS: Final = 3


@dataclass(frozen=True)
class Written:
    """A write of the rehearsal: the row, and the documents that the old table must hold after the way back."""

    key: str
    side: str
    expected: str


def remember(connection: Connection, tables: Sequence[Content]) -> None:
    """Keep the tables as they are, beside them."""
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(_SPACE)))
    for table in tables:
        connection.execute(
            sql.SQL("CREATE TABLE {} AS SELECT {} FROM {}").format(
                _before(table), _columns(table), sql.Identifier(table.space, table.name)
            )
        )


def write(
    connection: Connection, source: Source, migration: DocumentMigration
) -> tuple[list[Written], dict[str, JsonValue]]:
    """Write as an application does, once in each shape: a row takes over the documents of another one.

    So what is written is valid, whatever the migration is about. Answers with what was written, and by side why the
    table refused: its constraints may forbid two rows with the same documents.
    """
    keys = [
        key
        for (key,) in connection.execute(
            sql.SQL("SELECT {key}::text FROM {current} WHERE is_new ORDER BY {key} LIMIT {limit}").format(
                key=sql.Identifier(source.key), current=source.current, limit=sql.Literal(_WRITTEN_KEYS)
            )
        )
    ]
    written: list[Written] = []
    refused: dict[str, JsonValue] = {}
    if not keys:
        return written, refused
    donor = keys[-1]
    # Of a row alone only the new shape: the second write would hide the first.
    sides = [("old", keys[0], source.table)] if len(keys) > 1 else []
    columns = sql.SQL(", ").join(map(sql.Identifier, migration.columns))
    for side, key, relation in [*sides, ("new", keys[len(keys) // 2], source.current)]:
        before = _shown(connection, source, migration, key)
        try:
            with connection.transaction():
                _act_as(connection, source, migration, key)
                connection.execute(
                    sql.SQL(
                        "UPDATE {relation} SET ({columns}) = (SELECT {columns} FROM {relation} d "
                        "WHERE d.{key} = CAST(%s AS {type})) WHERE {key} = CAST(%s AS {type})"
                    ).format(
                        relation=relation,
                        columns=columns,
                        key=sql.Identifier(source.key),
                        type=sql.SQL(source.key_type),
                    ),
                    [donor, key],
                )
                # By now: the table's own triggers may have written the columns that the inverse reads.
                expected = _expected(connection, source, migration, before=before, key=key, donor=donor, side=side)
        except psycopg.Error as error:
            refused[side] = error.diag.message_primary or type(error).__name__
        else:
            written.append(Written(key, side, expected))
    return written, refused


def differences(
    connection: Connection,
    source: Source,
    migration: DocumentMigration,
    *,
    tables: Sequence[Content],
    run_id: UUID,
    written: Sequence[Written],
) -> list[str]:
    """How the tables differ from the backup plus ``written``, in words; archived duplicates are accounted for."""
    main, children = tables[0], tables[1:]
    archived = {
        key
        for (key,) in connection.execute(
            f"SELECT key FROM {SCHEMA}.archive WHERE run_id = %s AND table_name = %s AND restored_at IS NULL "
            "AND reason <> 'not_invertible'",
            [run_id, source.full_name],
        )
    }
    expected = {write.key: write for write in written}
    found = []
    key = sql.Identifier(source.key)
    rows = connection.execute(
        sql.SQL(
            "SELECT coalesce(b.{key}, a.{key})::text, b.{key} IS NULL, a.{key} IS NULL "
            "FROM {before} b FULL JOIN {table} a ON a.{key} = b.{key} "
            "WHERE b.{key} IS NULL OR a.{key} IS NULL OR ROW({b})::text IS DISTINCT FROM ROW({a})::text"
        ).format(key=key, before=_before(main), table=source.table, a=_columns(main, "a"), b=_columns(main, "b"))
    ).fetchall()
    for row_key, is_added, is_missing in rows:
        if is_added:
            found.append(f"row {row_key} came from nowhere")
        elif is_missing and row_key not in archived:
            found.append(f"row {row_key} is lost")
        elif not is_missing and row_key not in expected:
            found.append(f"row {row_key} has changed")
    back = {row_key for row_key, _, is_missing in rows if is_missing}
    found += [f"row {row_key} is in the archive and in the table" for row_key in sorted(archived - back)]
    for row_key, write in expected.items():
        if _documents(connection, source, migration, row_key) != write.expected:
            found.append(f"the write of row {row_key} in the {write.side} shape is lost")
    for child in children:
        found += _lost_children(connection, source, child, archived)
    return found


def _lost_children(connection: Connection, source: Source, child: Content, archived: set[str]) -> list[str]:
    columns = [each.column for each in source.children if each.table_name == child.table]
    of_archived = sql.SQL(" OR ").join(
        sql.SQL("{}::text = ANY (%(archived)s)").format(sql.Identifier("b", column)) for column in columns
    )
    row = connection.execute(
        sql.SQL(
            "SELECT count(*) FROM (SELECT ROW({b})::text FROM {before} b WHERE NOT coalesce({of_archived}, false) "
            "EXCEPT ALL SELECT ROW({a})::text FROM {table} a) lost"
        ).format(
            a=_columns(child, "a"), b=_columns(child, "b"), before=_before(child), of_archived=of_archived,
            table=sql.Identifier(child.space, child.name),
        ),
        {"archived": sorted(archived)},
    ).fetchone()  # fmt: skip
    return [f"{row[0]} rows of {child.table} are lost or have changed"] if row and row[0] else []


def _expected(
    connection: Connection,
    source: Source,
    migration: DocumentMigration,
    *,
    before: Row,
    key: str,
    donor: str,
    side: str,
) -> str:
    """The documents of ``donor``; of the new shape, their inverse as the row ``key`` has it."""
    if side == "old":
        return _documents(connection, source, migration, donor)
    taken_over = {column: _shown(connection, source, migration, donor)[column] for column in migration.columns}
    if exact.dumps(taken_over) == exact.dumps({column: before[column] for column in migration.columns}):
        return _documents(connection, source, migration, key)  # no new document: the old one stays
    row = _shown(connection, source, migration, key) | taken_over
    return exact.dumps({column: migration.inverse(row)[column] for column in migration.columns})


def _shown(connection: Connection, source: Source, migration: DocumentMigration, key: str) -> Row:
    """What readers of the view find."""
    columns = [source.key, *migration.reads, *migration.columns]
    values = connection.execute(
        sql.SQL("SELECT {} FROM {} v WHERE v.{} = CAST(%s AS {})").format(
            source.select_list(columns, alias="v"), source.current, sql.Identifier(source.key),
            sql.SQL(source.key_type),
        ),
        [key],
    ).fetchone()  # fmt: skip
    assert values is not None  # it was just listed
    return row_of(columns, values)


def _documents(connection: Connection, source: Source, migration: DocumentMigration, key: str) -> str:
    values = connection.execute(
        sql.SQL("SELECT {} FROM {} t WHERE t.{} = CAST(%s AS {})").format(
            source.select_list(migration.columns, alias="t"), source.table, sql.Identifier(source.key),
            sql.SQL(source.key_type),
        ),
        [key],
    ).fetchone()  # fmt: skip
    return "" if values is None else exact.dumps(row_of(migration.columns, values))


def _act_as(connection: Connection, source: Source, migration: DocumentMigration, key: str) -> None:
    for setting, column in migration.acting_as.items():
        connection.execute(
            sql.SQL("SELECT set_config(%s, coalesce({}::text, ''), true) FROM {} WHERE {} = CAST(%s AS {})").format(
                sql.Identifier(column), source.table, sql.Identifier(source.key), sql.SQL(source.key_type)
            ),
            [setting, key],
        )


def _before(table: Content) -> sql.Identifier:
    return sql.Identifier(_SPACE, f"{table.space}.{table.name}"[:63])


def _columns(table: Content, alias: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.Identifier(alias, column) if alias else sql.Identifier(column) for column in table.columns
    )
