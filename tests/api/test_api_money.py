"""Brands, what their month gives, what was spent, what an order would take, and the queue."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from maquette.db.types import now
from maquette.intake.service import Intake
from maquette.journal.models import Breaker
from maquette.orders import queue
from tests.api.test_api_chat import PACK
from tests.api.worker import Worker

CAT = {"topic": "un chat sur une plage"}


def test_brands_are_made_read_changed_and_listed(shared: httpx.Client) -> None:
    kit = {"palette": ["#ABC", "ff8800"], "fonts": {"heading": "Roboto"}, "adjectives": "calme, doux", "unknown": 1}
    made = shared.post("/api/brands", json={"name": " Café  ", "plan": "pro", "kit": kit})
    assert made.status_code == 201
    brand: dict[str, Any] = made.json()
    assert (brand["name"], brand["plan"], brand["is_default"]) == ("Café", "pro", False)
    assert (brand["kit"]["palette"], brand["kit"]["fonts"]) == (["#aabbcc", "#ff8800"], {"primary": "Roboto"})
    assert brand["kit"]["adjectives"] == ["calme", "doux"]
    path = f"/api/brands/{brand['id']}"
    assert shared.get(path).json() == brand
    changed = shared.patch(path, json={"plan": "studio"}).json()
    assert {name for name in brand if brand[name] != changed[name]} == {"plan", "updated_at"}
    assert shared.patch(path, json={"kit": {"voice": "vive"}}).json()["kit"]["palette"] == []
    listed = shared.get("/api/brands").json()["items"]
    assert [each["is_default"] for each in listed] == [True] + [False] * (len(listed) - 1)
    assert brand["id"] in [each["id"] for each in listed]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"plan": "gold"}, 400, "invalid_input"),
        ({"name": ""}, 422, "invalid_input"),
        ({"name": "a\x00b"}, 400, "control_character"),
        ({"kit": {"palette": ["blue"]}}, 422, "invalid_input"),
        ({"kit": {"voice": "a\x00b"}}, 400, "control_character"),
        ({"kit": {"logo_asset_id": str(uuid4())}}, 404, "asset_not_found"),
    ],
)
def test_a_wrong_brand_is_refused(
    shared: httpx.Client, brand: str, change: dict[str, Any], status: int, code: str
) -> None:
    before = shared.get(f"/api/brands/{brand}").json()
    for answer in (
        shared.post("/api/brands", json={"name": "Café"} | change),
        shared.patch(f"/api/brands/{brand}", json=change),
    ):
        assert (answer.status_code, answer.json()["code"], answer.json()["ok"]) == (status, code, False)
    assert shared.get(f"/api/brands/{brand}").json() == before


def test_an_unknown_brand(shared: httpx.Client) -> None:
    for call in (f"/api/brands/{uuid4()}", f"/api/quota?brand={uuid4()}"):
        assert (shared.get(call).status_code, shared.get(call).json()["error"]) == (404, "brand_not_found")
    assert shared.patch(f"/api/brands/{uuid4()}", json={"plan": "pro"}).status_code == 404
    assert shared.post("/api/estimate", json={"brandId": str(uuid4())}).status_code == 404


def test_a_month_is_told_also_in_the_older_names(shared: httpx.Client, brand: str) -> None:
    shared.post("/api/generate-media", json={"format": "video", "topic": "une vague", "duration": 15, "brandId": brand})
    month = shared.get("/api/quota", params={"brand": brand}).json()
    assert month["woofs"] == {
        "limit": 150,
        "used": 0,
        "reserved": 2,
        "remaining": 148,
        "threshold_80": False,
        "hard_stop": 165,
    }
    older = {name: month[name] for name in ("woofs_quota", "woofs_used", "woofs_remaining", "threshold_80")}
    assert older == {"woofs_quota": 150, "woofs_used": 0, "woofs_remaining": 148, "threshold_80": False}
    assert (month["plan"], month["is_admin"], month["durations_s"]) == ("starter", False, [8, 15])
    assert (datetime.fromisoformat(month["reset_date"]) - timedelta(days=1)).strftime("%Y%m") == str(
        month["period_yyyymm"]
    )


def test_an_admin_has_no_limits(shared: httpx.Client) -> None:
    admin = shared.post("/api/brands", json={"name": "Maison", "plan": "admin"}).json()["id"]
    month = shared.get("/api/quota", params={"brand": admin}).json()
    assert (month["is_admin"], month["woofs"]["limit"], month["woofs"]["remaining"]) == (True, None, None)
    assert (month["woofs_quota"], month["woofs_remaining"]) == (1_000_000_000, 1_000_000_000)


def test_the_plans_are_told(shared: httpx.Client) -> None:
    plans = {plan["name"]: plan for plan in shared.get("/api/plans").json()["items"]}
    assert list(plans) == ["starter", "pro", "studio", "admin"]
    assert (plans["pro"]["images"], plans["pro"]["price_eur"], plans["admin"]["woofs"]) == (450, 99, None)


@pytest.mark.parametrize(
    ("body", "amounts", "code"),
    [
        ({}, {"images": 1, "reels": 0, "woofs": 0}, None),
        (CAT | {"count": 3, "variants": 2}, {"images": 6, "reels": 0, "woofs": 0}, None),
        ({"format": "carousel", "count": 7}, {"images": 7, "reels": 0, "woofs": 0}, None),
        ({"format": "video", "duration": 8}, {"images": 0, "reels": 1, "woofs": 1}, None),
        ({"format": "video", "duration": 60}, {"images": 0, "reels": 1, "woofs": 8}, "duration_not_allowed"),
        ({"format": "video", "count": 4, "variants": 4}, {"images": 0, "reels": 16, "woofs": 32}, None),
        ({"format": "video", "count": 4, "variants": 4, "duration": 8}, {"images": 0, "reels": 16, "woofs": 16}, None),
        (PACK, {"images": 7, "reels": 1, "woofs": 37}, None),
        ({"pack": PACK}, {"images": 7, "reels": 1, "woofs": 37}, None),
        ([PACK["assets"][2]], {"images": 5, "reels": 0, "woofs": 10}, None),
    ],
)
def test_an_estimate_takes_nothing(
    shared: httpx.Client, brand: str, body: Any, amounts: dict[str, int], code: str | None
) -> None:
    if isinstance(body, dict):
        body = body | {"brandId": brand}
    told = shared.post("/api/estimate", json=body).json()
    assert (told["ok"], told["amounts"], told["cost_micros"]) == (True, amounts, 0)
    assert (told["allowed"], told["code"]) == (code is None, code)
    assert bool(told["reason"]) is (code is not None)
    assert shared.get("/api/quota", params={"brand": brand}).json()["images"]["reserved"] == 0
    assert shared.get("/api/orders", params={"brand": brand}).json()["items"] == []


def test_an_estimate_is_what_the_order_then_takes(shared: httpx.Client, brand: str) -> None:
    for body in (
        CAT | {"count": 4},
        {"format": "carousel", "count": 3} | CAT,
        {"format": "video", "duration": 15} | CAT,
    ):
        before = shared.get("/api/quota", params={"brand": brand}).json()
        told = shared.post("/api/estimate", json=body | {"brandId": brand}).json()["amounts"]
        assert shared.post("/api/generate-media", json=body | {"brandId": brand}).status_code == 200
        after = shared.get("/api/quota", params={"brand": brand}).json()
        assert told == {unit: after[unit]["reserved"] - before[unit]["reserved"] for unit in told}


def test_a_chats_text_is_estimated_too(shared: httpx.Client) -> None:
    text = 'Voici : <alfie-pack>{"assets": [{"kind": "image", "prompt": "Un café"},]}</alfie-pack>'
    assert shared.post("/api/estimate", content=text.encode()).json()["amounts"]["woofs"] == 1
    assert shared.post("/api/estimate", content=b'{"format": ').json()["error"] == "invalid_json"


def test_costs_are_summed_by_what_is_asked_for(shared: httpx.Client, brand: str, worker: Worker) -> None:
    placed = shared.post("/api/generate-media", json=CAT | {"brandId": brand, "count": 2}).json()
    worker.make(placed["jobId"])
    this_month = str(shared.get("/api/quota").json()["period_yyyymm"])
    keys = {"brand": brand, "order": placed["orderId"], "month": this_month}
    for by, key in keys.items():
        report = shared.get("/api/costs", params={"by": by, "brand": brand}).json()
        assert (report["by"], [(line["key"], line["calls"]) for line in report["lines"]]) == (by, [(key, 2)])
        assert (report["calls"], report["cost_micros"], report["saved_micros"]) == (2, 0, 0)
    by_provider = shared.get("/api/costs", params={"by": "provider", "order": placed["orderId"]}).json()
    (line,) = by_provider["lines"]
    assert line["key"].startswith("local/")
    assert (
        shared.get("/api/costs", params={"brand": brand, "provider": "local", "month": this_month}).json()["calls"] == 2
    )
    assert shared.get("/api/costs", params={"brand": brand, "month": "199912"}).json()["lines"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [("by=user", 422), ("month=202613", 422), ("month=2026-01", 422), ("brand=mine", 422), ("provider=%00", 400)],
)
def test_wrong_questions_about_costs(shared: httpx.Client, query: str, status: int) -> None:
    answer = shared.get(f"/api/costs?{query}")
    assert (answer.status_code, answer.json()["ok"]) == (status, False)


def test_the_queue_is_told(shared: httpx.Client, shared_intake: Intake, brand: str, worker: Worker) -> None:
    jobs = [
        shared.post("/api/generate-media", json=CAT | {"brandId": brand, "count": 1}).json()["jobId"] for _ in range(3)
    ]
    worker.make(jobs[0])
    worker.make(jobs[1], refused=[1])
    with shared_intake.database.begin() as session:
        session.add(Breaker(provider="replicate", failures=3, open_until=now(session) + timedelta(hours=1)))
    told = shared.get("/api/queue", params={"brand": brand}).json()
    assert (told["ok"], told["scope"]) == (True, "brand")
    assert told["counts"] | {"queued": 1, "completed": 1, "failed": 1, "completed_24h": 1} == told["counts"]
    assert told["stuck"] == {"runningStuckCount": 0, "thresholdSec": 300}
    assert {job["id"]: job["status"] for job in told["recent"]} == dict(
        zip(jobs, ("completed", "failed", "queued"), strict=True)
    )
    assert [job["retry"] for job in told["recent"] if job["id"] == jobs[2]] == ["0/3"]
    whole = shared.get("/api/queue").json()
    assert (whole["scope"], whole["counts"]["queued"] >= 1) == ("all", True)
    assert [(breaker["provider"], breaker["failures"]) for breaker in whole["breakers"]] == [("replicate", 3)]


def test_a_post_to_the_queue_wakes_the_dispatchers(
    shared: httpx.Client, monkeypatch: pytest.MonkeyPatch, brand: str
) -> None:
    woken: list[object] = []
    monkeypatch.setattr(queue, "notify", woken.append)
    for method, times in (("GET", 0), ("POST", 1)):
        assert shared.request(method, "/api/queue", params={"brand": brand}).json()["counts"]["queued"] == 0
        assert len(woken) == times
