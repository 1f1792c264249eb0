"""Every error is one text and one code, in the client's language, with nothing inside that is not for it."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from maquette import errors
from maquette.api.errors import STATUSES, STATUSES_BY_CODE, answer_to
from maquette.api.texts import language_of, say
from maquette.db.engine import Database
from maquette.error_texts import LANGUAGES, TEXTS
from maquette.errors import MaquetteError
from maquette.settings import Settings
from maquette.videos.service import Videos
from tests.api.rig import served

JSON = {"content-type": "application/json"}


def _all(kind: type[MaquetteError]) -> Iterator[type[MaquetteError]]:
    yield kind
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from _all(each)


def _is_error(answer: httpx.Response) -> bool:
    body = answer.json()
    return set(body) == {"detail", "code"} and all(isinstance(value, str) and value for value in body.values())


@pytest.mark.parametrize("kind", list(_all(MaquetteError)))
def test_every_error_of_the_tree_has_a_status(kind: type[MaquetteError]) -> None:
    near = {errors.Filtered, errors.Invalid, errors.OutcomeUnknown}  # ends of a run, answered as ProviderError is
    assert kind in STATUSES or kind in near
    answer = answer_to(kind("/secret/place", unit="images"), {"type": "http", "path": "/", "headers": []})
    assert answer.status_code >= 400
    if kind not in (errors.InvalidInput, errors.MediaError):  # whose message is meant for the user
        assert b"/secret/place" not in answer.body


def test_codes_with_a_status_of_their_own_have_texts() -> None:
    assert set(STATUSES_BY_CODE) - set(TEXTS) == {"unsupported_media_type"}  # a text of this face's own


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"theme": "a", "target_duration": 7}, "target_duration: from 8 to 78"),
        ({"theme": "a", "target_duration": 79}, "target_duration: from 8 to 78"),
        ({"theme": "a", "target_duration": "soon"}, "target_duration: a whole number is expected"),
        ({"theme": "a", "target_duration": 10**400}, "target_duration: "),
        ({"theme": "a", "style": "angry"}, "style: choose one of informative, humorous, dramatic, inspiring"),
        ({"theme": "a", "language": "de"}, "language: choose one of fr, en, es"),
        ({"theme": "a", "aspect_ratio": "2:1"}, "aspect_ratio: choose one of 9:16, 1:1, 16:9, 4:5"),
        ({"theme": "a", "crossfade_s": 2}, "crossfade_s: from 0 to 1"),
        ({"theme": "a", "seed": -1}, "seed: from 0 to 2147483647"),
        ({"theme": None}, "theme: a text is expected"),
        ({}, "theme: this field is required"),
        (["theme"], "The request's body must be a JSON object"),
    ],
)
def test_a_wrong_field_is_named_with_its_limits(shared: httpx.Client, body: object, detail: str) -> None:
    answer = shared.post("/videos/create", json=body, headers={"accept-language": "en"})
    assert answer.status_code == 422
    assert _is_error(answer)
    assert answer.json()["detail"].startswith(detail)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b'{"theme": "\\ud800"}',
        b'{"theme": "a", "crossfade_s": NaN}',
        b'{"theme": "a", "crossfade_s": 1e999}',
        b'{"theme": "a", "target_duration": ' + b"9" * 5_000 + b"}",
        b"[" * 500_000,
        b'{"theme":' * 100_000,
    ],
)
def test_odd_bodies_are_refused_and_the_service_lives_on(shared: httpx.Client, content: bytes) -> None:
    answer = shared.post("/videos/create", content=content, headers=JSON)
    assert answer.status_code in (400, 422)
    assert _is_error(answer)
    assert shared.get("/health").status_code == 200


def test_deep_json_in_an_unknown_field_does_no_harm(shared: httpx.Client) -> None:
    deep = b'{"theme": "a", "x": ' + b"[" * 900 + b"]" * 900 + b"}"
    assert shared.post("/videos/create", content=deep, headers=JSON).status_code == 200


def test_a_field_that_utf_8_cannot_name(shared: httpx.Client) -> None:
    answer = shared.patch("/videos/a/blocks/1", content=b'{"\\ud800": 1}', headers=JSON)
    assert answer.status_code == 422
    assert _is_error(answer)


def test_a_form_is_told_to_be_json(shared: httpx.Client) -> None:
    answer = shared.post("/videos/create", data={"theme": "a"})
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/videos/../../etc/passwd", 404, "not_found"),
        ("GET", "/videos/..%2f..%2fetc%2fpasswd/film", 404, "not_found"),
        ("PUT", "/videos", 405, "method_not_allowed"),
        ("GET", "/videos?limit=0", 422, "invalid_input"),
        ("GET", "/videos?limit=501", 422, "invalid_input"),
        ("GET", "/videos/x/blocks/one/clip", 422, "invalid_input"),
    ],
)
def test_wrong_addresses(shared: httpx.Client, method: str, path: str, status: int, code: str) -> None:
    answer = shared.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert _is_error(answer)
    if status == 405:
        assert answer.headers["allow"] == "GET"


def test_what_nobody_foresaw_is_a_500_that_tells_nothing(shared: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Videos, *, limit: int) -> None:
        raise ValueError("password=hunter2")

    monkeypatch.setattr(Videos, "list", broken)
    answer = shared.get("/videos", headers={"origin": "http://localhost:5173"})
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Une erreur est survenue. Veuillez réessayer.", "code": "internal"}
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert shared.get("/health").status_code == 200  # on the same connection


def test_a_database_outage_is_a_503(settings: Settings) -> None:
    with socket.socket() as closed:  # bound, and nobody listens there
        closed.bind(("127.0.0.1", 0))
        away = Database(f"postgresql://maquette:hunter2@127.0.0.1:{closed.getsockname()[1]}/maquette")
        with served(settings, away) as address, httpx.Client(base_url=address) as client:
            for method, path in [("GET", "/videos"), ("POST", "/videos/create"), ("GET", "/videos/a/film")]:
                answer = client.request(method, path, json={"theme": "a"}, headers={"accept-language": "es"})
                assert (answer.status_code, answer.json()["code"]) == (503, "stack")
                assert answer.json()["detail"] == TEXTS["stack"]["es"]
                assert "hunter2" not in answer.text
            health = client.get("/health")
            assert health.status_code == 503
            assert (health.json()["status"], health.json()["database"]) == ("unhealthy", "unreachable")
            assert isinstance(health.json()["detail"], str)
        away.dispose()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "fr"),
        ("", "fr"),
        ("de", "fr"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("de, en;q=0.7, es;q=0.8", "es"),
        ("en;q=0, fr;q=0.1", "fr"),
        ("en;q=oops", "fr"),
        ("*", "fr"),
    ],
)
def test_the_language_of_an_answer(header: str | None, language: str) -> None:
    assert language_of(header) == language


@pytest.mark.parametrize(("language", "text"), [("fr", "de 8 à 78"), ("en", "from 8 to 78"), ("es", "de 8 a 78")])
def test_limits_are_said_in_each_language(language: str, text: str) -> None:
    assert language in LANGUAGES
    assert say("between", language, low=8, high=78) == text
