"""The port of text: what the pipelines ask of a writer."""

from typing import Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from maquette.providers.catalogue import Profile

Language = Literal["fr", "en", "es"]
Style = Literal["informative", "humorous", "dramatic", "inspiring"]
Goal = Literal["", "education", "vente", "lead", "engagement", "notoriete"]
CarouselType = Literal["content", "citation"]
UniverseLanguage = Literal["fr", "en", "es", "it", "de"]

UNIVERSE_LANGUAGES: Final[tuple[UniverseLanguage, ...]] = ("fr", "en", "es", "it", "de")
MAX_CONCEPTS: Final = 50
# What the song model of the existing clients takes.
MAX_LYRICS: Final = 590

MIN_SLIDES: Final = 3
MAX_SLIDES: Final = 10

# What a slide may hold, in characters: limits of the existing clients' carousels. Where those disagree (a title of
# 35, 40 or 50; a point of 20, 44 or 60; text on the picture of 100, 120 or 150) the plan's own limit holds, and
# 120 for the body. Those of author, figure, alt and visual are ours.
LIMITS: Final[dict[str, int]] = {
    "title": 40,
    "subtitle": 60,
    "body": 120,
    "bullets": 44,
    "cta": 24,
    "badge": 24,
    "note": 140,
    "author": 60,
    "label": 44,
    "delta": 12,
    "caption": 300,
    "alt": 250,
    "visual": 400,
}
WIDER: Final[dict[tuple[str, str], int]] = {("hero", "subtitle"): 120, ("citation", "title"): 120}
MIN_TITLE: Final = 10
MIN_BULLETS: Final = 3
MAX_BULLETS: Final = 4


def limit_of(field: str, slide_type: str) -> int:
    """Characters that ``field`` of a slide of ``slide_type`` may have; of each point for ``bullets``."""
    return WIDER.get((slide_type, field), LIMITS[field])


class ScriptRequest(BaseModel):
    """A script of exactly ``len(durations_s)`` blocks."""

    model_config = ConfigDict(frozen=True)

    theme: str
    durations_s: tuple[int, ...] = Field(min_length=1, max_length=10)
    style: Style = "informative"
    language: Language = "fr"
    seed: int = 0
    warning: str | None = Field(None, description="Said to the model when its first answer had too few blocks.")


class WriterBrand(BaseModel):
    """What a writer knows of the brand, under the names of the brand's kit. Every field may be empty."""

    model_config = ConfigDict(frozen=True)

    niche: str = ""
    voice: str = ""
    pitch: str = ""
    tagline: str = ""
    adjectives: tuple[str, ...] = ()
    banned_words: tuple[str, ...] = ()
    visual_types: tuple[str, ...] = Field((), description="Kinds of picture that it likes.")
    visual_mood: tuple[str, ...] = ()


class CarouselRequest(BaseModel):
    """The plan of a carousel of exactly ``slides`` slides."""

    model_config = ConfigDict(frozen=True)

    topic: str
    slides: int = Field(5, ge=MIN_SLIDES, le=MAX_SLIDES)
    language: Language = "fr"
    seed: int = 0
    goal: Goal = ""
    tone: str = ""
    platform: str = ""
    carousel_type: CarouselType = "content"
    brand: WriterBrand = WriterBrand()
    given: str = Field(
        "", description="Texts that the client fixed, as JSON in one of the forms that ``slides.read_slides`` reads."
    )
    warning: str | None = Field(None, description="Said to the model when its first answer had too few slides.")


class ConceptsRequest(BaseModel):
    """``count`` things of a theme that a child can name and a picture can show, none of them in ``taken``."""

    model_config = ConfigDict(frozen=True)

    theme: str
    description: str = Field("", description="What the theme looks like, where somebody said so.")
    instructions: str = Field("", description="What kind of things is wanted, such as the theme's own prompt.")
    count: int = Field(10, ge=1, le=MAX_CONCEPTS)
    taken: tuple[str, ...] = Field((), description="English names that are there already.")
    seed: int = 0
    warning: str | None = Field(None, description="Said to the model when its first answer could not be used.")


class LyricsRequest(BaseModel):
    """A children's song about a theme, in one language."""

    model_config = ConfigDict(frozen=True)

    theme: str = Field(description="The theme's name, in ``language`` where it is known.")
    words: tuple[str, ...] = Field((), description="Things that the song may name, in ``language``.")
    language: UniverseLanguage
    style: str = Field("", description="Style of the music, for the mood.")
    seed: int = 0
    max_characters: int = MAX_LYRICS


class TranslationRequest(BaseModel):
    """Short names of things, from one language into others."""

    model_config = ConfigDict(frozen=True)

    texts: tuple[str, ...] = Field(min_length=1, max_length=100)
    source: UniverseLanguage = "en"
    targets: tuple[UniverseLanguage, ...]


class Written(BaseModel):
    """A text with its cost in micro-dollars and its tokens."""

    model_config = ConfigDict(frozen=True)

    text: str
    model: str
    cost_micros: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


class ScriptWriter(Protocol):
    """An adapter; raises only ``ProviderError``."""

    profile: Profile

    def write_script(self, request: ScriptRequest) -> Written:
        """The script as ``BLOC n (8s): / DIALOGUE: "…" / VISUEL: …`` text."""
        ...

    def plan_carousel(self, request: CarouselRequest) -> Written:
        """The plan as JSON text, which ``carousels.rules.parse_plan`` reads.

        ``{"slides": [{"type", "title", "subtitle", "body", "bullets", "cta", "badge", "note", "author",
        "kpis": [{"label", "delta"}], "visual", "alt", "caption"}]}``; a model may leave fields out, and fence or
        break the JSON.
        """
        ...

    def list_concepts(self, request: ConceptsRequest) -> Written:
        """The concepts as JSON text, which ``drafts.concepts.parse_concepts`` reads.

        ``{"theme": {"fr": "…", "en": "…", "es": "…", "it": "…", "de": "…"}, "concepts": [{"fr": "singe",
        "en": "monkey", "es": "mono", "it": "scimmia", "de": "Affe"}, …]}``.
        """
        ...

    def write_lyrics(self, request: LyricsRequest) -> Written:
        """The song's text with the tags ``[intro] [verse] [chorus] [bridge] [outro]``, each on a line of its own."""
        ...

    def translate(self, request: TranslationRequest) -> Written:
        """``{"es": ["mono", …], …}`` as JSON text: for each target the texts in their order."""
        ...
