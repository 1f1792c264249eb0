"""Fork servers that need no Prefect, and how to wait for their children."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
from prefect.settings import PREFECT_API_URL, temporary_settings

from maquette.worker.child import Order
from maquette.worker.forks import Fork, Forks
from tests.worker import errands
from tests.worker.errands import errand

MODULES: Final = (errands.__name__, "tests.worker.hasty")
PATIENCE_S: Final = 60.0


@contextmanager
def no_prefect() -> Iterator[None]:
    """Fork servers are told of an address where no Prefect is: they start none of their own."""
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        yield


async def ended(fork: Fork) -> int:
    """Its exit code, once it has ended."""
    async with asyncio.timeout(PATIENCE_S):
        return await fork.wait()


async def done(forks: Forks, order: Order) -> int:
    """The exit code of a child that was given that order."""
    return await ended(await started(forks, order))


async def started(forks: Forks, order: Order) -> Fork:
    """A child that was given that order."""
    async with asyncio.timeout(PATIENCE_S):
        return await forks.start(order)


async def taken(forks: Forks) -> Fork:
    """A child that waits for its order."""
    async with asyncio.timeout(PATIENCE_S):
        return await forks.take()


async def busy(forks: Forks, folder: Path) -> tuple[Fork, Path]:
    """A child at work, and the file that lets it end."""
    fork = await taken(forks)
    begun, told = folder / f"{fork.pid}.begun", folder / f"{fork.pid}.told"
    await fork.obey(errand(errands.waits, begun, told))
    await until(begun.exists, what="the child's beginning")
    return fork, told


async def until(condition: Callable[[], object], *, what: str) -> None:
    """Wait on a condition, looking each 10 ms."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110  # nothing tells of processes and files
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what}: not met in {PATIENCE_S} s") from None


def are_gone(pids: Sequence[int]) -> bool:
    """Whether these processes have ended, even if nobody has asked how."""

    def is_gone(pid: int) -> bool:
        with suppress(psutil.NoSuchProcess):
            return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        return True

    return all(map(is_gone, pids))


def server_of(fork: Fork) -> psutil.Process:
    """The fork server that it is a child of."""
    parent = psutil.Process(fork.pid).ppid()
    assert parent != os.getpid()
    return psutil.Process(parent)


def children_of(server: psutil.Process) -> set[int]:
    """The children that the server has now, by their pids."""
    return {child.pid for child in server.children()}
