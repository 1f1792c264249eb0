"""Bodies and answers of the calls about drafts, and what their addresses hold."""

from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from maquette.api import draft_examples as examples
from maquette.drafts.models import (
    AssetDocument,
    Making,
    Moment,
    NewDraft,
    Part,
    Prompt,
    Regeneration,
)
from maquette.drafts.writing import WantedLyrics
from maquette.errors import NotFound
from maquette.orders.models import JobStatus
from maquette.providers.text.port import UNIVERSE_LANGUAGES, UniverseLanguage
from maquette.publishing.models import Change

# The existing clients' limit; runs from the command line and from Prefect take more.
MAX_ASSETS: Final = 20

_ID_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_ACCESS_CODE: Final = "The access code, where the service asks for one; the header X-Access-Code does as well."


def plausible_draft(draft_id: str) -> str:
    """``draft_id`` unless it cannot be one, which is simply not there: raises ``NotFound``."""
    if not 0 < len(draft_id) <= 100 or not _ID_CHARACTERS.issuperset(draft_id):
        raise NotFound("a draft's id is 8 hexadecimal digits", code="draft_not_found", draft_id=draft_id[:100])
    return draft_id


def number_of(asset_id: str) -> int:
    """The number of an asset's id, ``"03"`` and ``"3"`` alike. Raises ``NotFound`` for what is no id."""
    if not (asset_id.isascii() and asset_id.isdecimal() and len(asset_id) <= 4):
        raise NotFound(
            "an asset's id is its number with two digits", code="draft_asset_not_found", asset_id=asset_id[:100]
        )
    return int(asset_id)


DraftId = Annotated[
    str, Path(description="The draft's id.", examples=[examples.DRAFT_ID]), AfterValidator(plausible_draft)
]
AssetId = Annotated[str, Path(description="The asset's id: its number from 0 on.", examples=["03"])]
SongLanguage = Annotated[UniverseLanguage, Path(description="The song's language.", examples=["fr"])]


class CreateDraft(NewDraft):
    """A new draft. Unknown fields are passed over."""

    access_code: str | None = Field(None, description=_ACCESS_CODE)


class Generate(BaseModel):
    """What is to be made; all fields may be absent. What is there is kept unless ``force_regenerate``."""

    model_config = ConfigDict(frozen=True)

    num_assets: int = Field(10, ge=1, le=MAX_ASSETS, description="How many assets the draft is to have.")
    force_regenerate: bool = Field(False, description="Make again what is there already.")
    parts: tuple[Part, ...] = Field(("image", "video", "music"), min_length=1, description="Only these parts.")
    languages: tuple[UniverseLanguage, ...] = Field(
        UNIVERSE_LANGUAGES, min_length=1, description="Songs in these languages."
    )
    access_code: str | None = Field(None, description=_ACCESS_CODE)

    def making(self) -> Making:
        """The order's part."""
        return Making(
            num_assets=self.num_assets,
            force_regenerate=self.force_regenerate,
            parts=frozenset(self.parts),
            languages=tuple(dict.fromkeys(self.languages)),
        )


class Regenerate(Regeneration):
    """One asset anew; all fields may be absent."""

    access_code: str | None = Field(None, description=_ACCESS_CODE)


class Accepted(BaseModel):
    """What was ordered. Both ids are ``null`` where nothing was missing, and so nothing was ordered."""

    order_id: UUID | None
    job_id: UUID | None


class RegeneratedAsset(AssetDocument, Accepted):
    """The asset with the prompts that it is made from now; its files are those from before until that has ended."""

    status: str = Field(description="The draft's.")


class DefaultPrompt(BaseModel):
    """A template of prompts; absent, the draft's own is used."""

    model_config = ConfigDict(frozen=True)

    defaultPrompt: Prompt | None = None  # noqa: N815  # the clients' own name


class Prompts(BaseModel):
    """The assets' prompts in their order."""

    prompts: list[str]


class Translate(BaseModel):
    """What the assets' names are written in."""

    model_config = ConfigDict(frozen=True)

    source: UniverseLanguage = "en"
    access_code: str | None = Field(None, description=_ACCESS_CODE)


class Translated(BaseModel):
    """The assets' titles by language, in the assets' order."""

    message: Literal["Translations generated"] = "Translations generated"
    translations: dict[str, list[str]]


class WriteLyrics(WantedLyrics):
    """What the song is to be about; all fields may be absent."""

    access_code: str | None = Field(None, description=_ACCESS_CODE)


class Lyrics(BaseModel):
    """The words of a song."""

    lyrics: str
    language: str


class MadeMusic(Accepted):
    """A song, or the order that makes it while ``path`` is ``null``."""

    message: str
    path: str | None
    language: str
    status: JobStatus | None = Field(description="Of the job; null where the song was there.")


class PublicationPlan(BaseModel):
    """What publishing would change in production; files first."""

    draft_id: str
    slug: str
    count: int
    changes: list[Change]


class PublishedDraft(BaseModel):
    """What a publication came to. ``changes`` counts rows and files."""

    univers_id: int
    slug: str
    published_at: Moment
    assets_count: int
    storage_url: str
    files_uploaded: int
    changes: int


DryRun = Annotated[
    bool,
    Query(description="1 changes nothing and answers with the plan alone, as …/publish/plan does.", examples=[True]),
]
WaitS = Annotated[
    float,
    Query(ge=0, le=600, description="Seconds to wait for the song; 0 answers at once, with 202.", examples=[60]),
]
