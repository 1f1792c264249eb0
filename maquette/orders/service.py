"""The road: place an order, claim its job, hold the lease, end its items. The database's clock decides.

Locks are taken in this order, so that no two transactions wait for each other: job, item, the thing that is made,
the month's counters, order, event log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from pydantic import JsonValue
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import Session, col, select

from maquette.db.types import now
from maquette.errors import Conflict, LeaseHeld, MaquetteError, NotFound, StaleLease
from maquette.events import service as events
from maquette.orders.holder import holder_is_dead
from maquette.orders.models import (
    ItemStatus,
    Job,
    JobStatus,
    Lease,
    Order,
    OrderItem,
    OrderStatus,
)
from maquette.orders.queue import notify
from maquette.quota import service as quota
from maquette.quota.rules import Amounts, Plan, period_of

OPEN: Final = (ItemStatus.PENDING, ItemStatus.PROCESSING)
OPEN_JOBS: Final = (JobStatus.QUEUED, JobStatus.SENT, JobStatus.RUNNING)


@dataclass(frozen=True)
class NewItem:
    """An item to be placed, and what it costs of the month's budget."""

    kind: str
    brief: Mapping[str, JsonValue]
    amounts: Amounts
    text: Mapping[str, JsonValue] | None = None
    sequence_number: int | None = None


@dataclass(frozen=True)
class NewJob:
    """The items that one run makes, and the thing that they belong to."""

    kind: str
    subject: str
    items: Sequence[NewItem]


@dataclass(frozen=True)
class Payer:
    """Who pays: a brand and its plan. ``moment`` decides the month; ``None`` is the database's clock."""

    brand_id: UUID
    plan: Plan
    moment: datetime | None = None


@dataclass(frozen=True)
class PlacedOrder:
    """An order with its jobs and their items, in the order in which they were given."""

    order: Order
    jobs: Sequence[Job]
    items: Sequence[OrderItem]


def place(
    session: Session,
    *,
    payer: Payer,
    kind: str,
    brief: Mapping[str, JsonValue],
    campaign_name: str,
    jobs: Sequence[NewJob],
    max_attempts: int,
    retry_of: UUID | None = None,
    flow_run_id: UUID | None = None,
    busy: str = "conflict",
) -> PlacedOrder:
    """Write order, items, jobs and reservations in the caller's transaction; dispatchers wake when it commits.

    A ``flow_run_id`` says that this run, started by hand, will do the first job itself: that one counts as sent.
    Raises ``Conflict`` (code ``busy``) when a subject has open work, ``BudgetExceeded``.
    """
    subjects = [job.subject for job in jobs]
    # Seen, not met at the index: an insert would wait for the run, and the run for what our caller has locked.
    if session.exec(select(Job.id).where(col(Job.subject).in_(subjects), col(Job.status).in_(OPEN_JOBS))).first():
        raise _busy(subjects, code=busy)
    order = Order(
        brand_id=payer.brand_id, kind=kind, brief=dict(brief), campaign_name=campaign_name[:120], retry_of=retry_of
    )
    session.add(order)
    session.flush()
    numbers: dict[str, int] = {}
    rows: list[Job] = []
    items: list[OrderItem] = []
    amounts: dict[UUID, Amounts] = {}
    for each in jobs:
        job = Job(
            order_id=order.id,
            brand_id=payer.brand_id,
            kind=each.kind,
            subject=each.subject,
            premium=payer.plan.priority == "premium",
            max_attempts=max_attempts,
        )
        if flow_run_id is not None and not rows:
            job.status, job.attempts, job.dispatches = JobStatus.SENT, 1, 1
            job.flow_run_id, job.sent_at = flow_run_id, now(session)
        rows.append(job)
        for new in each.items:
            numbers[new.kind] = new.sequence_number or numbers.get(new.kind, 0) + 1
            item = OrderItem(
                id=uuid4(),
                order_id=order.id,
                job_id=job.id,
                sequence_number=numbers[new.kind],
                kind=new.kind,
                brief=dict(new.brief),
                text=None if new.text is None else dict(new.text),
            )
            items.append(item)
            amounts[item.id] = new.amounts
    session.add_all(rows)
    try:
        session.flush()
    except sa.exc.IntegrityError as error:  # the other of two simultaneous requests won
        raise _busy(subjects, code=busy) from error
    session.add_all(items)
    session.flush()
    # Last, for from here on the brand's other orders wait.
    moment = payer.moment or order.created_at
    quota.reserve(session, brand_id=payer.brand_id, plan=payer.plan, period=period_of(moment), items=amounts)
    announce(session, order.id, "placed", {"items": len(items)})
    notify(session)
    return PlacedOrder(order, rows, items)


def announce(session: Session, order_id: UUID, type_: str, data: Mapping[str, JsonValue]) -> None:
    """Log what happened to an order, in the transaction that changed it."""
    events.append(session, f"order:{order_id}", type_, data)


def get_order(session: Session, order_id: UUID, *, lock: bool = False) -> Order:
    """The order. Raises ``NotFound`` (``order_not_found``)."""
    found = select(Order).where(Order.id == order_id)
    order = session.exec(found.with_for_update(key_share=True) if lock else found).first()
    if order is None:
        raise NotFound(f"there is no order {order_id}", code="order_not_found")
    return order


def get_job(session: Session, job_id: UUID) -> Job:
    """The job. Raises ``NotFound`` (``job_not_found``)."""
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id}", code="job_not_found")
    return job


def lock_job(session: Session, job_id: UUID) -> Job:
    """The job, locked against other writers, not against rows that refer to it. Raises ``NotFound``."""
    found = (
        select(Job).where(Job.id == job_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    )
    job = session.exec(found).first()
    if job is None:
        raise NotFound(f"there is no job {job_id}", code="job_not_found")
    return job


def latest_job(session: Session, subject: str) -> Job | None:
    """The open job for ``subject``, else its newest."""
    # A transaction's clock stands where it began: of two that waited for each other the later may have begun first.
    is_open = col(Job.status).in_(OPEN_JOBS)
    found = select(Job).where(Job.subject == subject).order_by(is_open.desc(), col(Job.created_at).desc())
    return session.exec(found.limit(1)).first()


def items_of(session: Session, job_id: UUID, *, only_open: bool = False) -> Sequence[OrderItem]:
    """The job's items by number."""
    found = select(OrderItem).where(OrderItem.job_id == job_id).order_by(col(OrderItem.sequence_number))
    return session.exec(found.where(col(OrderItem.status).in_(OPEN)) if only_open else found).all()


def jobs_of(session: Session, order_id: UUID) -> Sequence[Job]:
    """The order's jobs, always in one sequence: who locks several of them never waits crosswise."""
    return session.exec(select(Job).where(Job.order_id == order_id).order_by(col(Job.id))).all()


def latest_items(session: Session, subject: str) -> dict[tuple[str, str], OrderItem]:
    """The newest item for each part of ``subject``, by kind and the ``part`` that its brief names."""
    part = col(OrderItem.brief)["part"].as_string()
    found = select(OrderItem).join(Job, col(Job.id) == col(OrderItem.job_id)).where(Job.subject == subject)
    newest = found.ext(distinct_on(col(OrderItem.kind), part))
    items = session.exec(newest.order_by(col(OrderItem.kind), part, col(OrderItem.created_at).desc())).all()
    return {(item.kind, str(item.brief["part"])): item for item in items}


def order_items(session: Session, order_id: UUID) -> Sequence[OrderItem]:
    """The order's items by kind and number."""
    found = select(OrderItem).where(OrderItem.order_id == order_id)
    return session.exec(found.order_by(col(OrderItem.kind), col(OrderItem.sequence_number))).all()


def retry_of(session: Session, order_id: UUID) -> Order | None:
    """The order that was placed to retry this one."""
    return session.exec(select(Order).where(Order.retry_of == order_id)).first()


def get_item(session: Session, item_id: UUID) -> OrderItem:
    """The item. Raises ``NotFound``."""
    item = session.get(OrderItem, item_id)
    if item is None:
        raise NotFound(f"there is no order item {item_id}")
    return item


def claim(
    session: Session, job_id: UUID, *, flow_run_id: UUID | None, lease_s: float, deadline_s: float, holder: str
) -> Lease:
    """Take the job: a new fencing token and a lease of ``lease_s``. The first act of a run.

    Raises ``LeaseHeld`` when another run's lease is alive or the job has ended, ``NotFound``.
    """
    job = lock_job(session, job_id)
    if job.status not in OPEN_JOBS:
        raise LeaseHeld(f"job {job_id} has ended ({job.status}): nothing to do")
    moment = now(session)
    held_until = job.lease_expires_at
    if held_until is not None and held_until > moment and not holder_is_dead(job.lease_holder):
        raise LeaseHeld(f"job {job_id} is held by {job.lease_holder} until {held_until:%H:%M:%S}")
    if job.status == JobStatus.QUEUED:
        # Its dispatcher died before it could write the run down: the next one must not ask for the same run again.
        job.attempts += 1
        job.dispatches += 1
    job.fence += 1
    job.lease_holder = holder
    job.lease_expires_at = moment + timedelta(seconds=lease_s)
    job.deadline_at = moment + timedelta(seconds=deadline_s)
    job.flow_run_id = flow_run_id
    job.status = JobStatus.RUNNING
    job.claimed_at = moment
    job.started_at = job.started_at or moment
    session.flush()
    session.execute(
        sa.update(OrderItem)
        .where(col(OrderItem.job_id) == job_id, col(OrderItem.status) == ItemStatus.PENDING)
        .values(status=ItemStatus.PROCESSING)
    )
    started = session.execute(
        sa.update(Order)
        .where(col(Order.id) == job.order_id, col(Order.status) == OrderStatus.PENDING)
        .values(status=OrderStatus.PROCESSING)
        .returning(col(Order.id))
    ).first()
    if started is not None:
        announce(session, job.order_id, "started", {})
    return Lease(
        job_id=job.id,
        order_id=job.order_id,
        brand_id=job.brand_id,
        subject=job.subject,
        token=job.fence,
        attempt=max(job.attempts, 1),
    )


def guard(session: Session, lease: Lease, *, settle: bool = False) -> None:
    """Refuse a run that lost its job: raises ``StaleLease``. To be called first in the transaction of each write.

    The row stays share-locked until the transaction's end, so that no other run can claim in between;
    a transaction that will ``settle`` an item locks it alone from the start, for upgrades deadlock.
    """
    held = (
        select(Job.id)
        .where(Job.id == lease.job_id, Job.fence == lease.token)
        .where(Job.status == JobStatus.RUNNING)
        .with_for_update(read=not settle, key_share=settle)
    )
    if session.exec(held).first() is None:
        raise StaleLease(f"attempt {lease.token} no longer holds job {lease.job_id}")


def renew(session: Session, lease: Lease, *, lease_s: float) -> None:
    """Push the lease's end. Raises ``StaleLease``."""
    result = session.execute(
        sa.update(Job)
        .where(col(Job.id) == lease.job_id, col(Job.fence) == lease.token)
        .where(col(Job.status) == JobStatus.RUNNING)
        .values(lease_expires_at=sa.func.clock_timestamp() + timedelta(seconds=lease_s))
        .returning(col(Job.id))
    )
    if result.first() is None:
        raise StaleLease(f"attempt {lease.token} no longer holds job {lease.job_id}")


def complete_item(session: Session, lease: Lease, item_id: UUID) -> None:
    """Deliver one item: its units are used; its job and its order end with the last one. Raises ``StaleLease``."""
    guard(session, lease, settle=True)
    end(session, lock_job(session, lease.job_id), [get_item(session, item_id)], ItemStatus.COMPLETED)


def fail_item(session: Session, lease: Lease, item_id: UUID, error: MaquetteError) -> None:
    """End one item badly, with the reason; its units are refunded. Raises ``StaleLease``."""
    guard(session, lease, settle=True)
    end(session, lock_job(session, lease.job_id), [get_item(session, item_id)], ItemStatus.FAILED, error=error)


def complete(session: Session, lease: Lease) -> None:
    """End all that is open of the job well. Raises ``StaleLease``."""
    guard(session, lease, settle=True)
    end_open(session, lock_job(session, lease.job_id), ItemStatus.COMPLETED)


def end_open(session: Session, job: Job, status: ItemStatus, *, error: MaquetteError | None = None) -> None:
    """End all open items of a job that the caller holds or has locked; a job that has none ends as it is."""
    end(session, job, items_of(session, job.id, only_open=True), status, error=error)


def end(
    session: Session,
    job: Job,
    items: Sequence[OrderItem],
    status: ItemStatus,
    *,
    error: MaquetteError | None = None,
) -> None:
    """End ``items`` of a job that the caller holds or has locked; those that have ended stay as they are."""
    moment = now(session)
    ended = [item for item in items if item.status in OPEN]
    for item in ended:
        item.status = status
        item.error_code = error.code if error else None
        item.error_message = str(error) if error else None
        item.error_values = {key: str(value) for key, value in error.values.items()} if error else None
        item.finished_at = moment
    session.flush()
    states = session.exec(select(OrderItem.status).where(OrderItem.job_id == job.id)).all()
    if not set(states) & set(OPEN):
        job.status = JobStatus(_summary(states, partial=ItemStatus.COMPLETED))
        job.lease_expires_at = None
        job.lease_holder = None
        job.finished_at = moment
        job.last_error = str(error) if error else job.last_error
        job.error_code = error.code if error else None
        session.flush()
    for item in ended:
        (quota.settle if status is ItemStatus.COMPLETED else quota.refund)(session, item.id)
    summary = None if job.status in OPEN_JOBS else _settle_order(session, job.order_id)
    for item in ended:
        announce(session, job.order_id, "item", _told(item))
    if summary is not None:  # an order's last event, for listeners go when they hear it
        announce(session, job.order_id, "ended", {"status": str(summary)})


def _busy(subjects: Sequence[str], *, code: str) -> Conflict:
    return Conflict(f"{', '.join(subjects)} has unfinished work: wait until it has ended", code=code)


def _settle_order(session: Session, order_id: UUID) -> OrderStatus | None:
    """End the order unless some of its items are open; the status that it ended with."""
    order = session.exec(select(Order).where(Order.id == order_id).with_for_update(key_share=True)).one()
    states = session.exec(select(OrderItem.status).where(OrderItem.order_id == order_id)).all()
    if set(states) & set(OPEN):
        return None
    order.status = OrderStatus(_summary(states, partial="partial"))
    order.finished_at = now(session)
    session.flush()
    return OrderStatus(order.status)


def _summary(states: Sequence[str], *, partial: str) -> str:
    """One word for the ends of several items."""
    found = set(states)
    if len(found) == 1:
        return str(found.pop())
    return partial if ItemStatus.COMPLETED in found else str(ItemStatus.FAILED)


def _told(item: OrderItem) -> dict[str, JsonValue]:
    return {
        "item_id": str(item.id),
        "kind": item.kind,
        "number": item.sequence_number,
        "status": str(item.status),
        "error_code": item.error_code,
        "error_message": item.error_message,
    }
