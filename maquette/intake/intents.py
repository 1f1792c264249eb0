"""What a chat message asks for, told by its words. Pure and deterministic; the words are data in ``intents.yaml``."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from maquette.intake.words import ratio_named
from maquette.providers.images.port import Ratio

Name = Literal["carousel", "video", "image", "credits", "brandkit", "open_canva", "templates", "other"]
Language = Literal["fr", "en", "es"]
Words = tuple[str, ...]

OTHER_CONFIDENCE: Final = 0.2
MAX_CHARACTERS: Final = 4000
MAX_KEYWORDS: Final = 10
MAX_NUMBER: Final = 100

_TOKEN: Final = re.compile(r"\d{1,5}\s*[:/x×]\s*\d{1,5}|\d+|[^\W\d_]+|[.,;:!?¿¡\n()]")
_BREAKS: Final = frozenset(".,;:!?¿¡\n()")
_DOUBLED: Final = re.compile(r"([^\W\d_])\1+")
_LONG: Final = 5


class Params(BaseModel):
    """What else the message says. ``matched`` are the words that decided, ``keywords`` those of its content."""

    model_config = ConfigDict(frozen=True)

    aspect_ratio: Ratio | None = None
    slides: int | None = Field(None, description="Slides of one carousel, as said; not held to what can be made.")
    carousels_count: int | None = None
    is_approval: bool = False
    language: Language = "fr"
    matched: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


class Intent(BaseModel):
    """What a message asks for."""

    model_config = ConfigDict(frozen=True)

    intent: Name
    confidence: float
    params: Params


def _parted(text: str) -> list[str]:
    return [phrase.strip() for phrase in text.split("/")]


_Phrases = Annotated[list[str], BeforeValidator(_parted)]


class _Row(BaseModel):
    confidence: float
    words: _Phrases
    decisive: _Phrases = []


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid")

    intents: dict[Name, _Row]
    blind: _Phrases
    ratios: dict[Ratio, _Phrases]
    negators: _Phrases
    fillers: _Phrases
    slides: _Phrases
    approval: _Phrases
    polite: _Phrases
    numbers: dict[str, _Phrases]
    stop_words: dict[Language, _Phrases]
    letters: dict[Language, str]
    empty_words: _Phrases


@dataclass(frozen=True)
class _Hit:
    """A phrase found among the tokens, and what it stands for."""

    start: int
    length: int
    label: str


class _Lexicon:
    """Phrases with what they stand for; where two begin at one word, the longer is read."""

    def __init__(self, phrases: Mapping[str, Sequence[str]], *, misspelt: Collection[str] = ()) -> None:
        self._labels: dict[Words, str] = {}
        self._typos: dict[str, str] = {}
        for label, rows in phrases.items():
            for row in rows:
                words = tuple(map(_squeezed, row.split()))
                self._labels |= {words: label, (*words[:-1], words[-1] + "s"): label}
                if label in misspelt and len(words) == 1:
                    self._typos[words[0]] = label
        self.longest = max(map(len, self._labels))

    def label(self, words: Words) -> str | None:
        """What ``words`` stand for, ``None`` for nothing."""
        found = self._labels.get(words)
        if found is None and len(words) == 1:
            word = words[0].removesuffix("s")
            return next((label for known, label in self._typos.items() if _one_slip(word, known)), None)
        return found

    def hits(self, tokens: Words) -> Iterator[_Hit]:
        """All that ``tokens`` name, from the left."""
        at = 0
        while at < len(tokens):
            for length in range(min(self.longest, len(tokens) - at), 0, -1):
                label = self.label(tokens[at : at + length])
                if label is not None:
                    yield _Hit(at, length, label)
                    at += length
                    break
            else:
                at += 1


@dataclass(frozen=True)
class _Words:
    data: _Data
    decisive: _Lexicon
    intents: _Lexicon
    blind: _Lexicon
    ratios: _Lexicon
    negators: _Lexicon
    slides: _Lexicon
    approval: _Lexicon
    agreement: _Lexicon
    fillers: frozenset[str]
    numbers: Mapping[str, int]
    stop_words: Mapping[Language, frozenset[str]]
    empty: frozenset[str]


def _single(phrases: Iterable[str]) -> frozenset[str]:
    return frozenset(_squeezed(word) for phrase in phrases for word in phrase.split())


@lru_cache
def _lexicon() -> _Words:
    data = _Data.model_validate(yaml.safe_load(Path(__file__).with_name("intents.yaml").read_text("utf-8")))
    intents = {str(name): row.words for name, row in data.intents.items()}
    decisive = {str(name): row.decisive for name, row in data.intents.items()}
    ratios = {str(ratio): phrases for ratio, phrases in data.ratios.items()}
    stop_words = {language: _single(phrases) for language, phrases in data.stop_words.items()}
    often = Counter(word for words in stop_words.values() for word in words)
    said = (data.empty_words, data.polite, data.approval, data.slides, data.negators, data.fillers)
    phrases = [phrase for rows in (*said, *ratios.values(), *decisive.values(), *intents.values()) for phrase in rows]
    return _Words(
        data=data,
        decisive=_Lexicon(decisive),
        intents=_Lexicon(intents, misspelt=("carousel", "video", "image")),
        blind=_Lexicon({"blind": data.blind}),
        ratios=_Lexicon(ratios),
        negators=_Lexicon({"no": data.negators}),
        slides=_Lexicon({"slide": data.slides}),
        approval=_Lexicon({"yes": data.approval}),
        agreement=_Lexicon({"yes": [*data.approval, *data.polite], **intents}),
        fillers=_single(data.fillers),
        numbers={_squeezed(word): int(number) for number, words in data.numbers.items() for word in words},
        stop_words={
            language: frozenset(word for word in words if often[word] == 1) for language, words in stop_words.items()
        },
        empty=_single(phrases).union(*stop_words.values()),
    )


def classify(message: str) -> Intent:
    """The intent of ``message``, of which the first 4000 characters are read.

    A decisive phrase of an intent ("how many credits", "open in Canva") counts before mere words; among equals the
    contract's order does: carousel, video, image, credits, brandkit, open_canva, templates. A word that is negated
    ("pas de vidéo, une image") does not count. The confidences are the contract's .90, .88, .85, .80, .75 and .70 in
    that order, .70 for the last two, and .2 for ``other``.

    A message is an approval when it consists of words of agreement, courtesy and the thing agreed to, and asks
    nothing. A ratio is read from figures, else from words (portrait is 9:16 for a video). One carousel is meant
    where no number says otherwise. The language is the one whose commonest words are most, French where none is.
    """
    known, text = _lexicon(), unicodedata.normalize("NFC", message[:MAX_CHARACTERS].lower())
    raw: Words = tuple(_TOKEN.findall(text))
    tokens = tuple(map(_squeezed, raw))
    seen = _masked(tokens, known)
    name, hits = _decided(seen, known)
    slides, carousels = _counts(seen, known) if name == "carousel" else (None, None)
    return Intent(
        intent=name,
        confidence=known.data.intents[name].confidence if name != "other" else OTHER_CONFIDENCE,
        params=Params(
            aspect_ratio=_ratio(seen, known, for_video=name == "video"),
            slides=slides,
            carousels_count=carousels,
            is_approval=_approves(tokens, known),
            language=_language(text, tokens, known),
            matched=tuple(dict.fromkeys(" ".join(raw[hit.start : hit.start + hit.length]) for hit in hits)),
            keywords=_keywords(raw, tokens, known),
        ),
    )


def _squeezed(word: str) -> str:
    """``word`` in small letters, without accents, doubled letters as one."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))
    return _DOUBLED.sub(r"\1", plain)


def _one_slip(token: str, word: str) -> bool:
    """Whether two neighbouring letters were swapped; in words of seven letters and more, one is wrong, too."""
    if token == word or not -1 <= len(token) - len(word) <= 1 or len(word) < _LONG:
        return False
    same = next((i for i, (a, b) in enumerate(zip(token, word, strict=False)) if a != b), min(len(token), len(word)))
    rest, wanted = token[same:], word[same:]
    if len(rest) == len(wanted) and rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:]:
        return True
    return len(word) >= 7 and rest[len(rest) - len(wanted) >= 0 :] == wanted[len(wanted) - len(rest) >= 0 :]


def _masked(tokens: Words, known: _Words) -> Words:
    """``tokens`` with a break for each phrase that says none of its words, "portrait of" but not "portrait of 8 s"."""
    masked = list(tokens)
    for hit in known.blind.hits(tokens):
        end = hit.start + hit.length
        if end == len(tokens) or not tokens[end][:1].isdecimal():
            masked[hit.start : end] = ["\n"] * hit.length
    return tuple(masked)


def _decided(tokens: Words, known: _Words) -> tuple[Name, list[_Hit]]:
    for lexicon in (known.decisive, known.intents):
        hits = [hit for hit in lexicon.hits(tokens) if not _negated(tokens, hit.start, known)]
        for name in known.data.intents:
            if any(hit.label == name for hit in hits):
                return name, [hit for hit in hits if hit.label == name]
    return "other", []


def _negated(tokens: Words, at: int, known: _Words) -> bool:
    """Whether a negator stands before ``at``, behind the last break and with fillers alone between."""
    while at > 0:
        for length in range(min(known.negators.longest, at), 0, -1):
            if known.negators.label(tokens[at - length : at]):
                return True
        at -= 1
        if tokens[at] not in known.fillers:
            return False
    return False


def _number(token: str, known: _Words) -> int | None:
    number = int(token) if token.isdecimal() and len(token) <= 3 else known.numbers.get(token)
    return number if number is not None and 1 <= number <= MAX_NUMBER else None


def _counts(tokens: Words, known: _Words) -> tuple[int | None, int]:
    """Slides of a carousel, and carousels: the number before each word, at most one other word between."""

    def before(at: int) -> int | None:
        for place in (at - 1, at - 2):
            if place < 0 or tokens[place] in _BREAKS:
                return None
            number = _number(tokens[place], known)
            if number is not None:
                return number
            if known.slides.label((tokens[place],)) or known.intents.label((tokens[place],)) == "carousel":
                return None
        return None

    slides = (before(hit.start) for hit in known.slides.hits(tokens))
    carousels = (before(hit.start) for hit in known.intents.hits(tokens) if hit.label == "carousel")
    return next(filter(None, slides), None), next(filter(None, carousels), 1)


def _ratio(tokens: Words, known: _Words, *, for_video: bool) -> Ratio | None:
    said = [token for token in tokens if token[:1].isdecimal()]
    for hit in known.ratios.hits(tokens):
        if not _negated(tokens, hit.start, known):
            # The word itself, since a portrait is another ratio for a video.
            said += [tokens[hit.start], hit.label]
    return next(filter(None, (ratio_named(words, for_video=for_video) for words in said)), None)


def _approves(tokens: Words, known: _Words) -> bool:
    words = tuple(token for token in tokens if token not in _BREAKS)
    if "?" in tokens or not any(known.approval.hits(words)):
        return False
    return sum(hit.length for hit in known.agreement.hits(words)) == len(words)


def _language(text: str, tokens: Words, known: _Words) -> Language:
    def weight(language: Language) -> int:
        letters = known.data.letters.get(language, "")
        return sum(token in known.stop_words[language] for token in tokens) + sum(
            text.count(letter) for letter in letters
        )

    languages: tuple[Language, ...] = get_args(Language)
    return max(languages, key=weight)


def _keywords(raw: Words, tokens: Words, known: _Words) -> Words:
    """The words of content in their own spelling, each once, in the message's order."""
    found: dict[str, None] = {}
    for word, plain in zip(raw, tokens, strict=True):
        if len(plain) < 2 or plain[0].isdecimal() or plain in known.numbers:
            continue
        if plain in known.empty or plain.removesuffix("s") in known.empty or known.intents.label((plain,)):
            continue
        found[word] = None
    return tuple(found)[:MAX_KEYWORDS]
