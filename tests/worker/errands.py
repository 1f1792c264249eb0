"""What children of a fork server are told to do, where no flow is needed."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy.random
from prefect.client.schemas.objects import FlowRun

from maquette.worker.child import Order

POOL: Final = ThreadPoolExecutor()


@dataclass(frozen=True)
class Errand(Order):
    """Call ``work`` with ``arguments``."""

    work: Callable[..., object]
    arguments: tuple[Any, ...]

    def obey(self) -> None:
        self.work(*self.arguments)


def errand(
    work: Callable[..., object],
    *arguments: object,
    environment: dict[str, str] | None = None,
    folder: Path | str = "/",
    stream_output: bool = True,
) -> Errand:
    """An order to do that; in this process's environment unless told."""
    told = dict(os.environ) if environment is None else environment
    return Errand(FlowRun(flow_id=uuid4()), told, str(folder), stream_output, work, arguments)


def nothing() -> None:
    """End well."""


def leaves(code: object) -> None:
    """End by ``SystemExit``."""
    raise SystemExit(code)


def fails() -> None:
    """End by an error."""
    raise ValueError("as it was told")


def kills_itself(signum: int) -> None:
    os.kill(os.getpid(), signum)
    time.sleep(60)


def tells(file: Path) -> None:
    """Write down what a child sees."""
    seen = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "input": sys.stdin.read(),
        "descriptors": descriptors(os.getpid()),
        "random": random.random(),
        "numpy": float(numpy.random.random()),
        "interrupted by Ctrl-C": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "ended by SIGTERM": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
        "told of children": signal.getsignal(signal.SIGCHLD) != signal.SIG_DFL,
    }
    file.write_text(json.dumps(seen))


def descriptors(pid: int) -> dict[str, str]:
    """What a process's descriptors stand for."""
    found = {}
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[each.name] = str(each.readlink())
        except FileNotFoundError:  # the folder's own
            continue
    return found


def waits(begun: Path, told: Path) -> None:
    """Go on until ``told`` is there, and remove it."""
    begun.write_text(str(os.getpid()))
    for _ in range(10_000):  # not for ever, where a test is given up
        if told.exists():
            told.unlink()
            return
        time.sleep(0.01)


def leaves_a_grandchild(file: Path) -> None:
    """Leave a process that has every descriptor of this one, and write down its pid."""
    grandchild = subprocess.Popen(["sleep", "60"], close_fds=False)
    file.write_text(str(grandchild.pid))


def works_with_a_grandchild(file: Path) -> None:
    leaves_a_grandchild(file)
    time.sleep(60)


def leaves_a_thread() -> None:
    threading.Thread(target=threading.Event().wait, name="never-ends").start()


def leaves_a_thread_that_ends(file: Path) -> None:
    def write() -> None:
        time.sleep(0.2)
        file.write_text("written")

    threading.Thread(target=write).start()


def leaves_a_pool_of_threads() -> None:
    """As libraries do that keep one for the life of the process."""
    POOL.submit(int).result()


def leaves_a_closed_loop() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.close()


def runs_a_loop() -> None:
    asyncio.run(asyncio.sleep(0))


def weighs(file: Path, cargo: Sequence[object]) -> None:
    file.write_text(str(len(cargo)))


def prints(text: str, times: int) -> None:
    for _ in range(times):
        print(text)  # noqa: T201
    print("complaint", file=sys.stderr)  # noqa: T201


class Unreadable:
    """What cannot be taken out of the pickle again."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return fails, ()
