"""Words to pictures: which concepts, mood, camera move and counts a text names. Data in ``lexicon.yaml``."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict

Words = tuple[str, ...]
# The C parser is ten times as fast, and not everywhere there; both are safe loaders.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Concept(BaseModel):
    """One thing that can be drawn.

    Roles: ``scene`` words choose the backdrop before they are shown themselves, a ``figure`` is a person who does
    something and takes the place of a mere ``person``, and ``vague`` things never lead where another thing can.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    icon: str
    tint: str
    set: str | None = None
    role: Literal["object", "scene", "figure", "person", "vague"] = "object"
    fr: str
    en: str
    es: str


class Seen(BaseModel):
    """A concept that a text names, with how many of it."""

    model_config = ConfigDict(frozen=True)

    concept: Concept
    count: int = 1


class _Data(BaseModel):
    concepts: list[Concept]
    moods: dict[str, dict[str, str]]
    cameras: dict[str, dict[str, str]]
    slow: dict[str, str]
    counts: dict[str, dict[str, int]]


def stem(word: str) -> str:
    """A word without accents, capitals, plural and final e; the same rule is put to the lexicon and to the text.

    French -eaux and -aux, English -ies and the -s of all three languages fall together with their singular.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))
    plain = plain.replace("œ", "oe").replace("æ", "ae")
    if len(plain) <= 3:
        return plain
    if plain.endswith(("eaux", "eux", "oux")):
        plain = plain[:-1]
    elif plain.endswith("aux"):
        plain = plain[:-3] + "al"
    elif plain.endswith("s") and not plain.endswith("ss"):
        plain = plain[:-1]
    if plain.endswith("e") and len(plain) > 3:
        plain = plain[:-1]
    return plain[:-1] + "i" if plain.endswith("y") else plain


def words(text: str) -> Words:
    """The stems of a text, in order."""
    return tuple(stem(word) for word in re.findall(r"\w+", text, re.UNICODE))


@lru_cache
def _data() -> _Data:
    return _Data.model_validate(yaml.load(Path(__file__).with_name("lexicon.yaml").read_text("utf-8"), Loader=_LOADER))


@lru_cache
def _phrases(language: str) -> dict[Words, Concept | None]:
    # "Gros plan" is no plan: what moves the camera shows nothing.
    found: dict[Words, Concept | None] = {}
    for moves in _data().cameras.values():
        found.update({words(phrase): None for phrase in moves[language].split("/") if " " in phrase or "-" in phrase})
    for concept in _data().concepts:
        for phrase in str(getattr(concept, language)).split("/"):
            found.setdefault(words(phrase), concept)
    return found


def concepts() -> list[Concept]:
    """All of the lexicon."""
    return _data().concepts


def seen(text: str, *, language: str) -> list[Seen]:
    """The concepts that ``text`` names, in its order, each once; the longest phrase wins."""
    known, tokens = _phrases(language), words(text)
    numbers = {stem(word): n for word, n in _data().counts[language].items()}
    longest = max(map(len, known))
    found: dict[str, Seen] = {}
    count, at = 1, 0
    while at < len(tokens):
        for length in range(min(longest, len(tokens) - at), 0, -1):
            phrase = tokens[at : at + length]
            if phrase in known:
                concept = known[phrase]
                if concept is not None:
                    before = found.get(concept.icon)
                    found[concept.icon] = Seen(concept=concept, count=max(count, before.count if before else 1))
                count, at = 1, at + length
                break
        else:
            token = tokens[at]
            if token in numbers or (token.isdigit() and 2 <= int(token) <= 9):
                count = numbers.get(token) or int(token)
            at += 1
    return list(found.values())


def _named(table: Mapping[str, Mapping[str, str]], text: str, language: str) -> str | None:
    tokens = words(text)
    for name, by_language in table.items():
        if any(_within(words(phrase), tokens) for phrase in by_language[language].split("/")):
            return name
    return None


def _within(phrase: Words, tokens: Words) -> bool:
    return any(tokens[i : i + len(phrase)] == phrase for i in range(len(tokens) - len(phrase) + 1))


def mood(text: str, *, language: str) -> str | None:
    """The mood that ``text`` names, or ``None``."""
    return _named(_data().moods, text, language)


def camera(text: str, *, language: str) -> str | None:
    """The camera move that ``text`` names (push, pull, track, rise), or ``None``."""
    return _named(_data().cameras, text, language)


def is_slow(text: str, *, language: str) -> bool:
    """Whether ``text`` asks for slow motion."""
    return _named({"slow": _data().slow}, text, language) is not None
