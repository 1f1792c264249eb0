"""What all adapters share: checks before sending, HTTP answers as errors, downloads to a file."""

import errno
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import httpx

from maquette.errors import Filtered, Invalid, ProviderError, QuotaExceeded, StorageError, Transient
from maquette.providers.catalogue import Profile
from maquette.providers.clips.port import ClipRequest

MAX_CLIP_BYTES: Final = 500_000_000  # a minute of 1080p at the highest rates in use is below 200 MB
_RESETS: Final = re.compile(r"resets? in\s*~?\s*(\d+(?:\.\d+)?)\s*s", re.IGNORECASE)
_THIRD_PARTY: Final = ("third-party content", "third party content", "copyright", "recitation")
_GUIDELINES: Final = (
    "usage guidelines",
    "responsible ai",
    "safety",
    "sensitive",
    "flagged",
    "nsfw",
    "content policy",
    "moderation",
)


def check_request(request: ClipRequest, *, profile: Profile) -> None:
    """Raise ``Invalid`` that names what the model offers instead."""
    for what, asked, offered in (
        ("seconds", request.seconds, profile.seconds),
        ("aspect ratio", request.aspect_ratio, profile.aspect_ratios),
        ("resolution", request.resolution, profile.resolutions),
    ):
        if asked not in offered:
            choice = ", ".join(map(str, offered))
            raise Invalid(f"{profile.provider}/{profile.model} makes no {what} {asked}; choose among: {choice}")


def refusal_code(message: str) -> str | None:
    """``third_party_content`` or ``usage_guidelines`` where ``message`` tells of a safety rule, else ``None``."""
    low = message.lower()
    if any(mark in low for mark in _THIRD_PARTY):
        return "third_party_content"
    return "usage_guidelines" if any(mark in low for mark in _GUIDELINES) else None


def refused(message: str, *, ended: bool) -> Filtered:
    """A refusal by a safety rule; the code by its message."""
    return Filtered(
        f"refused by a safety rule: {message}; reword the prompt",
        code=refusal_code(message) or "usage_guidelines",
        operation_ended=ended,
    )


def retry_after(message: str, header: str | None) -> float | None:
    """Seconds to wait, from the header ``Retry-After`` or from "resets in ~30s" in the message."""
    if header is not None and re.fullmatch(r"\d+(\.\d+)?", header.strip()):
        return float(header)
    found = _RESETS.search(message)
    return float(found.group(1)) if found else None


def http_error(
    status: int, message: str, *, variable: str, header: str | None = None, ended: bool = False
) -> ProviderError:
    """An answer with an error status. ``variable`` is the setting that holds the credentials.

    429: ``QuotaExceeded`` where the message speaks of a quota or of billing, else ``Transient``; 402: the first.
    401, 403: ``Invalid`` that names the variable. Other 4xx: ``Filtered`` where the message tells of a safety rule,
    else ``Invalid``. 408 and 5xx: ``Transient``.
    """
    wait = retry_after(message, header)
    if status in (402, 429):
        if status == 402 or any(mark in message.lower() for mark in ("quota", "billing", "credit")):
            return QuotaExceeded(
                f"the quota at the provider is used up: {message}", retry_after_s=wait, operation_ended=ended
            )
        return Transient(f"the provider asks to slow down: {message}", retry_after_s=wait, operation_ended=ended)
    if status in (401, 403):
        return Invalid(
            f"the provider refused the credentials ({status}: {message}): check {variable}", operation_ended=ended
        )
    if status == 408 or status >= 500:
        return Transient(
            f"the provider is in trouble ({status}: {message}): try again", retry_after_s=wait, operation_ended=ended
        )
    if refusal_code(message):
        return refused(message, ended=ended)
    return Invalid(f"the provider rejected the request ({status}: {message}): change it", operation_ended=ended)


def storage_error(error: OSError, path: Path) -> StorageError:
    """A failed write as the application's error; code ``storage_full`` when no space is left."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"no space left for {path}: free some and try again", code="storage_full")
    return StorageError(f"{path} could not be written ({error}): see that its folder is there and can be written")


def write_clip(chunks: Iterable[bytes], destination: Path, *, what: str = "clip") -> None:
    """Write a download; ``what`` names it in errors.

    Raises ``Invalid`` past ``MAX_CLIP_BYTES`` and ``StorageError``; leaves nothing half-done.
    """
    size_bytes = 0
    try:
        with destination.open("wb") as out:
            for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > MAX_CLIP_BYTES:
                    raise Invalid(f"the {what} is larger than {MAX_CLIP_BYTES} bytes: ask for a shorter one")
                out.write(chunk)
    except OSError as error:
        destination.unlink(missing_ok=True)
        raise storage_error(error, destination) from error
    except BaseException:
        destination.unlink(missing_ok=True)
        raise


def download(url: str, destination: Path, *, timeout_s: float, what: str = "clip") -> None:
    """Fetch ``url`` without credentials, following redirects; ``what`` names it in errors.

    Raises ``Transient``, ``Invalid`` (gone, or too large) and ``StorageError``.
    """
    if not url.startswith(("https://", "http://")):
        raise Invalid(f"the provider's answer names no address that a {what} could be downloaded from")
    try:
        with (
            httpx.Client(timeout=timeout_s, follow_redirects=True, max_redirects=5) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code in (403, 404, 410):
                raise Invalid(f"the {what} is no longer at the provider ({answer.status_code}): generate it again")
            if answer.status_code != 200:
                raise Transient(f"the {what} could not be downloaded ({answer.status_code}): try again")
            write_clip(answer.iter_bytes(), destination, what=what)
    except httpx.HTTPError as error:
        # The address carries a signature: it is not repeated.
        raise Transient(f"the download of the {what} broke off ({type(error).__name__}): try again") from error
