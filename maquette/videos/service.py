"""What can be ordered of a video, and what is read of it. Each call is one transaction."""

import secrets
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, JsonValue
from sqlmodel import Session

from maquette.db.engine import Database
from maquette.db.types import now
from maquette.errors import Conflict, InvalidInput, MaquetteError, NotFound
from maquette.events import service as events
from maquette.library import service as library
from maquette.media.fonts import require_drawable
from maquette.orders import service as orders
from maquette.orders.models import OrderItem
from maquette.settings import Settings
from maquette.storage.port import Store
from maquette.videos import repository
from maquette.videos.documents import (
    ListedVideo,
    StatusDocument,
    VideoDocument,
    listed,
    status_document,
    video_document,
)
from maquette.videos.models import KIND, BlockEdit, BlockStatus, Video, VideoBlock, VideoBrief
from maquette.videos.rules import VideoStatus, block_durations


class Placed(BaseModel):
    """An accepted order."""

    video_id: str
    order_id: UUID
    item_id: UUID


class Videos:
    """The use cases of videos, on one database and one store."""

    def __init__(self, database: Database, store: Store, settings: Settings) -> None:
        self.database = database
        self.store = store
        self.settings = settings

    def order(
        self, brief: VideoBrief, *, idempotency_key: str | None = None, flow_run_id: UUID | None = None
    ) -> Placed:
        """Order a video. The same ``idempotency_key`` with the same brief answers with the first order.

        Raises ``InvalidInput`` (a theme that no font can show), ``Conflict`` for a used key with another brief.
        """
        require_drawable(brief.theme)
        document = brief.model_dump(mode="json")
        if idempotency_key is not None and (placed := self._replay(idempotency_key, document)):
            return placed
        try:
            with self.database.begin() as session:
                durations = block_durations(brief.target_duration)
                video = Video(
                    **brief.model_dump(),
                    id=f"video_{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(3)}",
                    actual_duration=sum(durations),
                    total_blocks=len(durations),
                )
                session.add(video)
                session.flush()
                item = orders.place(
                    session,
                    kind=KIND,
                    subject=video.id,
                    brief=document,
                    idempotency_key=idempotency_key,
                    max_attempts=self.settings.job_max_attempts,
                    flow_run_id=flow_run_id,
                )
                announce(session, video)
                return _placed(item)
        except sa.exc.IntegrityError:
            # The other of two simultaneous requests with one key was first.
            if idempotency_key is None or (placed := self._replay(idempotency_key, document)) is None:
                raise
            return placed

    def retry(self, video_id: str) -> Placed:
        """Order what a failed video still lacks; finished clips stay. A lost answer is now sent again.

        Raises ``NotFound``, ``Conflict`` (``video_busy``, ``nothing_to_retry``).
        """
        with self.database.begin() as session:
            video = repository.get_video(session, video_id, lock=True)
            if video.status == VideoStatus.COMPLETED:
                raise Conflict(f"{video_id} is complete: edit a block to change it", code="nothing_to_retry")
            video.asks += video.error_code == "outcome_unknown"
            item = self._reopen(session, video, {"retry": True})
            for block in repository.blocks_of(session, video_id):
                if block.status == BlockStatus.COMPLETED:
                    continue
                if block.error_code == "outcome_unknown":
                    block.tries += 1  # the person's consent: the next submission is another call
                block.tries_before = block.tries
                _reset(block)
            announce(session, video)
            return _placed(item)

    def edit(self, video_id: str, number: int, change: BlockEdit) -> Placed:
        """Order one block anew; it costs that block and the assembly.

        Raises ``NotFound``, ``InvalidInput``, ``Conflict`` (``video_busy``).
        """
        if change.dialogue is None and change.visual is None and not change.regenerate:
            raise InvalidInput("the edit changes nothing: give a dialogue, a visual, or regenerate")
        require_drawable(change.dialogue or "")
        with self.database.begin() as session:
            video = repository.get_video(session, video_id, lock=True)
            block = next((b for b in repository.blocks_of(session, video_id) if b.number == number), None)
            if block is None:
                raise NotFound(f"{video_id} has no block {number}", code="block_not_found", number=number)
            item = self._reopen(session, video, {"block": number, **change.model_dump(mode="json")})
            if change.dialogue is not None:
                block.dialogue = change.dialogue
            if change.visual is not None:
                block.visual = change.visual
            if change.regenerate:
                block.takes += 1
            block.reworded = False
            block.tries_before = block.tries
            _reset(block)
            announce(session, video)
            return _placed(item)

    def delete(self, video_id: str) -> None:
        """Remove the video, its files and events; orders and costs stay in the books.

        Raises ``NotFound``, ``Conflict`` while it is being made.
        """
        with self.database.begin() as session:
            video = repository.get_video(session, video_id, lock=True)
            item = orders.latest_item(session, video_id)
            if item is not None and item.status in orders.OPEN:
                raise Conflict(f"{video_id} is being made: wait until it has ended", code="video_busy")
            session.delete(video)
            session.flush()
            library.forget(session, video_id)
            events.forget(session, video_id)
        self.store.unpublish(video_id)

    def status(self, video_id: str) -> StatusDocument:
        """Where it stands. Raises ``NotFound``."""
        with self.database.begin() as session:
            return status_document(session, repository.get_video(session, video_id))

    def get(self, video_id: str) -> VideoDocument:
        """The video whole. Raises ``NotFound``."""
        with self.database.begin() as session:
            video = repository.get_video(session, video_id)
            item = orders.latest_item(session, video_id)
            run = str(item.flow_run_id) if item and item.flow_run_id else None
            return video_document(session, video, flow_run_id=run)

    def list(self, *, limit: int = 100) -> list[ListedVideo]:
        """The newest videos first."""
        with self.database.begin() as session:
            return listed(session, limit=limit)

    def _replay(self, key: str, brief: dict[str, object]) -> Placed | None:
        with self.database.begin() as session:
            item = orders.by_idempotency_key(session, key)
            if item is None:
                return None
            if item.brief != brief:
                raise Conflict(
                    "this idempotency key was used with another request: choose a new one", code="idempotency_key"
                )
            return _placed(item)

    def _reopen(self, session: Session, video: Video, brief: dict[str, JsonValue]) -> OrderItem:
        video.status = VideoStatus.GENERATING_PARALLEL if video.raw_script else VideoStatus.QUEUED
        video.error_code = video.error_message = video.error_values = None
        return orders.place(
            session, kind=KIND, subject=video.id, brief=brief, max_attempts=self.settings.job_max_attempts
        )


def announce(session: Session, video: Video) -> None:
    """Log the video's present state as an event, in the transaction that changed it."""
    video.updated_at = now(session)
    session.flush()
    document = status_document(session, video).model_dump(mode="json", exclude={"seq"})
    events.append(session, video.id, "status", document)


def announce_block(session: Session, block: VideoBlock) -> None:
    """Log one block's state as an event."""
    session.flush()
    data: dict[str, JsonValue] = {
        "bloc": block.number,
        "status": str(block.status),
        "progress": block.progress,
        "tries": block.tries,
        "reworded": block.reworded,
        "error_code": block.error_code,
        "error_message": block.error_message,
    }
    events.append(session, block.video_id, "block", data)


def fail_item(session: Session, item: OrderItem, error: MaquetteError) -> None:
    """End a video whose runs cannot go on: for the reconciler, in its transaction."""
    video = repository.get_video(session, item.subject, lock=True)
    mark_failed(session, video, error)
    orders.end(session, item, error=error)


def mark_failed(session: Session, video: Video, error: MaquetteError) -> None:
    """Write the reason into the video, and tell."""
    video.status = VideoStatus.FAILED
    video.error_code, video.error_message = error.code, str(error)
    video.error_values = {key: str(value) for key, value in error.values.items()}
    announce(session, video)


def _placed(item: OrderItem) -> Placed:
    return Placed(video_id=item.subject, order_id=item.order_id, item_id=item.id)


def _reset(block: VideoBlock) -> None:
    block.status, block.progress = BlockStatus.PENDING, 0
    block.error_code = block.error_message = block.error_values = None
