"""Table of the event log."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from maquette.db.types import JSON, created_at


class Event(SQLModel, table=True):
    """One thing that happened to ``subject``; ``seq`` counts from 1 per subject, without gaps."""

    __tablename__ = "events"
    __table_args__ = (sa.UniqueConstraint("subject", "seq"),)

    id: int | None = Field(default=None, sa_type=sa.BigInteger, primary_key=True)
    subject: str
    seq: int
    type: str
    data: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    created_at: datetime = created_at()
