"""The socket of an order: the order as it stands, every event in order, and the end."""

import json
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from maquette.api import order_stream
from maquette.db.engine import Database
from maquette.images import production as images
from maquette.intake.requests import parse_request
from maquette.intake.service import Intake
from maquette.orders import documents
from maquette.orders.documents import OrderDocument
from maquette.settings import Settings
from maquette.videos.service import Videos
from tests.api.rig import served
from tests.api.worker import Worker


def _url(address: str, order_id: object, query: str = "") -> str:
    return f"{address.replace('http', 'ws')}/ws/orders/{order_id}{query}"


def _rest(socket: Connection) -> tuple[list[dict[str, Any]], int | None]:
    messages = []
    with suppress(ConnectionClosed):
        while True:
            messages.append(json.loads(socket.recv(timeout=30)))
    return messages, socket.close_code


def _all(client: httpx.Client, order_id: object, query: str = "") -> tuple[list[dict[str, Any]], int | None]:
    with connect(_url(str(client.base_url).rstrip("/"), order_id, query)) as socket:
        return _rest(socket)


@pytest.fixture
def placed(shared: httpx.Client, brand: str) -> dict[str, Any]:
    body = {"topic": "un chat", "count": 2, "brandId": brand}
    answer: dict[str, Any] = shared.post("/api/generate-media", json=body).json()
    return answer


def test_an_order_is_followed_to_its_end(shared: httpx.Client, placed: dict[str, Any], worker: Worker) -> None:
    with connect(_url(str(shared.base_url).rstrip("/"), placed["orderId"])) as socket:
        snapshot = json.loads(socket.recv(timeout=30))
        order = shared.get(f"/api/orders/{placed['orderId']}").json()
        assert snapshot == order | {"order_id": order["id"], "type": "snapshot", "seq": 1}
        lease, kind = worker.claim(placed["jobId"])
        first, second = images.open_items(worker.workshop, lease)
        worker.deliver(lease, first, kind)
        worker.refuse(lease, second)
        messages, code = _rest(socket)
    assert code == 1000
    assert [message["seq"] for message in messages] == [2, 3, 4, 5]
    assert sorted(message["type"] for message in messages) == ["ended", "item", "item", "started"]
    assert {message["order_id"] for message in messages} == {placed["orderId"]}
    told = {message["data"]["number"]: message["data"]["status"] for message in messages if message["type"] == "item"}
    assert told == {1: "completed", 2: "failed"}
    (ended,) = (message for message in messages if message["type"] == "ended")
    assert ended["data"] == {"status": "partial"}
    assert shared.get(f"/api/orders/{placed['orderId']}").json()["seq"] == 5


@pytest.mark.parametrize("known", range(5))
def test_a_reconnecting_client_misses_nothing(shared: httpx.Client, placed: dict[str, Any], known: int) -> None:
    assert shared.post(f"/api/orders/{placed['orderId']}/cancel").status_code == 200
    last = shared.get(f"/api/orders/{placed['orderId']}").json()["seq"]
    messages, code = _all(shared, placed["orderId"].upper(), f"?seq={known}")
    assert (messages[0]["type"], messages[0]["status"], messages[0]["seq"]) == (
        "snapshot",
        "cancelled",
        min(known, last),
    )
    assert ([message["seq"] for message in messages[1:]], code) == (list(range(known + 1, last + 1)), 1000)
    (snapshot,), code = _all(shared, placed["orderId"])
    assert (snapshot["seq"], code) == (last, 1000)


def test_an_end_while_the_snapshot_is_read_is_not_missed(
    shared: httpx.Client, shared_intake: Intake, placed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = documents.order_document

    def cancelled_meanwhile(session: Any, order_id: Any) -> OrderDocument:
        document = read(session, order_id)
        shared_intake.cancel(order_id)
        return document.model_copy(update={"seq": document.seq + 9})  # as if the events had been counted last

    monkeypatch.setattr(order_stream, "order_document", cancelled_meanwhile)
    messages, code = _all(shared, placed["orderId"])
    assert (messages[0]["status"], code) == ("pending", 1000)
    assert "ended" in [message["type"] for message in messages]


@pytest.mark.parametrize("order_id", [str(UUID(int=7)), "mine", "a%00b"])
def test_an_unknown_order_is_said_and_closed(shared: httpx.Client, order_id: str) -> None:
    (message,), code = _all(shared, order_id)
    assert (message["status"], message["error"], code) == ("not_found", "Commande non trouvée", 4404)


def test_ping_is_answered(shared: httpx.Client, placed: dict[str, Any]) -> None:
    with connect(_url(str(shared.base_url).rstrip("/"), placed["orderId"])) as socket:
        socket.send("ping")
        assert "pong" in {socket.recv(timeout=30), socket.recv(timeout=30)}


def test_the_token_is_asked_for(settings: Settings, database: Database, videos: Videos) -> None:
    guarded = settings.model_copy(update={"api_token": SecretStr("secret")})
    accepted = Intake(database, videos.store, settings).order(parse_request({"topic": "un chat"}))
    with served(guarded, database) as address:
        with connect(_url(address, accepted.order_id)) as socket:
            assert _rest(socket) == ([], 1008)
        with connect(_url(address, accepted.order_id, "?token=secret")) as socket:
            assert json.loads(socket.recv(timeout=30))["id"] == str(accepted.order_id)
