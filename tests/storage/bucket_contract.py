"""What every bucket does. An adapter's test module subclasses ``BucketContract`` and builds its rig."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.errors import NotFound, StorageError
from maquette.storage.buckets.port import Bucket, check_name


class BucketRig(Protocol):
    """A bucket with a look at its other side."""

    @property
    def bucket(self) -> Bucket:
        """The adapter under test."""

    def kept(self) -> dict[str, bytes]:
        """All files as the other side has them."""

    def plant(self, name: str, data: bytes) -> None:
        """A file that somebody else put there."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class BucketContract:
    """Subclasses override the fixture ``rig``."""

    @pytest.fixture
    def rig(self) -> BucketRig:
        raise NotImplementedError

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "local.png"
        path.write_bytes(b"\x89PNG one\r\n--\x00")
        return path

    def test_a_file_is_put_told_and_replaced(self, rig: BucketRig, file: Path) -> None:
        assert rig.bucket.digest("jungle/00_monkey.png") is None
        rig.bucket.put("jungle/00_monkey.png", file, media_type="image/png")
        assert rig.kept() == {"jungle/00_monkey.png": file.read_bytes()}
        assert rig.bucket.digest("jungle/00_monkey.png") == sha256(file.read_bytes())
        file.write_bytes(b"two")
        rig.bucket.put("jungle/00_monkey.png", file, media_type="image/png")
        assert rig.kept() == {"jungle/00_monkey.png": b"two"}
        assert rig.bucket.digest("jungle/00_monkey.png") == sha256(b"two")

    def test_an_empty_and_a_large_file_arrive(self, rig: BucketRig, file: Path) -> None:
        large = bytes(range(256)) * 36_000  # beyond the 8 MiB that Google takes in one piece
        for data in (b"", large):
            file.write_bytes(data)
            rig.bucket.put("jungle/song.mp3", file, media_type="audio/mpeg")
            assert rig.bucket.digest("jungle/song.mp3") == sha256(data)
            assert rig.kept()["jungle/song.mp3"] == data

    def test_what_others_put_there_is_told_by_its_bytes(self, rig: BucketRig, file: Path) -> None:
        rig.plant("jungle/theirs.png", b"theirs")
        assert rig.bucket.digest("jungle/theirs.png") == sha256(b"theirs")
        rig.bucket.put("jungle/ours.png", file, media_type="image/png")
        rig.plant("jungle/ours.png", b"not ours any more")
        assert rig.bucket.digest("jungle/ours.png") == sha256(b"not ours any more")

    def test_a_copy_replaces_and_stays_when_its_source_changes(self, rig: BucketRig, file: Path) -> None:
        rig.bucket.put("jungle/a.png", file, media_type="image/png")
        rig.plant("jungle/.previous/1/a.png", b"older")
        rig.bucket.copy("jungle/a.png", "jungle/.previous/1/a.png")
        first = file.read_bytes()
        file.write_bytes(b"two")
        rig.bucket.put("jungle/a.png", file, media_type="image/png")
        assert rig.kept() == {"jungle/a.png": b"two", "jungle/.previous/1/a.png": first}
        assert rig.bucket.digest("jungle/.previous/1/a.png") == sha256(first)
        with pytest.raises(NotFound, match=r"no such file|is not in the bucket"):
            rig.bucket.copy("jungle/none.png", "jungle/b.png")

    def test_what_is_deleted_is_gone_and_may_be_deleted_again(self, rig: BucketRig, file: Path) -> None:
        for name in ("jungle/a.png", "jungle/b.png", "jungle/deep/c.png"):
            rig.bucket.put(name, file, media_type="image/png")
        for _ in range(2):
            rig.bucket.delete(iter(["jungle/a.png", "jungle/deep/c.png", "nowhere/d.png"]))
            assert set(rig.kept()) == {"jungle/b.png"}
        rig.bucket.delete([])
        assert rig.bucket.digest("jungle/a.png") is None

    def test_a_list_has_all_names_below_its_folder(self, rig: BucketRig) -> None:
        names = [f"jungle/{number}.png" for number in range(5)] + ["jungle/.previous/1/a/b.png", "jungle-2/0.png"]
        for name in names:
            rig.plant(name, b"x")
        assert list(rig.bucket.list("jungle/")) == sorted(names[:6])
        assert list(rig.bucket.list("")) == sorted(names)
        assert list(rig.bucket.list("jungle/.previous/")) == ["jungle/.previous/1/a/b.png"]
        assert list(rig.bucket.list("ocean/")) == []
        with pytest.raises(StorageError, match="slash"):
            rig.bucket.list("jungle")

    def test_special_characters_are_one_name(self, rig: BucketRig, file: Path) -> None:
        name = "jungle/00 a&b=c;d+e,f?@$!'().png"
        rig.bucket.put(name, file, media_type="image/png")
        assert set(rig.kept()) == {name}
        assert list(rig.bucket.list("jungle/")) == [name]
        assert rig.bucket.digest(name) == sha256(file.read_bytes())
        assert rig.bucket.public_url(name).endswith("/jungle/00%20a%26b%3Dc%3Bd%2Be%2Cf%3F%40%24%21%27%28%29.png")

    def test_many_threads_do_not_meet(self, rig: BucketRig, tmp_path: Path) -> None:
        def one(number: int) -> str | None:
            path = tmp_path / f"{number}.png"
            path.write_bytes(b"%d" % number)
            rig.bucket.put(f"jungle/{number % 4}/{number}.png", path, media_type="image/png")
            return rig.bucket.digest(f"jungle/{number % 4}/{number}.png")

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(one, range(24))) == [sha256(b"%d" % number) for number in range(24)]
        assert len(rig.bucket.list("jungle/")) == 24

    @pytest.mark.parametrize(
        "name", ["", "/etc/x", "../x", "a/../b", "a//b", "a/", "a\\b", "a\0b", "a\nb", "a/.", "\x7f", "a" * 1025]
    )
    def test_tricks_in_names_reach_nothing(self, rig: BucketRig, file: Path, name: str) -> None:
        for attempt in (
            lambda: rig.bucket.put(name, file, media_type="image/png"),
            lambda: rig.bucket.digest(name),
            lambda: rig.bucket.copy("a", name),
            lambda: rig.bucket.copy(name, "a"),
            lambda: rig.bucket.delete(["a", name]),
            lambda: rig.bucket.public_url(name),
        ):
            with pytest.raises(StorageError, match="no name"):
                attempt()
        assert rig.kept() == {}

    def test_a_local_file_that_is_not_there_is_said(self, rig: BucketRig, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match=r"gone\.png could not be read"):
            rig.bucket.put("jungle/a.png", tmp_path / "gone.png", media_type="image/png")
        assert rig.kept() == {}


@given(st.text(max_size=30))
def test_a_name_that_is_taken_stays_below_its_root(name: str) -> None:
    try:
        check_name(name)
    except StorageError:
        return
    root = Path("/root/of/bucket")
    resolved = Path(*(root / name).parts)
    assert ".." not in resolved.parts and resolved.is_relative_to(root) and resolved != root
