"""Drafts over HTTP: made, generated, changed, refused; each call against the real application and database."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from maquette.db.types import now
from maquette.quota.models import MonthlyCounters
from maquette.quota.rules import period_of
from tests.api.drafting import LANGUAGES, Studio, error

# The fields of the existing clients.
METADATA = {
    "draft_id", "folder", "name", "theme", "slug", "status", "created_at", "updated_at", "background_color",
    "thumbnail_url", "default_prompts", "num_assets", "music_lyrics",
}  # fmt: skip
LISTED = {
    "draft_id", "folder", "name", "theme", "slug", "status", "created_at", "updated_at", "num_assets",
    "thumbnail_path",
}  # fmt: skip
PROGRESS = {
    "folder", "status", "current_step", "progress", "total_assets", "generated_assets", "failed_assets", "message",
}  # fmt: skip
ASSET = {
    "id", "display_name", "sort_order", "image_prompt", "video_prompt", "generated_at", "image_file", "video_file",
}  # fmt: skip


@pytest.fixture(scope="module")
def client(studio: Studio) -> httpx.Client:
    return studio.client


def test_a_draft_is_created_listed_and_read(client: httpx.Client) -> None:
    body = {
        "name": "Véhicules de chantier",
        "theme": "vehicules_de_chantier",
        "custom_prompts": {"image": "a {object}"},
    }
    answer = client.post("/api/drafts", json=body)
    draft = answer.json()
    assert answer.status_code == 201
    assert set(draft) > METADATA
    assert draft["folder"] == f"vehicules-de-chantier-{draft['draft_id']}"
    assert (draft["status"], draft["num_assets"], draft["default_prompts"]["image"]) == ("draft", 0, "a {object}")
    assert draft["default_prompts"]["video"]
    assert "+" not in draft["created_at"] and not draft["created_at"].endswith("Z")
    assert client.get(f"/api/drafts/{draft['draft_id']}").json() == draft
    listed = client.get("/api/drafts").json()[0]
    assert set(listed) == LISTED
    assert listed == {name: draft.get(name) for name in LISTED}
    assert client.get(f"/api/drafts/{draft['draft_id']}/assets").json() == []
    assert len(client.get("/api/drafts", params={"limit": 1}).json()) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "", "theme": "a"}, (422, "invalid_input")),
        ({"name": " \t", "theme": "a"}, (422, "invalid_input")),
        ({"name": "a"}, (422, "invalid_input")),
        ({"name": "a", "theme": "a", "background_color": "red"}, (422, "invalid_input")),
        ({"name": "a", "theme": "a\u0000b"}, (400, "control_character")),
        ({"name": "a", "theme": "a", "custom_prompts": {"image": "a {creature}"}}, (400, "unknown_variable")),
        ({"name": "a", "theme": "a", "brandId": str(UUID(int=7))}, (404, "brand_not_found")),
        ([], (422, "invalid_input")),
    ],
)
def test_what_is_no_draft_is_refused(client: httpx.Client, body: object, expected: tuple[int, str]) -> None:
    assert error(client.post("/api/drafts", json=body)) == expected


def test_a_lost_answer_makes_no_second_draft(studio: Studio) -> None:
    body, headers = {"name": "Océan", "theme": "ocean"}, {"Idempotency-Key": "ocean-1"}
    first = studio.client.post("/api/drafts", json=body, headers=headers)
    again = studio.client.post("/api/drafts", json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    other = studio.client.post("/api/drafts", json=body | {"theme": "mer"}, headers=headers)
    assert error(other) == (409, "idempotency_key")
    draft_id, key = first.json()["draft_id"], {"Idempotency-Key": "generate-1"}
    ordered = [
        studio.client.post(f"/api/drafts/{draft_id}/generate", json={"num_assets": 1}, headers=key).json()
        for _ in range(2)
    ]
    assert ordered[0]["order_id"] == ordered[1]["order_id"]
    assert studio.client.post(f"/api/orders/{ordered[0]['order_id']}/cancel").status_code == 200


CALLS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PATCH", "", {"name": "b"}),
    ("DELETE", "", None),
    ("GET", "/assets", None),
    ("GET", "/assets/00", None),
    ("PATCH", "/assets/00", {"display_name": "b"}),
    ("PATCH", "/assets/00/regenerate", {}),
    ("GET", "/assets/00/versions", None),
    ("POST", "/assets/00/versions/1/restore", None),
    ("GET", "/status", None),
    ("POST", "/generate", {}),
    ("POST", "/estimate", {}),
    ("GET", "/words", None),
    ("GET", "/songs", None),
    ("PUT", "/songs/fr", {"lyrics": "la"}),
    ("POST", "/translations/generate", {}),
    ("POST", "/images/prompts/generate", {}),
    ("POST", "/videos/prompts/generate", {}),
    ("POST", "/lyrics/generate", {}),
    ("POST", "/music/fr", None),
    ("POST", "/approve", {"content_hash": "0"}),
    ("GET", "/publish/plan", None),
    ("POST", "/publish", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_an_unknown_draft_is_a_404_in_the_clients_language(
    client: httpx.Client, method: str, path: str, body: object
) -> None:
    said = {"fr": "Brouillon 00000000 non trouvé", "en": "Draft 00000000 not found"}
    for language, text in said.items():
        answer = client.request(method, f"/api/drafts/00000000{path}", json=body, headers={"accept-language": language})
        assert error(answer) == (404, "draft_not_found")
        assert answer.json()["detail"] == text


@pytest.mark.parametrize("draft_id", ["a%00b", "%2e%2e", "a.b", "é", "x" * 101, "a'b"])
def test_what_is_no_id_is_not_there(client: httpx.Client, draft_id: str) -> None:
    assert error(client.get(f"/api/drafts/{draft_id}")) == (404, "draft_not_found")


def test_an_estimate_is_what_is_then_held_and_orders_nothing(studio: Studio) -> None:
    brand = studio.client.post("/api/brands", json={"name": "Jouets", "plan": "starter"}).json()["id"]
    draft_id, body = studio.create(brand_id=brand), {"num_assets": 2, "languages": ["fr"]}

    def estimate(fields: object = body) -> dict[str, Any]:
        answer = studio.client.post(f"/api/drafts/{draft_id}/estimate", json=fields)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def held() -> dict[str, int]:
        month = studio.client.get("/api/quota", params={"brand": brand}).json()
        return {unit: month[unit]["reserved"] for unit in ("images", "reels", "woofs")}

    told = estimate()
    assert told == {
        "ok": True, "brand_id": brand, "plan": "starter", "amounts": {"images": 2, "reels": 0, "woofs": 3},
        "cost_micros": 0, "allowed": True, "reason": None, "code": None,
    }  # fmt: skip
    assert estimate(None)["amounts"] == {"images": 10, "reels": 0, "woofs": 15}
    assert studio.read(draft_id, "status")["status"] == "draft" and set(held().values()) == {0}
    ordered = studio.client.post(f"/api/drafts/{draft_id}/generate", json=body).json()
    assert held() == told["amounts"]
    busy = estimate()
    assert (busy["allowed"], busy["code"]) == (False, "busy")
    assert draft_id in busy["reason"]
    studio.worker.make(UUID(ordered["job_id"]))
    assert estimate()["amounts"] == {"images": 0, "reels": 0, "woofs": 0}
    assert estimate(body | {"force_regenerate": True})["amounts"] == told["amounts"]


def test_an_estimate_says_that_the_budget_is_too_small(studio: Studio) -> None:
    brand = studio.client.post("/api/brands", json={"name": "Petite", "plan": "starter"}).json()["id"]
    draft_id = studio.create(brand_id=brand)
    with studio.drafts.database.begin() as session:
        period = period_of(now(session))
        session.add(MonthlyCounters(brand_id=UUID(brand), period_yyyymm=period, images_used=160))
    told = studio.client.post(f"/api/drafts/{draft_id}/estimate", json={"num_assets": 6, "parts": ["image"]}).json()
    assert (told["allowed"], told["code"]) == (False, "budget_exceeded")
    refused = studio.client.post(f"/api/drafts/{draft_id}/generate", json={"num_assets": 6, "parts": ["image"]})
    assert error(refused) == (403, "budget_exceeded")


@pytest.mark.parametrize("body", [{"num_assets": 0}, {"num_assets": 21}, {"parts": ["sound"]}, {"languages": []}])
def test_what_cannot_be_generated_cannot_be_estimated(studio: Studio, body: object) -> None:
    draft_id = studio.create()
    for call in ("estimate", "generate"):
        assert error(studio.client.post(f"/api/drafts/{draft_id}/{call}", json=body)) == (422, "invalid_input")


def test_a_draft_is_generated(studio: Studio) -> None:
    draft_id = studio.create()
    assert studio.read(draft_id, "status")["progress"] == 0
    answer = studio.client.post(f"/api/drafts/{draft_id}/generate", json={"num_assets": 2, "languages": ["fr", "fr"]})
    ordered = answer.json()
    assert set(ordered) > PROGRESS
    assert (answer.status_code, ordered["folder"], ordered["status"], ordered["total_assets"]) == (
        200, draft_id, "generating", 2,
    )  # fmt: skip
    order = studio.client.get(f"/api/orders/{ordered['order_id']}").json()
    assert [job["id"] for job in order["jobs"]] == [ordered["job_id"]]
    assert sorted((item["kind"], item["sequence_number"]) for item in order["items"]) == [
        ("draft_image", 1), ("draft_image", 2), ("draft_song", 1), ("draft_video", 1), ("draft_video", 2),
    ]  # fmt: skip
    studio.worker.make(UUID(ordered["job_id"]))
    status = studio.read(draft_id, "status")
    assert (status["status"], status["progress"], status["generated_assets"], status["failures"]) == (
        "completed", 100, 2, [],
    )  # fmt: skip
    first, second = studio.read(draft_id, "assets")
    assert set(first) > ASSET
    assert (first["id"], first["sort_order"], second["id"]) == ("00", 0, "01")
    assert set(first["titles"]) == set(LANGUAGES)
    assert studio.read(draft_id, "assets/1") == studio.read(draft_id, "assets/01") == second
    words = studio.read(draft_id, "words")
    assert words["words"] == [first["display_name"], second["display_name"]]
    assert set(words["translations"]) == set(LANGUAGES)
    assert studio.read(draft_id)["thumbnail_url"].endswith(f"/assets/{first['image_file']}")
    nothing = studio.client.post(f"/api/drafts/{draft_id}/generate", json={"num_assets": 2, "languages": ["fr"]}).json()
    assert (nothing["order_id"], nothing["job_id"], nothing["status"]) == (None, None, "completed")


@pytest.mark.parametrize(
    "body",
    [
        {"num_assets": 0},
        {"num_assets": 21},
        {"num_assets": 2.5},
        {"parts": ["film"]},
        {"parts": []},
        {"languages": ["pt"]},
        {"force_regenerate": "perhaps"},
    ],
)
def test_what_cannot_be_generated_is_refused(studio: Studio, body: dict[str, Any]) -> None:
    draft_id = studio.create()
    assert error(studio.client.post(f"/api/drafts/{draft_id}/generate", json=body)) == (422, "invalid_input")
    assert studio.read(draft_id, "status")["order_id"] is None


def test_while_it_is_made_nothing_else_may_change_it(studio: Studio) -> None:
    draft_id = studio.create()
    job_id = studio.client.post(f"/api/drafts/{draft_id}/generate", json={"num_assets": 1, "parts": ["image"]}).json()[
        "job_id"
    ]
    may = {"GET", "/publish/plan", "/estimate"}
    for method, path, body in CALLS:
        if {method, path} & may or path.startswith("/assets/") or path.endswith("prompts/generate"):
            continue
        answer = studio.client.request(method, f"/api/drafts/{draft_id}{path}", json=body)
        assert error(answer) == (409, "busy"), path
    studio.worker.make(UUID(job_id))
    assert studio.client.patch(f"/api/drafts/{draft_id}", json={"name": "Autre"}).json()["name"] == "Autre"
    assert studio.client.delete(f"/api/drafts/{draft_id}").status_code == 204
    assert error(studio.client.get(f"/api/drafts/{draft_id}")) == (404, "draft_not_found")


def test_one_part_that_fails_leaves_the_others_and_is_made_alone_later(studio: Studio) -> None:
    draft_id = studio.create()
    status = studio.generate(draft_id, refused=("01",), num_assets=2, parts=["image", "video"])
    assert (status["status"], status["generated_assets"], status["failed_assets"]) == ("failed", 1, 1)
    assert {(each["asset"], each["part"]) for each in status["failures"]} == {("01", "image"), ("01", "video")}
    assert "01" in status["message"]
    assert error(studio.client.post(f"/api/drafts/{draft_id}/publish")) == (409, "draft_incomplete")
    kept = studio.hashes(draft_id)["00"]
    status = studio.generate(draft_id, num_assets=2, parts=["image", "video"])
    assert (status["status"], status["failures"]) == ("completed", [])
    assert studio.hashes(draft_id)["00"] == kept


def test_errors_are_in_the_clients_language(studio: Studio) -> None:
    said = {
        "fr": ("num_assets : au plus 20", "Élément 07 non trouvé"),
        "en": ("num_assets: 20 at most", "Asset 07 not found"),
        "es": ("num_assets: máximo 20", "Elemento 07 no encontrado"),
    }
    draft_id = studio.create()
    for language, (limit, missing) in said.items():
        headers = {"accept-language": language}
        answer = studio.client.post(f"/api/drafts/{draft_id}/generate", json={"num_assets": 99}, headers=headers)
        assert answer.json()["detail"] == limit
        answer = studio.client.get(f"/api/drafts/{draft_id}/assets/7", headers=headers)
        assert answer.json()["detail"] == missing
