"""From a request to a look: composition, colours, motifs. Pure; randomness from the request alone."""

import hashlib
import random
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict

from maquette.providers.clips.local import lexicon
from maquette.providers.clips.local.lexicon import Concept
from maquette.providers.clips.local.paint import RGB, mix, rgb
from maquette.providers.clips.local.shot import Palette, palettes, tint
from maquette.providers.images.local import colours, universe
from maquette.providers.images.port import ImageRequest

_LANGUAGES: Final = ("fr", "en", "es")
_OTHERS: Final = 3  # motifs beside the first
_DARK: Final = ("night", "drama")
_ACCENTS: Final = ("#ff7a6b", "#f5a020", "#ffd24a", "#e0438c", "#7a3fd8", "#1f9d9d")
_TURN: Final = 0.3  # radians
_MOODS: Final = ("clear", "fresh", "morning", "joy", "green", "sunset", "tech")
_TRADE: Final = re.compile(r"\bIndustry: ([^.\n]+)")  # how prompts name the brand's trade
_RANK: Final = {"object": 0, "figure": 0, "person": 1, "vague": 2, "scene": 3}


class _Data(BaseModel):
    compositions: dict[str, list[str]]
    asides: list[str]
    backgrounds: list[str]
    manner: str
    ideas: frozenset[str]
    little_words: frozenset[str]
    lettered: frozenset[str]
    vivid: dict[str, float]


class Look(BaseModel):
    """Everything that the painting needs; equal requests give equal looks.

    ``hero`` and ``others`` are pictograms; ``hero`` is ``None`` where the words name nothing that can be drawn.
    """

    model_config = ConfigDict(frozen=True)

    composition: str
    palette: Palette
    accents: tuple[RGB, ...]
    hero: str | None
    others: tuple[str, ...]
    place: str
    mood: str
    flipped: bool
    seed: int
    world: str = ""


@lru_cache
def _data() -> _Data:
    return _Data.model_validate(yaml.safe_load(Path(__file__).with_name("look.yaml").read_text("utf-8")))


@lru_cache
def _manner() -> frozenset[str]:
    return frozenset(lexicon.words(_data().manner))


def plan(request: ImageRequest, *, reference_colours: Sequence[str] = ()) -> Look:
    """The look of a request. Words decide where they say something, the seed decides the rest.

    ``reference_colours`` (of the first reference picture) take the place of the request's palette. The item's
    number and the attempt have no say.
    """
    if (scene := universe.scene(request.prompt)) is not None:
        return _universe(request, scene, reference_colours or request.palette)
    topic = _number(request.prompt)
    dice = random.Random(f"{request.seed}|{request.prompt}")
    text = _shown(request.prompt)
    language, seen = _seen(text, request.language)
    if not seen and (trade := _TRADE.search(request.prompt)):
        language, seen = _seen(trade[1], request.language)
    avoided = _avoided(request.avoid, language)
    cast = [one for one in seen if one.icon not in avoided | _data().lettered and one.role not in avoided]
    places = [one.set for one in cast if one.role == "scene" and one.set]
    objects = [one.set for one in cast if one.role != "scene" and one.set]
    place = [*places, *objects, "studio" if cast else "nothing"][0]
    order = _data().compositions[place]
    # The number of the topic sets off, the seed walks on; a place that is named is shown first.
    composition = order[((0 if places else topic) + request.seed) % len(order)]
    if composition == "land":  # the place itself is there
        cast = [one for one in cast if _rank(one) < _RANK["vague"]]
    bare = any(phrase in request.prompt.casefold() for phrase in _data().backgrounds)
    icons = [] if bare else [one.icon for one in sorted(cast, key=_rank)]
    turn = topic + request.seed
    mood = lexicon.mood(text, language=language)
    inks = _inks(request, reference_colours or request.palette, mood, cast, turn)
    return Look(
        composition=composition,
        palette=inks.palette,
        accents=inks.accents,
        hero=icons[0] if icons else None,
        others=tuple(icons[1 : 1 + _OTHERS]),
        place=place,
        mood=mood or "",
        flipped=dice.random() < 0.5,
        seed=dice.randrange(2**31),
    )


def _universe(request: ImageRequest, scene: universe.Scene, brand: Sequence[str]) -> Look:
    """The look of an illustration for children: its hero in its own colours, in the world of its theme."""
    dice = random.Random(f"{request.seed}|{request.prompt}")
    world = universe.world(scene.world)
    vivid = _vivid(request.prompt)
    palette, second = colours.washed(world.palette(), vivid), rgb(dice.choice(_ACCENTS))
    if brand:
        dark = world.air in ("stars", "moon")
        palette, (second, *_) = colours.of_brand(brand, turn=request.seed, dark=dark, vivid=vivid)
    hero = scene.hero
    shown = hero if hero and hero.icon not in _avoided(request.avoid, request.language) | _data().lettered else None
    light, deep = (rgb(one) for one in tint(shown.tint if shown else "orange"))
    return Look(
        composition="universe",
        # Takes of one prompt differ in their light.
        palette=colours.turned(palette, dice.uniform(-_TURN, _TURN)),
        accents=(mix(light, deep, 0.5), second),
        hero=shown.icon if shown else None,
        others=(),
        place="",
        mood="",
        flipped=dice.random() < 0.5,
        seed=dice.randrange(2**31),
        world=scene.world,
    )


def _vivid(prompt: str) -> float:
    said = set(lexicon.words(prompt))
    return next((share for word, share in _data().vivid.items() if lexicon.stem(word) in said), 1.0)


def _rank(one: Concept) -> int:
    return _RANK["vague" if one.icon in _data().ideas else one.role]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])


def _shown(prompt: str) -> str:
    """The sentences that tell what is seen, without the words for the picture itself."""
    kept = [
        part for part in re.split(r"(?<=[.!?])\s+|\n+", prompt.strip())
        if not part.casefold().lstrip().startswith(tuple(_data().asides))
    ]  # fmt: skip
    return re.sub(r"\w+", lambda word: "" if lexicon.stem(word[0]) in _manner() else word[0], " ".join(kept))


def _seen(text: str, language: str) -> tuple[str, list[Concept]]:
    """The language in which the text names the most, its own first, and what it names."""
    # A little word of one language may be a thing of another: the English article is French tea.
    bare = re.sub(r"\w+", lambda word: "" if word[0].casefold() in _data().little_words else word[0], text)
    for each in (language, *(one for one in _LANGUAGES if one != language)):
        found = [one.concept for one in lexicon.seen(text if each == language else bare, language=each)]
        if found:
            return each, found
    return language, []


def _avoided(avoid: Sequence[str], language: str) -> set[str]:
    """Icons, and the roles of people where people are to be avoided."""
    found = [one.concept for each in {language, *_LANGUAGES} for one in lexicon.seen(", ".join(avoid), language=each)]
    people = {"person", "figure"} if any(one.role == "person" for one in found) else set()
    return {one.icon for one in found} | people


def _inks(
    request: ImageRequest, brand: Sequence[str], mood: str | None, cast: Sequence[Concept], turn: int
) -> colours.Inks:
    vivid = _vivid(request.prompt)
    if brand:
        # One picture in four is set in the dark, so that variants differ in light as well.
        dark = mood in _DARK or (mood is None and turn % 4 == 3)
        return colours.of_brand(brand, turn=turn, dark=dark, vivid=vivid)
    offers = palettes(mood or _MOODS[turn % len(_MOODS)])
    named = [one.tint for one in cast if one.tint not in ("white", "grey")] or ["orange", "teal"]
    accents = [rgb(tint(name)[1]) for name in named[:2]]
    palette = colours.washed(offers[turn % len(offers)], vivid)
    return colours.Inks(palette, tuple(accents if len(accents) > 1 else accents * 2))
