"""The local loop provider: its contract, its books, its faults, and what a crash leaves."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import pytest

from maquette.errors import Invalid, OutcomeUnknown, Transient
from maquette.providers.catalogue import profile
from maquette.providers.clips.port import OperationState
from maquette.providers.loops.local import LocalLoops, render
from maquette.providers.loops.local.provider import Books
from maquette.settings import Fault
from tests.providers.loop_contract import PICTURE, LoopContract, LoopRig, a_file, a_request, finished

PROFILE = profile("loops", "local").model_copy(update={"price_micros_per_loop": 1000})
ROOT = Path(__file__).parents[3]


class LocalRig:
    tells = True

    def __init__(self, root: Path) -> None:
        self.faults: dict[int, list[Fault]] = {1: []}
        self.books = Books(root)
        self.provider = LocalLoops(root, profile=PROFILE, faults=self.faults, instant=True)

    def next_submission(self, fault: str) -> None:
        self.faults[1] = [*["stall"] * len(self.books.submissions()), fault]  # type: ignore[list-item]

    def taken(self) -> int:
        return len([line for line in self.books.submissions() if line.operation_id])


class TestLocalContract(LoopContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> LoopRig:
        return LocalRig(tmp_path / "provider")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return a_file(tmp_path / "pictures")


def _frames(loop: Path) -> int:
    with av.open(loop) as container:
        return len(list(container.decode(video=0)))


def test_the_log_has_a_line_for_every_call_with_what_it_cost(tmp_path: Path, image: Path) -> None:
    provider = LocalLoops(tmp_path, profile=PROFILE, faults={1: ["fail", "refuse", "throttle"]}, instant=True)
    for call in range(5):
        try:
            provider.submit(a_request(), reference=f"item/{call}", image=image)
        except Transient:
            continue
    lines = [json.loads(line) for line in (tmp_path / "submissions.jsonl").read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["fail", "refuse", "throttle", "accepted", "accepted"]
    assert [line["cost_micros"] for line in lines] == [0, 0, 0, 1000, 1000]
    assert [line["operation_id"] is None for line in lines] == [False, False, True, False, False]


def test_a_failed_operation_is_charged_where_the_profile_says_so(tmp_path: Path, image: Path) -> None:
    charging = PROFILE.model_copy(update={"charges_failed": True})
    LocalLoops(tmp_path, profile=charging, faults={1: ["fail"]}).submit(a_request(), reference="a/1", image=image)
    assert Books(tmp_path).submissions()[0].cost_micros == 1000


def test_submissions_at_once_share_the_planned_faults(tmp_path: Path, image: Path) -> None:
    faults: dict[int, list[Fault]] = {1: ["throttle", "lose-answer", "throttle", "lose-answer"]}

    def submit(call: int) -> str:
        try:
            provider = LocalLoops(tmp_path, profile=PROFILE, faults=faults)
            return "taken" if provider.submit(a_request(), reference=f"a/{call}", image=image) else ""
        except (Transient, OutcomeUnknown) as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(submit, range(8)))
    assert answers == {"provider_unavailable": 2, "outcome_unknown": 2, "taken": 4}


def test_a_stalled_loop_hangs_and_then_comes(tmp_path: Path, image: Path) -> None:
    provider = LocalLoops(tmp_path, profile=PROFILE, faults={1: ["stall"]}, stall_s=3600, instant=True)
    operation_id = provider.submit(a_request(), reference="a/1", image=image)
    status = provider.poll(operation_id)
    assert (status.state, status.progress) == (OperationState.RUNNING, 0.3)
    patient = LocalLoops(tmp_path, profile=PROFILE, stall_s=0, instant=True)
    assert patient.poll(operation_id).state is OperationState.SUCCEEDED


def test_a_broken_loop_succeeds_and_is_no_video(tmp_path: Path, image: Path) -> None:
    provider = LocalLoops(tmp_path, profile=PROFILE, faults={1: ["broken-clip"]})
    operation_id = finished(provider, provider.submit(a_request(), reference="a/1", image=image))
    with pytest.raises(av.error.InvalidDataError):
        av.open(provider.fetch(operation_id, tmp_path / "loop.mp4"))


def test_what_is_not_drawn_yet_cannot_be_fetched(tmp_path: Path, image: Path) -> None:
    provider = LocalLoops(tmp_path, profile=PROFILE)
    operation_id = provider.submit(a_request(), reference="a/1", image=image)
    with pytest.raises(Invalid, match="poll until"):
        provider.fetch(operation_id, tmp_path / "loop.mp4")


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path, image: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Transient, match="can be written"):
        LocalLoops(tmp_path / "file", profile=PROFILE).submit(a_request(), reference="a/1", image=image)


def test_equal_requests_are_equal_to_the_byte_in_another_process(tmp_path: Path, image: Path) -> None:
    """Whatever the call: the item's number, the attempt and the seed of Python's hashes have no say."""
    program = """
        import sys
        from pathlib import Path
        from maquette.providers.loops.local import LocalLoops
        from tests.providers.loops.test_local_loops import PROFILE

        LocalLoops(Path(sys.argv[1]), profile=PROFILE).poll(sys.argv[2])
    """
    provider = LocalLoops(tmp_path, profile=PROFILE)
    here = finished(provider, provider.submit(a_request(number=3, attempt=2), reference="a/1", image=image))
    there = provider.submit(a_request(), reference="a/2", image=image)
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path), there],
        cwd=ROOT, check=True, timeout=60, env={**os.environ, "PYTHONHASHSEED": "5"},
    )  # fmt: skip
    loops = [provider.fetch(one, tmp_path / f"{one}.mp4").read_bytes() for one in (here, there)]
    assert loops[0] == loops[1]
    other = finished(provider, provider.submit(a_request(prompt="Snow"), reference="a/3", image=image))
    assert provider.fetch(other, tmp_path / "other.mp4").read_bytes() != loops[0]


def test_prepared_loops_differ_by_request_and_have_its_length(tmp_path: Path, image: Path) -> None:
    provider = LocalLoops(tmp_path, profile=PROFILE, instant=True)
    loops = []
    for call, prompt in enumerate(("one", "two", "one")):
        request = a_request(prompt=prompt, frames=24, width=720, height=480)
        operation_id = finished(provider, provider.submit(request, reference=f"a/{call}", image=image))
        loops.append(provider.fetch(operation_id, tmp_path / f"{call}.mp4"))
    assert loops[0].read_bytes() == loops[2].read_bytes() != loops[1].read_bytes()
    assert _frames(loops[0]) == 24


DRAWER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from maquette.providers.loops.local import LocalLoops
    from tests.providers.loops.test_local_loops import PROFILE

    LocalLoops(Path(sys.argv[1]), profile=PROFILE).poll(sys.argv[2])
""")


def _until(holds: Callable[[], bool], *, limit_s: float = 30) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.01)


def test_a_killed_drawer_is_taken_over_by_the_next_one_to_poll(tmp_path: Path, image: Path) -> None:
    provider = LocalLoops(tmp_path, profile=PROFILE)
    operation_id = provider.submit(a_request(frames=241, width=480, height=480), reference="a/1", image=image)
    folder = tmp_path / "operations" / operation_id
    drawer = subprocess.Popen([sys.executable, "-c", DRAWER, str(tmp_path), operation_id], cwd=ROOT)
    try:
        _until(lambda: (folder / "progress").exists() and float((folder / "progress").read_text() or 0) >= 0.1)
        seen = provider.poll(operation_id)
        assert seen.state is OperationState.RUNNING
        assert seen.progress >= 0.1, "a second process reports the progress of the one that draws"
        assert drawer.poll() is None
    finally:
        drawer.send_signal(signal.SIGKILL)
        drawer.wait()
    assert list(folder.glob("drawn-*")), "it was killed in the middle of its work"
    assert provider.poll(operation_id).state is OperationState.SUCCEEDED
    assert not list(folder.glob("drawn-*")), "something half-done was left"
    assert _frames(provider.fetch(operation_id, tmp_path / "loop.mp4")) == 241
    assert len(Books(tmp_path).submissions()) == 1


def test_a_loop_that_another_process_draws_is_only_looked_at(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = LocalLoops(tmp_path, profile=PROFILE)
    operation_id = provider.submit(a_request(), reference="a/1", image=image)
    folder = tmp_path / "operations" / operation_id
    (folder / "progress").write_text("0.42")
    with (folder / "lock").open("a") as held, monkeypatch.context() as patch:
        fcntl.flock(held, fcntl.LOCK_EX)
        patch.setattr(render, "draw", None)
        assert provider.poll(operation_id).progress == 0.42
    assert provider.poll(operation_id).state is OperationState.SUCCEEDED


def test_a_full_disk_stops_the_drawing_but_not_the_operation(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    provider = LocalLoops(tmp_path, profile=PROFILE)
    operation_id = provider.submit(a_request(), reference="a/1", image=image)
    with monkeypatch.context() as patch:
        patch.setattr(render, "draw", full)
        with pytest.raises(Transient, match="free some space") as failure:
            provider.poll(operation_id)
    assert "operation_ended" not in failure.value.values
    assert provider.poll(operation_id).state is OperationState.SUCCEEDED


@pytest.mark.parametrize("broken", [PICTURE[:60], PICTURE[:8] + b"\0" * 400])
def test_a_picture_that_only_begins_like_one_ends_the_operation(tmp_path: Path, broken: bytes) -> None:
    provider = LocalLoops(tmp_path / "p", profile=PROFILE)
    operation_id = provider.submit(a_request(broken), reference="a/1", image=a_file(tmp_path, broken))
    with pytest.raises(Invalid, match="cannot be read") as failure:
        provider.poll(operation_id)
    assert failure.value.values["operation_ended"] is True


def test_pruning_leaves_neither_operations_nor_pictures(tmp_path: Path, image: Path) -> None:
    """A crash between an operation's picture and its order leaves the picture alone."""
    provider = LocalLoops(tmp_path, profile=PROFILE, instant=True)
    books = Books(tmp_path)
    finished(provider, provider.submit(a_request(), reference="a/1", image=image))
    (books.folder("local-orphan") / "picture").write_bytes(PICTURE)
    assert books.prune(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert len(list(books.operations.iterdir())) == 3
    assert books.prune(datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert not list(books.operations.iterdir())
