"""From a universe as it was read to the rows of a draft. By position; what no column holds goes to ``extra``.

Nothing is dropped: each value of a source document is said again by the draft's own documents, or kept whole under
the document's name in ``extra``. The rows are not in a database yet.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from maquette.drafts.concepts import MAX_SLUG, slug_of
from maquette.drafts.documents import Whole, words_document
from maquette.drafts.legacy_media import FILE, MP4, Media
from maquette.drafts.legacy_reading import Entry, Item, LegacyUniverse, OwnAsset, OwnSong
from maquette.drafts.legacy_rest import rest_of
from maquette.drafts.models import IMAGE, LOOP, SONG
from maquette.drafts.sources import folded
from maquette.drafts.tables import Draft, DraftAsset, DraftSong, DraftStatus
from maquette.providers.text.port import UNIVERSE_LANGUAGES

_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_ID: Final = re.compile(r"[0-9a-f]{8}")
_ENDED: Final = (DraftStatus.DRAFT, DraftStatus.COMPLETED, DraftStatus.PUBLISHED, DraftStatus.FAILED)


@dataclass
class Arrival:
    """A draft on its way into the database."""

    universe: LegacyUniverse
    source: str
    index: Mapping[str, JsonValue]
    draft: Draft
    assets: list[DraftAsset]
    songs: list[DraftSong]
    media: list[Media]
    status: DraftStatus | None
    wanted_id: str | None
    missing: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def settle_in(self, draft_id: str) -> None:
        """Give the draft its id and folder, and keep what the documents say differently from its own."""
        self.draft.id, self.draft.folder = draft_id, f"{self.draft.slug}-{draft_id}"
        for row in (*self.assets, *self.songs):
            row.draft_id = draft_id
        self.draft.extra = {}  # what was kept before would be taken for said
        self.draft.extra = rest_of(self.universe, _whole(self), self.index)


def arrival_of(
    universe: LegacyUniverse, *, source: str, source_hash: str, index: Mapping[str, JsonValue] | None = None
) -> Arrival:
    """The rows that the universe becomes. ``index`` is what ``index.json`` says of it.

    Raises ``InvalidInput`` where a file's name may mean several files.
    """
    said, own = universe.metadata, universe.own
    data, prompts = universe.data, universe.prompts
    name = (said.name.strip() if said else "") or title_of(universe.folder)
    wanted_id = said.draft_id if said and said.draft_id and _ID.fullmatch(said.draft_id) else None
    slug = said.slug if said else None
    if slug is None or len(slug) > MAX_SLUG or not _SLUG.fullmatch(slug):
        slug = slug_of(name if said else universe.folder)
    described = (data.description if data else None) or (prompts.description if prompts else None)
    color = (said.background_color if said else None) or (data.background_color if data else None)
    templates = said.default_prompts if said else None
    status = _status(universe)
    draft = Draft(
        id=wanted_id or "0" * 8,
        name=name,
        theme=(said.theme if said else None) or universe.folder,
        slug=slug,
        folder="",
        status=status or DraftStatus.DRAFT,
        background_color=color if color and _COLOR.fullmatch(color) else None,
        description=None if said and described == name else described,
        titles=_universe_titles(universe),
        default_image_prompt=templates.image if templates else _nth(prompts.images if prompts else None, 0),
        default_video_prompt=templates.video if templates else _nth(prompts.videos if prompts else None, 0),
        objects_prompt=own.objects_prompt if own else None,
        music_prompt=own.music_prompt if own else (prompts.music if prompts else None) or None,
        seed=own.seed if own else 0,
        require_approval=own.require_approval if own else False,
        source=source,
        source_hash=source_hash,
    )
    created = moment_of(said.created_at if said else None)
    if said is not None:
        draft.created_at = created or datetime.now(UTC)
        draft.updated_at = moment_of(said.updated_at) or draft.created_at
    arrival = Arrival(
        universe=universe,
        source=source,
        index=index or {},
        draft=draft,
        assets=list(_assets(universe)),
        songs=[],
        media=[],
        status=status,
        wanted_id=wanted_id,
    )
    _find_media(arrival)
    words = universe.document("words.json")
    made = words_document(_whole(arrival)) if said is not None else None
    draft.words = words if isinstance(words, dict) and words != made else None
    arrival.settle_in(draft.id)
    return arrival


def title_of(folder: str) -> str:
    """``Vehicules De Chantier`` for ``vehicules_de_chantier``."""
    return " ".join(word.capitalize() for word in re.split(r"[\s_-]+", folder) if word) or folder


def moment_of(text: str | None) -> datetime | None:
    """The moment in UTC, which is meant where no zone is said; ``None`` for what is no moment."""
    with suppress(ValueError, OverflowError):
        if text:
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return None


def _assets(universe: LegacyUniverse) -> Iterator[DraftAsset]:
    items = universe.data.items if universe.data else []
    if universe.entries is not None:
        for number, entry, item in _numbered(universe.entries, items):
            yield _asset(universe, number, entry, item)
    elif universe.data is not None:
        for number, item in enumerate(items):
            yield _asset(universe, number, None, item)
    else:
        for number in range(len(_words(universe))):
            yield _asset(universe, number, None, None)


def _asset(universe: LegacyUniverse, number: int, entry: Entry | None, item: Item | None) -> DraftAsset:
    image = (entry.image_file if entry else None) or (item.image if item else None) or None
    name = (
        (entry.display_name if entry else None)
        or (item.title if item else None)
        or _nth(_words(universe), number)
        or (Path(image).stem if image else f"{number:02d}")
    )
    prompts, own = universe.prompts, universe.own
    beyond = own.assets.get(f"{number:02d}", OwnAsset()) if own else OwnAsset()
    return DraftAsset(
        draft_id="",
        number=number,
        display_name=name,
        titles=_titles(universe, number, name, item),
        image_prompt=(entry.image_prompt if entry else None) or _nth(prompts.images if prompts else None, number),
        video_prompt=(entry.video_prompt if entry else None) or _nth(prompts.videos if prompts else None, number),
        image_file=image,
        video_file=(entry.video_file if entry else None) or (item.video if item else None) or None,
        takes=beyond.takes,
        version=beyond.version,
        generation_count=beyond.generation_count,
        generated_at=moment_of(entry.generated_at if entry else None),
        extra=item.unknown if item else {},
    )


def _numbered(entries: Sequence[Entry], items: Sequence[Item]) -> Iterator[tuple[int, Entry, Item | None]]:
    """The entries with their numbers, and each with its item of ``data.json``: by position, else by its picture."""
    ids = [int(text) if (text := str(entry.id)).isascii() and text.isdigit() and len(text) < 5 else -1
           for entry in entries]  # fmt: skip
    numbers = ids if min(ids, default=0) >= 0 and len(set(ids)) == len(ids) else list(range(len(ids)))
    of_picture = {item.image: item for item in items if item.image}
    for position, (number, entry) in enumerate(zip(numbers, entries, strict=True)):
        same = items[position] if len(items) == len(entries) else of_picture.get(entry.image_file or "")
        yield number, entry, same


def _titles(universe: LegacyUniverse, number: int, name: str, item: Item | None) -> dict[str, str]:
    titles = {language: text for language, text in ((item.title_translations or {}) if item else {}).items() if text}
    if universe.metadata and item and item.title_translations is not None:
        return titles  # of the drafts era: what is not said there is not known
    lists = dict(universe.data.translations or {}) if universe.data else {}
    words = universe.words.by_language if universe.words else {}
    spoken = (_nth(words.get("en"), number), _nth(universe.words.words if universe.words else None, number))
    same = _plain(name) in {_plain(text) for text in spoken if text}
    # The words of a song's theme often are not those of the pictures: they name a picture where they say the same.
    for source in (lists, words if same else {}):
        for language, column in source.items():
            if text := _nth(column, number):
                titles.setdefault(language, text)
    return titles


def _universe_titles(universe: LegacyUniverse) -> dict[str, str]:
    found = universe.data.theme_translations if universe.data else None
    if not found:
        words = universe.document("words.json")
        other = (
            words.get("univers_translations") or words.get("theme_translations") if isinstance(words, dict) else None
        )
        found = other if isinstance(other, dict) else {}  # type: ignore[assignment]
    return {language: text for language, text in (found or {}).items() if text and isinstance(text, str)}


def _words(universe: LegacyUniverse) -> Sequence[str | None]:
    return (
        (universe.prompts.words if universe.prompts else None)
        or (universe.words.words if universe.words else None)
        or ()
    )


def _plain(name: str) -> str:
    return folded(name).replace("_", " ")


def _nth(values: Sequence[str | None] | None, index: int) -> str | None:
    return (values[index] or None) if values and index < len(values) else None


def _find_media(arrival: Arrival) -> None:
    universe = arrival.universe
    taken: set[str] = set()

    def take(name: str | None, kind: str, row: DraftAsset | DraftSong, column: str) -> bool:
        file = universe.find(name)
        if file is not None:
            taken.add(file.name)
            arrival.media.append(Media(file, kind, row, column))
            if file.name != name:
                arrival.remarks.append(f"{name!r} was found as {file.name!r}: case or Unicode form differ")
        return file is not None

    for asset in arrival.assets:
        for name, kind, column in ((asset.image_file, IMAGE, "image_id"), (asset.video_file, LOOP, "video_id")):
            if name and not take(name, kind, asset, column):
                arrival.missing.append(name)
        if asset.video_file and not asset.video_file.endswith(".mp4"):
            take(f"{Path(asset.video_file).stem}.mp4", MP4, asset, "mp4_id")
    for language in UNIVERSE_LANGUAGES:
        if (song := _song(arrival, language)) is not None:
            arrival.songs.append(song)
            if song.audio_file and not take(song.audio_file, SONG, song, "audio_id"):
                arrival.missing.append(song.audio_file)
    left = [file for name, file in universe.source.files.items() if name not in taken]
    arrival.media.extend(Media(file, FILE) for file in left)
    if left:
        arrival.remarks.append(f"no document names {few([file.place for file in left])}: kept beside")


def _song(arrival: Arrival, language: str) -> DraftSong | None:
    universe = arrival.universe
    text = (universe.data.music_translations or {}).get(language) if universe.data else None
    said = (universe.metadata.music_lyrics or {}).get(language) if universe.metadata else None
    own = universe.own.songs.get(language, OwnSong()) if universe.own else OwnSong()
    old = language == "fr" and universe.prompts is not None
    lyrics = said or (text.lyrics if text else None) or (universe.prompts.lyrics if old and universe.prompts else None)
    names = (own.audio_file, f"music_{language}.mp3", "music.mp3" if language == "fr" else None)
    audio = next((name for name in names if universe.find(name)), own.audio_file)
    if not (lyrics or (text and text.prompt) or audio):
        return None
    return DraftSong(
        draft_id="",
        language=language,
        prompt=(text.prompt if text else None) or "",
        lyrics=lyrics or "",
        audio_file=audio,
        takes=own.takes,
        generated_at=moment_of(own.generated_at),
        extra=text.unknown if text else {},
    )


def _status(universe: LegacyUniverse) -> DraftStatus | None:
    """What the draft is called at first; ``None`` lets its rows tell."""
    if universe.metadata is not None:
        return next((status for status in _ENDED if status == universe.metadata.status), None)
    return None if universe.variant == "words" else DraftStatus.COMPLETED


def _whole(arrival: Arrival) -> Whole:
    return Whole(arrival.draft, arrival.assets, arrival.songs, {})


def few(names: Sequence[str], *, shown: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
