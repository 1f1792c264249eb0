"""The topic of a carousel: its title, its forms inside a sentence, and the number that may lead it."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from maquette.providers.text.port import LIMITS, MIN_TITLE, Language
from maquette.providers.text.theme import SpokenTheme, spoken_theme
from maquette.providers.text.wording import shorten, unspaced

ListKind = Literal["remedy", "mistake", "other"]

MAX_SPOKEN: Final = 160
# Shorter words in capitals are initials: SEO, RGPD, UX.
MIN_SHOUTED: Final = 5


_DETERMINER: Final = re.compile(r"^(?:les|mes|nos|vos|the|my|our|los|las|mis)\s+(?=\d)", re.IGNORECASE)


@dataclass(frozen=True)
class PointList:
    """What a topic such as "5 conseils pour …" announces: how many points, of what kind, and their noun."""

    count: int
    kind: ListKind
    noun: str


@dataclass(frozen=True)
class Topic:
    """A topic as a writer uses it; ``unnumbered`` is its title without the number of its points.

    ``counted`` are the spoken forms with that number, ``spoken`` those without.
    """

    text: str
    spoken: SpokenTheme
    counted: SpokenTheme
    points: PointList | None
    unnumbered: str


@dataclass(frozen=True)
class ListWords:
    """How a language announces lists: nouns by kind, numbers from two on, what may stand between, the articles."""

    nouns: Mapping[str, ListKind]
    numbers: tuple[str, ...]
    between: frozenset[str]
    feminine: frozenset[str]
    article: str
    feminine_article: str


def read_topic(topic: str, *, language: Language, subject: str, common: frozenset[str], words: ListWords) -> Topic:
    """The topic of any text; ``subject`` stands in when nothing of it can be said."""
    text = _calm(topic) or subject
    points, rest = _points(text, words)
    named = text
    if points:
        article = words.feminine_article if points.noun in words.feminine else words.article
        named = f"{article} {rest}"
    spoken = spoken_theme(named, language=language, subject=subject, common=common)
    if spoken.kind == "bare":
        # Between colons and full stops a topic need not be as short as inside a sentence.
        spoken = _whole(shorten(text, MAX_SPOKEN) or spoken.start)
    return Topic(
        text=_capital(text),
        spoken=spoken,
        counted=_whole(text) if points else spoken,
        points=points,
        unnumbered=_capital(named),
    )


def title_of(topic: Topic, *, numbered: bool, language: Language) -> str:
    """The topic as a title of 40 characters at most; empty for one endless word.

    ``numbered`` keeps the number of the points that the topic announces.
    """
    asks = topic.spoken.kind == "question"
    text = topic.spoken.start if asks else topic.text if numbered else topic.unnumbered
    short = shorten(text, LIMITS["title"])
    if asks and short and not short.endswith("?"):
        plain = shorten(text, LIMITS["title"] - 3).lstrip("¿")
        short = {"fr": f"{plain} ?", "en": f"{plain}?", "es": f"¿{plain}?"}[language]
    return short


def long_enough(title: str) -> bool:
    """Whether a title says something: 10 characters, fewer in scripts without spaces."""
    return len(title) >= (MIN_TITLE // 3 if unspaced(title) else MIN_TITLE)


def _whole(text: str) -> SpokenTheme:
    text = _capital(text)
    return SpokenTheme("question" if text.endswith("?") else "bare", text, text, text, text)


def _calm(topic: str) -> str:
    """``topic`` without hash marks, shouting, and the pictograms beside its words."""
    text = re.sub(r"(?<!\w)#(?=\w)", "", topic)
    if any(character.isalpha() for character in text):
        text = "".join(c for c in text if unicodedata.category(c) not in ("So", "Sk", "Cf") and c != "\ufe0f")
    text = re.sub(r"([!?])[!?]+", r"\1", text)
    if text.isupper() and any(map(_shouted, text.split())):
        text = text.lower()
    text = re.sub(r"\w+", lambda word: word[0].capitalize() if _shouted(word[0]) else word[0], text)
    return " ".join(re.sub(r'[«»“”„"*`_<>{}\[\]\\|]+', " ", text).split()).strip(" .,;:!¡…–-")


def _shouted(word: str) -> bool:
    return len(word) >= MIN_SHOUTED and word.isupper()


def _points(text: str, words: ListWords) -> tuple[PointList | None, str]:
    """The list that ``text`` announces, and ``text`` without its number."""
    text = _DETERMINER.sub("", text)
    first, *rest = text.split()
    number = first.strip(".,:").lower()
    count = int(number) if re.fullmatch(r"[0-9]{1,2}", number) else 0
    if number in words.numbers:
        count = words.numbers.index(number) + 2
    nouns = [word for word in rest[:3] if word.lower() not in words.between]
    if count < 2 or not nouns or nouns[0].lower() not in words.nouns:
        return None, text
    noun = nouns[0].lower()
    return PointList(count=count, kind=words.nouns[noun], noun=noun), " ".join(rest)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
