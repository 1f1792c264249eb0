"""The prompt of a picture: what it shows, then the brand's look in words. Phrases are data in ``styles.yaml``."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from maquette.brands.colours import colour_name, without_hex
from maquette.brands.models import BrandKit
from maquette.errors import InvalidInput

NAMED_COLOURS: Final = 3

# Joiners hold emoji and Persian words together; no other invisible character means anything to a picture.
_JOINERS: Final = "\u200c\u200d"
_ENDS: Final = ".!?…。！？؟"
_SEPARATOR: Final = re.compile(r"[\s.,;:]+$")


class Prompt(BaseModel):
    """What to ask a provider for."""

    model_config = ConfigDict(frozen=True)

    text: str
    avoid: tuple[str, ...] = Field(description="What the picture must not show, in the request's language.")
    palette: tuple[str, ...] = Field(description="The brand's colours as #rrggbb, for providers that draw.")


class _Style(BaseModel):
    phrase: str
    aliases: list[str]


class _Phrases(BaseModel):
    model_config = ConfigDict(extra="forbid")

    styles: dict[str, _Style]
    neutral_style: str
    color_modes: dict[str, str]
    categories: dict[str, str]
    background_only: str
    goals: dict[str, str]
    avoid: dict[str, list[str]]


@lru_cache
def _phrases() -> _Phrases:
    return _Phrases.model_validate(yaml.safe_load(Path(__file__).with_name("styles.yaml").read_text("utf-8")))


def visual_styles() -> tuple[str, ...]:
    """The names of the styles."""
    return tuple(_phrases().styles)


def image_prompt(
    topic: str,
    kit: BrandKit | None,
    *,
    style: str = "",
    color_mode: str = "",
    category: str = "",
    use_brand_kit: bool = True,
    background_only: bool = False,
    goal: str = "",
    tone: str = "",
    language: Literal["fr", "en", "es"] = "fr",
) -> Prompt:
    """The prompt of one picture, in the contract's order: the content, then style, industry, colours, tone.

    ``style`` is a name of ``visual_styles`` or words of one's own; without one it is the kit's kinds and moods of
    picture, else neutral. ``use_brand_kit=False`` leaves out all of the kit. Colours are named in words, three at
    most. The enrichment is English, as models of pictures know it best; ``avoid`` is in ``language``, like the
    topic. Control characters, line breaks and hex values do not get through, whichever field they come in.

    Raises ``InvalidInput`` when nothing of the topic can be seen.
    """
    content = _cleaned(topic)
    if not any(unicodedata.category(character)[0] not in "CZ" for character in content):
        raise InvalidInput("the topic is empty: say in a few words what the picture shows")
    phrases, look = _phrases(), kit if kit is not None and use_brand_kit else BrandKit()
    colours = list(dict.fromkeys(colour_name(value) for value in look.palette[:NAMED_COLOURS]))
    tones = list(dict.fromkeys(filter(None, (_phrase(tone), _phrase(look.voice)))))
    parts = [
        content if content[-1] in _ENDS else f"{_SEPARATOR.sub('', content) or content}.",
        *_sentences(
            _style_phrase(style, look),
            phrases.categories.get(category, ""),
            phrases.background_only if background_only else "",
            f"Industry: {_phrase(look.niche)}" if _phrase(look.niche) else "",
            f"Color palette with {_listed(colours)}" if colours else "",
            phrases.color_modes.get(color_mode, ""),
            f"Tone: {', '.join(tones)}" if tones else "",
            phrases.goals.get(goal, ""),
            "High quality, professional",
            "No text overlays",
        ),
    ]
    avoid = (*(_phrase(word) for word in look.avoid_in_visuals), *phrases.avoid[language])
    return Prompt(
        text=" ".join(parts),
        avoid=tuple(dict.fromkeys(word for word in avoid if word)),
        palette=tuple(look.palette),
    )


def _cleaned(text: str) -> str:
    """``text`` on one line, without control, direction and other invisible characters, hex values in words."""
    visible = (
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in unicodedata.normalize("NFC", text)
        if character in _JOINERS or unicodedata.category(character) not in ("Cf", "Cs", "Co")
    )
    return without_hex(" ".join("".join(visible).split()))


def _phrase(text: str) -> str:
    return _SEPARATOR.sub("", _cleaned(text))


def _sentences(*phrases: str) -> Iterable[str]:
    return (phrase if phrase[-1] in _ENDS else f"{phrase}." for phrase in phrases if phrase)


def _style_phrase(style: str, look: BrandKit) -> str:
    phrases = _phrases()
    wanted = _phrase(style)
    folded = "".join(
        character
        for character in unicodedata.normalize("NFKD", wanted.casefold())
        if not unicodedata.combining(character)
    )
    for name, known in phrases.styles.items():
        if folded == name or folded in known.aliases:
            return known.phrase
    own = dict.fromkeys(_phrase(word) for word in (*look.visual_types[:2], *look.visual_mood[:2]))
    return wanted or ", ".join(filter(None, own)) or phrases.neutral_style


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
