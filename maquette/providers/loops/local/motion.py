"""From a prompt to how its picture moves: gait, camera, what drifts through, light. Data in ``motion.yaml``. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field

from maquette.providers.clips.local.lexicon import words

Camera = Literal["push", "pull", "pan", "tilt"]
Pair = tuple[float, float]
_Name = TypeVar("_Name", bound=str)

_DRIFTS: Final = 2
_USUAL: Final = "breathe"


class Gait(BaseModel):
    """How the middle of attention and the picture around it move; units as in ``motion.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hero: Pair
    breath: float
    roll: float
    beats: int
    pan: Pair
    wave: float
    zoom: float


class Drift(BaseModel):
    """Small things that drift through the picture; units as in ``motion.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: tuple[str, ...]
    colours: tuple[str, ...]
    count: int
    size: Pair
    way: Pair
    sway: float
    spin: float
    alpha: float


class Motion(BaseModel):
    """Everything that the drawing needs besides the picture. ``beats`` and ``lives`` are whole numbers per loop."""

    model_config = ConfigDict(frozen=True)

    gait: Gait
    camera: Camera | None
    drifts: tuple[Drift, ...]
    sweep: bool
    beats: int = Field(ge=1)
    lives: int = Field(ge=1)


class _Data(BaseModel):
    gaits: dict[str, Gait]
    gait_words: dict[str, str]
    cameras: dict[Camera, str]
    calm: str
    drifts: dict[str, Drift]
    drift_words: dict[str, str]
    sweep: str


@lru_cache
def _data() -> _Data:
    return _Data.model_validate(yaml.safe_load(Path(__file__).with_name("motion.yaml").read_text("utf-8")))


def plan(prompt: str, *, seconds: float) -> Motion:
    """The motion of a prompt. A prompt that names none breathes."""
    told = words(prompt)
    data = _data()
    gait = data.gaits[next(iter(_named(data.gait_words, told)), _USUAL)]
    calm = bool(_named({"calm": data.calm}, told))
    return Motion(
        gait=gait,
        camera=next(iter(_named(data.cameras, told)), None),
        drifts=tuple(data.drifts[name] for name in _named(data.drift_words, told)[:_DRIFTS]),
        sweep=bool(_named({"sweep": data.sweep}, told)),
        # A loop closes after whole beats.
        beats=max(1, round(gait.beats * seconds / (10 if calm else 5))),
        lives=max(1, round(seconds / 5)),
    )


def _named(table: Mapping[_Name, str], told: tuple[str, ...]) -> list[_Name]:
    """The names whose words are told, in the order in which they are."""
    found: dict[_Name, None] = {}
    for word in told:
        for name, phrases in table.items():
            if any(_is(word, one) for one in phrases.split()):
                found.setdefault(name)
    return list(found)


def _is(word: str, one: str) -> bool:
    return word.startswith(one[:-1]) if one.endswith("*") else word in words(one)
