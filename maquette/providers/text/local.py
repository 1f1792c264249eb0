"""A writer without a model: it composes scripts and carousels on any theme from sentences kept as data.

Hook, beats, close, in fr, en and es and in four styles; ``carousel`` holds the carousels, ``universe`` the things and
songs of universes. It states no fact about the theme: it asks, invites to look, and says how one finds out. The same
request gives the same text; another seed, another one.
"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

from maquette.providers.catalogue import profile
from maquette.providers.text.carousel import carousel_plan
from maquette.providers.text.port import (
    CarouselRequest,
    ConceptsRequest,
    Language,
    LyricsRequest,
    ScriptRequest,
    Style,
    TranslationRequest,
    Written,
)
from maquette.providers.text.scenes import called_scenes, common_words
from maquette.providers.text.scenes import scenes as scenes
from maquette.providers.text.theme import SpokenTheme, ThemeKind, spoken_theme
from maquette.providers.text.universe.songs import song
from maquette.providers.text.universe.things import theme_names, things, translated
from maquette.providers.text.wording import typeset

# Fast speech, still clear: what one second holds at most.
WORDS_PER_S: Final = 2.6
CHARACTERS_PER_S: Final = 17
MIN_WORDS: Final = 8
ANY_DOMAIN: Final = "any"
STORY: Final = ("start", "look", "daily", "domain", "people", "question", "middle", "turn", "step", "imagine")

_ByKind = dict[ThemeKind, list[str]]
_ByStyle = dict[Style, list[str]]


class Outline(BaseModel):
    """The sentences of one language; slots are those of ``SpokenTheme.fill``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    open: _ByKind
    open_tail: _ByStyle
    middle: _ByKind
    close: _ByKind
    close_tail: _ByStyle
    beats: dict[str, _ByStyle]
    domains: dict[str, list[str]]
    shots: list[str]
    lights: list[str]
    moves: list[str]
    lit: str = Field(description="Pattern of scenes that bring their own light.")
    themed: str


class LocalWriter:
    """``ScriptWriter`` by rule, free and at once."""

    def __init__(self) -> None:
        self.profile = profile("text", "local", "outline-1")

    def write_script(self, request: ScriptRequest) -> Written:
        """The script of ``len(durations_s)`` blocks, each sayable in its seconds; raises nothing."""
        said = _dialogues(request)
        seen = _visuals(request)
        text = "\n\n".join(
            f'BLOC {number} ({duration_s}s):\nDIALOGUE: "{dialogue}"\nVISUEL: {visual}'
            for number, (duration_s, dialogue, visual) in enumerate(
                zip(request.durations_s, said, seen, strict=True), start=1
            )
        )
        return Written(text=text, model=self.profile.model)

    def plan_carousel(self, request: CarouselRequest) -> Written:
        """The plan of ``slides`` slides as JSON, within the limits of the port; raises nothing."""
        return Written(text=carousel_plan(request), model=self.profile.model)

    def list_concepts(self, request: ConceptsRequest) -> Written:
        """Things of the theme from a table of its own; of an unknown theme, what every child knows. Raises nothing."""
        found = things(request.theme, count=request.count, taken=request.taken, seed=request.seed)
        return self._json({"theme": theme_names(request.theme), "concepts": found})

    def write_lyrics(self, request: LyricsRequest) -> Written:
        """A song from verses kept as data; raises nothing."""
        return Written(text=song(request), model=self.profile.model)

    def translate(self, request: TranslationRequest) -> Written:
        """Names that are in the tables; what they do not know stays as it came. Raises nothing."""
        return self._json(
            {
                target: [translated(text, source=request.source, target=target) for text in request.texts]
                for target in request.targets
            }
        )

    def _json(self, document: object) -> Written:
        return Written(text=json.dumps(document, ensure_ascii=False), model=self.profile.model)


@lru_cache
def outline(language: Language) -> Outline:
    """The sentences of ``language``."""
    return Outline.model_validate(_read(f"outline.{language}.yaml"))


def speakable(text: str, *, duration_s: int) -> bool:
    """Whether ``text`` can be said in ``duration_s`` seconds: by its words, and by its length in any script."""
    return word_count(text) <= int(duration_s * WORDS_PER_S) and len(text) <= duration_s * CHARACTERS_PER_S


def word_count(text: str) -> int:
    """Words of ``text``; lone punctuation is none."""
    return sum(any(character.isalnum() for character in word) for word in text.split())


def theme_of(request: ScriptRequest) -> SpokenTheme:
    """The spoken forms of the request's theme."""
    return spoken_theme(
        request.theme, language=request.language, subject=outline(request.language).subject, common=common_words()
    )


def _dialogues(request: ScriptRequest) -> list[str]:
    rules, style, theme = outline(request.language), request.style, theme_of(request)
    random = Random(f"{request.seed}/{request.language}/{style}/{request.theme}/said")
    first_s, last_s, count = request.durations_s[0], request.durations_s[-1], len(request.durations_s)
    opening, ending = rules.open[theme.kind], rules.close[theme.kind]
    tail = rules.open_tail[style] if count > 1 else rules.close_tail[style]
    said = [_choose(_pairs(opening, tail), theme, random, duration_s=first_s, shorter=opening)]
    for candidates, duration_s in zip(_middle(request, theme, random), request.durations_s[1:-1], strict=True):
        said.append(_choose(candidates, theme, random, duration_s=duration_s))
    if count > 1:
        tail = rules.close_tail[style]
        said.append(_choose(_pairs(ending, tail), theme, random, duration_s=last_s, shorter=ending))
    return [typeset(text, request.language) for text in said]


def _middle(request: ScriptRequest, theme: SpokenTheme, random: Random) -> list[list[str]]:
    """The candidates of each block between the first and the last, in the order of a story."""
    rules, wanted = outline(request.language), len(request.durations_s) - 2
    domain = next((scene.domain for scene in called_scenes(request.theme, language=request.language)), None)
    beats = {name: by_style[request.style] for name, by_style in rules.beats.items()}
    if domain in rules.domains:
        beats["domain"] = rules.domains[domain]
    beats["middle"] = rules.middle[theme.kind]
    # A film names its theme in the middle, and what belongs to its domain; the rest changes with the seed.
    required = [name for name, least in (("domain", 1), ("middle", 2)) if name in beats and wanted >= least]
    spare = [name for name in beats if name not in required and name not in ("domain", "middle")]
    chosen = {*required, *random.sample(spare, k=min(len(spare), max(0, wanted - len(required))))}
    return [beats[name] for name in STORY if name in chosen]


def _choose(
    candidates: Sequence[str], theme: SpokenTheme, random: Random, *, duration_s: int, shorter: Sequence[str] = ()
) -> str:
    """One of the candidates that fit the time, or else of the ``shorter`` ones; where none does, the shortest."""
    for part in (candidates, shorter):
        filled = [theme.fill(sentence) for sentence in part]
        fitting = [text for text in filled if word_count(text) >= MIN_WORDS and speakable(text, duration_s=duration_s)]
        if fitting:
            return random.choice(fitting)
    return min((theme.fill(sentence) for sentence in (*candidates, *shorter)), key=len)


def _pairs(heads: Sequence[str], tails: Sequence[str]) -> list[str]:
    return [f"{head} {tail}" for head in heads for tail in tails]


def _visuals(request: ScriptRequest) -> list[str]:
    rules, count = outline(request.language), len(request.durations_s)
    random = Random(f"{request.seed}/{request.language}/{request.style}/{request.theme}/seen")
    called = called_scenes(request.theme, language=request.language)
    domains = {scene.domain for scene in called[:1]}
    own = [scene for scene in scenes() if scene.domain in domains and not any(scene.words.values())]
    common = [scene for scene in scenes() if scene.domain == ANY_DOMAIN]
    # The theme's own pictures open the film; those of its domain and of every day follow, mixed.
    rest = [*random.sample(own, k=len(own)), *random.sample(common, k=len(common))][: max(count, len(own) + 2)]
    random.shuffle(rest)
    picked = [*called[:3], *(scene for scene in rest if scene not in called)][:count]
    picked = [picked[0], *random.sample(picked[1:], k=count - 1)]
    shots, lights, moves = (random.sample(part, k=len(part)) for part in (rules.shots, rules.lights, rules.moves))
    marked = {0, count // 2, count - 1}
    themed = rules.themed.replace("{t}", re.sub(r"^[«“] ?| ?[»”]$", "", theme_of(request).inside))
    visuals = []
    for index, scene in enumerate(picked):
        shown = scene.texts[request.language]
        parts = [f"{shots[index % len(shots)]} {shown}"]
        if not re.search(rules.lit, shown):
            parts.append(lights[index % len(lights)])
        parts.append(moves[index % len(moves)])
        if index in marked:
            parts.append(themed)
        visuals.append(typeset(", ".join(parts) + ".", request.language))
    return visuals


def _read(name: str) -> object:
    return yaml.load(Path(__file__).with_name(name).read_text("utf-8"), Loader=yaml.CSafeLoader)
