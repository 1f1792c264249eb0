"""What every loop provider does. An adapter's test module subclasses ``LoopContract`` and builds its rig."""

from hashlib import sha256
from pathlib import Path
from typing import Protocol

import av
import pytest

from maquette.errors import Filtered, Invalid, OutcomeUnknown, StorageError, Transient
from maquette.providers.clips.port import OperationState
from maquette.providers.loops.port import LoopProvider, LoopRequest
from tests.providers.image_contract import a_picture

PICTURE = a_picture("#2266aa", size=(48, 48))


class LoopRig(Protocol):
    """A provider with a hand on its other side."""

    tells: bool  # whether ``find`` can tell

    @property
    def provider(self) -> LoopProvider:
        """The adapter under test."""

    def next_submission(self, fault: str) -> None:
        """The next submission meets ``fault``: refuse, fail, lose-answer or throttle."""

    def taken(self) -> int:
        """How many submissions the other side took, as its own log has it."""


def a_request(picture: bytes = PICTURE, **changes: object) -> LoopRequest:
    """A small request that every model in the catalogue can make."""
    values: dict[str, object] = {
        "prompt": "Animated whale swimming gracefully, peaceful.",
        "image_sha256": sha256(picture).hexdigest(),
        "frames": 9,
        "width": 64,
        "height": 64,
    }
    return LoopRequest.model_validate(values | changes)


def a_file(folder: Path, picture: bytes = PICTURE) -> Path:
    """The picture's file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sha256(picture).hexdigest()[:12]}.png"
    path.write_bytes(picture)
    return path


def finished(provider: LoopProvider, operation_id: str) -> str:
    """The operation, polled to its end."""
    for _ in range(10):
        if provider.poll(operation_id).state is OperationState.SUCCEEDED:
            return operation_id
    raise AssertionError("the loop was not made")


class LoopContract:
    """Subclasses override the fixture ``rig``."""

    @pytest.fixture
    def rig(self) -> LoopRig:
        raise NotImplementedError

    @pytest.fixture
    def image(self, tmp_path: Path) -> Path:
        return a_file(tmp_path / "pictures")

    def test_the_profile_is_a_row_of_the_catalogue(self, rig: LoopRig) -> None:
        assert rig.provider.profile.kind == "loops"
        assert rig.provider.profile.source

    def test_a_loop_is_ordered_awaited_and_fetched(self, rig: LoopRig, image: Path, tmp_path: Path) -> None:
        operation_id = rig.provider.submit(a_request(), reference="item-1/call-1", image=image)
        seen = []
        for _ in range(10):
            seen.append(rig.provider.poll(operation_id))
            if seen[-1].state is OperationState.SUCCEEDED:
                break
        assert seen[-1].state is OperationState.SUCCEEDED
        assert [one.progress for one in seen] == sorted(one.progress for one in seen)
        loop = rig.provider.fetch(operation_id, tmp_path / "loop.tmp")
        assert loop == tmp_path / "loop.tmp"
        with av.open(loop) as container:
            assert len(list(container.decode(video=0))) == 9
        assert rig.taken() == 1

    def test_two_submissions_are_two_operations_and_two_payments(self, rig: LoopRig, image: Path) -> None:
        first = rig.provider.submit(a_request(), reference="item-1/call-1", image=image)
        second = rig.provider.submit(a_request(), reference="item-1/call-2", image=image)
        assert first != second
        assert rig.taken() == 2

    def test_a_call_is_found_again_or_cannot_be_told(self, rig: LoopRig, image: Path) -> None:
        other = rig.provider.submit(a_request(), reference="item-1/call-1", image=image)
        mine = rig.provider.submit(a_request(), reference="item-1/call-2", image=image)
        if not rig.tells:
            with pytest.raises(OutcomeUnknown):
                rig.provider.find("item-1/call-2")
            return
        assert rig.provider.find("item-1/call-2") == mine != other
        assert rig.provider.find("item-1/call-3") is None

    def test_a_lost_answer_is_not_taken_for_a_failure(self, rig: LoopRig, image: Path) -> None:
        rig.next_submission("lose-answer")
        with pytest.raises(OutcomeUnknown):
            rig.provider.submit(a_request(), reference="item-1/call-1", image=image)
        assert rig.taken() == 1
        if rig.tells:
            found = rig.provider.find("item-1/call-1")
            assert found is not None
            rig.provider.poll(found)

    def test_another_picture_than_was_named_is_refused_before_it_costs(self, rig: LoopRig, tmp_path: Path) -> None:
        other = a_file(tmp_path, a_picture("#ff0000"))
        with pytest.raises(Invalid, match="not the picture that was asked for"):
            rig.provider.submit(a_request(), reference="item-1/call-1", image=other)
        assert rig.taken() == 0

    def test_what_is_no_picture_is_refused_before_it_costs(self, rig: LoopRig, tmp_path: Path) -> None:
        text = b"%PDF-1.7 no picture"
        with pytest.raises(Invalid, match="PNG, JPEG or WebP"):
            rig.provider.submit(a_request(text), reference="item-1/call-1", image=a_file(tmp_path, text))
        with pytest.raises(Transient, match="cannot be read"):
            rig.provider.submit(a_request(), reference="item-1/call-1", image=tmp_path / "nowhere.png")
        assert rig.taken() == 0

    def test_the_picture_is_not_needed_once_it_was_ordered(self, rig: LoopRig, image: Path, tmp_path: Path) -> None:
        operation_id = rig.provider.submit(a_request(), reference="item-1/call-1", image=image)
        image.unlink()
        assert rig.provider.fetch(finished(rig.provider, operation_id), tmp_path / "loop.mp4").exists()

    def test_a_refusal_ends_the_operation_and_names_its_rule(self, rig: LoopRig, image: Path) -> None:
        rig.next_submission("refuse")
        operation_id = rig.provider.submit(a_request(), reference="item-1/call-1", image=image)
        with pytest.raises(Filtered, match="usage guidelines") as refusal:
            rig.provider.poll(operation_id)
        assert refusal.value.code == "usage_guidelines"
        assert refusal.value.values["operation_ended"] is True

    def test_a_failed_operation_is_worth_another_submission(self, rig: LoopRig, image: Path) -> None:
        rig.next_submission("fail")
        operation_id = rig.provider.submit(a_request(), reference="item-1/call-1", image=image)
        with pytest.raises(Transient) as failure:
            rig.provider.poll(operation_id)
        assert failure.value.values["operation_ended"] is True
        again = rig.provider.submit(a_request(attempt=2), reference="item-1/call-2", image=image)
        finished(rig.provider, again)

    def test_a_throttled_submission_says_when_to_come_back(self, rig: LoopRig, image: Path) -> None:
        rig.next_submission("throttle")
        with pytest.raises(Transient) as slow:
            rig.provider.submit(a_request(), reference="item-1/call-1", image=image)
        assert slow.value.retry_after_s == 1
        assert rig.taken() == 0
        rig.provider.submit(a_request(), reference="item-1/call-2", image=image)
        assert rig.taken() == 1

    def test_an_operation_of_elsewhere_is_no_operation(self, rig: LoopRig) -> None:
        for name in ("../../etc/passwd", "none"):
            with pytest.raises(Invalid):
                rig.provider.poll(name)

    def test_a_folder_that_is_not_there_is_a_storage_error(self, rig: LoopRig, image: Path, tmp_path: Path) -> None:
        operation_id = finished(
            rig.provider, rig.provider.submit(a_request(), reference="item-1/call-1", image=image)
        )  # fmt: skip
        with pytest.raises(StorageError):
            rig.provider.fetch(operation_id, tmp_path / "nowhere" / "loop.mp4")

    def test_a_full_disk_is_said_and_leaves_nothing(self, rig: LoopRig, image: Path, tmp_path: Path) -> None:
        operation_id = finished(
            rig.provider, rig.provider.submit(a_request(), reference="item-1/call-1", image=image)
        )  # fmt: skip
        full = Path("/dev/full")
        if not full.exists():
            pytest.skip("this system has no /dev/full")
        link = tmp_path / "loop.mp4"
        link.symlink_to(full)
        with pytest.raises(StorageError) as error:
            rig.provider.fetch(operation_id, link)
        assert error.value.code == "storage_full"
        assert not link.is_symlink()
