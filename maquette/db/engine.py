"""The engine and its sessions. Services open ``Database.begin()``; the block's end commits."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlmodel import Session

from maquette.errors import ConfigurationError
from maquette.settings import Settings


def sqlalchemy_url(url: str) -> sa.URL:
    """``url`` with the psycopg driver. Raises ``ConfigurationError`` for anything but PostgreSQL."""
    parsed = sa.make_url(url)
    if not parsed.drivername.startswith(("postgresql", "postgres")):
        raise ConfigurationError(
            f"the application database must be PostgreSQL, not {parsed.drivername}: set MAQUETTE_DATABASE_URL to "
            "postgresql://user:password@host/database, or leave it empty for the embedded server"
        )
    return parsed.set(drivername="postgresql+psycopg")


IDLE_S = 15
# A host that vanished is noticed by the other side after a minute: 30 s of silence and 3 questions, 10 s apart.
KEEPALIVE = {"idle": 30, "interval": 10, "count": 3}


class Database:
    """One engine. Cheap to make, safe between threads, not across ``fork``."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.url = sqlalchemy_url(url)
        # pre-ping: the server may have been restarted since the connection was last used. The time-out frees
        # the rows of a process that was stopped in the midst of a transaction: others may then go on.
        options = {"idle_in_transaction_session_timeout": f"{IDLE_S}s"}
        options |= {f"tcp_keepalives_{name}": str(value) for name, value in KEEPALIVE.items()}
        self.engine: Engine = sa.create_engine(
            self.url,
            pool_pre_ping=True,
            pool_size=pool_size,
            max_overflow=20,
            connect_args={
                "connect_timeout": 10,
                "application_name": "maquette",
                "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            }
            | {f"keepalives_{name}": value for name, value in KEEPALIVE.items()},
        )

    @property
    def libpq_url(self) -> str:
        """The URL as psycopg itself takes it, password included: never log it."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back when the block raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


def database_from_settings(settings: Settings) -> Database:
    """The database of ``MAQUETTE_DATABASE_URL``; the stack sets it for the processes that it starts."""
    if settings.database_url is None:
        raise ConfigurationError(
            "no database: start the stack of this home with `maquette up`, or set MAQUETTE_DATABASE_URL"
        )
    return Database(settings.database_url.get_secret_value())
