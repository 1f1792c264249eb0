"""What a slide says and how it should look: the renderer's own shapes."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SlideType = Literal["hero", "problem", "solution", "impact", "content", "citation", "cta"]
Hex = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class SlideKpi(BaseModel):
    """A figure: ``delta`` (``+35 %``) of ``label``."""

    model_config = ConfigDict(frozen=True)

    label: str
    delta: str


class SlideContent(BaseModel):
    """The words of one slide. Every field may be empty; all that are not are drawn, whatever the type.

    Line breaks count as spaces.
    """

    model_config = ConfigDict(frozen=True)

    type: SlideType = "content"
    title: str = ""
    subtitle: str = ""
    body: str = ""
    bullets: tuple[str, ...] = ()
    cta: str = ""
    badge: str = ""
    note: str = ""
    author: str = ""
    kpis: tuple[SlideKpi, ...] = ()


class SlideStyle(BaseModel):
    """The look that all slides of a carousel share."""

    model_config = ConfigDict(frozen=True)

    title_font: str = Field("", description="Family of titles and figures; Roboto where it is not installed.")
    body_font: str = Field("", description="Family of the other texts; Roboto where it is not installed.")
    text_color: Hex | None = Field(None, description="Colour of text over pictures; empty takes white or near-black.")
    palette: tuple[Hex, ...] = Field((), description="Colours of the brand, the most important first.")
