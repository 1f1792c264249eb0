"""Files of drafts, and those of the bucket where that is a folder here."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Response
from fastapi import Path as InPath

from maquette.api import draft_examples as examples
from maquette.api.drafts import TheDrafts
from maquette.api.errors import error_responses
from maquette.api.files import Download, StoredFileResponse, binary, get_and_head
from maquette.drafts import repository
from maquette.drafts.documents import whole
from maquette.drafts.folder import files_of
from maquette.drafts.service import Drafts
from maquette.errors import NotFound, StorageError
from maquette.library.service import MEDIA_TYPES
from maquette.settings import Settings
from maquette.storage.buckets import bucket_from_settings
from maquette.storage.buckets.folder import FolderBucket
from maquette.storage.buckets.port import check_name

router = APIRouter(prefix="/storage", tags=["drafts"])

Folder = Annotated[str, InPath(description="The draft's folder.", examples=[examples.FOLDER])]
File = Annotated[str, InPath(description="The file's name.", examples=[examples.FILE])]

_ERRORS: Final = error_responses(404, 416, missing="asset_not_found")


@get_and_head(
    router,
    "/drafts/{folder}/assets/{file}",
    summary="A file of a draft",
    responses=binary("image/png", "video/webm", "video/mp4", "audio/mpeg", errors=_ERRORS),
)
def asset_file(folder: Folder, file: File, drafts: TheDrafts, download: Download = False) -> Response:
    """A picture, a loop as WebM or MP4, or a song, with byte ranges."""
    return _of_draft(drafts, folder, f"assets/{file}", download=download)


@get_and_head(
    router,
    "/drafts/{folder}/thumbnails/{file}",
    summary="A thumbnail of a draft's picture",
    responses=binary("image/jpeg", errors=_ERRORS),
)
def thumbnail_file(folder: Folder, file: File, drafts: TheDrafts, download: Download = False) -> Response:
    """The picture small, for lists."""
    return _of_draft(drafts, folder, f"thumbnails/{file}", download=download)


@get_and_head(
    router,
    "/buckets/{bucket}/{slug}/{file}",
    summary="A published file",
    responses=binary("image/png", "video/webm", "video/mp4", "audio/mpeg", errors=_ERRORS),
)
def bucket_file(
    bucket: Annotated[str, InPath(description="The bucket's name.", examples=["univers"])],
    slug: Annotated[str, InPath(description="The universe's slug.", examples=["la-jungle"])],
    file: File,
    drafts: TheDrafts,
    download: Download = False,
) -> Response:
    """What readers see, where the bucket is a folder of this service; elsewhere it has addresses of its own."""
    path = _in_bucket(drafts.settings, bucket, slug, file)
    stat = path.stat()
    return StoredFileResponse(
        path,
        media_type=MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
        sha256=_sha256(path, stat.st_ino, stat.st_mtime_ns, stat.st_size),
        name=file,
        download=download,
    )


def _of_draft(drafts: Drafts, folder: str, name: str, *, download: bool) -> StoredFileResponse:
    """The file that the draft has under that name: nothing is looked up by a path that a client sent."""
    asset = None
    if folder.isprintable():  # no database looks for a NUL
        with drafts.database.begin() as session:
            if (draft := repository.of_folder(session, folder)) is not None:
                found = whole(session, draft)
                asset_id = files_of(found).get(name)
                asset = found.files.get(asset_id) if asset_id else None
    if asset is None:
        raise NotFound(f"no draft has the file {name[:100]} in such a folder", code="asset_not_found")
    return StoredFileResponse(
        drafts.store.path(asset.key),
        media_type=asset.media_type,
        sha256=asset.sha256,
        name=name.rpartition("/")[2],
        download=download,
    )


def _in_bucket(settings: Settings, bucket: str, slug: str, file: str) -> Path:
    """The file's place, which lies in the bucket's own folder. Raises ``NotFound``."""
    missing = NotFound("the bucket has no such file here", code="asset_not_found")
    if settings.bucket != "folder" or bucket != settings.bucket_name:
        raise missing
    try:
        there = bucket_from_settings(settings)
        assert isinstance(there, FolderBucket)
        path = (there.root / check_name(f"{slug}/{file}")).resolve(strict=True)
    except (StorageError, OSError):  # names that lead elsewhere, that are too long, that are not there
        raise missing from None
    if not (path.is_relative_to(there.root.resolve()) and path.is_file()):
        raise missing
    return path


@lru_cache(maxsize=4096)
def _sha256(path: Path, inode: int, changed_ns: int, size_bytes: int) -> str:
    """Of the file, counted once for as long as it is the same: the bucket replaces files whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
