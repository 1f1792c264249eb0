"""The tolerant reader of models' JSON: what it mends, what it refuses, and that it makes nothing up."""

import json
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.errors import InvalidInput
from maquette.intake import repair
from maquette.intake.repair import loads_tolerant

VALUE = {"title": "L'été « chaud »", "n": 2, "assets": [{"id": "a1", "on": True}, {"id": "a2", "url": "http://x/y"}]}
SOUND = json.dumps(VALUE, ensure_ascii=False, indent=1)

MENDED = {
    "byte order mark": "\ufeff" + SOUND,
    "words around": f"Voici votre pack {{joli}} :\n\n{SOUND}\n\nDites-moi !",
    "quoted words in braces": f"Le mot {{“pack”}} dit : {SOUND}",
    "fence": f"Voici :\n```json\n{SOUND}\n```\nBonne journée",
    "tags": f"Voici <alfie-pack>{SOUND}</alfie-pack> !",
    "tags with capitals and attributes": f'<ALFIE-PACK version="1">\n{SOUND}\n</Alfie-Pack >',
    "tags and fence": f"<alfie-pack>\n```\n{SOUND}\n```\n</alfie-pack>",
    "no closing tag": f"Voici <alfie-pack>{SOUND}",
    "no opening tag": f"Voici {SOUND}</alfie-pack>",
    "trailing commas": SOUND.replace("true", "true,").replace("}\n ]", "},\n ],"),
    "missing commas": re.sub(r",$", "", SOUND, flags=re.MULTILINE),
    "comments": SOUND.replace('"n"', '// the number\n /* of "it" */ "n"'),
    "single quotes": SOUND.replace('"', "'"),
    "typographic quotes": re.sub(r'"([^"]*)"', r"“\1”", SOUND),
    "low quotes": re.sub(r'"([^"]*)"', r"„\1“", SOUND),
    "Python": SOUND.replace("true", "True"),
}


@pytest.mark.parametrize("text", MENDED.values(), ids=MENDED.keys())
def test_every_spelling_reads_the_same(text: str) -> None:
    assert loads_tolerant(text).value == VALUE


SILENT = ("byte order mark", "words around", "quoted words in braces", "fence", "tags", "tags and fence")


@pytest.mark.parametrize("name", [*SILENT, "tags with capitals and attributes"])
def test_what_is_usual_in_a_chat_makes_no_remark(name: str) -> None:
    assert loads_tolerant(MENDED[name]).remarks == []


@pytest.mark.parametrize(
    "name", [name for name in MENDED if name not in (*SILENT, "tags with capitals and attributes")]
)
def test_what_was_mended_is_said(name: str) -> None:
    assert len(loads_tolerant(MENDED[name]).remarks) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "un\ntexte\tlong",}', {"a": "un\ntexte\tlong"}),
        ('{"a": "Le "grand" jour", "b": 1}', {"a": 'Le "grand" jour', "b": 1}),
        ('{"a": "dit "oui", et non", "b": 1}', {"a": 'dit "oui", et non', "b": 1}),
        ("{'a': 'l\\'été', 'b': \"c'est\",}", {"a": "l'été", "b": "c'est"}),
        ("{'a': 'aujourd'hui'}", {"a": "aujourd'hui"}),
        (r'{"a": "\u00e9\ud83d\ude00\n\/", }', {"a": "é😀\n/"}),
        (r'{"a": "50\% d\'avance",}', {"a": r"50\% d'avance"}),
        ('{"a": NaN, "b": undefined, "c": -Infinity, "d": 1e999}', {"a": None, "b": None, "c": None, "d": None}),
        ('{"a": -1.5e3, "b": 0, "c": None,}', {"a": -1500.0, "b": 0, "c": None}),
        ('[{"a": "“oui”"},]', [{"a": "“oui”"}]),
        ('{"a": {}, "b": [],}', {"a": {}, "b": []}),
        ('{"a": 1} {"b": 2}', {"a": 1}),
        ("<alfie-pack>[1]</alfie-pack><alfie-pack>{}</alfie-pack>{'a': 1}", None),
    ],
)
def test_single_mistakes(text: str, value: object) -> None:
    if value is None:
        with pytest.raises(InvalidInput):
            loads_tolerant(text)
        return
    read = loads_tolerant(text)
    assert read.value == value
    assert read.remarks


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"a": , "b": 2}', "line 1, column 7"),
        ('{"a": 1,\n "b"}', "line 2, column 5"),
        ('{"title": "abc, "prompt": "x"}', "line 1, column 11"),
        ('{"a": ["un, "deux"]}', "line 1, column 8"),
        ('{"a": ["un,\n "deux,\n "trois"]}', "line 1, column 8"),
        ('{"a": "5" de large"}', "line 1, column 7"),
        ('{"assets": [{"id": "a1"], "n": 1}', "line 1, column 24"),
        ('{"assets": [{"id": "a", {"id": "b"}]}', "line 1, column 25"),
        ('{"a": [1,, 2]}', "line 1, column 12"),
        ('{"a": hello}', "line 1, column 7"),
        ('{"a": 01}', "line 1, column 7"),
        ('{"a": 1 / 2}', "line 1, column 9"),
        ('{"a": ' * 70, "line 1, column 385"),
    ],
)
def test_mistakes_with_several_meanings_are_refused_with_their_place(text: str, where: str) -> None:
    with pytest.raises(InvalidInput, match=where):
        loads_tolerant(text)


@pytest.mark.parametrize(
    "text", ["", "Bonjour, je ne peux pas.", "{joli}", "[1, 2", '"', "{", "<alfie-pack></alfie-pack>"]
)
def test_texts_without_json(text: str) -> None:
    with pytest.raises(InvalidInput, match="no JSON"):
        loads_tolerant(text)


def test_an_endless_text_is_refused() -> None:
    with pytest.raises(InvalidInput, match="200000 at most"):
        loads_tolerant("x" * 200_001)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"title": "T", "assets": [{"id": 1}, {"id": 2, "p": "ab', {"title": "T", "assets": [{"id": 1}]}),
        ('{"title": "T", "assets": [{"id": 1}, {"id": 2, "t": [1, 2', {"title": "T", "assets": [{"id": 1}]}),
        ('{"title": "T", "assets": [{"id": 1}]', {"title": "T", "assets": [{"id": 1}]}),
        ('{"title": "T", "assets"', {"title": "T"}),
        ('{"title": "T", "n": 1', {"title": "T"}),
        ('{"title": "T", "on": tru', {"title": "T"}),
        ('{"title": "T", "u": "\\u00', {"title": "T"}),
        ('{"title": "T" /* and', {"title": "T"}),
        ('{"meta": {"a": 1, "b": "x', {"meta": {"a": 1}}),
        ('[{"id": 1}, {"id"', [{"id": 1}]),
        ('```json\n{"title": "T", "n": \n```\nVoilà', {"title": "T"}),
        ('<alfie-pack>{"title": "T", "n": 12</alfie-pack>', {"title": "T"}),
    ],
)
def test_a_cut_text_keeps_what_was_complete(text: str, value: object) -> None:
    read = loads_tolerant(text)
    assert read.value == value
    assert repair.CUT in read.remarks


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def _within(part: object, whole: object) -> bool:
    """Whether ``part`` is ``whole`` with nothing added or changed, though ends may lack."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and part == whole[: len(part)]
    return part == whole


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.text(min_size=1, max_size=4), _json, min_size=1, max_size=3), st.integers(0, 4), st.data())
def test_a_prefix_never_says_more_than_the_whole(value: dict[str, object], indent: int, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent or None)
    cut = data.draw(st.integers(0, len(text) - 1))
    try:
        read = loads_tolerant(text[:cut])
    except InvalidInput:
        return
    assert _within(read.value, value)
    assert repair.CUT in read.remarks


_pieces = st.sampled_from(
    [*"{}[]:,\"'“”\\/\n ", "//", "/*", "*/", "```", '"a"', '"b": 1', "null", "NaN", "1.5", "é", "u00e9", "<alfie-pack>"]
)


@settings(deadline=None, max_examples=150)
@given(st.lists(_pieces, max_size=40).map("".join) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        loads_tolerant(text)


@settings(deadline=None, max_examples=60)
@given(_json)
def test_sound_json_is_read_as_json(value: object) -> None:
    assert loads_tolerant(json.dumps(value)) == (value, [])
