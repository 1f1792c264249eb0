"""Bring a universe that was read into the database and the store: whole or not at all, and once."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa
from pydantic import BaseModel, JsonValue
from sqlmodel import Session, col

import maquette.brands.models  # noqa: F401  (the table that drafts refer to)
from maquette.db.engine import Database
from maquette.drafts import folder, repository
from maquette.drafts.documents import Whole, content_hash, subject_of, whole
from maquette.drafts.legacy_mapping import Arrival
from maquette.drafts.legacy_media import FILE, Media, check_media
from maquette.drafts.legacy_reading import Variant
from maquette.drafts.legacy_remarks import remarks_of
from maquette.drafts.legacy_writing import keep_files, write
from maquette.drafts.tables import Draft
from maquette.errors import Conflict, MediaError
from maquette.library import service as library
from maquette.library.models import Asset
from maquette.providers.text.port import UNIVERSE_LANGUAGES
from maquette.rehearsal import crash_point
from maquette.settings import Settings
from maquette.storage.port import Store

# Where ``Draft.extra`` keeps what the draft was when it was imported.
IMPORTED: Final = "imported"


class ImportReport(BaseModel):
    """What became of a folder, or would. ``media`` and ``size_bytes`` count what is taken, ``missing`` what is not.

    ``reason`` tells why it failed, and what to do. ``languages`` are those in which all items are named.
    """

    source: str
    folder: str
    state: Literal["created", "unchanged", "updated", "failed"]
    draft_id: str | None = None
    name: str | None = None
    slug: str | None = None
    variant: Variant | None = None
    items: int = 0
    media: int = 0
    missing: int = 0
    size_bytes: int = 0
    languages: list[str] = []
    remarks: list[str] = []
    reason: str | None = None


@dataclass(frozen=True)
class _Known:
    state: Literal["created", "unchanged", "updated"]
    draft: Draft | None = None


def bring(
    database: Database,
    store: Store,
    settings: Settings,
    arrival: Arrival,
    *,
    dry_run: bool = False,
    again: bool = False,
) -> ImportReport:
    """Make the arrival's draft, or bring it up to date. The same contents once more change nothing.

    ``dry_run`` writes nowhere and tells what would become of it. ``again`` looks into all files anew and brings back
    those of unchanged drafts that the store lost. Raises ``Conflict`` where source and draft were both changed, or the
    draft is being made (``busy``), and ``StorageError``.
    """
    with database.begin() as session:
        known = _of_hash(session, arrival)
    sizes: Mapping[str, tuple[int, int]] = {}
    if known is None or again:
        sizes = _check(arrival)
    if known is None:
        with database.begin() as session:
            known = _state(session, arrival)
    draft_id = known.draft.id if known.draft else None
    if not dry_run:
        if known.state != "unchanged" or again:
            kept = keep_files(store, arrival, sizes)
        if known.state != "unchanged":
            with database.begin() as session:
                # Two runs at once take turns, and the second finds what the first has done.
                session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(arrival.source, 7))))
                known = _of_hash(session, arrival) or _state(session, arrival, lock=True)
                if known.state != "unchanged":
                    draft_id = write(session, arrival, known.draft, kept)
                    _remember(session, draft_id)
                    crash_point("during-migration")
        if draft_id is not None and (again or known.state != "unchanged" or _is_stale(known.draft)):
            folder.rewrite(database, store, settings, draft_id)
    return _report(arrival, known.state, draft_id)


def fingerprint(found: Whole) -> str:
    """Hash of all of a draft that an import brings: it tells whether somebody has changed it since."""
    draft = found.draft
    said: list[JsonValue] = [
        content_hash(found), draft.theme, draft.description, draft.objects_prompt, draft.music_prompt, draft.words,
        draft.seed, draft.require_approval, {key: value for key, value in draft.extra.items() if key != IMPORTED},
        [[asset.number, asset.extra] for asset in found.assets], [[song.language, song.extra] for song in found.songs],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _of_hash(session: Session, arrival: Arrival) -> _Known | None:
    found = _find(session, arrival)
    return _Known("unchanged", found) if found and found.source_hash == arrival.draft.source_hash else None


def _find(session: Session, arrival: Arrival) -> Draft | None:
    found = repository.of_source(session, arrival.source)
    kind, is_path, _ = arrival.source.partition(":/")
    if found is None and is_path and arrival.draft.source_hash:
        # The same contents read from another place, such as a copy or another mount.
        found = repository.of_source_hash(session, f"{kind}:/", arrival.draft.source_hash)
    return found


def _state(session: Session, arrival: Arrival, *, lock: bool = False) -> _Known:
    """Which of source and draft has changed. Raises ``Conflict`` where both have."""
    found = _find(session, arrival)
    planned = fingerprint(_planned(arrival))
    if found is None:
        # A copy of a draft of this very database is that draft, as long as neither was changed.
        mine = session.get(Draft, arrival.wanted_id) if arrival.wanted_id else None
        is_mine = mine is not None and fingerprint(whole(session, mine)) == planned
        return _Known("unchanged", mine) if is_mine else _Known("created")
    if lock:
        found = repository.get_draft(session, found.id, lock=True)
    present = fingerprint(whole(session, found))
    others = {(file.title, file.sha256) for file in library.of_kind(session, subject_of(found.id), FILE)}
    if present == planned and others >= {(m.file.name, m.file.sha256) for m in arrival.media if m.kind == FILE}:
        return _Known("unchanged", found)
    if present == found.extra.get(IMPORTED, {}).get("fingerprint"):
        return _Known("updated", found)
    raise Conflict(
        f"{arrival.universe.source.folder.name} and the draft {found.id} that was made of it have both changed since: "
        "export the draft and bring the changes together there, or delete the draft, then run again"
    )


def _planned(arrival: Arrival) -> Whole:
    """The rows with files that the library does not have yet."""
    files = {}
    for media in arrival.media:
        if media.row is not None:
            file = Asset(subject="", kind=media.kind, key="", sha256=media.file.sha256, size_bytes=0, media_type="")
            setattr(media.row, media.column, file.id)
            files[file.id] = file
    by_number = sorted(arrival.assets, key=lambda asset: asset.number)
    return Whole(arrival.draft, by_number, arrival.songs, files)


def _check(arrival: Arrival) -> dict[str, tuple[int, int]]:
    """Keep out what cannot be decoded, and say so; the sizes of pictures by hash."""
    sizes: dict[str, tuple[int, int]] = {}
    taken: list[Media] = []
    for media in arrival.media:
        try:
            if (size := check_media(media.file.path)) is not None:
                sizes[media.file.sha256] = size
            taken.append(media)
        except MediaError as error:
            arrival.remarks.append(f"{media.file.place} is left where it is: {error}")
            if media.row is not None and media.column != "mp4_id":
                arrival.missing.append(media.file.name)
    arrival.media[:] = taken
    return sizes


def _remember(session: Session, draft_id: str) -> None:
    draft = repository.get_draft(session, draft_id)
    extra = {**draft.extra, IMPORTED: {"fingerprint": fingerprint(whole(session, draft))}}
    session.execute(
        sa.update(Draft).where(col(Draft.id) == draft_id).values(extra=extra, updated_at=col(Draft.updated_at))
    )


def _is_stale(draft: Draft | None) -> bool:
    return draft is not None and draft.written_version < draft.version


def _report(arrival: Arrival, state: Literal["created", "unchanged", "updated"], draft_id: str | None) -> ImportReport:
    universe = arrival.universe
    return ImportReport(
        source=str(universe.source.folder),
        folder=universe.folder,
        state=state,
        draft_id=draft_id,
        name=arrival.draft.name,
        slug=arrival.draft.slug,
        variant=universe.variant,
        items=len(arrival.assets),
        media=len(arrival.media),
        missing=len(arrival.missing),
        size_bytes=sum(media.file.size_bytes for media in arrival.media),
        languages=[
            language
            for language in UNIVERSE_LANGUAGES
            if arrival.assets and all(language in asset.titles for asset in arrival.assets)
        ],
        remarks=remarks_of(arrival),
    )
