"""What can be seen: pictures of every domain, and the words of a theme that call for them."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from maquette.providers.text.port import Language


class Scene(BaseModel):
    """What can be seen, with the words of a theme that call for it, by language."""

    model_config = ConfigDict(frozen=True)

    domain: str
    words: dict[Language, tuple[str, ...]]
    texts: dict[Language, str]

    def called_by(self, tokens: Iterable[str], *, language: Language) -> bool:
        """Whether a token of the theme is one of the scene's words, or begins with one that ends with ``*``."""
        return any(
            token.startswith(word[:-1]) if word.endswith("*") else token == word
            for token in tokens
            for word in map(str.lower, self.words[language])
        )


@lru_cache
def scenes() -> tuple[Scene, ...]:
    """All scenes, in the file's order."""
    rows = yaml.load(Path(__file__).with_name("scenes.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
    assert isinstance(rows, list)
    return tuple(
        Scene(
            domain=domain,
            words={"fr": tuple(fr.split()), "en": tuple(en.split()), "es": tuple(es.split())},
            texts={"fr": seen_fr, "en": seen_en, "es": seen_es},
        )
        for domain, fr, en, es, seen_fr, seen_en, seen_es in rows
    )


@lru_cache(maxsize=256)
def called_scenes(text: str, *, language: Language) -> tuple[Scene, ...]:
    """Scenes that the words of ``text`` call, in ``language`` or else in another one, first named first."""
    tokens = tokens_of(text)
    languages: tuple[Language, ...] = (language, "fr", "en", "es")
    for each in languages:
        found = [
            (min(i for i, token in enumerate(tokens) if scene.called_by(token, language=each)), n)
            for n, scene in enumerate(scenes())
            if any(scene.called_by(token, language=each) for token in tokens)
        ]
        if found:
            return tuple(scenes()[n] for _, n in sorted(found))
    return ()


def tokens_of(theme: str) -> list[tuple[str, str]]:
    """Each word of the theme in lower case, as it is and without accents; an emoji counts by its Unicode name."""
    spelled = "".join(f" {unicodedata.name(c, '')} " if unicodedata.category(c) == "So" else c for c in theme)
    words = re.findall(r"[^\W_]+", spelled.lower())
    return [(word, _unaccented(word)) for word in words]


def _unaccented(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


@lru_cache
def common_words() -> frozenset[str]:
    """English nouns that lose their capital inside a sentence: the scenes' words, less the proper names."""
    return frozenset(word.rstrip("*") for scene in scenes() for word in scene.words["en"] if word.islower())
