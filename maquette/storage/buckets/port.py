"""The port of a bucket: files that readers fetch by name. Unlike a store's objects, a name's content may change."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

from maquette.errors import StorageError

# What readers may keep a file for without asking again: a name's content changes when it is published anew.
CACHE_CONTROL: Final = "max-age=60"
MAX_NAME_BYTES: Final = 1024  # of Google Cloud Storage: https://cloud.google.com/storage/docs/objects#naming


class Bucket(Protocol):
    """An adapter. Every verb may be repeated: done twice is done once.

    Raises ``StorageError``, ``Transient`` where another try may help, and ``ConfigurationError`` that names the
    setting. Adapters are safe between threads.
    """

    def put(self, name: str, path: Path, *, media_type: str) -> None:
        """Let ``name`` be the content of the file ``path``, whole or not at all; what was there is replaced."""
        ...

    def digest(self, name: str) -> str | None:
        """sha256 of what the server has under ``name``, in hexadecimal; ``None`` where there is nothing."""
        ...

    def copy(self, source: str, target: str) -> None:
        """Let ``target`` be what ``source`` is; raises ``NotFound`` where that is nothing."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Forget ``names``, those that are not there as well."""
        ...

    def list(self, prefix: str) -> Sequence[str]:
        """All names that begin with ``prefix``, sorted. It ends with a slash, or is empty for all that there is."""
        ...

    def public_url(self, name: str) -> str:
        """Where readers find ``name``."""
        ...


def check_name(name: str) -> str:
    """``name`` itself. Raises ``StorageError`` where it could lead elsewhere, or where no server takes it."""
    if (
        any(part in ("", ".", "..") for part in name.split("/"))
        or "\\" in name
        or any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name)
        or len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES
    ):
        raise StorageError(
            f"{name[:100]!r} is no name for a file in a bucket: use parts between slashes, without '..', backslashes "
            "and control characters"
        )
    return name


def check_prefix(prefix: str) -> str:
    """``prefix`` itself. Raises ``StorageError``."""
    if prefix:
        check_name(prefix.removesuffix("/"))
        if not prefix.endswith("/"):
            raise StorageError(f"{prefix!r} is no folder of a bucket: end it with a slash")
    return prefix
