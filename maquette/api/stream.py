"""Sockets that tell where something stands: a snapshot, then every change in order, until it has ended.

The log is read from the database by ``seq``; being woken late, or twice, changes nothing. What a kind of socket
says is its feed's: here that of ``WS /ws/video/{id}``, whose messages are the whole status document each.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Final, Protocol, TypeVar

import anyio
import anyio.to_thread
from fastapi import APIRouter, Query, WebSocket
from pydantic import JsonValue
from starlette.requests import HTTPConnection
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
UNKNOWN: Final = 4404

ENDED: Final = (VideoStatus.COMPLETED, VideoStatus.FAILED)
BATCH: Final = 100

Message = dict[str, JsonValue]
T = TypeVar("T")


class Feed(Protocol):
    """What the sockets of one thing tell. ``begin`` and ``news`` read the database, in another thread."""

    subject: str

    def begin(self, since: int | None) -> tuple[int, Message]:
        """The ``seq`` to go on from, and the snapshot. Raises ``NotFound``."""
        ...

    def news(self, seq: int, *, limit: int) -> Sequence[Event]:
        """What was logged after ``seq``. Raises ``NotFound`` once the thing was deleted."""
        ...

    def message(self, event: Event) -> Message:
        """What is told of an event."""
        ...

    def ended(self) -> bool:
        """Has the thing ended, by what was told so far?"""
        ...

    def unknown(self, text: str) -> Message:
        """What is told of a thing that is not there."""
        ...


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
    streams = streams_of(websocket)
    await serve(websocket, VideoFeed(streams.videos, video_id, base_url=_base_url(websocket)), since=seq)


def streams_of(connection: HTTPConnection) -> Streams:
    """What ``create_app`` made for the sockets."""
    streams: Streams = connection.app.state.streams
    return streams


async def serve(websocket: WebSocket, feed: Feed, *, since: int | None) -> None:
    """Accept the socket, tell it what ``feed`` says, and close it with a code that says why."""
    streams = streams_of(websocket)
    await websocket.accept()  # browsers see the code of a refusal only on an open socket
    code: int | None = None
    if not may_listen(websocket, streams.settings.api_token):
        code = WRONG_TOKEN
    else:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_hear, websocket, tasks.cancel_scope)
            with suppress(WebSocketDisconnect):
                code = await _tell(websocket, streams, feed, since=since)
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


async def _tell(websocket: WebSocket, streams: Streams, feed: Feed, *, since: int | None) -> int:
    """Send the snapshot and what follows; the code to close with. Raises ``WebSocketDisconnect``."""
    with streams.wakeups.watching(feed.subject) as woken:
        try:
            seq, snapshot = await streams.read(partial(feed.begin, since))
            await websocket.send_json(snapshot | {"type": "snapshot", "seq": seq})
            while True:
                woken.clear()
                try:
                    batch = await streams.read(partial(feed.news, seq, limit=BATCH))
                except DATABASE_OUTAGES as error:
                    log.warning("the database does not answer: %s", str(error).partition("\n")[0])
                    await woken.wait()
                    continue
                for event in batch:
                    seq = event.seq
                    await websocket.send_json(feed.message(event) | {"type": event.type, "seq": seq})
                # An end in the past, before a retry, is not the end.
                if not batch and feed.ended():
                    return NORMAL
                if not batch:
                    await woken.wait()
        except NotFound as error:
            await websocket.send_json(feed.unknown(error.text(language(websocket))))
            return UNKNOWN
        except DATABASE_OUTAGES:
            return TRY_AGAIN


class VideoFeed:
    """A video: each message is its whole status document; a block's change adds ``block``."""

    def __init__(self, videos: Videos, video_id: str, *, base_url: str) -> None:
        self.subject = video_id
        self._videos = videos
        self._base_url = base_url
        self._document: Message = {}

    def begin(self, since: int | None) -> tuple[int, Message]:
        """The present state, or that at ``since``, so that a replay never runs backwards."""
        status = self._videos.status(self.subject)
        self._document = status.model_dump(mode="json", exclude={"seq"})
        seq = status.seq
        if since is not None and since < seq:
            seq = since
            with self._videos.database.begin() as session:
                past = events.since(session, self.subject, limit=max(since, 1))  # seq counts from 1 without gaps
            self._document = next((event.data for event in reversed(past) if event.type == "status"), self._document)
        return seq, self._message()

    def news(self, seq: int, *, limit: int) -> Sequence[Event]:
        """What was logged after ``seq``. Raises ``NotFound`` once the video was deleted."""
        with self._videos.database.begin() as session:
            found = events.since(session, self.subject, seq=seq, limit=limit)
            if not found:
                repository.get_video(session, self.subject)
            return found

    def message(self, event: Event) -> Message:
        """The document as of this event."""
        if event.type == "status":
            self._document = event.data
        return self._message() | ({"block": event.data} if event.type == "block" else {})

    def ended(self) -> bool:
        """Completed or failed."""
        return self._document["status"] in ENDED

    def unknown(self, text: str) -> Message:
        """As existing clients read it."""
        return {"video_id": self.subject, "status": "not_found", "error": text}

    def _message(self) -> Message:
        url = self._document.get("final_url")
        return self._document | ({"final_url": self._base_url + url} if isinstance(url, str) else {})


def _base_url(websocket: WebSocket) -> str:
    base = websocket.base_url
    return str(base.replace(scheme={"wss": "https"}.get(base.scheme, "http"))).rstrip("/")
