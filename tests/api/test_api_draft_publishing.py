"""Drafts on their way to production over HTTP: approval, plan, publication; and the files of both places."""

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from maquette.api.files import MAX_RANGES
from tests.api.drafting import LANGUAGES, Studio, error
from tests.api.rig import served


@pytest.fixture(scope="module")
def whole(studio: Studio) -> str:
    """A completed draft that is only read."""
    return studio.finished("La savane")


def production(studio: Studio, statement: str, **values: object) -> list[Any]:
    """Rows of the readers' database."""
    url = studio.drafts.database.url.set(database="production")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        found = connection.execute(sa.text(statement), values).all()
    engine.dispose()
    return list(found)


def publish(studio: Studio, draft_id: str, query: str = "") -> httpx.Response:
    return studio.client.post(f"/api/drafts/{draft_id}/publish{query}")


def test_a_draft_is_planned_and_published_and_the_same_again_changes_nothing(studio: Studio) -> None:
    draft_id = studio.finished("Le port de pêche")
    plan = studio.client.get(f"/api/drafts/{draft_id}/publish/plan").json()
    assert (plan["draft_id"], plan["slug"], plan["count"]) == (draft_id, "le-port-de-peche", len(plan["changes"]))
    files = [change["key"] for change in plan["changes"] if change["where"] == "files"]
    assert len(files) == 6  # each asset's picture, and its loop in two forms
    assert publish(studio, draft_id, "?dry_run=true").json() == plan
    assert studio.read(draft_id)["published_at"] is None

    answer = publish(studio, draft_id)
    assert answer.status_code == 200, answer.text
    published = answer.json()
    assert published["storage_url"] == f"{studio.address}/storage/buckets/univers/le-port-de-peche"
    assert (published["slug"], published["assets_count"], published["files_uploaded"]) == ("le-port-de-peche", 2, 6)
    draft = studio.read(draft_id)
    assert (draft["status"], draft["univers_id"], draft["changed_since_publication"]) == (
        "published", published["univers_id"], False,
    )  # fmt: skip
    assert draft["published_at"] == published["published_at"]

    again = publish(studio, draft_id).json()
    assert again == published | {"published_at": again["published_at"], "files_uploaded": 0, "changes": 0}
    assert studio.client.get(f"/api/drafts/{draft_id}/publish/plan").json()["changes"] == []
    studio.client.patch(f"/api/drafts/{draft_id}/assets/00", json={"display_name": "boat"})
    assert studio.read(draft_id)["changed_since_publication"] is True
    plan = studio.client.get(f"/api/drafts/{draft_id}/publish/plan").json()
    assert {change["kind"] for change in plan["changes"]} == {"update"}

    assert studio.client.delete(f"/api/drafts/{draft_id}").status_code == 204
    rows = production(studio, "SELECT name FROM univers WHERE slug = 'le-port-de-peche'")
    assert [row.name for row in rows] == ["Le port de pêche"]


def test_readers_find_what_the_draft_has(studio: Studio, whole: str) -> None:
    published = publish(studio, whole).json()
    assets = studio.read(whole, "assets")
    rows = production(
        studio,
        "SELECT a.sort_order, a.image_name, t.language, t.display_name FROM univers_assets a "
        "JOIN univers_assets_translations t ON t.asset_id = a.id WHERE a.univers_id = :id ORDER BY 1, 3",
        id=published["univers_id"],
    )
    assert [tuple(row) for row in rows] == [
        (asset["sort_order"], asset["image_file"], language, asset["titles"][language])
        for asset in assets
        for language in sorted(LANGUAGES)
    ]
    for asset in assets:
        file = studio.client.get(f"{published['storage_url']}/{asset['image_file']}")
        assert hashlib.sha256(file.content).hexdigest() == asset["image_sha256"]
        assert (file.headers["content-type"], file.headers["etag"]) == ("image/png", f'"{asset["image_sha256"]}"')
        loop = studio.client.get(f"{published['storage_url']}/{asset['video_file']}", headers={"range": "bytes=0-3"})
        assert (loop.status_code, loop.content, loop.headers["content-type"]) == (
            206, b"\x1a\x45\xdf\xa3", "video/webm",
        )  # fmt: skip


def test_an_approval_is_of_what_was_seen(studio: Studio) -> None:
    draft_id = studio.create("La ferme", require_approval=True)
    studio.generate(draft_id, num_assets=1, parts=["image"])
    path = f"/api/drafts/{draft_id}/approve"
    assert error(publish(studio, draft_id)) == (409, "approval_required")
    seen = studio.read(draft_id)["content_hash"]
    studio.client.patch(f"/api/drafts/{draft_id}/assets/00", json={"titles": {"fr": "vache"}})
    assert error(studio.client.post(path, json={"content_hash": seen})) == (409, "approval_stale")
    seen = studio.read(draft_id)["content_hash"]
    refused = studio.client.post(path, json={"content_hash": seen, "approved": False, "note": "trop sombre"})
    assert (refused.status_code, refused.json()["approved"]) == (200, False)
    assert error(publish(studio, draft_id)) == (409, "approval_required")
    assert studio.client.post(path, json={"content_hash": seen}).json()["approved"] is True
    assert publish(studio, draft_id).status_code == 200
    assert error(studio.client.post(path, json={"approved": True})) == (422, "invalid_input")


def test_a_draft_without_pictures_is_not_published(studio: Studio) -> None:
    draft_id = studio.create("Vide")
    for answer in (publish(studio, draft_id), studio.client.get(f"/api/drafts/{draft_id}/publish/plan")):
        assert error(answer) == (409, "draft_incomplete")


def files_of(studio: Studio, draft_id: str) -> dict[str, tuple[str, str]]:
    """Address, media type and sha256 of the files that the documents name."""
    draft, (asset, *_) = studio.read(draft_id), studio.read(draft_id, "assets")
    base = f"/storage/drafts/{draft['folder']}/assets"
    assert draft["thumbnail_url"] == f"{base}/{asset['image_file']}"
    return {
        f"{base}/{asset['image_file']}": ("image/png", asset["image_sha256"]),
        f"{base}/{asset['video_file']}": ("video/webm", asset["video_sha256"]),
    }


def test_the_files_of_a_draft(studio: Studio, whole: str) -> None:
    for path, (media_type, sha256) in files_of(studio, whole).items():
        answer = studio.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert hashlib.sha256(answer.content).hexdigest() == sha256
        assert answer.headers["etag"] == f'"{sha256}"'
        head = studio.client.head(path)
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(answer.content)))
        part = studio.client.get(path, headers={"range": "bytes=2-5"})
        assert (part.status_code, part.content) == (206, answer.content[2:6])
        assert studio.client.get(path, headers={"if-none-match": f'"{sha256}"'}).status_code == 304
        beyond = studio.client.get(path, headers={"range": f"bytes={len(answer.content)}-"})
        assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
        many = studio.client.get(path, headers={"range": "bytes=" + ",".join(["0-1"] * (MAX_RANGES + 1))})
        assert many.content == answer.content
        kept = studio.client.get(path, params={"download": "1"}).headers["content-disposition"]
        assert kept.startswith("attachment;") and path.rpartition("/")[2] in kept
    asset = studio.read(whole, "assets/00")
    small = studio.client.get(asset["thumbnail_path"])
    assert (small.headers["content-type"], small.content[:2]) == ("image/jpeg", b"\xff\xd8")
    mp4 = studio.client.get(f"{path.removesuffix('.webm')}.mp4")
    assert (mp4.headers["content-type"], mp4.content[4:8]) == ("video/mp4", b"ftyp")


@pytest.mark.parametrize(
    "path",
    [
        "{draft}/metadata.json",
        "{draft}/assets/metadata.json",
        "{draft}/assets/../metadata.json",
        "{draft}/assets/%2e%2e%2fmetadata.json",
        "{draft}/assets/..%5cmetadata.json",
        "{draft}/assets/%00",
        "{draft}/thumbnails/..",
        "{draft}/assets/link.png",
        "{draft}%00/assets/{image}",
        "../drafts/x/assets/{image}",
        "%2e%2e/assets/{image}",
        "drafts%2f{folder}/assets/{image}",
        "x/assets/{image}",
        "buckets/univers/la-savane/link.png",
        "buckets/univers/la-savane/nothing.png",
        "buckets/univers/la-savane/%2e%2e",
        "buckets/univers/la-savane/..%2f..%2funivers",
        "buckets/univers/la-savane/{image}%00",
        "buckets/univers/la-savane/" + "x" * 300,
        "buckets/univers/%2e%2e/univers",
        "buckets/univers/%2e/la-savane",
        "buckets/univers/la-savane%5c..%5cla-savane/{image}",
        "buckets/%2e%2e/drafts/{folder}",
        "buckets/other/la-savane/{image}",
    ],
)
def test_no_path_leads_elsewhere(studio: Studio, whole: str, path: str) -> None:
    if studio.read(whole)["published_at"] is None:
        assert publish(studio, whole).status_code == 200
    home, folder = studio.drafts.settings.home, studio.read(whole)["folder"]
    image = studio.read(whole, "assets/00")["image_file"]
    _link(home / "drafts" / folder / "assets" / "link.png", studio.drafts.folder_of(whole) / "metadata.json")
    _link(home / "buckets" / "univers" / "la-savane" / "link.png", studio.drafts.folder_of(whole) / "metadata.json")
    base = "/storage/" if path.startswith("buckets") else "/storage/drafts/"
    answer = _raw(studio, base + path.format(draft=folder, folder=folder, image=image))
    assert (answer.status_code, answer.json()["code"] in ("asset_not_found", "not_found")) == (404, True)


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target)


def _raw(studio: Studio, path: str) -> httpx.Response:
    """The answer to that very path: clients tidy dots away."""
    url = httpx.URL(studio.address)
    return studio.client.get(url.copy_with(raw_path=path.encode()))


def test_a_bucket_elsewhere_is_not_served_here(studio: Studio, whole: str) -> None:
    image = studio.read(whole, "assets/00")["image_file"]
    elsewhere = studio.drafts.settings.model_copy(update={"bucket": "gcs"})
    with served(elsewhere, studio.drafts.database) as address:
        answer = httpx.get(f"{address}/storage/buckets/univers/la-savane/{image}")
    assert (answer.status_code, answer.json()["code"]) == (404, "asset_not_found")
