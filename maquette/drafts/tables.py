"""Tables of drafts: the universe, its assets with their earlier versions, and its songs."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from maquette.db.types import JSON, created_at, moment, updated_at


class DraftStatus(StrEnum):
    """Of a draft, in the words of the existing clients."""

    DRAFT = "draft"
    GENERATING = "generating"
    COMPLETED = "completed"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    FAILED = "failed"


def _document() -> Any:
    return Field(default_factory=dict, sa_type=JSON, nullable=False)


class Draft(SQLModel, table=True):
    """A universe under work. Titles, names and songs are by language: fr, en, es, it, de."""

    __tablename__ = "drafts"
    __table_args__ = (sa.Index(None, "updated_at"), sa.Index(None, "slug"))

    id: str = Field(primary_key=True, description="8 hexadecimal digits.")
    brand_id: UUID | None = Field(
        default=None, foreign_key="brands.id", index=True, description="Whose budget pays; none costs no budget."
    )
    name: str
    theme: str
    slug: str
    folder: str = Field(unique=True, description="Its folder below drafts/, ``{slug}-{id}``.")
    status: str = DraftStatus.DRAFT
    background_color: str | None = None
    description: str | None = None
    titles: dict[str, str] = _document()
    default_image_prompt: str | None = Field(default=None, description="Template; variables are filled per asset.")
    default_video_prompt: str | None = None
    objects_prompt: str | None = None
    music_prompt: str | None = None
    words: dict[str, Any] | None = Field(default=None, sa_type=JSON, description="words.json as it came or was made.")
    seed: int = 0
    asks: int = Field(default=0, description="How often a person agreed to ask for the texts again.")
    require_approval: bool = False
    approved_hash: str | None = Field(default=None, description="Content hash of what was seen and approved.")
    approved_at: datetime | None = moment()
    waiting_run_id: UUID | None = Field(default=None, description="Flow run that is suspended until somebody decides.")
    waiting_since: datetime | None = moment()
    version: int = Field(default=0, description="Counts the changes.")
    written_version: int = Field(default=-1, description="The change that the folder's files show.")
    source: str | None = Field(default=None, unique=True, description="What it was imported from.")
    source_hash: str | None = None
    extra: dict[str, Any] = _document()
    published_hash: str | None = None
    published_at: datetime | None = moment()
    univers_id: int | None = Field(default=None, sa_type=sa.BigInteger)
    created_at: datetime = created_at()
    updated_at: datetime = updated_at()


class DraftAsset(SQLModel, table=True):
    """One concept with its picture and its loop. Its id for clients is its number with two digits."""

    __tablename__ = "draft_assets"

    draft_id: str = Field(foreign_key="drafts.id", primary_key=True, ondelete="CASCADE")
    number: int = Field(primary_key=True, description="From 0; the sort order.")
    display_name: str
    titles: dict[str, str] = _document()
    image_prompt: str | None = Field(default=None, description="The whole prompt, filled in.")
    video_prompt: str | None = None
    image_file: str | None = Field(default=None, description="``00_monkey.png``")
    video_file: str | None = Field(default=None, description="``00_monkey_silent.webm``")
    image_id: UUID | None = Field(default=None, description="The library's asset; absent where a file is missing.")
    video_id: UUID | None = None
    mp4_id: UUID | None = Field(default=None, description="The same loop as MP4.")
    thumbnail_id: UUID | None = None
    takes: int = Field(default=0, description="How often a new picture was asked for: another take, another seed.")
    version: int = 1
    generation_count: int = 0
    generated_at: datetime | None = moment()
    extra: dict[str, Any] = _document()


class DraftAssetVersion(SQLModel, table=True):
    """An asset as it was before it was changed."""

    __tablename__ = "draft_asset_versions"
    __table_args__ = (
        sa.UniqueConstraint("draft_id", "number", "version"),
        sa.ForeignKeyConstraint(
            ["draft_id", "number"], ["draft_assets.draft_id", "draft_assets.number"], ondelete="CASCADE"
        ),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    draft_id: str
    number: int
    version: int
    asset: dict[str, Any] = Field(sa_type=JSON, nullable=False, description="The row as it was.")
    created_at: datetime = created_at()


class DraftSong(SQLModel, table=True):
    """A draft's song in one language."""

    __tablename__ = "draft_songs"

    draft_id: str = Field(foreign_key="drafts.id", primary_key=True, ondelete="CASCADE")
    language: str = Field(primary_key=True)
    prompt: str = ""
    lyrics: str = ""
    audio_file: str | None = Field(default=None, description="``music_fr.mp3``")
    audio_id: UUID | None = None
    takes: int = 0
    generated_at: datetime | None = moment()
    extra: dict[str, Any] = _document()


class DraftApproval(SQLModel, table=True):
    """Who looked and agreed, or did not; append-only."""

    __tablename__ = "draft_approvals"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    draft_id: str = Field(foreign_key="drafts.id", index=True, ondelete="CASCADE")
    content_hash: str
    approved: bool
    note: str = ""
    created_at: datetime = created_at()
