"""When runs reached their first line: each run notes the moment in a file of the home. Imports no Prefect."""

import os
from pathlib import Path
from typing import Final

NOTES: Final = "first-lines"


def note(home: Path, key: str, moment: float) -> None:
    """Note that the run of ``key`` was at its first line at ``moment``, in seconds of ``time.time``."""
    descriptor = os.open(home / NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{key} {moment!r}\n".encode())  # one write, so that no two notes mix
    finally:
        os.close(descriptor)


def noted(home: Path) -> dict[str, float]:
    """The moment of each key's first note, so far."""
    try:
        lines = (home / NOTES).read_text("ascii").splitlines()
    except FileNotFoundError:
        return {}
    moments: dict[str, float] = {}
    for key, moment in map(str.split, lines):
        moments.setdefault(key, float(moment))
    return moments
