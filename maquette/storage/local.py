"""Files below the home. Objects are written once, and readable names are hard links to them."""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from maquette.errors import NotFound, StorageError
from maquette.storage.port import StoredFile

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)+")


# Folders of readable names by what their first part begins with, such as ``carousel_…``; films have the other one.
_FOLDERS: Final = {"image": "images", "carousel": "carousels"}


class LocalStore:
    """Objects in ``root/assets/ab/<sha256>.ext``, work in ``root/tmp``, readable names in folders by kind.

    The folders are ``root/images/…``, ``root/carousels/…`` and, for all else, ``root/videos/…``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._objects = root / "assets"
        self._temporary = root / "tmp"

    def temporary(self, suffix: str) -> Path:
        with _storage_errors(self._temporary):
            self._temporary.mkdir(parents=True, exist_ok=True)
        return self._temporary / f"{uuid4().hex}{suffix}"

    def put(self, made: Path) -> StoredFile:
        with _storage_errors(made):
            digest = hashlib.sha256()
            with made.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
                os.fsync(file.fileno())
            sha256 = digest.hexdigest()
            size_bytes = made.stat().st_size
            key = f"{sha256[:2]}/{sha256}{made.suffix}"
            target = self._objects / key
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):  # the first of two equal files stays as it is
                os.link(made, target)
            made.unlink()
            _sync_folder(target.parent)
        return StoredFile(key=key, sha256=sha256, size_bytes=size_bytes)

    def publish(self, key: str, name: str) -> Path:
        source, target = self.path(key), self._name(name)
        with _storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists() and target.samefile(source):
                return target
            link = self.temporary(target.suffix)
            os.link(source, link)
            os.replace(link, target)
            _sync_folder(target.parent)
        return target

    def path(self, key: str) -> Path:
        path = self._objects / key
        if not path.is_file():
            raise NotFound(f"the object {key} is not in {self._objects}")
        return path

    def exists(self, key: str) -> bool:
        return (self._objects / key).is_file()

    def keys_older_than(self, moment: datetime) -> Iterator[str]:
        for path in self._objects.glob("??/*"):
            if _untouched_since(path, moment):
                yield path.relative_to(self._objects).as_posix()

    def delete(self, key: str) -> None:
        with _storage_errors(self._objects):
            (self._objects / key).unlink(missing_ok=True)

    def unpublish(self, folder: str) -> None:
        with _storage_errors(self.root), suppress(FileNotFoundError):
            shutil.rmtree(self._name(f"{folder}/x").parent)

    def sweep_temporary(self, moment: datetime) -> int:
        stale = [path for path in self._temporary.glob("*") if _untouched_since(path, moment)]
        for path in stale:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(stale)

    def _name(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise StorageError(f"{name!r} is no name for a stored file: use letters, digits, dot, dash, underscore")
        return self.root / _FOLDERS.get(name.partition("_")[0], "videos") / name


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(f"no space left for {path}: free some, then retry", code="storage_full") from error
        raise StorageError(
            f"{path} could not be written ({error.strerror}): check the folder and its rights"
        ) from error


def _untouched_since(path: Path, moment: datetime) -> bool:
    try:
        # An object's first appearance counts, not the age of the file that was linked: ctime.
        return datetime.fromtimestamp(path.stat().st_ctime, UTC) < moment
    except FileNotFoundError:  # work goes on meanwhile: a file may be renamed or removed between listing and looking
        return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
