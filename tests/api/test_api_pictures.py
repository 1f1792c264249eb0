"""The library and carousels over HTTP, with pictures that were really made."""

import io
import re
import struct
import zlib
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from maquette.intake.service import Intake
from maquette.library.listing import MAX_UPLOAD_BYTES
from tests.api.worker import Worker

LIBRARY = "/api/library"


class Made(NamedTuple):
    """A brand with two images and a carousel of three slides."""

    client: httpx.Client
    brand: str
    images: dict[str, Any]
    carousel: dict[str, Any]
    carousel_id: str

    def items(self, **query: str | int) -> list[dict[str, Any]]:
        answer = self.client.get(LIBRARY, params={"brand": self.brand, **query})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


@pytest.fixture(scope="module")
def made(shared: httpx.Client, worker: Worker) -> Made:
    brand = shared.post("/api/brands", json={"name": "Café"}).json()["id"]
    placed = []
    for body in (
        {"format": "image", "count": 2, "topic": "Une tasse au soleil", "brandId": brand},
        {"format": "carousel", "count": 3, "topic": "Le café du matin", "brandId": brand, "ratio": "4:5"},
    ):
        placed.append(shared.post("/api/generate-media", json=body).json())
        worker.make(placed[-1]["jobId"])
    subject = shared.get(f"/api/jobs/{placed[1]['jobId']}").json()["subject"]
    return Made(shared, brand, placed[0], placed[1], subject)


def png(*, size: tuple[int, int] = (8, 6), format_: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, "teal").save(content, format_)
    return content.getvalue()


def upload(client: httpx.Client, content: bytes, *, media_type: str = "image/png", **query: str) -> httpx.Response:
    return client.post(LIBRARY, content=content, params=query, headers={"content-type": media_type})


def test_a_carousel_is_one_entry_with_its_slides_in_order(made: Made) -> None:
    carousel, *images = made.items()
    assert [entry["type"] for entry in (carousel, *images)] == ["carousel", "image", "image"]
    assert (carousel["title"], carousel["subject"], carousel["ratio"]) == ("Le café du matin", made.carousel_id, "4:5")
    assert [slide["slide_index"] for slide in carousel["slides"]] == [0, 1, 2]
    assert {slide["type"] for slide in carousel["slides"]} == {"carousel_slide"}
    assert carousel["sha256"] == carousel["slides"][0]["sha256"]
    assert [image["slides"] for image in images] == [None, None]
    assert re.fullmatch(rf"alfie/{made.brand}/{made.images['orderId']}/image-\d+", images[0]["public_id"])
    assert {f"brand:{made.brand}", "type:image"} <= set(images[0]["tags"])


def test_the_library_is_narrowed(made: Made) -> None:
    assert [entry["type"] for entry in made.items(type="image")] == ["image"] * 2
    assert [entry["subject"] for entry in made.items(type="carousel")] == [made.carousel_id]
    assert [entry["slide_index"] for entry in made.items(type="carousel_slide")] == [0, 1, 2]
    assert made.items(type="video") == made.items(type="film") == []
    assert [entry["type"] for entry in made.items(order=made.images["orderId"])] == ["image"] * 2
    assert [entry["subject"] for entry in made.items(order=made.carousel["orderId"])] == [made.carousel_id]
    assert [entry["title"] for entry in made.items(q="tasse -café")] == ["Une tasse au soleil"] * 2
    assert [entry["title"] for entry in made.items(q='"café du matin"')] == ["Le café du matin"]
    assert made.items(q="thé") == made.items(q="?!") == made.items(brand=str(uuid4())) == []


@pytest.mark.parametrize("type_", ["image", "carousel_slide"])
def test_pages_follow_one_another(made: Made, type_: str) -> None:
    whole = [entry["id"] for entry in made.items(type=type_)]
    query: dict[str, str | int] = {"brand": made.brand, "limit": 1, "type": type_}
    paged: list[str] = []
    for _ in whole:
        page = made.client.get(LIBRARY, params=query).json()
        paged += [entry["id"] for entry in page["items"]]
        query["cursor"] = page["next"]
    assert (paged, len(paged) > 1, query["cursor"]) == (whole, True, None)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("type=podcast", 422, "invalid_input"),
        ("order=mine", 422, "invalid_input"),
        ("limit=1000", 422, "invalid_input"),
        ("cursor=%00", 400, "invalid_input"),
        ("q=a%00b", 400, "control_character"),
    ],
)
def test_wrong_questions(shared: httpx.Client, query: str, status: int, code: str) -> None:
    answer = shared.get(f"{LIBRARY}?{query}")
    assert (answer.status_code, answer.json()["code"], answer.json()["ok"]) == (status, code, False)


def test_an_image_tells_all_that_it_came_from(made: Made) -> None:
    entry = made.items(type="image")[0]
    asset = made.client.get(f"{LIBRARY}/{entry['id']}").json()
    assert entry.items() <= asset.items()
    assert (asset["provider"], asset["attempt"], asset["listed"]) == ("local", 1, True)
    assert "tasse" in asset["prompt"] and isinstance(asset["seed"], int)
    assert (asset["order_id"], asset["brand_id"]) == (made.images["orderId"], made.brand)
    call = asset["call"]
    assert (call["state"], call["cost_micros"], call["cached_from"]) == ("succeeded", 0, None)
    assert asset["provenance"]["call_id"] == call["id"]
    (parent,) = asset["parents"]
    raw = made.client.get(f"{LIBRARY}/{parent['asset_id']}").json()
    assert (raw["sha256"], raw["type"], raw["listed"]) == (parent["sha256"], "raw_image", False)


def test_a_picture_from_the_cache_tells_what_it_saved(made: Made, worker: Worker, shared_intake: Intake) -> None:
    body = {"format": "image", "topic": "Une tasse au soleil", "count": 1, "brandId": made.brand}
    placed = made.client.post("/api/generate-media", json=body).json()
    worker.make(placed["jobId"])
    (again,) = made.items(order=placed["orderId"])
    asset = made.client.get(f"{LIBRARY}/{again['id']}").json()
    source = next(
        found
        for entry in made.items(order=made.images["orderId"])
        if (found := made.client.get(f"{LIBRARY}/{entry['id']}").json())["call"]["id"] == asset["call"]["cached_from"]
    )
    assert asset["sha256"] == source["sha256"]
    assert (asset["cost_micros"], asset["saved_micros"]) == (0, source["cost_micros"])
    assert asset["parents"][0]["asset_id"] == source["parents"][0]["asset_id"]
    assert made.client.delete(f"{LIBRARY}/{again['id']}").status_code == 204


def test_a_carousel_costs_what_all_its_calls_cost(made: Made) -> None:
    (entry,) = made.items(type="carousel")
    asset = made.client.get(f"{LIBRARY}/{entry['id']}").json()
    assert (asset["call"], asset["cost_micros"], len(asset["slides"])) == (None, 0, 3)


def test_a_file_is_given_with_ranges(made: Made) -> None:
    entry = made.items(type="carousel_slide")[1]
    whole = made.client.get(entry["file_url"])
    assert (whole.status_code, whole.headers["content-type"]) == (200, entry["media_type"])
    assert whole.headers["etag"] == f'"{entry["sha256"]}"'
    assert (len(whole.content), whole.headers["content-disposition"].partition(";")[0]) == (
        entry["size_bytes"],
        "inline",
    )
    part = made.client.get(entry["file_url"], headers={"range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, whole.content[2:6])
    outside = made.client.get(entry["file_url"], headers={"range": "bytes=99999999-"})
    assert (outside.status_code, outside.json()["error"]) == (416, "range_not_satisfiable")
    known = made.client.get(entry["file_url"], headers={"if-none-match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    kept = made.client.get(entry["file_url"], params={"download": 1}).headers["content-disposition"]
    assert kept.startswith("attachment") and kept.endswith("-2.jpg")
    assert made.client.head(entry["file_url"]).headers["content-length"] == str(entry["size_bytes"])
    assert made.client.get(f"{LIBRARY}/{uuid4()}/file").json()["code"] == "asset_not_found"


def test_what_is_removed_is_listed_no_more_and_stays_in_the_books(made: Made, worker: Worker) -> None:
    placed = made.client.post("/api/generate-media", json={"topic": "Un thé", "brandId": made.brand}).json()
    worker.make(placed["jobId"])
    (entry,) = made.items(q="thé")
    used = made.client.get("/api/quota", params={"brand": made.brand}).json()["images"]["used"]
    for _ in range(2):
        assert made.client.delete(f"{LIBRARY}/{entry['id']}").status_code == 204
    assert made.items(q="thé") == []
    assert made.client.get(f"/api/orders/{placed['orderId']}").json()["items"][0]["asset_id"] == entry["id"]
    assert made.client.get("/api/quota", params={"brand": made.brand}).json()["images"]["used"] == used
    slide = made.items(type="carousel_slide")[0]
    refused = made.client.delete(f"{LIBRARY}/{slide['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert made.client.delete(f"{LIBRARY}/{uuid4()}").status_code == 404


@pytest.mark.parametrize(
    ("format_", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
)
def test_an_upload_is_a_reference_and_a_logo(shared: httpx.Client, brand: str, format_: str, media_type: str) -> None:
    content = png(size=(40, 30), format_=format_)
    asset = upload(shared, content, media_type=media_type, brand=brand, title="Notre logo").json()
    assert (asset["type"], asset["media_type"], asset["width"], asset["height"]) == ("reference", media_type, 40, 30)
    assert shared.get(asset["file_url"]).content == content
    assert shared.get(LIBRARY, params={"brand": brand}).json()["items"] == []
    (listed,) = shared.get(LIBRARY, params={"brand": brand, "type": "reference"}).json()["items"]
    assert (listed["id"], listed["title"]) == (asset["id"], "Notre logo")
    body = {"topic": "un chat", "brandId": brand, "references": [asset["id"]]}
    assert shared.post("/api/generate-media", json=body).status_code == 200
    kit = {"kit": {"logo_asset_id": asset["id"]}}
    assert shared.patch(f"/api/brands/{brand}", json=kit).json()["kit"]["logo_asset_id"] == asset["id"]
    other = shared.post("/api/brands", json={"name": "Autre"} | kit)
    assert (other.status_code, other.json()["code"]) == (404, "asset_not_found")


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"", "image/png", 400, "invalid_input"),
        (b"GIF89a", "image/png", 400, "invalid_input"),
        (png()[:-30], "image/png", 400, "invalid_input"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "image/png", 400, "invalid_input"),
        (png(), "text/html", 415, "unsupported_media_type"),
        (b"\xff\xd8\xff" + b"\0" * MAX_UPLOAD_BYTES, "image/jpeg", 413, "body_too_large"),
    ],
)
def test_what_is_no_picture_is_refused(
    shared: httpx.Client, brand: str, content: bytes, media_type: str, status: int, code: str
) -> None:
    answer = upload(shared, content, media_type=media_type, brand=brand)
    assert (answer.status_code, answer.json()["code"], answer.json()["ok"]) == (status, code, False)
    assert "/" not in answer.json()["detail"].replace("image/png, image/jpeg, image/webp", "")  # no path of ours
    assert shared.get(LIBRARY, params={"brand": brand, "type": "reference"}).json()["items"] == []


def test_a_picture_of_too_many_pixels_is_refused(shared: httpx.Client, brand: str) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 8001, 8000, 8, 2, 0, 0, 0)
    large = png()[:12] + header + struct.pack(">I", zlib.crc32(header)) + png()[33:]
    answer = upload(shared, large, brand=brand)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert "64 million pixels" in answer.json()["detail"]


def test_uploads_need_a_brand_that_is_there(shared: httpx.Client) -> None:
    assert upload(shared, png(), brand=str(uuid4())).json()["error"] == "brand_not_found"
    default = shared.get("/api/brands").json()["items"][0]
    assert upload(shared, png()).json()["brand_id"] == default["id"]


def test_a_carousel_is_read(made: Made) -> None:
    carousel = made.client.get(f"/api/carousels/{made.carousel_id}").json()
    assert (carousel["topic"], carousel["slides_ordered"], carousel["brand_id"]) == ("Le café du matin", 3, made.brand)
    slides = made.items(type="carousel_slide")
    assert [slide["asset_id"] for slide in carousel["slides"]] == [slide["id"] for slide in slides]
    assert [slide["text"]["type"] for slide in carousel["slides"]][::2] == ["hero", "cta"]


def test_a_slides_words_are_changed_and_nothing_else(made: Made) -> None:
    path = f"/api/carousels/{made.carousel_id}/slides/2"
    before = made.items(type="carousel_slide")
    changed = made.client.patch(path, json={"title": "Un autre titre", "version": 0})
    assert changed.status_code == 200
    slide = changed.json()["slides"][1]
    assert (slide["text"]["title"], slide["version"]) == ("Un autre titre", 1)
    after = made.items(type="carousel_slide")
    assert [old["sha256"] == new["sha256"] for old, new in zip(before, after, strict=True)] == [True, False, True]
    assert [asset["id"] for asset in after] == [asset["id"] for asset in before]
    stale = made.client.patch(path, json={"title": "Encore", "version": 0})
    assert (stale.status_code, stale.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("path", "change", "status", "code"),
    [
        ("slides/9", {"title": "Un titre"}, 404, "slide_not_found"),
        ("slides/one", {"title": "Un titre"}, 422, "invalid_input"),
        ("slides/1", {"titel": "Un titre"}, 422, "invalid_input"),
        ("slides/1", {"title": 5}, 422, "invalid_input"),
        ("slides/1", {"title": "a\x00b"}, 400, "control_character"),
        ("slides/1", {"title": "a " * 5000}, 400, "invalid_input"),
        ("slides/1", {"title": "\U00013000"}, 400, "script_not_drawable"),
    ],
)
def test_wrong_words_are_refused(made: Made, path: str, change: dict[str, object], status: int, code: str) -> None:
    before = made.client.get(f"/api/carousels/{made.carousel_id}").json()
    answer = made.client.patch(f"/api/carousels/{made.carousel_id}/{path}", json=change)
    assert (answer.status_code, answer.json()["code"], answer.json()["ok"]) == (status, code, False)
    assert made.client.get(f"/api/carousels/{made.carousel_id}").json() == before


def test_a_carousel_is_had_as_a_pdf(made: Made, shared_intake: Intake) -> None:
    answer = made.client.get(f"/api/carousels/{made.carousel_id}/pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF-") and answer.content.count(b"/Type /Page\n") in (0, 3)
    assert list((shared_intake.settings.home / "tmp").glob("*.pdf")) == []


@pytest.mark.parametrize("carousel_id", ["carousel_x", "a%00b", "..%5C..", "x" * 300])
def test_an_unknown_carousel(shared: httpx.Client, carousel_id: str) -> None:
    for method, path in (("GET", ""), ("GET", "/pdf"), ("PATCH", "/slides/1")):
        body = {"title": "a"} if method == "PATCH" else None
        answer = shared.request(method, f"/api/carousels/{carousel_id}{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "carousel_not_found")
