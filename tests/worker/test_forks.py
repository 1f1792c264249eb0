"""The worker's side of the fork server: a child is there at once, and how it ends is told."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from maquette.worker.forks import Forks
from tests.worker import errands
from tests.worker.errands import Unreadable, errand
from tests.worker.forking import (
    MODULES,
    are_gone,
    children_of,
    done,
    ended,
    no_prefect,
    server_of,
    taken,
    until,
)

pytestmark = pytest.mark.anyio
SPARES = 2


@pytest.fixture(scope="module", autouse=True)
def _no_prefect() -> Iterator[None]:
    with no_prefect():
        yield


@pytest.fixture(scope="module")
async def forks() -> AsyncIterator[Forks]:
    """One fork server for the tests that leave it alive: it takes two seconds to start."""
    async with Forks(MODULES, spares=SPARES) as forks:
        await done(forks, errand(errands.nothing))
        yield forks


async def test_a_child_that_waited_is_used_and_another_waits_in_its_place(forks: Forks) -> None:
    first = await taken(forks)
    server = server_of(first)
    await until(lambda: len(children_of(server)) == 1 + SPARES, what="the spares")
    spares = children_of(server) - {first.pid}
    second = await taken(forks)
    assert second.pid in spares
    await until(lambda: len(children_of(server)) == 2 + SPARES, what="the spare in its place")
    for fork in (first, second):
        await fork.obey(errand(errands.nothing))
        assert await ended(fork) == 0


async def test_many_at_once_get_a_child_each(forks: Forks) -> None:
    taken_forks = await asyncio.gather(*(taken(forks) for _ in range(30)))
    assert len({fork.pid for fork in taken_forks}) == 30
    codes = {fork.pid: number for number, fork in enumerate(taken_forks)}
    for fork in taken_forks:
        await fork.obey(errand(errands.leaves, codes[fork.pid]))
    assert [await ended(fork) for fork in taken_forks] == list(codes.values())


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (errand(errands.nothing), 0),
        (errand(errands.leaves, None), 0),
        (errand(errands.leaves, 3), 3),
        (errand(errands.leaves, "out of ink"), 1),
        (errand(errands.fails), 1),
        (errand(os._exit, 7), 7),
        (errand(errands.kills_itself, signal.SIGKILL), -signal.SIGKILL),
        (errand(errands.kills_itself, signal.SIGTERM), -signal.SIGTERM),
        (errand(errands.kills_itself, signal.SIGSEGV), -signal.SIGSEGV),
        (errand(errands.nothing, folder="/not/there"), 1),
        (errand(errands.nothing, Unreadable()), 1),
    ],
    ids=["end", "exit", "exit 3", "exit with words", "error", "_exit", "SIGKILL", "SIGTERM", "SIGSEGV", "no folder",
         "unreadable"],
)  # fmt: skip
async def test_the_exit_code_is_that_of_a_process(forks: Forks, order: errands.Errand, code: int) -> None:
    assert await done(forks, order) == code


async def test_a_child_that_died_while_it_waited_is_skipped(forks: Forks) -> None:
    spares = [await each for each in forks._waiting]
    for fork in spares:
        os.kill(fork.pid, signal.SIGKILL)
        assert await ended(fork) == -signal.SIGKILL
    fork = await taken(forks)
    assert fork not in spares
    await fork.obey(errand(errands.nothing))
    assert await ended(fork) == 0


def kill(pids: Sequence[int]) -> None:
    """Kill them, and hold up the loop until they are dead: it has not heard of it then."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    while not are_gone(pids):
        time.sleep(0.001)


async def test_an_order_that_a_dying_child_did_not_get_goes_to_the_next(forks: Forks) -> None:
    kill([(await each).pid for each in forks._waiting])
    assert await done(forks, errand(errands.leaves, 6)) == 6


async def test_when_the_server_has_just_died_the_order_goes_to_a_child_of_the_next(forks: Forks) -> None:
    spares = [(await each).pid for each in forks._waiting]
    kill([psutil.Process(spares[0]).ppid(), *spares])
    assert await done(forks, errand(errands.leaves, 6)) == 6


async def test_who_gives_up_leaves_no_child_behind(forks: Forks) -> None:
    first = await taken(forks)
    server = server_of(first)
    waiting = [asyncio.ensure_future(forks.take()) for _ in range(SPARES + 3)]
    await asyncio.sleep(0)  # some have a child, the others wait for theirs
    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)
    for fork in (first, *(each.result() for each in waiting if not each.cancelled())):
        await fork.obey(errand(errands.nothing))
    await until(lambda: len(children_of(server)) == SPARES, what="the end of all but the spares")


async def test_who_gives_up_in_the_turn_in_which_the_child_comes_leaves_none_behind(forks: Forks) -> None:
    first = await taken(forks)
    server = server_of(first)
    for each in forks._waiting:
        await each
    spares = [await forks.take() for _ in range(SPARES)]  # without waiting: those asked for in their place are to come
    next_one = forks._waiting[0]
    assert not next_one.done()
    next_one.add_done_callback(lambda _: taking.cancel())
    taking = asyncio.ensure_future(forks.take())
    await asyncio.wait([taking])
    assert taking.cancelled()
    for fork in (first, *spares):
        await fork.obey(errand(errands.nothing))
    await until(lambda: len(children_of(server)) == SPARES, what="the end of all but the spares")


async def test_a_child_that_is_killed_before_its_order_says_so_to_who_gives_it(forks: Forks) -> None:
    fork = await taken(forks)
    os.kill(fork.pid, signal.SIGKILL)
    assert await ended(fork) == -signal.SIGKILL
    with pytest.raises(OSError, match=r"."):
        await fork.obey(errand(errands.nothing))


async def test_a_huge_order_arrives(forks: Forks, tmp_path: Path) -> None:
    size = 50_000_000
    assert await done(forks, errand(errands.weighs, tmp_path / "weight", os.urandom(1) * size)) == 0
    assert (tmp_path / "weight").read_text() == str(size)


async def test_more_are_asked_for_at_once_than_the_socket_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    make = socket.socketpair

    def narrow(*arguments: int, **told: int) -> tuple[socket.socket, socket.socket]:
        pair = make(*arguments, **told)
        for each in pair:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        return pair

    monkeypatch.setattr(socket, "socketpair", narrow)
    async with Forks(MODULES, spares=0) as forks:
        forks_taken = await asyncio.gather(*(taken(forks) for _ in range(40)))
        for number, fork in enumerate(forks_taken):
            await fork.obey(errand(errands.leaves, number))
        assert [await ended(fork) for fork in forks_taken] == list(range(40))
