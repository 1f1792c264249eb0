"""The port of file storage: content-addressed objects, and readable names that point at them."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict


class StoredFile(BaseModel):
    """An object in the store. ``key`` is derived from the content."""

    model_config = ConfigDict(frozen=True)

    key: str
    sha256: str
    size_bytes: int


class Store(Protocol):
    """An adapter; raises only ``StorageError`` and ``NotFound``."""

    def temporary(self, suffix: str) -> Path:
        """A path for a file in the making, on the store's own disk; ``put`` takes it away."""
        ...

    def put(self, made: Path) -> StoredFile:
        """Keep the finished file ``made`` under its content's key, durably, and remove ``made``.

        The same content is kept once and its file is left untouched.
        """
        ...

    def publish(self, key: str, name: str) -> Path:
        """Let the readable ``name`` (``video-id/final.mp4``) show the object, at one stroke; its path."""
        ...

    def path(self, key: str) -> Path:
        """A local path to read the object from."""
        ...

    def exists(self, key: str) -> bool:
        """Is the object there?"""
        ...

    def keys_older_than(self, moment: datetime) -> Iterator[str]:
        """Keys of objects last touched before ``moment``."""
        ...

    def delete(self, key: str) -> None:
        """Forget the object; its readable names stay readable."""
        ...

    def unpublish(self, folder: str) -> None:
        """Remove the readable names of ``folder``."""
        ...

    def sweep_temporary(self, moment: datetime) -> int:
        """Remove files in the making last touched before ``moment``; how many."""
        ...
