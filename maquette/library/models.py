"""Table of assets."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from maquette.db.types import JSON, created_at, moment


class Asset(SQLModel, table=True):
    """A file that was made, with where it came from. The file itself is found by ``key`` in the store."""

    __tablename__ = "assets"
    __table_args__ = (
        sa.Index(None, "subject", "kind"),
        sa.Index(None, "key"),
        sa.Index(None, "order_id"),
        # Pages of the library, of all brands and of one; the last one is for texts that are searched.
        sa.Index("ix_assets_listed", "created_at", "id", postgresql_where=sa.text("listed")),
        sa.Index("ix_assets_listed_brand", "brand_id", "created_at", "id", postgresql_where=sa.text("listed")),
        sa.Index(
            "ix_assets_search",
            sa.text("to_tsvector('simple', title)"),
            postgresql_using="gin",
            postgresql_where=sa.text("listed"),
        ),
        sa.Index("ix_assets_expires_at", "expires_at", postgresql_where=sa.text("expires_at IS NOT NULL")),
        sa.Index("uq_assets_item", "item_id", unique=True, postgresql_where=sa.text("item_id IS NOT NULL")),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    subject: str = Field(description="What it belongs to, such as a video's id.")
    kind: str = Field(
        description="image, carousel_slide, carousel, film, and what they are made of: script, raw_script, raw_clip, "
        "clip, poster, contact_sheet, storyboard, preview, raw_image, background, pdf; logo and reference are uploads"
    )
    brand_id: UUID | None = Field(default=None, foreign_key="brands.id")
    order_id: UUID | None = Field(default=None, foreign_key="orders.id")
    item_id: UUID | None = Field(
        default=None, foreign_key="order_items.id", description="The item that it delivers; one asset an item."
    )
    listed: bool = Field(default=False, description="Shown in the library; slides are shown through their carousel.")
    title: str = ""
    ratio: str | None = None
    width: int | None = None
    height: int | None = None
    slide_index: int | None = Field(default=None, description="Of a carousel's slide, from 0.")
    public_id: str | None = Field(default=None, description="Its name at a media host, alfie/{brand}/{order}/….")
    tags: list[str] = Field(default_factory=list, sa_type=sa.ARRAY(sa.Text), nullable=False)
    text: dict[str, Any] | None = Field(default=None, sa_type=JSON)
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
    expires_at: datetime | None = moment()
    expired_at: datetime | None = moment()
    created_at: datetime = created_at()
