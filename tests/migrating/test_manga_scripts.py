"""What becomes of a manga script's document, and that nothing of it is ever lost."""

import json
from copy import deepcopy
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from maquette.migrating import exact, reversible
from maquette.migrating.reversible import ASIDE, ReversibleMigration
from maquette.projects import chapters, grammar
from tests.migrating import manga

MIGRATION = cast(ReversibleMigration, manga.migration())
SHAPES = manga.shapes()
SECTIONS = {"script", "characters", "backgrounds", "scenes", "assembly", "metadata"}


def transformed(document: Any, **columns: Any) -> Any:
    return MIGRATION.transform(manga.row(document, **columns))["script_data"]


def inverted(document: Any, **columns: Any) -> Any:
    return MIGRATION.inverse(manga.row(document, **columns))["script_data"]


def assert_same(one: Any, other: Any) -> None:
    assert exact.dumps(one) == exact.dumps(other)


def assert_laws(document: Any) -> None:
    before = exact.dumps(document)
    new = transformed(document)
    MIGRATION.model.model_validate({"script_data": new})
    assert new.keys() >= SECTIONS
    assert_same(transformed(new), new)
    assert exact.dumps(inverted(new)) == before
    assert exact.dumps(document) == before  # it was not changed


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_goes_there_and_back(name: str) -> None:
    assert_laws(SHAPES[name])
    # As it comes out of the two tables: nothing is shared.
    new = exact.loads(exact.dumps(transformed(SHAPES[name])))
    assert_same(inverted(new), SHAPES[name])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manga.anything())
def test_any_json_goes_there_and_back(document: Any) -> None:
    assume(not MIGRATION.is_marked(document))
    assert_laws(document)


@st.composite
def edited(draw: st.DrawFn) -> Any:
    """A new document that somebody went on writing."""
    new = transformed(draw(st.sampled_from(list(SHAPES.values())) | manga.JSON))
    lines = st.sampled_from(
        ["PAGE 2:", "CHAPITRE 3: x", "PANEL 1:", "SCENE 2: y (z, dawn)", "(w)", "[FOX]: No.", "[FOX (thought)]: Hm.",
         "SFX: BOOM", "NOTE: n", "free text", ""]
    )  # fmt: skip
    if draw(st.booleans()):
        text = "\n".join(draw(st.lists(lines, max_size=8)))
        parsed = grammar.parse(new["script"]["content"] + text if draw(st.booleans()) else text)
        script = {"content": parsed.content, "stats": parsed.stats, "fileTree": parsed.file_tree}
        new = {**new, "script": {**new["script"], **script}}
    return draw(manga.mutated(st.just(new))) if draw(st.booleans()) else new


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edited(), st.sampled_from(["2025-01-21 14:32:15.123456+00", "2026-01-01 00:00:00+00", None]))
def test_an_edited_document_comes_back_from_its_old_shape(new: Any, updated_at: str | None) -> None:
    assume(MIGRATION.is_new(new))
    before = exact.dumps(new)
    old = inverted(new, updated_at=updated_at)
    assert exact.dumps(transformed(old, updated_at=updated_at)) == before
    if MIGRATION.is_marked(new):
        carries = isinstance(old, dict) and MIGRATION.is_new(old.get(ASIDE))
        assert not carries or isinstance(old["chapters"], list)  # programs of before read them without looking
    else:
        assert_same(old, new)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edited(), manga.JSON)
def test_an_old_program_may_edit_what_a_new_one_wrote(new: Any, value: Any) -> None:
    assume(MIGRATION.is_new(new))
    old = inverted(new)
    assume(isinstance(old, dict) and ASIDE in old)
    assert_laws({**old, "chapters": value})


def test_without_the_comparison_an_edit_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    new = {**transformed(SHAPES["old"]), "characters": {"characters": [{"id": "fox"}]}}
    assert inverted(new)[ASIDE] is new
    monkeypatch.setattr(reversible, "same", lambda one, other: True)
    assert_same(inverted(new), SHAPES["old"])


def test_an_edit_that_travelled_is_not_taken_for_what_was_just_made() -> None:
    new = {**transformed(SHAPES["old"]), "characters": {"characters": [{"id": "fox"}]}}
    row = manga.row(inverted(new))
    assert row["script_data"][ASIDE] is new
    assert MIGRATION.inverse({**row, **MIGRATION.transform(row)}) == {"script_data": row["script_data"]}
    assert MIGRATION.inverse({**row, **MIGRATION.transform({**row, "script_data": new})})["script_data"][ASIDE] is new


def test_what_was_just_made_is_made_anew_for_another_row() -> None:
    row = manga.row(SHAPES["old"])
    new = MIGRATION.transform(row)
    assert_same(MIGRATION.inverse({**row, **new})["script_data"], SHAPES["old"])
    new = MIGRATION.transform(row)
    other = MIGRATION.inverse({**row, **new, "title": "Another", "updated_at": "2026-01-01 00:00:00+00"})
    assert other["script_data"][ASIDE] is new["script_data"]  # of that row it would have been another document


def test_what_an_old_program_edits_is_shown_and_the_rest_stays() -> None:
    new = transformed(SHAPES["old"])
    new = {**new, "characters": {"characters": [{"id": "fox"}]}, "theme": "ink"}
    old = inverted(new)
    assert_same(old["chapters"], manga.story())  # the text is still theirs

    again = transformed({**old, "chapters": [manga.chapter(name="A new one")]})
    assert again["script"]["content"] == "PAGE 1:\n\nCHAPTER 1: A new one\nABOUT: They meet.\n"
    assert again["characters"]["characters"] == [{"id": "fox"}]
    assert again["script"]["stats"]["chapters"] == 1


def test_an_edited_text_reaches_the_chapters() -> None:
    new = transformed(SHAPES["old"])
    text = new["script"]["content"].replace("[FOX]: Wait!", "[FOX]: Stay!")
    old = inverted({**new, "script": {**new["script"], "content": text}})
    before, after = manga.story(), old["chapters"]
    assert after[0]["scenes"][0]["panels"][1]["dialogues"][0] == {
        **before[0]["scenes"][0]["panels"][1]["dialogues"][0],
        "text": "Stay!",
    }
    after[0]["scenes"][0]["panels"][1]["dialogues"][0]["text"] = "Wait!"
    assert_same(after, before)


def test_chapters_are_kept_and_shown() -> None:
    new = transformed(SHAPES["old"])
    script = new["script"]
    assert_same(script["chapters"], manga.story())
    assert script["title"] == "Tales"
    assert script["lastModified"] == new["metadata"]["lastModified"] == "2025-01-21T14:32:15.123Z"
    assert script["content"] == chapters.render(manga.story())
    parsed = grammar.parse(script["content"])
    assert (script["stats"], script["fileTree"]) == (parsed.stats, parsed.file_tree)
    counted = {key: script["stats"][key] for key in ("pages", "chapters", "panels", "dialogues")}
    assert counted == {"pages": 2, "chapters": 2, "panels": 3, "dialogues": 4}
    assert new["metadata"]["legacy"] == {}


@pytest.mark.parametrize("name", ["plain sql", "strategy", "array", "both, no text"])
def test_chapters_that_were_empty_to_the_editor_show_again(name: str) -> None:
    script = transformed(SHAPES[name])["script"]
    assert_same(script["chapters"], manga.story())
    assert script["content"] == chapters.render(manga.story())


def test_a_text_is_not_replaced_by_chapters() -> None:
    script = transformed(SHAPES["both"])["script"]
    assert script["content"] == manga.saved()["script"]["content"]
    assert_same(script["chapters"], manga.story())


def test_what_the_editor_saved_stays_to_the_byte() -> None:
    assert transformed(SHAPES["saved"]) is SHAPES["saved"]
    assert inverted(SHAPES["saved"]) is SHAPES["saved"]


def test_the_documentation_shows_what_chapters_become() -> None:
    page = (manga.ROOT / "docs" / "migrations-manga.md").read_text("utf-8")
    first, _, _ = chapters.render(manga.story()).partition("\n\nPANEL 2:")
    assert f"```\n{first}\n```" in page


def test_unknown_keys_land_in_legacy() -> None:
    legacy = transformed(SHAPES["unknown keys"])["metadata"]["legacy"]
    assert legacy == {"theme": {"ink": "blue"}, "legacy": 1, "maquette_document": "?"}
    assert transformed({"chapters": "oops"})["metadata"]["legacy"] == {"chapters": "oops"}
    assert transformed(7)["metadata"]["legacy"] == 7


def test_missing_and_bare_sections_are_made_whole() -> None:
    new = transformed(SHAPES["bare arrays"])
    modified = "2025-01-21T14:32:15.123Z"
    assert new["characters"] == {"characters": [{"id": "owl"}], "lastModified": modified}
    assert new["assembly"] == {"pages": [{"id": "p1"}], "currentPage": 1, "totalPages": 1, "lastModified": modified}
    assert new["script"] == SHAPES["bare arrays"]["script"]
    half = transformed(SHAPES["half saved"])
    assert half["decors"]["decors"] == manga.saved()["decors"]["decors"]
    assert half["assembly"]["pages"] == []
    assert "decors" not in transformed(SHAPES["old"])


def test_times_are_as_browsers_write_them() -> None:
    metadata = transformed(SHAPES["strategy"])["metadata"]
    assert metadata["lastModified"] == "2025-03-01T00:00:00.000Z"
    assert metadata["migratedAt"] == "2025-03-01T08:30:00.000Z"
    assert metadata["legacy"]["metadata"] == SHAPES["strategy"]["metadata"]
    for updated_at, shown in [
        (None, "2025-01-01T08:00:00.000Z"),
        ("infinity", "2025-01-01T08:00:00.000Z"),
        ("2025-06-01 12:00:00", "2025-06-01T12:00:00.000Z"),
        ("2025-06-01 12:00:00.9999+05:30", "2025-06-01T06:30:00.999Z"),
    ]:
        assert transformed({}, updated_at=updated_at)["script"]["lastModified"] == shown
    assert transformed({}, updated_at=None, created_at=None)["script"]["lastModified"] is None


def test_the_model_refuses_what_the_editor_cannot_show() -> None:
    new = transformed(SHAPES["old"])
    for wrong in (
        {**new, "script": [], "x": 1},
        {**new, "chapters": []},
        {**new, ASIDE: {}},
        {key: value for key, value in new.items() if key != "assembly"},
        {**new, "characters": {"characters": {}}},
        {**new, "script": {**new["script"], "stats": {**new["script"]["stats"], "pages": "1"}}},
    ):
        with pytest.raises(ValidationError):
            MIGRATION.model.model_validate({"script_data": wrong})


def test_oddities_have_names() -> None:
    found = {name: sorted(MIGRATION.oddities(manga.row(document))) for name, document in SHAPES.items()}
    assert {name: odd for name, odd in found.items() if odd} == {
        "plain sql": ["metadata.lastModified is not as browsers write it", "script is an array of chapters"],
        "plain sql of nothing": ["metadata.lastModified is not as browsers write it", "script is an array of chapters"],
        "strategy": ["metadata.lastModified is not as browsers write it",
                     "metadata.migratedAt is not as browsers write it", "script holds chapters and no text"],
        "half saved": ["sections missing: assembly, metadata"],
        "bare arrays": ["assembly is no object: array", "characters is no object: array", "decors is no object: array"],
        "both": ["chapters beside sections"],
        "both, no text": ["chapters beside sections"],
        "unknown keys": ["an old document made of an edited new one", "unknown key: legacy", "unknown key: theme"],
        "somebody's legacy": ["chapters beside sections", "metadata.legacy is there"],
        "no list": ["chapters beside sections", "chapters is no array: string", "script is no object: string"],
        "array": ["not an object: array"],
        "null": ["not an object: null"],
        "scalar": ["not an object: number"],
        "empty": ["no chapters and no sections"],
    }  # fmt: skip
    assert list(MIGRATION.oddities(manga.row(SHAPES["default"], updated_at=None))) == ["no updated_at"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manga.anything(), manga.anything())
def test_oddities_and_lacks_are_told_of_anything(one: Any, other: Any) -> None:
    assert all(isinstance(each, str) for each in MIGRATION.oddities(manga.row(one)))
    assert all(isinstance(each, str) for each in MIGRATION.lacks(manga.row(one), manga.row(other)))
    assert MIGRATION.lacks(manga.row(one), manga.row(one)) == []


def test_what_a_duplicate_holds_alone_is_named() -> None:
    survivor, loser = {"chapters": manga.story()}, {"chapters": manga.story(), "characters": [{"id": "cat"}]}
    loser["chapters"][0]["scenes"][0]["panels"][0]["description"] = "A boat."
    loser["chapters"].append(manga.chapter(name="Lost"))
    assert MIGRATION.lacks(manga.row(survivor), manga.row(loser)) == [
        "panel panel-1-1 (differs)",
        "chapter chapter-Lost",
        "character cat",
    ]
    assert MIGRATION.lacks(manga.row(loser), manga.row(survivor)) == ["panel panel-1-1 (differs)"]
    # The same chapters in two shapes are the same content; a text is content of its own.
    assert MIGRATION.lacks(manga.row(manga.by_plain_sql()), manga.row(survivor)) == []
    assert MIGRATION.lacks(manga.row(survivor), manga.row(manga.saved())) == [
        "script text", "character owl", "decor bridge",
    ]  # fmt: skip


def test_large_and_deep_documents() -> None:
    panels = [{**manga.panel(n, "Hm. " * 9), "timing": 2} for n in range(1, 10_000)]
    large = {"chapters": [manga.chapter(manga.scene(*panels))]}
    assert len(exact.dumps(large)) > 5_000_000
    assert_laws(large)
    deep: Any = []
    for _ in range(240):
        deep = [deep]
    assert_laws({"chapters": [{"scenes": deep}], "x": deep})


def test_somebody_was_at_the_marks() -> None:
    new = transformed(SHAPES["plain sql"])
    for mark in (
        {"name": "manga_scripts", "kept": ["nothing"], "moved": {}},
        {"name": "manga_scripts", "kept": 3, "moved": {}},
        {"name": "manga_scripts", "kept": [], "moved": []},
        {"name": "manga_scripts", "kept": [], "moved": {"/script/absent": "/script/chapters"}},
        {"name": "manga_scripts", "kept": [], "moved": {"/script/chapters": "/a/b/c"}},
        {"name": "another", "kept": [], "moved": {}},
    ):
        changed = deepcopy(new)
        changed["metadata"]["migration"] = mark
        assert_same(transformed(inverted(changed)), changed)


@pytest.mark.skipif(not manga.REAL.is_dir(), reason="the editor's own files are not at hand")
def test_the_editors_own_samples() -> None:
    samples = json.loads((manga.REAL / "script_data_shapes.SYNTHETIC.json").read_text("utf-8"))
    del samples["note"]
    assert len(samples) == 4
    for name, document in samples.items():
        assert_laws(document)
        assert transformed(document)["script"]["stats"]["panels"] == (2 if name.startswith("new") else 1)
