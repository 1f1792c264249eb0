"""Tables and shapes of videos."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import sqlalchemy as sa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlmodel import Field as Column
from sqlmodel import SQLModel

from maquette.db.types import JSON, created_at, moment, updated_at
from maquette.videos.rules import MAX_TARGET_S, MIN_TARGET_S, VideoStatus, clean_text, clean_theme

Style = Literal["informative", "humorous", "dramatic", "inspiring"]
Language = Literal["fr", "en", "es"]
AspectRatio = Literal["9:16", "1:1", "16:9", "4:5"]

KIND = "video"


class VideoBrief(BaseModel):
    """What a video is ordered with; the form of the deployment shows the same fields."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    theme: Annotated[str, AfterValidator(clean_theme)] = Field(
        title="Theme",
        description="What the film is about, 1 to 500 characters.",
        examples=["Les risques du sucre"],
    )
    target_duration: int = Field(
        36,
        ge=MIN_TARGET_S,
        le=MAX_TARGET_S,
        title="Target duration",
        description="Seconds; 36 makes five blocks.",
    )
    style: Style = Field("informative", title="Style", description="Tone of the script.")
    language: Language = Field("fr", title="Language", description="Language of script, captions and messages.")
    aspect_ratio: AspectRatio = Field("9:16", title="Aspect ratio", description="9:16 is 1080×1920.")
    crossfade_s: float = Field(0, ge=0, le=1, title="Cross-fade", description="Seconds between blocks; 0 cuts hard.")
    seed: int = Field(0, ge=0, le=2**31 - 1, title="Seed", description="Another seed makes another film of the theme.")


class BlockEdit(BaseModel):
    """A change to one block. At least one field says something."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    dialogue: Annotated[str, AfterValidator(clean_text)] | None = Field(
        None, max_length=500, description="New words; empty for a block without speech."
    )
    visual: Annotated[str, AfterValidator(clean_text)] | None = Field(
        None, min_length=1, max_length=2000, description="New picture."
    )
    regenerate: bool = Field(False, description="Make the clip anew with another seed.")


class BlockStatus(StrEnum):
    """Of one block."""

    PENDING = "pending"
    GENERATING = "generating"
    COMPLETED = "completed"
    FAILED = "failed"


class Video(SQLModel, table=True):
    """A film in the making or made."""

    __tablename__ = "videos"
    __table_args__ = (sa.Index(None, "created_at", "id"),)

    id: str = Column(primary_key=True)
    brand_id: UUID = Column(foreign_key="brands.id")
    theme: str
    target_duration: int
    actual_duration: int
    style: str
    language: str
    aspect_ratio: str
    crossfade_s: float = 0
    seed: int = 0
    status: str = VideoStatus.QUEUED
    total_blocks: int
    raw_script: str | None = None
    asks: int = Column(default=0, description="How often a person agreed to ask for the script again.")
    film_asset_id: UUID | None = Column(default=None, foreign_key="assets.id", ondelete="SET NULL")
    film_key: str | None = Column(default=None, description="Hash of what the film was assembled from.")
    facts: dict[str, Any] | None = Column(default=None, sa_type=JSON)
    error_code: str | None = None
    error_message: str | None = None
    error_values: dict[str, Any] | None = Column(default=None, sa_type=JSON)
    completed_at: datetime | None = moment()
    created_at: datetime = created_at()
    updated_at: datetime = updated_at()


class VideoBlock(SQLModel, table=True):
    """One block: its words and picture, and the clip that was made of them."""

    __tablename__ = "video_blocks"
    __table_args__ = (sa.UniqueConstraint("video_id", "number"),)

    id: UUID = Column(default_factory=uuid4, primary_key=True)
    video_id: str = Column(foreign_key="videos.id", ondelete="CASCADE")
    number: int
    dialogue: str
    visual: str
    duration_s: int
    takes: int = Column(default=0, description="How often another seed was asked for.")
    status: str = BlockStatus.PENDING
    progress: float = 0
    tries: int = Column(default=0, description="Submissions that failed, over the block's life.")
    tries_before: int = Column(default=0, description="Of these, those before the current order.")
    reworded: bool = Column(default=False, description="A safety rule refused it; the neutral picture is asked for.")
    clip_asset_id: UUID | None = Column(default=None, foreign_key="assets.id", ondelete="SET NULL")
    error_code: str | None = None
    error_message: str | None = None
    error_values: dict[str, Any] | None = Column(default=None, sa_type=JSON)
    updated_at: datetime = updated_at()
