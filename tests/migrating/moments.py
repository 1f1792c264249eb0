"""When people may strike while a migration is carried out, and when its process may die."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from psycopg.pq import TransactionStatus

from maquette.migrating import pacing
from maquette.migrating.definition import Row
from maquette.migrating.pacing import Pace
from maquette.migrating.source import Connection
from maquette.migrating.work import Work
from tests.migrating import life, rig
from tests.migrating.people import Deed

WITH_POINTS = (
    "expanding", "duplicates", "constraints", "backfill", "validating", "cutting_over", "contracting", "rolling_back",
)  # fmt: skip


class Moments:
    """When people may strike: before any transaction of the engine, at its crash points, and while it reckons."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []
        self.act: Callable[[Deed], None] = lambda deed: None
        self._is_busy = False

    def pass_by(self) -> None:
        """One moment passes."""
        if self._is_busy or not self.deeds:
            return
        if self.deeds[0].after > 0:
            self.deeds[0] = Deed(**{**vars(self.deeds[0]), "after": self.deeds[0].after - 1})
            return
        deed = self.deeds.pop(0)
        if deed.kind == "die":
            raise life.Killed
        self._is_busy = True
        try:
            self.act(deed)
        finally:
            self._is_busy = False


class Watched(rig.Notes):
    """Its reckoning takes time, in which people write."""

    moments = Moments()

    def transform(self, row: Row) -> Row:
        self.moments.pass_by()
        return super().transform(row)

    def inverse(self, row: Row) -> Row:
        self.moments.pass_by()
        return super().inverse(row)


def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two rows, and a moment wherever the engine is about to write and at each crash point."""
    whole = Work.transaction

    @contextmanager
    def transaction(self: Work, *, holds_locks: bool = True) -> Iterator[Connection]:
        if self.connection.info.transaction_status == TransactionStatus.IDLE:
            Watched.moments.pass_by()
        with whole(self, holds_locks=holds_locks) as connection:
            yield connection

    monkeypatch.setattr(Work, "transaction", transaction)
    monkeypatch.setattr(pacing, "SMALLEST", 2)
    monkeypatch.setattr(Pace.__init__, "__kwdefaults__", {"size": 2, "largest": 3})
    for module in WITH_POINTS:
        monkeypatch.setattr(f"maquette.migrating.{module}.crash_point", lambda name: Watched.moments.pass_by())
