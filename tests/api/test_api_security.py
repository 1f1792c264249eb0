"""Who gets in: the token, the access code, and bodies that are too large."""

import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from maquette.api.app import create_app
from maquette.api.errors import EDITOR_PATHS
from maquette.db.engine import Database
from maquette.settings import Settings
from maquette.videos.service import Videos
from tests.api.rig import Rig, served

TOKEN = "a-tokén-of-the-studio"
BEARER = {b"authorization": f"Bearer {TOKEN}".encode()}


@pytest.fixture(scope="module")
def guarded(shared_rig: Rig) -> Iterator[str]:
    """The address of an API that asks for a token and an access code."""
    settings = shared_rig.videos.settings.model_copy(
        update={"api_token": SecretStr(TOKEN), "access_code": SecretStr("K7M2P9QX"), "api_max_body_bytes": 10_000}
    )
    with served(settings, shared_rig.database) as address:
        yield address


def test_every_call_but_health_needs_the_token(guarded: str, shared_rig: Rig) -> None:
    schema = create_app(shared_rig.videos.settings, shared_rig.database).openapi()
    calls = [(method.upper(), path) for path, methods in schema["paths"].items() for method in methods]
    assert len(calls) > 15
    with httpx.Client(base_url=guarded) as client:
        for method, path in [*calls, ("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/nowhere")]:
            answer = client.request(method, re.sub(r"\{\w+\}", "1", path))
            if path in ("/", "/health"):
                assert answer.status_code == 200
                continue
            assert answer.status_code == 401, (method, path)
            said = {"detail": "Jeton d'API absent ou invalide.", "code": "unauthorized"}
            word = "Unauthorized" if path.startswith(EDITOR_PATHS) else "unauthorized"
            older = {"ok": False, "error": word, "message": said["detail"]}
            assert answer.json() == (said | older if path.startswith("/api/") else said)
            assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/videos", headers=BEARER).status_code == 200
        assert client.get("/videos", headers={"authorization": "bearer " + "x"}).status_code == 401
        assert client.get("/videos", headers={b"authorization": f"Basic {TOKEN}".encode()}).status_code == 401


def test_refusals_can_be_read_by_a_browser(guarded: str) -> None:
    origin = {"origin": "http://localhost:5173"}
    with httpx.Client(base_url=guarded) as client:
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        preflight = client.options("/videos/create", headers=origin | asked)
        assert preflight.status_code == 200
        refused = client.get("/videos", headers=origin)
        assert refused.status_code == 401
        for answer in (preflight, refused):
            assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
            assert answer.headers["access-control-allow-credentials"] == "true"
        stranger = client.get("/videos", headers={"origin": "http://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers


@pytest.mark.parametrize("query", ["", "?token=wrong", "?token="])
def test_a_socket_without_the_token_is_closed_with_1008(guarded: str, query: str) -> None:
    with (
        connect(f"{guarded.replace('http', 'ws')}/ws/video/a{query}") as socket_,
        pytest.raises(ConnectionClosed) as end,
    ):
        socket_.recv(timeout=30)
    assert end.value.rcvd is not None
    assert end.value.rcvd.code == 1008


def test_a_socket_may_bring_the_token_in_the_address_or_the_header(guarded: str, shared_rig: Rig) -> None:
    video_id = shared_rig.order()
    address = f"{guarded.replace('http', 'ws')}/ws/video/{video_id}"
    with connect(f"{address}?token=a-tok%C3%A9n-of-the-studio") as by_address:
        assert '"snapshot"' in str(by_address.recv(timeout=30))
    with connect(address, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as by_header:
        assert '"snapshot"' in str(by_header.recv(timeout=30))


def test_the_access_code_is_asked_first(guarded: str, shared_rig: Rig) -> None:
    with httpx.Client(base_url=guarded, headers=BEARER) as client:
        for wrong in ({}, {"access_code": "K7M2P9QY"}, {"access_code": ""}, {"access_code": "é" * 8}):
            answer = client.post("/videos/create", json={"theme": ""} | wrong)
            assert answer.status_code == 400
            assert answer.json() == {
                "detail": "Code d'accès invalide. Il change toutes les heures.",
                "code": "access_code",
            }
        empty = client.post("/videos/create", json={"theme": "", "access_code": "K7M2P9QX"})
        assert empty.json()["code"] == "theme_empty"
        assert client.post("/videos/create", json={"theme": "Le sel", "access_code": "K7M2P9QX"}).status_code == 200


def _raw(address: str, request: bytes) -> bytes:
    """Send ``request`` and read the answer's head and body."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        connection.sendall(request)
        answer = b""
        while b'"code"' not in answer and (more := connection.recv(65_536)):
            answer += more
        return answer


def test_an_announced_body_that_is_too_large_is_refused_unread(guarded: str) -> None:
    """Nothing of the 10 MB is ever sent, and the answer is there."""
    head = b"POST /videos/create HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\nAuthorization: Bearer "
    answer = _raw(guarded, head + TOKEN.encode() + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"La demande est trop volumineuse (max 10000 octets)" in answer
    assert b'"body_too_large"' in answer


def test_a_chunked_body_is_refused_where_it_passes_the_limit(guarded: str) -> None:
    head = b"POST /videos/create HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer "
    answer = _raw(guarded, head + TOKEN.encode() + b"\r\n\r\n2711\r\n" + b"a" * 0x2711 + b"\r\n")  # and no end
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_client_that_sends_10_mb_reads_the_answer(guarded: str) -> None:
    with httpx.Client(base_url=guarded, headers=BEARER) as client:
        for content in (b"[" * 10_000_000, iter([b"[" * 100_000] * 100)):
            answer = client.post("/videos/create", content=content, headers={"content-type": "application/json"})
            assert answer.json()["code"] == "body_too_large"
        assert client.get("/health").status_code == 200


def test_a_body_at_the_limit_is_read(guarded: str) -> None:
    body = b'{"theme": "", "access_code": "K7M2P9QX", "x": "'
    body += b"a" * (10_000 - len(body) - 2) + b'"}'
    with httpx.Client(base_url=guarded, headers=BEARER | {b"content-type": b"application/json"}) as client:
        assert client.post("/videos/create", content=body).json()["code"] == "theme_empty"
        assert client.post("/videos/create", content=body + b" ").status_code == 413


def test_pictures_have_a_limit_of_their_own(guarded: str) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"\0" * 20_000
    with httpx.Client(base_url=guarded, headers=BEARER | {b"content-type": b"image/png"}) as client:
        assert client.post("/api/library", content=picture).json()["code"] == "invalid_input"  # it was read
        assert client.post("/api/brands", content=picture).json()["code"] == "body_too_large"


def test_without_a_token_nobody_is_asked(settings: Settings, database: Database, videos: Videos) -> None:
    assert videos.list() == []
    with served(settings, database) as address:
        assert httpx.get(f"{address}/videos").status_code == 200
        assert httpx.post(f"{address}/videos/create", json={"theme": "Le sel"}).status_code == 200
