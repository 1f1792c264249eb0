"""What happens to children when the fork server dies, cannot start, or loses its worker; and what each side keeps."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from maquette.errors import StackError
from maquette.worker.forks import Forks
from tests.worker import errands, holder
from tests.worker.errands import descriptors, errand
from tests.worker.forking import (
    MODULES,
    are_gone,
    busy,
    children_of,
    done,
    ended,
    no_prefect,
    server_of,
    taken,
    until,
)

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def _no_prefect() -> Iterator[None]:
    with no_prefect():
        yield


@pytest.fixture(scope="module")
async def forks() -> AsyncIterator[Forks]:
    """One fork server for the tests that leave it alive: it takes a second or two to start."""
    async with Forks(MODULES, spares=2) as forks:
        await done(forks, errand(errands.nothing))
        yield forks


def module(folder: Path, name: str, text: str) -> str:
    (folder / f"{name}.py").write_text(text)
    return name


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that fork servers import from."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(ROOT))))
    return tmp_path


async def test_a_killed_server_takes_its_children_along_and_another_one_is_started(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Forks(MODULES, spares=2) as forks:
        working = [(await busy(forks, tmp_path))[0] for _ in range(2)]
        first = server_of(working[0])
        await until(lambda: len(children_of(first)) == 2 + 2, what="the spares")
        pids = children_of(first)
        first.kill()
        assert [await ended(fork) for fork in working] == [-signal.SIGKILL] * 2
        assert "the fork server ended with -9; 2 runs end with it" in caplog.text
        await until(lambda: are_gone([*pids]), what="the end of its children")
        fork = await taken(forks)
        second = server_of(fork)
        assert second != first
        await until(lambda: len(children_of(second)) == 1 + 2, what="the spares")
        await fork.obey(errand(errands.leaves, 3))
        assert await ended(fork) == 3
        pids = children_of(second)
    assert not psutil.pid_exists(second.pid), "closing waits for a server without work"
    assert are_gone([*pids])


async def test_modules_that_cannot_be_imported_or_start_threads_are_named(
    modules: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [
        *MODULES,
        module(modules, "raising", "raise ValueError('out of ink')"),
        module(modules, "leaving", "import sys; sys.exit('not here')"),
        module(modules, "twisted", "def ("),
        module(
            modules,
            "threading_one",
            "import threading; threading.Thread(target=threading.Event().wait, name='spinner', daemon=True).start()",
        ),
        "not_there",
    ]
    async with Forks(names, spares=0) as forks:
        assert await done(forks, errand(errands.leaves, 4)) == 4
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    told = "could not be imported, its runs start slowly"
    assert sorted(warnings) == [
        f"leaving {told}: SystemExit: not here",
        f"not_there {told}: ModuleNotFoundError: No module named 'not_there'",
        f"raising {told}: ValueError: out of ink",
        "the modules started threads, which forks do not have: ['spinner']",
        f"twisted {told}: SyntaxError: invalid syntax (twisted.py, line 1)",
    ]


async def test_a_server_that_cannot_start_says_so_to_each_who_asks_and_is_not_tried_again_by_itself(
    modules: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = children_of(psutil.Process())
    starts, healthy = modules / "starts", modules / "healthy"
    monkeypatch.setenv("STARTS", str(starts))
    name = module(
        modules,
        "faulty",
        "import os, pathlib, signal\n"
        "starts = pathlib.Path(os.environ['STARTS'])\n"
        "starts.open('a').write('x')\n"
        "if not starts.with_name('healthy').exists():\n"
        "    os.kill(os.getpid(), signal.SIGSEGV)\n",
    )
    async with Forks([name, *MODULES], spares=2) as forks:
        asked = [asyncio.ensure_future(taken(forks)) for _ in range(3)]
        for each in asked:
            with pytest.raises(StackError, match="the fork server ended with -11 before it could fork"):
                await each
        assert starts.read_text() == "x"

        healthy.touch()
        fork = await taken(forks)
        server = server_of(fork)
        healthy.unlink()
        server.kill()
        # One is started for the spares, and dies: no other follows until somebody asks.
        await until(lambda: caplog.text.count("the fork server ended with -11") == 2, what="the end of its successor")
        assert starts.read_text() == "xxx"
        assert not children_of(psutil.Process()) - before


async def test_children_at_work_outlive_a_killed_worker_and_nothing_else_does(tmp_path: Path) -> None:
    begun, told, held = (tmp_path / name for name in ("begun", "told", "held"))
    command = [sys.executable, "-m", holder.__name__, str(begun), str(told), str(held)]
    worker = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    await until(lambda: begun.exists() and held.exists(), what="the child's beginning")
    pids = json.loads(held.read_text())
    worker.kill()
    await worker.wait()
    await until(lambda: are_gone(pids["waiting"]), what="the end of those that wait")
    assert not are_gone([pids["working"]])
    assert not are_gone([pids["server"]])
    told.touch()
    await until(lambda: are_gone([pids["working"], pids["server"]]), what="the end of its work, and of the server")
    assert not told.exists(), "the child ended its work"


async def test_closing_lets_children_at_work_end_and_the_server_after_them(tmp_path: Path) -> None:
    async with Forks(MODULES, spares=1) as forks:
        fork, told = await busy(forks, tmp_path)
        server = server_of(fork)
        await until(lambda: len(children_of(server)) == 1 + 1, what="the spare")
        spares = children_of(server) - {fork.pid}
    await until(lambda: are_gone([*spares]), what="the end of the spare")
    assert not are_gone([fork.pid, server.pid])
    told.touch()
    await until(lambda: are_gone([fork.pid, server.pid]), what="the end of the work")
    assert not told.exists(), "the child ended its work"
    assert forks._server is not None
    assert forks._server.wait() == 0


async def test_closing_before_the_server_is_there_waits_for_its_end(capfd: pytest.CaptureFixture[str]) -> None:
    before = children_of(psutil.Process())
    async with Forks(MODULES, spares=2):
        (pid,) = children_of(psutil.Process()) - before
    assert not psutil.pid_exists(pid)
    assert capfd.readouterr().err == ""


async def test_no_descriptor_is_left_after_200_children(forks: Forks) -> None:
    fork = await taken(forks)
    server = server_of(fork)
    await fork.obey(errand(errands.nothing))
    await ended(fork)

    async def count() -> tuple[int, int]:
        await until(lambda: len(children_of(server)) == 2 and len(forks._children) == 2, what="the spares alone")
        return len(descriptors(os.getpid())), len(descriptors(server.pid))

    before = await count()
    for _ in range(20):
        assert set(await asyncio.gather(*(done(forks, errand(os._exit, 5)) for _ in range(10)))) == {5}
    assert await count() == before


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_all_processes_is_the_workers_to_answer(
    forks: Forks, tmp_path: Path, signum: signal.Signals
) -> None:
    fork, told = await busy(forks, tmp_path)
    server = server_of(fork)
    assert os.getsid(server.pid) == server.pid, "Ctrl-C does not reach it"
    server.send_signal(signum)
    told.touch()
    assert await ended(fork) == 0
    assert await done(forks, errand(errands.leaves, 3)) == 3
