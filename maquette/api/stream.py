"""``WS /ws/video/{id}``: a snapshot, then every change in order, until the video has ended.

Each message is the whole status document with ``type`` and ``seq``; a block's change adds ``block``. The
log is read from the database by ``seq``; being woken late, or twice, changes nothing.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Final, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, Query, WebSocket
from pydantic import JsonValue
from starlette.websockets import WebSocketDisconnect

from maquette.api.errors import DATABASE_OUTAGES, language
from maquette.api.security import may_listen
from maquette.api.wakeups import Wakeups
from maquette.errors import NotFound
from maquette.events import service as events
from maquette.events.models import Event
from maquette.settings import Settings
from maquette.videos import repository
from maquette.videos.rules import VideoStatus
from maquette.videos.service import Videos

log = logging.getLogger(__name__)
router = APIRouter()

NORMAL: Final = 1000
WRONG_TOKEN: Final = 1008
TRY_AGAIN: Final = 1013
UNKNOWN_VIDEO: Final = 4404

ENDED: Final = (VideoStatus.COMPLETED, VideoStatus.FAILED)
BATCH: Final = 100

T = TypeVar("T")


class Streams:
    """What the sockets of one process share: the use cases, the ear, and a few threads to read with.

    However many sockets there are, ``readers`` bounds their database connections.
    """

    def __init__(self, videos: Videos, wakeups: Wakeups, settings: Settings, *, readers: int = 4) -> None:
        self.videos = videos
        self.wakeups = wakeups
        self.settings = settings
        self._readers = anyio.CapacityLimiter(readers)

    async def read(self, call: Callable[[], T]) -> T:
        """Run a short read in one of the threads."""
        return await anyio.to_thread.run_sync(call, limiter=self._readers)


@router.websocket("/ws/video/{video_id}")
async def follow(websocket: WebSocket, video_id: str, seq: Annotated[int | None, Query(ge=0)] = None) -> None:
    """Tell where a video stands until it has ended or the client leaves."""
    streams: Streams = websocket.app.state.streams
    await websocket.accept()  # browsers see the code of a refusal only on an open socket
    code: int | None = None
    if not may_listen(websocket, streams.settings.api_token):
        code = WRONG_TOKEN
    else:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_hear, websocket, tasks.cancel_scope)
            with suppress(WebSocketDisconnect):
                code = await _tell(websocket, streams, video_id, since=seq)
            tasks.cancel_scope.cancel()
    if code is not None:
        with suppress(WebSocketDisconnect):
            await websocket.close(code)


async def _hear(websocket: WebSocket, scope: anyio.CancelScope) -> None:
    """Answer pings until the client leaves, which ends the telling too."""
    with suppress(WebSocketDisconnect):
        while (message := await websocket.receive())["type"] != "websocket.disconnect":
            if message.get("text") == "ping":
                await websocket.send_text("pong")
    scope.cancel()


async def _tell(websocket: WebSocket, streams: Streams, video_id: str, *, since: int | None) -> int:
    """Send the snapshot and what follows; the code to close with. Raises ``WebSocketDisconnect``."""
    with streams.wakeups.watching(video_id) as woken:
        try:
            seq, document = await streams.read(partial(_begin, streams.videos, video_id, since=since))
            await _send(websocket, document, type_="snapshot", seq=seq)
            while True:
                woken.clear()
                try:
                    batch = await streams.read(partial(_news, streams.videos, video_id, seq=seq))
                except DATABASE_OUTAGES as error:
                    log.warning("the database does not answer: %s", str(error).partition("\n")[0])
                    await woken.wait()
                    continue
                for event in batch:
                    seq = event.seq
                    if event.type == "status":
                        document = event.data
                    block = event.data if event.type == "block" else None
                    await _send(websocket, document, type_=event.type, seq=seq, block=block)
                # An end in the past, before a retry, is not the end.
                if not batch and document["status"] in ENDED:
                    return NORMAL
                if not batch:
                    await woken.wait()
        except NotFound as error:
            text = error.text(language(websocket))
            await websocket.send_json({"video_id": video_id, "status": "not_found", "error": text})
            return UNKNOWN_VIDEO
        except DATABASE_OUTAGES:
            return TRY_AGAIN


async def _send(
    websocket: WebSocket,
    document: dict[str, JsonValue],
    *,
    type_: str,
    seq: int,
    block: dict[str, JsonValue] | None = None,
) -> None:
    message = document | {"type": type_, "seq": seq} | ({"block": block} if block else {})
    if isinstance(url := document.get("final_url"), str):
        base = str(websocket.base_url.replace(scheme={"wss": "https"}.get(websocket.base_url.scheme, "http")))
        message["final_url"] = base.rstrip("/") + url
    await websocket.send_json(message)


def _begin(videos: Videos, video_id: str, *, since: int | None) -> tuple[int, dict[str, JsonValue]]:
    """The state to begin with: the present one, or that at ``since``, so that a replay never runs backwards."""
    status = videos.status(video_id)
    document = status.model_dump(mode="json", exclude={"seq"})
    if since is None or since >= status.seq:
        return status.seq, document
    with videos.database.begin() as session:
        past = events.since(session, video_id, limit=max(since, 1))  # seq counts from 1 without gaps
    return since, next((event.data for event in reversed(past) if event.type == "status"), document)


def _news(videos: Videos, video_id: str, *, seq: int) -> Sequence[Event]:
    """What was logged after ``seq``. Raises ``NotFound`` once the video was deleted."""
    with videos.database.begin() as session:
        found = events.since(session, video_id, seq=seq, limit=BATCH)
        if not found:
            repository.get_video(session, video_id)
        return found
