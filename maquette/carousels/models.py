"""Shapes of carousels: what a slide says, and the plan of all of them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SlideType = Literal["hero", "problem", "solution", "impact", "content", "citation", "cta"]


class Kpi(BaseModel):
    """A figure: ``+35 %`` of ``label``."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    label: str
    delta: str


class SlideText(BaseModel):
    """What one slide says. Every field may be empty; the limits are those of ``carousels.rules``."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    type: SlideType = "content"
    title: str = ""
    subtitle: str = ""
    body: str = ""
    bullets: list[str] = []
    cta: str = ""
    badge: str = ""
    note: str = ""
    author: str = ""
    kpis: list[Kpi] = []
    alt: str = Field("", description="The picture in words, for people who do not see it.")
    caption: str = Field("", description="Text to post beside the slide; not drawn.")


class SlidePlan(BaseModel):
    """One slide: its words, and what its picture shows (without any text)."""

    model_config = ConfigDict(extra="ignore")

    number: int = Field(ge=1)
    text: SlideText
    visual: str


class CarouselPlan(BaseModel):
    """All slides, in order, with what the linter remarked."""

    slides: list[SlidePlan]
    warnings: list[str] = []
    meta: dict[str, Any] = {}
