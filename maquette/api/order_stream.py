"""``WS /ws/orders/{id}``: the order as it stands, then every event of it in order, until it has ended."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, WebSocket

from maquette.api.stream import Message, serve, streams_of
from maquette.db.engine import Database
from maquette.errors import NotFound
from maquette.events import service as events
from maquette.events.models import Event
from maquette.orders.documents import order_document
from maquette.orders.models import OrderStatus

router = APIRouter()

_OPEN: Final = (OrderStatus.PENDING, OrderStatus.PROCESSING)


@router.websocket("/ws/orders/{order_id}")
async def follow(websocket: WebSocket, order_id: str, seq: Annotated[int | None, Query(ge=0)] = None) -> None:
    """Tell what happens to an order until it has ended or the client leaves."""
    await serve(websocket, OrderFeed(streams_of(websocket).videos.database, order_id), since=seq)


class OrderFeed:
    """An order: its document as the snapshot, then messages with the event's ``data``."""

    def __init__(self, database: Database, order_id: str) -> None:
        self._database = database
        self._order_id = order_id
        with suppress(ValueError):
            self._order_id = str(UUID(order_id))
        self.subject = f"order:{self._order_id}"
        self._status: str = OrderStatus.PENDING

    def begin(self, since: int | None) -> tuple[int, Message]:
        """The present document, always: what came after ``since`` is told again and changes nothing of it."""
        try:
            order_id = UUID(self._order_id)
        except ValueError:
            raise NotFound("an order's id is a UUID", code="order_not_found") from None
        with self._database.begin() as session:
            # Before the document: an end in between is then told once more, and not missed.
            seq = events.last_seq(session, self.subject)
            document = order_document(session, order_id)
        self._status = document.status
        return seq if since is None else min(since, seq), document.model_dump(mode="json") | self._name()

    def news(self, seq: int, *, limit: int) -> Sequence[Event]:
        """What was logged after ``seq``."""
        with self._database.begin() as session:
            return events.since(session, self.subject, seq=seq, limit=limit)

    def message(self, event: Event) -> Message:
        """The event."""
        if event.type == "ended":
            self._status = str(event.data["status"])
        return {**self._name(), "data": event.data, "at": event.created_at.isoformat()}

    def ended(self) -> bool:
        """Is nothing of the order open any more?"""
        return self._status not in _OPEN

    def unknown(self, text: str) -> Message:
        """In the form of the videos' socket."""
        return {**self._name(), "status": "not_found", "error": text}

    def _name(self) -> Message:
        return {"order_id": self._order_id}
