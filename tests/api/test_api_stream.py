"""The WebSocket: snapshot, changes in order, replay, and how it ends."""

import asyncio
import json
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from maquette.api import stream
from maquette.api.wakeups import Wakeups
from maquette.db.engine import Database
from maquette.events import service as events
from maquette.settings import Settings
from maquette.videos.rules import VideoStatus
from tests.api.rig import Rig, served

BROADCAST = {
    "video_id",
    "status",
    "current_step",
    "total_blocks",
    "completed_blocks",
    "blocks_completed",
    "progress",
    "error_message",
    "updated_at",
}


def _url(address: str, video_id: str, query: str = "") -> str:
    return f"{address.replace('http', 'ws')}/ws/video/{video_id}{query}"


def _receive(socket: Connection, count: int) -> list[dict[str, Any]]:
    return [json.loads(socket.recv(timeout=30)) for _ in range(count)]


def _until_closed(socket: Connection) -> tuple[list[dict[str, Any]], int]:
    messages = []
    with suppress(ConnectionClosed):
        while True:
            messages.append(json.loads(socket.recv(timeout=30)))
    assert socket.close_code is not None
    return messages, socket.close_code


def _all_of(address: str, video_id: str, query: str = "") -> tuple[list[dict[str, Any]], int]:
    with connect(_url(address, video_id, query)) as socket:
        return _until_closed(socket)


def test_a_video_is_followed_to_its_end(address: str, rig: Rig) -> None:
    video_id = rig.order()
    with connect(_url(address, video_id)) as socket:
        (snapshot,) = _receive(socket, 1)
        assert set(snapshot) >= BROADCAST
        assert (snapshot["type"], snapshot["seq"], snapshot["status"]) == ("snapshot", 1, "queued")
        rig.write_script(video_id)
        rig.finish_block(video_id, 1)
        rig.finish_block(video_id, 2)
        rig.complete(video_id)
        messages, code = _until_closed(socket)
    assert code == 1000
    assert [message["seq"] for message in messages] == [2, 3, 4, 5, 6, 7]
    assert [message["type"] for message in messages] == ["status", "block", "status", "block", "status", "status"]
    assert all(set(message) >= BROADCAST for message in messages)
    assert [message["progress"] for message in messages] == [10, 10, 50, 50, 90, 100]
    assert all(message["completed_blocks"] == message["blocks_completed"] for message in messages)
    assert messages[1]["block"] | {"progress": 1.0} == messages[1]["block"]
    assert (messages[1]["block"]["bloc"], messages[1]["block"]["status"]) == (1, "completed")
    assert messages[-1]["final_url"] == f"{address}/videos/{video_id}/film"
    assert httpx.get(f"{address}/videos/{video_id}/status").json()["seq"] == messages[-1]["seq"]


@pytest.mark.parametrize("known", range(9))
def test_a_reconnecting_client_misses_nothing(shared: httpx.Client, shared_rig: Rig, known: int) -> None:
    video_id = shared_rig.finished()
    messages, code = _all_of(str(shared.base_url), video_id, f"?seq={known}")
    snapshot, replayed = messages[0], messages[1:]
    assert code == 1000
    assert (snapshot["type"], snapshot["seq"]) == ("snapshot", min(known, 7))
    assert [message["seq"] for message in replayed] == list(range(known + 1, 8))
    assert messages[-1]["status"] == "completed"
    progress = [message["progress"] for message in messages]
    assert progress == sorted(progress)


@pytest.mark.parametrize("status", [VideoStatus.COMPLETED, VideoStatus.FAILED])
def test_of_an_ended_video_comes_the_snapshot_and_the_end(
    shared: httpx.Client, shared_rig: Rig, status: VideoStatus
) -> None:
    if status is VideoStatus.COMPLETED:
        video_id = shared_rig.finished()
    else:
        video_id = shared_rig.order()
        shared_rig.fail(video_id)
    (snapshot,), code = _all_of(str(shared.base_url), video_id)
    assert (snapshot["type"], snapshot["status"], code) == ("snapshot", status, 1000)
    expected = "Quota API dépassé. Réessayez dans quelques minutes." if status is VideoStatus.FAILED else None
    assert snapshot["error_message"] == expected


def test_an_end_before_a_retry_is_not_the_end(address: str, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BATCH", 1)  # so that a read ends just there
    video_id = rig.order()
    rig.fail(video_id)
    rig.videos.retry(video_id)
    with connect(_url(address, video_id, "?seq=1")) as socket:
        statuses = [message["status"] for message in _receive(socket, 3)]
        assert statuses == ["queued", "failed", "queued"]
        rig.fail(video_id)
        messages, code = _until_closed(socket)
    assert ([message["status"] for message in messages], code) == (["failed"], 1000)


def test_ping_is_answered_at_any_time(shared: httpx.Client, shared_rig: Rig) -> None:
    video_id = shared_rig.order()
    with connect(_url(str(shared.base_url), video_id)) as socket:
        socket.send("ping")
        first = {socket.recv(timeout=30), socket.recv(timeout=30)}
        assert "pong" in first
        for odd in (b"ping", "pong", "{", "ping"):
            socket.send(odd)
        assert socket.recv(timeout=30) == "pong"
        shared_rig.write_script(video_id)
        assert json.loads(socket.recv(timeout=30))["seq"] == 2


def test_a_flood_of_a_message_ends_only_that_socket(shared: httpx.Client, shared_rig: Rig) -> None:
    video_id = shared_rig.order()
    with connect(_url(str(shared.base_url), video_id)) as good, connect(_url(str(shared.base_url), video_id)) as bad:
        _receive(good, 1), _receive(bad, 1)
        bad.send("x" * 20_000_000)
        assert _until_closed(bad)[1] == 1009
        good.send("ping")
        assert good.recv(timeout=30) == "pong"


def test_an_unknown_video_is_said_and_closed(shared: httpx.Client) -> None:
    messages, code = _all_of(str(shared.base_url), "video_unknown")
    assert messages == [{"video_id": "video_unknown", "status": "not_found", "error": "Vidéo non trouvée"}]
    assert code == 4404


def test_a_deleted_video_ends_the_stream(address: str, rig: Rig, database: Database) -> None:
    video_id = rig.order()
    rig.fail(video_id)
    rig.videos.retry(video_id)
    with connect(_url(address, video_id)) as socket:
        _receive(socket, 1)
        with database.begin() as session:
            session.execute(sa.text("DELETE FROM videos WHERE id = :id"), {"id": video_id})
            session.execute(sa.select(sa.func.pg_notify(events.CHANNEL, video_id)))
        messages, code = _until_closed(socket)
    assert (messages[0]["status"], code) == ("not_found", 4404)


def test_changes_arrive_by_notification_also_after_the_listener_was_cut(
    settings: Settings, rig: Rig, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The slow check, which would find the changes too, comes long after this test.
    monkeypatch.setattr("maquette.api.app.Wakeups", partial(Wakeups, check_s=3600))
    video_id = rig.order()
    listener = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'maquette-api'"

    def change_twice(socket: Connection) -> None:
        # The first may be met by a read that was under way; the second finds the socket waiting.
        for _ in range(2):
            rig.move(video_id, VideoStatus.SCRIPT_GENERATED)
            _receive(socket, 1)

    with served(settings, database) as address, connect(_url(address, video_id)) as socket:
        _receive(socket, 1)
        change_twice(socket)
        with database.begin() as session:
            cut = session.scalar(sa.text(f"SELECT pid {listener}"))
            assert session.scalar(sa.text(f"SELECT pg_terminate_backend(pid) {listener}")) is True
        rig.move(video_id, VideoStatus.GENERATING_PARALLEL)
        assert _receive(socket, 1)[0]["seq"] == 4
        listens = sa.text(f"SELECT pid {listener} AND query LIKE 'LISTEN%' AND pid <> {cut}")
        deadline = time.monotonic() + 30
        while True:
            with database.begin() as session:
                if session.scalar(listens):
                    break
            assert time.monotonic() < deadline, "nobody listens again"
            time.sleep(0.02)
        change_twice(socket)


def test_while_the_database_cannot_be_listened_to_everybody_is_woken_by_the_clock() -> None:
    async def woken_twice() -> None:
        wakeups = Wakeups("postgresql://nobody@127.0.0.1:1/nowhere", poll_s=0.01)
        listening = asyncio.create_task(wakeups.listen())
        with wakeups.watching("video_1") as woken:
            for _ in range(2):
                woken.clear()
                await asyncio.wait_for(woken.wait(), 30)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    asyncio.run(woken_twice())


def test_without_a_database_a_socket_is_asked_to_come_back(settings: Settings) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/nowhere")
    with served(settings, away) as address:
        assert _all_of(address, "video_1") == ([], 1013)
    away.dispose()


def test_two_hundred_sockets_share_a_few_connections(address: str, rig: Rig, database: Database) -> None:
    video_id = rig.order()

    async def follow_all() -> list[int]:
        sockets = await asyncio.gather(
            *(connect_async(_url(address, video_id), compression=None, open_timeout=60) for _ in range(200))
        )
        await asyncio.gather(*(socket.recv() for socket in sockets))
        worker = threading.Thread(target=rig.write_script, args=[video_id])
        worker.start()
        news = await asyncio.wait_for(asyncio.gather(*(socket.recv() for socket in sockets)), 60)
        worker.join()
        with database.begin() as session:
            count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            connections.append(session.scalar(sa.text(count)))
        await asyncio.gather(*(socket.close() for socket in sockets))
        return [json.loads(message)["seq"] for message in news]

    connections: list[int] = []
    assert asyncio.run(follow_all()) == [2] * 200
    assert connections[0] <= 8


def test_a_client_that_does_not_read_holds_nobody_up(address: str, rig: Rig, database: Database) -> None:
    video_id = rig.order()
    with database.begin() as session:
        large = dict(events.since(session, video_id)[0].data) | {"error_message": "x" * 500_000}
        for _ in range(60):
            events.append(session, video_id, "status", large)
    with (
        connect(_url(address, video_id, "?seq=1"), compression=None, max_queue=1),  # 30 MB wait for it
        connect(_url(address, video_id)) as socket,
    ):
        _receive(socket, 1)
        rig.write_script(video_id)
        assert _receive(socket, 1)[0]["seq"] == 62
