"""``WS /ws/drafts/{id}``: where a draft stands, then every change of that in order, until its making has ended."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, WebSocket

from maquette.api.draft_shapes import plausible_draft
from maquette.api.stream import Message, serve, streams_of
from maquette.db.engine import Database
from maquette.drafts import repository
from maquette.drafts.documents import progress, subject_of
from maquette.drafts.tables import DraftStatus
from maquette.events import service as events
from maquette.events.models import Event

router = APIRouter()

_UNDER_WAY: Final = (DraftStatus.GENERATING, DraftStatus.PUBLISHING)


@router.websocket("/ws/drafts/{draft_id}")
async def follow(websocket: WebSocket, draft_id: str, seq: Annotated[int | None, Query(ge=0)] = None) -> None:
    """Tell what happens to a draft until nothing is under way or the client leaves."""
    await serve(websocket, DraftFeed(streams_of(websocket).videos.database, draft_id), since=seq)


class DraftFeed:
    """A draft: each message is its whole progress document."""

    def __init__(self, database: Database, draft_id: str) -> None:
        self.subject = subject_of(draft_id)
        self._database = database
        self._draft_id = draft_id
        self._document: Message = {}

    def begin(self, since: int | None) -> tuple[int, Message]:
        """The present progress, always: what came after ``since`` is told again and changes nothing of it."""
        with self._database.begin() as session:
            draft = repository.get_draft(session, plausible_draft(self._draft_id))
            # Before the document: an end in between is then told once more, and not missed.
            seq = events.last_seq(session, self.subject)
            self._document = progress(session, draft).model_dump(mode="json")
        return seq if since is None else min(since, seq), self._document | self._name()

    def news(self, seq: int, *, limit: int) -> Sequence[Event]:
        """What was logged after ``seq``. Raises ``NotFound`` once the draft was deleted."""
        with self._database.begin() as session:
            found = events.since(session, self.subject, seq=seq, limit=limit)
            if not found:
                repository.get_draft(session, self._draft_id)
            return found

    def message(self, event: Event) -> Message:
        """The progress as of this event."""
        self._document = self._document | event.data
        return self._document | self._name() | {"at": event.created_at.isoformat()}

    def ended(self) -> bool:
        """Is nothing under way any more, by what was told so far?"""
        return self._document["status"] not in _UNDER_WAY

    def unknown(self, text: str) -> Message:
        """In the form of the videos' socket."""
        return {**self._name(), "status": "not_found", "error": text}

    def _name(self) -> Message:
        return {"draft_id": self._draft_id}
