"""What every clip provider does. An adapter's test module subclasses ``ClipContract`` and builds its rig."""

from pathlib import Path
from typing import Protocol

import pytest

from maquette.errors import Filtered, Invalid, OutcomeUnknown, StorageError, Transient
from maquette.providers.clips.port import ClipProvider, ClipRequest, OperationState


class ClipRig(Protocol):
    """A provider with a hand on its other side."""

    tells: bool  # whether ``find`` can tell

    @property
    def provider(self) -> ClipProvider:
        """The adapter under test."""

    def next_submission(self, fault: str) -> None:
        """The next submission meets ``fault``: refuse, fail, lose-answer, throttle or unreachable."""

    def taken(self) -> int:
        """How many submissions the other side took, as its own log has it."""


def a_request(**changes: object) -> ClipRequest:
    """A request that every model in the catalogue can make."""
    values: dict[str, object] = {
        "visual": "Gros plan sur une cuillère de sucre, lumière chaude du matin.",
        "dialogue": "Le sucre est partout.",
        "number": 1,
        "total": 2,
        "seconds": 8,
    }
    return ClipRequest.model_validate(values | changes)


class ClipContract:
    """Subclasses override the fixture ``rig``."""

    @pytest.fixture
    def rig(self) -> ClipRig:
        raise NotImplementedError

    def test_the_profile_is_a_row_of_the_catalogue(self, rig: ClipRig) -> None:
        assert rig.provider.profile.kind == "clips"
        assert rig.provider.profile.source
        assert rig.provider.profile.seconds == sorted(rig.provider.profile.seconds)

    def test_a_clip_is_ordered_awaited_and_fetched(self, rig: ClipRig, tmp_path: Path) -> None:
        operation_id = rig.provider.submit(a_request(), reference="film-1/call-1")
        seen = []
        for _ in range(10):
            seen.append(rig.provider.poll(operation_id))
            if seen[-1].state is OperationState.SUCCEEDED:
                break
        assert seen[-1].state is OperationState.SUCCEEDED
        assert [one.progress for one in seen] == sorted(one.progress for one in seen)
        clip = rig.provider.fetch(operation_id, tmp_path / "clip.mp4")
        assert clip.path == tmp_path / "clip.mp4"
        assert clip.path.read_bytes()[4:8] == b"ftyp"
        assert rig.taken() == 1

    def test_two_submissions_are_two_operations_and_two_payments(self, rig: ClipRig) -> None:
        first = rig.provider.submit(a_request(), reference="film-1/call-1")
        second = rig.provider.submit(a_request(), reference="film-1/call-2")
        assert first != second
        assert rig.taken() == 2

    def test_a_call_is_found_again_or_cannot_be_told(self, rig: ClipRig) -> None:
        other = rig.provider.submit(a_request(), reference="film-1/call-1")
        mine = rig.provider.submit(a_request(), reference="film-1/call-2")
        if not rig.tells:
            with pytest.raises(OutcomeUnknown):
                rig.provider.find("film-1/call-2")
            return
        assert rig.provider.find("film-1/call-2") == mine != other
        assert rig.provider.find("film-1/call-3") is None

    def test_a_lost_answer_is_not_taken_for_a_failure(self, rig: ClipRig) -> None:
        rig.next_submission("lose-answer")
        with pytest.raises(OutcomeUnknown):
            rig.provider.submit(a_request(), reference="film-1/call-1")
        assert rig.taken() == 1
        if rig.tells:
            found = rig.provider.find("film-1/call-1")
            assert found is not None
            rig.provider.poll(found)

    def test_what_the_model_cannot_make_is_refused_before_it_costs(self, rig: ClipRig) -> None:
        longest = rig.provider.profile.seconds[-1]
        with pytest.raises(Invalid, match=str(longest)):
            rig.provider.submit(a_request(seconds=longest + 1), reference="film-1/call-1")
        assert rig.taken() == 0

    def test_a_refusal_ends_the_operation_and_names_its_rule(self, rig: ClipRig) -> None:
        rig.next_submission("refuse")
        operation_id = rig.provider.submit(a_request(), reference="film-1/call-1")
        with pytest.raises(Filtered, match="usage guidelines") as refusal:
            rig.provider.poll(operation_id)
        assert refusal.value.code == "usage_guidelines"
        assert refusal.value.values["operation_ended"] is True

    def test_a_failed_operation_is_worth_another_submission(self, rig: ClipRig) -> None:
        rig.next_submission("fail")
        operation_id = rig.provider.submit(a_request(), reference="film-1/call-1")
        with pytest.raises(Transient) as failure:
            rig.provider.poll(operation_id)
        assert failure.value.values["operation_ended"] is True

    def test_a_throttled_submission_says_when_to_come_back(self, rig: ClipRig) -> None:
        rig.next_submission("throttle")
        with pytest.raises(Transient) as slow:
            rig.provider.submit(a_request(), reference="film-1/call-1")
        assert slow.value.retry_after_s == 1
        assert rig.taken() == 0
        rig.provider.submit(a_request(), reference="film-1/call-2")
        assert rig.taken() == 1

    def test_an_operation_of_elsewhere_is_no_operation(self, rig: ClipRig) -> None:
        for name in ("../../etc/passwd", "none"):
            with pytest.raises(Invalid):
                rig.provider.poll(name)

    def test_a_folder_that_is_not_there_is_a_storage_error(self, rig: ClipRig, tmp_path: Path) -> None:
        operation_id = rig.provider.submit(a_request(), reference="film-1/call-1")
        while rig.provider.poll(operation_id).state is not OperationState.SUCCEEDED:
            pass
        with pytest.raises(StorageError):
            rig.provider.fetch(operation_id, tmp_path / "nowhere" / "clip.mp4")

    def test_a_full_disk_is_said_and_leaves_nothing(self, rig: ClipRig, tmp_path: Path) -> None:
        operation_id = rig.provider.submit(a_request(), reference="film-1/call-1")
        while rig.provider.poll(operation_id).state is not OperationState.SUCCEEDED:
            pass
        full = Path("/dev/full")
        if not full.exists():
            pytest.skip("this system has no /dev/full")
        link = tmp_path / "clip.mp4"
        link.symlink_to(full)
        with pytest.raises(StorageError) as error:
            rig.provider.fetch(operation_id, link)
        assert error.value.code == "storage_full"
        assert not link.is_symlink()
