"""What older clients send about universes and read of them, and the language that they are answered in."""

from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Path
from fastapi.routing import APIRoute
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, JsonValue
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from maquette.api.draft_shapes import Lyrics
from maquette.api.drafts import writing_of
from maquette.api.errors import api_errors
from maquette.drafts.models import Failure, Name, Prompt, Text
from maquette.drafts.universe_data import LongText
from maquette.drafts.universes import RenamedFile, Universes
from maquette.providers.text.port import UniverseLanguage

TAG: Final = "universes"
# A universe's items, as many as its words were.
COUNT: Final = 10
MAX_COUNT: Final = 50


class EnglishRoute(APIRoute):
    """Answers in English, whatever ``Accept-Language`` says: the older clients know these texts."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as if English had been asked for."""
        others = [header for header in scope["headers"] if header[0] != b"accept-language"]
        scope["headers"] = [*others, (b"accept-language", b"en")]
        await super().handle(scope, receive, send)


def refusals(*statuses: int, missing: str = "universe_not_found") -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the errors of these calls."""
    return api_errors(*statuses, missing=missing)


def _universes_of(connection: HTTPConnection) -> Universes:
    return Universes(writing_of(connection).drafts)


TheUniverses = Annotated[Universes, Depends(_universes_of)]
UniverseName = Annotated[
    str, Path(description="The universe's name, folder, slug or draft id.", examples=["vehicules_de_chantier"])
]
Index = Annotated[int, Path(description="The item's position, from 0.", examples=[0])]
Language = Annotated[UniverseLanguage, Path(description="The song's language.", examples=["fr"])]

_ACCESS_CODE: Final = "The access code, where the service asks for one; the header X-Access-Code does as well."


class Paid(BaseModel):
    """What every call that costs may hold."""

    model_config = ConfigDict(frozen=True)

    access_code: str | None = Field(None, description=_ACCESS_CODE)


class NewUniverse(Paid):
    """A universe's name and theme; without a theme the name is the theme."""

    name: Name
    theme: Annotated[Text, Field(max_length=120)] = ""


class Work(Paid):
    """How something is to be made; all fields may be absent."""

    in_background: bool = Field(
        False, alias="async", description="Answer at once, with the id of a job to follow, instead of when it is made."
    )
    regenerate: bool = Field(False, description="Make again what is there already.")
    count: int = Field(COUNT, ge=1, le=MAX_COUNT, description="How many items a universe gets that has none yet.")


class PromptedWork(Paid):
    """One item anew, of this prompt."""

    prompt: LongText | None = None
    in_background: bool = Field(False, alias="async", description="As above.")


class Rename(BaseModel):
    """The item whose files get other names, and its new name; without an index all are named by their items."""

    model_config = ConfigDict(frozen=True)

    index: int | None = None
    new_name: Name | None = Field(None, validation_alias=AliasChoices("new_name", "title", "name"))


class Objects(Paid):
    """The theme that things are wanted for."""

    theme: Text | None = None
    prompt: Prompt | None = Field(None, description="What kind of things, instead of the theme's own prompt.")
    count: int = Field(COUNT, ge=1, le=MAX_COUNT)
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Another seed asks for other things.")


class WantedPrompts(BaseModel):
    """The things that prompts are wanted for."""

    model_config = ConfigDict(frozen=True)

    theme: Text | None = None
    objects: list[Name] = Field([], max_length=MAX_COUNT, validation_alias=AliasChoices("objects", "words"))
    defaultPrompt: Prompt | None = Field(  # noqa: N815  # the clients' own name
        None, validation_alias=AliasChoices("defaultPrompt", "prompt"), description="Else the theme's own."
    )


class WantedMusicPrompt(BaseModel):
    """The song that a style is wanted for."""

    model_config = ConfigDict(frozen=True)

    theme: Text | None = None
    lyrics: str | None = Field(None, max_length=5000)
    words: list[Name] = Field([], max_length=MAX_COUNT)


class Concepts(Paid):
    """The things that are to be proposed; without a theme the universe's own."""

    theme: Name | None = None
    count: int = Field(COUNT, ge=1, le=MAX_COUNT)
    language: UniverseLanguage = Field("en", description="Of the concepts; all languages are in translations.")
    seed: int = Field(0, ge=0, le=2**31 - 1)


class AppliedConcepts(BaseModel):
    """Proposed things to be kept, and what they are in other languages, in the same order."""

    model_config = ConfigDict(frozen=True)

    concepts: list[Name] = Field(min_length=1, max_length=MAX_COUNT)
    translations: dict[UniverseLanguage, list[Name]] = {}


class DefaultTemplates(BaseModel):
    """The templates that hold for themes without their own. Absent ones stay."""

    model_config = ConfigDict(frozen=True)

    objects: Prompt | None = None
    images: Prompt | None = None
    videos: Prompt | None = None
    music: Prompt | None = None


class Said(BaseModel):
    """What was done."""

    message: str


class SavedPrompts(Said):
    """``prompts.json`` as it is now."""

    prompts: dict[str, JsonValue]


class SavedData(Said):
    """``data.json`` as it is now."""

    data: dict[str, JsonValue]


class UniverseColor(BaseModel):
    """The background, under both names that clients read; ``null`` where nobody chose one."""

    color: str | None
    background_color: str | None


class SavedColor(UniverseColor, Said):
    """The same, saved."""


class PublishedUniverse(Said):
    """What a publication came to. ``assets_created`` counts the items that production has of the universe now."""

    files_uploaded: int
    assets_created: int
    public_url: str


class Started(Said):
    """A job to follow at ``/api/jobs/{job_id}``."""

    job_id: str


class Made(Said):
    """What is there now: addresses of the files that were asked for, and what could not be made."""

    job_id: str | None = Field(None, description="Of the job that made it; absent where nothing was missing.")
    files: list[str]
    path: str | None = Field(None, description="The file, where one was asked for.")
    failed: list[Failure]


class Renamed(Said):
    """The files that have other names now."""

    renamed: list[RenamedFile]


class NamedObjects(BaseModel):
    """Things of a theme: in English, and by language in the same order."""

    objects: list[str]
    translations: dict[str, list[str]]
    theme_translations: dict[str, str]


class KeptObjects(NamedObjects, Said):
    """The universe's items."""


class ProposedConcepts(BaseModel):
    """Things that nobody has kept yet."""

    concepts: list[str]
    translations: dict[str, list[str]]


class MusicPrompts(Said):
    """The style of each language's song."""

    prompts: dict[str, str]


class SungLyrics(Lyrics, Said):
    """The words of a song, kept; ``job_id`` is there for clients that asked for a job."""

    job_id: str | None = None


class OnePrompt(BaseModel):
    """A prompt."""

    prompt: str


class Thumbnail(Said):
    """The address of the cover."""

    thumbnail: str


class Templates(BaseModel):
    """The templates that hold for themes without their own."""

    objects: str
    images: str
    videos: str
    music: str


class SavedTemplates(Templates, Said):
    """The same, saved."""


class TaskStatus(BaseModel):
    """Where a task stands; one that nobody knows has ended."""

    status: Literal["pending", "running", "completed", "failed"]
    task_id: str


class UniverseAsset(BaseModel):
    """An item as production's readers will see it."""

    id: int
    sort_order: int
    image_name: str | None
    display_name: str
    translations: dict[str, str]
    image_url: str | None
    video_url: str | None
    custom_image_prompt: str | None
    custom_video_prompt: str | None


class MusicPrompt(BaseModel):
    """A song's texts, empty while there are none, and the address of its sound."""

    language: str
    prompt: str
    lyrics: str
    audio_url: str | None


class Synced(BaseModel):
    """What came of bringing universes to production."""

    success: bool
    message: str
    synced_items: int = 0
    errors: list[str] = []
