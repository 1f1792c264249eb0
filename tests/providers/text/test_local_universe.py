"""Things and songs of the local writer: its tables, odd themes, words of any length."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.drafts.concepts import parse_concepts
from maquette.providers.text.local import LocalWriter
from maquette.providers.text.port import (
    MAX_LYRICS,
    UNIVERSE_LANGUAGES,
    ConceptsRequest,
    LyricsRequest,
    ScriptWriter,
    TranslationRequest,
)
from maquette.providers.text.universe.songs import _songs
from maquette.providers.text.universe.things import COLUMNS, theme_key, theme_names, themes, things
from tests.providers.text_contract import TAGS, UniverseContract

WORDS = st.text(max_size=60).filter(lambda text: text.isprintable())


class TestContract(UniverseContract):
    @pytest.fixture
    def writer(self) -> ScriptWriter:
        return LocalWriter()


@pytest.mark.parametrize(
    ("theme", "key"),
    [
        ("jungle", "jungle"),
        ("véhicules_de_chantier", "vehicules de chantier"),
        ("Vehicules-De-Chantier", "vehicules de chantier"),
        ("Océan", "ocean"),
        ("under the sea", "ocean"),
        ("Weltraum", "space"),
        ("Les dinosaures de la préhistoire", "dinosaurs"),
        ("La fattoria dei sogni", "farm"),
        ("quantum chess", None),
        ("", None),
    ],
)
def test_a_theme_is_found_in_any_language(theme: str, key: str | None) -> None:
    assert theme_key(theme) == key


def test_an_unknown_theme_keeps_its_name_and_gets_what_every_child_knows() -> None:
    assert set(theme_names("les_rêves  de Zoé").values()) == {"les rêves de Zoé"}
    assert [names["en"] for names in things("quantum chess", count=3, taken=(), seed=0)] == ["monkey", "tree", "bird"]


def test_another_seed_is_another_choice() -> None:
    chosen = [tuple(names["en"] for names in things("farm", count=8, taken=(), seed=seed)) for seed in (0, 1, 2, 0)]
    assert chosen[0] == chosen[3]
    assert len(set(chosen)) == 3
    assert set(chosen[1]) <= {row[0] for row in themes()["farm"].concepts}


@given(theme=WORDS, count=st.integers(1, 50), seed=st.integers(0, 9), data=st.data())
def test_exactly_as_many_as_asked_and_none_twice(theme: str, count: int, seed: int, data: st.DataObject) -> None:
    known = [row[0] for row in themes()["world"].concepts]
    taken = tuple(data.draw(st.lists(st.sampled_from(known) | WORDS, max_size=10)))
    request = ConceptsRequest(theme=theme, count=count, taken=taken, seed=seed)
    found = parse_concepts(LocalWriter().list_concepts(request).text, count=count, taken=taken)
    assert found.missing == 0


@given(
    theme=WORDS,
    words=st.lists(WORDS, max_size=12),
    language=st.sampled_from(UNIVERSE_LANGUAGES),
    seed=st.integers(0, 99),
)
def test_a_song_on_anything_keeps_its_form(theme: str, words: list[str], language: str, seed: int) -> None:
    request = LyricsRequest.model_validate({"theme": theme, "words": tuple(words), "language": language, "seed": seed})
    text = LocalWriter().write_lyrics(request).text
    assert len(text) <= MAX_LYRICS
    assert [tag for tag in TAGS if tag not in text] == []
    assert LocalWriter().write_lyrics(request).text == text


@pytest.mark.parametrize("key", themes())
def test_a_table_is_whole(key: str) -> None:
    theme = themes()[key]
    assert len(theme.concepts) >= (10 if key == "world" else 24)
    assert len(theme.names) == len(COLUMNS)
    for column in zip(*theme.concepts, strict=True):
        assert len({name.casefold() for name in column}) == len(column)
    for row in theme.concepts:
        assert all(name == name.strip() and re.fullmatch(r"[^\W\d_][\w' -]*", name) for name in row)
        assert row[4][0].isupper() or " " in row[4]  # German nouns
    assert set(theme.near) <= set(themes())


def test_one_thing_has_one_name_in_each_language() -> None:
    seen: dict[str, tuple[str, ...]] = {}
    for theme in themes().values():
        for row in theme.concepts:
            assert seen.setdefault(row[0], row) == row


@pytest.mark.parametrize("language", UNIVERSE_LANGUAGES)
def test_there_are_songs_in_every_language(language: str) -> None:
    songs = _songs()[language]
    assert len(songs) >= 3
    for song in songs:
        lines = [line for part in song.model_dump().values() for line in part]
        assert all(name in "".join(lines) for name in ("{t}", "{a}", "{b}", "{c}", "{d}"))


def test_what_nobody_knows_stays_as_it_came() -> None:
    request = TranslationRequest(texts=("Schmetterling", "Fröbnik"), source="de", targets=("fr", "en", "it"))
    assert json.loads(LocalWriter().translate(request).text) == {
        "fr": ["papillon", "Fröbnik"],
        "en": ["butterfly", "Fröbnik"],
        "it": ["farfalla", "Fröbnik"],
    }
