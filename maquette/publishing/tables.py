"""Table of publications, in the application's database: what each changes, so that a broken one can be undone."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from maquette.db.types import JSON, created_at, moment


class PublicationState(StrEnum):
    """``switching`` has begun to change what readers see; the last three are ends."""

    PREPARING = "preparing"
    SWITCHING = "switching"
    PUBLISHED = "published"
    FAILED = "failed"
    UNDONE = "undone"


class Publication(SQLModel, table=True):
    """One publication of a universe."""

    __tablename__ = "publications"
    __table_args__ = (sa.Index(None, "subject", "created_at"), sa.Index(None, "slug"))

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    subject: str = Field(description="What is published, such as draft_1a2b3c4d.")
    slug: str
    content_hash: str
    target: str = Field(default="", description="Which production and bucket: whoever settles it must mean the same.")
    state: str = PublicationState.PREPARING
    universe: dict[str, Any] = Field(sa_type=JSON, nullable=False, description="The rows that were to be written.")
    replaced: list[Any] = Field(
        default_factory=list, sa_type=JSON, nullable=False, description="Files that change: name, and its backup."
    )
    univers_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    error_code: str | None = None
    error_message: str | None = None
    finished_at: datetime | None = moment()
    created_at: datetime = created_at()


OPEN = (PublicationState.PREPARING, PublicationState.SWITCHING)


def is_under_way(session: Session, subject: str) -> bool:
    """Is a publication of ``subject`` open, by a process that may have died meanwhile?"""
    found = select(Publication.id).where(Publication.subject == subject, col(Publication.state).in_(OPEN))
    return session.exec(found.limit(1)).first() is not None
