"""The local store: content decides the key, names change at one stroke, nothing half-written shows."""

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maquette.errors import NotFound, StorageError
from maquette.storage.local import LocalStore


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def kept(store: LocalStore, text: str) -> str:
    made = store.temporary(".txt")
    made.write_text(text)
    return store.put(made).key


def test_equal_content_is_one_untouched_file(local: LocalStore) -> None:
    key = kept(local, "clip")
    before = local.path(key).stat()
    assert kept(local, "clip") == key
    after = local.path(key).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert list((local.root / "tmp").iterdir()) == []


def test_a_name_moves_from_one_object_to_the_next(local: LocalStore) -> None:
    first, second = kept(local, "one"), kept(local, "two")
    path = local.publish(first, "video_a/final.mp4")
    assert path.read_text() == "one"
    assert local.publish(second, "video_a/final.mp4").read_text() == "two"
    assert local.path(first).read_text() == "one"
    local.delete(second)
    assert path.read_text() == "two"  # a name keeps its content
    local.unpublish("video_a")
    assert not path.exists()


@pytest.mark.parametrize(
    ("subject", "folder"),
    [("video_a", "videos"), ("image_a", "images"), ("carousel_a", "carousels"), ("imaginary", "videos")],
)
def test_names_lie_in_a_folder_of_their_kind(local: LocalStore, subject: str, folder: str) -> None:
    path = local.publish(kept(local, "one"), f"{subject}/1.txt")
    assert path == local.root / folder / subject / "1.txt"
    local.unpublish(subject)
    assert not path.parent.exists()


@pytest.mark.parametrize("name", ["../x/y", "/etc/passwd", "a/../b", "a", "a/\0", "a//b", "a/.hidden", "é/b"])
def test_tricks_in_names_are_refused(local: LocalStore, name: str) -> None:
    with pytest.raises(StorageError, match="no name"):
        local.publish(kept(local, "x"), name)


def test_what_is_not_there_is_said(local: LocalStore) -> None:
    with pytest.raises(NotFound):
        local.path("ab/none.mp4")
    assert not local.exists("ab/none.mp4")


def test_a_full_disk_has_a_code_of_its_own(local: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    made = local.temporary(".txt")
    made.write_text("x")
    monkeypatch.setattr(os, "link", full)
    with pytest.raises(StorageError, match="free some") as caught:
        local.put(made)
    assert caught.value.code == "storage_full"
    assert made.exists()  # nothing is lost


def test_a_home_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(StorageError, match="could not be written"):
        LocalStore(tmp_path / "home").temporary(".mp4")


def test_old_objects_and_works_are_listed_by_their_appearance(local: LocalStore) -> None:
    key = kept(local, "x")
    (local.root / "tmp" / "half.mp4").write_text("half")
    soon = datetime.now(UTC) + timedelta(seconds=5)
    assert list(local.keys_older_than(soon)) == [key]
    assert list(local.keys_older_than(soon - timedelta(hours=1))) == []
    assert local.sweep_temporary(soon - timedelta(hours=1)) == 0
    assert local.sweep_temporary(soon) == 1


def test_what_is_renamed_while_the_store_is_swept_is_passed_over(local: LocalStore) -> None:
    key = kept(local, "x")
    # Listed and gone when it is looked at: what a rename or a removal in between looks like to the sweep.
    (local.root / "tmp").mkdir(exist_ok=True)
    for folder in (local.root / "tmp", local.root / "assets" / key[:2]):
        (folder / "gone.mp4").symlink_to(folder / "nowhere")
    soon = datetime.now(UTC) + timedelta(seconds=5)
    assert local.sweep_temporary(soon) == 0
    assert list(local.keys_older_than(soon)) == [key]
