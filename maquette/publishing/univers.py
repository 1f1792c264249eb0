"""The tables of production, as its readers know them. They belong to a database of their own.

Their metadata is not the application's: the migrations of that know nothing of them, and ``prepare`` makes them.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from maquette.db.types import Timestamp
from maquette.providers.text.port import UNIVERSE_LANGUAGES

METADATA: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class ProductionTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base of all."""


def _own_id() -> Any:
    return Field(default=None, primary_key=True, sa_column_kwargs={"server_default": sa.text("gen_random_uuid()")})


def _created() -> Any:
    return Field(default=None, sa_type=Timestamp, sa_column_kwargs={"server_default": sa.func.now()})


def _of_universe() -> Any:
    return Field(foreign_key="univers.id", ondelete="CASCADE", sa_type=sa.BigInteger)


def _of_asset() -> Any:
    return Field(foreign_key="univers_assets.id", ondelete="CASCADE")


def _text() -> Any:
    return Field(sa_type=sa.Text)


def _perhaps_text() -> Any:
    return Field(default=None, sa_type=sa.Text)


def _touched() -> Any:
    return Field(default=None, sa_type=Timestamp)


def _language() -> Any:
    return Field(sa_type=sa.String(2))


def _known_language(name: str) -> sa.CheckConstraint:
    known = ", ".join(f"'{language}'" for language in UNIVERSE_LANGUAGES)
    return sa.CheckConstraint(f"language IN ({known})", name=name)


class Univers(ProductionTable, table=True):
    """A universe."""

    __tablename__ = "univers"
    __table_args__ = (sa.Index("ix_univers_slug", "slug", unique=True), sa.Index(None, "is_public", "name"))

    id: int | None = Field(
        default=None, sa_column=sa.Column(sa.BigInteger, sa.Identity(), primary_key=True, autoincrement=True)
    )
    created_at: datetime | None = _created()
    updated_at: datetime | None = _touched()
    name: str = _text()
    slug: str = _text()
    thumbnail_url: str | None = _perhaps_text()
    is_public: bool | None = Field(default=True, sa_column_kwargs={"server_default": sa.true()})
    owner_id: UUID | None = None
    background_music: str | None = _perhaps_text()
    background_color: str | None = _perhaps_text()


class UniversPrompts(ProductionTable, table=True):
    """The templates that a universe's prompts were made from."""

    __tablename__ = "univers_prompts"
    __table_args__ = (sa.Index(None, "univers_id", unique=True),)

    id: UUID = _own_id()
    univers_id: int = _of_universe()
    default_image_prompt: str | None = _perhaps_text()
    default_video_prompt: str | None = _perhaps_text()
    created_at: datetime | None = _created()


class UniversTranslation(ProductionTable, table=True):
    """A universe's name in one language."""

    __tablename__ = "univers_translations"
    __table_args__ = (_known_language("valid_language"), sa.Index(None, "univers_id", "language", unique=True))

    id: UUID = _own_id()
    univers_id: int = _of_universe()
    language: str = _language()
    name: str = _text()


class UniversMusicPrompt(ProductionTable, table=True):
    """A universe's song in one language."""

    __tablename__ = "univers_music_prompts"
    __table_args__ = (
        _known_language("valid_music_language"),
        sa.UniqueConstraint("univers_id", "language", name="unique_music_prompt_per_lang"),
    )

    id: UUID = _own_id()
    univers_id: int = _of_universe()
    language: str = _language()
    prompt: str = _text()
    lyrics: str = _text()
    created_at: datetime | None = _created()


class UniversAsset(ProductionTable, table=True):
    """A concept of a universe. Others may write here: that its place is its own is not enforced."""

    __tablename__ = "univers_assets"
    __table_args__ = (sa.Index(None, "univers_id", "sort_order"),)

    id: UUID = _own_id()
    univers_id: int = _of_universe()
    sort_order: int
    image_name: str = _text()
    display_name: str = _text()
    created_at: datetime | None = _created()
    updated_at: datetime | None = _touched()


class UniversAssetTranslation(ProductionTable, table=True):
    """A concept's name in one language."""

    __tablename__ = "univers_assets_translations"
    __table_args__ = (_known_language("valid_asset_language"), sa.Index(None, "asset_id", "language", unique=True))

    id: UUID = _own_id()
    asset_id: UUID = _of_asset()
    language: str = _language()
    display_name: str = _text()


class UniversAssetPrompts(ProductionTable, table=True):
    """The prompts that a concept's picture and loop were made from."""

    __tablename__ = "univers_assets_prompts"
    __table_args__ = (sa.UniqueConstraint("asset_id", name="univers_assets_prompts_asset_id_key"),)

    id: UUID = _own_id()
    asset_id: UUID = _of_asset()
    custom_image_prompt: str | None = _perhaps_text()
    custom_video_prompt: str | None = _perhaps_text()
    generation_count: int | None = Field(default=1, sa_column_kwargs={"server_default": sa.text("1")})
    last_generated_at: datetime | None = _created()
