"""The calls about videos, as existing clients use them."""

import httpx
import pytest

from maquette.videos.rules import VideoStatus
from tests.api.rig import Rig

SUGAR = {"theme": "Les risques du sucre", "access_code": "K7M2P9QX", "style": "humorous", "language": "fr"}


def test_an_order_is_accepted_and_not_run(client: httpx.Client) -> None:
    answer = client.post("/videos/create", json=SUGAR | {"a_field_of_an_older_client": [1]})
    assert answer.status_code == 200
    placed = answer.json()
    assert placed | {"video_id": 0, "order_id": 0, "job_id": 0, "item_id": 0} == {
        "video_id": 0,
        "order_id": 0,
        "job_id": 0,
        "item_id": 0,
        "status": "queued",
        "message": "Commande acceptée : la vidéo est en file d'attente",
        "theme": "Les risques du sucre",
        "total_blocks": 5,
        "duration": 36,
    }
    video = client.get(f"/videos/{placed['video_id']}").json()
    assert (video["status"], video["style"], video["target_duration"]) == ("queued", "humorous", 36)


@pytest.mark.parametrize("theme", ["", "   ", "\n\t"])
def test_an_empty_theme_gets_the_known_text(shared: httpx.Client, theme: str) -> None:
    answer = shared.post("/videos/create", json={"theme": theme})
    assert answer.status_code == 400
    assert answer.json() == {"detail": "Le thème ne peut pas être vide", "code": "theme_empty"}


def test_the_theme_has_500_characters_at_most(client: httpx.Client) -> None:
    assert client.post("/videos/create", json={"theme": "é" * 500}).status_code == 200
    answer = client.post("/videos/create", json={"theme": "é" * 501})
    assert answer.status_code == 400
    assert answer.json()["detail"] == "Le thème est trop long (max 500 caractères)"


@pytest.mark.parametrize("theme", ["a\x00b", "a\x07b", "a\u202eb"])
def test_control_characters_are_refused_and_nothing_is_ordered(shared: httpx.Client, theme: str) -> None:
    answer = shared.post("/videos/create", json={"theme": theme})
    assert (answer.status_code, answer.json()["code"]) == (400, "control_character")
    assert shared.get("/videos").json() == {"videos": [], "count": 0}


def test_an_idempotency_key_orders_once(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = client.post("/videos/create", json=SUGAR, headers=headers)
    again = client.post("/videos/create", json=SUGAR, headers=headers)
    other = client.post("/videos/create", json=SUGAR | {"theme": "Le sel"}, headers=headers)
    assert first.json() == again.json()
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key")
    assert client.get("/videos").json()["count"] == 1


def test_the_list_is_newest_first_with_whole_addresses(client: httpx.Client, address: str, rig: Rig) -> None:
    ready, waiting = rig.finished(), rig.order("Le sel")
    listed = client.get("/videos").json()
    assert listed["count"] == 2
    assert [(each["id"], each["video_id"], each["status"]) for each in listed["videos"]] == [
        (waiting, waiting, "processing"),
        (ready, ready, "completed"),
    ]
    assert listed["videos"][0]["video_url"] is None
    assert listed["videos"][1]["stream_url"] == listed["videos"][1]["video_url"] == f"{address}/videos/{ready}/film"
    assert client.get(listed["videos"][1]["thumbnail_url"]).content == b"poster"
    assert [each["id"] for each in client.get("/videos", params={"limit": 1}).json()["videos"]] == [waiting]


def test_the_status_follows_the_video(client: httpx.Client, address: str, rig: Rig) -> None:
    video_id = rig.order()
    assert client.get(f"/videos/{video_id}/status").json()["status"] == "queued"
    rig.write_script(video_id)
    rig.finish_block(video_id, 1)
    half = client.get(f"/videos/{video_id}/status").json()
    assert half["status"] == "generating_parallel"
    assert half["current_step"] == "Génération vidéos (1/2 blocs)"
    assert (half["progress"], half["completed_blocks"], half["blocks_completed"], half["total_blocks"]) == (50, 1, 1, 2)
    assert half["final_url"] is None
    rig.finish_block(video_id, 2)
    rig.complete(video_id)
    done = client.get(f"/videos/{video_id}/status").json()
    assert (done["status"], done["progress"], done["final_url"]) == (
        "completed",
        100,
        f"{address}/videos/{video_id}/film",
    )


@pytest.mark.parametrize("video_id", ["video_20260131_120000", "a%00b", "..%5C..", "x" * 300])
def test_an_unknown_video(shared: httpx.Client, video_id: str) -> None:
    status = shared.get(f"/videos/{video_id}/status")
    assert status.status_code == 200
    assert (status.json()["status"], status.json()["error"]) == ("not_found", "Vidéo non trouvée")
    calls = [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/download"),
        ("GET", "/stream"),
        ("GET", "/film"),
        ("GET", "/poster"),
        ("GET", "/script"),
        ("GET", "/blocks/1/clip"),
        ("POST", "/retry"),
    ]
    for method, path in calls:
        answer = shared.request(method, f"/videos/{video_id}{path}")
        assert answer.status_code == 404, (method, path)
        assert answer.json() == {"detail": "Vidéo non trouvée", "code": "video_not_found"}


def test_a_video_is_deleted_only_at_rest(client: httpx.Client, rig: Rig) -> None:
    video_id = rig.order()
    busy = client.delete(f"/videos/{video_id}")
    assert (busy.status_code, busy.json()["code"]) == (409, "video_busy")
    rig.fail(video_id)
    assert client.delete(f"/videos/{video_id}").status_code == 204
    assert client.get(f"/videos/{video_id}").status_code == 404


def test_a_retry_takes_a_failed_video_only(client: httpx.Client, rig: Rig) -> None:
    video_id = rig.order()
    rig.write_script(video_id)
    rig.finish_block(video_id, 1)
    assert client.post(f"/videos/{video_id}/retry").json()["code"] == "video_busy"
    rig.fail(video_id)
    failed = client.get(f"/videos/{video_id}/status").json()
    assert (failed["status"], failed["error_message"]) == (
        "failed",
        "Quota API dépassé. Réessayez dans quelques minutes.",
    )
    placed = client.post(f"/videos/{video_id}/retry")
    assert placed.status_code == 200
    assert placed.json()["status"] == VideoStatus.GENERATING_PARALLEL
    assert (placed.json()["theme"], placed.json()["duration"]) == ("Les risques du sucre", 15)
    blocks = client.get(f"/videos/{video_id}").json()["blocks"]
    assert [block["status"] for block in blocks] == ["completed", "pending"]


def test_nothing_of_a_finished_video_is_retried(client: httpx.Client, rig: Rig) -> None:
    answer = client.post(f"/videos/{rig.finished()}/retry")
    assert answer.status_code == 409
    assert answer.json() == {"detail": "Rien à relancer : tout est terminé ou déjà relancé", "code": "nothing_to_retry"}


def test_one_block_is_edited(client: httpx.Client, rig: Rig) -> None:
    video_id = rig.finished()
    path = f"/videos/{video_id}/blocks/2"
    assert client.patch(path, json={}).status_code == 400
    assert client.patch(f"/videos/{video_id}/blocks/3", json={"visual": "mer"}).json() == {
        "detail": "Bloc 3 non trouvé",
        "code": "block_not_found",
    }
    unknown = client.patch(path, json={"visuel": "mer"})
    assert (unknown.status_code, unknown.json()["detail"]) == (422, "visuel : champ inconnu")
    placed = client.patch(path, json={"visual": "La mer", "dialogue": "Bonjour"})
    assert (placed.status_code, placed.json()["status"]) == (200, "generating_parallel")
    first, second = client.get(f"/videos/{video_id}").json()["blocks"]
    assert (first["status"], second["status"]) == ("completed", "pending")
    assert (second["visuel"], second["dialogue"]) == ("La mer", "Bonjour")
    assert client.patch(path, json={"regenerate": True}).json()["code"] == "video_busy"
    assert client.get(f"/videos/{video_id}/film").status_code == 200  # the film from before stays
