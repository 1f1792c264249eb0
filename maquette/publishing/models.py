"""Shapes of what is published: a universe's rows and its files."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maquette.providers.text.port import UniverseLanguage


class PublishedAsset(BaseModel):
    """A row of ``univers_assets`` with its translations and prompts."""

    model_config = ConfigDict(frozen=True)

    sort_order: int
    image_name: str = Field(description="``00_monkey.png``; readers derive the loop's name from it.")
    display_name: str
    names: dict[UniverseLanguage, str] = Field(description="All five languages; the title where one is missing.")
    image_prompt: str | None = None
    video_prompt: str | None = None
    generation_count: int = 1
    last_generated_at: datetime | None = None


class PublishedSong(BaseModel):
    """A row of ``univers_music_prompts``."""

    model_config = ConfigDict(frozen=True)

    language: UniverseLanguage
    prompt: str
    lyrics: str


class Universe(BaseModel):
    """A row of ``univers`` with all that hangs on it."""

    model_config = ConfigDict(frozen=True)

    name: str
    slug: str
    is_public: bool = True
    thumbnail_name: str | None = Field(None, description="File of the cover; its public address becomes the column.")
    background_color: str = "#ffffff"
    background_music: str | None = None
    owner_id: UUID | None = None
    default_image_prompt: str | None = None
    default_video_prompt: str | None = None
    names: dict[UniverseLanguage, str] = {}
    assets: tuple[PublishedAsset, ...] = ()
    songs: tuple[PublishedSong, ...] = ()


class UniverseFile(BaseModel):
    """A file to publish as ``{slug}/{name}`` in the bucket."""

    model_config = ConfigDict(frozen=True)

    name: str
    path: Path
    sha256: str
    media_type: str


class Change(BaseModel):
    """One difference between production and what is to be published."""

    kind: str = Field(description="insert, update, delete; upload, replace, remove for files")
    where: str = Field(description="A table, or `files`.")
    key: str = Field(description="Which row or file, for people: `03 fr`, `00_monkey.png`.")
    before: dict[str, object] | None = None
    after: dict[str, object] | None = None


class Published(BaseModel):
    """What a publication came to."""

    univers_id: int
    slug: str
    published_at: datetime
    assets_count: int
    files_uploaded: int
    storage_url: str
    changes: list[Change]
