"""Packs as chats send them, whole or broken, and what a message asks for."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

PACK: dict[str, Any] = {
    "title": "Pack complet",
    "summary": "2 images + 1 carrousel + 1 vidéo",
    "assets": [
        {"id": "a1", "kind": "image", "count": 1, "ratio": "1:1", "prompt": "Un visuel pour coach"},
        {"id": "a2", "kind": "image", "count": 1, "ratio": "1:1", "prompt": "Un visuel pour coach"},
        {"id": "a3", "kind": "carousel", "count": 5, "ratio": "4:5", "prompt": "5 conseils pour entrepreneurs"},
        {
            "id": "a4",
            "kind": "video_premium",
            "count": 1,
            "ratio": "9:16",
            "durationSeconds": 15,
            "prompt": "Une vague",
        },
    ],
}
TEXT = json.dumps(PACK, ensure_ascii=False)


def of_brand(brand: str | None, *brands: str | None) -> dict[str, Any]:
    named = [*brands, *[brand] * (4 - len(brands))]
    return PACK | {"assets": [asset | {"brandId": name} for asset, name in zip(PACK["assets"], named, strict=True)]}


def test_a_pack_is_one_order_that_costs_its_woofs(shared: httpx.Client, brand: str) -> None:
    packed = shared.post("/api/packs", json=of_brand(brand)).json()
    assert set(packed) == {"ok", "orderId", "jobId", "jobIds", "woofs", "remarks"}
    assert (packed["woofs"], packed["remarks"], packed["jobIds"][0]) == (37, [], packed["jobId"])
    order = shared.get(f"/api/orders/{packed['orderId']}").json()
    assert (order["kind"], order["brand_id"], order["campaign_name"]) == ("pack", brand, "Pack complet")
    assert {job["id"] for job in order["jobs"]} == set(packed["jobIds"])
    quota = shared.get("/api/quota", params={"brand": brand}).json()
    assert (quota["woofs"]["reserved"], quota["images"]["reserved"], quota["reels"]["reserved"]) == (37, 7, 1)


@pytest.mark.parametrize(
    ("body", "remark"),
    [
        (json.dumps({"pack": PACK}), None),
        (json.dumps({"reply": f"Voici <alfie-pack>{TEXT}</alfie-pack>", "pack": PACK}), None),
        (json.dumps({"reply": f"Voici votre pack : <alfie-pack>{TEXT}</alfie-pack> Bonne journée !"}), None),
        (json.dumps({"reply": f"Voici <alfie-pack>{TEXT}"}), "a tag of the pack was missing"),
        (f"Voici\n```json\n{TEXT}\n```", None),
        (TEXT.replace("]}", ",],}"), "commas were missing or too many"),
    ],
)
def test_a_pack_is_understood_as_it_comes(shared: httpx.Client, brand: str, body: str, remark: str | None) -> None:
    answer = shared.post("/api/packs", content=body.encode(), params={"brand": brand})
    assert (answer.status_code, answer.json().get("woofs")) == (200, 37), answer.text
    assert answer.json()["remarks"] == ([remark] if remark else [])
    assert shared.get(f"/api/orders/{answer.json()['orderId']}").json()["brand_id"] == brand


def test_what_was_cut_off_is_left_out_and_said(shared: httpx.Client, brand: str) -> None:
    packed = shared.post("/api/packs", content=TEXT[:-60].encode(), params={"brand": brand}).json()
    assert (packed["woofs"], len(packed["jobIds"])) == (12, 3)
    assert any("left out" in remark for remark in packed["remarks"])


def test_who_pays_for_a_pack(shared: httpx.Client, brand: str) -> None:
    default = shared.get("/api/brands").json()["items"][0]["id"]
    for body, payer in (
        ({"brandId": brand, "pack": PACK}, brand),
        ({"brandId": brand, "pack": of_brand(default)}, brand),
        (of_brand(brand, "brand-123"), brand),
        (of_brand(None, "brand-123"), default),
    ):
        packed = shared.post("/api/packs", json=body).json()
        order = shared.get(f"/api/orders/{packed['orderId']}").json()
        assert order["brand_id"] == payer
        shared.post(f"/api/orders/{order['id']}/cancel")


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"assets": []}, 400, "invalid_body"),
        ({"assets": [{"kind": "podcast", "prompt": "a"}]}, 400, "invalid_body"),
        ({"assets": [*PACK["assets"], {"kind": "carousel", "count": 99, "prompt": "a"}]}, 400, "invalid_body"),
        (
            {"assets": [*PACK["assets"], {"kind": "video", "durationSeconds": 60, "prompt": "a"}]},
            403,
            "duration_not_allowed",
        ),
        (
            {"assets": [{"kind": "video_premium", "count": 4, "prompt": f"film {n}"} for n in range(2)]},
            403,
            "quota_exceeded",
        ),
        ({"title": "a\x00b"}, 400, "invalid_body"),
    ],
)
def test_nothing_of_a_pack_is_ordered_when_something_of_it_cannot_be(
    shared: httpx.Client, brand: str, change: dict[str, Any], status: int, error: str
) -> None:
    answer = shared.post("/api/packs", json={"brandId": brand, "pack": PACK | change})
    assert (answer.status_code, answer.json()["error"], answer.json()["ok"]) == (status, error, False)
    assert shared.get("/api/orders", params={"brand": brand}).json()["items"] == []
    assert shared.get("/api/quota", params={"brand": brand}).json()["woofs"]["reserved"] == 0


def test_a_packs_problems_name_the_asset(shared: httpx.Client) -> None:
    body = {"assets": [{"id": "a7", "kind": "podcast", "prompt": "a"}]}
    answer = shared.post("/api/packs", json=body, headers={"accept-language": "en"}).json()
    assert [(detail["field"], "a7" in detail["message"]) for detail in answer["details"]] == [("assets[0]", True)]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (of_brand(str(uuid4()), str(uuid4())), "The pack's assets are of several brands"),
        ({"brandId": "mine", "pack": PACK}, "brandId must be the UUID of a brand"),
    ],
)
def test_a_pack_has_one_payer(shared: httpx.Client, body: dict[str, Any], detail: str) -> None:
    answer = shared.post("/api/packs", json=body, headers={"accept-language": "en"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_body")
    assert answer.json()["detail"].startswith(detail)


def test_a_pack_is_ordered_once_under_a_key(shared: httpx.Client, brand: str) -> None:
    key = str(uuid4())
    body = {"brandId": brand, "pack": PACK}
    first = shared.post("/api/packs", json=body, headers={"Idempotency-Key": key}).json()
    assert shared.post("/api/packs", json=body | {"idempotencyKey": key}).json() == first
    other = shared.post("/api/packs", json=body | {"pack": PACK | {"title": "b"}}, headers={"Idempotency-Key": key})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key")
    assert len(shared.get("/api/orders", params={"brand": brand}).json()["items"]) == 1


@pytest.mark.parametrize(
    ("message", "intent", "confidence"),
    [
        ("Fais-moi un carrousel de 5 slides en 4:5 sur le café", "carousel", 0.9),
        ("a video about waves", "video", 0.88),
        ("una imagen de un gato", "image", 0.85),
        ("bonjour", "other", 0.2),
    ],
)
def test_a_message_is_classified(shared: httpx.Client, message: str, intent: str, confidence: float) -> None:
    said = shared.post("/api/intents", json={"user_message": message}).json()
    assert (said["intent"], said["confidence"]) == (intent, confidence)
    if intent == "carousel":
        assert (said["params"]["slides"], said["params"]["aspect_ratio"], said["params"]["language"]) == (
            5,
            "4:5",
            "fr",
        )


@pytest.mark.parametrize(
    ("content", "media_type", "status", "error"),
    [
        (b'{"user_message": "un chat"}', "text/plain", 415, "unsupported_media_type"),
        (b"user_message=un+chat", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"{}", "application/json", 400, "invalid_body"),
        (b'{"user_message": "  "}', "application/json; charset=utf-8", 400, "invalid_body"),
        (b'{"user_message": 5}', "application/json", 400, "invalid_body"),
        (b"{", "Application/JSON", 400, "invalid_json"),
    ],
)
def test_what_is_no_message_is_refused(
    shared: httpx.Client, content: bytes, media_type: str, status: int, error: str
) -> None:
    answer = shared.post("/api/intents", content=content, headers={"content-type": media_type})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
