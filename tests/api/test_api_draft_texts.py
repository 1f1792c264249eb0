"""Texts and songs of drafts over HTTP: written at once, paid once, waited for as long as the client likes."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from maquette.drafts.writing import Writing
from maquette.errors import Conflict
from maquette.workshop import Workshop
from tests.api.drafting import LANGUAGES, Studio, error, studio_of
from tests.providers.clips.wire import Answer, Call, Server, serving


@pytest.fixture
def named(studio: Studio) -> str:
    return studio.named("monkey", "tree")


def post(studio: Studio, draft_id: str, path: str, body: object = None) -> httpx.Response:
    return studio.client.post(f"/api/drafts/{draft_id}/{path}", json=body)


def test_translations_become_the_assets_titles(studio: Studio, named: str) -> None:
    assert studio.client.patch(f"/api/drafts/{named}/assets/01", json={"display_name": "lion"}).status_code == 200
    answer = post(studio, named, "translations/generate")
    assert (answer.status_code, answer.json()["message"]) == (200, "Translations generated")
    translations = answer.json()["translations"]
    assert set(translations) == set(LANGUAGES)
    first, second = studio.read(named, "assets")
    assert [first["titles"], second["titles"]] == [
        {language: texts[index] for language, texts in translations.items()} for index in (0, 1)
    ]
    assert first["titles"]["fr"] == "singe"
    assert (second["titles"]["en"], second["titles"]["de"]) == ("lion", "Löwe")
    assert studio.read(named, "words")["translations"] == translations


def test_without_words_or_assets_there_is_nothing_to_write(studio: Studio) -> None:
    draft_id = studio.create()
    headers = {"accept-language": "en"}
    said = {
        ("GET", "words", 404): "Words not found",
        ("POST", "translations/generate", 404): "Words not found",
        ("POST", "images/prompts/generate", 400): "No objects found",
        ("POST", "videos/prompts/generate", 400): "No objects found",
    }
    for (method, path, status), detail in said.items():
        answer = studio.client.request(method, f"/api/drafts/{draft_id}/{path}", headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (status, detail)


@pytest.mark.parametrize("part", ["image", "video"])
def test_prompts_are_filled_for_all_assets(studio: Studio, named: str, part: str) -> None:
    path = f"{part}s/prompts/generate"
    answer = post(studio, named, path, {"defaultPrompt": "a {object} of {theme}"})
    assert answer.json() == {"prompts": ["a monkey of jungle", "a tree of jungle"]}
    assert [each[f"{part}_prompt"] for each in studio.read(named, "assets")] == answer.json()["prompts"]
    assert studio.read(named)["default_prompts"][part] == "a {object} of {theme}"
    assert post(studio, named, path).json() == answer.json()
    assert error(post(studio, named, path, {"defaultPrompt": "a {creature}"})) == (400, "unknown_variable")


def test_lyrics_are_written_kept_and_changed(studio: Studio, named: str) -> None:
    body = {"theme": "la jungle", "words": ["singe", "arbre"]}
    answer = post(studio, named, "lyrics/generate", body)
    assert (answer.status_code, answer.json()["language"]) == (200, "fr")
    lyrics = answer.json()["lyrics"]
    assert "[chorus]" in lyrics and 100 <= len(lyrics) <= 590
    assert studio.read(named)["music_lyrics"] == {"fr": lyrics}
    assert post(studio, named, "lyrics/generate", body).json()["lyrics"] == lyrics
    assert post(studio, named, "lyrics/generate", body | {"seed": 7}).json()["lyrics"] != lyrics
    assert post(studio, named, "lyrics/generate", {"language": "de"}).json()["language"] == "de"
    mine = {"lyrics": "[verse]\nUn singe\n[chorus]\nOh oh", "prompt": "ukulele for {theme}"}
    song = studio.client.put(f"/api/drafts/{named}/songs/fr", json=mine).json()
    assert {name: song[name] for name in mine} == mine
    assert [song["language"] for song in studio.read(named, "songs")] == ["fr", "de"]
    assert studio.read(named, "songs")[0] == song


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PUT", "songs/pt", {"lyrics": "la"}, (422, "invalid_input")),
        ("PUT", "songs/fr", {"lyrics": "l\u0000a"}, (400, "control_character")),
        ("PUT", "songs/fr", {"audio_file": "mine.mp3"}, (422, "invalid_input")),
        ("PUT", "songs/fr", {"prompt": "{creature}"}, (400, "unknown_variable")),
        ("POST", "lyrics/generate", {"language": "pt"}, (422, "invalid_input")),
        ("POST", "lyrics/generate", {"words": [""]}, (422, "invalid_input")),
        ("POST", "translations/generate", {"source": "pt"}, (422, "invalid_input")),
        ("POST", "music/pt", None, (422, "invalid_input")),
        ("POST", "music/fr?wait=601", None, (422, "invalid_input")),
    ],
)
def test_texts_that_cannot_be(studio: Studio, method: str, path: str, body: object, expected: tuple[int, str]) -> None:
    assert error(studio.client.request(method, f"/api/drafts/{studio.create()}/{path}", json=body)) == expected


def test_a_song_is_waited_for(studio: Studio) -> None:
    draft_id = studio.create()
    with studio.worker.working():
        answer = post(studio, draft_id, "music/fr")
    made = answer.json()
    assert (answer.status_code, made["message"], made["status"]) == (200, "Music generated for fr", "completed")
    assert made["path"].endswith("/assets/music_fr.mp3")
    assert studio.client.get(made["path"]).headers["content-type"] == "audio/mpeg"
    (song,) = studio.read(draft_id, "songs")
    assert (song["audio_path"], song["language"]) == (made["path"], "fr")
    again = post(studio, draft_id, "music/fr").json()
    assert again == made | {"order_id": None, "job_id": None, "status": None}
    anew = post(studio, draft_id, "music/fr?wait=0&force_regenerate=1")
    assert (anew.status_code, anew.json()["status"], anew.json()["path"]) == (202, "queued", None)


@pytest.mark.parametrize(("query", "headers"), [("?wait=0", {}), ("", {"Prefer": "handling=lenient, respond-async"})])
def test_who_does_not_wait_gets_the_job(studio: Studio, query: str, headers: dict[str, str]) -> None:
    draft_id = studio.create()
    answer = studio.client.post(f"/api/drafts/{draft_id}/music/it{query}", headers=headers)
    ordered = answer.json()
    assert (answer.status_code, ordered["path"], ordered["status"]) == (202, None, "queued")
    assert error(post(studio, draft_id, "music/it")) == (409, "busy")
    studio.worker.make(UUID(ordered["job_id"]))
    assert post(studio, draft_id, "music/it").json()["path"].endswith("/assets/music_it.mp3")


def test_a_song_that_fails_or_is_cancelled_is_told_at_once(studio: Studio) -> None:
    draft_id = studio.create()

    def order() -> tuple[Any, str]:
        waiting = pool.submit(post, studio, draft_id, "music/es")
        while (job_id := studio.read(draft_id, "status")["job_id"]) in known:
            pass
        known.add(job_id)
        return waiting, job_id

    known: set[str | None] = {None}
    with ThreadPoolExecutor() as pool:
        waiting, job_id = order()
        studio.worker.make(UUID(job_id), refused=("es",))
        assert error(waiting.result()) == (502, "provider_rejected")
        waiting, job_id = order()
        order_id = studio.read(draft_id, "status")["order_id"]
        assert studio.client.post(f"/api/orders/{order_id}/cancel").status_code == 200
        assert error(waiting.result()) == (409, "cancelled")


class Paid:
    """A writer's server: it counts what it is asked, and waits before it answers where it is told to."""

    def __init__(self) -> None:
        self.answer = Answer(body={})
        self.asked, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def __call__(self, call: Call) -> Answer:
        self.asked.set()
        assert self.go_on.wait(10)
        return self.answer

    def says(self, text: str) -> None:
        message = {"role": "assistant", "content": text, "refusal": None}
        self.answer = Answer(
            body={
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5-mini",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000},
            }
        )  # fmt: skip


def test_a_paid_text_is_paid_once_and_booked(postgres: str, tmp_path: Path, studio: Studio) -> None:
    paid = Paid()
    with (
        serving(paid) as server,
        studio_of(
            postgres,
            tmp_path,
            text_provider="openai",
            openai_base_url=f"{server.url}/v1",
            openai_api_key=SecretStr("k"),
        ) as other,
    ):
        draft_id = other.named("monkey", "tree")
        _translated_once(paid, server, other, draft_id)
        _one_at_a_time(paid, server, other, draft_id)
        _a_lost_answer_is_asked_for_again_by_a_person(paid, server, other, draft_id)


def _translated_once(paid: Paid, server: Server, studio: Studio, draft_id: str) -> None:
    told = {"fr": ["singe", "arbre"], "es": ["mono"], "it": ["scimmia", ""], "de": ["Affe", "Baum"]}
    paid.says(f"Here you are:\n```json\n{json.dumps(told)}\n```")
    first = post(studio, draft_id, "translations/generate")
    assert first.status_code == 200, first.text
    assert first.json()["translations"] == {
        "fr": ["singe", "arbre"], "en": ["monkey", "tree"], "es": ["monkey", "tree"],
        "it": ["scimmia", "tree"], "de": ["Affe", "Baum"],
    }  # fmt: skip
    assert post(studio, draft_id, "translations/generate").json() == first.json()
    assert len(server.calls) == 1
    costs = studio.client.get("/api/costs", params={"by": "provider"}).json()
    assert (costs["calls"], costs["cost_micros"] > 0) == (1, True)


def _one_at_a_time(paid: Paid, server: Server, studio: Studio, draft_id: str) -> None:
    paid.says("[verse]\n" + "la la la\n" * 30)
    paid.asked.clear()
    paid.go_on.clear()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(post, studio, draft_id, "lyrics/generate")
        assert paid.asked.wait(10)
        assert error(post(studio, draft_id, "lyrics/generate")) == (409, "busy")
        paid.go_on.set()
        assert first.result().status_code == 200
    assert len(server.calls) == 2


def _a_lost_answer_is_asked_for_again_by_a_person(paid: Paid, server: Server, studio: Studio, draft_id: str) -> None:
    paid.answer = Answer(hang_up=True)
    assert error(post(studio, draft_id, "lyrics/generate", {"language": "de"})) == (502, "outcome_unknown")
    paid.says("[verse]\n" + "tra la la\n" * 30)
    assert post(studio, draft_id, "lyrics/generate", {"language": "de"}).status_code == 200
    assert len(server.calls) == 4
    paid.answer = Answer(status=503, body={"error": {"message": "away"}})
    assert post(studio, draft_id, "lyrics/generate", {"language": "it"}).status_code == 503


def test_names_that_change_while_they_are_translated_are_not_overwritten(studio: Studio, named: str) -> None:
    class Meanwhile(Workshop):
        @property
        def writer(self) -> Any:
            studio.client.patch(f"/api/drafts/{named}/assets/00", json={"display_name": "zebra"})
            return studio.worker.workshop.writer

    writing = Writing(studio.drafts, Meanwhile(studio.drafts.settings, studio.drafts.database))
    with pytest.raises(Conflict, match="changed meanwhile"):
        writing.translate(named)
    assert studio.read(named, "assets/00")["display_name"] == "zebra"
