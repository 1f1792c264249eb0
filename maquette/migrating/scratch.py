"""Databases that live for one check: made empty like the one they stand for, and gone at the end."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg
import sqlalchemy as sa
from psycopg import sql

from maquette.errors import ConfigurationError, StorageError
from maquette.migrating.source import Connection, connect

PREFIX: Final = "maquette_scratch_"


@dataclass
class Scratch:
    """A scratch database. ``kept`` may be set inside the block: then it stays for ``find``."""

    url: str
    name: str
    kept: bool = False


def name_of(run_id: UUID, purpose: str) -> str:
    """The name of a run's scratch database."""
    return f"{PREFIX}{run_id.hex}_{purpose}"


def at(url: str, database: str) -> str:
    """The URL of another database on the same server."""
    other = sa.make_url(url.replace("postgres://", "postgresql://", 1)).difference_update_query(["dbname"])
    return other.set(drivername="postgresql", database=database).render_as_string(hide_password=False)


@contextmanager
def scratch_database(url: str, name: str, *, server_url: str | None = None) -> Iterator[Scratch]:
    """An empty database ``name`` like that of ``url``, beside it or on the server of ``server_url``.

    Dropped at the end, whoever is connected. Raises ``ConfigurationError`` where the role may not make one.
    """
    beside = server_url or url
    with _open(url) as model, _open(beside) as server:
        _create(server, name, model)
    scratch = Scratch(at(beside, name), name)
    try:
        # Held open: who clears leftovers away sees that somebody is there.
        with _open(scratch.url):
            yield scratch
    finally:
        if not scratch.kept:
            drop(beside, name)


def drop(url: str, name: str) -> None:
    """Drop a scratch database on the server of ``url``; one that is gone is no error."""
    with _open(url) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def mark(url: str, name: str, text: str) -> None:
    """Write on a kept database what it holds."""
    with _open(url) as server:
        server.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(text)))


def find(url: str, name: str, text: str) -> bool:
    """Is there a kept database that was marked with ``text``?"""
    with _open(url) as server:
        found = server.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s AND shobj_description(oid, 'pg_database') = %s", [name, text]
        ).fetchone()
    return found is not None


def drop_leftovers(url: str, *, but: str = "") -> list[str]:
    """Drop scratch databases of killed runs on the server of ``url``: those that nobody is connected to."""
    dropped = []
    with _open(url) as server:
        names = server.execute(
            "SELECT datname FROM pg_database d WHERE starts_with(datname, %s) AND datname <> %s "
            "AND pg_has_role(datdba, 'USAGE') "
            "AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datid = d.oid) ORDER BY 1",
            [PREFIX, but],
        ).fetchall()
        for (name,) in names:
            # Without FORCE: who connected in this moment keeps it.
            with suppress(psycopg.errors.ObjectInUse, psycopg.errors.InvalidCatalogName):
                server.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
                dropped.append(name)
    return dropped


def _create(server: Connection, name: str, model: Connection) -> None:
    row = model.execute("SELECT to_jsonb(d) FROM pg_database d WHERE datname = current_database()").fetchone()
    assert row is not None  # we are connected to it
    like = row[0]
    encoding = model.execute("SELECT pg_encoding_to_char(%s)", [like["encoding"]]).fetchone()
    made = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {}").format(
        sql.Identifier(name), sql.Literal(encoding[0] if encoding else "UTF8")
    )
    locale = sql.SQL(" LC_COLLATE {} LC_CTYPE {}").format(
        sql.Literal(like["datcollate"]), sql.Literal(like["datctype"])
    )
    # PostgreSQL 17 renamed the column.
    rules = like.get("datlocale") or like.get("daticulocale")
    provider = {"i": "icu ICU_LOCALE", "b": "builtin BUILTIN_LOCALE"}.get(like.get("datlocprovider", "c"))
    if provider and rules:
        locale += sql.SQL(f" LOCALE_PROVIDER {provider} {{}}").format(sql.Literal(rules))
    try:
        try:
            server.execute(made + locale)
        except (psycopg.errors.WrongObjectType, psycopg.errors.InvalidParameterValue):
            # A server elsewhere may not know the locale; the rows are compared in an order that needs none.
            server.execute(made + sql.SQL(" LC_COLLATE 'C' LC_CTYPE 'C'"))
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"the role {server.info.user} may not create databases, and a backup is only trusted once it was restored: "
            f"ALTER ROLE {server.info.user} CREATEDB, or name a server for it with --scratch-url"
        ) from error
    except psycopg.errors.DiskFull as error:
        raise StorageError("no room left on the server for a scratch database", code="storage_full") from error


@contextmanager
def _open(url: str) -> Iterator[Connection]:
    connection = connect(url, name="maquette scratch")
    try:
        yield connection
    finally:
        connection.close()
