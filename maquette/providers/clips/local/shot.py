"""The director: from a request to a shot (set, light, camera, who stands where). Pure; randomness from the request."""

import random
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from maquette.providers.clips.local import lexicon
from maquette.providers.clips.local.lexicon import Concept
from maquette.providers.clips.port import ClipRequest

Camera = Literal["push", "pull", "track", "rise"]
Layout = Literal["disc", "ground", "tiles", "arch"]

_LAYOUTS: Final[tuple[Layout, ...]] = ("disc", "ground", "arch", "tiles")
_CAMERAS: Final[tuple[Camera, ...]] = ("push", "track", "pull", "rise")
_PARTICLES: Final = {
    "sunset": "bokeh", "morning": "bokeh", "night": "stars", "grey": "mist", "fresh": "bubbles", "clear": "bokeh",
    "snow": "snow", "green": "leaves", "tech": "data", "joy": "confetti", "drama": "embers",
}  # fmt: skip
_MAX_COMPANIONS: Final = 5


class Palette(BaseModel):
    """Colours of a scene as ``#rrggbb``; see ``palettes.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sky: tuple[str, str, str]
    far: str
    near: str
    ground: tuple[str, str]
    glow: str
    card: str
    ink: str


class _Colours(BaseModel):
    palettes: dict[str, list[Palette]]
    styles: dict[str, list[str]]
    tints: dict[str, tuple[str, str]]


class Shot(BaseModel):
    """Everything that the drawing needs; equal requests give equal shots."""

    model_config = ConfigDict(frozen=True)

    set: str
    mood: str
    palette: Palette
    hue_shift: float
    camera: Camera
    slow: bool
    layout: Layout
    particles: str
    hero: Concept
    companions: list[Concept]
    flipped: bool
    seed: int


@lru_cache
def _colours() -> _Colours:
    return _Colours.model_validate(yaml.safe_load(Path(__file__).with_name("palettes.yaml").read_text("utf-8")))


def tint(name: str) -> tuple[str, str]:
    """Upper and lower colour of a pictogram's fill."""
    return _colours().tints[name]


def palettes(mood: str) -> list[Palette]:
    """The palettes of a mood, or of ``clear`` where there is no such mood."""
    return _colours().palettes.get(mood) or _colours().palettes["clear"]


def plan(request: ClipRequest) -> Shot:
    """The shot of a request. Words decide where they say something, the seed decides the rest."""
    language = request.language
    dice = random.Random(f"{request.seed}|{request.number}|{request.total}|{request.style}|{request.visual}")
    shown = lexicon.seen(request.visual, language=language)
    said = [one for one in lexicon.seen(request.dialogue, language=language) if one.concept.role != "scene"]
    cast = _cast([one for one in shown if one.concept.role != "scene"]) or _cast(said) or shown
    if not cast:
        pool = [c for c in lexicon.concepts() if c.set == "studio"]
        cast = [lexicon.Seen(concept=c) for c in dice.sample(pool, 3)]
    hero = cast[0].concept
    companions: list[Concept] = []
    for one in cast:
        companions += [one.concept] * (one.count if one.concept is not hero else one.count - 1)
    for one in said:
        if len(companions) < 3 and one.concept not in (hero, *companions) and one.concept.role != "person":
            companions.append(one.concept)
    most = max([_MAX_COMPANIONS, *(one.count for one in cast)])

    scenes = [one.concept.set for one in shown if one.concept.role == "scene" and one.concept.set]
    objects = [one.concept.set for one in cast if one.concept.set]
    # Words for the light alone (sun, night) say no more than that it is out of doors.
    outside = any(one.concept.role == "scene" for one in shown)
    place = [*scenes, *objects, "hills" if outside else "studio"][0]
    mood = lexicon.mood(request.visual, language=language)
    if mood is None and place in ("space", "stage"):
        mood = "night"
    if mood is None and place in ("grid", "lab"):
        mood = dice.choice(["tech", "fresh"])
    if mood is None:
        mood = dice.choice(_colours().styles[request.style])
    palettes = _colours().palettes[mood]
    # The number walks through the variants, so that neighbours differ even where the words are the same.
    turn = request.number + request.seed % 1009
    return Shot(
        set=place,
        mood=mood,
        palette=palettes[turn % len(palettes)],
        hue_shift=dice.uniform(-0.025, 0.025),
        camera=_camera(request, turn + turn // len(_LAYOUTS) + 1),
        slow=lexicon.is_slow(request.visual, language=language),
        layout=_LAYOUTS[turn % len(_LAYOUTS)],
        particles=_PARTICLES[mood],
        hero=hero,
        companions=companions[:most],
        flipped=dice.random() < 0.5,
        seed=dice.randrange(2**31),
    )


def _cast(found: list[lexicon.Seen]) -> list[lexicon.Seen]:
    """In order of appearance, figures in the place of persons, vague things last."""
    roles = {one.concept.role for one in found}
    kept = [one for one in found if not (one.concept.role == "person" and "figure" in roles)]
    rank = {"figure": 0, "person": 1, "object": 1, "vague": 2, "scene": 3}
    return sorted(kept, key=lambda one: rank[one.concept.role])


def _camera(request: ClipRequest, turn: int) -> Camera:
    named = lexicon.camera(request.visual, language=request.language)
    return next((move for move in _CAMERAS if move == named), _CAMERAS[turn % len(_CAMERAS)])
