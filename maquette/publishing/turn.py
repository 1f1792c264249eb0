"""Whose turn it is: one publication of a universe at a time, whatever the number of processes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from maquette.db.engine import Database
from maquette.errors import Conflict, StaleLease

_SEED: Final = 13
_TAKE: Final = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:slug, :seed))")
_GIVE: Final = sa.text("SELECT pg_advisory_unlock(hashtextextended(:slug, :seed))")


class Turn:
    """A held turn. It lives as long as its connection: the lock is gone with that. Safe between threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
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
            raise StaleLease("the connection that held this publication's turn broke: publish again")


@contextmanager
def turn(database: Database, slug: str) -> Iterator[Turn]:
    """Hold the turn of ``slug`` (a session's advisory lock). Raises ``Conflict`` with the code ``busy``."""
    asked = {"slug": slug, "seed": _SEED}
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(_TAKE, asked):
            raise Conflict(f"{slug} is being published by another: try again when that has ended", code="busy")
        held = Turn(connection)
        try:
            yield held
        finally:
            # A lock must not go back to the pool with its connection.
            try:
                given_back = not connection.invalidated and bool(connection.scalar(_GIVE, asked))
            except sa.exc.DBAPIError:
                given_back = False
            if not given_back:
                connection.invalidate()
