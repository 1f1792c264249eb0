"""Universes as the older tools left them, read in each of their forms; nothing is written.

======== ==========================================================================================================
variant  what tells it
======== ==========================================================================================================
v0       ``data.json`` with items of title, image and video
v1       ``data.json`` with translations
v2       ``data.json`` with a description or a background colour
words    no ``data.json``: words and prompts that were never drawn
metadata ``metadata.json``: the drafts era, and our own folders
======== ==========================================================================================================
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from maquette.drafts.sources import Source, SourceFile, name_problem, read_source, require_names, shaped
from maquette.errors import InvalidInput

Variant = Literal["v0", "v1", "v2", "words", "metadata"]
OWN: Final = "maquette.json"
KNOWN: Final = ("metadata.json", "assets_metadata.json", "data.json", "words.json", "prompts.json", OWN)
Texts = dict[str, str | None]
Lists = dict[str, list[str | None]]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def unknown(self) -> dict[str, JsonValue]:
        """What it says besides."""
        return dict(self.model_extra or {})


class Item(_Shape):
    """An entry of ``data.json``."""

    title: str | None = None
    image: str | None = None
    video: str | None = None
    title_translations: Texts | None = None


class SongText(_Shape):
    """A song's words and style."""

    lyrics: str | None = None
    prompt: str | None = None


class Data(_Shape):
    """``data.json``, of any age."""

    items: list[Item] = Field(default_factory=list)
    translations: Lists | None = None
    theme: str | None = None
    theme_translations: Texts | None = None
    music_translations: dict[str, SongText | None] | None = None
    description: str | None = None
    background_color: str | None = None
    thumbnail: str | None = None


class Words(_Shape):
    """``words.json``; its translations have either of two names."""

    theme: str | None = None
    words: list[str | None] | None = None
    translations: Lists | None = None
    words_translations: Lists | None = None

    @property
    def by_language(self) -> Mapping[str, list[str | None]]:
        """The words in each language."""
        return self.translations or self.words_translations or {}


class Prompts(_Shape):
    """``prompts.json``, whole or in part."""

    theme: str | None = None
    description: str | None = None
    words: list[str | None] | None = None
    images: list[str | None] | None = None
    videos: list[str | None] | None = None
    music: str | None = None
    lyrics: str | None = None


class Templates(_Shape):
    """Default prompts."""

    image: str | None = None
    video: str | None = None


class FolderMetadata(_Shape):
    """``metadata.json``; ``folder`` came before ``draft_id``."""

    draft_id: str | None = None
    folder: str | None = None
    name: str
    theme: str | None = None
    slug: str | None = None
    status: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    background_color: str | None = None
    thumbnail_url: str | None = None
    default_prompts: Templates | None = None
    num_assets: int | None = None
    music_lyrics: Texts | None = None


class Entry(_Shape):
    """An entry of ``assets_metadata.json``."""

    id: str | int | None = None
    display_name: str | None = None
    sort_order: int | None = None
    image_prompt: str | None = None
    video_prompt: str | None = None
    generated_at: str | None = None
    image_file: str | None = None
    video_file: str | None = None


class _Entries(BaseModel):
    entries: list[Entry]


class OwnAsset(BaseModel):
    """What our rows say of an asset beyond the older documents."""

    takes: int = Field(0, ge=0, le=2**31 - 1)
    version: int = Field(1, ge=1, le=2**31 - 1)
    generation_count: int = Field(0, ge=0, le=2**31 - 1)


class OwnSong(BaseModel):
    """What our rows say of a song beyond the older documents."""

    takes: int = Field(0, ge=0, le=2**31 - 1)
    generated_at: str | None = None
    audio_file: str | None = None


class OwnExtra(BaseModel):
    """What came with an import and no column holds."""

    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    data: dict[str, JsonValue] = Field(default_factory=dict)
    assets: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    prompts: dict[str, JsonValue] = Field(default_factory=dict)
    index: dict[str, JsonValue] = Field(default_factory=dict)


class Own(BaseModel):
    """``maquette.json``, which an export writes: what the older documents have no place for."""

    format: Literal[1]
    draft_id: str
    content_hash: str
    seed: int = Field(0, ge=0, le=2**31 - 1)
    require_approval: bool = False
    objects_prompt: str | None = None
    music_prompt: str | None = None
    assets: dict[str, OwnAsset] = Field(default_factory=dict)
    songs: dict[str, OwnSong] = Field(default_factory=dict)
    extra: OwnExtra = Field(default_factory=OwnExtra)


@dataclass(frozen=True)
class LegacyUniverse:
    """A universe's folder as it was read."""

    folder: str
    variant: Variant
    source: Source
    data: Data | None
    words: Words | None
    prompts: Prompts | None
    metadata: FolderMetadata | None
    entries: tuple[Entry, ...] | None
    own: Own | None

    def document(self, name: str) -> JsonValue:
        """A document as it was read; ``None`` where there is none."""
        return self.source.documents.get(name)

    def find(self, name: str | None) -> SourceFile | None:
        """The media file of that name."""
        return self.source.find(name) if name else None

    def named_files(self) -> Iterator[tuple[str, str]]:
        """The media files that the documents name, each with where."""
        for index, item in enumerate(self.data.items if self.data else ()):
            for key, name in (("image", item.image), ("video", item.video)):
                if name:
                    yield f"data.json: items[{index}].{key}", name
        for index, entry in enumerate(self.entries or ()):
            for key, name in (("image_file", entry.image_file), ("video_file", entry.video_file)):
                if name:
                    yield f"assets_metadata.json: [{index}].{key}", name
        for language, song in (self.own.songs if self.own else {}).items():
            if song.audio_file:
                yield f"{OWN}: songs.{language}.audio_file", song.audio_file


def is_universe(folder: Path) -> bool:
    """Whether the folder itself holds a document of a universe."""
    return any((folder / name).is_file() for name in KNOWN)


def read_universe(folder: Path) -> LegacyUniverse:
    """Read one universe: its documents, and which media are there. Changes nothing.

    Raises ``InvalidInput`` that names file, place and remedy: for a folder that is a link or holds links, for broken,
    huge or ill-typed documents, for names of files that lead elsewhere, and where there is no document at all.
    """
    name = folder.name
    if (reason := name_problem(name)) is not None:
        raise InvalidInput(f"the folder {name!r} is refused: its name {reason}")
    source = read_source(folder)
    documents = source.documents
    if not any(known in documents for known in KNOWN):
        raise InvalidInput(
            f"{name} holds none of {', '.join(KNOWN[:-1])}: it is no universe; name the folder that holds them"
        )
    data = shaped(Data, documents["data.json"], "data.json") if "data.json" in documents else None
    metadata = documents.get("metadata.json")
    entries = documents.get("assets_metadata.json")
    universe = LegacyUniverse(
        folder=unicodedata.normalize("NFC", name),
        variant="metadata" if "metadata.json" in documents else _variant(data),
        source=source,
        data=data,
        words=shaped(Words, documents["words.json"], "words.json") if "words.json" in documents else None,
        prompts=shaped(Prompts, documents["prompts.json"], "prompts.json") if "prompts.json" in documents else None,
        metadata=shaped(FolderMetadata, metadata, "metadata.json") if "metadata.json" in documents else None,
        entries=_entries(entries) if "assets_metadata.json" in documents else None,
        own=shaped(Own, documents[OWN], OWN) if OWN in documents else None,
    )
    require_names(universe.named_files())
    return universe


def _entries(document: JsonValue) -> tuple[Entry, ...]:
    if not isinstance(document, list):
        raise InvalidInput("assets_metadata.json: it should be a list of assets; correct the file, then run again")
    return tuple(shaped(_Entries, {"entries": document}, "assets_metadata.json").entries)


def _variant(data: Data | None) -> Variant:
    if data is None:
        return "words"
    if data.model_fields_set & {"description", "background_color"}:
        return "v2"
    translated = any("title_translations" in item.model_fields_set for item in data.items)
    return "v1" if translated or data.model_fields_set & {"translations", "music_translations"} else "v0"
