"""What every music provider does. An adapter's test module subclasses ``MusicContract`` and builds its rig."""

from pathlib import Path
from typing import Protocol

import pytest

from maquette.errors import Filtered, Invalid, OutcomeUnknown, StorageError, Transient
from maquette.media.songs import check_song
from maquette.providers.clips.port import OperationState
from maquette.providers.music.port import MusicProvider, MusicRequest

LYRICS = """[verse]
In the jungle there are animals
Who dance and sing all day
[chorus]
Come and play, come and sing
In the jungle with the king
"""


class MusicRig(Protocol):
    """A provider with a hand on its other side."""

    tells: bool  # whether ``find`` can tell of what was answered and of what was never sent

    @property
    def provider(self) -> MusicProvider:
        """The adapter under test."""

    def next_submission(self, fault: str) -> None:
        """The next submission meets ``fault``: refuse, fail, lose-answer or throttle."""

    def taken(self) -> int:
        """How many submissions the other side took, as its own log has it."""


def a_request(**changes: object) -> MusicRequest:
    """A short song that every model in the catalogue can make."""
    values: dict[str, object] = {
        "lyrics": LYRICS,
        "prompt": "Joyful children's song with xylophone.",
        "language": "en",
        "seconds": 4,
    }
    return MusicRequest.model_validate(values | changes)


def finished(provider: MusicProvider, request: MusicRequest, reference: str = "order-1/call-1") -> str:
    """The operation of a song that is ready."""
    operation_id = provider.submit(request, reference=reference)
    for _ in range(10):
        if provider.poll(operation_id).state is OperationState.SUCCEEDED:
            return operation_id
    raise AssertionError("the song was not made")


class MusicContract:
    """Subclasses override the fixture ``rig``."""

    @pytest.fixture
    def rig(self) -> MusicRig:
        raise NotImplementedError

    def test_the_profile_is_a_row_of_the_catalogue(self, rig: MusicRig) -> None:
        assert rig.provider.profile.kind == "music"
        assert rig.provider.profile.source

    def test_a_song_is_ordered_awaited_and_fetched(self, rig: MusicRig, tmp_path: Path) -> None:
        operation_id = finished(rig.provider, a_request())
        path = rig.provider.fetch(operation_id, tmp_path / "music_en.mp3")
        assert path == tmp_path / "music_en.mp3"
        assert [each.name for each in tmp_path.glob("music_*")] == [path.name]
        assert check_song(path).duration_s == pytest.approx(4, abs=0.01)
        assert rig.taken() == 1

    def test_two_submissions_are_two_operations_and_two_payments(self, rig: MusicRig) -> None:
        first = rig.provider.submit(a_request(), reference="order-1/call-1")
        second = rig.provider.submit(a_request(), reference="order-1/call-2")
        assert first != second
        assert rig.taken() == 2

    def test_a_call_is_found_again_or_cannot_be_told(self, rig: MusicRig) -> None:
        other = rig.provider.submit(a_request(), reference="order-1/call-1")
        mine = rig.provider.submit(a_request(), reference="order-1/call-2")
        if not rig.tells:
            with pytest.raises(OutcomeUnknown):
                rig.provider.find("order-1/call-2")
            return
        assert rig.provider.find("order-1/call-2") == mine != other
        assert rig.provider.find("order-1/call-3") is None

    def test_a_lost_answer_is_not_taken_for_a_failure(self, rig: MusicRig) -> None:
        rig.next_submission("lose-answer")
        with pytest.raises(OutcomeUnknown):
            rig.provider.submit(a_request(), reference="order-1/call-1")
        assert rig.taken() == 1
        if not rig.tells:
            with pytest.raises(OutcomeUnknown):
                rig.provider.find("order-1/call-1")
            return
        found = rig.provider.find("order-1/call-1")
        assert found is not None
        rig.provider.poll(found)

    def test_a_refusal_ends_the_operation_and_names_its_rule(self, rig: MusicRig) -> None:
        rig.next_submission("refuse")
        operation_id = rig.provider.submit(a_request(), reference="order-1/call-1")
        with pytest.raises(Filtered) as refusal:
            rig.provider.poll(operation_id)
        assert refusal.value.code == "usage_guidelines"
        assert refusal.value.values["operation_ended"] is True

    def test_a_failed_operation_is_worth_another_submission(self, rig: MusicRig) -> None:
        rig.next_submission("fail")
        operation_id = rig.provider.submit(a_request(), reference="order-1/call-1")
        with pytest.raises(Transient) as failure:
            rig.provider.poll(operation_id)
        assert failure.value.values["operation_ended"] is True
        finished(rig.provider, a_request(attempt=2), "order-1/call-2")

    def test_a_throttled_submission_says_when_to_come_back_and_may(self, rig: MusicRig) -> None:
        rig.next_submission("throttle")
        with pytest.raises(Transient) as slow:
            rig.provider.submit(a_request(), reference="order-1/call-1")
        assert slow.value.retry_after_s == 1
        assert rig.taken() == 0
        rig.provider.submit(a_request(), reference="order-1/call-1")
        assert rig.taken() == 1

    def test_an_operation_of_elsewhere_is_no_operation(self, rig: MusicRig) -> None:
        for name in ("../../etc/passwd", "none", "local-../x"):
            with pytest.raises(Invalid):
                rig.provider.poll(name)

    def test_a_folder_that_is_not_there_is_a_storage_error(self, rig: MusicRig, tmp_path: Path) -> None:
        operation_id = finished(rig.provider, a_request())
        with pytest.raises(StorageError):
            rig.provider.fetch(operation_id, tmp_path / "nowhere" / "music_en.mp3")

    def test_a_full_disk_is_said_and_leaves_nothing(self, rig: MusicRig, tmp_path: Path) -> None:
        operation_id = finished(rig.provider, a_request())
        full = Path("/dev/full")
        if not full.exists():
            pytest.skip("this system has no /dev/full")
        (tmp_path / "music_en.mp3").symlink_to(full)
        with pytest.raises(StorageError) as error:
            rig.provider.fetch(operation_id, tmp_path / "music_en.mp3")
        assert error.value.code == "storage_full"
        assert not list(tmp_path.glob("music_*"))
