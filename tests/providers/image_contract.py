"""What every image provider does. An adapter's test module subclasses ``ImageContract`` and builds its rig."""

from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Protocol

import pytest
from PIL import Image

from maquette.errors import Filtered, Invalid, OutcomeUnknown, StorageError, Transient
from maquette.providers.clips.port import OperationState
from maquette.providers.images.port import ImageProvider, ImageRequest

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}


class ImageRig(Protocol):
    """A provider with a hand on its other side."""

    tells: bool  # whether ``find`` can tell of what was answered and of what was never sent
    tells_lost: bool  # whether it finds a call whose answer was lost

    @property
    def provider(self) -> ImageProvider:
        """The adapter under test."""

    def next_submission(self, fault: str) -> None:
        """The next submission meets ``fault``: refuse, fail, lose-answer or throttle."""

    def taken(self) -> int:
        """How many submissions the other side took, as its own log has it."""


def a_request(**changes: object) -> ImageRequest:
    """A request that every model in the catalogue can make."""
    values: dict[str, object] = {
        "prompt": "Une tasse de café sur une table, lumière du matin.",
        "ratio": "4:5",
        "width": 216,
        "height": 270,
    }
    return ImageRequest.model_validate(values | changes)


def a_picture(colour: str = "#336699", *, form: str = "PNG", size: tuple[int, int] = (24, 30)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, form)
    return out.getvalue()


def a_file(folder: Path, data: bytes) -> tuple[str, Path]:
    """A reference: its sha256 and its file."""
    digest = sha256(data).hexdigest()
    path = folder / f"{digest[:12]}.png"
    path.write_bytes(data)
    return digest, path


def finished(provider: ImageProvider, request: ImageRequest, reference: str = "order-1/call-1") -> str:
    """The operation of a picture that is ready."""
    operation_id = provider.submit(request, reference=reference, files=[])
    for _ in range(10):
        if provider.poll(operation_id).state is OperationState.SUCCEEDED:
            return operation_id
    raise AssertionError("the picture was not made")


class ImageContract:
    """Subclasses override the fixture ``rig``."""

    @pytest.fixture
    def rig(self) -> ImageRig:
        raise NotImplementedError

    def test_the_profile_is_a_row_of_the_catalogue(self, rig: ImageRig) -> None:
        assert rig.provider.profile.kind == "images"
        assert rig.provider.profile.source
        assert rig.provider.profile.aspect_ratios

    def test_a_picture_is_ordered_awaited_and_fetched(self, rig: ImageRig, tmp_path: Path) -> None:
        operation_id = finished(rig.provider, a_request())
        path = rig.provider.fetch(operation_id, tmp_path / "picture.tmp")
        assert path.parent == tmp_path
        assert path.stem == "picture"
        with Image.open(path) as picture:
            picture.load()
            assert path.suffix == SUFFIXES[str(picture.format)]
        assert [each.name for each in tmp_path.glob("picture*")] == [path.name]
        assert rig.taken() == 1

    def test_two_submissions_are_two_operations_and_two_payments(self, rig: ImageRig) -> None:
        first = rig.provider.submit(a_request(), reference="order-1/call-1", files=[])
        second = rig.provider.submit(a_request(), reference="order-1/call-2", files=[])
        assert first != second
        assert rig.taken() == 2

    def test_a_call_is_found_again_or_cannot_be_told(self, rig: ImageRig) -> None:
        other = rig.provider.submit(a_request(), reference="order-1/call-1", files=[])
        mine = rig.provider.submit(a_request(), reference="order-1/call-2", files=[])
        if not rig.tells:
            with pytest.raises(OutcomeUnknown):
                rig.provider.find("order-1/call-2")
            return
        assert rig.provider.find("order-1/call-2") == mine != other
        assert rig.provider.find("order-1/call-3") is None

    def test_a_lost_answer_is_not_taken_for_a_failure(self, rig: ImageRig) -> None:
        rig.next_submission("lose-answer")
        with pytest.raises(OutcomeUnknown):
            rig.provider.submit(a_request(), reference="order-1/call-1", files=[])
        assert rig.taken() == 1
        if not rig.tells_lost:
            with pytest.raises(OutcomeUnknown):
                rig.provider.find("order-1/call-1")
            return
        found = rig.provider.find("order-1/call-1")
        assert found is not None
        rig.provider.poll(found)

    def test_more_references_than_the_model_takes_are_refused_before_they_cost(
        self, rig: ImageRig, tmp_path: Path
    ) -> None:
        digest, path = a_file(tmp_path, a_picture())
        most = rig.provider.profile.max_references
        with pytest.raises(Invalid, match=f"takes {most} "):
            rig.provider.submit(
                a_request(references=(digest,) * (most + 1)), reference="order-1/call-1", files=[path] * (most + 1)
            )
        with pytest.raises(Invalid, match="pass one for each"):
            rig.provider.submit(a_request(references=(digest,)), reference="order-1/call-1", files=[])
        assert rig.taken() == 0

    def test_a_reference_that_is_no_picture_is_refused_before_it_costs(self, rig: ImageRig, tmp_path: Path) -> None:
        if not rig.provider.profile.max_references:
            return  # it takes none at all
        digest, path = a_file(tmp_path, b"%PDF-1.7 no picture")
        with pytest.raises(Invalid, match="PNG, JPEG or WebP"):
            rig.provider.submit(a_request(references=(digest,)), reference="order-1/call-1", files=[path])
        assert rig.taken() == 0

    def test_a_refusal_ends_the_operation_and_names_its_rule(self, rig: ImageRig) -> None:
        rig.next_submission("refuse")
        operation_id = rig.provider.submit(a_request(), reference="order-1/call-1", files=[])
        with pytest.raises(Filtered) as refusal:
            rig.provider.poll(operation_id)
        assert refusal.value.code == "usage_guidelines"
        assert refusal.value.values["operation_ended"] is True

    def test_a_failed_operation_is_worth_another_submission(self, rig: ImageRig) -> None:
        rig.next_submission("fail")
        operation_id = rig.provider.submit(a_request(), reference="order-1/call-1", files=[])
        with pytest.raises(Transient) as failure:
            rig.provider.poll(operation_id)
        assert failure.value.values["operation_ended"] is True
        finished(rig.provider, a_request(attempt=2), "order-1/call-2")

    def test_a_throttled_submission_says_when_to_come_back_and_may(self, rig: ImageRig) -> None:
        rig.next_submission("throttle")
        with pytest.raises(Transient) as slow:
            rig.provider.submit(a_request(), reference="order-1/call-1", files=[])
        assert slow.value.retry_after_s == 1
        assert rig.taken() == 0
        rig.provider.submit(a_request(), reference="order-1/call-1", files=[])
        assert rig.taken() == 1

    def test_an_operation_of_elsewhere_is_no_operation(self, rig: ImageRig) -> None:
        for name in ("../../etc/passwd", "none", "gemini-../x"):
            with pytest.raises(Invalid):
                rig.provider.poll(name)

    def test_a_folder_that_is_not_there_is_a_storage_error(self, rig: ImageRig, tmp_path: Path) -> None:
        operation_id = finished(rig.provider, a_request())
        with pytest.raises(StorageError):
            rig.provider.fetch(operation_id, tmp_path / "nowhere" / "picture")

    def test_a_full_disk_is_said_and_leaves_nothing(self, rig: ImageRig, tmp_path: Path) -> None:
        operation_id = finished(rig.provider, a_request())
        full = Path("/dev/full")
        if not full.exists():
            pytest.skip("this system has no /dev/full")
        for suffix in SUFFIXES.values():
            (tmp_path / f"picture{suffix}").symlink_to(full)
        with pytest.raises(StorageError) as error:
            rig.provider.fetch(operation_id, tmp_path / "picture.tmp")
        assert error.value.code == "storage_full"
        assert len(list(tmp_path.glob("picture*"))) == len(SUFFIXES) - 1
