"""Many clients of one project, and what its history says of all that they did."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any
from uuid import uuid4

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from maquette.db.engine import Database
from maquette.errors import Conflict
from maquette.projects import repository
from maquette.projects.service import Projects
from tests.projects.conftest import CLIENTS


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the calls answer or raise, all of them started together."""
    start = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def text_of(projects: Projects, name: str, version: int) -> str:
    found = orjson.loads(projects.version(name, version)[1])
    return str(found["script"]["content"])


def saying(projects: Projects, name: str, text: str, *, expected: int | None = None) -> Callable[[], Any]:
    """A save of that text."""
    return partial(projects.save, name, {"scriptData": {"content": text}}, expected=expected)


def test_twenty_clients_that_load_at_once_find_one_new_project(projects: Projects, name: str) -> None:
    answers = at_once([partial(projects.load, name)] * CLIENTS)
    assert sum(is_new for _, is_new in answers) == 1
    assert len({script.id for script, _ in answers}) == 1
    assert len(projects.versions(name).items) == 1


def test_twenty_clients_that_save_at_once_lose_no_save(projects: Projects, name: str) -> None:
    def save(client: int) -> list[int]:
        found = [
            projects.save(name, {"scriptData": {"content": f"{client}-{number}"}, f"client{client}Data": {"n": number}})
            for number in range(3)
        ]
        return [each.script.version for each in found]

    versions = at_once([partial(save, client) for client in range(CLIENTS)])
    assert all(own == sorted(own) for own in versions)
    numbers = range(1, 3 * CLIENTS + 1)
    assert sorted(chain(*versions)) == list(numbers), "each save its own version"
    texts = {text_of(projects, name, number) for number in numbers}
    assert texts == {f"{client}-{number}" for client in range(CLIENTS) for number in range(3)}
    found = orjson.loads(projects.load(name)[0].document)
    assert all(found[f"client{client}"]["n"] == 2 for client in range(CLIENTS))


def test_of_twenty_clients_on_one_base_one_wins_and_the_others_are_told(projects: Projects, name: str) -> None:
    saying(projects, name, "base")()
    answers = at_once([saying(projects, name, f"client {client}", expected=1) for client in range(CLIENTS)])
    refused = [each for each in answers if isinstance(each, Conflict)]
    assert len(refused) == CLIENTS - 1 and {each.code for each in refused} == {"version_conflict"}
    assert projects.load(name)[0].version == 2


def test_twenty_clients_on_one_base_with_a_section_each_are_all_brought_together(projects: Projects, name: str) -> None:
    saying(projects, name, "base")()
    calls = [
        partial(projects.save, name, {f"client{client}Data": {"n": client}}, expected=1) for client in range(CLIENTS)
    ]
    answers = at_once(calls)
    assert sorted(each.script.version for each in answers) == list(range(2, CLIENTS + 2))
    assert sorted(len(each.merged) for each in answers) == list(range(CLIENTS))
    found = orjson.loads(projects.load(name)[0].document)
    assert [found[f"client{client}"]["n"] for client in range(CLIENTS)] == list(range(CLIENTS))


def test_without_the_lock_two_saves_would_be_made_on_the_same_version(
    projects: Projects, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(projects, name, "base")()
    together = threading.Barrier(2)

    def unlocked(session: Any, project_id: str) -> Any:
        found = repository.get(session, project_id)
        together.wait()
        return found, found.updated_at

    monkeypatch.setattr(repository, "lock", unlocked)
    answers = at_once([saying(projects, name, text) for text in "ab"])
    assert sum(isinstance(each, IntegrityError) for each in answers) == 1, "the second of a version is refused"
    monkeypatch.undo()
    assert len(projects.versions(name).items) == 2


def test_a_project_has_one_script(shared: Database, projects: Projects, name: str) -> None:
    projects.load(name)
    again = sa.text(
        "INSERT INTO project_scripts (id, project_id, user_id, title, description, version, sections, updated_at)"
        " SELECT gen_random_uuid(), project_id, user_id, title, '', 1, '{}', now() FROM project_scripts"
        " WHERE project_id = :name"
    )
    with pytest.raises(IntegrityError), shared.begin() as session:
        session.execute(again, {"name": name})


bodies = st.dictionaries(
    st.sampled_from(["scriptData", "charactersData", "novelData"]),
    st.integers(0, 3).map(lambda value: {"content": value}),
)
steps = st.lists(
    st.tuples(st.just("save"), bodies, st.none() | st.integers(0, 8))
    | st.tuples(st.just("restore"), st.integers(1, 8), st.none()),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(steps=steps)
def test_the_history_replays_to_every_version(projects: Projects, steps: list[tuple[str, Any, int | None]]) -> None:
    """Against a model that keeps whole documents: what each version was, it still is, whatever came after it."""
    name = str(uuid4())
    history: list[dict[str, int]] = []
    for kind, what, expected in steps:
        if kind == "restore":
            if what <= len(history):
                projects.restore(name, what)
                if history[what - 1] != history[-1]:
                    history.append(history[what - 1])
            continue
        sent = {field.removesuffix("Data"): value["content"] for field, value in what.items()}
        current = history[-1] if history else {}
        base: dict[str, int] | None = current
        if history and expected is not None:
            base = [{}, *history][expected] if expected <= len(history) else None
        differing = {section for section in sent if sent[section] != current.get(section)}
        mine, theirs = differing, differing
        if base is not None:
            mine = {section for section in sent if sent[section] != base.get(section)}
            theirs = {section for section in {*current, *base} if current.get(section) != base.get(section)}
        clash = mine & theirs & differing
        try:
            saved = projects.save(name, what, expected=expected)
        except Conflict:
            assert clash
        else:
            assert not clash
            after = current | {section: sent[section] for section in mine & differing}
            if after != current or not history:
                history.append(after)
            assert saved.script.version == len(history)
        for number, document in enumerate(history, 1):
            found = orjson.loads(projects.version(name, number)[1])
            assert {section: found[section]["content"] for section in document} == document
            assert ("novel" in found) == ("novel" in document)
    if history:
        assert [each.version for each in projects.versions(name).items] == list(range(len(history), 0, -1))
