"""What is read of a draft: the documents of the API, and those that lie in its folder."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlmodel import Session

from maquette.drafts import repository
from maquette.drafts.models import (
    IMAGE,
    LOOP,
    PART_OF,
    SONG,
    AssetDocument,
    AssetMetadata,
    DefaultPrompts,
    DraftDocument,
    Failure,
    GenerationProgress,
    ListedDraft,
    Metadata,
    SongDocument,
    VersionDocument,
)
from maquette.drafts.repository import Cover
from maquette.drafts.tables import Draft, DraftAsset, DraftAssetVersion, DraftSong, DraftStatus
from maquette.library import service as library
from maquette.library.models import Asset
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job, OrderItem
from maquette.providers.text.port import UNIVERSE_LANGUAGES

BASE: Final = "/storage/drafts"
_SUBJECT: Final = "draft_"
# The keys of words.json that say what the assets say, too; older files have the last one.
WORDS: Final = frozenset({"words", "translations", "words_translations"})
# What providers say can be a page.
MAX_MESSAGE: Final = 500


@dataclass(frozen=True)
class Whole:
    """A draft with all that belongs to it, and the library's assets by id."""

    draft: Draft
    assets: Sequence[DraftAsset]
    songs: Sequence[DraftSong]
    files: Mapping[UUID, Asset]

    def sha256(self, asset_id: UUID | None) -> str | None:
        """The hash of a file."""
        found = self.files.get(asset_id) if asset_id else None
        return found.sha256 if found else None

    @property
    def cover(self) -> str | None:
        """The name of the first picture that is there; an import's first has its name even without its file."""
        imported = self.draft.source_hash is not None
        named = (asset.image_file for asset in self.assets if asset.image_file and (asset.image_id or imported))
        return next(named, None)


def whole(session: Session, draft: Draft) -> Whole:
    """Read all of the draft."""
    assets, songs = repository.assets_of(session, draft.id), repository.songs_of(session, draft.id)
    ids = {getattr(asset, name) for asset in assets for name in ("image_id", "video_id", "mp4_id", "thumbnail_id")}
    ids |= {song.audio_id for song in songs}
    return Whole(draft, assets, songs, library.by_ids(session, [each for each in ids if each is not None]))


def content_hash(found: Whole) -> str:
    """sha256 of all that publishing would show: names, texts and files, but not when and how often they were made."""
    draft = found.draft
    content: dict[str, JsonValue] = {
        "draft": [draft.name, draft.slug, draft.background_color, dict(draft.titles)],
        "prompts": [draft.default_image_prompt, draft.default_video_prompt],
        "assets": [
            [
                asset.number, asset.display_name, dict(asset.titles), asset.image_prompt, asset.video_prompt,
                asset.image_file, asset.video_file,
                found.sha256(asset.image_id), found.sha256(asset.video_id), found.sha256(asset.mp4_id),
            ]
            for asset in found.assets
        ],
        "songs": [[s.language, s.prompt, s.lyrics, s.audio_file, found.sha256(s.audio_id)] for s in found.songs],
    }  # fmt: skip
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def metadata(found: Whole) -> Metadata:
    """``metadata.json``."""
    draft, cover = found.draft, found.cover
    default = (
        DefaultPrompts(image=draft.default_image_prompt, video=draft.default_video_prompt)
        if draft.default_image_prompt or draft.default_video_prompt
        else None
    )
    return Metadata(
        draft_id=draft.id,
        folder=draft.folder,
        name=draft.name,
        theme=draft.theme,
        slug=draft.slug,
        status=draft.status,
        created_at=draft.created_at,
        updated_at=draft.updated_at,
        background_color=draft.background_color,
        thumbnail_url=file_path(draft, cover) if cover else None,
        default_prompts=default,
        num_assets=len(found.assets),
        music_lyrics={song.language: song.lyrics for song in found.songs if song.lyrics} or None,
    )


def draft_document(found: Whole) -> DraftDocument:
    """The draft as the API shows it."""
    draft, now_ = found.draft, content_hash(found)
    return DraftDocument(
        **dict(metadata(found)),
        brand_id=draft.brand_id,
        description=draft.description,
        titles=draft.titles,
        seed=draft.seed,
        require_approval=draft.require_approval,
        approved=draft.approved_hash == now_,
        content_hash=now_,
        published_at=draft.published_at,
        univers_id=draft.univers_id,
        changed_since_publication=draft.published_hash is not None and draft.published_hash != now_,
    )


def listed(draft: Draft, cover: Cover) -> ListedDraft:
    """One line of the list."""
    return ListedDraft(
        draft_id=draft.id,
        folder=draft.folder,
        name=draft.name,
        theme=draft.theme,
        slug=draft.slug,
        status=draft.status,
        created_at=draft.created_at,
        updated_at=draft.updated_at,
        num_assets=cover.assets,
        thumbnail_path=file_path(draft, cover.image_file) if cover.image_file else None,
    )


def asset_metadata(asset: DraftAsset) -> AssetMetadata:
    """An entry of ``assets_metadata.json``."""
    return AssetMetadata(
        id=f"{asset.number:02d}",
        display_name=asset.display_name,
        sort_order=asset.number,
        image_prompt=asset.image_prompt,
        video_prompt=asset.video_prompt,
        generated_at=asset.generated_at,
        image_file=asset.image_file,
        video_file=asset.video_file,
    )


def asset_document(found: Whole, asset: DraftAsset) -> AssetDocument:
    """An asset as the API shows it."""
    stem = asset.image_file.rpartition(".")[0] if asset.image_file else None
    return AssetDocument(
        **dict(asset_metadata(asset)),
        titles=asset.titles,
        version=asset.version,
        generation_count=asset.generation_count,
        image_sha256=found.sha256(asset.image_id),
        video_sha256=found.sha256(asset.video_id),
        thumbnail_path=f"{BASE}/{found.draft.folder}/thumbnails/{stem}.jpg" if stem and asset.thumbnail_id else None,
    )


def version_document(version: DraftAssetVersion, files: Mapping[UUID, Asset]) -> VersionDocument:
    """An earlier version of an asset."""
    row = version.asset

    def sha256(name: str) -> str | None:
        found = files.get(UUID(row[name])) if row[name] else None
        return found.sha256 if found else None

    return VersionDocument(
        version=version.version,
        **{name: row[name] for name in ("display_name", "image_prompt", "video_prompt", "image_file", "video_file")},
        image_sha256=sha256("image_id"),
        video_sha256=sha256("video_id"),
        created_at=version.created_at,
    )


def song_document(found: Whole, song: DraftSong) -> SongDocument:
    """A song."""
    return SongDocument(
        language=song.language,
        prompt=song.prompt,
        lyrics=song.lyrics,
        audio_file=song.audio_file,
        audio_path=file_path(found.draft, song.audio_file) if song.audio_file and song.audio_id else None,
        audio_sha256=found.sha256(song.audio_id),
        generated_at=song.generated_at,
    )


def words_document(found: Whole) -> dict[str, JsonValue]:
    """``words.json``: as it was imported or written, else by the assets' names."""
    kept = found.draft.words or {}
    if not WORDS.isdisjoint(kept):
        return kept
    names: dict[str, JsonValue] = {
        language: [asset.titles.get(language, asset.display_name) for asset in found.assets]
        for language in UNIVERSE_LANGUAGES
    }
    words: list[JsonValue] = [asset.display_name for asset in found.assets]
    return {**kept, "theme": found.draft.theme, "words": words, "translations": names}


def data_document(found: Whole) -> dict[str, JsonValue]:
    """``data.json``, what the existing viewers read."""
    draft = found.draft
    songs = {song.language: song for song in found.songs}
    own: dict[str, JsonValue] = {
        "items": [
            {
                **asset.extra,
                "title": asset.display_name,
                "image": asset.image_file,
                "video": asset.video_file,
                "title_translations": dict(asset.titles),
            }
            for asset in found.assets
        ],
        "translations": {
            language: [asset.titles.get(language, asset.display_name) for asset in found.assets]
            for language in UNIVERSE_LANGUAGES
            if any(language in asset.titles for asset in found.assets)
        },
        "background_color": draft.background_color,
        "description": draft.description or draft.name,
        "thumbnail": found.cover,
        "theme": draft.theme,
        "theme_translations": dict(draft.titles),
        "music_translations": {
            language: {
                **(songs[language].extra if language in songs else {}),
                "lyrics": songs[language].lyrics if language in songs else "",
                "prompt": songs[language].prompt if language in songs else "",
            }
            for language in UNIVERSE_LANGUAGES
        },
    }
    kept = draft.extra.get("data")
    # What an old file said besides stays beside; where it said the same thing, the draft's word counts.
    return {**kept, **own} if isinstance(kept, dict) else own


@dataclass(frozen=True)
class Standing:
    """What tells where the making of a draft stands: its rows, its newest job, and each part's newest item."""

    assets: Sequence[DraftAsset]
    job: Job | None
    items: Mapping[tuple[str, str], OrderItem]
    failures: Sequence[Failure]

    @property
    def is_open(self) -> bool:
        """Is it being made, or about to be?"""
        return self.job is not None and self.job.status in orders.OPEN_JOBS


def standing(session: Session, draft: Draft, assets: Sequence[DraftAsset], songs: Sequence[DraftSong]) -> Standing:
    """Read what the draft's own rows do not tell."""
    subject = subject_of(draft.id)
    items = orders.latest_items(session, subject)
    return Standing(assets, orders.latest_job(session, subject), items, failed_parts(items, assets, songs))


def progress(session: Session, draft: Draft) -> GenerationProgress:
    """Where the making stands, by the draft's rows and the newest order's items."""
    assets, songs = repository.assets_of(session, draft.id), repository.songs_of(session, draft.id)
    return progress_of(draft, standing(session, draft, assets, songs))


def progress_of(draft: Draft, stands: Standing) -> GenerationProgress:
    """The same of what was read."""
    assets, job, failures, is_open = stands.assets, stands.job, stands.failures, stands.is_open
    mine = [item for item in stands.items.values() if job is not None and item.job_id == job.id]
    numbers = {asset.number for asset in assets} | {int(item.brief["part"]) for item in mine if item.kind != SONG}
    done = sum(bool(asset.image_id and asset.video_id) for asset in assets)
    broken = {failure.asset for failure in failures if failure.part != "music"}
    ended = sum(item.status not in orders.OPEN for item in mine)
    if is_open:
        percent = min(99, 2 + 97 * ended // max(1, len(mine)))
    else:
        percent = 100 if draft.status in _WHOLE else min(99, 100 * done // len(numbers)) if numbers else 0
    return GenerationProgress(
        folder=draft.id,
        status=DraftStatus.GENERATING if is_open else draft.status,
        current_step=_step(job, mine, written=bool(assets)),
        progress=percent,
        total_assets=len(numbers),
        generated_assets=done,
        failed_assets=len(broken),
        message=_message(job, failures),
        failures=list(failures),
        order_id=job.order_id if job else None,
        job_id=job.id if job else None,
    )


_WHOLE: Final = (DraftStatus.COMPLETED, DraftStatus.PUBLISHING, DraftStatus.PUBLISHED)


def failed_parts(
    items: Mapping[tuple[str, str], OrderItem], assets: Sequence[DraftAsset], songs: Sequence[DraftSong]
) -> list[Failure]:
    """The parts whose newest order did not deliver them, unless an earlier version or an import came since."""
    made = {f"{asset.number:02d}": asset.generated_at for asset in assets}
    made |= {song.language: song.generated_at for song in songs}
    ended: dict[str, datetime] = {}
    for (_, part), item in items.items():
        if item.finished_at is not None:
            ended[part] = max(item.finished_at, ended.get(part, item.finished_at))

    def is_mended(part: str) -> bool:
        # What an order delivers is there before its item has ended: later than all of them is from elsewhere.
        since = made.get(part)
        return since is not None and part in ended and since > ended[part]

    return [
        Failure(
            asset=part,
            part=PART_OF[kind],
            code=item.error_code or str(item.status),
            message=(item.error_message or f"the order was {item.status}")[:MAX_MESSAGE],
        )
        for (kind, part), item in sorted(items.items(), key=lambda entry: (entry[0][1], entry[0][0]))
        if item.status in (ItemStatus.FAILED, ItemStatus.CANCELLED) and not is_mended(part)
    ]


def file_path(draft: Draft, name: str) -> str:
    """The address of one of the draft's files."""
    return f"{BASE}/{draft.folder}/assets/{name}"


def subject_of(draft_id: str) -> str:
    """What the draft's jobs, assets and events go by."""
    return f"{_SUBJECT}{draft_id}"


def draft_of(subject: str) -> str | None:
    """The draft's id, where ``subject`` is a draft's."""
    return subject.removeprefix(_SUBJECT) if subject.startswith(_SUBJECT) else None


def _step(job: Job | None, items: Sequence[OrderItem], *, written: bool) -> str:
    if job is None:
        return "draft"
    if job.status not in orders.OPEN_JOBS:
        return str(job.status)
    if not written:
        return "concepts"
    counts = []
    for kind in (IMAGE, LOOP, SONG):
        states = [item.status for item in items if item.kind == kind]
        if states:
            ended = sum(state not in orders.OPEN for state in states)
            counts.append(f"{ {IMAGE: 'images', LOOP: 'videos', SONG: 'music'}[kind] } {ended}/{len(states)}")
    return ", ".join(counts)


def _message(job: Job | None, failures: Sequence[Failure]) -> str | None:
    if failures:
        first = failures[0]
        more = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
        return f"{first.part} {first.asset}: {first.message}{more}"
    return job.last_error if job is not None else None
