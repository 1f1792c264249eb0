"""Table of assets."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from maquette.db.types import JSON, created_at


class Asset(SQLModel, table=True):
    """A file that was made, with where it came from. The file itself is found by ``key`` in the store."""

    __tablename__ = "assets"
    __table_args__ = (sa.Index(None, "subject", "kind"), sa.Index(None, "key"))

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    subject: str = Field(description="What it belongs to, such as a video's id.")
    kind: str = Field(
        description="script, raw_script, raw_clip, clip, film, poster, contact_sheet, storyboard or preview"
    )
    key: str
    sha256: str
    size_bytes: int = Field(sa_type=sa.BigInteger)
    media_type: str
    provenance: dict[str, Any] = Field(
        default_factory=dict,
        sa_type=JSON,
        nullable=False,
        description="prompt, model, seed, parents (sha256), attempt, cost_micros, facts of the file",
    )
    created_at: datetime = created_at()
