"""Prefect's own database on SQLite, without lock stalls: a SQLAlchemy plugin, named in the server's database URL.

Prefect 3.8 opens most of its transactions as ``BEGIN DEFERRED``, reads, and then writes. Where another one has
written meanwhile, SQLite refuses that write at once, whatever ``busy_timeout`` says; the server answers 503, and its
clients wait two seconds and more. A transaction that says in the beginning that it will write waits its turn.
"""

import asyncio
import weakref
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import CreateEnginePlugin

# As the entry point in pyproject.toml says.
PLUGIN: Final = "maquette-immediate"
_BEGINNINGS: Final = frozenset({"BEGIN DEFERRED", "BEGIN IMMEDIATE"})
_TASK: Final = "maquette.task"


def database_url(prefect_home: Path) -> str:
    """Prefect's default database below its home, with the plugin."""
    url = sa.URL.create("sqlite+aiosqlite", database=str(prefect_home / "prefect.db"), query={"plugin": PLUGIN})
    return url.render_as_string()


class ImmediateTransactions(CreateEnginePlugin):
    """Begins every transaction as a writer; not one within another of the same task, which would wait for itself."""

    def __init__(self, url: sa.URL, kwargs: dict[str, Any]) -> None:
        super().__init__(url, kwargs)
        self._writing: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()

    def update_url(self, url: sa.URL) -> sa.URL:
        return url

    def engine_created(self, engine: sa.Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._begin, retval=True)
        event.listen(engine, "commit", self._end)
        event.listen(engine, "rollback", self._end)
        event.listen(engine.pool, "reset", lambda _connection, record, _state: self._free(record.info))

    def _begin(
        self, connection: sa.Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> tuple[str, Any]:
        if statement not in _BEGINNINGS:
            return statement, parameters
        task = asyncio.current_task()
        if task is None or task in self._writing:
            return statement, parameters
        self._writing.add(task)
        connection.info[_TASK] = weakref.ref(task)
        return "BEGIN IMMEDIATE", parameters

    def _end(self, connection: sa.Connection) -> None:
        self._free(connection.info)

    def _free(self, info: dict[Any, Any]) -> None:
        reference = info.pop(_TASK, None)
        task = reference() if reference is not None else None
        if task is not None:
            self._writing.discard(task)
