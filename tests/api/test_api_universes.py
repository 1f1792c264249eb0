"""Universes as clients of the time before drafts know them: found by name, read, changed, published, deleted."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from maquette.drafts.tables import Draft
from maquette.drafts.universe_data import merged
from tests.api.drafting import LANGUAGES, Studio, error, studio_of

NUMBERS = itertools.count(1)


@pytest.fixture
def name(studio: Studio) -> str:
    """A new universe's name."""
    return make(studio, f"Ma Jungle {next(NUMBERS)}")


def make(studio: Studio, name: str, theme: str = "jungle") -> str:
    answer = studio.client.post("/api/universes", json={"name": name, "theme": theme})
    assert (answer.status_code, answer.json()) == (200, {"message": f"Univers '{name}' créé"})
    return name


def call(studio: Studio, method: str, name: str, what: str = "", body: object = None, **more: Any) -> httpx.Response:
    return studio.client.request(method, f"/api/universes/{quote(name)}/{what}".rstrip("/"), json=body, **more)


def with_words(studio: Studio, name: str, *words: str) -> None:
    """Give it items without files."""
    assert call(studio, "POST", name, "prompts", {"words": words}).status_code == 200


def draft_of(studio: Studio, name: str) -> str:
    return next(str(each["draft_id"]) for each in studio.client.get("/api/drafts").json() if each["name"] == name)


def test_a_universe_is_a_draft_and_every_draft_a_universe(studio: Studio, name: str) -> None:
    folder = name.lower().replace(" ", "_")
    assert studio.client.get("/api/universes").json()[0] == {"name": name, "folder": folder}
    draft = studio.read(draft_of(studio, name))
    assert (draft["name"], draft["theme"], draft["status"]) == (name, "jungle", "draft")
    studio.create("Fait ailleurs")
    assert studio.client.get("/api/universes").json()[0] == {"name": "Fait ailleurs", "folder": "fait_ailleurs"}
    for known_as in (name, name.upper(), folder, folder.replace("_", "-"), draft["folder"], draft["draft_id"]):
        assert call(studio, "GET", known_as, "data").json()["description"] == name


def test_without_a_theme_the_name_is_the_theme(studio: Studio) -> None:
    assert studio.client.post("/api/universes", json={"name": "Les robots"}).status_code == 200
    assert call(studio, "GET", "les_robots", "data").json()["theme"] == "Les robots"


def test_a_name_that_is_taken_is_refused_and_one_without_letters_is_found(studio: Studio, name: str) -> None:
    again = studio.client.post("/api/universes", json={"name": name.lower().replace(" ", "-")})
    assert error(again) == (400, "universe_exists")
    assert again.json()["detail"].endswith("already exists")
    make(studio, "🦁🦁")
    assert call(studio, "GET", "🦁🦁", "data").json()["description"] == "🦁🦁"


def test_a_universe_that_many_create_at_once_is_one(studio: Studio) -> None:
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: studio.client.post("/api/universes", json={"name": "Course"}), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 5]
    assert [each["name"] for each in studio.client.get("/api/universes").json()].count("Course") == 1


def test_of_several_drafts_with_one_slug_the_one_changed_last_is_meant(studio: Studio) -> None:
    first, second = studio.create("Twins", theme="farm"), studio.create("twins", theme="ocean")
    assert call(studio, "GET", "Twins", "data").json()["theme"] == "ocean"
    assert studio.client.patch(f"/api/drafts/{first}", json={"description": "newer"}).status_code == 200
    assert call(studio, "GET", "Twins", "data").json()["theme"] == "farm"
    listed = {
        each["folder"] for each in studio.client.get("/api/universes").json() if each["name"] in ("Twins", "twins")
    }
    assert listed == {"twins", f"twins-{second}"}
    assert call(studio, "GET", f"twins-{second}", "data").json()["theme"] == "ocean"


def test_a_migrated_universe_keeps_its_folder(studio: Studio) -> None:
    draft_id = studio.create("Véhicules")
    with studio.drafts.database.begin() as session:
        draft = session.get(Draft, draft_id)
        assert draft is not None
        draft.source = "legacy:/old/univers/Véhicules_de_Chantier"
    assert studio.client.get("/api/universes").json()[0]["folder"] == "Véhicules_de_Chantier"
    for known_as in ("véhicules de chantier", "Véhicules_de_Chantier", "vehicules"):
        assert call(studio, "GET", known_as, "color").status_code == 200, known_as
    assert error(call(studio, "GET", "chantier", "color")) == (404, "universe_not_found")


@pytest.mark.parametrize(
    ("method", "what", "detail"),
    [
        ("GET", "prompts", "Prompts not found"),
        ("PATCH", "prompts", "Prompts not found"),
        ("POST", "prompts", "Prompts not found"),
        ("POST", "regenerate-prompts", "Prompts not found"),
        ("GET", "data", "Data not found"),
        ("PATCH", "data", "Data not found"),
        ("PUT", "color?color=%23112233", "Universe not found"),
        ("GET", "color", "Universe not found"),
        ("DELETE", "", "Universe not found"),
        ("POST", "publish", "Universe not found"),
        ("POST", "sync-from-db", "Universe not found"),
        ("POST", "rename-media", "Universe not found"),
        ("GET", "assets", "Universe not found"),
        ("GET", "music-prompts/fr", "Universe not found"),
        ("POST", "lyrics/generate", "Universe not found"),
        ("POST", "translations/generate", "Universe not found"),
        ("POST", "images/prompts/generate", "Universe not found"),
        ("POST", "videos/prompts/generate", "Universe not found"),
    ],
)
def test_what_is_not_there_is_told_in_english(studio: Studio, method: str, what: str, detail: str) -> None:
    for nobody in ("nobody", "no\x00body", "%"):
        headers = {"accept-language": "es"}
        answer = call(studio, method, nobody, what, {}, headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (404, detail)
        assert error(answer)[1].endswith("_not_found")


def test_the_color_is_checked_and_shown(studio: Studio, name: str) -> None:
    assert call(studio, "GET", name, "color").json() == {"color": None, "background_color": None}
    saved = call(studio, "PUT", name, "color", params={"color": "#A1b2C3"})
    assert (saved.status_code, saved.json()["color"]) == (200, "#A1b2C3")
    assert call(studio, "GET", name, "color").json()["color"] == "#A1b2C3"
    assert call(studio, "GET", name, "data").json()["background_color"] == "#A1b2C3"
    for wrong in ("red", "#12345", "#1234567", "112233", "", "#12345g", "#12345٣"):
        answer = call(studio, "PUT", name, "color", params={"color": wrong})
        assert (answer.status_code, answer.json()["detail"]) == (400, "Invalid color format"), wrong
        answer = call(studio, "PATCH", name, "data", {"background_color": wrong})
        assert (answer.status_code, answer.json()["detail"]) == (400, "Invalid color format"), wrong
    assert call(studio, "GET", name, "color").json()["color"] == "#A1b2C3"


def test_prompts_are_saved_by_position_and_shown_as_they_are_made_from(studio: Studio, name: str) -> None:
    before = call(studio, "GET", name, "prompts").json()
    assert (before["theme"], before["words"], before["images"], before["lyrics"]) == ("jungle", [], [], "")
    assert "jungle" in before["music"]
    body = {"words": ["monkey", "big tree"], "images": ["A {object} here", ""], "lyrics": "La la", "own": {"a": 1}}
    saved = call(studio, "POST", name, "prompts", body)
    assert saved.status_code == 200
    after = call(studio, "GET", name, "prompts").json()
    assert saved.json()["prompts"] == after
    assert (after["words"], after["images"][0], after["lyrics"], after["own"]) == (
        ["monkey", "big tree"], "A monkey here", "La la", {"a": 1},
    )  # fmt: skip
    assert "big tree" in after["images"][1] and "big tree" in after["videos"][1]
    assets = studio.read(draft_of(studio, name), "assets")
    assert [each["image_prompt"] for each in assets] == ["A {object} here", None]
    assert [each["image_file"] for each in assets] == ["00_monkey.png", "01_big_tree.png"]
    # What only repeats what was shown stays a template.
    assert call(studio, "POST", name, "prompts", after).json()["prompts"] == after
    assert [each["image_prompt"] for each in studio.read(draft_of(studio, name), "assets")] == ["A {object} here", None]


def test_prompts_are_merged_or_replaced(studio: Studio, name: str) -> None:
    with_words(studio, name, "monkey", "lion")
    call(studio, "PATCH", name, "prompts", {"own": {"a": 1}, "music": "slow harp"})
    patched = call(studio, "PATCH", name, "prompts", {"own": {"b": 2}, "words": ["ape"], "videos": ["It jumps"]})
    prompts = patched.json()["prompts"]
    assert (prompts["own"], prompts["music"], prompts["words"]) == ({"a": 1, "b": 2}, "slow harp", ["ape", "lion"])
    assert prompts["videos"][0] == "It jumps" and "ape" in prompts["images"][0]
    replaced = call(studio, "POST", name, "prompts", {"other": [1]}).json()["prompts"]
    assert (replaced["other"], replaced["music"], "own" in replaced) == ([1], "slow harp", False)


@pytest.mark.parametrize(
    ("what", "body", "status", "code"),
    [
        ("prompts", {"images": ["a", "b", "c"]}, 400, "invalid_input"),
        ("prompts", {"words": ["a", "b", ""]}, 400, "invalid_input"),
        ("prompts", {"words": [f"w{n}" for n in range(51)]}, 422, "invalid_input"),
        ("prompts", {"images": ["A {thing}"]}, 400, "unknown_variable"),
        ("prompts", {"music": "a\x01b"}, 400, "control_character"),
        ("prompts", {"theme": ""}, 422, "invalid_input"),
        ("data", {"items": []}, 400, "invalid_input"),
        ("data", {"items": [{"title": "lion", "image": "01_lion.png"}, {"title": "monkey"}]}, 400, "invalid_input"),
        ("data", {"items": [{}, {}, {}]}, 400, "invalid_input"),
        ("data", {"items": [{}, {}, {"title": "x", "image": "../x.png"}]}, 400, "invalid_input"),
        ("data", {"translations": {"fr": ["singe"]}}, 400, "invalid_input"),
        ("data", {"translations": {"pt": ["a", "b"]}}, 422, "invalid_input"),
        ("data", {"thumbnail": "01_lion.png"}, 400, "invalid_input"),
        ("data", {"music_translations": {"fr": {"prompt": "{oops}"}}}, 400, "unknown_variable"),
        ("data", {"own": "a\x00b"}, 400, "control_character"),
        ("data", [1], 422, "invalid_input"),
    ],
)
def test_what_no_draft_can_hold_is_refused_and_changes_nothing(
    studio: Studio, name: str, what: str, body: object, status: int, code: str
) -> None:
    with_words(studio, name, "monkey", "lion")
    before = [call(studio, "GET", name, each).json() for each in ("prompts", "data")]
    refused = call(studio, "PATCH", name, what, body)
    assert error(refused) == (status, code)
    assert [call(studio, "GET", name, each).json() for each in ("prompts", "data")] == before


def test_numbers_that_are_no_json_are_refused(studio: Studio, name: str) -> None:
    for what in ("data", "prompts"):
        answer = studio.client.patch(
            f"/api/universes/{quote(name)}/{what}",
            content=json.dumps({"own": [float("nan")]}),
            headers={"content-type": "application/json"},
        )
        assert error(answer) == (400, "invalid_input")


def test_data_that_is_sent_back_whole_changes_only_what_was_changed(studio: Studio, name: str) -> None:
    with_words(studio, name, "monkey", "lion")
    call(studio, "PATCH", name, "data", {"translations": {"fr": ["singe", "lion"]}})
    before = call(studio, "GET", name, "data").json()
    assert call(studio, "PATCH", name, "data", before).json()["data"] == before
    by_list = merged(before, {"translations": {"fr": ["petit singe", "lion"]}})
    after = call(studio, "PATCH", name, "data", by_list).json()["data"]
    assert after["items"][0]["title_translations"]["fr"] == after["translations"]["fr"][0] == "petit singe"
    items: Any = json.loads(json.dumps(after["items"]))
    items[1]["title_translations"]["fr"] = "grand lion"
    by_item = call(studio, "PATCH", name, "data", after | {"items": items}).json()["data"]
    assert by_item["translations"]["fr"] == ["petit singe", "grand lion"]
    assert studio.read(draft_of(studio, name))["description"] is None


def test_items_are_added_at_the_end(studio: Studio, name: str) -> None:
    with_words(studio, name, "monkey")
    there = call(studio, "GET", name, "data").json()["items"]
    new = {"title": "Löwe", "title_translations": {"en": "lion"}, "image": None}
    items = call(studio, "PATCH", name, "data", {"items": [*there, new]}).json()["data"]["items"]
    assert [each["image"] for each in items] == ["00_monkey.png", "01_lion.png"]
    assert items[1]["title"] == "Löwe"


def test_the_old_files_are_served(studio: Studio) -> None:
    draft_id = studio.finished("Vieux Lecteur")
    there = call(studio, "GET", "vieux_lecteur", "data").json()
    for item in there["items"]:
        for file in (item["image"], item["video"]):
            answer = studio.client.get(f"/storage/univers/vieux_lecteur/{file}", headers={"range": "bytes=0-9"})
            assert (answer.status_code, len(answer.content)) == (206, 10)
            whole = studio.client.get(f"/storage/univers/Vieux Lecteur/{file}")
            assert whole.content == (studio.drafts.folder_of(draft_id) / "assets" / file).read_bytes()
    assert studio.client.get("/storage/univers/vieux_lecteur/data.json").json() == there
    assert studio.client.get("/storage/univers/vieux_lecteur/prompts.json").json()["words"]
    assert studio.client.get("/storage/univers/vieux_lecteur/words.json").json()["words"]
    for path in ("vieux_lecteur/09_nothing.png", "nobody/00_monkey.png", "vieux_lecteur/..%2fmetadata.json"):
        assert studio.client.get(f"/storage/univers/{path}").status_code == 404
    listed = call(studio, "GET", "vieux_lecteur", "assets").json()
    assert [each["image_name"] for each in listed] == [item["image"] for item in there["items"]]
    assert studio.client.get(listed[0]["video_url"]).status_code == 200


def test_media_are_renamed_with_their_item(studio: Studio) -> None:
    draft_id = studio.finished("Noms")
    before = studio.hashes(draft_id)
    renamed = call(studio, "POST", "noms", "rename-media", {"index": 1, "new_name": "Gros Éléphant"})
    assert renamed.json()["message"] == "Media renamed"
    assert [each["new"] for each in renamed.json()["renamed"]] == [
        "01_Gros_Elephant.png", "01_Gros_Elephant_silent.webm",
    ]  # fmt: skip
    assert studio.hashes(draft_id) == before
    assert studio.client.get("/storage/univers/noms/01_Gros_Elephant_silent.mp4").status_code == 200
    names = {path.name for path in (studio.drafts.folder_of(draft_id) / "assets").iterdir()}
    assert {name for name in names if name.startswith("01")} == {
        "01_Gros_Elephant.png", "01_Gros_Elephant_silent.webm", "01_Gros_Elephant_silent.mp4",
    }  # fmt: skip
    assert call(studio, "POST", "noms", "rename-media").json()["renamed"] == []
    for index in (2, -1, 10**20):
        answer = call(studio, "POST", "noms", "rename-media", {"index": index, "title": "x"})
        assert (answer.status_code, answer.json()["detail"]) == (400, "Invalid index")


def test_publishing_answers_as_it_did_and_goes_one_way(studio: Studio) -> None:
    studio.finished("Publié")
    published = call(studio, "POST", "publié", "publish").json()
    assert published["message"] == "Universe 'Publié' published successfully"
    assert (published["assets_created"], published["files_uploaded"] >= 6) == (2, True)
    cover = call(studio, "GET", "publié", "data").json()["thumbnail"]
    assert studio.client.get(f"{published['public_url']}/{cover}").status_code == 200
    assert call(studio, "POST", "publié", "publish").json()["files_uploaded"] == 0
    refused = call(studio, "POST", "publié", "sync-from-db")
    assert error(refused) == (409, "one_way")
    assert refused.json()["detail"] == "Publishing is one way: nothing is read back from production"


def test_what_is_not_complete_is_not_published(studio: Studio, name: str) -> None:
    assert error(call(studio, "POST", name, "publish")) == (409, "draft_incomplete")


def test_syncing_is_publishing_and_never_reading_back(studio: Studio, name: str) -> None:
    studio.finished("Synchro")
    before = studio.client.get("/api/sync/status").json()
    assert studio.client.post("/api/sync/init").json()["success"] is True
    pushed = studio.client.post("/api/sync/push/synchro").json()
    assert (pushed["success"], pushed["synced_items"] > 0, pushed["errors"]) == (True, True, [])
    assert studio.client.get("/api/sync/status").json()["synced_items"] == before["synced_items"] + 1
    unfinished = studio.client.post(f"/api/sync/push/{quote(name)}").json()
    assert (unfinished["success"], unfinished["errors"]) == (False, [unfinished["message"]])
    for path in ("pull/synchro", "pull-all"):
        pulled = studio.client.post(f"/api/sync/{path}").json()
        assert (pulled["success"], pulled["synced_items"]) == (False, 0)
        assert pulled["message"] == "Publishing is one way: nothing is read back from production"
    for path in ("push/nobody", "pull/nobody"):
        assert error(studio.client.post(f"/api/sync/{path}")) == (404, "universe_not_found")


def test_a_deleted_universe_is_gone(studio: Studio, name: str) -> None:
    draft_id = draft_of(studio, name)
    assert call(studio, "DELETE", name).json() == {"message": f"Univers '{name}' supprimé"}
    assert studio.client.get(f"/api/drafts/{draft_id}").status_code == 404
    assert call(studio, "GET", name, "data").status_code == 404
    make(studio, name)


def test_calls_that_cost_ask_for_the_access_code_and_publishing_for_a_bucket(
    postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    code = {"access_code": "K7M2P9QX"}
    more: Any = {"bucket": "supabase", "access_code": SecretStr("K7M2P9QX")}
    with studio_of(postgres, tmp_path_factory.mktemp("home"), **more) as studio:
        for path in ("universes", "generate/gardé/images", "generate/gardé/objects", "generate-objects"):
            refused = studio.client.post(f"/api/{path}", json={"name": "Gardé", "theme": "jungle"})
            assert (refused.status_code, refused.json()["code"]) == (400, "access_code")
        assert studio.client.post("/api/universes", json={"name": "Gardé"} | code).status_code == 200
        assert studio.client.post("/api/generate-objects", json={"theme": "jungle"} | code).status_code == 200
        started = studio.client.post("/api/generate/gardé/images", json={"async": True, "count": 1} | code)
        job_id = studio.read(draft_of(studio, "Gardé"), "status")["job_id"]
        assert job_id.startswith(started.json()["job_id"])
        studio.worker.make(UUID(job_id))
        answer = call(studio, "POST", "Gardé", "publish")
        assert (answer.status_code, answer.json()["detail"]) == (500, "Supabase not configured")


def test_all_languages_of_songs_are_told(studio: Studio, name: str) -> None:
    call(studio, "PATCH", name, "data", {"music_translations": {"it": {"lyrics": "Là là", "prompt": "arpa", "own": 1}}})
    assert call(studio, "GET", name, "music-prompts/it").json() == {
        "language": "it", "prompt": "arpa", "lyrics": "Là là", "audio_url": None,
    }  # fmt: skip
    assert call(studio, "GET", name, "music-prompts/de").json()["lyrics"] == ""
    assert call(studio, "GET", name, "music-prompts/pt").status_code == 422
    songs = call(studio, "GET", name, "data").json()["music_translations"]
    assert set(songs) == set(LANGUAGES) and songs["it"]["own"] == 1
