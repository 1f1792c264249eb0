"""Table of the journal of provider calls, which is the cost ledger as well."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from maquette.db.types import JSON, created_at, moment, updated_at


class CallState(StrEnum):
    """``intent`` → ``sending`` → ``submitted`` → an end. ``unknown`` ends when somebody looks it up."""

    INTENT = "intent"
    SENDING = "sending"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    FILTERED = "filtered"
    UNKNOWN = "unknown"


class ProviderCall(SQLModel, table=True):
    """One call that may cost. Unique by (subject, step, input hash): that is what pays once."""

    __tablename__ = "provider_calls"
    __table_args__ = (
        sa.UniqueConstraint("subject", "step", "input_hash"),
        sa.CheckConstraint("cost_micros >= 0", name="cost_not_negative"),
        sa.Index(None, "account"),
        sa.Index(None, "order_id"),
        sa.Index(None, "brand_id", "created_at"),
        sa.Index("ix_provider_calls_cache", "input_hash", postgresql_where=sa.text("state = 'succeeded'")),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account: str = Field(description="What the cost counts for, such as a video's id.")
    brand_id: UUID | None = Field(default=None, description="Whose order it was made for.")
    order_id: UUID | None = None
    subject: str
    step: str
    input_hash: str
    provider: str
    model: str
    request: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    state: str = CallState.INTENT
    operation_id: str | None = None
    result: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    cost_micros: int = Field(default=0, sa_type=sa.BigInteger)
    saved_micros: int = Field(default=0, sa_type=sa.BigInteger, description="What an answer from the cache saved.")
    cached_from: UUID | None = Field(default=None, description="The call whose answer was used again.")
    error_code: str | None = None
    error_message: str | None = None
    submitted_at: datetime | None = moment()
    finished_at: datetime | None = moment()
    created_at: datetime = created_at()
    updated_at: datetime = updated_at()

    @property
    def reference(self) -> str:
        """Our own name of the call, told to providers that keep one."""
        return f"{self.subject}/{self.id}"


class Breaker(SQLModel, table=True):
    """A provider that was out of service; no row is a closed breaker."""

    __tablename__ = "provider_breakers"

    provider: str = Field(primary_key=True)
    failures: int = 0
    open_until: datetime | None = moment()
    reason: str = ""
    updated_at: datetime = updated_at()
