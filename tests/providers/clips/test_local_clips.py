"""The local provider: its contract, its books, its faults, and what happens when the drawing process dies."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.errors import Filtered, Invalid, OutcomeUnknown, Transient
from maquette.providers.catalogue import profile
from maquette.providers.clips.local import LocalClips
from maquette.providers.clips.local.books import Books, Operation
from maquette.providers.clips.port import ClipRequest, OperationState
from maquette.settings import Fault
from tests.providers.clip_contract import ClipContract, ClipRig, a_request

PROFILE = profile("clips", "local").model_copy(update={"price_micros_per_s": 1000})
ROOT = Path(__file__).parents[3]


class LocalRig:
    tells = True

    def __init__(self, root: Path) -> None:
        self.faults: dict[int, list[Fault]] = {1: []}
        self.books = Books(root)
        self.provider = LocalClips(root, profile=PROFILE, faults=self.faults, stall_s=3600, instant=True)

    def next_submission(self, fault: str) -> None:
        self.faults[1].append(fault)  # type: ignore[arg-type]

    def taken(self) -> int:
        return len([line for line in self.books.submissions() if line.operation_id])


class TestLocalContract(ClipContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> ClipRig:
        return LocalRig(tmp_path / "provider")


def _wait(provider: LocalClips, operation_id: str, *, limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while provider.poll(operation_id).state is not OperationState.SUCCEEDED:
        assert time.monotonic() < end, "the clip was not drawn in time"
        time.sleep(0.02)


def _frames(clip: Path) -> list[np.ndarray]:
    with av.open(str(clip)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


def test_the_log_has_a_line_for_every_call_with_what_it_cost(tmp_path: Path) -> None:
    provider = LocalClips(tmp_path, profile=PROFILE, faults={1: ["fail", "refuse", "throttle"]}, instant=True)
    for call in range(5):
        try:
            provider.submit(a_request(seconds=4), reference=f"block/{call}")
        except Transient:
            continue
    lines = [json.loads(line) for line in (tmp_path / "submissions.jsonl").read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["fail", "refuse", "throttle", "accepted", "accepted"]
    assert [line["cost_micros"] for line in lines] == [0, 0, 0, 4000, 4000]
    assert [line["operation_id"] is None for line in lines] == [False, False, True, False, False]
    assert set(lines[0]) == {
        "at", "operation_id", "reference", "request_sha256", "number", "seconds", "cost_micros", "outcome"
    }  # fmt: skip


def test_a_failed_operation_is_charged_where_the_profile_says_so(tmp_path: Path) -> None:
    charging = PROFILE.model_copy(update={"charges_failed": True})
    LocalClips(tmp_path, profile=charging, faults={1: ["fail"]}).submit(a_request(), reference="a/1")
    assert Books(tmp_path).submissions()[0].cost_micros == 8000


def test_faults_are_counted_by_block_across_processes(tmp_path: Path) -> None:
    faults: dict[int, list[Fault]] = {1: ["throttle"]}
    for film in ("film-a", "film-b"):
        with pytest.raises(Transient):
            LocalClips(tmp_path, profile=PROFILE, faults=faults).submit(a_request(), reference=f"{film}/1")
        LocalClips(tmp_path, profile=PROFILE, faults=faults).submit(a_request(), reference=f"{film}/2")


def test_a_lost_answer_was_paid_and_is_found(tmp_path: Path) -> None:
    provider = LocalClips(tmp_path, profile=PROFILE, faults={1: ["lose-answer"]}, instant=True)
    with pytest.raises(OutcomeUnknown):
        provider.submit(a_request(), reference="a/1")
    found = provider.find("a/1")
    assert found is not None
    assert provider.poll(found).state is OperationState.SUCCEEDED
    assert Books(tmp_path).submissions()[0].cost_micros == 8000


def test_a_stalled_operation_hangs_and_then_goes_on(tmp_path: Path) -> None:
    faults: dict[int, list[Fault]] = {1: ["stall"]}
    operation_id = LocalClips(tmp_path, profile=PROFILE, faults=faults).submit(a_request(), reference="a/1")
    hanging = LocalClips(tmp_path, profile=PROFILE, stall_s=3600, instant=True).poll(operation_id)
    assert (hanging.state, hanging.progress) == (OperationState.RUNNING, 0.3)
    over = LocalClips(tmp_path, profile=PROFILE, stall_s=0, instant=True).poll(operation_id)
    assert over.state is OperationState.SUCCEEDED


def test_a_broken_clip_succeeds_and_is_no_video(tmp_path: Path) -> None:
    provider = LocalClips(tmp_path, profile=PROFILE, faults={1: ["broken-clip"]})
    operation_id = provider.submit(a_request(), reference="a/1")
    assert provider.poll(operation_id).state is OperationState.SUCCEEDED
    clip = provider.fetch(operation_id, tmp_path / "clip.mp4")
    with pytest.raises(av.error.InvalidDataError):
        av.open(str(clip.path))


def test_a_refusal_is_told_as_filtered(tmp_path: Path) -> None:
    provider = LocalClips(tmp_path, profile=PROFILE, faults={1: ["refuse"]})
    operation_id = provider.submit(a_request(), reference="a/1")
    with pytest.raises(Filtered):
        provider.poll(operation_id)


def test_a_torn_line_of_the_log_is_neither_counted_nor_glued_to_the_next(tmp_path: Path) -> None:
    provider = LocalClips(tmp_path, profile=PROFILE)
    provider.submit(a_request(), reference="a/1")
    with (tmp_path / "submissions.jsonl").open("a") as log:
        log.write('{"at": "2026-')
    second = provider.submit(a_request(), reference="a/2")
    assert provider.find("a/2") == second
    assert len(Books(tmp_path).submissions()) == 2


def test_an_order_without_a_line_in_the_log_was_never_taken(tmp_path: Path) -> None:
    """A crash between the operation's file and the log: not paid, so not found."""
    provider = LocalClips(tmp_path, profile=PROFILE)
    taken = provider.submit(a_request(), reference="a/1")
    books = Books(tmp_path)
    operation = books.load(taken)
    assert operation is not None
    books.save(Operation.model_validate(operation.model_dump() | {"operation_id": "local-orphan", "reference": "a/9"}))
    assert provider.find("a/9") is None


def test_a_clip_that_is_not_finished_cannot_be_fetched(tmp_path: Path) -> None:
    provider = LocalClips(tmp_path, profile=PROFILE)
    operation_id = provider.submit(a_request(), reference="a/1")
    with pytest.raises(Invalid, match="not finished"):
        provider.fetch(operation_id, tmp_path / "clip.mp4")


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Transient, match="can be written"):
        LocalClips(tmp_path / "file", profile=PROFILE).submit(a_request(), reference="a/1")


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_reference_finds_its_own_call_only(tmp_path_factory: pytest.TempPathFactory, one: str, two: str) -> None:
    provider = LocalClips(tmp_path_factory.mktemp("provider"), profile=PROFILE)
    first = provider.submit(a_request(), reference=one)
    assert provider.find(one) == first
    assert (provider.find(two) is None) == (one != two)


def test_prepared_clips_differ_by_number_and_are_made_once(tmp_path: Path) -> None:
    provider = LocalClips(tmp_path, profile=PROFILE, instant=True)
    clips = []
    for call, number in enumerate((1, 2, 1)):
        operation_id = provider.submit(a_request(number=number, seconds=1), reference=f"a/{call}")
        assert provider.poll(operation_id).state is OperationState.SUCCEEDED
        clips.append(provider.fetch(operation_id, tmp_path / f"{call}.mp4").path.read_bytes())
    assert clips[0] == clips[2] != clips[1]
    assert len(list((tmp_path / "prepared").glob("*.mp4"))) == 2


@pytest.mark.parametrize(
    ("aspect_ratio", "size"), [("9:16", (720, 1280)), ("1:1", (720, 720)), ("16:9", (1280, 720)), ("4:5", (720, 900))]
)
def test_a_drawn_clip_is_what_was_asked_for(tmp_path: Path, aspect_ratio: str, size: tuple[int, int]) -> None:
    provider = LocalClips(tmp_path, profile=PROFILE)
    operation_id = provider.submit(a_request(seconds=1, aspect_ratio=aspect_ratio), reference="a/1")
    _wait(provider, operation_id)
    clip = provider.fetch(operation_id, tmp_path / "clip.mp4")
    with av.open(str(clip.path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == size
        assert video.average_rate == 30
        assert video.codec_context.name == "h264"
        assert (audio.rate, audio.channels) == (48_000, 2)
    frames = _frames(clip.path)
    assert len(frames) == 30
    assert frames[0].mean() > 20, "the first frame is dark"
    assert frames[0].std() > 8, "the first frame is empty"
    assert not list(tmp_path.glob("operations/*/drawn-*")), "something half-done was left"


DRAWER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from maquette.providers.catalogue import profile
    from maquette.providers.clips.local import LocalClips
    provider = LocalClips(Path(sys.argv[1]), profile=profile("clips", "local"))
    while True:
        print(provider.poll(sys.argv[2]).progress, flush=True)
        time.sleep(0.02)
""")


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes through /proc")
def test_a_killed_drawer_takes_its_encoder_along_and_the_next_one_takes_over(tmp_path: Path) -> None:
    provider = LocalClips(tmp_path, profile=PROFILE)
    operation_id = provider.submit(a_request(seconds=1, aspect_ratio="1:1"), reference="a/1")
    drawer = subprocess.Popen(
        [sys.executable, "-c", DRAWER, str(tmp_path), operation_id], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert drawer.stdout is not None
        while float(drawer.stdout.readline()) < 0.5:
            assert drawer.poll() is None
        other = provider.poll(operation_id)
        assert other.progress >= 0.5, "a second process reports the progress of the one that draws"
        encoders = _children(drawer.pid)
        assert encoders, "the encoder should be running"
    finally:
        drawer.send_signal(signal.SIGKILL)
        drawer.wait()
        drawer.stdout.close()  # type: ignore[union-attr]
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() and _alive(pid) for pid in encoders):
        assert time.monotonic() < end, "the encoder outlived its parent"
        time.sleep(0.02)
    assert not (tmp_path / "operations" / operation_id / "clip.mp4").exists()
    _wait(provider, operation_id)
    assert len(_frames(provider.fetch(operation_id, tmp_path / "clip.mp4").path)) == 30
    assert len(Books(tmp_path).submissions()) == 1


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_clip_that_another_process_draws_is_only_looked_at(tmp_path: Path) -> None:
    provider = LocalClips(tmp_path, profile=PROFILE)
    operation_id = provider.submit(a_request(seconds=1, aspect_ratio="1:1"), reference="a/1")
    folder = Books(tmp_path).folder(operation_id)
    (folder / "progress").write_text("0.42")
    with (folder / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert provider.poll(operation_id).progress == 0.42
        assert f"drawing {operation_id}" not in [thread.name for thread in threading.enumerate()]
    provider.poll(operation_id)
    assert f"drawing {operation_id}" in [thread.name for thread in threading.enumerate()]
    _wait(provider, operation_id)


def test_submissions_at_once_share_the_planned_faults(tmp_path: Path) -> None:
    faults: dict[int, list[Fault]] = {1: ["throttle", "lose-answer", "throttle", "lose-answer"]}

    def submit(call: int) -> str:
        try:
            return LocalClips(tmp_path, profile=PROFILE, faults=faults).submit(a_request(), reference=f"a/{call}")
        except (Transient, OutcomeUnknown) as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(submit, range(8)))
    assert answers.count("provider_unavailable") == 2
    assert answers.count("outcome_unknown") == 2
    assert len(Books(tmp_path).submissions()) == 8


def test_a_drawing_that_fails_ends_the_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("no such pictogram")

    monkeypatch.setattr("maquette.providers.clips.local.render.draw_clip", broken)
    provider = LocalClips(tmp_path, profile=PROFILE)
    operation_id = provider.submit(a_request(seconds=1), reference="a/1")
    with pytest.raises(Transient, match="no such pictogram") as failure:
        _wait(provider, operation_id)
    assert failure.value.values["operation_ended"] is True


def test_a_full_disk_stops_the_drawing_but_not_the_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    provider = LocalClips(tmp_path, profile=PROFILE)
    operation_id = provider.submit(a_request(seconds=1, aspect_ratio="1:1"), reference="a/1")
    with monkeypatch.context() as patch:
        patch.setattr("maquette.providers.clips.local.render.draw_clip", full)
        with pytest.raises(Transient, match="free some space") as failure:
            _wait(provider, operation_id)
    assert "operation_ended" not in failure.value.values
    _wait(provider, operation_id)


def test_equal_requests_are_equal_clips(tmp_path: Path) -> None:
    """To the byte, but for the voice: espeak-ng's noise source goes on from one call to the next."""
    provider = LocalClips(tmp_path, profile=PROFILE)
    clips = []
    for call in range(2):
        operation_id = provider.submit(
            a_request(seconds=1, attempt=call + 1, dialogue="", aspect_ratio="1:1"), reference=f"a/{call}"
        )
        _wait(provider, operation_id)
        clips.append(provider.fetch(operation_id, tmp_path / f"{call}.mp4").path.read_bytes())
    assert clips[0] == clips[1]


def test_a_request_can_be_read_again_from_its_operation(tmp_path: Path) -> None:
    provider = LocalClips(tmp_path, profile=PROFILE)
    request: ClipRequest = a_request(language="es", seed=7)
    operation = Books(tmp_path).load(provider.submit(request, reference="a/1"))
    assert operation is not None
    assert operation.request == request
