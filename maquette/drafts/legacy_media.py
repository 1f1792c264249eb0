"""Media that come from elsewhere: looked into before they are taken, and taken as copies."""

import errno
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from maquette.drafts.sources import IMAGES, SONGS, SourceFile, open_regular
from maquette.drafts.tables import DraftAsset, DraftSong
from maquette.errors import Conflict, MediaError, StorageError
from maquette.storage.port import Store, StoredFile

MP4: Final = "draft_video_mp4"
THUMBNAIL: Final = "draft_thumbnail"
FILE: Final = "draft_file"
_PICTURES: Final = ("PNG", "JPEG", "WEBP", "GIF")
# A playlist that is called a clip would make the reader open other files.
_CONTAINERS: Final = {"format_whitelist": "mov,mp4,m4a,matroska,webm,mp3,wav,ogg"}
_MAX_PIXELS: Final = 80_000_000


@dataclass(frozen=True)
class Media:
    """A file of the draft, and the column that shows it; a file that no document names has neither."""

    file: SourceFile
    kind: str
    row: DraftAsset | DraftSong | None = None
    column: str = ""


def check_media(path: Path) -> tuple[int, int] | None:
    """Read into a file: a picture whole, the first frame of all else; a picture's width and height.

    What plays is taken, however it was made. Raises ``MediaError`` for what cannot be decoded.
    """
    suffix = path.suffix.lower()
    if suffix in IMAGES:
        return _check_picture(path)
    _check_frames(path, "audio" if suffix in SONGS else "video")
    return None


def keep_copy(store: Store, file: SourceFile) -> StoredFile:
    """Keep a copy of the file; the file itself stays as it is.

    Raises ``StorageError``, and ``Conflict`` where the file is not any more what was read.
    """
    made = store.temporary(file.path.suffix.lower())
    try:
        with open_regular(file.path) as source, made.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    except OSError as error:
        made.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"no space left to keep {file.place}: free some, then run again", code="storage_full"
            ) from error
        raise StorageError(
            f"{file.place} cannot be copied ({error.strerror}): check both disks, then run again"
        ) from error
    stored = store.put(made)
    if stored.sha256 != file.sha256:
        raise Conflict(f"{file.place} was changed while it was read: run again when nothing writes to its folder")
    return stored


def _check_picture(path: Path) -> tuple[int, int]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_PICTURES) as picture:
                if picture.width * picture.height > _MAX_PIXELS:
                    raise MediaError(f"it has more than {_MAX_PIXELS // 10**6} million pixels")
                picture.load()
                return picture.width, picture.height
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise MediaError(f"it has more than {_MAX_PIXELS // 10**6} million pixels") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise MediaError("it is no picture that can be read, or is cut short") from error


def _check_frames(path: Path, kind: str) -> None:
    import av

    try:
        with av.open(str(path), options=_CONTAINERS) as container:
            streams = [stream for stream in container.streams if stream.type == kind]
            if not streams:
                raise MediaError(f"it has no {kind}")
            next(iter(container.decode(streams[0])))
    except (av.FFmpegError, StopIteration, EOFError) as error:
        raise MediaError(f"its {kind} cannot be decoded") from error
