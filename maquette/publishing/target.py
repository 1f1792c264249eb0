"""Production as a place to publish to: another's database, or one of our own beside the application's."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from maquette.db.embedded import ensure_database
from maquette.db.engine import Database
from maquette.errors import ConfigurationError, Conflict
from maquette.publishing import production
from maquette.publishing.connection import VARIABLE, connect, transaction
from maquette.publishing.univers import METADATA
from maquette.settings import Settings

OWN_DATABASE: Final = "production"


class Production:
    """The database of ``engine``. With ``beside``, the application's, it is our own: made and prepared by itself."""

    def __init__(self, engine: Engine, *, beside: Database | None = None) -> None:
        self.engine = engine
        self._beside = beside
        self._mutex = threading.Lock()
        self._ready = False

    @property
    def name(self) -> str:
        """Which database it is, without secrets; our own moves with the application's."""
        url = self.engine.url
        return "beside" if self._beside is not None else f"{url.host or ''}:{url.port or 5432}/{url.database}"

    def make_ready(self) -> None:
        """Make and prepare our own; of another's, see that it is prepared.

        Raises ``Conflict`` that names the command, ``ConfigurationError`` and ``Transient``.
        """
        with self._mutex:
            if self._ready:
                return
            if self._beside is not None:
                self._make()
                production.prepare(self.engine, dry_run=False)
            elif absent := self.missing():
                raise Conflict(f"production has no {', '.join(absent)}: run {production.COMMAND}")
            self._ready = True

    def prepare(self, *, dry_run: bool) -> list[str]:
        """The statements that make what is missing; run, unless it is a ``dry_run``. As ``production.prepare``."""
        if self._beside is not None and not self._made():
            if dry_run:
                return [f"CREATE DATABASE {OWN_DATABASE}", *production.statements_for_nothing()]
            self._make()
        return production.prepare(self.engine, dry_run=dry_run)

    def missing(self) -> list[str]:
        """Tables and columns that publishing needs and production has not. Nothing is made."""
        if self._beside is not None and not self._made():
            return [table.name for table in METADATA.sorted_tables]
        with self.transaction(read_only=True) as connection:
            return production.missing(connection)

    @contextmanager
    def transaction(self, *, read_only: bool = False) -> Iterator[Connection]:
        """As ``connection.transaction``."""
        with transaction(self.engine, read_only=read_only) as connection:
            yield connection

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _made(self) -> bool:
        assert self._beside is not None
        with self._beside.begin() as session:
            known = sa.text("SELECT EXISTS (SELECT FROM pg_database WHERE datname = :name)")
            return bool(session.execute(known, {"name": OWN_DATABASE}).scalar())

    def _make(self) -> None:
        assert self._beside is not None
        if self._made():
            return
        try:
            ensure_database(self._beside.libpq_url, OWN_DATABASE)
        except sa.exc.DBAPIError as error:
            if not self._made():  # else another process made it first
                raise ConfigurationError(
                    f"no database {OWN_DATABASE} could be made beside the application's "
                    f"({type(error.orig).__name__}): set {VARIABLE}, or let the user create databases"
                ) from error


def production_from_settings(settings: Settings, database: Database) -> Production:
    """The database of ``MAQUETTE_PRODUCTION_URL``, or ``production`` beside ``database``, which is our own."""
    if settings.production_url is not None:
        return Production(connect(settings.production_url.get_secret_value()))
    if database.url.database == OWN_DATABASE:
        raise ConfigurationError(
            f"the application's database has the name {OWN_DATABASE} itself: set {VARIABLE} to that of the readers"
        )
    return Production(connect(database.url.set(database=OWN_DATABASE)), beside=database)
