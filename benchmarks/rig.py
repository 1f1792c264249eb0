"""A stack of a bench's own: a temporary home, free ports, and none of the person's settings."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from maquette.db.embedded import embedded_postgres
from maquette.db.engine import Database
from maquette.launch import schema

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """A port of loopback that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def forget_settings() -> None:
    """Take the person's settings out of the environment: a bench never meets their keys or their data."""
    for name in [name for name in os.environ if name.startswith(("MAQUETTE_", "PREFECT_"))]:
        del os.environ[name]


@contextmanager
def bench_home(told: Mapping[str, str]) -> Iterator[Path]:
    """A temporary home; ``told`` (names without prefix) and the home become the environment's settings.

    To be entered before Prefect is imported, which reads its own settings then.
    """
    forget_settings()
    with TemporaryDirectory(prefix="maquette-bench-") as folder:
        home = Path(folder)
        port = free_port()
        os.environ |= {f"MAQUETTE_{name.upper()}": value for name, value in told.items()}
        os.environ |= {"MAQUETTE_HOME": str(home), "MAQUETTE_PREFECT_PORT": str(port)}
        os.environ |= {
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_LOCAL_STORAGE_PATH": str(home / "prefect" / "storage"),
            "PREFECT_LOGGING_LEVEL": "WARNING",
        }
        yield home


@contextmanager
def bench_database(*, connections: int = 5) -> Iterator[Database]:
    """A migrated database of the bench's own, on a PostgreSQL in a home of its own, without Prefect."""
    with bench_home({}) as home, embedded_postgres(home) as url:
        schema.upgrade(url, code=ROOT)
        database = Database(url, pool_size=connections)
        try:
            yield database
        finally:
            database.dispose()
