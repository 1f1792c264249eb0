"""Connections to the database that is migrated, and what its catalog says of the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow
from psycopg.types.json import JsonbLoader, JsonLoader, set_json_dumps

from maquette.errors import ConfigurationError, InvalidInput, StackError
from maquette.migrating import exact
from maquette.migrating.definition import DocumentMigration, Row

Connection = psycopg.Connection[TupleRow]

# Text of values must be the same on every server and in every restore: hashes are taken over it.
_PINNED: Final = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # A partner that went away without a word must not hold its turn for hours.
    "tcp_keepalives_idle": "30",
}
_NATIVE: Final = {"json", "jsonb", "boolean", "smallint", "integer", "bigint"}


def connect(url: str, *, name: str = "maquette migration") -> Connection:
    """An autocommit connection with pinned settings. Raises ``StackError`` without the URL's password."""
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    if not plain.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError("the database must be PostgreSQL: give postgresql://user:password@host/database")
    options = " ".join(f"-c {key}={value.replace(' ', chr(92) + ' ')}" for key, value in _PINNED.items())
    try:
        connection = psycopg.connect(plain, autocommit=True, connect_timeout=10, application_name=name, options=options)
    except psycopg.OperationalError as error:
        raise StackError(f"the database does not answer ({_without_password(error, plain)}): check the URL") from None
    if connection.info.server_version < 140_000:
        version = connection.info.server_version // 10_000
        connection.close()
        raise ConfigurationError(f"the server is PostgreSQL {version}: migrations need 14 or newer")
    if connection.info.encoding != "utf-8":
        connection.execute("SET client_encoding TO 'UTF8'")
    connection.adapters.register_loader("json", _Json)
    connection.adapters.register_loader("jsonb", _Jsonb)
    set_json_dumps(exact.dumps, connection)
    return connection


class _Json(JsonLoader):
    """The type json, whose text is kept as it was written: a key may be there twice."""

    _loads = staticmethod(exact.read_json)


class _Jsonb(JsonbLoader):
    """The type jsonb."""

    _loads = staticmethod(exact.read)


def _without_password(error: Exception, url: str) -> str:
    password = psycopg.conninfo.conninfo_to_dict(url).get("password")
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return text.replace(str(password), "***") if password else text


@dataclass(frozen=True)
class Child:
    """A foreign key that points at the table."""

    table: sql.Identifier
    table_name: str
    column: str
    on_delete: str


@dataclass(frozen=True)
class Source:
    """The table of a migration, as the catalog describes it."""

    schema: str
    name: str
    key: str
    key_type: str
    types: Mapping[str, str]
    """SQL type by column, in the table's order."""
    generated: frozenset[str]
    not_null: frozenset[str]
    identity: frozenset[str]
    """Columns that are ``GENERATED … AS IDENTITY``."""
    children: Sequence[Child]
    triggers: Sequence[str]
    row_security: bool
    is_partitioned: bool
    migration: str

    @property
    def table(self) -> sql.Identifier:
        """The table, quoted, with its schema."""
        return sql.Identifier(self.schema, self.name)

    @property
    def full_name(self) -> str:
        """``schema.name`` for people."""
        return f"{self.schema}.{self.name}"

    @property
    def new_table(self) -> sql.Identifier:
        """The table beside it that holds the new shape by key."""
        return sql.Identifier(self.schema, self.new_name)

    @property
    def new_name(self) -> str:
        """Its name: PostgreSQL cuts names at 63 bytes, so it is made from the migration's."""
        return f"{self.migration}_new"

    @property
    def current(self) -> sql.Identifier:
        """The view that shows each row in the shape that is read now."""
        return sql.Identifier(self.schema, self.current_name)

    @property
    def current_name(self) -> str:
        """The view's name."""
        return f"{self.migration}_current"

    def select_list(self, columns: Sequence[str], *, alias: str) -> sql.Composable:
        """``columns`` as a ``Row`` gives them: native where that loses nothing, else as text."""
        return sql.SQL(", ").join(
            sql.Identifier(alias, column)
            if self.types[column] in _NATIVE
            else sql.SQL("{}::text").format(sql.Identifier(alias, column))
            for column in columns
        )


def row_of(columns: Sequence[str], values: Sequence[Any]) -> Row:
    """One fetched row by column."""
    return dict(zip(columns, values, strict=True))


def read_source(connection: Connection, migration: DocumentMigration) -> Source:
    """Look the table up. Raises ``InvalidInput`` with what is missing."""
    schema, name = f"public.{migration.table}".split(".")[-2:]
    found = connection.execute(
        "SELECT c.oid, c.relrowsecurity, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')",
        [schema, name],
    ).fetchone()
    if found is None:
        raise InvalidInput(f"there is no table {schema}.{name} in this database: check the URL and the migration")
    oid, row_security, kind = found
    columns = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod), attgenerated <> '', attnotnull, attidentity <> '' "
        "FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [oid],
    ).fetchall()
    types = {column: type_name for column, type_name, *_ in columns}
    unknown = [each for each in (migration.key, *migration.columns, *migration.reads) if each not in types]
    if unknown:
        raise InvalidInput(f"{schema}.{name} has no column {', '.join(unknown)}: it has {', '.join(types)}")
    primary = connection.execute(
        "SELECT array_agg(a.attname) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid "
        "AND a.attnum = ANY(i.indkey) WHERE i.indrelid = %s AND i.indisprimary",
        [oid],
    ).fetchone()
    if primary is None or primary[0] != [migration.key]:
        raise InvalidInput(
            f"the primary key of {schema}.{name} must be the one column {migration.key}: it is "
            f"{', '.join(primary[0]) if primary and primary[0] else 'missing'}"
        )
    children = connection.execute(
        "SELECT n.nspname, c.relname, a.attname, k.confdeltype FROM pg_constraint k "
        "JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] "
        "WHERE k.confrelid = %s AND k.contype = 'f' AND k.conparentid = 0 "
        "ORDER BY 1, 2, 3",
        [oid],
    ).fetchall()
    triggers = connection.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = %s AND NOT tgisinternal AND tgenabled <> 'D' "
        "AND tgname NOT LIKE 'maquette\\_%%' ORDER BY 1",
        [oid],
    ).fetchall()
    return Source(
        schema=schema,
        name=name,
        key=migration.key,
        key_type=types[migration.key],
        types=types,
        generated=frozenset(column for column, _, is_generated, *_ in columns if is_generated),
        not_null=frozenset(column for column, _, _, is_not_null, _ in columns if is_not_null),
        identity=frozenset(column for column, *_, is_identity in columns if is_identity),
        children=[
            Child(sql.Identifier(space, table), f"{space}.{table}", column, action)
            for space, table, column, action in children
        ],
        triggers=[trigger for (trigger,) in triggers],
        row_security=bool(row_security),
        is_partitioned=kind == "p",
        migration=migration.name,
    )
