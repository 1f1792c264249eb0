"""The local image provider: its contract, its books, its faults, and what a crash leaves."""

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
from PIL import Image

from maquette.errors import Invalid, OutcomeUnknown, Transient
from maquette.providers.catalogue import profile
from maquette.providers.clips.port import OperationState
from maquette.providers.images.local import LocalImages
from maquette.providers.images.local.provider import Books, Operation
from maquette.settings import Fault
from tests.providers.image_contract import ImageContract, ImageRig, a_file, a_picture, a_request, finished

PROFILE = profile("images", "local").model_copy(update={"price_micros_per_image": 1000})
ROOT = Path(__file__).parents[3]


class LocalRig:
    tells = tells_lost = True

    def __init__(self, root: Path) -> None:
        self.faults: dict[int, list[Fault]] = {1: []}
        self.books = Books(root)
        self.provider = LocalImages(root, profile=PROFILE, faults=self.faults, instant=True)

    def next_submission(self, fault: str) -> None:
        self.faults[1] = [*["stall"] * len(self.books.submissions()), fault]  # type: ignore[list-item]

    def taken(self) -> int:
        return len([line for line in self.books.submissions() if line.operation_id])


class TestLocalContract(ImageContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> ImageRig:
        return LocalRig(tmp_path / "provider")


def test_the_log_has_a_line_for_every_call_with_what_it_cost(tmp_path: Path) -> None:
    provider = LocalImages(tmp_path, profile=PROFILE, faults={1: ["fail", "refuse", "throttle"]}, instant=True)
    for call in range(5):
        try:
            provider.submit(a_request(), reference=f"item/{call}", files=[])
        except Transient:
            continue
    lines = [json.loads(line) for line in (tmp_path / "submissions.jsonl").read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["fail", "refuse", "throttle", "accepted", "accepted"]
    assert [line["cost_micros"] for line in lines] == [0, 0, 0, 1000, 1000]
    assert [line["operation_id"] is None for line in lines] == [False, False, True, False, False]
    assert set(lines[0]) == {
        "at", "operation_id", "reference", "request_sha256", "number", "cost_micros", "outcome"
    }  # fmt: skip


def test_faults_are_counted_by_item_across_processes(tmp_path: Path) -> None:
    faults: dict[int, list[Fault]] = {2: ["throttle"]}
    for order in ("order-a", "order-b"):
        LocalImages(tmp_path, profile=PROFILE, faults=faults).submit(a_request(), reference=f"{order}/0", files=[])
        with pytest.raises(Transient):
            LocalImages(tmp_path, profile=PROFILE, faults=faults).submit(
                a_request(number=2), reference=f"{order}/1", files=[]
            )
        LocalImages(tmp_path, profile=PROFILE, faults=faults).submit(
            a_request(number=2), reference=f"{order}/2", files=[]
        )


def test_submissions_at_once_share_the_planned_faults(tmp_path: Path) -> None:
    faults: dict[int, list[Fault]] = {1: ["throttle", "lose-answer", "throttle", "lose-answer"]}

    def submit(call: int) -> str:
        try:
            provider = LocalImages(tmp_path, profile=PROFILE, faults=faults)
            return "taken" if provider.submit(a_request(), reference=f"a/{call}", files=[]) else ""
        except (Transient, OutcomeUnknown) as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(submit, range(8)))
    assert answers == {"provider_unavailable": 2, "outcome_unknown": 2, "taken": 4}
    assert len(Books(tmp_path).submissions()) == 8


def test_a_stalled_picture_hangs_and_then_comes(tmp_path: Path) -> None:
    provider = LocalImages(tmp_path, profile=PROFILE, faults={1: ["stall"]}, stall_s=3600, instant=True)
    operation_id = provider.submit(a_request(), reference="a/1", files=[])
    assert provider.poll(operation_id).state is OperationState.RUNNING
    patient = LocalImages(tmp_path, profile=PROFILE, stall_s=0, instant=True)
    assert patient.poll(operation_id).state is OperationState.SUCCEEDED


def test_a_broken_picture_arrives_and_cannot_be_decoded(tmp_path: Path) -> None:
    provider = LocalImages(tmp_path, profile=PROFILE, faults={1: ["broken-clip"]})
    path = provider.fetch(finished(provider, a_request()), tmp_path / "picture")
    with pytest.raises(OSError, match="Truncated"):
        Image.open(path)


def test_what_is_not_painted_yet_cannot_be_fetched(tmp_path: Path) -> None:
    provider = LocalImages(tmp_path, profile=PROFILE, instant=True)
    operation_id = provider.submit(a_request(), reference="a/1", files=[])
    with pytest.raises(Invalid, match="poll until"):
        provider.fetch(operation_id, tmp_path / "picture")


def test_equal_requests_are_equal_to_the_byte_in_another_process(tmp_path: Path) -> None:
    """Whatever the call: the item's number, the attempt and the seed of Python's hashes have no say."""
    program = """
        import sys
        from pathlib import Path
        from maquette.providers.images.local import LocalImages
        from tests.providers.images.test_local_images import PROFILE

        LocalImages(Path(sys.argv[1]), profile=PROFILE).poll(sys.argv[2])
    """
    provider = LocalImages(tmp_path, profile=PROFILE)
    here = finished(provider, a_request(number=3, attempt=2))
    there = provider.submit(a_request(), reference="a/2", files=[])
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path), there],
        cwd=ROOT, check=True, timeout=60, env={**os.environ, "PYTHONHASHSEED": "5"},
    )  # fmt: skip
    pictures = [provider.fetch(one, tmp_path / f"{one}.tmp").read_bytes() for one in (here, there)]
    assert pictures[0] == pictures[1]


def test_a_painting_that_breaks_off_leaves_nothing_and_is_painted_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> bytes:
        raise OSError(28, os.strerror(28))

    provider = LocalImages(tmp_path, profile=PROFILE, instant=True)
    operation_id = provider.submit(a_request(), reference="a/1", files=[])
    with monkeypatch.context() as patch:
        patch.setattr("maquette.providers.images.local.picture.swatch", full)
        with pytest.raises(Transient, match="free some space") as failure:
            provider.poll(operation_id)
    assert "operation_ended" not in failure.value.values
    assert not list((tmp_path / "operations" / operation_id).iterdir())
    assert provider.poll(operation_id).state is OperationState.SUCCEEDED


def test_a_painting_that_fails_ends_the_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise KeyError("no such pictogram")

    monkeypatch.setattr("maquette.providers.images.local.picture.paint", broken)
    provider = LocalImages(tmp_path, profile=PROFILE)
    with pytest.raises(Invalid, match="no such pictogram") as failure:
        finished(provider, a_request())
    assert failure.value.values["operation_ended"] is True


def test_a_reference_picture_outlives_its_file(tmp_path: Path) -> None:
    digest, path = a_file(tmp_path, a_picture("#c01818"))
    provider = LocalImages(tmp_path / "p", profile=PROFILE)
    operation_id = provider.submit(a_request(references=(digest,)), reference="a/1", files=[path])
    path.unlink()
    operation = Books(tmp_path / "p").load(operation_id)
    assert isinstance(operation, Operation)
    assert operation.request == a_request(references=(digest,))
    assert operation.reference_colours
    assert provider.poll(operation_id).state is OperationState.SUCCEEDED


def test_pruning_leaves_no_operation_that_the_log_does_not_know(tmp_path: Path) -> None:
    """A crash between an operation's file and its line leaves the file alone."""
    provider = LocalImages(tmp_path, profile=PROFILE, instant=True)
    books = Books(tmp_path)
    finished(provider, a_request())
    books.log.unlink()
    assert books.prune(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert books.prune(datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert not list(books.operations.iterdir())
