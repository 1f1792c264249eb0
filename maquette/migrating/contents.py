"""What a table holds, as text that is the same on every server: its rows, their number and one hash over them."""

import gzip
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Final

import psycopg
from psycopg import sql
from pydantic import BaseModel

from maquette.errors import ConfigurationError, StackError, StorageError
from maquette.migrating.source import Connection, connect

# Light compression: the backup is waited for.
_LEVEL: Final = 3
LOCK_WAIT_MS: Final = 60_000


class Content(BaseModel):
    """A table's rows at one moment. ``sha256`` is over PostgreSQL's COPY text of ``columns``, ordered."""

    space: str
    """The table's schema."""
    name: str
    columns: list[str]
    """All but generated ones, which follow from the others."""
    ordered_by: list[str]
    """The primary key, else all columns."""
    rows: int = 0
    sha256: str = ""
    file: str | None = None
    """Name of the file with the rows, compressed, where they were kept."""

    @property
    def table(self) -> str:
        """``schema.name`` for people."""
        return f"{self.space}.{self.name}"


@contextmanager
def database_errors(what: str) -> Iterator[None]:
    """What psycopg raises becomes ``StackError``; ``StorageError`` (``storage_full``) where the server has no room."""
    try:
        yield
    except psycopg.errors.DiskFull as error:
        raise StorageError(f"no room left on the server for {what}", code="storage_full") from error
    except psycopg.Error as error:
        reason = error.diag.message_primary or type(error).__name__
        raise StackError(f"the database refused {what} ({reason}): put that right, then start again") from error


@contextmanager
def reading(url: str, *, name: str = "maquette backup") -> Iterator[Connection]:
    """A connection whose reads are whole: where a policy would hide rows, reading raises instead."""
    connection = connect(url, name=name)
    try:
        connection.execute("SET row_security = off")
        connection.execute("SET search_path = pg_catalog")
        # A table that somebody holds locked for longer is not worth a snapshot that stays open.
        connection.execute(f"SET lock_timeout = {LOCK_WAIT_MS}")
        yield connection
    finally:
        connection.close()


def describe(connection: Connection, space: str, name: str) -> Content:
    """The table's columns and their order; an empty list of columns where it is not there."""
    columns = connection.execute(
        "SELECT a.attname, a.attgenerated <> '', a.attnum = ANY (i.indkey) FROM pg_attribute a "
        "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary "
        "WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped "
        "ORDER BY array_position(i.indkey::int2[], a.attnum), a.attnum",
        [space, name],
    ).fetchall()
    plain = [column for column, generated, _ in columns if not generated]
    key = [column for column, _, in_key in columns if in_key]
    return Content(space=space, name=name, columns=plain, ordered_by=key or plain)


def query(connection: Connection, content: Content) -> sql.Composed:
    """The rows of ``content`` in their order."""
    collatable = {
        column
        for (column,) in connection.execute(
            "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relname = %s AND a.attcollation <> 0",
            [content.space, content.name],
        )
    }
    has_key = content.ordered_by != content.columns
    order = [
        # json and others have no order of their own; and that of words differs from machine to machine.
        sql.SQL('{}::text COLLATE "C"' if column in collatable or not has_key else "{}").format(
            sql.Identifier("t", column)
        )
        for column in content.ordered_by
    ]
    return sql.SQL("SELECT {} FROM {} t ORDER BY {}").format(
        sql.SQL(", ").join(sql.Identifier("t", column) for column in content.columns),
        sql.Identifier(content.space, content.name),
        sql.SQL(", ").join(order) if order else sql.SQL("1"),
    )


def lines(connection: Connection, content: Content) -> Iterator[bytes]:
    """The rows as COPY's lines. Raises ``ConfigurationError`` where policies would hide some of them."""
    try:
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY ({}) TO STDOUT").format(query(connection, content))) as copy,
        ):
            for block in copy:
                yield bytes(block)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"the role {connection.info.user} may not read all rows of {content.table} "
            f"({error.diag.message_primary}): connect as the table's owner, or as a role with BYPASSRLS"
        ) from error


def read(connection: Connection, content: Content, *, into: IO[bytes] | None = None) -> Content:
    """Count and hash the rows; keep them, compressed, in ``into``."""
    digest, rows = hashlib.sha256(), 0
    packed = gzip.GzipFile(filename="", mode="wb", fileobj=into, mtime=0, compresslevel=_LEVEL) if into else None
    for line in lines(connection, content):
        digest.update(line)
        rows += line.count(b"\n")
        if packed:
            packed.write(line)
    if packed:
        packed.close()
    return content.model_copy(update={"rows": rows, "sha256": digest.hexdigest()})


def of_file(packed: IO[bytes]) -> tuple[int, str]:
    """Rows and hash of a file of rows. Raises ``OSError`` or ``EOFError`` where it is damaged."""
    digest, rows = hashlib.sha256(), 0
    with gzip.GzipFile(fileobj=packed) as file:
        while block := file.read(1 << 20):
            digest.update(block)
            rows += block.count(b"\n")
    return rows, digest.hexdigest()


def kept(before: Iterator[bytes], after: Iterator[bytes]) -> bool:
    """Are all lines of ``before`` there in ``after``, in the same order? Others may have come between them."""
    return all(any(line == other for other in after) for line in before)


def all_tables(connection: Connection) -> Sequence[Content]:
    """Every table of the database with rows of its own, those of PostgreSQL itself left out."""
    found = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' "
        "AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%' ORDER BY 1, 2"
    ).fetchall()
    return [describe(connection, space, name) for space, name in found]
