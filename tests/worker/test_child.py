"""What a forked child sees, and what it leaves behind: as much and as little as a process of its own."""

import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from maquette.worker.forks import Forks
from tests.worker import errands
from tests.worker.errands import Unreadable, descriptors, errand
from tests.worker.forking import MODULES, busy, done, ended, no_prefect, server_of, taken, until

pytestmark = pytest.mark.anyio


class Output:
    """What the server, and its children after it, write."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def since(self) -> str:
        """What came since the last call."""
        with self.file.open() as file:
            file.seek(self._read)
            text = file.read()
            self._read = file.tell()
        return text

    _read = 0


@pytest.fixture(scope="module", autouse=True)
def _no_prefect() -> Iterator[None]:
    with no_prefect():
        yield


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Output:
    return Output(tmp_path_factory.mktemp("output") / "output")


@contextmanager
def written_to(path: Path) -> Iterator[None]:
    """What is started meanwhile writes there."""
    own = {number: os.dup(number) for number in (1, 2)}
    with path.open("wb") as file:
        for number in own:
            os.dup2(file.fileno(), number)
    yield
    for number, kept in own.items():
        os.dup2(kept, number)
        os.close(kept)


@pytest.fixture(scope="module")
async def forks(output: Output) -> AsyncIterator[Forks]:
    """One fork server: it takes two seconds to start."""
    with written_to(output.file):
        starting = Forks(MODULES, spares=1)
        await starting.__aenter__()
    try:
        await done(starting, errand(errands.nothing))
        yield starting
    finally:
        await starting.__aexit__(None, None, None)


async def seen(forks: Forks, place: Path, **told: Any) -> dict[str, Any]:
    """What a child saw, by way of a file in that place."""
    file = place / "seen"
    assert await done(forks, errand(errands.tells, file, **told)) == 0
    found: dict[str, Any] = json.loads(file.read_text())
    return found


async def test_its_environment_is_exactly_that_of_the_order(forks: Forks, tmp_path: Path) -> None:
    environment = {"PATH": "/bin", "GREETING": "bonjour", "PREFECT__FLOW_RUN_ID": "7", "EMPTY": ""}
    found = await seen(forks, tmp_path, environment=environment)
    assert found["environment"] == environment


async def test_its_folder_is_that_of_the_order(forks: Forks, tmp_path: Path) -> None:
    assert (await seen(forks, tmp_path, folder=tmp_path))["folder"] == str(tmp_path)


async def test_its_input_is_empty(forks: Forks, tmp_path: Path) -> None:
    assert (await seen(forks, tmp_path))["input"] == ""


async def test_its_signals_are_those_of_a_fresh_process(forks: Forks, tmp_path: Path) -> None:
    found = await seen(forks, tmp_path)
    assert found["interrupted by Ctrl-C"]
    assert found["ended by SIGTERM"]
    assert not found["told of children"]


async def test_it_has_a_session_of_its_own_and_is_ended_with_all_that_it_started(forks: Forks, tmp_path: Path) -> None:
    fork = await taken(forks)
    file = tmp_path / "grandchild"
    await fork.obey(errand(errands.works_with_a_grandchild, file))
    await until(lambda: file.exists() and file.read_text(), what="the grandchild")
    assert os.getsid(fork.pid) == os.getpgid(fork.pid) == fork.pid
    grandchild = psutil.Process(int(file.read_text()))
    os.killpg(fork.pid, signal.SIGTERM)
    assert await ended(fork) == -signal.SIGTERM
    await until(
        lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE,
        what="the grandchild's end",
    )


async def test_it_holds_no_descriptor_of_the_worker_nor_of_other_children(forks: Forks, tmp_path: Path) -> None:
    other = await taken(forks)
    working, told = await busy(forks, tmp_path)
    with socket.socket(), (tmp_path / "open").open("w"):
        found = await seen(forks, tmp_path)
    ours = set(descriptors(os.getpid()).values())
    of_server = set(descriptors(server_of(other).pid).values())
    of_others = {name for fork in (other, working) for name in descriptors(fork.pid).values() if "socket:" in name}
    sockets = {name for name in found["descriptors"].values() if name.startswith("socket:")}
    assert not sockets & (ours | of_server | of_others)
    assert not sockets, "its own channel is closed when it has its order"
    files = {name for name in found["descriptors"].values() if name.startswith("/")}
    assert files <= {"/dev/null", found["descriptors"]["1"]}
    assert str(tmp_path / "open") not in files
    told.touch()
    await other.obey(errand(errands.nothing))
    for fork in (other, working):
        assert await ended(fork) == 0


async def test_chance_is_each_childs_own(forks: Forks, tmp_path: Path) -> None:
    found = [await seen(forks, tmp_path) for _ in range(3)]
    for source in ("random", "numpy"):
        assert len({each[source] for each in found}) == 3, source


async def test_much_output_arrives_whole(forks: Forks, output: Output) -> None:
    output.since()
    line = "x" * 999
    assert await done(forks, errand(errands.prints, line, 10_000)) == 0
    assert sorted(output.since().splitlines()) == sorted([*[line] * 10_000, "complaint"])


async def test_output_that_is_not_streamed_is_nowhere(forks: Forks, output: Output) -> None:
    output.since()
    assert await done(forks, errand(errands.prints, "secret", 3, stream_output=False)) == 0
    assert output.since() == ""


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (errand(errands.fails), "ValueError: as it was told"),
        (errand(errands.leaves, "out of ink"), "out of ink"),
        (errand(errands.nothing, Unreadable()), "ValueError: as it was told"),
        (errand(errands.nothing, folder="/not/there"), "FileNotFoundError"),
    ],
    ids=["error", "exit with words", "unreadable order", "no folder"],
)
async def test_why_it_failed_is_written(forks: Forks, output: Output, order: errands.Errand, said: str) -> None:
    output.since()
    assert await done(forks, order) == 1
    assert said in output.since()


async def test_a_thread_that_does_not_end_is_left_behind_and_named(forks: Forks, output: Output) -> None:
    output.since()
    assert await done(forks, errand(errands.leaves_a_thread)) == 0
    assert output.since() == "left behind: never-ends\n"


async def test_a_thread_that_ends_soon_is_waited_for(forks: Forks, output: Output, tmp_path: Path) -> None:
    output.since()
    assert await done(forks, errand(errands.leaves_a_thread_that_ends, tmp_path / "written")) == 0
    assert (tmp_path / "written").exists()
    assert output.since() == ""


async def test_a_pool_of_threads_that_idles_is_not_waited_for(forks: Forks, output: Output) -> None:
    output.since()
    assert await done(forks, errand(errands.leaves_a_pool_of_threads)) == 0
    assert output.since() == ""


async def test_a_server_that_does_not_answer_keeps_no_child_from_its_order(tmp_path: Path) -> None:
    (tmp_path / "impatient.py").write_text("from maquette.worker import child; child.GREETING_S = 0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.MonkeyPatch.context() as patched:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        patched.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        with temporary_settings({PREFECT_API_URL: address}):
            async with Forks(["impatient"], spares=0) as forks:
                assert await done(forks, errand(errands.leaves, 3)) == 3
        silent.settimeout(0)
        connection, _ = silent.accept()
        connection.close()


async def test_a_closed_loop_does_no_harm_to_the_next(forks: Forks) -> None:
    assert await done(forks, errand(errands.leaves_a_closed_loop)) == 0
    assert await done(forks, errand(errands.runs_a_loop)) == 0


async def test_a_grandchild_does_not_keep_its_end_from_being_told(forks: Forks, tmp_path: Path) -> None:
    file = tmp_path / "grandchild"
    assert await done(forks, errand(errands.leaves_a_grandchild, file)) == 0
    grandchild = psutil.Process(int(file.read_text()))
    assert grandchild.is_running()
    grandchild.kill()
