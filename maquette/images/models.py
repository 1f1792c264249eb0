"""Shapes of images: what is ordered, and what each picture is made from."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maquette.providers.images.port import ImageRequest, Ratio
from maquette.storage.port import StoredFile

Language = Literal["fr", "en", "es"]
KIND = "image"


class ImageOrder(BaseModel):
    """An order of ``count`` pictures of one topic, each in ``variants`` versions."""

    model_config = ConfigDict(frozen=True)

    topic: str
    count: int = Field(1, ge=1, le=20)
    variants: int = Field(1, ge=1, le=4)
    ratio: Ratio = "1:1"
    visual_style: str = ""
    style_category: str = ""
    color_mode: str = ""
    use_brand_kit: bool = True
    background_only: bool = False
    goal: str = ""
    tone: str = ""
    language: Language = "fr"
    seed: int = Field(0, ge=0, le=2**31 - 1)
    references: tuple[UUID, ...] = Field((), max_length=8, description="Assets to go by.")


class PictureBrief(BaseModel):
    """What one picture is made from: a snapshot, so that a brand that changes meanwhile changes no paid request."""

    model_config = ConfigDict(frozen=True)

    topic: str
    prompt: str
    fallback_prompt: str = Field(description="Asked for once where a safety rule refused the prompt.")
    avoid: tuple[str, ...] = ()
    palette: tuple[str, ...] = ()
    ratio: Ratio
    width: int
    height: int
    seed: int
    language: Language
    references: tuple[UUID, ...] = ()
    variant: str | None = Field(None, description="A, B, … where versions were ordered.")

    def request(self, *, number: int, attempt: int, reworded: bool, references: tuple[str, ...]) -> ImageRequest:
        """What the provider is asked for the next try; ``references`` are the files' sha256."""
        return ImageRequest(
            prompt=self.fallback_prompt if reworded else self.prompt,
            avoid=self.avoid,
            ratio=self.ratio,
            width=self.width,
            height=self.height,
            seed=self.seed,
            palette=self.palette,
            references=references,
            language=self.language,
            number=number,
            attempt=attempt,
        )


class RawPicture(BaseModel):
    """A picture as its provider made it; what the journal keeps as the call's result."""

    file: StoredFile


class ItemRef(BaseModel):
    """An item by its id and its number."""

    id: UUID
    number: int


class ImagesResult(BaseModel):
    """What a finished run returns."""

    order_id: UUID
    subject: str
    status: str
    assets: list[UUID]
    cost_micros: int
