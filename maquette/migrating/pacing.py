"""How much at a time, and when to wait: batches that take what they should, for as long as nobody suffers."""

import time
from collections.abc import Callable
from typing import Final

from psycopg import sql

from maquette.migrating.work import Work

SMALLEST: Final = 10
LARGEST: Final = 5000

SLOW_MS: Final = 20.0
"""A probe faster than this is not slow, however fast it was when nobody was there."""
TIMES_IDLE: Final = 5.0
_LONGEST_WAIT_S: Final = 30.0
_PAUSE_S: Final = 0.2


class Pace:
    """Rows in a batch, steered to ``batch_ms`` in all and to half of ``max_lock_ms`` in its transaction.

    Half, since the next batch may hold larger rows than this one.
    """

    def __init__(self, *, batch_ms: float, max_lock_ms: float, size: int = 50, largest: int = LARGEST) -> None:
        self.batch_ms = batch_ms
        self.lock_ms = max_lock_ms / 2
        self.size = size
        self.largest = largest

    def learn(self, *, total_ms: float, lock_ms: float) -> None:
        """Take a full batch's times in. The size at most doubles, and falls at once as far as it must."""
        factor = min(self.batch_ms / max(total_ms, 0.01), self.lock_ms / max(lock_ms, 0.01), 2.0)
        self.size = max(SMALLEST, min(self.largest, int(self.size * factor)))


class Throttle:
    """Waits while replicas lag or the table has become slow to read."""

    def __init__(
        self,
        work: Work,
        *,
        lag_s: Callable[[Work], float] | None = None,
        probe_ms: Callable[[Work], float] | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.work = work
        self.waited_s = 0.0
        self._lag_s = lag_s or replication_lag_s
        self._probe_ms = probe_ms or read_ms
        self._pause = pause
        self._idle_ms: float | None = None

    def wait(self, meanwhile: Callable[[], object]) -> None:
        """Until it may go on, half a minute at most: slower is better than never. ``meanwhile`` runs each time."""
        waited = 0.0
        while waited < _LONGEST_WAIT_S and self._must_wait():
            meanwhile()
            self._pause(_PAUSE_S)
            waited += _PAUSE_S
        self.waited_s += waited

    def _must_wait(self) -> bool:
        latency = self._probe_ms(self.work)
        self._idle_ms = latency if self._idle_ms is None else min(self._idle_ms, latency)
        if latency > max(SLOW_MS, TIMES_IDLE * self._idle_ms):
            return True
        return self._lag_s(self.work) > self.work.options.max_lag_s


def replication_lag_s(work: Work) -> float:
    """Of the replica that is furthest behind; 0 where there is none, or the role may not see it."""
    found = work.connection.execute(
        "SELECT coalesce(extract(epoch FROM max(replay_lag)), 0)::float8 FROM pg_stat_replication"
    ).fetchone()
    return 0.0 if found is None else float(found[0])


def read_ms(work: Work) -> float:
    """What it takes to read one row of the old table by its key, in milliseconds."""
    started = time.perf_counter()
    work.connection.execute(
        sql.SQL("SELECT 1 FROM {} ORDER BY {} LIMIT 1").format(work.source.table, sql.Identifier(work.source.key))
    ).fetchone()
    return (time.perf_counter() - started) * 1000
