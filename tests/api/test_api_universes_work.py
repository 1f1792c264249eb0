"""What older clients have made of universes: waited for, or followed as jobs with eight digits."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from sqlmodel import select

from maquette.api import universe_generation
from maquette.orders.models import Job
from tests.api.drafting import Studio, error
from tests.rehearsing import until


def post(studio: Studio, path: str, body: object = None, **more: Any) -> httpx.Response:
    return studio.client.post(f"/api/{quote(path)}", json=body, **more)


def make(studio: Studio, name: str, *words: str) -> str:
    assert post(studio, "universes", {"name": name, "theme": "jungle"}).status_code == 200
    if words:
        assert post(studio, f"universes/{name}/prompts", {"words": words}).status_code == 200
    return name


def job(studio: Studio, job_id: str) -> dict[str, Any]:
    answer = studio.client.get(f"/api/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def whole(studio: Studio, job_id: str) -> UUID:
    with studio.drafts.database.begin() as session:
        return next(each for each in session.exec(select(Job.id)) if each.hex.startswith(job_id))


def open_job(studio: Studio, universe: str) -> str | None:
    """The id of the universe's job that has not ended."""
    jobs = studio.client.get("/api/jobs").json()["jobs"]
    return next((each["id"] for each in jobs if each["universe"] == universe and each["status"] == "pending"), None)


def in_background(studio: Studio, path: str, *, refused: tuple[str, ...] = (), **body: object) -> dict[str, Any]:
    """Order it, make it, and the job as it is then."""
    started = post(studio, path, {"async": True, **body})
    assert started.status_code == 200, started.text
    assert set(started.json()) == {"job_id", "message"} and len(started.json()["job_id"]) == 8
    assert job(studio, started.json()["job_id"])["status"] == "pending"
    studio.worker.make(whole(studio, started.json()["job_id"]), refused=refused)
    return job(studio, started.json()["job_id"])


def data(studio: Studio, name: str) -> dict[str, Any]:
    document: dict[str, Any] = studio.client.get(f"/api/universes/{quote(name)}/data").json()
    return document


def test_the_walk_of_an_old_client(studio: Studio) -> None:
    client = studio.client
    make(studio, "Ma Jungle")
    assert {"name": "Ma Jungle", "folder": "ma_jungle"} in client.get("/api/universes").json()
    named = post(studio, "generate/ma_jungle/objects", {"count": 2}).json()
    assert len(set(named["objects"])) == 2 and len(named["translations"]["fr"]) == 2
    assert [item["title"] for item in data(studio, "Ma Jungle")["items"]] == named["objects"]
    template = {"defaultPrompt": "A smiling {object} in the {theme}"}
    filled = post(studio, "universes/Ma Jungle/images/prompts/generate", template).json()["prompts"]
    assert filled == [f"A smiling {name} in the jungle" for name in named["objects"]]
    assert len(post(studio, "universes/Ma Jungle/videos/prompts/generate").json()["prompts"]) == 2
    assert client.get("/api/universes/Ma Jungle/prompts").json()["images"] == filled

    started = post(studio, "generate/ma_jungle/images", {"async": True}).json()
    assert started["message"] == "Generating images for Ma Jungle"
    assert job(studio, started["job_id"]) | {"created_at": ""} == {
        "id": started["job_id"], "type": "images", "universe": "ma_jungle", "description": "ma_jungle: images",
        "status": "pending", "progress": 0, "result": None, "error": None, "created_at": "", "completed_at": None,
    }  # fmt: skip
    assert client.get(f"/api/status/{started['job_id']}").json()["status"] == "pending"
    assert client.get("/api/jobs").json()["active"] == 1
    with studio.worker.working():
        until(lambda: job(studio, started["job_id"])["status"] not in ("pending", "running"), what="the images")
        ended = job(studio, started["job_id"])
        assert (ended["status"], ended["progress"], ended["error"]) == ("completed", 100, None)
        assert ended["result"] == {"generated": 2, "failed": 0, "errors": []}
        assert ended["completed_at"] >= ended["created_at"] and "+" not in ended["created_at"]

        video = post(studio, "generate/ma_jungle/item/0/video")
        assert (video.status_code, video.json()["message"]) == (200, "Video generated for item 0")
        assert client.get(video.json()["path"]).headers["content-type"] == "video/webm"
        music = post(studio, "generate/ma_jungle/music/fr")
        assert (music.status_code, music.json()["message"]) == (200, "Music generated for fr")
        assert music.json()["path"] == "/storage/univers/ma_jungle/music_fr.mp3"
        assert client.get(music.json()["path"]).headers["content-type"] == "audio/mpeg"

    assert client.put("/api/universes/Ma Jungle/color", params={"color": "#2e7d32"}).status_code == 200
    assert client.patch("/api/universes/Ma Jungle/data", json={"theme_translations": {"de": "Dschungel"}}).is_success
    shown = data(studio, "Ma Jungle")
    assert (shown["background_color"], shown["theme_translations"]["de"]) == ("#2e7d32", "Dschungel")
    assert shown["music_translations"]["fr"]["lyrics"] and shown["items"][0]["video"]
    published = post(studio, "universes/Ma Jungle/publish").json()
    assert published["message"] == "Universe 'Ma Jungle' published successfully"
    assert client.get(f"{published['public_url']}/{shown['thumbnail']}").status_code == 200
    assert client.get("/api/jobs").json()["active"] == 0
    assert client.delete("/api/universes/Ma Jungle").status_code == 200
    assert client.get("/api/universes/Ma Jungle/data").json()["detail"] == "Data not found"
    assert job(studio, started["job_id"])["status"] == "completed"


def test_all_is_made_while_the_client_waits(studio: Studio) -> None:
    make(studio, "Tout")
    with studio.worker.working():
        answer = post(studio, "generate/tout/all", {"count": 1})
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert (made["message"], made["failed"], made["path"]) == ("Everything generated for Tout", [], None)
    assert len(made["files"]) == 1 + 1 + 5
    for path in made["files"]:
        assert studio.client.get(path).status_code == 200
    assert post(studio, "generate/tout/thumbnail").json()["thumbnail"] == made["files"][0]
    # Nothing is missing: no order, no wait, the same files.
    with ThreadPoolExecutor() as pool:
        paths = [f"generate/tout/{what}" for what in ("images", "videos", "music-all", "music/de", "all")]
        answers = list(pool.map(lambda path: post(studio, path).json(), paths))
    assert [each["job_id"] for each in answers] == [None] * 5
    assert [len(each["files"]) for each in answers] == [1, 1, 5, 1, 7]
    idle = post(studio, "generate/tout/images", {"async": True}).json()
    assert (job(studio, idle["job_id"])["status"], job(studio, idle["job_id"])["progress"]) == ("completed", 100)


def test_one_item_is_made_anew_and_the_others_stay(studio: Studio) -> None:
    draft_id = studio.finished("Encore")
    before = studio.hashes(draft_id)
    with studio.worker.working():
        image = post(studio, "universes/encore/images/1/regenerate", {"prompt": "A blue {object}"})
    assert (image.status_code, image.json()["message"]) == (200, "Image generated for item 1")
    after = studio.hashes(draft_id)
    assert after["00"] == before["00"] and after["01"][1] == before["01"][1] and after["01"][0] != before["01"][0]
    assert studio.read(draft_id, "assets/01")["image_prompt"].startswith("A blue ")
    ended = in_background(studio, "universes/encore/videos/0/regenerate", prompt="It flies")
    assert (ended["type"], ended["status"]) == ("videos", "completed")
    assert studio.hashes(draft_id)["00"][0] == before["00"][0]
    assert studio.hashes(draft_id)["00"][1] != before["00"][1]
    assert in_background(studio, "generate/encore/images", regenerate=True)["result"]["generated"] == 2
    assert studio.hashes(draft_id)["00"][0] != before["00"][0]


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        ("universes/fautes/images/0/regenerate", {}, 400, "Prompt required"),
        ("universes/fautes/images/0/regenerate", {"prompt": "  "}, 400, "Prompt required"),
        ("universes/fautes/videos/0/regenerate", None, 400, "Prompt required"),
        ("universes/fautes/images/1/regenerate", {"prompt": "x"}, 400, "Invalid index"),
        ("universes/fautes/videos/-1/regenerate", {"prompt": "x"}, 400, "Invalid index"),
        ("generate/fautes/item/1/video", None, 400, "Invalid index"),
        ("generate/fautes/music/pt", None, 422, None),
        ("generate/fautes/images", {"count": 51}, 422, None),
        ("generate/fautes/thumbnail", None, 409, "The draft is not complete: it has no pictures yet"),
        ("generate/nobody/images", None, 404, "Universe not found"),
        ("generate/nobody/videos", {"async": True}, 404, "Universe not found"),
        ("generate/nobody/music/fr", None, 404, "Universe not found"),
        ("generate/nobody/music-all", None, 404, "Universe not found"),
        ("generate/nobody/all", None, 404, "Universe not found"),
        ("generate/nobody/item/0/video", None, 404, "Universe not found"),
        ("universes/nobody/images/0/regenerate", {"prompt": "x"}, 404, "Universe not found"),
        ("generate/nobody/thumbnail", None, 404, "Universe not found"),
    ],
)
def test_what_cannot_be_made_is_told_in_english(
    studio: Studio, path: str, body: object, status: int, detail: str | None
) -> None:
    if not studio.client.get("/api/universes/fautes/color").is_success:
        make(studio, "fautes", "monkey")
    answer = post(studio, path, body, headers={"accept-language": "fr"})
    assert answer.status_code == status
    assert detail in (None, answer.json()["detail"])
    assert error(answer)


def test_a_failure_is_a_500_with_its_reason(studio: Studio) -> None:
    make(studio, "Refus", "monkey", "lion")
    started = post(studio, "generate/refus/images", {"async": True}).json()
    assert error(post(studio, "generate/refus/videos")) == (409, "busy")
    with ThreadPoolExecutor() as pool:
        studio.worker.make(whole(studio, started["job_id"]), refused=("00", "01"))
        failed = job(studio, started["job_id"])
        assert (failed["status"], failed["result"]["failed"]) == ("failed", 2)
        assert failed["error"] == "the provider takes no 01"
        assert failed["result"]["errors"][0] == "00: the provider takes no 00"
        assert studio.client.get(f"/api/status/{started['job_id']}").json()["status"] == "failed"
        answer = pool.submit(post, studio, "generate/refus/images")
        until(lambda: open_job(studio, "refus"), what="the order")
        studio.worker.make(whole(studio, str(open_job(studio, "refus"))), refused=("00", "01"))
        assert error(answer.result()) == (500, "generation_failed")
        assert answer.result().json()["detail"] == "Failed to generate images: the provider takes no 01"


def test_one_failure_of_several_is_told_beside_the_files(studio: Studio) -> None:
    make(studio, "Presque", "monkey", "lion")
    ended = in_background(studio, "generate/presque/images", refused=("01",))
    assert (ended["status"], ended["result"]["generated"], ended["result"]["failed"]) == ("completed", 1, 1)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(post, studio, "generate/presque/videos")
        until(lambda: open_job(studio, "presque"), what="the order")
        studio.worker.make(whole(studio, str(open_job(studio, "presque"))), refused=("01",))
        made = answer.result().json()
    assert [path.rpartition("/")[2] for path in made["files"]] == ["00_monkey_silent.webm"]
    assert [(each["asset"], each["part"], each["code"]) for each in made["failed"]] == [
        ("01", "video", "provider_rejected")
    ]


def test_a_cancelled_order_ends_the_wait(studio: Studio) -> None:
    make(studio, "Annulé", "monkey")
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(post, studio, "generate/annulé/images")
        until(lambda: open_job(studio, "annule"), what="the order")
        job_id = whole(studio, str(open_job(studio, "annule")))
        order_id = studio.client.get(f"/api/jobs/{job_id}").json()["order_id"]
        assert studio.client.post(f"/api/orders/{order_id}/cancel").status_code == 200
        assert error(answer.result()) == (500, "generation_failed")
    assert job(studio, job_id.hex[:8])["status"] == "failed"


def test_the_wait_is_bounded_and_leaves_a_job(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(universe_generation, "WAIT_S", 0.05)
    make(studio, "Long", "monkey")
    answer = post(studio, "generate/long/images")
    assert answer.status_code == 202
    assert answer.json()["message"] == "Still generating images for Long"
    studio.worker.make(whole(studio, answer.json()["job_id"]))
    assert job(studio, answer.json()["job_id"])["status"] == "completed"


def test_waiting_clients_hold_nobody_up(studio: Studio) -> None:
    names = [make(studio, f"File {number}", "monkey") for number in range(5)]
    answered = threading.Event()
    with ThreadPoolExecutor(len(names)) as pool:
        answers = [pool.submit(post, studio, f"generate/{name}/images") for name in names]
        for answer in answers:
            answer.add_done_callback(lambda _: answered.set())
        until(lambda: all(open_job(studio, name.lower().replace(" ", "_")) for name in names), what="the orders")
        assert studio.client.get("/api/universes").status_code == 200 and not answered.is_set()
        with studio.worker.working():
            assert [answer.result().status_code for answer in answers] == [200] * len(names)


def test_jobs_are_told_apart_by_their_ids(studio: Studio) -> None:
    make(studio, "Deux", "monkey")
    ended = in_background(studio, "generate/deux/images")
    full = whole(studio, ended["id"])
    assert studio.client.get(f"/api/jobs/{full}").json()["order_id"]
    assert studio.client.get(f"/api/jobs/{ended['id'].upper()}").json() == ended
    assert studio.client.get(f"/api/status/{full}").json() == {"status": "completed", "task_id": str(full)}
    for unknown in ("deadbee0", "unknown!", "00000000"):
        answer = studio.client.get(f"/api/jobs/{unknown}", headers={"accept-language": "fr"})
        assert error(answer) == (404, "job_not_found")
        assert answer.json()["detail"] == "Job not found. It may have expired or the API was restarted."
        told = studio.client.get(f"/api/status/{unknown}").json()
        assert told == {"status": "completed", "task_id": unknown}
    assert studio.client.get("/api/jobs/not-an-id").status_code == 422
    assert studio.client.get("/api/status/abc").json() == {"status": "completed", "task_id": "abc"}
    listed = studio.client.get("/api/jobs", params={"limit": 1}).json()
    assert (listed["jobs"], listed["total"] >= 1, listed["active"]) == ([ended], True, 0)
