"""Sections as clients of every age send them, and the document that they make."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.errors import InvalidInput
from maquette.projects.grammar import parse
from maquette.projects.sections import EMPTY, document, fragment, sections_of, title_of

CHAPTER = {"title": "Nuit", "scenes": []}
TEXT = "PAGE 1:\nPANEL 1:\n[A]: oui\nPAGE 2:\nPANEL 1:\n"


def shown(body: dict[str, Any]) -> dict[str, Any]:
    """The sections of ``body`` as clients read them."""
    return {name: orjson.loads(orjson.dumps(fragment(name, each))) for name, each in sections_of(body).items()}


@pytest.mark.parametrize(
    ("body", "sections"),
    [
        ({"charactersData": [1]}, {"characters": {"characters": [1]}}),
        ({"charactersData": {"characters": [1], "more": 2}}, {"characters": {"characters": [1], "more": 2}}),
        ({"characters": {"characters": [1]}}, {"characters": {"characters": [1]}}),
        ({"characters": [1], "charactersData": [2]}, {"characters": {"characters": [2]}}),
        ({"decorsData": [1]}, {"decors": {"decors": [1]}}),
        ({"assemblyData": [1]}, {"assembly": {"pages": [1]}}),
        ({"assemblyData": {"pages": [], "canvasState": {"zoom": 25}}},
         {"assembly": {"pages": [], "canvasState": {"zoom": 25}}}),
        ({"promptsData": {"a": 1}}, {"prompts": {"a": 1}}),
        ({"scenesData": None, "projectId": "p", "other": 1}, {}),
        ({"metadata": {"version": 3, "savedAt": "x", "legacy": {"a": 1}}}, {"metadata": {"legacy": {"a": 1}}}),
        ({"metadata": {"version": 3}}, {}),
    ],
)  # fmt: skip
def test_each_form_becomes_the_same_section(body: dict[str, Any], sections: dict[str, Any]) -> None:
    assert shown(body) == sections


@pytest.mark.parametrize(
    "body",
    [
        {"chapters": [CHAPTER]},
        {"scriptData": [CHAPTER]},
        {"scriptData": {"chapters": [CHAPTER]}},
        {"script": {"chapters": [CHAPTER]}},
        {"scriptData": {"chapters": [CHAPTER], "content": 1, "stats": 7, "fileTree": {"folded": 1}}},
    ],
)  # fmt: skip
def test_a_script_of_the_shape_before_is_kept_and_can_be_read(body: dict[str, Any]) -> None:
    script = shown(body)["script"]
    assert script["chapters"] == [CHAPTER]
    assert "Nuit" in script["content"] and script["stats"]["chapters"] == 1 and len(script["fileTree"]) >= 1


@pytest.mark.parametrize("value", ["text", 3, True, 0.5])
@pytest.mark.parametrize("field", ["scriptData", "charactersData", "metadata", "newData"])
def test_what_is_neither_object_nor_list_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidInput, match="must be an object or a list"):
        sections_of({field: value})


def test_so_many_sections_are_no_document() -> None:
    with pytest.raises(InvalidInput, match="are the most"):
        sections_of({f"a{number}Data": {} for number in range(33)})


def test_stats_and_tree_are_the_texts_and_what_else_the_client_has_stays() -> None:
    sent = {"content": TEXT, "title": "T", "stats": {"pages": 99, "mine": 1}, "fileTree": [], "notes": "n"}
    parsed = parse(TEXT)
    assert shown({"scriptData": sent})["script"] == {
        "content": TEXT, "title": "T", "notes": "n", "stats": {**parsed.stats, "mine": 1}, "fileTree": parsed.file_tree,
    }  # fmt: skip


def test_nodes_that_the_client_shows_folded_stay_folded() -> None:
    # The older editor counted pages twice: its second page has another id than ours.
    tree = [
        {"id": "page-2", "type": "page", "lineNumber": 1, "expanded": True,
         "children": [{"id": "panel-1", "type": "panel", "lineNumber": 2, "expanded": False, "children": []}]},
        {"id": "page-4", "type": "page", "lineNumber": 4, "expanded": False, "children": None},
    ]  # fmt: skip
    first, second = shown({"scriptData": {"content": TEXT, "fileTree": tree}})["script"]["fileTree"]
    assert (first["expanded"], first["children"][0]["expanded"], second["expanded"]) == (True, False, False)


def test_what_is_sent_back_as_it_was_read_is_the_same_section() -> None:
    sent = {"content": TEXT, "stats": {"mine": 1}, "fileTree": [{"type": "page", "lineNumber": 1, "expanded": False}]}
    read = shown({"scriptData": sent, "charactersData": [{"b": 1, "a": 2}]})
    again = sections_of({"scriptData": read["script"], "charactersData": read["characters"]})
    first = sections_of({"scriptData": sent, "charactersData": [{"a": 2, "b": 1}]})
    assert {name: each.sha256 for name, each in again.items()} == {name: each.sha256 for name, each in first.items()}


def test_when_a_section_was_changed_is_no_part_of_what_it_is() -> None:
    old, new = (sections_of({"scenesData": {"scenes": [], "lastModified": each}})["scenes"] for each in ("a", "b"))
    assert (old.sha256, old.last_modified) == (new.sha256, "a")
    assert orjson.dumps(fragment("scenes", new)) == b'{"scenes":[],"lastModified":"b"}'
    assert orjson.dumps(fragment("x", sections_of({"xData": {"lastModified": 5}})["x"])) == b'{"lastModified":5}'


fields = st.sampled_from(
    ["content", "stats", "fileTree", "chapters", "children", "type", "lineNumber", "expanded", "folded",
     "lastModified", "scenes", "panels", "title"]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["PAGE 1:", "page", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=4),
).filter(lambda value: value is None or isinstance(value, dict | list))


@given(
    st.dictionaries(
        st.sampled_from(["scriptData", "script", "charactersData", "assemblyData", "chapters", "metadata", "newData"]),
        values,
    )
)
def test_whatever_is_in_a_section_it_can_be_kept_and_shown(body: dict[str, Any]) -> None:
    sections = sections_of(body)
    whole = orjson.loads(document(sections, facts={"version": 1}))
    assert whole.keys() >= {*EMPTY, *sections, "metadata"}
    assert whole["metadata"]["version"] == 1


def test_sections_that_were_never_saved_are_there_and_empty() -> None:
    whole = orjson.loads(document({}, facts={"version": 1}))
    assert list(whole) == ["script", "characters", "backgrounds", "decors", "scenes", "assembly", "metadata"]
    assert (
        whole["script"]["content"] == ""
        and whole["script"]["fileTree"] == []
        and whole["script"]["stats"]["pages"] == 0
    )
    assert whole["assembly"] == {"pages": [], "currentPage": 1, "totalPages": 0}


@pytest.mark.parametrize(
    ("body", "title"),
    [({"scriptData": {"title": "T"}}, "T"), ({"script": {"title": "T"}}, "T"), ({"scriptData": {"title": ""}}, None),
     ({"scriptData": {"title": 3}}, None), ({"scriptData": []}, None), ({}, None)],
)  # fmt: skip
def test_the_title_is_the_scripts(body: dict[str, Any], title: str | None) -> None:
    assert title_of(body) == (title or "Script Sans Titre")
