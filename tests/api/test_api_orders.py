"""Orders of every kind over HTTP: placed as clients of every age do, listed, followed, cancelled, ordered again."""

import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from maquette.api import examples
from maquette.db.engine import Database
from maquette.settings import Settings
from tests.api.rig import served
from tests.api.worker import Worker

CAT = {"format": "image", "count": 2, "topic": "un chat sur une plage", "ratio": "1:1"}
CALL = "/api/generate-media"
NOBODY = UUID(int=7)


def generate(client: httpx.Client, brand: str, **fields: object) -> dict[str, Any]:
    answer = client.post(CALL, json=CAT | {"brandId": brand} | fields)
    assert answer.status_code == 200, answer.text
    placed: dict[str, Any] = answer.json()
    return placed


def order_of(client: httpx.Client, placed: dict[str, Any]) -> dict[str, Any]:
    order: dict[str, Any] = client.get(f"/api/orders/{placed['orderId']}").json()
    return order


def test_an_order_is_accepted_and_reserved_and_not_made(shared: httpx.Client, brand: str) -> None:
    placed = generate(shared, brand)
    assert set(placed) == {"ok", "orderId", "jobId"}
    order = order_of(shared, placed)
    assert (order["kind"], order["status"], order["brand_id"]) == ("image", "pending", brand)
    assert (order["expected"], order["completed"], order["progress"]) == (2, 0, 0)
    assert [(item["kind"], item["reservation"], item["images"]) for item in order["items"]] == [
        ("image", "reserved", 1)
    ] * 2
    job = shared.get(f"/api/jobs/{placed['jobId']}").json()
    assert (job["order_id"], job["kind"], job["status"], job["queue"]) == (order["id"], "image", "queued", "free")
    assert shared.get("/api/quota", params={"brand": brand}).json()["images"]["reserved"] == 2


@pytest.mark.parametrize(
    ("fields", "kinds", "jobs"),
    [
        ({"format": "carousel", "count": 5}, ["carousel_slide"] * 5, 1),
        ({"format": "carousel", "count": 3, "variants": 2}, ["carousel_slide"] * 6, 2),
        ({"format": "video", "count": 2, "ratio": "9:16", "duration": 15}, ["video"] * 2, 2),
        ({"format": "image", "count": 2, "variants": 3}, ["image"] * 6, 1),
    ],
)
def test_what_an_order_consists_of(
    shared: httpx.Client, brand: str, fields: dict[str, object], kinds: list[str], jobs: int
) -> None:
    order = order_of(shared, generate(shared, brand, **fields))
    assert ([item["kind"] for item in order["items"]], len(order["jobs"])) == (kinds, jobs)
    if fields["format"] == "video":
        made = [shared.get(f"/videos/{job['subject']}").json() for job in order["jobs"]]
        assert [(video["status"], video["target_duration"]) for video in made] == [("queued", 15)] * 2


def test_an_older_client_gets_its_envelope(shared: httpx.Client, brand: str) -> None:
    body = {"userId": str(uuid4()), "intent": {"brandId": brand, "format": "image", "count": 1, "topic": "un chat"}}
    placed = shared.post(CALL, json=body).json()
    assert placed["data"] == {"orderId": placed["orderId"]}
    assert order_of(shared, placed)["brand_id"] == brand


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "images", "prompt": "un chat", "count": "3", "aspect_ratio": "1080x1350"},
        {"payload": {"type": "image", "description": "un chat", "numImages": 3, "aspectRatio": "4/5"}},
        {"body": '{"format": "visuel", "brief": {"content": "un chat"}, "count": 3.0, "ratio": "4:5"}'},
    ],
)
def test_names_and_wrappers_of_older_clients_mean_the_same(
    shared: httpx.Client, brand: str, body: dict[str, object]
) -> None:
    order = order_of(shared, shared.post(CALL, json=body | {"brand_id": brand}).json())
    said = {name: order["brief"][name] for name in ("format", "topic", "count", "ratio", "brand_id")}
    assert said == {"format": "image", "topic": "un chat", "count": 3, "ratio": "4:5", "brand_id": brand}


def test_an_idempotency_key_orders_once_wherever_it_stands(shared: httpx.Client, brand: str) -> None:
    body, key = CAT | {"brandId": brand}, str(uuid4())
    first = shared.post(CALL, json=body, headers={"Idempotency-Key": key})
    answers = [
        shared.post(CALL, json=body, headers={"Idempotency-Key": key}),
        shared.post(CALL, json=body | {"idempotencyKey": key}),
        shared.post(CALL, json=body | {"idempotencyKey": "another"}, headers={"Idempotency-Key": key}),
    ]
    assert [answer.json() for answer in answers] == [first.json()] * 3
    other = shared.post(CALL, json=body | {"topic": "un chien"}, headers={"Idempotency-Key": key})
    assert (other.status_code, other.json()["code"], other.json()["error"]) == (409, *["idempotency_key"] * 2)
    assert len(shared.get("/api/orders", params={"brand": brand}).json()["items"]) == 1


def test_a_budget_ends_with_the_texts_that_clients_show(shared: httpx.Client, brand: str) -> None:
    for _ in range(8):
        generate(shared, brand, count=20)
    over = shared.post(CALL, json=CAT | {"brandId": brand, "count": 20})  # 180 of 150 × 110 %
    assert over.status_code == 403
    said = "Tu as dépassé ton quota pour ce mois (images). Réduis le nombre ou upgrade ton plan."
    assert over.json() == {
        "ok": False,
        "error": "quota_exceeded",
        "message": said,
        "detail": said,
        "code": "budget_exceeded",
    }
    generate(shared, brand, count=5)


@pytest.mark.parametrize(
    ("change", "status", "code", "error"),
    [
        ({"topic": None}, 400, "invalid_input", "invalid_body"),
        ({"topic": "a\x00b"}, 400, "control_character", "invalid_body"),
        ({"topic": "\ud800"}, 400, "control_character", "invalid_body"),
        ({"texts": {"slides": [{"title": "a\x00b"}]}}, 400, "control_character", "invalid_body"),
        ({"format": "podcast", "count": 99}, 400, "invalid_input", "invalid_body"),
        ({"brandId": str(uuid4())}, 404, "brand_not_found", "brand_not_found"),
        ({"brandId": "mine"}, 400, "invalid_input", "invalid_body"),
        ({"references": [str(uuid4())]}, 404, "asset_not_found", "asset_not_found"),
        ({"references": ["https://example.org/a.png"]}, 400, "invalid_input", "invalid_body"),
        ({"format": "video", "count": 1, "duration": 60}, 403, "duration_not_allowed", "duration_not_allowed"),
        ({"format": "video", "count": 1, "topic": "\U00013000"}, 400, "script_not_drawable", "invalid_body"),
    ],
)
def test_a_refusal_says_what_older_clients_read(
    shared: httpx.Client, brand: str, change: dict[str, object], status: int, code: str, error: str
) -> None:
    answer = shared.post(CALL, content=json.dumps(CAT | {"brandId": brand} | change))
    body = answer.json()
    assert (answer.status_code, body["code"], body["error"], body["ok"]) == (status, code, error, False)
    assert body["message"] == body["detail"] != ""
    assert shared.get("/api/orders", params={"brand": brand}).json()["items"] == []


def test_every_problem_of_a_body_is_named(shared: httpx.Client) -> None:
    body = shared.post(CALL, json={"format": "podcast", "count": 99}, headers={"accept-language": "en"}).json()
    assert {detail["field"] for detail in body["details"]} >= {"format", "topic"}
    assert body["detail"].startswith("The request is not valid: ")


@pytest.mark.parametrize("call", [CALL, "/api/estimate", "/api/intents", "/api/packs"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b'{"topic": ' + b"9" * 5_000 + b"}",
        b"[" * 500_000,
        b'{"topic":' * 100_000,
        b'{"topic": "\\ud800", "user_message": {}, "assets": 3}',
    ],
)
def test_odd_bodies_are_refused_and_the_service_lives_on(shared: httpx.Client, call: str, content: bytes) -> None:
    answer = shared.post(call, content=content, headers={"content-type": "application/json"})
    if (call, content[:9]) == ("/api/estimate", b'{"topic":') and answer.status_code == 200:
        assert answer.json()["amounts"]["images"] == 1  # of a price the topic is no part
        return
    assert answer.status_code == 400
    assert (answer.json()["ok"], bool(answer.json()["message"])) == (False, True)
    assert shared.get("/health").status_code == 200


def test_what_is_no_json_is_told_apart_from_what_is_no_request(shared: httpx.Client) -> None:
    assert shared.post(CALL, content=b"{").json()["error"] == "invalid_json"
    assert shared.post(CALL, content=b"{}").json()["error"] == "invalid_body"


def test_other_methods_are_refused(shared: httpx.Client) -> None:
    answer = shared.get(CALL)
    assert (answer.status_code, answer.json()["error"], answer.headers["allow"]) == (405, "method_not_allowed", "POST")


def test_the_access_code_is_asked_for_before_anything_else(settings: Settings, database: Database) -> None:
    guarded = settings.model_copy(update={"access_code": SecretStr("K7M2P9QX")})
    with served(guarded, database) as address, httpx.Client(base_url=address) as client:
        for call, body in ((CALL, CAT), (CALL, {}), ("/api/packs", examples.PACK["the pack"])):
            for given in (body, {**body, "access_code": "wrong"}):  # type: ignore[dict-item]  # an object each
                answer = client.post(call, json=given)
                assert (answer.status_code, answer.json()["code"]) == (400, "access_code")
        for call, body in ((CALL, CAT), ("/api/packs", examples.PACK["the pack"])):
            assert client.post(call, json=body, headers={"X-Access-Code": "K7M2P9QX"}).status_code == 200
            assert client.post(call, json={**body, "accessCode": "K7M2P9QX"}).status_code == 200  # type: ignore[dict-item]  # as above


def test_orders_are_listed_page_by_page(shared: httpx.Client, brand: str) -> None:
    placed = [generate(shared, brand, topic=f"chat {number}")["orderId"] for number in range(5)]
    shared.post(f"/api/orders/{placed[0]}/cancel")
    pages: list[list[str]] = []
    query: dict[str, str | int | None] = {"brand": brand, "limit": 2}
    while not pages or query["cursor"]:
        page = shared.get("/api/orders", params=query).json()
        pages.append([order["id"] for order in page["items"]])
        query["cursor"] = page["next"]
    assert pages == [placed[:2:-1], placed[2:0:-1], placed[:1]]
    cancelled = shared.get("/api/orders", params={"brand": brand, "status": "cancelled"}).json()
    assert [(order["id"], order["failed"], order["progress"]) for order in cancelled["items"]] == [(placed[0], 2, 100)]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/orders?cursor=zzz", 400, "invalid_input"),
        ("/api/orders?cursor=" + "a" * 501, 422, "invalid_input"),
        ("/api/orders?cursor=WyIyMDI2Iiwi4oKsIiwxXQ", 400, "invalid_input"),
        ("/api/orders?limit=0", 422, "invalid_input"),
        ("/api/orders?limit=201", 422, "invalid_input"),
        ("/api/orders?brand=mine", 422, "invalid_input"),
        ("/api/orders?status=lost", 422, "invalid_input"),
        ("/api/orders/mine", 422, "invalid_input"),
        (f"/api/orders/{NOBODY}", 404, "order_not_found"),
        (f"/api/jobs/{NOBODY}", 404, "job_not_found"),
        ("/api/nowhere", 404, "not_found"),
    ],
)
def test_wrong_addresses(shared: httpx.Client, path: str, status: int, code: str) -> None:
    for language, field in (("fr", " : "), ("en", ": "), ("es", ": ")):
        answer = shared.get(path, headers={"accept-language": language})
        assert (answer.status_code, answer.json()["code"], answer.json()["ok"]) == (status, code, False)
        if status == 422:
            assert field in answer.json()["detail"]


def test_an_order_is_cancelled_and_refunded_once(shared: httpx.Client, brand: str) -> None:
    placed = generate(shared, brand)
    cancelled = shared.post(f"/api/orders/{placed['orderId']}/cancel").json()
    assert (cancelled["status"], {item["reservation"] for item in cancelled["items"]}) == ("cancelled", {"refunded"})
    assert shared.get("/api/quota", params={"brand": brand}).json()["images"]["reserved"] == 0
    again = shared.post(f"/api/orders/{placed['orderId']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_cancel")
    assert shared.post(f"/api/orders/{uuid4()}/cancel").status_code == 404


def test_what_failed_is_a_dead_letter_until_it_is_ordered_again(
    shared: httpx.Client, brand: str, worker: Worker
) -> None:
    placed = generate(shared, brand)
    retry = f"/api/orders/{placed['orderId']}/retry"
    assert shared.post(retry).json()["code"] == "busy"
    worker.make(placed["jobId"], refused=[2])
    order = order_of(shared, placed)
    assert (order["status"], order["completed"], order["failed"]) == ("partial", 1, 1)
    assert order["items"][0]["asset_id"] is not None
    (letter,) = shared.get("/api/queue/dead-letters", params={"brand": brand}).json()["items"]
    assert (letter["job"]["id"], [item["sequence_number"] for item in letter["items"]]) == (placed["jobId"], [2])
    again = shared.post(f"/api/jobs/{placed['jobId']}/requeue")
    assert (again.status_code, again.json()["jobIds"]) == (200, [again.json()["jobId"]])
    second = order_of(shared, again.json())
    assert (second["retry_of"], [item["sequence_number"] for item in second["items"]]) == (placed["orderId"], [2])
    assert order_of(shared, placed)["retried_by"] == second["id"]
    assert shared.get("/api/queue/dead-letters", params={"brand": brand}).json()["items"] == []
    assert (shared.post(retry).status_code, shared.post(retry).json()["code"]) == (409, "nothing_to_retry")
    assert shared.post(f"/api/jobs/{uuid4()}/requeue").json()["code"] == "job_not_found"


def test_a_videos_order_has_its_brand_and_its_job(shared: httpx.Client, brand: str) -> None:
    for name in ("brand_id", "brandId"):
        placed = shared.post("/videos/create", json={"theme": "Le sucre", "target_duration": 15, name: brand}).json()
        job = shared.get(f"/api/jobs/{placed['job_id']}").json()
        assert (job["brand_id"], job["subject"]) == (brand, placed["video_id"])
    refused = shared.post("/videos/create", json={"theme": "Le sucre", "target_duration": 60, "brand_id": brand})
    assert (refused.status_code, set(refused.json())) == (403, {"detail", "code"})
    assert refused.json()["code"] == "duration_not_allowed"
