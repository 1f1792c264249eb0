"""The socket of a draft: where it stands, every change of that in order, and the end."""

import json
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from maquette.drafts.models import GenerationProgress
from tests.api.drafting import Studio
from tests.api.rig import served


def _url(address: str, draft_id: str, query: str = "") -> str:
    return f"{address.replace('http', 'ws')}/ws/drafts/{draft_id}{query}"


def _rest(socket: Connection) -> tuple[list[dict[str, Any]], int | None]:
    messages = []
    with suppress(ConnectionClosed):
        while True:
            messages.append(json.loads(socket.recv(timeout=30)))
    return messages, socket.close_code


def _all(studio: Studio, draft_id: str, query: str = "") -> tuple[list[dict[str, Any]], int | None]:
    with connect(_url(studio.address, draft_id, query)) as socket:
        return _rest(socket)


def _ordered(studio: Studio, draft_id: str) -> str:
    body = {"num_assets": 1, "parts": ["image", "video"]}
    return str(studio.client.post(f"/api/drafts/{draft_id}/generate", json=body).json()["job_id"])


def test_a_draft_is_followed_to_its_end(studio: Studio) -> None:
    draft_id = studio.create()
    job_id = _ordered(studio, draft_id)
    with connect(_url(studio.address, draft_id)) as socket:
        snapshot = json.loads(socket.recv(timeout=30))
        status = studio.read(draft_id, "status")
        assert snapshot == status | {"draft_id": draft_id, "type": "snapshot", "seq": 2}
        socket.send("ping")
        assert socket.recv(timeout=30) == "pong"
        studio.worker.make(UUID(job_id))
        messages, code = _rest(socket)
    assert code == 1000
    assert [message["seq"] for message in messages] == list(range(3, 3 + len(messages)))
    assert all(set(message) == set(snapshot) | {"at"} for message in messages)
    told = [message["progress"] for message in messages]
    assert told == sorted(told)
    assert {name: messages[-1][name] for name in GenerationProgress.model_fields} == studio.read(draft_id, "status")


@pytest.mark.parametrize("known", range(4))
def test_a_reconnecting_client_misses_nothing(studio: Studio, known: int) -> None:
    draft_id = studio.create()
    _ordered(studio, draft_id)
    order_id = studio.read(draft_id, "status")["order_id"]
    assert studio.client.post(f"/api/orders/{order_id}/cancel").status_code == 200
    messages, code = _all(studio, draft_id, f"?seq={known}")
    assert (messages[0]["type"], messages[0]["status"], messages[0]["seq"]) == ("snapshot", "failed", known)
    assert ([message["seq"] for message in messages[1:]], code) == (list(range(known + 1, 4)), 1000)
    assert messages[-1]["status"] == "failed"


def test_a_draft_that_nobody_makes_is_told_and_left(studio: Studio) -> None:
    draft_id = studio.create()
    (snapshot,), code = _all(studio, draft_id)
    assert (snapshot["status"], snapshot["folder"], code) == ("draft", draft_id, 1000)


@pytest.mark.parametrize("draft_id", ["00000000", "a%00b", "a.b"])
def test_an_unknown_draft_is_said_and_closed(studio: Studio, draft_id: str) -> None:
    (message,), code = _all(studio, draft_id)
    assert (message["status"], code) == ("not_found", 4404)
    assert message["error"].startswith("Brouillon ")


def test_a_draft_that_is_deleted_closes_its_sockets(studio: Studio) -> None:
    draft_id = studio.create()
    _ordered(studio, draft_id)
    with connect(_url(studio.address, draft_id)) as socket:
        socket.recv(timeout=30)
        order_id = studio.read(draft_id, "status")["order_id"]
        studio.client.post(f"/api/orders/{order_id}/cancel")
        assert studio.client.delete(f"/api/drafts/{draft_id}").status_code == 204
        assert _rest(socket)[1] in (1000, 4404)  # as it hears of the end before or after the deletion


def test_the_token_is_asked_for(studio: Studio) -> None:
    guarded = studio.drafts.settings.model_copy(update={"api_token": SecretStr("secret")})
    draft_id = studio.create()
    with served(guarded, studio.drafts.database) as address:
        with connect(_url(address, draft_id)) as socket:
            assert _rest(socket) == ([], 1008)
        with connect(_url(address, draft_id, "?token=secret")) as socket:
            assert json.loads(socket.recv(timeout=30))["draft_id"] == draft_id
