"""The grammar of a script's text: counted and hung up as the contract says, whatever the text is."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.projects.grammar import FileTreeNode, parse

TEXT = (
    "PAGE 1:\n\nCHAPTER 1: Le réveil\n\nPANEL 1:\n(Plan large sur Tokyo la nuit, sous la pluie.)\n"
    "[AKIRA]: Il est encore temps.\n\nPANEL 2:\n[MIKA]: Alors cours !\n"
)
# The contract's expressions, in JavaScript's sense of space, digit and line.
SPACE = r"[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
OTHER = SPACE.replace("[", "[^", 1)
LINES = {
    "page": re.compile(rf"PAGE{SPACE}+[0-9]+{SPACE}*:"),
    "chapter": re.compile(rf"(?:CHAPTER|CHAPITRE){SPACE}+[0-9]+{SPACE}*:"),
    "panel": re.compile(rf"PANEL{SPACE}+[0-9]+{SPACE}*:"),
    "dialogue": re.compile(rf"\[.*\]{SPACE}*:"),
    "description": re.compile(r"\(.*\)"),
}
PARENTS: dict[str, set[str | None]] = {
    "page": {None},
    "chapter": {None, "page"},
    "panel": {None, "page", "chapter"},
    "dialogue": {None, "page", "chapter", "panel"},
    "description": {None, "page", "chapter", "panel"},
}

pieces = st.sampled_from(
    ["PAGE 1:", "PAGE 12 : x", "PAGE:", "page 1:", " PAGE 1:", "CHAPTER 3: Le réveil", "CHAPITRE 4:", "PANEL\u00a01:",
     "PANEL 2\ufeff:", "PANEL\x1c3:", "PANEL ١:", "[A]: b", "[A]\u2003: b", "[]:", "[A: b", "[A] [B]: c", "(loin)",
     "(loin", "a 😀 b", "mot\x85mot", "mot\ufeffmot", "\r", ""]
)  # fmt: skip
texts = st.one_of(st.text(), st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=25).map("\n".join))


def walk(
    tree: list[FileTreeNode], parent: FileTreeNode | None = None
) -> Iterator[tuple[FileTreeNode | None, FileTreeNode]]:
    for node in tree:
        yield parent, node
        yield from walk(node["children"], node)


def test_the_contracts_sample_is_counted_as_its_editor_counted_it() -> None:
    assert parse(TEXT).stats == {
        "pages": 1, "panels": 2, "chapters": 1, "words": 28, "characters": 149, "dialogues": 2,
    }  # fmt: skip


def test_panels_hang_on_their_chapter_and_lines_on_their_panel() -> None:
    [page] = parse(TEXT, title="Tokyo Rain").file_tree
    assert {key: page[key] for key in ("id", "type", "title", "content", "expanded", "lineNumber")} == {
        "id": "page-1", "type": "page", "title": "Page 1", "content": "PAGE 1:", "expanded": True, "lineNumber": 1,
    }  # fmt: skip
    [chapter] = page["children"]
    assert (chapter["id"], chapter["title"], chapter["content"]) == ("chapter-1", "Chapter 1", "CHAPTER 1: Le réveil")
    assert [panel["id"] for panel in chapter["children"]] == ["panel-1", "panel-2"]
    assert [node["id"] for node in chapter["children"][0]["children"]] == ["desc-5", "dialogue-1"]
    assert [node["title"] for node in chapter["children"][1]["children"]] == ["MIKA"]


def test_pages_are_counted_one_by_one() -> None:
    tree = parse("PAGE 1:\nPAGE 2:\nPAGE 7:").file_tree
    assert [(page["id"], page["title"]) for page in tree] == [
        ("page-1", "Page 1"), ("page-2", "Page 2"), ("page-3", "Page 7"),
    ]  # fmt: skip


def test_a_chapter_before_any_page_stands_at_the_top_with_its_panels() -> None:
    [chapter, page] = parse("CHAPITRE 1: Nuit\nPANEL 1:\nPAGE 1:\nPANEL 2:").file_tree
    assert (chapter["title"], [panel["id"] for panel in chapter["children"]]) == ("Chapitre 1", ["panel-1"])
    assert [panel["id"] for panel in page["children"]] == ["panel-2"]


@pytest.mark.parametrize(("text", "units"), [("a", 1), ("é", 1), ("😀", 2), ("\ud83d", 1), ("", 0)])
def test_characters_are_utf_16_units(text: str, units: int) -> None:
    assert parse(text).stats["characters"] == units


@given(texts)
def test_any_text_is_read_and_the_stats_are_those_of_the_tree_and_of_the_contracts_expressions(text: str) -> None:
    parsed = parse(text)
    nodes = list(walk(parsed.file_tree))
    ids = [node["id"] for _, node in nodes]
    assert len(ids) == len(set(ids))
    kinds = [kind for line in text.split("\n") for kind, pattern in LINES.items() if pattern.match(line)]
    assert sorted(node["type"] for _, node in nodes) == sorted(kinds)
    counted = {f"{kind}s": kinds.count(kind) for kind in ("page", "panel", "chapter", "dialogue")}
    words = len(re.findall(f"{OTHER}+", text))
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    assert parsed.stats == {**counted, "words": words, "characters": units}


@given(texts)
def test_every_node_is_its_line_in_the_order_of_the_text_below_what_it_may_hang_on(text: str) -> None:
    lines = text.split("\n")
    nodes = list(walk(parse(text).file_tree))
    numbers = [node["lineNumber"] for _, node in nodes]
    assert numbers == sorted(numbers), "no line overtakes another"
    for parent, node in nodes:
        assert node["content"] == lines[node["lineNumber"] - 1].strip()
        assert (parent["type"] if parent else None) in PARENTS[node["type"]]


@given(texts)
def test_what_is_below_no_page_has_none_before_it(text: str) -> None:
    tree = parse(text).file_tree
    first = next((index for index, node in enumerate(tree) if node["type"] == "page"), len(tree))
    assert all(node["type"] == "page" for node in tree[first:])
