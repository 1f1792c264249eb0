"""The life of a migration of notes: brought so far, killed in the midst, written to on both sides."""

import time
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import pytest

from maquette.migrating import engine
from maquette.migrating.models import Phase
from maquette.migrating.source import Connection
from maquette.migrating.work import Work
from tests.migrating import rig

DATABASE: Final = (
    Phase.EXPAND,
    Phase.DEDUPLICATE,
    Phase.UNIQUE,
    Phase.BACKFILL,
    Phase.VALIDATE,
    Phase.CUT_OVER,
)
"""The phases that work on the database; backup and rehearsal have tests of their own."""


class Killed(BaseException):
    """What a SIGKILL is to the code that it strikes: nothing catches it, nothing is tidied."""


def carry_out(work: Work, phases: Sequence[Phase] = DATABASE) -> None:
    for phase in phases:
        engine.carry_out(work, phase)


def kill_at(monkeypatch: pytest.MonkeyPatch, name: str, *, module: str, after: int = 1) -> None:
    """Let the crash point ``name`` of ``module`` strike when it is reached for the ``after``-th time."""
    reached: list[str] = []

    def strike(point: str) -> None:
        if point == name:
            reached.append(point)
            if len(reached) == after:
                raise Killed

    monkeypatch.setattr(f"maquette.migrating.{module}.crash_point", strike)


def killed(action: Callable[[], object]) -> None:
    with pytest.raises(Killed):
        action()


def eventually(holds: Callable[[], bool], *, within_s: float = 20.0) -> bool:
    """Does the condition come to hold in time?"""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.01)
    return False


def scaffold(connection: Connection) -> list[str]:
    """What a migration put up in the application's own schema: relations, triggers and functions."""
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relname LIKE 'notes\\_v2%' "
        "UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE 'maquette\\_%' AND NOT tgisinternal "
        "UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'notes\\_v2%' ORDER BY 1"
    )
    return [name for (name,) in found]


def keys(connection: Connection) -> list[UUID]:
    return [key for (key,) in connection.execute("SELECT id FROM notes ORDER BY id")]


def text(lines: Sequence[str]) -> dict[str, object]:
    """The new shape of a note that was written in the old one."""
    return {"kind": "note", "text": "\n".join(lines), "legacy": {"lines": [*lines]}}


def shapes(connection: Connection) -> dict[str, bool]:
    """By key: does the view say that the row has the new shape?"""
    return dict(connection.execute("SELECT id::text, is_new FROM notes_v2_current").fetchall())


def all_new(connection: Connection) -> bool:
    return all(rig.is_new(body) for body in rig.current(connection).values())


def said(body: object) -> object:
    """A note's text, whichever shape it has; of what is no note, itself."""
    if isinstance(body, dict):
        return body["text"] if rig.is_new(body) else "\n".join(body["lines"]) if "lines" in body else body
    return body
