"""The road: place an order, claim its item, hold the lease, settle. The database's clock decides."""

import os
import socket
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

import psutil
import sqlalchemy as sa
from pydantic import JsonValue
from sqlmodel import Session, col, select

from maquette.db.types import now
from maquette.errors import Conflict, LeaseHeld, MaquetteError, NotFound, StaleLease
from maquette.orders.models import (
    ItemStatus,
    Job,
    JobStatus,
    Lease,
    Order,
    OrderItem,
    OrderStatus,
)

CHANNEL: Final = "maquette_jobs"
OPEN: Final = (ItemStatus.PENDING, ItemStatus.PROCESSING)


def place(
    session: Session,
    *,
    kind: str,
    subject: str,
    brief: Mapping[str, JsonValue],
    idempotency_key: str | None = None,
    max_attempts: int = 5,
    flow_run_id: UUID | None = None,
) -> OrderItem:
    """Write order, item and job in the caller's transaction; dispatchers wake when it commits.

    A ``flow_run_id`` says that this run, started by hand, will do the work itself: the job counts as sent.
    Raises ``Conflict`` when ``subject`` has open work.
    """
    busy = select(OrderItem.id).where(OrderItem.subject == subject, col(OrderItem.status).in_(OPEN))
    if session.exec(busy).first() is not None:
        raise Conflict(f"{subject} has unfinished work: wait until it has ended", code="video_busy")
    order = Order(kind=kind, brief=dict(brief), idempotency_key=idempotency_key)
    session.add(order)
    session.flush()
    item = OrderItem(order_id=order.id, kind=kind, subject=subject, brief=dict(brief))
    session.add(item)
    try:
        session.flush()
    except sa.exc.IntegrityError as error:  # the other of two simultaneous requests won
        raise Conflict(f"{subject} has unfinished work: wait until it has ended", code="video_busy") from error
    job = Job(item_id=item.id, kind=kind, max_attempts=max_attempts)
    if flow_run_id is not None:
        job.status, job.attempts, job.flow_run_id, job.sent_at = JobStatus.SENT, 1, flow_run_id, now(session)
    session.add(job)
    session.flush()
    notify(session)
    return item


def notify(session: Session) -> None:
    """Wake the dispatchers when the transaction commits. A hint: they poll as well."""
    session.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))


def by_idempotency_key(session: Session, key: str) -> OrderItem | None:
    """The first item of the order that was placed under ``key``."""
    found = select(OrderItem).join(Order, col(Order.id) == col(OrderItem.order_id))
    return session.exec(found.where(Order.idempotency_key == key)).first()


def get_item(session: Session, item_id: UUID) -> OrderItem:
    """The item. Raises ``NotFound``."""
    item = session.get(OrderItem, item_id)
    if item is None:
        raise NotFound(f"there is no order item {item_id}")
    return item


def lock_item(session: Session, item_id: UUID) -> OrderItem:
    """The item, locked against other writers, not against rows that refer to it. Raises ``NotFound``."""
    found = select(OrderItem).where(OrderItem.id == item_id).with_for_update(key_share=True)
    item = session.exec(found).first()
    if item is None:
        raise NotFound(f"there is no order item {item_id}")
    return item


def latest_item(session: Session, subject: str) -> OrderItem | None:
    """The newest item for ``subject``."""
    found = select(OrderItem).where(OrderItem.subject == subject).order_by(col(OrderItem.created_at).desc())
    return session.exec(found.limit(1)).first()


def holder_name() -> str:
    """This process, recognisable on its host: ``host/pid/start time``."""
    return f"{socket.gethostname()}/{os.getpid()}/{psutil.Process().create_time():.0f}"


def holder_is_dead(holder: str | None) -> bool:
    """Surely dead: the holder ran on this host and its process is gone. Elsewhere only the lease tells."""
    if holder is None:
        return False
    host, pid, started = holder.rsplit("/", 2)
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        # Start times move by a second when the clock is set; process ids do not come back that fast.
        return abs(process.create_time() - float(started)) > 2 or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def claim(
    session: Session, item_id: UUID, *, flow_run_id: UUID | None, lease_s: float, deadline_s: float, holder: str
) -> Lease:
    """Take the item: a new fencing token and a lease of ``lease_s``. The first act of a run.

    Raises ``LeaseHeld`` when another run's lease is alive or the item has ended, ``NotFound``.
    """
    item = lock_item(session, item_id)
    if item.status not in OPEN:
        raise LeaseHeld(f"item {item_id} has ended ({item.status}): nothing to do")
    moment = now(session)
    held_until = item.lease_expires_at
    if held_until is not None and held_until > moment and not holder_is_dead(item.lease_holder):
        raise LeaseHeld(f"item {item_id} is held by {item.lease_holder} until {held_until:%H:%M:%S}")
    item.fence += 1
    item.lease_holder = holder
    item.lease_expires_at = moment + timedelta(seconds=lease_s)
    item.deadline_at = moment + timedelta(seconds=deadline_s)
    item.flow_run_id = flow_run_id
    item.status = ItemStatus.PROCESSING
    item.claimed_at = moment
    item.started_at = item.started_at or moment
    job = job_of(session, item_id)
    job.status = JobStatus.RUNNING
    job.flow_run_id = flow_run_id
    order = session.get_one(Order, item.order_id)
    order.status = OrderStatus.PROCESSING
    session.flush()
    return Lease(
        item_id=item.id, order_id=item.order_id, subject=item.subject, token=item.fence, attempt=max(job.attempts, 1)
    )


def guard(session: Session, lease: Lease, *, settle: bool = False) -> None:
    """Refuse a run that lost its item: raises ``StaleLease``. To be called first in the transaction of each write.

    The row stays share-locked until the transaction's end, so that no other run can claim in between;
    a transaction that will ``settle`` the item locks it alone from the start, for upgrades deadlock.
    """
    held = (
        select(OrderItem.id)
        .where(OrderItem.id == lease.item_id, OrderItem.fence == lease.token)
        .where(OrderItem.status == ItemStatus.PROCESSING)
        .with_for_update(read=not settle, key_share=settle)
    )
    if session.exec(held).first() is None:
        raise StaleLease(f"attempt {lease.token} no longer holds item {lease.item_id}")


def renew(session: Session, lease: Lease, *, lease_s: float) -> None:
    """Push the lease's end. Raises ``StaleLease``."""
    result = session.execute(
        sa.update(OrderItem)
        .where(col(OrderItem.id) == lease.item_id, col(OrderItem.fence) == lease.token)
        .where(col(OrderItem.status) == ItemStatus.PROCESSING)
        .values(lease_expires_at=sa.func.clock_timestamp() + timedelta(seconds=lease_s))
        .returning(col(OrderItem.id))
    )
    if result.first() is None:
        raise StaleLease(f"attempt {lease.token} no longer holds item {lease.item_id}")


def complete(session: Session, lease: Lease) -> None:
    """End the item well, and its order with the last one. Raises ``StaleLease``."""
    guard(session, lease, settle=True)
    end(session, get_item(session, lease.item_id), error=None)


def fail(session: Session, lease: Lease, error: MaquetteError) -> None:
    """End the item badly, with the reason. Raises ``StaleLease``."""
    guard(session, lease, settle=True)
    end(session, get_item(session, lease.item_id), error=error)


def end(session: Session, item: OrderItem, *, error: MaquetteError | None) -> None:
    """End an item that the caller holds or has locked."""
    item.status = ItemStatus.COMPLETED if error is None else ItemStatus.FAILED
    item.error_code = error.code if error else None
    item.error_message = str(error) if error else None
    item.finished_at = now(session)
    item.lease_expires_at = None
    job = job_of(session, item.id)
    job.status = JobStatus.COMPLETED if error is None else JobStatus.FAILED
    job.last_error = str(error) if error else None
    session.flush()
    _settle_order(session, item.order_id)


def release(session: Session, item: OrderItem, *, reason: str, delay_s: float = 0) -> None:
    """Give an open item back to the queue; the old token is void at once."""
    item.fence += 1
    item.lease_expires_at = None
    item.lease_holder = None
    item.flow_run_id = None
    requeue(session, job_of(session, item.id), reason=reason, delay_s=delay_s)


def requeue(session: Session, job: Job, *, reason: str, delay_s: float = 0) -> None:
    """Let the dispatcher create another run for the job."""
    job.status = JobStatus.QUEUED
    job.flow_run_id = None
    job.last_error = reason
    job.available_at = now(session) + timedelta(seconds=delay_s)
    session.flush()
    notify(session)


def job_of(session: Session, item_id: UUID) -> Job:
    """The item's job."""
    return session.exec(select(Job).where(Job.item_id == item_id)).one()


def next_due(session: Session) -> Job | None:
    """The oldest due job, locked for this transaction; rows that others hold are passed over."""
    return session.exec(
        select(Job)
        .where(Job.status == JobStatus.QUEUED, col(Job.available_at) <= sa.func.clock_timestamp())
        .order_by(col(Job.available_at), col(Job.created_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()


def mark_sent(session: Session, job: Job, flow_run_id: UUID) -> None:
    """Record the flow run that was created for the job's next attempt."""
    # The clock first: reading it flushes, and a row that is updated twice locks its item as well.
    job.sent_at = now(session)
    job.status = JobStatus.SENT
    job.attempts += 1
    job.flow_run_id = flow_run_id
    session.flush()


def _settle_order(session: Session, order_id: UUID) -> None:
    order = session.exec(select(Order).where(Order.id == order_id).with_for_update()).one()
    states = set(session.exec(select(OrderItem.status).where(OrderItem.order_id == order_id)))
    if states & set(OPEN):
        return
    order.status = (
        OrderStatus.COMPLETED
        if states == {ItemStatus.COMPLETED}
        else OrderStatus.FAILED
        if states == {ItemStatus.FAILED}
        else OrderStatus.PARTIAL
    )
    order.finished_at = now(session)
    session.flush()
