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
    """Of an order; ``partial`` has completed items and others that were not delivered."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ItemStatus(StrEnum):
    """Of an order's item. The last three are ends and never change."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobStatus(StrEnum):
    """Of a job: ``sent`` has a flow run, ``running`` has been claimed by it. The last three are ends."""

    QUEUED = "queued"
    SENT = "sent"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_JOBS = "status IN ('queued', 'sent', 'running')"


class Order(SQLModel, table=True):
    """What was asked for in one request."""

    __tablename__ = "orders"
    __table_args__ = (sa.Index(None, "created_at", "id"), sa.Index(None, "brand_id", "created_at", "id"))

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    brand_id: UUID = Field(foreign_key="brands.id")
    kind: str = Field(description="image, carousel, video or pack")
    campaign_name: str = Field(description="The topic's first 120 characters, unless the client named it.")
    status: str = OrderStatus.PENDING
    brief: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    retry_of: UUID | None = Field(default=None, foreign_key="orders.id", index=True)
    finished_at: datetime | None = moment()
    created_at: datetime = created_at()
    updated_at: datetime = updated_at()


class OrderItem(SQLModel, table=True):
    """One unit of what is delivered and charged: a picture, a slide, a film."""

    __tablename__ = "order_items"
    __table_args__ = (sa.UniqueConstraint("order_id", "kind", "sequence_number"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    order_id: UUID = Field(foreign_key="orders.id", index=True)
    job_id: UUID = Field(foreign_key="job_queue.id", index=True)
    sequence_number: int = Field(description="From 1, by kind within the order.")
    kind: str = Field(description="image, carousel_slide or video")
    brief: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    text: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    status: str = ItemStatus.PENDING
    tries: int = Field(default=0, description="Submissions to its provider that failed.")
    reworded: bool = Field(default=False, description="A safety rule refused it; a neutral picture is asked for.")
    error_code: str | None = None
    error_message: str | None = None
    error_values: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    finished_at: datetime | None = moment()
    created_at: datetime = created_at()
    updated_at: datetime = updated_at()


class Job(SQLModel, table=True):
    """A place in the queue: the items that one run makes. One run at a time holds it, by its token and its lease.

    ``attempts`` counts the runs that were used up, ``dispatches`` all that were created: a run that only found its
    provider out of service uses up none.
    """

    __tablename__ = "job_queue"
    __table_args__ = (
        sa.Index("ix_job_queue_due", "available_at", "created_at", postgresql_where=sa.text("status = 'queued'")),
        # One open piece of work per thing: a film is not edited while it is being made.
        sa.Index("uq_job_queue_open_subject", "subject", unique=True, postgresql_where=sa.text(OPEN_JOBS)),
        sa.Index("ix_job_queue_open_lease", "lease_expires_at", postgresql_where=sa.text(OPEN_JOBS)),
        sa.Index("ix_job_queue_brand_sent", "brand_id", "sent_at"),
        sa.Index("ix_job_queue_subject", "subject", "created_at"),
        sa.Index("ix_job_queue_finished", "finished_at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    order_id: UUID = Field(foreign_key="orders.id", index=True)
    brand_id: UUID = Field(foreign_key="brands.id")
    kind: str = Field(description="image, carousel or video: which pipeline makes it")
    subject: str = Field(description="The thing that is made, such as a video's id.")
    status: str = JobStatus.QUEUED
    premium: bool = False
    sent_premium: bool = Field(default=False, description="Sent through the premium queue, by plan or by age.")
    attempts: int = 0
    dispatches: int = 0
    max_attempts: int
    available_at: datetime = created_at()
    sent_at: datetime | None = moment()
    fence: int = Field(default=0, sa_type=sa.BigInteger)
    lease_holder: str | None = None
    lease_expires_at: datetime | None = moment()
    deadline_at: datetime | None = moment()
    flow_run_id: UUID | None = None
    started_at: datetime | None = moment()
    claimed_at: datetime | None = moment()
    finished_at: datetime | None = moment()
    last_error: str | None = None
    error_code: str | None = None
    created_at: datetime = created_at()
    updated_at: datetime = updated_at()


class IdempotentAnswer(SQLModel, table=True):
    """What a request was answered with, for the same request under the same key."""

    __tablename__ = "idempotency_keys"

    key: str = Field(primary_key=True)
    request: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    response: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    created_at: datetime = created_at()


class Lease(BaseModel):
    """The right of one run to write for one job. Carried by every later write."""

    model_config = ConfigDict(frozen=True)

    job_id: UUID
    order_id: UUID
    brand_id: UUID
    subject: str
    token: int
    attempt: int
