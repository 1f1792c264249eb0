"""What can be ordered of a video, and what is read of it. Each call is one transaction."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel, JsonValue
from sqlmodel import Session

from maquette.brands import service as brands
from maquette.brands.models import Brand
from maquette.db.engine import Database
from maquette.db.types import now
from maquette.errors import Conflict, InvalidInput, MaquetteError, NotFound
from maquette.events import service as events
from maquette.library import service as library
from maquette.media.fonts import require_drawable
from maquette.orders import service as orders
from maquette.orders.idempotency import once
from maquette.orders.models import ItemStatus, Job
from maquette.orders.service import NewItem, NewJob, Payer
from maquette.quota import rules as quota
from maquette.quota.rules import Amounts, Plan
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
    job_id: UUID
    item_id: UUID


class Videos:
    """The use cases of videos, on one database and one store."""

    def __init__(self, database: Database, store: Store, settings: Settings) -> None:
        self.database = database
        self.store = store
        self.settings = settings

    def order(
        self,
        brief: VideoBrief,
        *,
        brand_id: UUID | None = None,
        idempotency_key: str | None = None,
        flow_run_id: UUID | None = None,
    ) -> Placed:
        """Order a video. The same ``idempotency_key`` with the same brief answers with the first order.

        Raises ``InvalidInput`` (a theme that no font can show), ``Conflict`` for a used key with another brief,
        ``BudgetExceeded``, ``NotFound`` for the brand.
        """
        require_drawable(brief.theme)
        document = brief.model_dump(mode="json")

        def place() -> Placed:
            brand = brands.get(session, brand_id)
            plan = quota.plan(brand.plan)
            job = new_video(session, brief, brand=brand, plan=plan)
            return self._place(session, brand, job, document, theme=brief.theme, flow_run_id=flow_run_id)

        with self.database.begin() as session:
            request = document if brand_id is None else document | {"brand_id": str(brand_id)}
            return once(session, idempotency_key, request, place, kind=Placed)

    def retry(self, video_id: str) -> Placed:
        """Order what a failed video still lacks; finished clips stay. A lost answer is now sent again.

        Raises ``NotFound``, ``Conflict`` (``video_busy``, ``nothing_to_retry``), ``BudgetExceeded``.
        """
        with self.database.begin() as session:
            video = repository.get_video(session, video_id, lock=True)
            job = renewed(session, video)
            brand = brands.get(session, video.brand_id)
            return self._place(session, brand, job, job.items[0].brief, theme=video.theme)

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
            change_of = {"block": number, **change.model_dump(mode="json")}
            job = _reopened(video, change_of, reels=0, duration_s=block.duration_s)
            placed = self._place(session, brands.get(session, video.brand_id), job, change_of, theme=video.theme)
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
            return placed

    def delete(self, video_id: str) -> None:
        """Remove the video, its files and events; orders and costs stay in the books.

        Raises ``NotFound``, ``Conflict`` while it is being made.
        """
        with self.database.begin() as session:
            video = repository.get_video(session, video_id, lock=True)
            job = orders.latest_job(session, video_id)
            if job is not None and job.status in orders.OPEN_JOBS:
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
            job = orders.latest_job(session, video_id)
            run = str(job.flow_run_id) if job and job.flow_run_id else None
            return video_document(session, video, flow_run_id=run)

    def list(self, *, limit: int = 100) -> list[ListedVideo]:
        """The newest videos first."""
        with self.database.begin() as session:
            return listed(session, limit=limit)

    def _place(
        self,
        session: Session,
        brand: Brand,
        job: NewJob,
        brief: Mapping[str, JsonValue],
        *,
        theme: str,
        flow_run_id: UUID | None = None,
    ) -> Placed:
        placed = orders.place(
            session,
            payer=Payer(brand.id, quota.plan(brand.plan)),
            kind=KIND,
            brief=brief,
            campaign_name=theme,
            jobs=[job],
            max_attempts=self.settings.job_max_attempts,
            flow_run_id=flow_run_id,
            busy="video_busy",
        )
        return Placed(
            video_id=job.subject, order_id=placed.order.id, job_id=placed.jobs[0].id, item_id=placed.items[0].id
        )


def new_video(session: Session, brief: VideoBrief, *, brand: Brand, plan: Plan, woofs: int | None = None) -> NewJob:
    """Write the video's row; the job that will make it. ``woofs`` other than by length are a pack's.

    Raises ``BudgetExceeded`` (``duration_not_allowed``).
    """
    if not plan.allows_s(brief.target_duration):
        raise quota.duration_refusal(plan, brief.target_duration)
    durations = block_durations(brief.target_duration)
    video = Video(
        **brief.model_dump(),
        id=f"video_{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(3)}",
        brand_id=brand.id,
        actual_duration=sum(durations),
        total_blocks=len(durations),
    )
    session.add(video)
    session.flush()
    announce(session, video)
    amounts = Amounts(reels=1, woofs=quota.calculate_woofs_cost(brief.target_duration) if woofs is None else woofs)
    document = brief.model_dump(mode="json")
    return NewJob(kind=KIND, subject=video.id, items=[NewItem(kind=KIND, brief=document, amounts=amounts)])


def renewed(session: Session, video: Video) -> NewJob:
    """The job that makes what a failed video, which the caller has locked, still lacks.

    Raises ``Conflict`` (``nothing_to_retry``).
    """
    if video.status == VideoStatus.COMPLETED:
        raise Conflict(f"{video.id} is complete: edit a block to change it", code="nothing_to_retry")
    video.asks += video.error_code == "outcome_unknown"
    job = _reopened(video, {"retry": True}, reels=1, duration_s=video.target_duration)
    for block in repository.blocks_of(session, video.id):
        if block.status == BlockStatus.COMPLETED:
            continue
        if block.error_code == "outcome_unknown":
            block.tries += 1  # the person's consent: the next submission is another call
        block.tries_before = block.tries
        _reset(block)
    announce(session, video)
    return job


def _reopened(video: Video, brief: Mapping[str, JsonValue], *, reels: int, duration_s: int) -> NewJob:
    video.status = VideoStatus.GENERATING_PARALLEL if video.raw_script else VideoStatus.QUEUED
    video.error_code = video.error_message = video.error_values = None
    amounts = Amounts(reels=reels, woofs=quota.calculate_woofs_cost(duration_s))
    return NewJob(kind=KIND, subject=video.id, items=[NewItem(kind=KIND, brief=brief, amounts=amounts)])


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


def end_job(session: Session, job: Job, status: ItemStatus, error: MaquetteError) -> None:
    """End a video's job that the caller has locked, other than well: cancelled, or by the reconciler."""
    video = repository.get_video(session, job.subject, lock=True)
    mark_failed(session, video, error)
    orders.end_open(session, job, status, error=error)


def prepare_again(session: Session, job: Job) -> None:
    """Forget the failures of an attempt that will be followed by another; for a job that the caller has locked."""
    video = repository.get_video(session, job.subject, lock=True)
    for block in repository.blocks_of(session, video.id):
        if block.status == BlockStatus.FAILED:
            block.tries_before = block.tries
            _reset(block)
    announce(session, video)


def mark_failed(session: Session, video: Video, error: MaquetteError) -> None:
    """Write the reason into the video, and tell."""
    video.status = VideoStatus.FAILED
    video.error_code, video.error_message = error.code, str(error)
    video.error_values = {key: str(value) for key, value in error.values.items()}
    announce(session, video)


def _reset(block: VideoBlock) -> None:
    block.status, block.progress = BlockStatus.PENDING, 0
    block.error_code = block.error_message = block.error_values = None
