"""Drafts that are there: an asset made anew, earlier versions, changes, and who pays for what."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from tests.api.drafting import Studio, error
from tests.api.rig import served


@pytest.fixture(scope="module")
def finished(studio: Studio) -> str:
    """A completed draft. Each test compares what it finds with what it leaves."""
    return studio.finished()


def test_one_asset_is_made_anew_and_brought_back(studio: Studio, finished: str) -> None:
    before, body = studio.hashes(finished), {"new_image_prompt": "A {concept} with a red hat"}
    name = studio.read(finished, "assets/01")["display_name"]
    answer = studio.client.patch(f"/api/drafts/{finished}/assets/1/regenerate", json=body)
    asset = answer.json()
    assert answer.status_code == 200
    assert (asset["id"], asset["image_prompt"], asset["status"]) == ("01", f"A {name} with a red hat", "generating")
    assert asset["video_prompt"] and (asset["image_sha256"], asset["video_sha256"]) == before["01"]
    studio.worker.make(UUID(asset["job_id"]))
    after = studio.hashes(finished)
    assert after["00"] == before["00"]
    assert after["01"][0] != before["01"][0] and after["01"][1] != before["01"][1]
    assert studio.read(finished, "assets/01")["image_prompt"] == asset["image_prompt"]
    (version,) = studio.read(finished, "assets/01/versions")
    assert (version["version"], version["image_sha256"], version["video_sha256"]) == (1, *before["01"])
    restored = studio.client.post(f"/api/drafts/{finished}/assets/01/versions/1/restore").json()
    assert (restored["image_sha256"], restored["video_sha256"]) == before["01"]
    assert [each["version"] for each in studio.read(finished, "assets/01/versions")] == [2, 1]
    missing = studio.client.post(f"/api/drafts/{finished}/assets/01/versions/9/restore")
    assert error(missing) == (404, "draft_version_not_found")


def test_without_a_body_it_is_another_take_of_the_same(studio: Studio, finished: str) -> None:
    before, prompt = studio.hashes(finished), studio.read(finished, "assets/00")["image_prompt"]
    answer = studio.client.patch(f"/api/drafts/{finished}/assets/00/regenerate").json()
    assert answer["image_prompt"] == prompt
    studio.worker.make(UUID(answer["job_id"]))
    after = studio.hashes(finished)
    assert after["00"][0] != before["00"][0] and after["01"] == before["01"]
    only_loop = {"regenerate_image": False, "new_image_prompt": "unused", "new_video_prompt": "it waves"}
    answer = studio.client.patch(f"/api/drafts/{finished}/assets/00/regenerate", json=only_loop).json()
    assert (answer["image_prompt"], answer["video_prompt"]) == (prompt, "it waves")
    studio.worker.make(UUID(answer["job_id"]))
    assert studio.hashes(finished)["00"][0] == after["00"][0]


@pytest.mark.parametrize("asset_id", ["02", "99999", "-1", "a", "0x1", "٣", "1.0", "%00"])
def test_an_asset_that_is_not_there(studio: Studio, finished: str, asset_id: str) -> None:
    for method, path in (("GET", ""), ("PATCH", "/regenerate"), ("GET", "/versions")):
        answer = studio.client.request(method, f"/api/drafts/{finished}/assets/{asset_id}{path}")
        assert error(answer) == (404, "draft_asset_not_found")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"new_image_prompt": "a {creature}"}, (400, "unknown_variable")),
        ({"new_image_prompt": ""}, (422, "invalid_input")),
        ({"new_image_prompt": "a" * 2001}, (422, "invalid_input")),
        ({"regenerate_image": False, "regenerate_video": False}, (400, "invalid_input")),
    ],
)
def test_a_regeneration_that_cannot_be(
    studio: Studio, finished: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    asset, draft = studio.read(finished, "assets/00"), studio.read(finished)
    assert error(studio.client.patch(f"/api/drafts/{finished}/assets/00/regenerate", json=body)) == expected
    assert (studio.read(finished, "assets/00"), studio.read(finished)) == (asset, draft)


def test_names_and_looks_are_changed(studio: Studio, finished: str) -> None:
    change = {"name": "Nouveau", "background_color": "#2E7D32", "titles": {"de": "Neu"}, "require_approval": True}
    draft = studio.client.patch(f"/api/drafts/{finished}", json=change).json()
    assert {name: draft[name] for name in change} == change | {"titles": draft["titles"]}
    assert draft["titles"]["de"] == "Neu"
    asset = {"display_name": "ape", "titles": {"fr": "grand singe"}, "image_prompt": "an ape"}
    changed = studio.client.patch(f"/api/drafts/{finished}/assets/00", json=asset).json()
    assert (changed["display_name"], changed["titles"]["fr"], changed["image_prompt"]) == (
        "ape", "grand singe", "an ape",
    )  # fmt: skip
    assert studio.read(finished)["content_hash"] != draft["content_hash"]
    for path in ("", "/assets/00"):
        answer = studio.client.patch(f"/api/drafts/{finished}{path}", json={"status": "published"})
        assert error(answer) == (422, "invalid_input")


def test_what_costs_needs_the_access_code(studio: Studio, finished: str) -> None:
    guarded = studio.drafts.settings.model_copy(update={"access_code": SecretStr("K7M2"), "api_token": SecretStr("t")})
    calls: list[tuple[str, str, dict[str, object]]] = [
        ("POST", "/api/drafts", {"name": "a", "theme": "a"}),
        ("POST", f"/api/drafts/{finished}/generate", {"num_assets": 99}),
        ("PATCH", f"/api/drafts/{finished}/assets/99/regenerate", {}),
        ("POST", f"/api/drafts/{finished}/translations/generate", {}),
        ("POST", f"/api/drafts/{finished}/lyrics/generate", {"language": "pt"}),
        ("POST", f"/api/drafts/{finished}/music/fr?wait=-1", {}),
    ]
    token = {"authorization": "Bearer t"}
    with served(guarded, studio.drafts.database) as address, httpx.Client(base_url=address, headers=token) as client:
        for method, path, body in calls[:-1]:
            assert error(client.request(method, path, json=body)) == (400, "access_code"), path
            assert error(client.request(method, path, json=body | {"access_code": "no"})) == (400, "access_code")
        # With the code, what is wrong with the rest is told.
        told = [
            client.request(method, path, json=body | {"access_code": "K7M2"}).status_code
            for method, path, body in calls
        ]
        assert told == [201, 422, 404, 200, 422, 422]
        header = client.request(*calls[0][:2], json=calls[0][2], headers={"X-Access-Code": "K7M2"})
        assert header.status_code == 201
        assert client.get(f"/api/drafts/{finished}").status_code == 200
        del client.headers["authorization"]
        assert client.get(f"/api/drafts/{finished}").status_code == 401
        assert client.get("/storage/drafts/a/assets/b").status_code == 401


def test_a_brand_pays_for_its_drafts_until_its_month_is_used_up(studio: Studio) -> None:
    def reserved(brand: str | None) -> tuple[int, int]:
        month = studio.client.get("/api/quota", params={"brand": brand} if brand else {}).json()
        return month["images"]["reserved"], month["woofs"]["reserved"]

    def order(brand: str | None, **fields: Any) -> httpx.Response:
        draft_id = studio.create("Café", brandId=brand)
        return studio.client.post(f"/api/drafts/{draft_id}/generate", json=fields)

    brand = studio.client.post("/api/brands", json={"name": "Café Lumière", "plan": "starter"}).json()["id"]
    without = reserved(None)
    assert order(None, num_assets=3).status_code == 200
    assert reserved(None) == without  # a draft without a brand takes no budget
    assert order(brand, num_assets=3, languages=["fr"]).status_code == 200
    assert reserved(brand) == (3, 4)
    statuses = [order(brand, num_assets=20, parts=["image"]).status_code for _ in range(9)]
    assert statuses == sorted(statuses) and set(statuses) == {200, 403}
    assert error(order(brand, num_assets=20, parts=["image"])) == (403, "budget_exceeded")
