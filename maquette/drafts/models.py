"""Shapes of drafts: what clients send, and the documents that they read."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, PlainSerializer

from maquette.providers.text.port import UNIVERSE_LANGUAGES, UniverseLanguage
from maquette.videos.rules import clean_text

KIND: Final = "draft"
IMAGE, LOOP, SONG = "draft_image", "draft_video", "draft_song"
Part = Literal["image", "video", "music"]
PART_OF: Final[dict[str, Part]] = {IMAGE: "image", LOOP: "video", SONG: "music"}

MAX_ASSETS: Final = 50
MAX_PROMPT: Final = 2000

# The existing clients write moments without a time zone; ours are UTC.
Moment = Annotated[
    datetime,
    PlainSerializer(lambda moment: moment.replace(tzinfo=None).isoformat(), return_type=str, when_used="json"),
]


def _said(value: str) -> str:
    if not (text := clean_text(value)):
        raise ValueError("it may not be empty")
    return text


Text = Annotated[str, AfterValidator(clean_text)]
Title = Annotated[str, Field(max_length=200), AfterValidator(clean_text)]
Name = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_said)]
Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT), AfterValidator(_said)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class CustomPrompts(BaseModel):
    """Templates that take the place of the theme's."""

    model_config = ConfigDict(frozen=True)

    image: Prompt | None = None
    video: Prompt | None = None
    objects: Prompt | None = None
    music: Prompt | None = None


class NewDraft(BaseModel):
    """A draft as a client asks for it."""

    model_config = ConfigDict(frozen=True)

    name: Name
    theme: Name
    custom_prompts: CustomPrompts | None = None
    description: Annotated[str, Field(max_length=2000), AfterValidator(clean_text)] | None = None
    background_color: Color | None = None
    seed: int = Field(0, ge=0, le=2**31 - 1)
    require_approval: bool = Field(False, description="Publishing waits until somebody has approved what it is.")
    brand_id: UUID | None = Field(
        None,
        validation_alias=AliasChoices("brand_id", "brandId"),
        description="The brand whose budget pays; without one the draft takes no budget.",
    )


class DraftChange(BaseModel):
    """What can be changed of a draft as such. Absent fields stay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name | None = None
    description: Annotated[str, Field(max_length=2000), AfterValidator(clean_text)] | None = None
    background_color: Color | None = None
    custom_prompts: CustomPrompts | None = None
    require_approval: bool | None = None
    titles: dict[UniverseLanguage, Title] | None = None


class AssetChange(BaseModel):
    """What can be changed of an asset without making anything anew. Absent fields stay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    display_name: Name | None = None
    titles: dict[UniverseLanguage, Title] | None = None
    image_prompt: Prompt | None = None
    video_prompt: Prompt | None = None


class SongChange(BaseModel):
    """New words or another style for a song; its sound stays until it is made anew."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: Prompt | None = None
    lyrics: Annotated[str, Field(max_length=5000)] | None = None


class Making(BaseModel):
    """What is to be made of a draft. What is there is kept unless ``force_regenerate``."""

    model_config = ConfigDict(frozen=True)

    num_assets: int = Field(10, ge=1, le=MAX_ASSETS)
    force_regenerate: bool = False
    parts: frozenset[Part] = frozenset({"image", "video", "music"})
    languages: tuple[UniverseLanguage, ...] = UNIVERSE_LANGUAGES
    assets: frozenset[Annotated[int, Field(ge=0, le=99)]] | None = Field(
        None, description="Only these numbers; none is all of ``num_assets``."
    )


class Regeneration(BaseModel):
    """One asset anew: with new prompts, or with the same ones and another seed."""

    model_config = ConfigDict(frozen=True)

    new_image_prompt: Prompt | None = None
    new_video_prompt: Prompt | None = None
    regenerate_image: bool = True
    regenerate_video: bool = True


class DefaultPrompts(BaseModel):
    """The draft's templates."""

    image: str | None
    video: str | None


class Metadata(BaseModel):
    """``metadata.json``."""

    draft_id: str
    folder: str
    name: str
    theme: str
    slug: str
    status: str
    created_at: Moment
    updated_at: Moment
    background_color: str | None
    thumbnail_url: str | None
    default_prompts: DefaultPrompts | None
    num_assets: int
    music_lyrics: dict[str, str] | None


class DraftDocument(Metadata):
    """A draft as the API shows it: its metadata, and where it stands on the way to production."""

    brand_id: UUID | None
    description: str | None
    titles: dict[str, str]
    seed: int
    require_approval: bool
    approved: bool = Field(description="What is there now was approved.")
    content_hash: str = Field(description="Of names, texts and files; an approval is bound to it.")
    published_at: Moment | None
    univers_id: int | None
    changed_since_publication: bool


class ListedDraft(BaseModel):
    """One line of the list."""

    draft_id: str
    folder: str
    name: str
    theme: str
    slug: str
    status: str
    created_at: Moment
    updated_at: Moment
    num_assets: int
    thumbnail_path: str | None


class AssetMetadata(BaseModel):
    """An entry of ``assets_metadata.json``."""

    id: str
    display_name: str
    sort_order: int
    image_prompt: str | None
    video_prompt: str | None
    generated_at: Moment | None
    image_file: str | None
    video_file: str | None


class AssetDocument(AssetMetadata):
    """An asset as the API shows it."""

    titles: dict[str, str]
    version: int
    generation_count: int
    image_sha256: str | None
    video_sha256: str | None
    thumbnail_path: str | None


class VersionDocument(BaseModel):
    """An asset as it was before a change."""

    version: int
    display_name: str
    image_prompt: str | None
    video_prompt: str | None
    image_file: str | None
    video_file: str | None
    image_sha256: str | None
    video_sha256: str | None
    created_at: Moment


class SongDocument(BaseModel):
    """A song of a draft."""

    language: str
    prompt: str
    lyrics: str
    audio_file: str | None
    audio_path: str | None
    audio_sha256: str | None
    generated_at: Moment | None


class Failure(BaseModel):
    """A part that could not be made, and why. ``asset`` is an asset's id or a song's language."""

    asset: str
    part: Part
    code: str
    message: str


class GenerationProgress(BaseModel):
    """Where the making stands. ``folder`` is the draft's id, as the existing clients read it."""

    folder: str
    status: str
    current_step: str
    progress: int
    total_assets: int
    generated_assets: int
    failed_assets: int
    message: str | None
    failures: list[Failure]
    order_id: UUID | None
    job_id: UUID | None


class Approval(BaseModel):
    """A decision about what was seen."""

    model_config = ConfigDict(frozen=True)

    content_hash: str = Field(description="The hash of what was seen, from the draft's document.")
    approved: bool = True
    note: Annotated[str, Field(max_length=2000), AfterValidator(clean_text)] = ""
