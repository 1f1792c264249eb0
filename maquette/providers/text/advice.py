"""What the local writer knows to say in a carousel: sentences, advice by domain and scenes, kept as data."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from maquette.providers.text.port import Goal, Language
from maquette.providers.text.scenes import common_words, scenes, tokens_of
from maquette.providers.text.theme import ThemeKind
from maquette.providers.text.topic import ListKind, ListWords

ANY: Final = "any"
# Domains of scenes whose advice goes by another name; "city" has none of its own.
_ADVICE_OF: Final = {"school": "learning", "history": "knowledge", "science": "knowledge", "space": "knowledge"}

_Words = Annotated[tuple[str, ...], BeforeValidator(lambda text: text.split() if isinstance(text, str) else text)]
_ByKind = dict[ThemeKind, list[str]]


class Side(BaseModel):
    """A title with its points."""

    model_config = ConfigDict(frozen=True)

    title: str
    points: tuple[str, ...]

    @classmethod
    def of(cls, row: object) -> object:
        """A row ``[title, point, …]`` as a side."""
        return {"title": row[0], "points": row[1:]} if isinstance(row, list) else row


_Side = Annotated[Side, BeforeValidator(Side.of)]


class Pair(BaseModel):
    """A mistake with its signs, and its remedy with the first steps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    problem: _Side
    solution: _Side


class Closing(BaseModel):
    """Words of a last slide."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    titles: list[str]
    subtitles: list[str]
    ctas: list[str]


class Impact(BaseModel):
    """Words of a slide of figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: list[str]
    line: list[str]


class Captions(BaseModel):
    """Texts to post beside a slide, by its type."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hero: _ByKind
    problem: list[str]
    solution: list[str]
    content: list[str]
    impact: list[str]
    cta: _ByKind
    citation: list[str]


class CarouselWords(BaseModel):
    """One language's file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lists: dict[ListKind, _Words]
    the: dict[Literal["masculine", "feminine"], str]
    feminine: _Words
    numbers: _Words
    between: _Words
    why: list[str] = Field(description="Beginnings of topics that ask for knowledge.")
    titles: _ByKind
    promises: dict[Goal, list[str]]
    list_promises: dict[ListKind, list[str]]
    badges: dict[Goal, list[str]]
    openers: list[str]
    closings: dict[Goal, Closing]
    problem_lines: list[str]
    remedy_lines: list[str]
    list_lines: dict[ListKind, list[str]]
    list_titles: dict[Literal["two", "more"], str]
    impact: Impact
    captions: Captions
    maxims: dict[Literal["np", "any"], list[str]]
    notes: dict[str, str]
    lit: str = Field(description="Pattern of scenes that bring their own light.")
    frames: list[str]
    lights: list[str]
    mood: str
    scenes: dict[str, list[str]]
    words: dict[str, _Words] = Field(description="What calls a domain; a word that ends with * is a beginning.")
    advice: dict[str, list[Pair]]

    @property
    def list_words(self) -> ListWords:
        """How this language announces lists."""
        return ListWords(
            nouns={noun: kind for kind, nouns in self.lists.items() for noun in nouns},
            numbers=self.numbers,
            between=frozenset(self.between),
            feminine=frozenset(self.feminine),
            article=self.the["masculine"],
            feminine_article=self.the["feminine"],
        )


@lru_cache
def carousel_words(language: Language) -> CarouselWords:
    """The words of ``language``."""
    text = Path(__file__).with_name(f"carousel.{language}.yaml").read_text("utf-8")
    return CarouselWords.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))


@lru_cache
def common_nouns() -> frozenset[str]:
    """English nouns that lose their capital inside a sentence; proper names keep it in the files."""
    called = {word for words in carousel_words("en").words.values() for word in words if word.islower()}
    return common_words() | {word.rstrip("*") for word in called}


@lru_cache(maxsize=256)
def domains_of(text: str, *, language: Language) -> tuple[str, ...]:
    """The domains of advice that the words of ``text`` call, first named first."""
    tokens = tokens_of(text)
    languages: tuple[Language, ...] = (language, "fr", "en", "es")
    for each in languages:
        found: list[tuple[int, int, str]] = []
        for position, token in enumerate(tokens):
            for domain, words in carousel_words(each).words.items():
                if any(_calls(word, token) for word in words):
                    found.append((position, 0, domain))
            for scene in scenes():
                domain = _ADVICE_OF.get(scene.domain, scene.domain)
                if domain in carousel_words(each).advice and scene.called_by(token, language=each):
                    found.append((position, 1, domain))
        if found:
            return tuple(dict.fromkeys(domain for _, _, domain in sorted(found)))
    return ()


def _calls(word: str, token: tuple[str, str]) -> bool:
    word = word.lower()
    if word.endswith("*"):
        return any(form.startswith(word[:-1]) for form in token)
    return word in token
