"""Texts of universes for older clients: objects, prompts, lyrics and translations, written at once and paid once."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends
from starlette.requests import HTTPConnection

from maquette.api import draft_examples
from maquette.api import universe_examples as examples
from maquette.api.bodies import CleanBody
from maquette.api.draft_shapes import DefaultPrompt, Lyrics, Prompts, Translate, Translated, WriteLyrics
from maquette.api.drafts import Paying, TheWriting, writing_of
from maquette.api.shapes import example
from maquette.api.universe_shapes import (
    TAG,
    AppliedConcepts,
    Concepts,
    EnglishRoute,
    KeptObjects,
    Language,
    MusicPrompts,
    ProposedConcepts,
    SavedPrompts,
    SungLyrics,
    TheUniverses,
    Thumbnail,
    UniverseName,
    Work,
    refusals,
)
from maquette.drafts.concepts import Concept
from maquette.drafts.tables import DraftAsset
from maquette.drafts.universe_objects import Objects, translations_of
from maquette.drafts.writing import WantedLyrics, Writing
from maquette.errors import Conflict, InvalidInput, MaquetteError, ProviderError
from maquette.providers.text.port import UNIVERSE_LANGUAGES, UniverseLanguage

router = APIRouter(prefix="/api", tags=[TAG], route_class=EnglishRoute)

_WORK = Body(examples=[examples.WORK])
_DEFAULT_PROMPT = Body(examples=[draft_examples.DEFAULT_PROMPT])


def objects_of(connection: HTTPConnection) -> Objects:
    """Who names things: the drafts' own writer."""
    writing = writing_of(connection)
    return Objects(writing.drafts, writing.workshop)


TheObjects = Annotated[Objects, Depends(objects_of)]


@router.post(
    "/generate/{name}/objects",
    summary="Name a universe's items",
    dependencies=[Paying],
    responses=example(examples.KEPT) | refusals(400, 404, 409),
)
def objects(
    name: UniverseName, universes: TheUniverses, objects: TheObjects, body: Annotated[Work | None, _WORK] = None
) -> KeptObjects:
    """As many as are missing up to ``count``; those that are there stay."""
    universe = universes.find(name)
    try:
        assets = objects.fill_up(universe.draft_id, count=(body or Work()).count)
    except ProviderError as error:
        raise failed("objects", error) from error
    titles = universes.drafts.get(universe.draft_id).titles
    return _kept(assets, titles, message=f"Objects generated for {universe.name}")


@router.post(
    "/generate/{name}/concepts",
    summary="Propose items of a universe",
    dependencies=[Paying],
    responses=example(examples.PROPOSED) | refusals(400, 404, 409),
)
def concepts(
    name: UniverseName,
    universes: TheUniverses,
    objects: TheObjects,
    body: Annotated[Concepts | None, Body(examples=[examples.CONCEPTS])] = None,
) -> ProposedConcepts:
    """Things that the universe has not yet; nothing is kept until they are applied."""
    universe, wanted = universes.find(name), body or Concepts()
    try:
        found = objects.propose(
            wanted.theme or universe.theme, count=wanted.count, seed=wanted.seed, draft_id=universe.draft_id
        )
    except ProviderError as error:
        raise failed("concepts", error) from error
    named = [concept.names[wanted.language] for concept in found.concepts]
    return ProposedConcepts(concepts=named, translations=translations_of(found.concepts))


@router.post(
    "/generate/{name}/concepts/apply",
    summary="Keep proposed items",
    dependencies=[CleanBody],
    responses=example(examples.KEPT) | refusals(400, 404, 409),
)
def apply_concepts(
    name: UniverseName,
    body: Annotated[AppliedConcepts, Body(examples=[examples.APPLIED])],
    universes: TheUniverses,
    objects: TheObjects,
) -> KeptObjects:
    """As items after those that are there, without files; in English where no translation says otherwise."""
    universe = universes.find(name)
    if any(len(column) != len(body.concepts) for column in body.translations.values()):
        raise InvalidInput("translations: each language needs as many names as there are concepts")
    columns = {language: body.translations.get(language, body.concepts) for language in UNIVERSE_LANGUAGES}
    wanted = [
        Concept(names={str(language): column[index] for language, column in columns.items()})
        for index in range(len(body.concepts))
    ]
    assets = objects.apply(universe.draft_id, wanted)
    titles = universes.drafts.get(universe.draft_id).titles
    return _kept(assets, titles, message=f"Concepts applied to {universe.name}")


@router.post(
    "/generate/{name}/lyrics",
    summary="Write the words of a universe's song",
    dependencies=[Paying],
    responses=example(examples.SUNG) | refusals(400, 404, 409),
)
def lyrics(
    name: UniverseName, universes: TheUniverses, writing: TheWriting, body: Annotated[Work | None, _WORK] = None
) -> SungLyrics:
    """In French."""
    return _sung(universes, writing, name, "fr", body)


@router.post(
    "/generate/{name}/lyrics/{language}",
    summary="Write the words of a universe's song in a language",
    dependencies=[Paying],
    responses=example(examples.SUNG) | refusals(400, 404, 409),
)
def lyrics_in(
    name: UniverseName,
    language: Language,
    universes: TheUniverses,
    writing: TheWriting,
    body: Annotated[Work | None, _WORK] = None,
) -> SungLyrics:
    """Kept as the song's words; its sound stays until it is made anew."""
    return _sung(universes, writing, name, language, body)


@router.post(
    "/universes/{name}/lyrics/generate",
    summary="Write a song's words about a theme",
    dependencies=[Paying],
    responses=example(draft_examples.LYRICS) | refusals(400, 404, 409),
)
def write_lyrics(
    name: UniverseName,
    universes: TheUniverses,
    writing: TheWriting,
    body: Annotated[WriteLyrics | None, Body(examples=[draft_examples.WRITE_LYRICS])] = None,
) -> Lyrics:
    """About the given theme and words, else the universe's own; kept as the song's."""
    wanted = body or WriteLyrics()
    written = _lyrics(writing, universes.find(name).draft_id, wanted)
    return Lyrics(lyrics=written, language=wanted.language)


@router.post(
    "/universes/{name}/translations/generate",
    summary="Translate a universe's items",
    dependencies=[Paying],
    responses=example(draft_examples.TRANSLATED) | refusals(400, 404, 409),
)
def translate(
    name: UniverseName,
    universes: TheUniverses,
    writing: TheWriting,
    body: Annotated[Translate | None, Body(examples=[draft_examples.TRANSLATE])] = None,
) -> Translated:
    """The items' titles in five languages. 404 without words."""
    try:
        told = writing.translate(universes.find(name).draft_id, source=(body or Translate()).source)
    except ProviderError as error:
        raise failed("translations", error) from error
    return Translated(translations=told)


@router.post(
    "/universes/{name}/images/prompts/generate",
    summary="Fill in the prompts of a universe's pictures",
    responses=example(examples.PROMPTS_LIST) | refusals(400, 404, 409),
)
def image_prompts(
    name: UniverseName,
    universes: TheUniverses,
    writing: TheWriting,
    body: Annotated[DefaultPrompt | None, _DEFAULT_PROMPT] = None,
) -> Prompts:
    """Of the given template, which becomes the universe's own. 400 without items."""
    return Prompts(prompts=_filled(universes, writing, name, "image", (body or DefaultPrompt()).defaultPrompt))


@router.post(
    "/universes/{name}/videos/prompts/generate",
    summary="Fill in the prompts of a universe's loops",
    responses=example(examples.PROMPTS_LIST) | refusals(400, 404, 409),
)
def video_prompts(
    name: UniverseName,
    universes: TheUniverses,
    writing: TheWriting,
    body: Annotated[DefaultPrompt | None, _DEFAULT_PROMPT] = None,
) -> Prompts:
    """The same of the loops."""
    return Prompts(prompts=_filled(universes, writing, name, "video", (body or DefaultPrompt()).defaultPrompt))


@router.post(
    "/universes/{name}/regenerate-prompts",
    summary="Fill in a universe's prompts anew",
    responses=example(examples.PROMPTS_REGENERATED) | refusals(400, 404, 409, missing="prompts_not_found"),
)
def regenerate_prompts(name: UniverseName, universes: TheUniverses, writing: TheWriting) -> SavedPrompts:
    """Of pictures and loops, from the universe's templates, else its theme's; what they were goes."""
    universe = universes.find(name, missing="prompts_not_found")
    _filled(universes, writing, universe.draft_id, "image", None)
    _filled(universes, writing, universe.draft_id, "video", None)
    return SavedPrompts(message="Prompts regenerated", prompts=universes.prompts_of(universe.draft_id))


@router.post(
    "/generate/{name}/music-prompts",
    summary="Fill in the styles of a universe's songs",
    responses=example(examples.MUSIC_PROMPTS) | refusals(400, 404, 409),
)
def music_prompts(name: UniverseName, universes: TheUniverses) -> MusicPrompts:
    """In each language that has none, by the template of the universe or its theme."""
    universe = universes.find(name)
    told = universes.write_music_prompts(universe.draft_id)
    return MusicPrompts(message=f"Music prompts generated for {universe.name}", prompts=told)


@router.post(
    "/generate/{name}/thumbnail",
    summary="A universe's cover",
    responses=example(examples.THUMBNAIL) | refusals(404, 409),
)
def thumbnail(name: UniverseName, universes: TheUniverses) -> Thumbnail:
    """The first picture that is there. 409 before."""
    universe = universes.find(name)
    path = universe.path(universes.cover(universe.draft_id))
    if path is None:
        reason = "it has no pictures yet"
        raise Conflict(f"draft {universe.draft_id}: {reason}", code="draft_incomplete", reason=reason)
    return Thumbnail(message="Thumbnail ready", thumbnail=path)


def failed(what: str, error: ProviderError) -> MaquetteError:
    """What a provider raised, as older clients are told."""
    return MaquetteError(str(error), code="generation_failed", what=what, reason=str(error))


def _sung(
    universes: TheUniverses, writing: Writing, name: str, language: UniverseLanguage, body: Work | None
) -> SungLyrics:
    draft_id = universes.find(name).draft_id
    written = _lyrics(writing, draft_id, WantedLyrics(language=language))
    # It is there already: a draft's own id reads as a job that has ended.
    job_id = draft_id if body is not None and body.in_background else None
    return SungLyrics(message=f"Lyrics generated for {language}", lyrics=written, language=language, job_id=job_id)


def _lyrics(writing: Writing, draft_id: str, wanted: WantedLyrics) -> str:
    try:
        return writing.write_lyrics(draft_id, wanted)
    except ProviderError as error:
        raise failed("lyrics", error) from error


def _filled(
    universes: TheUniverses, writing: Writing, name: str, part: Literal["image", "video"], template: str | None
) -> list[str]:
    draft_id = universes.find(name).draft_id
    return writing.fill_prompts(draft_id, part, template or universes.template(draft_id, part))


def _kept(assets: list[DraftAsset], titles: dict[str, str], *, message: str) -> KeptObjects:
    translations = {
        str(language): [asset.titles.get(language, asset.display_name) for asset in assets]
        for language in UNIVERSE_LANGUAGES
    }
    named = [asset.display_name for asset in assets]
    return KeptObjects(message=message, objects=named, translations=translations, theme_translations=titles)
