"""Projects as the store answers with them. Documents are JSON texts, handed on as they are."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from maquette.projects.diffing import Operation


@dataclass(frozen=True)
class StoredScript:
    """A project's script, whole. ``document`` is the JSON of its sections and metadata."""

    id: UUID
    project_id: str
    user_id: UUID
    title: str
    description: str
    version: int
    created_at: datetime
    updated_at: datetime
    document: bytes


@dataclass(frozen=True)
class Saved:
    """A script after a save, which was at ``saved_at``.

    ``changed`` are the sections that it wrote; none where all was there already.
    ``merged`` are those that somebody else has saved since the version it was made on, and that stay as they are.
    """

    script: StoredScript
    saved_at: datetime
    changed: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stale:
    """Why a save was refused: it was made on ``base_version``, and somebody else has changed the same since.

    ``yours`` is the JSON of the sections that came; ``mergeable`` are those that could be saved alone.
    """

    current: StoredScript
    base_version: int
    yours: bytes
    conflicting: list[str]
    mergeable: list[str]


class _Shown(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class ListedProject(_Shown):
    """A project in the list."""

    project_id: str
    title: str
    version: int
    created_at: datetime
    updated_at: datetime


class ProjectPage(BaseModel):
    """Projects, those saved last first. ``next`` is the cursor of the page that follows, absent on the last one."""

    items: list[ListedProject]
    next: str | None


class ListedVersion(_Shown):
    """A version that is kept. ``changed`` are the sections that it changed; ``restoredFrom`` what it brought back."""

    version: int
    title: str
    changed: list[str]
    restored_from: int | None
    saved_by: UUID
    saved_at: datetime


class VersionPage(BaseModel):
    """Versions, the newest first."""

    items: list[ListedVersion]
    next: str | None


@dataclass(frozen=True)
class SectionDiff:
    """What makes a section of one version that of another. Paths are from the document's root."""

    section: str
    operations: list[Operation]
