"""Whose turn it is: one publication of a universe at a time, whatever the number of processes."""

from contextlib import AbstractContextManager
from typing import Final

from maquette.db import turns
from maquette.db.engine import Database
from maquette.db.turns import Turn

_SEED: Final = 13


def turn(database: Database, slug: str) -> AbstractContextManager[Turn]:
    """Hold the turn of ``slug``. Raises ``Conflict`` with the code ``busy``."""
    return turns.turn(
        database,
        slug,
        seed=_SEED,
        busy=f"{slug} is being published by another: try again when that has ended",
        lost="the connection that held this publication's turn broke: publish again",
    )
