"""The connection to production. What its database raises is translated here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from maquette.errors import ConfigurationError, Conflict, InvalidInput, Transient

VARIABLE: Final = "MAQUETTE_PRODUCTION_URL"
IDLE_S: Final = 15
LOCKED_S: Final = 30


def connect(url: str | sa.URL) -> Engine:
    """An engine for the database of readers. Raises ``ConfigurationError``; nothing is connected to yet."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # The text may hold a password: it is not repeated, nor is the error that might.
        raise ConfigurationError(f"{VARIABLE} is no URL: set it to postgresql://user:password@host/database") from None
    if not parsed.drivername.startswith(("postgresql", "postgres")):
        raise ConfigurationError(
            f"production must be PostgreSQL, not {parsed.drivername}: set {VARIABLE} to "
            "postgresql://user:password@host/database"
        )
    return sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        # A publication takes minutes and a handful of transactions: no connection is worth keeping between two.
        poolclass=sa.NullPool,
        # Poolers, such as Supabase's, give each transaction another connection: nothing may be prepared on one.
        connect_args={"connect_timeout": 10, "application_name": "maquette", "prepare_threshold": None},
    )


@contextmanager
def transaction(engine: Engine, *, read_only: bool = False) -> Iterator[Connection]:
    """One transaction, committed at the end, rolled back when the block raises. Errors as in ``translated``."""
    with translated(), engine.connect() as connection:
        if read_only:
            connection = connection.execution_options(postgresql_readonly=True)
        with connection.begin():
            # A process that hangs frees its locks, and nobody's lock holds up a publication for ever.
            for name, seconds in (("idle_in_transaction_session_timeout", IDLE_S), ("lock_timeout", LOCKED_S)):
                connection.exec_driver_sql(f"SET LOCAL {name} = '{seconds}s'")
            yield connection


@contextmanager
def translated() -> Iterator[None]:
    """What production's database raises, as ours.

    ``Transient``: not reached, or locked. ``ConfigurationError``: rights are missing. ``Conflict``: it is not
    prepared, or refuses the rows. ``InvalidInput``: a value is no value for its column.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        cause = error.orig
        said = str(getattr(getattr(cause, "diag", None), "message_primary", None) or "")
        match cause:
            case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
                raise Conflict(f"production is not prepared ({said}): run `maquette draft production`") from error
            case psycopg.errors.InsufficientPrivilege():
                raise ConfigurationError(
                    f"production refuses this ({said}): give the user of {VARIABLE} the right to it"
                ) from error
            case psycopg.DataError():
                raise InvalidInput(f"production takes no such value ({said}): change it") from error
            case psycopg.OperationalError() | psycopg.InterfaceError():
                # What libpq says may repeat parts of a URL that was not understood, password included.
                if not said:
                    raise Transient(
                        f"production's database cannot be reached ({type(cause).__name__}): see that it runs and that "
                        f"{VARIABLE} is right, then try again"
                    ) from None
                raise Transient(f"production's database broke off ({said}): try again") from error
        raise Conflict(
            f"production refuses the rows ({said}): remove what stands in the way, then try again"
        ) from error
