"""A universe from its theme to production and back to nothing, as a client of today does it: the whole workflow."""

import hashlib
import json
import time
from typing import Any

import httpx
import sqlalchemy as sa
from websockets.sync.client import connect

from maquette.db.engine import Database
from tests.api.drafting import Studio

NAME = "Jungle de nuit"


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def completed(client: httpx.Client, draft_id: str) -> dict[str, Any]:
    """Poll until the making has ended, as the existing clients do every other second."""
    seen, deadline = [-1], time.monotonic() + 60
    while True:
        status: dict[str, Any] = ok(client.get(f"/api/drafts/{draft_id}/status"))
        assert status["progress"] >= seen[-1] and status["failed_assets"] == 0
        seen.append(status["progress"])
        if status["status"] != "generating":
            assert (status["status"], status["progress"], status["generated_assets"]) == ("completed", 100, 3)
            return status
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_workflow(studio: Studio) -> None:
    client, worker = studio.client, studio.worker
    # 1. Create.
    draft = ok(client.post("/api/drafts", json={"name": NAME, "theme": "jungle"}), 201)
    draft_id, base = draft["draft_id"], f"/api/drafts/{draft['draft_id']}"
    assert (draft["folder"], draft["status"], draft["num_assets"]) == (f"jungle-de-nuit-{draft_id}", "draft", 0)
    # 2. List and get.
    assert [each["draft_id"] for each in ok(client.get("/api/drafts"))] == [draft_id]
    assert ok(client.get(base)) == draft
    # 3. Generate three, following them on a socket as well.
    assert ok(client.post(f"{base}/generate", json={"num_assets": 3}))["status"] == "generating"
    with connect(f"{studio.address.replace('http', 'ws')}/ws/drafts/{draft_id}") as socket, worker.working():
        assert json.loads(socket.recv(timeout=30))["status"] == "generating"
        assert client.post(f"{base}/generate", json={}).status_code == 409
        # 4. Poll.
        completed(client, draft_id)
        told = [json.loads(message) for message in socket]
        assert (told[-1]["status"], told[-1]["progress"], socket.close_code) == ("completed", 100, 1000)
    # 5. Assets, with files that are what the documents say.
    assets = {asset["id"]: asset for asset in ok(client.get(f"{base}/assets"))}
    assert list(assets) == ["00", "01", "02"]
    for asset in assets.values():
        assert asset["image_prompt"] and asset["video_prompt"] and asset["generated_at"]
        for name, sha256 in (("image_file", "image_sha256"), ("video_file", "video_sha256")):
            content = client.get(f"/storage/drafts/{draft['folder']}/assets/{asset[name]}").content
            assert hashlib.sha256(content).hexdigest() == asset[sha256]
    assert set(ok(client.get(base))["music_lyrics"]) == {"fr", "en", "es", "it", "de"}
    # 6. Regenerate one: it alone changes.
    with worker.working():
        body = {"new_image_prompt": "A sleeping {concept} under the moon", "regenerate_video": True}
        changed = ok(client.patch(f"{base}/assets/01/regenerate", json=body))
        assert changed["image_prompt"] == f"A sleeping {assets['01']['display_name']} under the moon"
        completed(client, draft_id)
    after = {asset["id"]: asset for asset in ok(client.get(f"{base}/assets"))}
    differing = {id_ for id_ in assets if after[id_] != assets[id_]}
    assert differing == {"01"}
    for name in ("image_sha256", "video_sha256"):
        assert after["01"][name] != assets["01"][name]
    # 7. Publish, and delete.
    published = ok(client.post(f"{base}/publish"))
    assert set(published) >= {"univers_id", "slug", "published_at", "assets_count", "storage_url"}
    assert (published["slug"], published["assets_count"]) == ("jungle-de-nuit", 3)
    assert ok(client.get(base))["status"] == "published"
    cover = client.get(f"{published['storage_url']}/{after['00']['image_file']}")
    assert hashlib.sha256(cover.content).hexdigest() == after["00"]["image_sha256"]
    song = client.get(f"{published['storage_url']}/music_fr.mp3")
    assert (song.status_code, song.headers["content-type"]) == (200, "audio/mpeg")
    assert client.delete(base).status_code == 204
    assert client.get(base).status_code == 404
    assert ok(client.get("/api/drafts")) == []
    assert client.get(f"{published['storage_url']}/music_fr.mp3").content == song.content
    assert rows_of(studio.drafts.database, published["univers_id"]) == [
        after[id_]["image_file"] for id_ in sorted(after)
    ]


def rows_of(database: Database, univers_id: int) -> list[str]:
    engine = sa.create_engine(database.url.set(database="production"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        found = sa.text("SELECT image_name FROM univers_assets WHERE univers_id = :id ORDER BY sort_order")
        return list(connection.execute(found, {"id": univers_id}).scalars())
