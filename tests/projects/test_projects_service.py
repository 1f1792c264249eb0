"""Saves on a real database: every version that was overwritten stays as it was, and nobody's work is lost."""

from typing import Any
from uuid import uuid4

import orjson
import pytest
import sqlalchemy as sa

from maquette.db.engine import Database
from maquette.errors import Conflict, InvalidInput, NotFound
from maquette.projects import repository
from maquette.projects.models import Stale, StoredScript
from maquette.projects.service import FORGET_EVERY, Projects
from maquette.settings import Settings


def whole(script: StoredScript) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(script.document)
    return found


def loaded(projects: Projects, name: str) -> dict[str, Any]:
    return whole(projects.load(name)[0])


def stale_of(refused: pytest.ExceptionInfo[Conflict]) -> Stale:
    found = refused.value.values["stale"]
    assert refused.value.code == "version_conflict" and isinstance(found, Stale)
    return found


def test_a_save_touches_only_the_sections_that_it_brings(projects: Projects, name: str) -> None:
    projects.save(name, {"charactersData": [{"id": "c"}], "decorsData": [{"id": "d"}]})
    after = projects.save(name, {"assemblyData": {"pages": [], "canvasState": {"zoom": 25}}, "novelData": {"a": [1]}})
    found = whole(after.script)
    assert (after.changed, after.merged, after.script.version) == (["assembly", "novel"], [], 2)
    assert found["characters"]["characters"] == [{"id": "c"}] and found["decors"]["decors"] == [{"id": "d"}]
    assert found["assembly"]["canvasState"] == {"zoom": 25} and found["novel"]["a"] == [1]
    assert loaded(projects, name) == found
    assert found["metadata"]["version"] == 2


def test_an_assembly_without_a_canvas_keeps_the_one_that_is_there(projects: Projects, name: str) -> None:
    first = projects.save(name, {"assemblyData": {"pages": [], "canvasState": {"zoom": 25}}}).script.version
    after = projects.save(name, {"assemblyData": {"pages": [{"id": "p"}], "lastModified": "then"}}, expected=first)
    found = whole(after.script)["assembly"]
    assert found == {"pages": [{"id": "p"}], "canvasState": {"zoom": 25}, "lastModified": "then"}
    assert projects.save(name, {"assemblyData": {"pages": [{"id": "p"}]}}).changed == []
    cleared = projects.save(name, {"assemblyData": {"pages": [], "canvasState": None}})
    assert whole(cleared.script)["assembly"]["canvasState"] is None


def test_the_title_is_the_scripts_and_stays_where_no_script_comes(projects: Projects, name: str) -> None:
    assert projects.save(name, {"scenesData": []}).script.title == "Script Sans Titre"
    assert projects.save(name, {"scriptData": {"content": "x", "title": "Tokyo"}}).script.title == "Tokyo"
    assert projects.save(name, {"scenesData": [1]}).script.title == "Tokyo"
    assert projects.save(name, {"scriptData": {"content": "y"}}).script.title == "Script Sans Titre"


def test_what_is_there_already_makes_no_version(projects: Projects, name: str) -> None:
    projects.load(name)
    as_it_came = loaded(projects, name)
    sent = {f"{section}Data": value for section, value in as_it_came.items() if section != "metadata"}
    assert projects.save(name, {**sent, "metadata": as_it_came["metadata"]}).script.version == 1
    body = {"scriptData": {"content": "PAGE 1:", "lastModified": "then"}, "charactersData": [{"a": 1, "b": 2.5}]}
    first = projects.save(name, body)
    again = projects.save(
        name, {"scriptData": {"content": "PAGE 1:", "lastModified": "now"}, "charactersData": [{"b": 2.5, "a": 1}]}
    )
    assert (again.script.version, again.changed, again.script.document) == (2, [], first.script.document)
    assert again.saved_at > first.saved_at
    assert [each.version for each in projects.versions(name).items] == [2, 1]


def test_without_a_version_the_last_save_wins_and_the_overwritten_one_stays(projects: Projects, name: str) -> None:
    for text in ("one", "two", "three"):
        projects.save(name, {"scriptData": {"content": text, "title": text}})
    assert loaded(projects, name)["script"]["content"] == "three"
    _, old = projects.version(name, 2)
    assert orjson.loads(old)["script"]["content"] == "two"
    assert [each.title for each in projects.versions(name).items] == ["three", "two", "one"]


def test_sections_that_only_one_side_changed_are_brought_together(projects: Projects, name: str) -> None:
    projects.save(name, {"scriptData": {"content": "a"}, "charactersData": []})
    base = loaded(projects, name)
    projects.save(name, {"charactersData": [{"id": "theirs"}], "decorsData": [1]}, expected=1)
    mine = {"scriptData": {**base["script"], "content": "mine"}, "charactersData": base["characters"]["characters"]}
    after = projects.save(name, mine, expected=1)
    found = whole(after.script)
    assert (after.changed, after.merged, after.script.version) == (["script"], ["characters", "decors"], 3)
    assert found["script"]["content"] == "mine" and found["characters"]["characters"] == [{"id": "theirs"}]


def test_a_conflict_saves_nothing_and_shows_both_sides(projects: Projects, name: str) -> None:
    projects.save(name, {"scriptData": {"content": "a"}})
    projects.save(name, {"scriptData": {"content": "theirs"}})
    before = loaded(projects, name)
    with pytest.raises(Conflict) as refused:
        projects.save(name, {"scriptData": {"content": "mine"}, "scenesData": [1]}, expected=1)
    stale = stale_of(refused)
    assert (stale.conflicting, stale.mergeable, stale.base_version) == (["script"], ["scenes"], 1)
    assert whole(stale.current) == before == loaded(projects, name)
    yours = orjson.loads(stale.yours)
    assert yours["script"]["content"] == "mine" and yours["scenes"] == {"scenes": [1]}
    assert '"2"' in str(refused.value)


@pytest.mark.parametrize("expected", [0, 7])
def test_a_base_that_nobody_knows_is_in_conflict_with_all_that_differs(
    projects: Projects, name: str, expected: int
) -> None:
    projects.save(name, {"scriptData": {"content": "a"}, "scenesData": [1]})
    with pytest.raises(Conflict) as refused:
        projects.save(name, {"scriptData": {"content": "b"}, "scenesData": [1]}, expected=expected)
    assert stale_of(refused).conflicting == ["script"]
    assert projects.save(name, {"scriptData": {"content": "a"}}, expected=expected).changed == []


def test_a_client_that_knows_a_version_of_a_project_that_is_gone_may_save_it(projects: Projects, name: str) -> None:
    assert projects.save(name, {"scriptData": {"content": "a"}}, expected=12).script.version == 1


def test_a_version_comes_back_whole_and_what_it_replaces_stays(projects: Projects, name: str) -> None:
    projects.save(name, {"scriptData": {"content": "a", "title": "A"}})
    projects.save(name, {"scriptData": {"content": "b"}, "scenesData": [1], "novelData": {"c": 1}})
    after = projects.restore(name, 1, expected=2)
    found = whole(after.script)
    assert (after.script.version, after.script.title, after.changed) == (3, "A", ["script", "scenes", "novel"])
    assert found["script"]["content"] == "a" and found["scenes"] == {"scenes": []} and "novel" not in found
    assert projects.versions(name).items[0].restored_from == 1
    assert whole(projects.restore(name, 2).script)["novel"]["c"] == 1
    assert projects.restore(name, 4).changed == [], "it is there already"


def test_restoring_over_somebody_elses_save_is_refused(projects: Projects, name: str) -> None:
    for text in ("a", "b", "c"):
        projects.save(name, {"scriptData": {"content": text}})
    with pytest.raises(Conflict) as refused:
        projects.restore(name, 1, expected=2)
    assert stale_of(refused).conflicting == ["script"]
    assert loaded(projects, name)["script"]["content"] == "c"


def test_a_comparison_tells_what_was_added_removed_and_changed(projects: Projects, name: str) -> None:
    projects.save(name, {"charactersData": [{"id": 1}, {"id": 2}], "scriptData": {"content": "a", "note": 1}})
    projects.save(
        name, {"charactersData": [{"id": 2}], "scriptData": {"content": "b", "note": 1}, "novelData": {"c": 1}}
    )
    told = {each.section: each.operations for each in projects.diff(name, 1, 2)}
    assert told == {
        "script": [{"op": "replace", "path": "/script/content", "value": "b"}],
        "characters": [{"op": "remove", "path": "/characters/characters/0"}],
        "novel": [{"op": "add", "path": "/novel", "value": {"c": 1}}],
    }
    assert projects.diff(name, 2, 2) == []
    assert [each["op"] for each in projects.diff(name, 2, 1)[2].operations] == ["remove"]


def test_what_is_not_there_is_not_found(projects: Projects, name: str) -> None:
    for call in (lambda: projects.versions(name), lambda: projects.version(name, 1), lambda: projects.restore(name, 1)):
        with pytest.raises(NotFound) as missing:
            call()
        assert missing.value.code == "project_not_found"
    projects.save(name, {})
    for again in (
        lambda: projects.version(name, 2),
        lambda: projects.restore(name, 2),
        lambda: projects.diff(name, 1, 2),
    ):
        with pytest.raises(NotFound) as missing:
            again()
        assert missing.value.code == "project_version_not_found"


@pytest.mark.parametrize("name", ["", "  ", "undefined", "null"])
def test_a_project_needs_an_id(projects: Projects, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        projects.save(name, {})
    assert refused.value.code == "project_id_required"


@pytest.mark.parametrize("name", ["a/b", "a\0b", "a\nb", "x" * 201, "\u202e"])
def test_what_cannot_be_an_id_is_refused(projects: Projects, name: str) -> None:
    with pytest.raises(InvalidInput, match="a project's id"):
        projects.load(name)


def test_an_id_is_any_text_and_a_uuid_is_one_however_it_is_written(projects: Projects) -> None:
    one = uuid4()
    assert projects.load(str(one).upper())[1] and not projects.load(str(one))[1]
    assert projects.load(f"Tokyo Rain é {one}")[1] and projects.load(f"tokyo rain é {one}")[1]


def test_a_failed_save_leaves_nothing(projects: Projects, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    projects.save(name, {"scriptData": {"content": "a"}})
    advance = repository.advance

    def fail(*args: Any, **values: Any) -> None:
        advance(*args, **values)
        raise OSError("the power went")

    monkeypatch.setattr(repository, "advance", fail)
    with pytest.raises(OSError, match="power"):
        projects.save(name, {"scriptData": {"content": "b"}})
    assert loaded(projects, name)["script"]["content"] == "a"
    assert len(projects.versions(name).items) == 1


def test_old_versions_go_and_take_with_them_what_no_other_has(shared: Database, name: str) -> None:
    kept = 3
    projects = Projects(shared, Settings(project_versions_kept=kept))
    projects.save(name, {"charactersData": [{"id": "always"}]})
    last = 2 * FORGET_EVERY
    for number in range(2, last + 1):
        projects.save(name, {"scriptData": {"content": str(number)}})
    assert [each.version for each in projects.versions(name).items] == list(range(last, last - kept - 1, -1))
    for number in range(last - kept, last + 1):
        found = orjson.loads(projects.version(name, number)[1])
        assert (found["script"]["content"], found["characters"]["characters"]) == (str(number), [{"id": "always"}])
    with shared.begin() as session:
        contents = sa.text(
            "SELECT count(*) FROM project_sections JOIN project_scripts ON id = script_id WHERE project_id = :name"
        )
        assert session.execute(contents, {"name": name}).scalar_one() == kept + 2, "the texts, and the characters once"
    with pytest.raises(Conflict) as refused:
        projects.save(name, {"scriptData": {"content": "late"}, "charactersData": []}, expected=2)
    assert stale_of(refused).conflicting == ["script", "characters"]


def test_pages_hold_every_project_and_every_version_once(shared: Database) -> None:
    projects = Projects(shared, Settings())
    names = [str(uuid4()) for _ in range(5)]
    for name in names:
        projects.save(name, {})
    for number in range(4):
        projects.save(names[0], {"scenesData": [number]})
    listed, cursor = [], None
    while True:
        page = projects.page(cursor=cursor, limit=2)
        listed += [each.project_id for each in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert len(listed) == len(set(listed)) and [each for each in listed if each in names] == [names[0], *names[:0:-1]]
    first = projects.versions(names[0], limit=3)
    rest = projects.versions(names[0], limit=3, cursor=first.next)
    assert [each.version for each in (*first.items, *rest.items)] == [5, 4, 3, 2, 1] and rest.next is None
    for wrong in ("0", "x", "-1", "1.5"):
        with pytest.raises(InvalidInput, match="cursor"):
            projects.versions(names[0], cursor=wrong)
