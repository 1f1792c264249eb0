"""Rows as the archive keeps them, whole, and the way back into their table."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from maquette.migrating.source import Connection


@dataclass(frozen=True)
class Table:
    """A table whose rows may go to the archive."""

    oid: int
    schema: str
    bare_name: str
    columns: tuple[str, ...]
    written: tuple[str, ...]
    """Columns that can be written: all but generated ones."""
    verbatim: frozenset[str]
    """Columns of type json: jsonb would lose spaces and doubled keys of theirs, and refuses ``\\u0000``."""
    documents: frozenset[str]
    """Columns of type jsonb."""
    nullable: frozenset[str]
    """Those of ``documents`` that may be NULL, which is not the document ``null``."""
    key: tuple[str, ...]
    """The primary key; empty where there is none."""

    @property
    def name(self) -> str:
        """``schema.name``, for people and the archive."""
        return f"{self.schema}.{self.bare_name}"

    @property
    def quoted(self) -> sql.Identifier:
        """The table in SQL."""
        return sql.Identifier(self.schema, self.bare_name)


@dataclass(frozen=True)
class Reference:
    """A foreign key: ``columns`` of ``child`` point at ``refers`` of ``parent``."""

    child: Table
    columns: tuple[str, ...]
    parent: Table
    refers: tuple[str, ...]
    may_lock: bool
    """May this role lock rows of ``parent``?"""

    def joins(self, child: str, parent: str) -> sql.Composed:
        """The condition that the row of alias ``child`` points at that of alias ``parent``."""
        return sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier(child, column), sql.Identifier(parent, referred))
            for column, referred in zip(self.columns, self.refers, strict=True)
        )


@dataclass(frozen=True)
class Keys:
    """The foreign keys of a database."""

    references: Sequence[Reference]

    def to(self, table: Table) -> list[Reference]:
        """Those that point at ``table``."""
        return [each for each in self.references if each.parent.oid == table.oid]

    def of(self, table: Table) -> list[Reference]:
        """Those that ``table`` itself has."""
        return [each for each in self.references if each.child.oid == table.oid]


def read_table(connection: Connection, oid: int) -> Table:
    """What the catalog says of the table."""
    found = connection.execute(
        "SELECT n.nspname::text, c.relname::text, array_agg(a.attname::text ORDER BY a.attnum), "
        "coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = ''), '{}'), "
        "coalesce(array_agg(a.attname::text) FILTER (WHERE 'json'::regtype IN (t.oid, t.typbasetype)), '{}'), "
        "coalesce(array_agg(a.attname::text) FILTER (WHERE 'jsonb'::regtype IN (t.oid, t.typbasetype)), '{}'), "
        "coalesce(array_agg(a.attname::text) FILTER (WHERE 'jsonb'::regtype IN (t.oid, t.typbasetype) "
        "                                            AND NOT a.attnotnull), '{}'), "
        "coalesce((SELECT array_agg(k.attname::text) FROM pg_index i JOIN pg_attribute k "
        "          ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey) "
        "          WHERE i.indrelid = c.oid AND i.indisprimary), '{}') "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid "
        "JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE c.oid = %s AND a.attnum > 0 AND NOT a.attisdropped GROUP BY c.oid, 1, 2",
        [oid],
    ).fetchone()
    assert found is not None  # the oid comes from the catalog
    schema, name, columns, written, verbatim, documents, nullable, key = found
    return Table(
        oid, schema, name, tuple(columns), tuple(written), frozenset(verbatim), frozenset(documents),
        frozenset(nullable), tuple(key),
    )  # fmt: skip


def find_table(connection: Connection, schema: str, name: str) -> Table | None:
    """The table of that name, if there is one."""
    found = connection.execute(
        "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')",
        [schema, name],
    ).fetchone()
    return None if found is None else read_table(connection, found[0])


def read_keys(connection: Connection) -> Keys:
    """All foreign keys; those of a partition are its parent's."""
    found = connection.execute(
        "SELECT k.conrelid, k.confrelid, "
        "(SELECT array_agg(a.attname::text ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY u(number, n) "
        " JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number), "
        "(SELECT array_agg(a.attname::text ORDER BY u.n) FROM unnest(k.confkey) WITH ORDINALITY u(number, n) "
        " JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number), "
        "has_any_column_privilege(k.confrelid, 'UPDATE') "
        "FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conrelid, k.conname"
    ).fetchall()
    tables = {oid: read_table(connection, oid) for row in found for oid in row[:2]}
    return Keys([
        Reference(tables[child], tuple(columns), tables[parent], tuple(refers), may_lock)
        for child, parent, columns, refers, may_lock in found
    ])  # fmt: skip


def document(table: Table, alias: str) -> sql.Composable:
    """The row of ``alias`` as jsonb, every column of it: microseconds and the digits of numbers are kept.

    A jsonb column that is NULL is left out, for ``null`` is a document.
    """
    whole = _whole(table, alias)
    for column in sorted(table.nullable):
        whole = sql.SQL("({} - CASE WHEN {} IS NULL THEN {} ELSE '' END)").format(
            whole, sql.Identifier(alias, column), sql.Literal(column)
        )
    return whole


def _whole(table: Table, alias: str) -> sql.Composable:
    if not table.verbatim:
        return sql.SQL("to_jsonb({})").format(sql.Identifier(alias))
    columns = sql.SQL(", ").join(
        sql.SQL("{}::text AS {}").format(sql.Identifier(alias, column), sql.Identifier(column))
        if column in table.verbatim
        else sql.Identifier(alias, column)
        for column in table.columns
    )
    return sql.SQL("(SELECT to_jsonb(r) FROM (SELECT {}) r)").format(columns)


def digest(value: sql.Composable) -> sql.Composed:
    """sha256 of a jsonb value's text, which PostgreSQL writes in one way only."""
    return sql.SQL("encode(sha256(convert_to(({})::text, 'UTF8')), 'hex')").format(value)


def put_back(connection: Connection, keys: Keys, table: Table, row: str) -> bool:
    """Insert an archived row (jsonb's text) as it was; ``False`` where its place is taken or a parent is gone.

    Looks for the parents itself: foreign keys are not checked while the engine writes quietly.
    """
    for reference in keys.of(table):
        points = connection.execute(
            sql.SQL("SELECT {} FROM jsonb_populate_record(NULL::{}, %s::jsonb) r").format(
                sql.SQL(" AND ").join(
                    sql.SQL("{} IS NOT NULL").format(sql.Identifier("r", column)) for column in reference.columns
                ),
                table.quoted,
            ),
            [row],
        ).fetchone()
        if points == (True,) and not _parent_is_there(connection, reference, row):
            return False
    values = sql.SQL(", ").join(
        sql.SQL("(%(row)s::jsonb ->> {})::json").format(column)
        if column in table.verbatim
        else sql.SQL("%(row)s::jsonb -> {}").format(column)
        if column in table.documents
        else sql.Identifier("r", column)
        for column in table.written
    )
    inserted = connection.execute(
        sql.SQL(
            "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE "
            "SELECT {values} FROM jsonb_populate_record(NULL::{table}, %(row)s::jsonb) r ON CONFLICT DO NOTHING"
        ).format(table=table.quoted, columns=sql.SQL(", ").join(map(sql.Identifier, table.written)), values=values),
        {"row": row},
    )
    return inserted.rowcount == 1


def _parent_is_there(connection: Connection, reference: Reference, row: str) -> bool:
    return (
        connection.execute(
            sql.SQL("SELECT 1 FROM {} p, jsonb_populate_record(NULL::{}, %s::jsonb) r WHERE {} {}").format(
                reference.parent.quoted,
                reference.child.quoted,
                reference.joins("r", "p"),
                sql.SQL("FOR KEY SHARE OF p" if reference.may_lock else ""),
            ),
            [row],
        ).fetchone()
        is not None
    )
