"""Fixtures of the whole suite: one PostgreSQL server a session, a fresh migrated database per test."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from maquette.db.embedded import embedded_postgres, ensure_database
from maquette.db.engine import Database
from maquette.launch import schema
from maquette.settings import Settings
from maquette.storage import store_from_settings
from maquette.storage.port import Store
from maquette.videos.service import Videos

# Prefect counts its users and its servers unless told not to; the suite reaches nothing but loopback.
os.environ |= {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

ROOT = Path(__file__).parents[1]
# Whole runs take longest: begun last, they would leave one worker alone at the end.
FIRST = ("flows", "durability")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of ``FIRST`` before the others, folder by folder: each folder has a server that takes long to start."""
    items.sort(key=lambda item: item.path.parent.name not in FIRST)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of the template database, migrated once."""
    # Not below pytest's own folder: as root the server runs as another user, and a second pytest closes that folder.
    with (
        TemporaryDirectory(prefix="maquette-pg-") as folder,
        embedded_postgres(Path(folder), database="template") as url,
    ):
        schema.upgrade(url, code=ROOT)
        _forget_power_cuts(url)
        yield url


def _forget_power_cuts(url: str) -> None:
    """Let the suite's own server wait for no disk: tests kill processes, never the machine."""
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with engine.connect() as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.exec_driver_sql(f"ALTER SYSTEM SET {name} = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    engine.dispose()


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """URL of a database of the test's own."""
    name = f"test_{uuid4().hex}"
    admin = sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    yield ensure_database(admin, name, template="template")
    engine = sa.create_engine(
        sa.make_url(admin).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The test's database."""
    database = Database(database_url)
    yield database
    database.dispose()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a home of the test's own, with clips that need no drawing."""
    return Settings(
        home=tmp_path / "home",
        database_url=SecretStr(database_url),
        local_instant=True,
        clip_backoff_s=0,
        clip_poll_s=0.01,
    )


@pytest.fixture
def store(settings: Settings) -> Store:
    """The home's store."""
    return store_from_settings(settings)


@pytest.fixture
def videos(database: Database, store: Store, settings: Settings) -> Videos:
    """The use cases of videos."""
    return Videos(database, store, settings)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as Prefect does."""
    return "asyncio"
