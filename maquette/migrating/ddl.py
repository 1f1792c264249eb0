"""DDL that gives up fast: a statement that waits for its lock makes every later query of the table wait behind it."""

import random
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import psycopg
from psycopg import sql

from maquette.errors import Conflict
from maquette.migrating.models import Statement
from maquette.migrating.source import Connection
from maquette.migrating.work import Work

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0

Answer = TypeVar("Answer")


def with_short_lock(
    work: Work,
    statements: Sequence[Statement | sql.Composed | str],
    *,
    mode: str = "ACCESS EXCLUSIVE",
    within_s: float = 60.0,
) -> int:
    """Execute ``statements`` in one transaction that first locks the old table in ``mode``; the tries it took.

    Raises as ``under_short_lock``.
    """

    def run(connection: Connection) -> None:
        for statement in statements:
            text = statement.sql if isinstance(statement, Statement) else statement
            connection.execute(sql.SQL(text) if isinstance(text, str) else text)

    return under_short_lock(work, run, mode=mode, within_s=within_s)[1]


def under_short_lock(
    work: Work,
    action: Callable[[Connection], Answer],
    *,
    mode: str = "ACCESS EXCLUSIVE",
    tables: Sequence[sql.Composable] = (),
    within_s: float = 60.0,
) -> tuple[Answer, int]:
    """``action``'s answer from a transaction that holds ``tables`` (the old table) in ``mode``, and the tries it took.

    A lock is waited for no longer than ``options.lock_timeout_ms``; then everybody behind us goes first, for a time
    that doubles with each try and is drawn by chance. ``work.longest_lock_ms`` counts from the lock on: while it is
    only asked for, others wait for its holder. ``action`` may run again, so it keeps its hands off all else.
    Raises ``Conflict`` (``busy``) with who is in the way, after ``within_s``.
    """
    wanted = sql.SQL(", ").join(tables or [work.source.table])
    deadline = time.monotonic() + within_s
    tries = 0
    while True:
        tries += 1
        try:
            with work.transaction(holds_locks=False) as connection:
                connection.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(wanted, sql.SQL(mode)))
                started = time.perf_counter()
                answer = action(connection)
            work.longest_lock_ms = max(work.longest_lock_ms, (time.perf_counter() - started) * 1000)
            return answer, tries
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            pause = min(_FIRST_PAUSE_S * 2 ** min(tries - 1, 10), _LONGEST_PAUSE_S) * random.uniform(0.5, 1.5)
            if time.monotonic() + pause > deadline:
                raise Conflict(
                    f"{work.source.full_name} could not be locked within {within_s:g} s, in {tries} tries"
                    f"{_in_the_way(work)}: end these transactions, then resume",
                    code="busy",
                ) from error
            time.sleep(pause)


def _in_the_way(work: Work) -> str:
    holders = work.connection.execute(
        "SELECT DISTINCT a.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), "
        "extract(epoch FROM clock_timestamp() - a.xact_start)::int "
        "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE l.relation = to_regclass(%s) AND l.granted AND a.pid <> pg_backend_pid() "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 3 DESC LIMIT 5",
        [work.source.table.as_string(work.connection)],
    ).fetchall()
    told = ", ".join(f"pid {pid} ({name}, for {seconds} s)" for pid, name, seconds in holders)
    return f"; it is held by {told}" if told else ""
