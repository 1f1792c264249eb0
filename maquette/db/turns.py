"""Turns: one at a time in all processes, each held by a connection that is no part of the pool.

Who holds a turn goes on to work with the pool. Were turns held by connections of the pool, as many holders as it has
connections would wait for each other for ever.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from maquette.db.engine import Database
from maquette.errors import Conflict, StaleLease

_TAKE: Final = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:subject, :seed))")
_GIVE: Final = sa.text("SELECT pg_advisory_unlock(hashtextextended(:subject, :seed))")


class Turn:
    """A held turn. It lives as long as its connection: the lock is gone with that. Safe between threads."""

    def __init__(self, connection: Connection, *, lost: str) -> None:
        self._connection = connection
        self._lost = lost
        self._mutex = threading.Lock()

    def held(self) -> bool:
        """Is the connection, and so the lock, still there?"""
        with self._mutex:
            try:
                return not self._connection.invalidated and self._connection.scalar(sa.text("SELECT 1")) == 1
            except sa.exc.DBAPIError:
                return False

    def require(self) -> None:
        """Raises ``StaleLease`` where the turn was lost: another may be at work by now."""
        if not self.held():
            raise StaleLease(self._lost)


@contextmanager
def turn(
    database: Database, subject: str, *, seed: int, busy: str, lost: str = "the connection broke: try again"
) -> Iterator[Turn]:
    """Hold the turn of ``subject`` among those of ``seed`` (a session's advisory lock).

    Raises ``Conflict`` with the code ``busy`` and the text ``busy`` while another holds it; ``lost`` is the text of
    ``Turn.require``.
    """
    asked = {"subject": subject, "seed": seed}
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # its place in the pool is free, and its end ends the lock too
        if not connection.scalar(_TAKE, asked):
            raise Conflict(busy, code="busy")
        try:
            yield Turn(connection, lost=lost)
        finally:
            # Closing is not waited for: whoever asks next must find the turn free.
            with suppress(sa.exc.DBAPIError):
                if not connection.invalidated:
                    connection.scalar(_GIVE, asked)
