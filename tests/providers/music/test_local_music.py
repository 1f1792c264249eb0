"""The local music provider: its contract, its books, its faults, and what a crash leaves."""

import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maquette.errors import Invalid, MediaError, OutcomeUnknown, Transient
from maquette.media.songs import check_song
from maquette.providers.catalogue import profile
from maquette.providers.clips.port import OperationState
from maquette.providers.music.local import LocalMusic
from maquette.providers.music.local.provider import Books
from maquette.settings import Fault
from tests.providers.music_contract import MusicContract, MusicRig, a_request, finished

PROFILE = profile("music", "local").model_copy(update={"price_micros_per_song": 1000})
ROOT = Path(__file__).parents[3]


class LocalRig:
    tells = True

    def __init__(self, root: Path) -> None:
        self.faults: dict[int, list[Fault]] = {1: []}
        self.books = Books(root)
        self.provider = LocalMusic(root, profile=PROFILE, faults=self.faults, instant=True)

    def next_submission(self, fault: str) -> None:
        self.faults[1] = [*["stall"] * len(self.books.submissions()), fault]  # type: ignore[list-item]

    def taken(self) -> int:
        return len([line for line in self.books.submissions() if line.operation_id])


class TestLocalContract(MusicContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> MusicRig:
        return LocalRig(tmp_path / "provider")


def test_the_log_has_a_line_for_every_call_with_what_it_cost(tmp_path: Path) -> None:
    provider = LocalMusic(tmp_path, profile=PROFILE, faults={1: ["fail", "refuse", "throttle"]}, instant=True)
    for call in range(5):
        try:
            provider.submit(a_request(), reference=f"item/{call}")
        except Transient:
            continue
    lines = [json.loads(line) for line in (tmp_path / "submissions.jsonl").read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["fail", "refuse", "throttle", "accepted", "accepted"]
    assert [line["cost_micros"] for line in lines] == [0, 0, 0, 1000, 1000]
    assert [line["operation_id"] is None for line in lines] == [False, False, True, False, False]


def test_submissions_at_once_share_the_planned_faults(tmp_path: Path) -> None:
    faults: dict[int, list[Fault]] = {1: ["throttle", "lose-answer", "throttle", "lose-answer"]}

    def submit(call: int) -> str:
        try:
            provider = LocalMusic(tmp_path, profile=PROFILE, faults=faults)
            return "taken" if provider.submit(a_request(), reference=f"a/{call}") else ""
        except (Transient, OutcomeUnknown) as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(submit, range(8)))
    assert answers == {"provider_unavailable": 2, "outcome_unknown": 2, "taken": 4}


def test_a_stalled_song_hangs_and_then_comes(tmp_path: Path) -> None:
    provider = LocalMusic(tmp_path, profile=PROFILE, faults={1: ["stall"]}, stall_s=3600, instant=True)
    operation_id = provider.submit(a_request(), reference="a/1")
    assert provider.poll(operation_id).state is OperationState.RUNNING
    patient = LocalMusic(tmp_path, profile=PROFILE, stall_s=0, instant=True)
    assert patient.poll(operation_id).state is OperationState.SUCCEEDED


def test_a_broken_song_arrives_and_is_none(tmp_path: Path) -> None:
    provider = LocalMusic(tmp_path, profile=PROFILE, faults={1: ["broken-clip"]})
    path = provider.fetch(finished(provider, a_request()), tmp_path / "song.mp3")
    with pytest.raises(MediaError, match="no readable song"):
        check_song(path)


def test_what_is_not_played_yet_cannot_be_fetched(tmp_path: Path) -> None:
    provider = LocalMusic(tmp_path, profile=PROFILE, instant=True)
    operation_id = provider.submit(a_request(), reference="a/1")
    with pytest.raises(Invalid, match="poll until"):
        provider.fetch(operation_id, tmp_path / "song.mp3")


def test_equal_requests_are_equal_to_the_byte_in_another_process(tmp_path: Path) -> None:
    """Whatever the call: the item's number, the attempt and the seed of Python's hashes have no say."""
    program = """
        import sys
        from pathlib import Path
        from maquette.providers.music.local import LocalMusic
        from tests.providers.music.test_local_music import PROFILE

        LocalMusic(Path(sys.argv[1]), profile=PROFILE).poll(sys.argv[2])
    """
    provider = LocalMusic(tmp_path, profile=PROFILE)
    here = finished(provider, a_request(number=3, attempt=2))
    there = provider.submit(a_request(), reference="a/2")
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path), there],
        cwd=ROOT, check=True, timeout=60, env={**os.environ, "PYTHONHASHSEED": "5"},
    )  # fmt: skip
    songs = [provider.fetch(one, tmp_path / f"{one}.mp3").read_bytes() for one in (here, there)]
    assert songs[0] == songs[1]


def test_a_song_that_breaks_off_leaves_nothing_and_is_played_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> bytes:
        raise OSError(28, os.strerror(28))

    provider = LocalMusic(tmp_path, profile=PROFILE, instant=True)
    operation_id = provider.submit(a_request(), reference="a/1")
    with monkeypatch.context() as patch:
        patch.setattr("maquette.providers.music.local.render.placeholder", full)
        with pytest.raises(Transient, match="free some space") as failure:
            provider.poll(operation_id)
    assert "operation_ended" not in failure.value.values
    assert not list((tmp_path / "operations" / operation_id).iterdir())
    assert provider.poll(operation_id).state is OperationState.SUCCEEDED


def test_a_song_that_fails_ends_the_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise KeyError("no such instrument")

    monkeypatch.setattr("maquette.providers.music.local.render.song", broken)
    provider = LocalMusic(tmp_path, profile=PROFILE)
    with pytest.raises(Invalid, match="no such instrument") as failure:
        finished(provider, a_request())
    assert failure.value.values["operation_ended"] is True


def test_pruning_leaves_no_operation_that_the_log_does_not_know(tmp_path: Path) -> None:
    provider = LocalMusic(tmp_path, profile=PROFILE, instant=True)
    books = Books(tmp_path)
    finished(provider, a_request())
    books.log.unlink()
    assert books.prune(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert books.prune(datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert not list(books.operations.iterdir())


def test_who_never_plays_loads_no_numpy() -> None:
    program = "import sys; from maquette.providers.music.local import LocalMusic; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60, capture_output=True)
    loaded = set(ran.stdout.decode().split())
    assert "maquette.providers.music.local" in loaded
    assert loaded & {"numpy", "av"} == set()
