"""The queue of jobs: which one is next, and back into it. In the caller's transaction."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from maquette.db.types import now
from maquette.orders.models import Job, JobStatus

CHANNEL: Final = "maquette_jobs"
CANDIDATES: Final = 20


def notify(session: Session) -> None:
    """Wake the dispatchers when the transaction commits. A hint: they poll as well."""
    session.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))


def next_due(session: Session, *, window: int, ageing_s: float) -> tuple[Job, bool] | None:
    """The job to send next, locked for this transaction, and whether it goes to the premium queue.

    Premium before free; a free job that is overdue by ``ageing_s`` counts as premium. Within a queue the brand with
    the fewest jobs under way comes first, then the one that was served longest ago, then the oldest job: fifty
    orders of one brand do not stand before another's first. A queue in which ``window`` runs wait for a worker gets
    no more: what is sent can no longer be overtaken. Rows that others hold are passed over.
    """
    for job_id, premium in session.execute(_ranked(window=window, ageing_s=ageing_s)).all():
        job = session.exec(
            select(Job)
            .where(Job.id == job_id, Job.status == JobStatus.QUEUED)
            .with_for_update(skip_locked=True, key_share=True)
            .execution_options(populate_existing=True)
        ).first()
        if job is not None:
            return job, bool(premium)
    return None


def release(session: Session, job: Job, *, reason: str, delay_s: float = 0, use_attempt: bool = True) -> None:
    """Give a job that the caller holds or has locked back to the queue; the old token is void at once."""
    job.fence += 1
    job.lease_expires_at = None
    job.lease_holder = None
    if not use_attempt:
        job.attempts -= 1
    requeue(session, job, reason=reason, delay_s=delay_s)


def requeue(session: Session, job: Job, *, reason: str, delay_s: float = 0) -> None:
    """Let the dispatcher create another run for the job."""
    moment = now(session)
    job.status = JobStatus.QUEUED
    job.flow_run_id = None
    job.last_error = reason
    job.available_at = moment + timedelta(seconds=delay_s)
    session.flush()
    notify(session)


def mark_sent(session: Session, job: Job, flow_run_id: UUID, *, premium: bool) -> None:
    """Record the flow run that was created for the job's next attempt."""
    # The clock first: reading it flushes, and a row that is updated twice locks what it refers to as well.
    job.sent_at = now(session)
    job.status = JobStatus.SENT
    job.attempts += 1
    job.dispatches += 1
    job.flow_run_id = flow_run_id
    job.sent_premium = premium
    session.flush()


def _ranked(*, window: int, ageing_s: float) -> sa.Select[tuple[UUID, bool]]:
    clock = sa.func.clock_timestamp()
    aged = col(Job.available_at) < clock - timedelta(seconds=ageing_s)
    due = (
        sa.select(
            col(Job.id), col(Job.brand_id), col(Job.available_at), col(Job.created_at),
            sa.or_(col(Job.premium), aged).label("premium"),
        )
        .where(col(Job.status) == JobStatus.QUEUED, col(Job.available_at) <= clock)
        .cte("due")
    )  # fmt: skip
    brands = (
        sa.select(
            col(Job.brand_id),
            sa.func.count().filter(col(Job.status).in_((JobStatus.SENT, JobStatus.RUNNING))).label("under_way"),
            sa.func.max(col(Job.sent_at)).label("served_at"),
        )
        .where(col(Job.brand_id).in_(sa.select(due.c.brand_id)), col(Job.sent_at).is_not(None))
        # The transaction's clock, which an index can be searched by: old jobs are not read.
        .where(sa.or_(col(Job.finished_at).is_(None), col(Job.finished_at) > sa.func.now() - timedelta(days=1)))
        .group_by(col(Job.brand_id))
        .cte("brands")
    )
    waiting = (
        sa.select(
            sa.func.count().filter(col(Job.sent_premium)).label("premium"),
            sa.func.count().filter(sa.not_(col(Job.sent_premium))).label("free"),
        )
        .where(col(Job.status) == JobStatus.SENT)
        .cte("waiting")
    )
    taken = sa.case((due.c.premium, waiting.c.premium), else_=waiting.c.free)
    return (
        sa.select(due.c.id, due.c.premium)
        .select_from(due.join(waiting, sa.true()).outerjoin(brands, brands.c.brand_id == due.c.brand_id))
        .where(taken < window)
        .order_by(
            due.c.premium.desc(),
            sa.func.coalesce(brands.c.under_way, 0),
            brands.c.served_at.asc().nulls_first(),
            due.c.available_at,
            due.c.created_at,
        )
        .limit(CANDIDATES)
    )
