"""A bucket as a folder on this machine."""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote
from uuid import uuid4

from maquette.errors import NotFound, StorageError
from maquette.storage.buckets.port import check_name, check_prefix

_CHUNK: Final = 1 << 20
_STALE_S: Final = 3600


class FolderBucket:
    """Files below ``root``; unfinished ones lie in ``{root}.part``. ``public_url`` is the address of ``root``."""

    def __init__(self, root: Path, *, public_url: str) -> None:
        self.root = root
        self._parts = root.with_name(f"{root.name}.part")
        self._public_url = public_url.rstrip("/")
        self._sweep()

    def put(self, name: str, path: Path, *, media_type: str) -> None:
        self._write(path, self._path(name))

    def digest(self, name: str) -> str | None:
        path = self._path(name)
        with _storage_errors(path):
            try:
                with path.open("rb") as file:
                    return hashlib.file_digest(file, "sha256").hexdigest()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None

    def copy(self, source: str, target: str) -> None:
        path, made = self._path(source), self._path(target)
        if not path.is_file():
            raise NotFound(f"{source} is not in the bucket {self.root}: nothing was copied")
        self._write(path, made)

    def delete(self, names: Iterable[str]) -> None:
        for path in [self._path(name) for name in names]:
            with _storage_errors(path), suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
                _sync_folder(path.parent)
            # An object store has no empty folders.
            for folder in path.parents:
                if folder == self.root:
                    break
                try:
                    folder.rmdir()
                except OSError:
                    break

    def list(self, prefix: str) -> Sequence[str]:
        folder = self.root / check_prefix(prefix)
        with _storage_errors(folder):
            return sorted(
                (Path(parent) / name).relative_to(self.root).as_posix()
                for parent, _, names in os.walk(folder)
                for name in names
            )

    def public_url(self, name: str) -> str:
        return f"{self._public_url}/{quote(check_name(name))}"

    def _path(self, name: str) -> Path:
        return self.root / check_name(name)

    def _write(self, source: Path, target: Path) -> None:
        part = self._parts / uuid4().hex
        with _storage_errors(target):
            self._parts.mkdir(parents=True, exist_ok=True)
            try:
                with source.open("rb") as read, part.open("wb") as write:
                    shutil.copyfileobj(read, write, _CHUNK)
                    write.flush()
                    os.fsync(write.fileno())
                self._place(part, target)
            finally:
                part.unlink(missing_ok=True)

    @staticmethod
    def _place(part: Path, target: Path) -> None:
        while True:
            made = [folder for folder in (target.parent, *target.parent.parents) if not folder.exists()]
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.replace(target)
                for folder in {target.parent, *(each.parent for each in made)}:
                    _sync_folder(folder)
                return
            except FileNotFoundError:
                # Another's deletion took the folder away while it was still empty.
                if not part.exists():
                    raise

    def _sweep(self) -> None:
        """Remove what killed processes left unfinished."""
        oldest = time.time() - _STALE_S
        for part in self._parts.glob("*"):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < oldest:
                    part.unlink()


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(f"no space left for {path}: free some, then retry", code="storage_full") from error
        raise StorageError(
            f"{error.filename or path} could not be read or written ({error.strerror}): check the folder and its rights"
        ) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
