"""What a carousel is ordered with, and what a finished run of one returns."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maquette.images.models import Language
from maquette.providers.images.port import Ratio

KIND = "carousel"
SLIDE = "carousel_slide"


class CarouselBrief(BaseModel):
    """A carousel of ``slides`` slides on one topic."""

    model_config = ConfigDict(frozen=True)

    topic: str
    slides: int = Field(5, ge=3, le=10)
    ratio: Ratio = "4:5"
    carousel_type: Literal["content", "citation"] = "content"
    slide_format: Literal["jpeg", "png"] = "jpeg"
    pdf: bool = Field(False, description="Keep a PDF of all slides beside them.")
    texts: Any = Field(None, description="The client's own texts, in one of the forms that ``carousels.rules`` reads.")
    platform: str = ""
    visual_style: str = ""
    style_category: str = ""
    color_mode: str = ""
    use_brand_kit: bool = True
    background_only: bool = Field(False, description="Pictures without text over them.")
    goal: str = ""
    tone: str = ""
    language: Language = "fr"
    seed: int = Field(0, ge=0, le=2**31 - 1)
    references: tuple[UUID, ...] = Field((), max_length=8)
    variant: str | None = None


class SlideEdit(BaseModel):
    """New words for a slide; absent fields stay as they are."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    title: str | None = None
    subtitle: str | None = None
    body: str | None = None
    bullets: list[str] | None = None
    cta: str | None = None
    badge: str | None = None
    note: str | None = None
    author: str | None = None
    alt: str | None = None
    caption: str | None = None
    version: int | None = Field(None, ge=0, description="The version that was read: another one since is a conflict.")
