"""The editor's calls over real sockets: what it sends, what it reads, and what it is told when something is wrong."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import httpx
import jsonpatch
import pytest
from pydantic import SecretStr

from maquette.api import project_examples as examples
from maquette.api.projects import SAVES_AT_ONCE
from maquette.db.engine import Database
from maquette.settings import Settings
from tests.api.rig import Rig, served

TEXT = "PAGE 1:\n\nCHAPTER 1: Le réveil\n\nPANEL 1:\n(Tokyo, la nuit.)\n[AKIRA]: Il est encore temps.\n"
BODY: dict[str, Any] = {
    "scriptData": {"content": TEXT, "title": "Tokyo Rain", "stats": {}, "fileTree": [], "lastModified": "2025-01-21"},
    "charactersData": [{"id": "ch-1", "name": "AKIRA", "traits": ["calme"], "relationships": {}}],
    "backgroundsData": [],
    "decorsData": [{"id": "dc-1", "name": "Toit", "image_url": None}],
    "scenesData": [],
    "assemblyData": {"pages": [], "currentPage": 1, "totalPages": 0, "canvasState": {"zoom": 25, "showGrid": True}},
}
ERROR = {"detail", "code", "ok", "error", "message"}


@pytest.fixture
def project() -> str:
    """The path of a project that nobody has saved."""
    return f"/api/projects/{uuid4()}"


def save(client: httpx.Client, project: str, body: object, **headers: str) -> httpx.Response:
    return client.post(
        f"{project}/save-all", json=body, headers={name.replace("_", "-"): headers[name] for name in headers}
    )


def told(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and the editor's own word of an error in the form of all others."""
    body = answer.json()
    assert set(body) >= ERROR and body["ok"] is False and body["message"] == body["detail"]
    return answer.status_code, body["code"], body["error"]


def test_a_save_answers_with_the_row_and_a_load_with_the_document(shared: httpx.Client, project: str) -> None:
    answer = save(shared, project, BODY)
    assert answer.status_code == 200 and answer.headers["ETag"] == '"1"'
    body = answer.json()
    assert list(body) == ["success", "data", "savedAt", "message", "changed", "merged"]
    assert (body["success"], body["message"]) == (True, "Sauvegarde réussie")
    row = body["data"]
    assert list(row) == [
        "id", "project_id", "user_id", "title", "description", "script_data", "version", "created_at", "updated_at",
    ]  # fmt: skip
    assert (row["project_id"], row["title"], row["version"]) == (project.rsplit("/", 1)[1], "Tokyo Rain", 1)
    assert UUID(row["id"]) and UUID(row["user_id"]).int == 0 and body["savedAt"].endswith("Z")
    document = row["script_data"]
    assert {"script", "characters", "backgrounds", "scenes", "assembly", "metadata"} <= set(document)
    assert document["script"]["stats"] == {
        "pages": 1, "panels": 1, "chapters": 1, "words": 16, "characters": 88, "dialogues": 1,
    }  # fmt: skip
    assert document["script"]["fileTree"][0]["id"] == "page-1"
    assert document["decors"]["decors"] == BODY["decorsData"], "which the server before this one lost"
    assert document["assembly"]["canvasState"] == BODY["assemblyData"]["canvasState"]
    assert document["metadata"]["version"] == 1 and document["metadata"]["savedBy"] == row["user_id"]

    loaded = shared.get(f"{project}/load-all")
    assert loaded.headers["ETag"] == '"1"'
    assert loaded.json() == {"success": True, "data": document, "updatedAt": row["updated_at"], "isNew": False}


def test_a_project_that_is_not_there_is_made_by_the_first_load(shared: httpx.Client, project: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = [each.json() for each in pool.map(lambda _: shared.get(f"{project}/load-all"), range(20))]
    assert sorted(each["isNew"] for each in answers) == [False] * 19 + [True]
    assert all(each["data"] == answers[0]["data"] for each in answers)
    document = answers[0]["data"]
    assert document["metadata"].keys() == {"version", "createdAt"} and document["script"]["content"] == ""
    project_id = project.rsplit("/", 1)[1]
    [listed] = [each for each in shared.get("/api/projects").json()["items"] if each["projectId"] == project_id]
    assert (listed["title"], listed["version"]) == ("Untitled Script", 1)


@pytest.mark.parametrize("field", ["projectId", "project_id", "id"])
def test_a_save_may_name_its_project_in_the_body(shared: httpx.Client, field: str) -> None:
    project_id = str(uuid4())
    answer = shared.post("/api/save-all", json={field: project_id, **BODY})
    assert answer.status_code == 200 and answer.json()["data"]["project_id"] == project_id


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/save-all", {}), ("POST", "/api/save-all", {"projectId": None}),
        ("POST", "/api/save-all", {"projectId": "", "id": 0}), ("POST", "/api/projects//save-all", {}),
        ("POST", "/api/projects/undefined/save-all", {}), ("POST", "/api/projects/%20/save-all", {}),
        ("GET", "/api/projects//load-all", None), ("GET", "/api/projects/null/load-all", None),
    ],
)  # fmt: skip
def test_without_a_project_the_editor_reads_its_own_words(
    shared: httpx.Client, method: str, path: str, body: object
) -> None:
    answer = shared.request(method, path, json=body)
    assert told(answer) == (400, "project_id_required", "Project ID requis")
    assert answer.json()["detail"] == "Project ID requis"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/projects/p/save-all"), ("PUT", "/api/projects/p/save-all"), ("POST", "/api/projects/p/load-all"),
     ("DELETE", "/api/projects/p/load-all"), ("GET", "/api/save-all"), ("PATCH", "/api/save-all"),
     ("PUT", "/api/projects")],
)  # fmt: skip
def test_another_method_is_not_allowed_in_the_editors_words(shared: httpx.Client, method: str, path: str) -> None:
    assert told(shared.request(method, path)) == (405, "method_not_allowed", "Method not allowed")


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (rb'{"scriptData": {"content": "a\u0000"}}', "unstorable_character", "/scriptData/content"),
        (rb'{"decorsData": [{"name": "\ud83d"}]}', "unstorable_character", "/decorsData/0/name"),
        (b'{"scriptData": ' + b"[" * 300 + b"]" * 300 + b"}", "invalid_input", "levels deep"),
        (b'{"scenesData": [1e999]}', "invalid_input", "/scenesData/0"),
        (b'{"scriptData": "text"}', "invalid_input", "/scriptData"),
        (b'{"metadata": {"version": "new"}}', "invalid_input", "ETag"),
        (b'{"scriptData": {', "invalid_json", "JSON"),
        (b"[]", "invalid_json", "JSON"),
        (b"", "invalid_json", "JSON"),
    ],
)
def test_what_cannot_be_kept_is_told_with_its_place_and_saves_nothing(
    shared: httpx.Client, project: str, body: bytes, code: str, words: str
) -> None:
    save(shared, project, BODY)
    answer = shared.post(f"{project}/save-all", content=body)
    assert told(answer) == (400, code, code)
    assert words in answer.json()["detail"]
    assert shared.get(f"{project}/versions").json()["items"][0]["version"] == 1


@pytest.mark.parametrize("body", [{"chapters": [{"id": "c", "title": "Nuit"}]}, {"scriptData": [{"title": "Nuit"}]},
                                  {"scriptData": {"chapters": [{"title": "Nuit"}]}}])  # fmt: skip
def test_the_shapes_of_older_clients_are_kept_and_can_be_edited(
    shared: httpx.Client, project: str, body: dict[str, Any]
) -> None:
    assert save(shared, project, body).status_code == 200
    script = shared.get(f"{project}/load-all").json()["data"]["script"]
    assert script["chapters"][0]["title"] == "Nuit" and "Nuit" in script["content"]
    assert save(shared, project, {"scriptData": {**script, "content": TEXT}}).status_code == 200
    assert shared.get(f"{project}/load-all").json()["data"]["script"]["chapters"] == script["chapters"]


@pytest.mark.parametrize("way", ["If-Match", "metadata", "version"])
def test_sections_of_two_clients_go_together_however_the_version_is_named(
    shared: httpx.Client, project: str, way: str
) -> None:
    save(shared, project, BODY)
    save(shared, project, {"charactersData": []}, If_Match='"1"')
    mine: dict[str, Any] = BODY | {"scriptData": BODY["scriptData"] | {"content": "PAGE 1:"}}
    if way == "metadata":
        mine |= {"metadata": {"version": 1}}
    elif way == "version":
        mine |= {"version": 1}
    answer = save(shared, project, mine, **({"If_Match": '"1"'} if way == "If-Match" else {}))
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"3"')
    body = answer.json()
    assert (body["changed"], body["merged"]) == (["script"], ["characters"])
    document = body["data"]["script_data"]
    assert document["characters"]["characters"] == [] and document["script"]["content"] == "PAGE 1:"


def test_a_stale_save_answers_with_both_sides(shared: httpx.Client, project: str) -> None:
    save(shared, project, BODY)
    save(shared, project, {"scriptData": {"content": "theirs"}})
    mine = {"scriptData": {"content": "mine"}, "decorsData": []}
    answer = save(shared, project, mine, If_Match='"1"', Accept_Language="en")
    assert told(answer) == (409, "version_conflict", "version_conflict")
    assert answer.headers["ETag"] == '"2"'
    body = answer.json()
    assert "script" in body["detail"] and "changed meanwhile" in body["detail"]
    assert set(body) - ERROR == {"current", "yours", "baseVersion", "conflictingSections", "mergeableSections"}
    assert (body["conflictingSections"], body["mergeableSections"], body["baseVersion"]) == (["script"], ["decors"], 1)
    assert body["current"]["version"] == 2 and body["current"]["data"]["script"]["content"] == "theirs"
    assert body["yours"]["version"] == 1 and body["yours"]["data"]["script"]["content"] == "mine"
    assert body["yours"]["data"]["decors"] == {"decors": []}
    # What it says is what to do next.
    again = save(shared, project, mine, If_Match=answer.headers["ETag"])
    assert (again.status_code, again.json()["changed"]) == (200, ["script", "decors"])


def test_versions_are_listed_read_compared_and_brought_back(shared: httpx.Client, project: str) -> None:
    documents = [save(shared, project, BODY).json()["data"]["script_data"]]
    change = {
        "charactersData": [*BODY["charactersData"], {"id": "ch-2"}],
        "scriptData": {"content": "PAGE 1:\nPAGE 2:"},
    }
    documents.append(save(shared, project, change).json()["data"]["script_data"])
    page = shared.get(f"{project}/versions", params={"limit": 1}).json()
    assert [(each["version"], each["changed"]) for each in page["items"]] == [(2, ["script", "characters"])]
    page = shared.get(f"{project}/versions", params={"cursor": page["next"]}).json()
    assert [each["version"] for each in page["items"]] == [1] and page["next"] is None
    read = shared.get(f"{project}/versions/1").json()
    assert read["data"] == documents[0] and read["title"] == "Tokyo Rain"

    diff = shared.get(f"{project}/versions/1/diff/2").json()
    assert (diff["from"], diff["to"], [each["section"] for each in diff["sections"]]) == (
        1,
        2,
        ["script", "characters"],
    )
    assert diff["sections"][0]["changed"] == ["/script/content"]
    assert diff["sections"][0]["removed"] == ["/script/title"]
    assert diff["sections"][1]["added"] == ["/characters/characters/1"]
    patched = jsonpatch.apply_patch(documents[0], [step for each in diff["sections"] for step in each["patch"]])
    for section, field in (("script", "content"), ("characters", "characters")):
        assert patched[section][field] == documents[1][section][field]

    assert told(shared.post(f"{project}/versions/1/restore", headers={"If-Match": '"1"'}))[:2] == (
        409,
        "version_conflict",
    )
    answer = shared.post(f"{project}/versions/1/restore", headers={"If-Match": '"2"'})
    assert (answer.status_code, answer.headers["ETag"], answer.json()["data"]["version"]) == (200, '"3"', 3)
    restored = answer.json()["data"]["script_data"]
    assert {**restored, "metadata": None} == {**documents[0], "metadata": None}
    assert shared.get(f"{project}/versions").json()["items"][0]["restoredFrom"] == 1


def test_what_is_not_there_is_said_so(shared: httpx.Client, project: str) -> None:
    assert told(shared.get(f"{project}/versions")) == (404, "project_not_found", "project_not_found")
    save(shared, project, {})
    for path in ("versions/9", "versions/1/diff/9"):
        assert told(shared.get(f"{project}/{path}"))[:2] == (404, "project_version_not_found")
    assert told(shared.post(f"{project}/versions/9/restore"))[:2] == (404, "project_version_not_found")
    assert told(shared.get(f"{project}/versions/0"))[:2] == (422, "invalid_input")
    assert told(shared.get("/api/projects", params={"cursor": "x"}))[:2] == (400, "invalid_input")


def test_a_deep_document_can_be_compared(shared: httpx.Client, project: str) -> None:
    deep = b"[" * 250 + b"]" * 250
    for body in (b'{"deepData": {}}', b'{"deepData": {"a": %b}}' % deep):
        assert shared.post(f"{project}/save-all", content=body).status_code == 200
    answer = shared.get(f"{project}/versions/1/diff/2")
    assert answer.status_code == 200 and deep in answer.content
    assert deep in shared.get(f"{project}/load-all").content


def test_the_examples_are_what_the_calls_take_and_answer(shared: httpx.Client) -> None:
    project = f"/api/projects/{uuid4()}"
    shared.get(f"{project}/load-all")
    save(shared, project, {"scriptData": {"content": "PAGE 1:"}})
    answer = save(shared, project, examples.SAVE)
    assert answer.status_code == 200

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(each) for key, each in value.items()}
        return [shape(each) for each in value] if isinstance(value, list) else type(value)

    for answered, example in (
        (answer, examples.SAVED),
        (shared.get(f"{project}/load-all"), examples.LOADED),
        (shared.get(f"{project}/versions/3"), examples.VERSION),
        (shared.get(f"{project}/versions/2/diff/3"), {**examples.DIFF, "sections": []}),
        (shared.get("/api/projects", params={"limit": 1}), {**examples.LIST, "next": ""}),
    ):
        found = answered.json()
        if "from" in found:
            assert [each["section"] for each in found["sections"]] == ["script", "characters"]
            assert found["sections"][1:] == examples.DIFF["sections"]
            found["sections"] = []
        assert shape(found) == shape(json.loads(json.dumps(example)))
    assert answer.json()["data"]["script_data"]["script"]["stats"] == examples.DOCUMENT["script"]["stats"]
    assert answer.json()["data"]["script_data"]["script"]["fileTree"] == examples.DOCUMENT["script"]["fileTree"]


@pytest.fixture(scope="module")
def guarded(shared_rig: Rig) -> Iterator[httpx.Client]:
    """A service with a token and small limits."""
    settings = Settings(
        home=shared_rig.videos.settings.home, api_token=SecretStr("t"), api_max_body_bytes=1_000,
        project_max_body_bytes=5_000,
    )  # fmt: skip
    with served(settings, shared_rig.database) as address, httpx.Client(base_url=address, timeout=10) as client:
        yield client


def test_without_the_token_the_editor_is_told_in_its_words(guarded: httpx.Client) -> None:
    for method, path in (("POST", "/api/projects/p/save-all"), ("GET", "/api/projects/p/load-all")):
        assert told(guarded.request(method, path)) == (401, "unauthorized", "Unauthorized")


def test_a_project_may_be_larger_than_other_bodies_up_to_its_own_limit(guarded: httpx.Client) -> None:
    headers = {"Authorization": "Bearer t"}
    body = {"projectId": str(uuid4()), "scriptData": {"content": "x" * 4_000}}
    for path in ("/api/save-all", f"/api/projects/{uuid4()}/save-all"):
        assert guarded.post(path, json=body, headers=headers).status_code == 200
        answer = guarded.post(path, json=body | {"scenesData": ["x" * 1_000]}, headers=headers)
        assert told(answer)[:2] == (413, "body_too_large") and "5000" in answer.json()["detail"]
    assert guarded.post("/api/packs", json=body, headers=headers).status_code == 413


def test_while_the_database_is_away_the_editor_is_told_in_its_words(tmp_path: Any) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nowhere")
    with served(Settings(home=tmp_path), nowhere) as address, httpx.Client(base_url=address) as client:
        assert told(client.get("/api/projects/p/load-all")) == (503, "stack", "Database error")
        assert told(client.post("/api/projects/p/save-all", json={})) == (503, "stack", "Database error")


def test_more_clients_than_turns_are_all_answered(shared: httpx.Client) -> None:
    project = f"/api/projects/{uuid4()}"
    clients = 5 * SAVES_AT_ONCE
    with ThreadPoolExecutor(clients) as pool:
        bodies = [{"scriptData": {"content": f"client {client}"}} for client in range(clients)]
        answers = list(pool.map(lambda body: save(shared, project, body), bodies))
    assert sorted(each.json()["data"]["version"] for each in answers) == list(range(1, clients + 1))
    read = [shared.get(f"{project}/versions/{number}").json() for number in range(1, clients + 1)]
    assert {each["data"]["script"]["content"] for each in read} == {f"client {client}" for client in range(clients)}
