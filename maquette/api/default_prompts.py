"""Default prompts, and texts for a theme that has no universe yet, for older clients."""

from typing import Annotated

from fastapi import APIRouter, Body

from maquette.api import universe_examples as examples
from maquette.api.bodies import CleanBody
from maquette.api.draft_shapes import Prompts
from maquette.api.drafts import Paying
from maquette.api.shapes import example
from maquette.api.universe_shapes import (
    TAG,
    DefaultTemplates,
    EnglishRoute,
    NamedObjects,
    Objects,
    OnePrompt,
    SavedTemplates,
    Templates,
    TheUniverses,
    WantedMusicPrompt,
    WantedPrompts,
    refusals,
)
from maquette.api.universe_texts import TheObjects, failed
from maquette.drafts.prompts import fill, save_defaults
from maquette.drafts.universe_objects import translations_of
from maquette.drafts.universes import Universes
from maquette.errors import InvalidInput, ProviderError

router = APIRouter(prefix="/api", tags=[TAG], route_class=EnglishRoute)

_WANTED = Body(examples=[examples.WANTED_PROMPTS])


@router.get("/default-prompts", summary="Read the default prompts", responses=example(examples.TEMPLATES))
def default_prompts(universes: TheUniverses) -> Templates:
    """Of themes without their own."""
    return Templates.model_validate(universes.prompts.defaults)


@router.post(
    "/default-prompts",
    summary="Save the default prompts",
    dependencies=[CleanBody],
    responses=example(examples.TEMPLATES_SAVED) | refusals(400),
)
def save_default_prompts(
    body: Annotated[DefaultTemplates, Body(examples=[examples.TEMPLATES])], universes: TheUniverses
) -> SavedTemplates:
    """Absent ones stay. They are written into the file of prompts."""
    settings = universes.drafts.settings
    path = settings.prompts_file or settings.home.expanduser() / "storage" / "prompts_defaults.yaml"
    saved = save_defaults(path, body.model_dump(exclude_none=True))
    return SavedTemplates(message="Default prompts saved", **Templates.model_validate(saved.defaults).model_dump())


@router.post(
    "/generate-objects",
    summary="Name things of a theme",
    dependencies=[Paying],
    responses=example(examples.NAMED) | refusals(400, 409),
)
def generate_objects(body: Annotated[Objects, Body(examples=[examples.OBJECTS])], objects: TheObjects) -> NamedObjects:
    """Nothing is kept. The same question is answered, and paid, once: another seed asks anew."""
    theme = _theme(body.theme)
    try:
        found = objects.propose(theme, count=body.count, template=body.prompt, seed=body.seed)
    except ProviderError as error:
        raise failed("objects", error) from error
    return NamedObjects(
        objects=[concept.names["en"] for concept in found.concepts],
        translations=translations_of(found.concepts),
        theme_translations=found.theme,
    )


@router.post(
    "/generate-image-prompts",
    summary="Fill in image prompts",
    responses=example(examples.PROMPTS_LIST) | refusals(400),
)
def generate_image_prompts(body: Annotated[WantedPrompts, _WANTED], universes: TheUniverses) -> Prompts:
    """One for each thing, of the given template or the theme's. Nothing is kept."""
    theme = _theme(body.theme)
    return _filled(universes, body, theme, template=body.defaultPrompt or universes.prompts.image(theme))


@router.post(
    "/generate-video-prompts",
    summary="Fill in video prompts",
    responses=example(examples.PROMPTS_LIST) | refusals(400),
)
def generate_video_prompts(body: Annotated[WantedPrompts, _WANTED], universes: TheUniverses) -> Prompts:
    """The same of the loops."""
    theme = _theme(body.theme)
    return _filled(universes, body, theme, template=body.defaultPrompt or universes.prompts.video(theme))


@router.post(
    "/generate-music-prompt",
    summary="Fill in a song's style",
    responses=example(examples.ONE_PROMPT) | refusals(400),
)
def generate_music_prompt(
    body: Annotated[WantedMusicPrompt, Body(examples=[examples.WANTED_MUSIC_PROMPT])], universes: TheUniverses
) -> OnePrompt:
    """Of the theme's template. Lyrics may be absent where the theme is there, but not empty. Nothing is kept."""
    if not (body.lyrics or "").strip() and (body.lyrics is not None or not body.theme):
        raise InvalidInput("send the words of the song", code="lyrics_required")
    theme, prompts = _theme(body.theme), universes.prompts
    template, words = prompts.music(theme), tuple(body.words)
    return OnePrompt(
        prompt=fill(template, concept=theme, theme=theme, description=prompts.description(theme), words=words)
    )


def _filled(universes: Universes, wanted: WantedPrompts, theme: str, *, template: str) -> Prompts:
    """Raises ``InvalidInput`` (``no_objects``, ``unknown_variable``)."""
    if not wanted.objects:
        raise InvalidInput("send the things that prompts are wanted for", code="no_objects")
    description = universes.prompts.description(theme)
    return Prompts(
        prompts=[
            fill(template, concept=each, theme=theme, description=description, words=(each,)) for each in wanted.objects
        ]
    )


def _theme(theme: str | None) -> str:
    """Raises ``InvalidInput`` (``theme_required``)."""
    if not theme:
        raise InvalidInput("send a theme", code="theme_required")
    return theme
