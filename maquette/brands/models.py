"""Table and shapes of brands: whose budget is spent, and how what is made for it should look."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from sqlmodel import Field as Column
from sqlmodel import SQLModel

from maquette.brands.rules import clean_hex, font_names, words_of
from maquette.db.types import JSON, created_at, updated_at

Hex = Annotated[str, AfterValidator(clean_hex)]
Words = Annotated[list[str], BeforeValidator(words_of)]


class BrandKit(BaseModel):
    """How a brand looks and speaks. Every field may be empty; older spellings are understood."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    palette: list[Hex] = Field([], max_length=12, description="Colours as #rrggbb, the most important first.")
    fonts: Annotated[dict[str, str], BeforeValidator(font_names)] = Field(
        {}, description="primary for titles, secondary for text; older kits say heading and body."
    )
    text_color: Hex | None = Field(None, description="Colour of text over pictures; empty takes white or black.")
    logo_asset_id: UUID | None = Field(None, description="Asset of the logo, a PNG with transparency at best.")
    voice: str = Field("", max_length=500, description="How the brand speaks.")
    niche: str = Field("", max_length=200, description="The brand's trade.")
    pitch: str = Field("", max_length=1000, description="What it offers, in a sentence or two.")
    tagline: str = Field("", max_length=200)
    adjectives: Words = Field([], max_length=20)
    visual_types: Words = Field([], max_length=20, description="Kinds of picture that it likes.")
    visual_mood: Words = Field([], max_length=20)
    avoid_in_visuals: Words = Field([], max_length=50, description="What no picture may show.")
    banned_words: Words = Field([], max_length=100, description="Words that no text should use.")


class Brand(SQLModel, table=True):
    """A brand with its plan."""

    __tablename__ = "brands"
    __table_args__ = (sa.Index("uq_brands_default", "is_default", unique=True, postgresql_where=sa.text("is_default")),)

    id: UUID = Column(default_factory=uuid4, primary_key=True)
    name: str
    plan: str
    is_default: bool = False
    kit: dict[str, Any] = Column(default_factory=dict, sa_type=JSON, nullable=False)
    created_at: datetime = created_at()
    updated_at: datetime = updated_at()

    def look(self) -> BrandKit:
        """The kit, checked."""
        return BrandKit.model_validate(self.kit)
