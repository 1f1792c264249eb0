"""The rows of an arrival, written in the caller's transaction; its files are in the store by then."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from maquette.drafts import repository
from maquette.drafts.changes import keep_version, require_idle, touch
from maquette.drafts.documents import subject_of
from maquette.drafts.legacy_mapping import Arrival
from maquette.drafts.legacy_media import FILE, THUMBNAIL, Media, keep_copy
from maquette.drafts.models import IMAGE
from maquette.drafts.tables import Draft, DraftAsset, DraftSong
from maquette.errors import MediaError
from maquette.library import service as library
from maquette.library.service import Shown
from maquette.storage.port import Store, StoredFile

Row = DraftAsset | DraftSong
_DRAFT: Final = (
    "name", "theme", "background_color", "description", "titles", "default_image_prompt", "default_video_prompt",
    "objects_prompt", "music_prompt", "words", "seed", "require_approval", "source_hash", "extra",
)  # fmt: skip
_ASSET: Final = ("display_name", "titles", "image_prompt", "video_prompt", "image_file", "video_file", "extra")
_SONG: Final = ("prompt", "lyrics", "audio_file", "extra")


@dataclass(frozen=True)
class Kept:
    """What the store keeps of an arrival: files by their place, thumbnails and sizes of pictures by their hash."""

    files: Mapping[str, StoredFile]
    thumbnails: Mapping[str, StoredFile]
    sizes: Mapping[str, tuple[int, int]]


def keep_files(store: Store, arrival: Arrival, sizes: Mapping[str, tuple[int, int]]) -> Kept:
    """Keep copies of the arrival's media, and thumbnails of its pictures. Raises as ``keep_copy`` does."""
    from maquette.media.loops import thumbnail

    files = {media.file.place: keep_copy(store, media.file) for media in arrival.media}
    small: dict[str, StoredFile] = {}
    for media in arrival.media:
        if media.kind == IMAGE and media.file.sha256 not in small:
            made = store.temporary(".jpg")
            try:
                thumbnail(store.path(files[media.file.place].key), made)
                small[media.file.sha256] = store.put(made)
            except MediaError as error:
                arrival.remarks.append(f"{media.file.place} has no thumbnail: {error}")
    return Kept(files, small, sizes)


def write(session: Session, arrival: Arrival, found: Draft | None, kept: Kept) -> str:
    """Make the draft, or bring ``found`` to what the arrival says; its id.

    What an asset showed before is kept as a version. Raises ``Conflict`` (``busy``).
    """
    if found is None:
        draft, updated_at = arrival.draft, arrival.draft.updated_at
        arrival.settle_in(repository.free_id(session, arrival.wanted_id))
        session.add(draft)
        session.flush()
    else:
        draft, updated_at = repository.get_draft(session, found.id, lock=True), None
        require_idle(session, draft)
        arrival.draft.slug = draft.slug  # what readers know it by stays
        arrival.settle_in(draft.id)
        _copy(arrival.draft, draft, _DRAFT)
    _write_rows(session, arrival, kept)
    touch(session, draft)
    values: dict[str, Any] = {"updated_at": updated_at or col(Draft.updated_at)}
    if arrival.status is not None:
        values["status"] = arrival.status
    # By statement: the row's own clock would move with any other change.
    session.execute(sa.update(Draft).where(col(Draft.id) == draft.id).values(values))
    session.expunge_all()  # what is read from now on is what the database holds
    return draft.id


def _write_rows(session: Session, arrival: Arrival, kept: Kept) -> None:
    draft_id = arrival.draft.id
    there: dict[int | str, Row] = {asset.number: asset for asset in repository.assets_of(session, draft_id)}
    there |= {song.language: song for song in repository.songs_of(session, draft_id)}
    rows: list[Row] = [*arrival.assets, *arrival.songs]
    for row in rows:
        old = there.pop(row.number if isinstance(row, DraftAsset) else row.language, None)
        media = {each.column: each for each in arrival.media if each.row is row}
        _write_row(session, arrival, old, row, media, kept)
    for gone in there.values():
        session.delete(gone)
    others = {(each.title, each.sha256) for each in library.of_kind(session, subject_of(draft_id), FILE)}
    for each in arrival.media:
        if each.kind == FILE and (each.file.name, each.file.sha256) not in others:
            _add(session, arrival, each, kept, title=each.file.name)
    session.flush()


def _write_row(
    session: Session, arrival: Arrival, old: Row | None, row: Row, media: Mapping[str, Media], kept: Kept
) -> None:
    is_asset = isinstance(row, DraftAsset)
    names, columns = (_ASSET, ("image_id", "video_id", "mp4_id")) if is_asset else (_SONG, ("audio_id",))
    present: dict[str, UUID | None] = {column: getattr(old, column) if old else None for column in columns}
    files = library.by_ids(session, [each for each in present.values() if each is not None])
    shown = {column: files[id_].sha256 if id_ in files else None for column, id_ in present.items()}
    wanted = {column: media[column].file.sha256 if column in media else None for column in columns}
    if old is not None:
        if shown == wanted and all(getattr(old, name) == getattr(row, name) for name in names):
            return
        if isinstance(old, DraftAsset):
            keep_version(session, old)
        _copy(row, old, (*names, "generated_at"))
    target: Any = old or row
    title = row.display_name if isinstance(row, DraftAsset) else f"{arrival.draft.name} ({row.language})"
    for column in columns:
        if old is not None and shown[column] == wanted[column]:
            continue
        each = media.get(column)
        setattr(target, column, _add(session, arrival, each, kept, title=title) if each else None)
        if column == "image_id":
            target.thumbnail_id = _add_thumbnail(session, arrival, each, kept, title=title) if each else None
    session.add(target)


def _add(session: Session, arrival: Arrival, media: Media, kept: Kept, *, title: str) -> UUID:
    width, height = kept.sizes.get(media.file.sha256, (None, None))
    return library.add(
        session, kept.files[media.file.place], subject=subject_of(arrival.draft.id), kind=media.kind,
        provenance={"source": arrival.source, "name": media.file.place},
        shown=Shown(brand_id=arrival.draft.brand_id, title=title, width=width, height=height),
    ).id  # fmt: skip


def _add_thumbnail(session: Session, arrival: Arrival, media: Media, kept: Kept, *, title: str) -> UUID | None:
    small = kept.thumbnails.get(media.file.sha256)
    if small is None:
        return None
    return library.add(
        session, small, subject=subject_of(arrival.draft.id), kind=THUMBNAIL,
        provenance={"parents": [media.file.sha256]}, shown=Shown(brand_id=arrival.draft.brand_id, title=title),
    ).id  # fmt: skip


def _copy(source: Any, target: Any, names: tuple[str, ...]) -> None:
    for name in names:
        setattr(target, name, getattr(source, name))
