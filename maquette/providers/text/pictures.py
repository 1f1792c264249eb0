"""What the pictures of a carousel show: another scene on every slide, never any text."""

import re
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from maquette.providers.text.advice import CarouselWords
from maquette.providers.text.port import LIMITS, Language
from maquette.providers.text.scenes import called_scenes, scenes
from maquette.providers.text.wording import shorten


class Picture(NamedTuple):
    """What a picture shows, and its words for people who do not see it."""

    visual: str
    alt: str


def pictures(
    topic: str,
    *,
    beside: Sequence[str],
    domains: Sequence[str],
    words: CarouselWords,
    language: Language,
    mood: Sequence[str],
    random: Random,
) -> list[Picture]:
    """One picture for each text of ``beside``, which calls its own scene where it names one.

    The topic's own scene opens; those of its domains follow, then those that suit any topic.
    """
    called = [scene.texts[language] for scene in called_scenes(topic, language=language)]
    kin = {scene.domain for scene in called_scenes(topic, language=language)[:1]}
    own = [line for domain in domains[:2] for line in words.scenes.get(domain, [])]
    near = [scene.texts[language] for scene in scenes() if scene.domain in kin and not any(scene.words.values())]
    common = [scene.texts[language] for scene in scenes() if scene.domain == "any"]
    shared = [*random.sample(own, k=len(own)), *random.sample(near, k=len(near))]
    queue = list(dict.fromkeys([*called[:2], *shared, *random.sample(common, k=len(common))]))
    shown: list[str] = []
    for text in beside:
        named = [scene.texts[language] for scene in called_scenes(text, language=language)] if text.strip() else []
        shown.append(next(scene for scene in (*named, *queue) if scene not in shown))
    frames, lights = (random.sample(part, k=len(part)) for part in (words.frames, words.lights))
    style = [words.mood.format(words=", ".join(mood[:3]))] if mood else []
    made = []
    for index, scene in enumerate(shown):
        light = [] if re.search(words.lit, scene) else [lights[index % len(lights)]]
        visual = ", ".join([scene, frames[index % len(frames)], *light, *style])
        made.append(Picture(visual=_capital(shorten(visual, LIMITS["visual"])), alt=f"{_capital(scene)}."))
    return made


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
