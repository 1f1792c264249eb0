"""Jobs of drafts as older clients follow them: by the first eight digits of their ids, in four states."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, Field
from sqlmodel import Session, col, select

from maquette.drafts.documents import subject_of
from maquette.drafts.models import IMAGE, KIND, LOOP, SONG, Moment
from maquette.drafts.tables import Draft
from maquette.drafts.universes import older_folder
from maquette.errors import NotFound
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job, JobStatus, OrderItem

Status = Literal["pending", "running", "completed", "failed"]

_STATUSES: Final[dict[str, Status]] = {
    JobStatus.QUEUED: "pending",
    JobStatus.SENT: "pending",
    JobStatus.RUNNING: "running",
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "failed",
}
_TYPES: Final = {IMAGE: "images", LOOP: "videos", SONG: "music"}
_REST_BITS: Final = 96


class JobResult(BaseModel):
    """What came of a job's parts: pictures, loops and songs."""

    generated: int
    failed: int
    errors: list[str] = Field(description="Why parts failed, each with its asset's id or its song's language.")


class OlderJob(BaseModel):
    """A job in the form of older clients; ``id`` are the first eight digits of the job's own."""

    id: str
    type: str = Field(description="images, videos, music, or all where it makes several of them")
    universe: str
    description: str
    status: Status
    progress: int
    result: JobResult | None
    error: str | None
    created_at: Moment
    completed_at: Moment | None


class OlderJobs(BaseModel):
    """The newest jobs of drafts; ``total`` and ``active`` count all of them."""

    jobs: list[OlderJob]
    total: int
    active: int


class JobGone(NotFound):
    """No such job: in English for everybody, as the older clients show it."""

    code = "job_not_found"

    def __init__(self) -> None:
        super().__init__("Job not found. It may have expired or the API was restarted.")

    def text(self, language: str = "fr") -> str:
        """The same text in all languages."""
        return str(self)


def short(job_id: UUID) -> str:
    """The first eight digits."""
    return job_id.hex[:8]


def begins(text: str) -> UUID:
    """The least id that begins with the eight digits of ``text``. Raises ``JobGone`` for other characters."""
    if len(text) != 8 or not set("0123456789abcdefABCDEF").issuperset(text):
        raise JobGone
    return UUID(int=int(text, 16) << _REST_BITS)


def find_job(session: Session, job_id: UUID) -> Job | None:
    """The newest job of a draft whose id begins as ``job_id`` of ``begins`` does."""
    last = UUID(int=job_id.int | (1 << _REST_BITS) - 1)
    found = select(Job).where(Job.kind == KIND, col(Job.id).between(job_id, last))
    return session.exec(found.order_by(col(Job.created_at).desc()).limit(1)).first()


def is_short(job_id: UUID) -> bool:
    """Is it only the beginning of an id, as ``begins`` gives it?"""
    return job_id.int % (1 << _REST_BITS) == 0


def older_job(session: Session, job_id: UUID) -> OlderJob:
    """The job whose id begins as ``job_id`` of ``begins`` does.

    A draft's id stands for work that was done at once, or that nothing of was missing. Raises ``JobGone``.
    """
    job = find_job(session, job_id)
    if job is not None:
        return _document(job, orders.items_of(session, job.id), _names(session, [job]))
    draft = session.get(Draft, short(job_id))
    if draft is None:
        raise JobGone
    universe = older_folder(draft)
    return OlderJob(
        id=draft.id,
        type="all",
        universe=universe,
        description=f"{universe}: nothing is left to do",
        status="completed",
        progress=100,
        result=JobResult(generated=0, failed=0, errors=[]),
        error=None,
        created_at=draft.updated_at,
        completed_at=draft.updated_at,
    )


def ended_job(session: Session, job_id: UUID) -> OlderJob | None:
    """The job of that very id once it has ended, else nothing. Raises ``NotFound``."""
    job = orders.get_job(session, job_id)
    return None if job.status in orders.OPEN_JOBS else _document(job, orders.items_of(session, job.id), {})


def older_jobs(session: Session, *, limit: int) -> OlderJobs:
    """The newest jobs of drafts."""
    rows = session.exec(select(Job).where(Job.kind == KIND).order_by(col(Job.created_at).desc()).limit(limit)).all()
    items: dict[UUID, list[OrderItem]] = {job.id: [] for job in rows}
    for item in session.exec(select(OrderItem).where(col(OrderItem.job_id).in_(items))):
        items[item.job_id].append(item)
    counted = sa.select(col(Job.status), sa.func.count()).where(col(Job.kind) == KIND).group_by(col(Job.status))
    counts = {str(status): int(count) for status, count in session.execute(counted)}
    names = _names(session, rows)
    return OlderJobs(
        jobs=[_document(job, items[job.id], names) for job in rows],
        total=sum(counts.values()),
        active=sum(counts.get(status, 0) for status in orders.OPEN_JOBS),
    )


def _names(session: Session, jobs: Sequence[Job]) -> dict[str, str]:
    """The universes' folders by the subjects of these jobs; nothing of those that were deleted."""
    ids = [job.subject.removeprefix("draft_") for job in jobs]
    found = session.exec(select(Draft).where(col(Draft.id).in_(ids)))
    return {subject_of(draft.id): older_folder(draft) for draft in found}


def _document(job: Job, items: Sequence[OrderItem], names: Mapping[str, str]) -> OlderJob:
    universe = names.get(job.subject, job.subject.removeprefix("draft_"))
    kinds = {_TYPES[item.kind] for item in items}
    kind = kinds.pop() if len(kinds) == 1 else "all"
    status = _STATUSES[job.status]
    ended = [item for item in items if item.status not in orders.OPEN]
    failed = [item for item in ended if item.status != ItemStatus.COMPLETED]
    result = JobResult(
        generated=len(ended) - len(failed),
        failed=len(failed),
        errors=[f"{item.brief['part']}: {item.error_message or item.status}" for item in failed],
    )
    is_open = job.status in orders.OPEN_JOBS
    return OlderJob(
        id=short(job.id),
        type=kind,
        universe=universe,
        description=f"{universe}: {kind}",
        status=status,
        progress=min(99, 100 * len(ended) // max(1, len(items))) if is_open else 100,
        result=None if is_open else result,
        error=(job.last_error or f"the job was {job.status}") if status == "failed" else None,
        created_at=job.created_at,
        completed_at=job.finished_at,
    )
