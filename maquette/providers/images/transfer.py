"""What the adapters share: checks before sending, and pictures as bytes, on the disk and over the net."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import httpx

from maquette.errors import Invalid, Transient
from maquette.providers.catalogue import Profile
from maquette.providers.clips.translation import storage_error, write_clip
from maquette.providers.images.port import ImageRequest

MAX_IMAGE_BYTES: Final = 64_000_000  # a PNG of 4096 by 4096 pixels at the worst is about 50 MB
MAX_REFERENCE_BYTES: Final = 10_000_000
_NO_ADDRESS: Final = "the provider's answer names no address that a picture could be downloaded from"
_TYPES: Final = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}


def check_request(request: ImageRequest, files: Sequence[Path], *, profile: Profile) -> None:
    """Raise ``Invalid`` that names what the model offers instead."""
    name = f"{profile.provider}/{profile.model}"
    if request.ratio not in profile.aspect_ratios:
        raise Invalid(f"{name} makes no ratio {request.ratio}; choose among: {', '.join(profile.aspect_ratios)}")
    if len(files) != len(request.references):
        raise Invalid(f"{len(request.references)} references were named and {len(files)} files came: pass one for each")
    if len(files) > profile.max_references:
        raise Invalid(f"{name} takes {profile.max_references} reference pictures at most: leave the others out")


def suffix_of(data: bytes) -> str | None:
    """``.png``, ``.jpg`` or ``.webp`` by the first bytes, else ``None``."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    if data.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    return ".webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def read_reference(path: Path) -> tuple[bytes, str]:
    """A reference picture and its media type. Raises ``Invalid``, and ``Transient`` where it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Transient(f"the reference picture {path.name} cannot be read ({error}): try again") from error
    suffix = suffix_of(data)
    if suffix is None:
        raise Invalid(f"the reference {path.name} is no picture that can be sent: use a PNG, JPEG or WebP")
    if len(data) > MAX_REFERENCE_BYTES:
        raise Invalid(f"the reference {path.name} is larger than {MAX_REFERENCE_BYTES} bytes: use a smaller one")
    return data, _TYPES[suffix]


def keep(data: bytes, destination: Path) -> Path:
    """Write a picture beside ``destination`` under its true suffix. Raises ``Invalid`` and ``StorageError``."""
    suffix = suffix_of(data)
    if suffix is None:
        raise Invalid("what the provider gave is no PNG, JPEG or WebP: generate the picture again")
    path = destination.with_suffix(suffix)
    write_clip([data], path)
    return path


def read_kept(path: Path) -> bytes:
    """A picture from a provider's own folder. Raises ``StorageError``."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise storage_error(error, path) from error


def guard(scheme: str) -> Callable[[httpx.Request], None]:
    """A hook that lets no redirect leave ``scheme``, but to https."""

    def look(request: httpx.Request) -> None:
        if request.url.scheme not in (scheme, "https"):
            raise Invalid(f"the picture's address leads from {scheme} to {request.url.scheme}: it is not followed")

    return look


def download(url: str, *, timeout_s: float) -> bytes:
    """What lies at ``url``, fetched without credentials; redirects are followed, but not to another scheme.

    Raises ``Transient``, and ``Invalid`` (gone, too large, no address).
    """
    scheme = url.partition("://")[0]
    if scheme not in ("https", "http"):
        raise Invalid(_NO_ADDRESS)
    data = bytearray()
    try:
        with (
            httpx.Client(
                timeout=timeout_s, follow_redirects=True, max_redirects=5, event_hooks={"request": [guard(scheme)]}
            ) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code in (403, 404, 410):
                raise Invalid(f"the picture is no longer at the provider ({answer.status_code}): generate it again")
            if answer.status_code != 200:
                raise Transient(f"the picture could not be downloaded ({answer.status_code}): try again")
            for chunk in answer.iter_bytes():
                data += chunk
                if len(data) > MAX_IMAGE_BYTES:
                    raise Invalid(f"the picture is larger than {MAX_IMAGE_BYTES} bytes: ask for a smaller one")
    except httpx.InvalidURL as error:
        raise Invalid(_NO_ADDRESS) from error
    except httpx.HTTPError as error:
        # The address carries a signature: it is not repeated.
        raise Transient(f"the download of the picture broke off ({type(error).__name__}): try again") from error
    return bytes(data)
