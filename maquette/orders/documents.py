"""What clients read of orders, jobs and the queue."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, Field
from sqlmodel import Session, col, select

from maquette.db.types import now
from maquette.errors import text_of
from maquette.events import service as events
from maquette.journal import breakers
from maquette.journal import costs as journal
from maquette.library import service as library
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job, JobStatus, Order, OrderItem
from maquette.quota.models import Reservation

STUCK_S = 300


class ItemDocument(BaseModel):
    """One item: what it is, where it stands, what it held of the budget, and the asset that it delivered."""

    id: UUID
    job_id: UUID
    kind: str
    sequence_number: int
    slide: int | None = Field(None, description="Of a slide: its number in its carousel, from 1.")
    status: str
    text: dict[str, Any] | None
    error_code: str | None
    error_message: str | None = Field(description="For the user, in the item's language.")
    reason: str | None = Field(None, description="For developers: what exactly happened.")
    reservation: str | None
    images: int = 0
    reels: int = 0
    woofs: int = 0
    asset_id: UUID | None = None


class JobDocument(BaseModel):
    """One place in the queue. ``attempts`` of ``max_attempts`` are used up."""

    id: UUID
    order_id: UUID
    brand_id: UUID
    kind: str
    subject: str
    status: str
    attempts: int
    max_attempts: int
    dispatches: int
    queue: str
    available_at: datetime
    flow_run_id: UUID | None
    error_code: str | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime


class ListedOrder(BaseModel):
    """A line of the list of orders."""

    id: UUID
    kind: str
    status: str
    brand_id: UUID
    campaign_name: str
    expected: int
    completed: int
    failed: int
    progress: int
    retry_of: UUID | None
    created_at: datetime
    finished_at: datetime | None


class OrderDocument(ListedOrder):
    """An order whole. ``seq`` is that of the newest event it includes."""

    brief: dict[str, Any]
    items: list[ItemDocument]
    jobs: list[JobDocument]
    cost_micros: int
    saved_micros: int
    retried_by: UUID | None
    seq: int


class DeadLetter(BaseModel):
    """What was given up and not ordered again: the items of a job that failed."""

    job: JobDocument
    campaign_name: str
    items: list[ItemDocument]


class QueueCounts(BaseModel):
    """Jobs by state; ``processing`` are those that were sent and wait for a worker."""

    queued: int
    processing: int
    running: int
    completed: int
    failed: int
    cancelled: int
    completed_24h: int


class Stuck(BaseModel):
    """Running jobs whose lease has run out."""

    runningStuckCount: int  # noqa: N815  # the monitor's own names
    thresholdSec: int  # noqa: N815


class RecentJob(BaseModel):
    """One of the jobs that moved last."""

    id: UUID
    type: str
    status: str
    error: str | None
    retry: str
    updated_at: datetime


class BreakerState(BaseModel):
    """A provider that is out of service."""

    provider: str
    failures: int
    open_until: datetime | None
    reason: str


class QueueDocument(BaseModel):
    """The queue monitor's document."""

    ok: bool = True
    now: datetime
    counts: QueueCounts
    backlogSeconds: int  # noqa: N815
    stuck: Stuck
    recent: list[RecentJob]
    scope: str
    breakers: list[BreakerState]


def order_document(session: Session, order_id: UUID) -> OrderDocument:
    """The order with its items, jobs and costs. Raises ``NotFound``."""
    seq = events.last_seq(session, f"order:{order_id}")  # first: what comes meanwhile is told again, never missed
    order = orders.get_order(session, order_id)
    items = orders.order_items(session, order_id)
    first = {item.job_id: place for place, item in reversed(list(enumerate(items)))}
    jobs = sorted(orders.jobs_of(session, order_id), key=lambda job: first[job.id])
    spent = journal.costs(session, by="order", order_id=order_id)
    again = orders.retry_of(session, order_id)
    return OrderDocument(
        **_line(order, [item.status for item in items]).model_dump(),
        brief=order.brief,
        items=item_documents(session, items),
        jobs=[job_document(job) for job in jobs],
        cost_micros=spent.cost_micros,
        saved_micros=spent.saved_micros,
        retried_by=again.id if again else None,
        seq=seq,
    )


def item_documents(session: Session, items: Sequence[OrderItem]) -> list[ItemDocument]:
    """The items with their reservations and assets."""
    ids = [item.id for item in items]
    held = {row.item_id: row for row in session.exec(select(Reservation).where(col(Reservation.item_id).in_(ids)))}
    assets = {asset.item_id: asset.id for asset in library.delivered(session, ids)}
    return [
        ItemDocument(
            **item.model_dump(
                include={
                    "id",
                    "job_id",
                    "kind",
                    "sequence_number",
                    "status",
                    "text",
                    "error_code",
                }
            ),
            slide=item.brief.get("slide"),
            error_message=_error_text(item),
            reason=item.error_message,
            reservation=held[item.id].state if item.id in held else None,
            **(held[item.id].amounts().model_dump() if item.id in held else {}),
            asset_id=assets.get(item.id),
        )
        for item in items
    ]


def job_document(job: Job) -> JobDocument:
    """The job."""
    return JobDocument(
        **job.model_dump(include=set(JobDocument.model_fields)),
        queue="premium" if job.premium or job.sent_premium else "free",
        error=job.last_error,
    )


def list_orders(
    session: Session,
    *,
    brand_id: UUID | None = None,
    status: str | None = None,
    after: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[ListedOrder]:
    """The newest orders first, those after ``after`` (a creation time and an id) where it is given."""
    found = select(Order).order_by(col(Order.created_at).desc(), col(Order.id).desc()).limit(limit)
    if brand_id is not None:
        found = found.where(Order.brand_id == brand_id)
    if status is not None:
        found = found.where(Order.status == status)
    if after is not None:
        found = found.where(sa.tuple_(col(Order.created_at), col(Order.id)) < after)
    rows = session.exec(found).all()
    states: dict[UUID, list[str]] = {order.id: [] for order in rows}
    for order_id, state in session.exec(
        select(OrderItem.order_id, OrderItem.status).where(col(OrderItem.order_id).in_(states))
    ):
        states[order_id].append(state)
    return [_line(order, states[order.id]) for order in rows]


def dead_letters(session: Session, *, brand_id: UUID | None = None, limit: int) -> list[DeadLetter]:
    """Jobs with failed items whose order was not ordered again, the newest first."""
    again = sa.orm.aliased(Order)
    found = (
        select(Job, Order)
        .join(Order, col(Order.id) == col(Job.order_id))
        .where(col(Job.finished_at).is_not(None))
        .where(
            sa.exists().where(col(OrderItem.job_id) == col(Job.id), col(OrderItem.status) == ItemStatus.FAILED),
            ~sa.exists().where(col(again.retry_of) == col(Order.id)),
        )
        .order_by(col(Job.finished_at).desc(), col(Job.id))
        .limit(limit)
    )
    if brand_id is not None:
        found = found.where(Job.brand_id == brand_id)
    return [
        DeadLetter(
            job=job_document(job),
            campaign_name=order.campaign_name,
            items=[
                item
                for item in item_documents(session, orders.items_of(session, job.id))
                if item.status == ItemStatus.FAILED
            ],
        )
        for job, order in session.exec(found).all()
    ]


def queue_document(session: Session, *, brand_id: UUID | None = None, recent: int = 15) -> QueueDocument:
    """How the queue stands, of all brands or of one."""
    moment = now(session)

    def of_brand(statement: Any) -> Any:
        return statement if brand_id is None else statement.where(col(Job.brand_id) == brand_id)

    by_state = of_brand(sa.select(col(Job.status), sa.func.count()).group_by(col(Job.status)))
    states = {str(state): int(count) for state, count in session.execute(by_state)}
    day = of_brand(sa.select(sa.func.count()).where(col(Job.status) == JobStatus.COMPLETED)).where(
        col(Job.finished_at) > moment - timedelta(days=1)
    )
    oldest = session.execute(
        of_brand(sa.select(sa.func.min(col(Job.available_at))).where(col(Job.status) == JobStatus.QUEUED))
    ).scalar_one()
    stuck = of_brand(sa.select(sa.func.count()).where(col(Job.status) == JobStatus.RUNNING)).where(
        col(Job.lease_expires_at) < moment
    )
    newest = of_brand(sa.select(Job).order_by(col(Job.updated_at).desc(), col(Job.id)).limit(recent))
    return QueueDocument(
        now=moment,
        counts=QueueCounts(
            queued=states.get(JobStatus.QUEUED, 0),
            processing=states.get(JobStatus.SENT, 0),
            running=states.get(JobStatus.RUNNING, 0),
            completed=states.get(JobStatus.COMPLETED, 0),
            failed=states.get(JobStatus.FAILED, 0),
            cancelled=states.get(JobStatus.CANCELLED, 0),
            completed_24h=session.execute(day).scalar_one(),
        ),
        backlogSeconds=max(0, int((moment - oldest).total_seconds())) if oldest else 0,
        stuck=Stuck(runningStuckCount=session.execute(stuck).scalar_one(), thresholdSec=STUCK_S),
        recent=[
            RecentJob(
                id=job.id,
                type=job.kind,
                status=job.status,
                error=job.last_error,
                retry=f"{job.attempts}/{job.max_attempts}",
                updated_at=job.updated_at,
            )
            for job in session.execute(newest).scalars()
        ],
        scope="all" if brand_id is None else "brand",
        breakers=[
            BreakerState.model_validate(breaker.model_dump(include=set(BreakerState.model_fields)))
            for breaker in breakers.open_breakers(session)
        ],
    )


def _error_text(item: OrderItem) -> str | None:
    if item.error_code is None:
        return None
    language = str(item.brief.get("language", "fr"))
    try:
        return text_of(item.error_code, language, **(item.error_values or {}))
    except KeyError:  # a text with a gap that this error does not fill
        return text_of("internal", language)


def _line(order: Order, states: Sequence[str]) -> ListedOrder:
    completed = states.count(ItemStatus.COMPLETED)
    ended = sum(state not in orders.OPEN for state in states)
    return ListedOrder(
        **order.model_dump(include=set(ListedOrder.model_fields)),
        expected=len(states),
        completed=completed,
        failed=ended - completed,
        progress=100 * ended // max(len(states), 1),
    )
