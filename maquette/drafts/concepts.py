"""What a writer answered when it was asked for concepts, and names as files and addresses have them. Pure functions."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from slugify import slugify

from maquette.errors import InvalidInput
from maquette.providers.text.port import UNIVERSE_LANGUAGES
from maquette.providers.text.reading import read_json
from maquette.providers.text.universe.things import things

MAX_NAME: Final = 60
MAX_SLUG: Final = 60
MAX_STEM: Final = 80

_LANGUAGE_NAMES: Final = {"french": "fr", "english": "en", "spanish": "es", "italian": "it", "german": "de"}
# The older clients' names come after those that the port asks for.
_CONCEPTS: Final = ("concepts", "words", "objects", "items")
_TRANSLATIONS: Final = ("translations", "words_translations")
_DEEPER: Final = ("names", *_TRANSLATIONS)
_THEMES: Final = ("theme", "theme_translations", "univers_translations")

# "---french---" and "## Words" are headings, as is what ends with a colon.
_HEADING: Final = re.compile(r"[-=#*~_]{3,}|#{2,}\s|.*:$")
_PREAMBLE: Final = re.compile(
    r"(?:here (?:is|are)|here['’]s|as an ai|i(?: am|['’]m) sorry|i can(?:not|['’]t)|voici|voilà|bien sûr"
    r"|aquí (?:está|tien|hay|va)|por supuesto|ecco|hier (?:ist|sind)|(?:sure|certainly|of course|okay|note|claro"
    r"|certo|natürlich|gerne)[,!:])",
    re.IGNORECASE,
)
# What is left of "a lion, a tiger and".
_FRAGMENTS: Final = frozenset(
    ("and", "or", "the", "etc", "et", "ou", "le", "la", "les", "y", "e", "o", "und", "oder", "der", "die", "das")
)
_NUMBERING: Final = re.compile(r"^(?:#?\d{1,3}\s*[.):](?!\d)|\d{1,3}\s+[-–—]\s|[a-zA-Z]\))\s*")
_GLOSS: Final = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\])")
# Letters that Unicode does not take apart into a base and its accent.
_SPELLED_OUT: Final = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
)


class Concept(BaseModel):
    """One thing of a universe."""

    model_config = ConfigDict(frozen=True)

    names: dict[str, str] = Field(description="By language, all of ``UNIVERSE_LANGUAGES``.")


class ConceptList(BaseModel):
    """What an answer held that can be used."""

    model_config = ConfigDict(frozen=True)

    theme: dict[str, str] = Field(description="The theme's name in all languages, or empty.")
    concepts: list[Concept]
    missing: int = Field(0, ge=0, description="How many of those that were asked for are not there.")


def parse_concepts(text: str, *, count: int, taken: Collection[str]) -> ConceptList:
    """At most ``count`` concepts that a writer's answer names, in its order. Reads any text, raises never.

    Understood: ``{"theme": {language: name}, "concepts": [{language: name}]}``, a list of such objects or of words,
    and the older ``{"words": [], "translations": {language: []}, "theme_translations": {}}``, where a language's
    list counts if it is as long as the English one. Fences, prose around and usual mistakes of JSON do no harm.

    Numbering, quotation marks, glosses in brackets and control characters go from the names. What is no name of 60
    characters at most (a heading, "Here are ten…") is missing; a missing language has the English name. A concept
    whose name stands already in the same language, or is one of ``taken`` in any, is left out, whatever its case.
    """
    answer = read_json(text)
    if answer is None and "[" in text:
        answer = read_json('{"words": ' + text[text.index("[") :])
    if isinstance(answer, list):
        answer = {"concepts": answer}
    if not isinstance(answer, dict):
        answer = {}
    seen: dict[str, set[str]] = {language: {_key(name) for name in taken} for language in UNIVERSE_LANGUAGES}
    concepts: list[Concept] = []
    for names in _named(answer):
        if len(concepts) >= count:
            break
        if _is_new(names, seen):
            concepts.append(Concept(names=names))
    theme = next((names for key in _THEMES if (names := _names(answer.get(key)))), {})
    return ConceptList(theme=theme, concepts=concepts, missing=max(0, count - len(concepts)))


def fallback_concepts(count: int, *, taken: Collection[str]) -> list[Concept]:
    """Exactly ``count`` generic concepts, distinct as those of ``parse_concepts`` are.

    The first are those of the existing clients; when all are used up they come again with a number: "monkey 2".
    """
    return [Concept(names=names) for names in things("", count=count, taken=taken, seed=0)]


def file_stem(number: int, name: str) -> str:
    """``00_monkey``, ``09_cement_mixer``: ASCII letters, digits, ``-`` and ``_``, 80 characters at most.

    Accents go, spaces become ``_``, case stays; "asset" stands for a name of which nothing is left.

    Raises ``InvalidInput`` for a number outside 0 to 99.
    """
    if not 0 <= number <= 99:
        raise InvalidInput(f"file names have numbers from 00 to 99, not {number}: number the assets anew")
    plain = unicodedata.normalize("NFKD", name.translate(_SPELLED_OUT))
    kept = re.sub(r"[^A-Za-z0-9_-]", "", "_".join(plain.split()))
    if not re.search(r"[A-Za-z0-9]", kept):
        kept = "asset"
    return f"{number:02d}_{kept}"[:MAX_STEM].rstrip("_-")


def slug_of(name: str) -> str:
    """The name as addresses have it, ``vehicules-de-chantier``: 60 characters at most, "universe" for none."""
    return slugify(name, max_length=MAX_SLUG) or "universe"


def _named(answer: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The names of each concept, those without any left out."""
    rows = next((found for key in _CONCEPTS if isinstance(found := answer.get(key), list)), [])
    columns = next((found for key in _TRANSLATIONS if isinstance(found := answer.get(key), dict)), {})
    by_language = {
        language: column
        for key, column in columns.items()
        if (language := _language(key)) is not None and isinstance(column, list)
    }
    base = by_language.get("en") or rows
    for at, row in enumerate(base):
        # A list of another length has lost or gained a word somewhere: its places say nothing.
        translated = {language: column[at] for language, column in by_language.items() if len(column) == len(base)}
        if names := _names(row if isinstance(row, dict) else {"en": row, **translated}):
            yield names


def _names(value: object) -> dict[str, str]:
    """The names in all languages that an object has, empty if it has none."""
    if not isinstance(value, dict):
        return {}
    found = {
        language: name
        for key, text in value.items()
        if (language := _language(key)) is not None and (name := _name(text))
    }
    if not found:
        # They may be one level deeper, beside the thing's name or not.
        inner: dict[str, Any] = next((value[key] for key in _DEEPER if isinstance(value.get(key), dict)), {})
        plain = next((value[key] for key in ("name", "word", "concept") if isinstance(value.get(key), str)), "")
        return _names({"en": plain, **inner}) if inner or plain else {}
    english = found.get("en") or next(found[language] for language in UNIVERSE_LANGUAGES if language in found)
    return {language: found.get(language, english) for language in UNIVERSE_LANGUAGES}


def _language(key: object) -> str | None:
    said = str(key).strip().lower()
    code = _LANGUAGE_NAMES.get(said, said.replace("_", "-").partition("-")[0])
    return code if code in UNIVERSE_LANGUAGES else None


def _name(value: object) -> str:
    """The name in a text, or nothing."""
    # A text that is far longer is no name, however much is taken from it.
    if not isinstance(value, str) or len(value) > 4 * MAX_NAME:
        return ""
    text, before = value, None
    while text != before:  # one mark may hide another: "«1. digger»"
        before = text
        text = " ".join(unicodedata.normalize("NFC", text).split())
        if _HEADING.match(text) or _PREAMBLE.match(text):
            return ""
        text = _GLOSS.sub("", _NUMBERING.sub("", text)).replace("_", " ")
        # Emoji have selectors of their look behind them.
        text = "".join(c for c in text if unicodedata.category(c)[0] != "C" and not "\ufe00" <= c <= "\ufe0f")
        text = _trimmed(text)
    return text if len(text) <= MAX_NAME and text.casefold() not in _FRAGMENTS else ""


def _trimmed(text: str) -> str:
    """``text`` from its first letter or digit to its last, with that one's marks."""
    worded = [at for at, character in enumerate(text) if unicodedata.category(character)[0] in "LN"]
    if not worded:
        return ""
    end = worded[-1] + 1
    while end < len(text) and unicodedata.category(text[end])[0] == "M":
        end += 1
    return text[worded[0] : end]


def _is_new(names: Mapping[str, str], seen: Mapping[str, set[str]]) -> bool:
    """Whether no name was seen in its language; then all are seen."""
    keys = {language: _key(name) for language, name in names.items()}
    if any(key in seen[language] for language, key in keys.items()):
        return False
    for language, key in keys.items():
        seen[language].add(key)
    return True


def _key(name: str) -> str:
    """What two names have in common that are the same to a child."""
    return " ".join(re.sub(r"[-_]", " ", unicodedata.normalize("NFKC", name).casefold()).split())
