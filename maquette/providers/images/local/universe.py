"""Illustrations for children, as the prompts of universes ask for them: which thing is the hero, and in which world.

Data in ``universe.yaml``. Pure.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from maquette.providers.clips.local import lexicon
from maquette.providers.clips.local.lexicon import Words, words
from maquette.providers.clips.local.shot import Palette

# Things are named in English or in the theme's own language; what two languages share is read in the first.
_LANGUAGES: Final = ("en", "fr", "es")
_CARD: Final = "#fffaf0"
_LONGEST: Final = 12  # words that may stand between the mark of a hero and its end
_USUAL: Final = "magic"


class Hero(BaseModel):
    """A thing that can be the hero: a figure or pictogram, its tint, and the set that it comes from."""

    model_config = ConfigDict(frozen=True)

    icon: str
    tint: str
    set: str | None = None


class _Row(Hero):
    model_config = ConfigDict(frozen=True, extra="forbid")

    en: str
    fr: str
    es: str


class World(BaseModel):
    """Where a hero is shown; see ``universe.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: str
    sets: tuple[str, ...]
    sky: tuple[str, str, str]
    glow: str
    hills: tuple[str, str, str, str]
    air: Literal["sun", "moon", "stars", "rays", "lights"]
    floor: Literal["hills", "sea", "deep", "void", "room", "ring"]
    back: tuple[str, ...]
    front: tuple[str, ...]

    def palette(self) -> Palette:
        """The world's colours as those of a picture."""
        dark = self.air in ("stars", "moon")
        return Palette(
            sky=self.sky, far=self.hills[0], near=self.hills[1], ground=self.hills[2:], glow=self.glow, card=_CARD,
            ink="#14123a" if dark else "#2b2440",
        )  # fmt: skip


class _Data(BaseModel):
    names: list[str]
    ends: list[str]
    children: list[str]
    heroes: list[_Row]
    floats: frozenset[str]
    boats: frozenset[str]
    worlds: dict[str, World]


class Scene(BaseModel):
    """A hero in its world; ``hero`` is ``None`` for a thing that nothing is drawn for."""

    model_config = ConfigDict(frozen=True)

    world: str
    hero: Hero | None


@lru_cache
def _data() -> _Data:
    return _Data.model_validate(yaml.safe_load(Path(__file__).with_name("universe.yaml").read_text("utf-8")))


def world(name: str) -> World:
    """The world of that name, else the usual one."""
    return _data().worlds.get(name) or _data().worlds[_USUAL]


def floats(icon: str) -> bool:
    """Whether a thing hangs in the air or the water by nature."""
    return icon in _data().floats


def scene(prompt: str) -> Scene | None:
    """What a prompt for children shows; ``None`` for every other prompt."""
    told = words(prompt)
    if not any(_within(words(mark), told) for mark in _data().children):
        return None
    named = _named(prompt)
    if named is None:
        return None
    hero = next((found for part in (named.partition(",")[0], named) if (found := hero_of(part))), None)
    return Scene(world=_world(told, hero), hero=hero)


def hero_of(thing: str) -> Hero | None:
    """The hero that a few words name: the longest name, in English the last, else the first of them.

    What ``universe.yaml`` names goes before the lexicon, whose verbs look like things of another language.
    """
    found: list[tuple[int, bool, int, int, Hero]] = []
    told = words(thing)
    for rank, language in enumerate(_LANGUAGES):
        own, known = _heroes(language)
        for at in range(len(told)):
            for length in range(1, min(4, len(told) - at) + 1):
                name = told[at : at + length]
                if hero := own.get(name) or known.get(name):
                    found.append((length, name in own, -rank, at if language == "en" else -at, hero))
    return max(found, key=lambda one: one[:4])[4] if found else None


@lru_cache
def _heroes(language: str) -> tuple[dict[Words, Hero], dict[Words, Hero]]:
    """Our own heroes by their names, and those of the lexicon."""
    own: dict[Words, Hero] = {}
    known: dict[Words, Hero] = {}
    for rows, heroes in ((_data().heroes, own), (lexicon.concepts(), known)):
        for row in rows:
            for phrase in str(getattr(row, language)).split("/"):
                heroes.setdefault(words(phrase), Hero(icon=row.icon, tint=row.tint, set=row.set))
    return own, known


def _named(prompt: str) -> str | None:
    """The words between the mark of a hero and what follows it, or ``None`` where there is no such mark."""
    text = " ".join(prompt.casefold().split())
    starts = [match.end() for match in _mark().finditer(text)]
    if not starts:
        return None
    rest = re.split(r"[.;:!?]", text[starts[0] :], maxsplit=1)[0]
    ends = frozenset(_data().ends)
    taken: list[str] = []
    for word in rest.split()[:_LONGEST]:
        if taken and word.strip(",") in ends:
            break
        taken.append(word)
    return " ".join(taken)


@lru_cache
def _mark() -> re.Pattern[str]:
    names = "|".join(re.escape(name.casefold()) for name in _data().names)
    return re.compile(rf"\b(?:{names})(?<=')|\b(?:{names})\b")


def _world(told: Words, hero: Hero | None) -> str:
    counts = {
        name: sum(_within(words(phrase), told) for phrase in each.words.split("/"))
        for name, each in _data().worlds.items()
        if name != _USUAL
    }
    best = max(counts, key=lambda name: counts[name])
    if hero is not None and hero.icon in _data().boats and (not counts[best] or best == "town"):
        return "bay"
    if counts[best]:
        return best
    own = hero.set if hero else None
    return next((name for name, each in _data().worlds.items() if own in each.sets), _USUAL)


def _within(phrase: Sequence[str], told: Words) -> bool:
    return any(told[at : at + len(phrase)] == tuple(phrase) for at in range(len(told) - len(phrase) + 1))
