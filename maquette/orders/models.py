"""Tables of the road that all paid work takes: orders, their items, and the queue."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlmodel import Field, SQLModel

from maquette.db.types import JSON, created_at, moment, updated_at


class OrderStatus(StrEnum):
    """Of an order; ``partial`` has completed and failed items."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"


class ItemStatus(StrEnum):
    """Of an order's item. The last two are ends and never change."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class JobStatus(StrEnum):
    """Of a job: ``sent`` has a flow run, ``running`` has been claimed by it."""

    QUEUED = "queued"
    SENT = "sent"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


OPEN_ITEMS = "status IN ('pending', 'processing')"


class Order(SQLModel, table=True):
    """What was asked for in one request."""

    __tablename__ = "orders"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: str
    status: str = OrderStatus.PENDING
    brief: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    idempotency_key: str | None = Field(default=None, unique=True)
    finished_at: datetime | None = moment()
    created_at: datetime = created_at()
    updated_at: datetime = updated_at()


class OrderItem(SQLModel, table=True):
    """One unit of work: one run at a time holds it, by its fencing token and its lease."""

    __tablename__ = "order_items"
    __table_args__ = (
        sa.UniqueConstraint("order_id", "kind", "sequence_number"),
        # One open piece of work per thing: a film is not edited while it is being made.
        sa.Index("uq_order_items_open_subject", "subject", unique=True, postgresql_where=sa.text(OPEN_ITEMS)),
        sa.Index("ix_order_items_open_lease", "lease_expires_at", postgresql_where=sa.text(OPEN_ITEMS)),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    order_id: UUID = Field(foreign_key="orders.id", index=True)
    sequence_number: int = 1
    kind: str
    subject: str
    brief: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    status: str = ItemStatus.PENDING
    fence: int = Field(default=0, sa_type=sa.BigInteger)
    lease_holder: str | None = None
    lease_expires_at: datetime | None = moment()
    deadline_at: datetime | None = moment()
    flow_run_id: UUID | None = None
    error_code: str | None = None
    error_message: str | None = None
    started_at: datetime | None = moment()
    claimed_at: datetime | None = moment()
    finished_at: datetime | None = moment()
    created_at: datetime = created_at()
    updated_at: datetime = updated_at()


class Job(SQLModel, table=True):
    """An item's place in the queue. ``attempts`` counts the flow runs that were created for it."""

    __tablename__ = "job_queue"
    __table_args__ = (
        sa.Index("ix_job_queue_due", "available_at", "created_at", postgresql_where=sa.text("status = 'queued'")),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    item_id: UUID = Field(foreign_key="order_items.id", unique=True)
    kind: str
    status: str = JobStatus.QUEUED
    attempts: int = 0
    max_attempts: int = 5
    available_at: datetime = created_at()
    sent_at: datetime | None = moment()
    flow_run_id: UUID | None = None
    last_error: str | None = None
    created_at: datetime = created_at()
    updated_at: datetime = updated_at()


class Lease(BaseModel):
    """The right of one run to write for one item. Carried by every later write."""

    model_config = ConfigDict(frozen=True)

    item_id: UUID
    order_id: UUID
    subject: str
    token: int
    attempt: int
