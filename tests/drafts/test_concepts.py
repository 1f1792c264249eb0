"""What is read from a writer's answer, and names as files and addresses have them."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.drafts.concepts import (
    MAX_NAME,
    ConceptList,
    fallback_concepts,
    file_stem,
    parse_concepts,
    slug_of,
)
from maquette.errors import InvalidInput
from maquette.providers.text.port import UNIVERSE_LANGUAGES

SHARED = Path(__file__).parents[3] / "shared" / "data" / "drafts"
NAMES = st.text(max_size=90)
LISTS = st.lists(NAMES, max_size=12)


def english(found: ConceptList) -> list[str]:
    return [concept.names["en"] for concept in found.concepts]


def asked(*rows: object, **others: object) -> str:
    return json.dumps({"concepts": rows, **others})


@st.composite
def answers(draw: st.DrawFn) -> str:
    """Answers of every shape that is understood, sound and broken."""
    by_language = st.dictionaries(st.sampled_from([*UNIVERSE_LANGUAGES, "French", "xx"]), NAMES, max_size=6)
    columns = st.dictionaries(st.sampled_from([*UNIVERSE_LANGUAGES, "en-GB"]), LISTS, max_size=5)
    value = draw(
        st.one_of(
            st.fixed_dictionaries({"theme": by_language, "concepts": st.lists(by_language | NAMES, max_size=12)}),
            st.fixed_dictionaries({"words": LISTS, "translations": columns, "theme_translations": by_language}),
            st.fixed_dictionaries({"theme": NAMES, "words": LISTS, "words_translations": columns}),
            st.lists(by_language, max_size=12),
            LISTS,
            st.recursive(st.none() | st.booleans() | st.floats() | NAMES, lambda inner: st.lists(inner) | by_language),
        )
    )
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    return draw(st.sampled_from(["", "Here you are:\n```json\n"])) + text[: draw(st.integers(0, len(text)))]


@given(answers(), st.integers(0, 20), LISTS)
def test_any_answer_gives_distinct_clean_names_in_all_languages(text: str, count: int, taken: list[str]) -> None:
    found = parse_concepts(text, count=count, taken=taken)
    assert len(found.concepts) + found.missing == count
    assert set(found.theme) in (set(), set(UNIVERSE_LANGUAGES))
    for concept in found.concepts:
        assert set(concept.names) == set(UNIVERSE_LANGUAGES)
        for name in concept.names.values():
            assert 0 < len(name) <= MAX_NAME
            assert name == name.strip()
            assert all(unicodedata.category(character)[0] != "C" for character in name)
            assert name.casefold() not in {other.casefold() for other in taken}
    for language in UNIVERSE_LANGUAGES:
        assert len({concept.names[language].casefold() for concept in found.concepts}) == len(found.concepts)
    # What was kept once is kept again: cleaning is done when it is done.
    again = asked(*(concept.names for concept in found.concepts))
    assert parse_concepts(again, count=count, taken=taken).concepts == found.concepts


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    found = parse_concepts(text, count=10, taken=())
    assert len(found.concepts) + found.missing == 10


def test_the_asked_for_shape() -> None:
    text = asked(
        {"fr": "singe", "en": "monkey", "es": "mono", "it": "scimmia", "de": "Affe"},
        {"fr": "arbre", "en": "tree", "es": "", "de": None},
        theme={"fr": "La jungle", "en": "The jungle"},
    )
    found = parse_concepts(f"Of course! ```json\n{text}\n```\nEnjoy.", count=3, taken=())
    assert [concept.names for concept in found.concepts] == [
        {"fr": "singe", "en": "monkey", "es": "mono", "it": "scimmia", "de": "Affe"},
        {"fr": "arbre", "en": "tree", "es": "tree", "it": "tree", "de": "tree"},
    ]
    assert found.missing == 1
    assert found.theme == {"fr": "La jungle", **dict.fromkeys(("en", "es", "it", "de"), "The jungle")}


@pytest.mark.parametrize("key", ["translations", "words_translations"])
def test_the_older_shape(key: str) -> None:
    text = json.dumps(
        {
            "theme": "chantier",
            "words": ["---french---", "grue", "pelle"],
            key: {
                "en": ["1. digger", "2. crane", "10) cement mixer"],
                "fr": ["1. pelle", "2. grue", "10) bétonnière"],
                "de": ["Bagger", "Kran"],
                "it": ["Ecco le parole:", "gru", "betoniera"],
            },
            "theme_translations": {"en": "building site"},
        }
    )
    found = parse_concepts(text, count=3, taken=())
    assert english(found) == ["digger", "crane", "cement mixer"]
    assert [concept.names["fr"] for concept in found.concepts] == ["pelle", "grue", "bétonnière"]
    # A list that is too short says nothing; a heading is no name.
    assert [concept.names["de"] for concept in found.concepts] == ["digger", "crane", "cement mixer"]
    assert [concept.names["it"] for concept in found.concepts] == ["digger", "gru", "betoniera"]
    assert found.theme["fr"] == "building site"


@pytest.mark.parametrize(
    "text",
    [
        '["monkey", "tree"]',
        'Here are ten things: ["1. monkey", "2. tree",',
        '[{"en": "monkey"}, {"EN": "tree"}]',
        '{"words": ["monkey", "tree"]}',
        '{"concepts": ["monkey", {"name": "tree"}], "translations": {"fr": ["singe", "arbre"]}}',
        '{"concepts": [{"name": "monkey", "translations": {"fr": "singe"}}, {"names": {"english": "tree"}}]}',
        "{'concepts': [{'en': 'monkey',}, {'en': 'tree'}, {'en': 'bir",
        '{"words": ["Sure, here is a list", "monkey", "things:", "tree", "and", "", 7, null]}',
    ],
)
def test_other_ways_to_say_it(text: str) -> None:
    found = parse_concepts(text, count=2, taken=())
    assert english(found) == ["monkey", "tree"]
    assert found.missing == 0


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("1. digger", "digger"),
        ("3) crane", "crane"),
        ("(4) roller", "roller"),
        ("5 - loader", "loader"),
        ("- mixer", "mixer"),
        ("**dump truck**", "dump truck"),
        ("cement_mixer", "cement mixer"),
        ("🦁\ufe0f lion", "lion"),
        ("tiger (a big cat)", "tiger"),
        ("« bulldozer »", "bulldozer"),
        ("“2. crane”", "crane"),
        ("T-Rex", "T-Rex"),
        ("3.5 tonne truck", "3.5 tonne truck"),
        ("7-seater", "7-seater"),
        ("mon\x00key\u202e", "monkey"),
        ("e\u0301toile", "étoile"),
        ("note", "note"),
        ("---french---", ""),
        ("## Words", ""),
        ("French:", ""),
        ("Here are ten words", ""),
        ("Voici dix mots", ""),
        ("Note: all are safe", ""),
        ("et", ""),
        ("…", ""),
        ("x" * 61, ""),
    ],
)
def test_names_are_cleaned(said: str, meant: str) -> None:
    assert english(parse_concepts(asked({"en": said}), count=1, taken=())) == ([meant] if meant else [])


def test_without_an_english_name_another_stands_for_it() -> None:
    found = parse_concepts(asked({"fr": "pelle"}), count=1, taken=())
    assert found.concepts[0].names == dict.fromkeys(UNIVERSE_LANGUAGES, "pelle")


def test_what_is_there_already_is_left_out() -> None:
    text = asked(
        {"en": "Monkey"},
        {"en": "ape", "fr": "Singe"},
        {"en": "dump-truck"},
        {"en": "turtle", "es": "tortuga"},
        {"en": "tortoise", "es": "Tortuga"},
        {"en": "pelican"},
    )
    found = parse_concepts(text, count=6, taken=["monkey", "singe", "dump truck"])
    assert english(found) == ["turtle", "pelican"]
    assert found.missing == 4


def test_real_answers_of_the_existing_clients() -> None:
    files = sorted(SHARED.glob("legacy-*/*/words.json"))
    if not files:
        pytest.skip("the shared data is not there")
    for file in files:
        found = parse_concepts(file.read_text("utf-8"), count=10, taken=())
        assert len(found.concepts) >= 9, file  # one ends with "and"
        assert not any(re.match(r"\d|-", name) for name in english(found))
        assert any(concept.names["fr"] != concept.names["de"] for concept in found.concepts)


def test_the_fallback_begins_as_the_existing_clients_do() -> None:
    assert [concept.names["en"] for concept in fallback_concepts(10, taken=())] == [
        "monkey", "tree", "bird", "flower", "snake", "lion", "zebra", "giraffe", "elephant", "butterfly",
    ]  # fmt: skip


def test_the_fallback_has_at_least_fifty_things_that_need_no_number() -> None:
    found = fallback_concepts(50, taken=())
    for concept in found:
        assert set(concept.names) == set(UNIVERSE_LANGUAGES)
        assert not any(character.isdigit() for name in concept.names.values() for character in name)


@given(st.integers(0, 150), st.lists(NAMES | st.sampled_from(["monkey", "Arbre", "LION", "monkey 2"]), max_size=8))
def test_the_fallback_never_runs_out(count: int, taken: list[str]) -> None:
    found = fallback_concepts(count, taken=taken)
    assert len(found) == count
    for language in UNIVERSE_LANGUAGES:
        keys = {concept.names[language].casefold() for concept in found}
        assert len(keys) == count
        assert not keys & {name.casefold() for name in taken}


@pytest.mark.parametrize(
    ("number", "name", "stem"),
    [
        (0, "monkey", "00_monkey"),
        (9, "cement mixer", "09_cement_mixer"),
        (7, "Dump Truck", "07_Dump_Truck"),
        (1, "Éléphant d'Asie", "01_Elephant_dAsie"),
        (2, "Straße", "02_Strasse"),
        (3, "cœur", "03_coeur"),
        (4, "cerf-volant", "04_cerf-volant"),
        (5, "../..\\etc/passwd\x00", "05_etcpasswd"),
        (99, "猴子", "99_asset"),
        (10, "", "10_asset"),
    ],
)
def test_stems_of_files(number: int, name: str, stem: str) -> None:
    assert file_stem(number, name) == stem


@given(st.integers(0, 99), st.text())
def test_stems_are_safe_as_files(number: int, name: str) -> None:
    stem = file_stem(number, name)
    assert re.fullmatch(r"\d\d_[A-Za-z0-9_-]*[A-Za-z0-9]", stem)
    assert len(stem) <= 80
    assert file_stem(number, stem.partition("_")[2]) == stem


@pytest.mark.parametrize("number", [-1, 100])
def test_a_number_of_more_than_two_digits_is_refused(number: int) -> None:
    with pytest.raises(InvalidInput, match="00 to 99"):
        file_stem(number, "monkey")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("vehicules_de_chantier", "vehicules-de-chantier"),
        ("Véhicules de chantier", "vehicules-de-chantier"),
        ("L'été à l'océan", "l-ete-a-l-ocean"),
        ("  Jungle!  ", "jungle"),
        ("?!", "universe"),
        ("x" * 59 + " yy", "x" * 59),
    ],
)
def test_slugs(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@given(st.text())
def test_slugs_are_safe_in_addresses(name: str) -> None:
    slug = slug_of(name)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
    assert len(slug) <= 60
    assert slug_of(slug) == slug
