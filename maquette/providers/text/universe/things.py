"""Things by theme in five languages, read from the tables beside."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict

from maquette.providers.text.port import UniverseLanguage

# The order of the tables' columns.
COLUMNS: Final = ("en", "fr", "es", "it", "de")
ANY: Final = "world"
_TABLES: Final = ("animals", "places", "things", "generic")

Names = dict[str, str]


class Theme(BaseModel):
    """A theme with its things; ``near`` are the themes that go on where it has too few."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...]
    also: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    concepts: tuple[tuple[str, str, str, str, str], ...]


def things(theme: str, *, count: int, taken: Collection[str], seed: int) -> list[Names]:
    """``count`` things of ``theme``, distinct in every language and none of ``taken`` (English, in any case).

    Seed 0 gives each theme's things in their order, another seed mixes them. The themes near to it follow, then all
    that every child knows; where even these are used up, the names come again with a number.
    """
    seen = {language: {_plain(name) for name in taken} for language in COLUMNS}
    found: list[Names] = []
    for names in _all_of(theme_key(theme) or ANY, Random(seed) if seed else None):
        if len(found) == count:
            break
        if all(_plain(names[language]) not in seen[language] for language in COLUMNS):
            for language in COLUMNS:
                seen[language].add(_plain(names[language]))
            found.append(names)
    return found


def theme_names(theme: str) -> Names:
    """The theme's name in each language; as it came, cleared of underscores, where it is unknown."""
    key = theme_key(theme)
    if key is None:
        return dict.fromkeys(COLUMNS, " ".join(re.sub(r"[_\s]+", " ", theme).split()) or "universe")
    return dict(zip(COLUMNS, themes()[key].names, strict=True))


def theme_key(theme: str) -> str | None:
    """The theme that a text in any of the languages names: whole, else by its longest phrase."""
    wanted = _plain(theme)
    known = _phrases()
    if wanted in known:
        return known[wanted]
    within = [phrase for phrase in known if f" {phrase} " in f" {wanted} "]
    return known[max(within, key=len)] if within else None


def translated(text: str, *, source: UniverseLanguage, target: UniverseLanguage) -> str:
    """The name in another language; itself where it is unknown."""
    names = _dictionary(source).get(_plain(text))
    return names[target] if names else text


@lru_cache
def themes() -> dict[str, Theme]:
    """All themes by their keys."""
    found: dict[str, Theme] = {}
    for name in _TABLES:
        table = yaml.load(Path(__file__).with_name(f"{name}.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
        found.update({key: Theme.model_validate(row) for key, row in table.items()})
    return found


def _all_of(key: str, random: Random | None) -> Iterator[Names]:
    order = list(dict.fromkeys((key, *themes()[key].near, ANY, *themes()[ANY].near, *themes())))
    for each in order:
        rows: Sequence[tuple[str, ...]] = themes()[each].concepts
        if random is not None:
            rows = random.sample(rows, k=len(rows))
        for row in rows:
            yield dict(zip(COLUMNS, row, strict=True))
    number = 2
    while True:
        for row in themes()[ANY].concepts:
            yield {language: f"{name} {number}" for language, name in zip(COLUMNS, row, strict=True)}
        number += 1


@lru_cache
def _phrases() -> dict[str, str]:
    found: dict[str, str] = {}
    for key, theme in themes().items():
        for phrase in (key, *theme.names, *theme.also):
            found.setdefault(_plain(phrase), key)
    return found


@lru_cache
def _dictionary(source: UniverseLanguage) -> dict[str, Names]:
    column = COLUMNS.index(source)
    found: dict[str, Names] = {}
    for theme in themes().values():
        for row in (*theme.concepts, theme.names):
            found.setdefault(_plain(row[column]), dict(zip(COLUMNS, row, strict=True)))
    return found


def _plain(text: str) -> str:
    """Without case, accents, underscores and hyphens."""
    folded = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("ß", "ss"))
    bare = "".join(character for character in folded if not unicodedata.combining(character))
    return " ".join(re.sub(r"[^\w]+|_", " ", bare).split())
