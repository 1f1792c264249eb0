"""CPU seconds of this process, of what it started, and of the home's PostgreSQL, which is nobody's child."""

import resource
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil
from pydantic import BaseModel


class Cpu(BaseModel):
    """CPU seconds, user and system, up to a moment or between two."""

    work_s: float
    servers_s: float

    def __sub__(self, other: Self) -> "Cpu":
        return Cpu(work_s=self.work_s - other.work_s, servers_s=self.servers_s - other.servers_s)

    def __add__(self, other: Self) -> "Cpu":
        return Cpu(work_s=self.work_s + other.work_s, servers_s=self.servers_s + other.servers_s)


def waited_for_s() -> float:
    """CPU seconds of this process and of its children that have ended and were waited for, with their own."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + children_s()


def children_s() -> float:
    """CPU seconds of the children that have ended and were waited for, with all that they waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Meter:
    """Reads the CPU clocks. ``work`` is this process and the tools that have ended; ``servers`` are the processes
    below it that still run, and the PostgreSQL of ``home``.

    What a server used shows as ``servers`` while it runs and moves to ``work`` when it has ended and was waited
    for; PostgreSQL's last reading stays when it has stopped.
    """

    def __init__(self, home: Path) -> None:
        self._postmaster = home / "postgres" / "postmaster.pid"
        self._postgres_s = 0.0

    def read(self) -> Cpu:
        """The clocks now."""
        return Cpu(work_s=waited_for_s(), servers_s=_tree_s(psutil.Process().children()) + self.postgres_s())

    def postgres_s(self) -> float:
        """CPU seconds of the home's PostgreSQL, with its backends, up to its last reading."""
        with suppress(OSError, ValueError, IndexError, psutil.NoSuchProcess):
            pid = int(self._postmaster.read_text().splitlines()[0])
            self._postgres_s = max(self._postgres_s, _tree_s([psutil.Process(pid)]))
        return self._postgres_s


def _tree_s(roots: Iterable[psutil.Process]) -> float:
    total = 0.0
    for root in roots:
        for process in [root, *_below(root)]:
            # A process that has ended in between is in the children's clock of the one that waited for it.
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


def _below(root: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return root.children(recursive=True)
    return []
