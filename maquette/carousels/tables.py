"""Table of carousels."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from maquette.db.types import JSON, created_at, updated_at


class Carousel(SQLModel, table=True):
    """A carousel: what was asked for, and the plan of its slides once it is there."""

    __tablename__ = "carousels"

    id: str = Field(primary_key=True)
    brand_id: UUID = Field(foreign_key="brands.id", index=True)
    topic: str
    slides: int
    brief: dict[str, Any] = Field(sa_type=JSON, nullable=False, description="A ``CarouselBrief``.")
    plan: dict[str, Any] | None = Field(default=None, sa_type=JSON, description="A ``CarouselPlan``.")
    asks: int = Field(default=0, description="How often a person agreed to ask for the plan again.")
    versions: dict[str, int] = Field(
        default_factory=dict, sa_type=JSON, nullable=False, description="Edits of each slide's text, by number."
    )
    created_at: datetime = created_at()
    updated_at: datetime = updated_at()
