"""Fixtures of the whole suite: one PostgreSQL server a session, a fresh migrated database per test."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from maquette.db.embedded import embedded_postgres, ensure_database
from maquette.db.engine import Database
from maquette.launch import schema
from maquette.settings import Settings
from maquette.storage import store_from_settings
from maquette.storage.port import Store
from maquette.videos.service import Videos
from tests.memory import MEMORY

# Prefect counts its users and its servers unless told not to; the suite reaches nothing but loopback.
os.environ |= {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

# The suite's modules stay to the end: by default the collector goes through them again and again.
gc.set_threshold(10_000, 10, 10)

ROOT = Path(__file__).parents[1]
# Whole runs take longest: begun last, they would leave one worker alone at the end.
FIRST = ("durability", "flows", "worker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of ``FIRST`` before the others, folder by folder: each folder has a server that takes long to start."""
    items.sort(key=lambda item: item.path.parent.name not in FIRST)


def pytest_collection_finish() -> None:
    """Leave what was collected out of every later look for garbage."""
    gc.collect()
    gc.freeze()


class _ByServer(LoadFileScheduling):  # type: ignore[misc]
    """A process takes a file at a time, but a folder of ``FIRST`` as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        folder = Path(nodeid.partition("::")[0]).parent
        return str(folder) if folder.name in FIRST else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _ByServer | None:
    """Instead of ``--dist loadfile``."""
    return _ByServer(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of the template database, migrated once."""
    # Not below pytest's own folder: as root the server runs as another user, and a second pytest closes that folder.
    with (
        TemporaryDirectory(prefix="maquette-pg-", dir=MEMORY) as folder,
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
        if MEMORY:  # which the log should not fill
            connection.exec_driver_sql("ALTER SYSTEM SET max_wal_size = '256MB'")
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
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings without keys, whatever the environment holds."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MAQUETTE_{name.upper()}", raising=False)
    return Settings(home=tmp_path)


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
