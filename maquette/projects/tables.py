"""Tables of projects: where a script stands, its versions, and the sections that they are made of."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from maquette.db.types import JSON, Timestamp, created_at

# There are no accounts yet: all that is saved is the home's own user's. The column is there so that they can come.
HOME_USER: Final = UUID(int=0)

_MAP: Final = "Section name to ``{sha256, lastModified}``; one that was never saved is absent."


class ProjectScript(SQLModel, table=True):
    """The document of a project, one for each user. ``version`` counts its changes from 1."""

    __tablename__ = "project_scripts"
    __table_args__ = (sa.UniqueConstraint("project_id", "user_id"), sa.Index(None, "updated_at", "id"))

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    project_id: str = Field(description="As the editor names it: a UUID in practice.")
    user_id: UUID = HOME_USER
    title: str
    description: str = ""
    version: int
    sections: dict[str, Any] = Field(sa_type=JSON, nullable=False, description=_MAP)
    created_at: datetime = created_at()
    updated_at: datetime = Field(sa_type=Timestamp, nullable=False)


class ProjectScriptVersion(SQLModel, table=True):
    """The document as a save left it; the present one has its row too."""

    __tablename__ = "project_script_versions"

    script_id: UUID = Field(foreign_key="project_scripts.id", primary_key=True, ondelete="CASCADE")
    version: int = Field(primary_key=True)
    title: str
    sections: dict[str, Any] = Field(sa_type=JSON, nullable=False, description=_MAP)
    changed: list[str] = Field(sa_type=JSON, nullable=False, description="The sections that this version changed.")
    restored_from: int | None = Field(default=None, description="The version that was brought back by it.")
    saved_by: UUID = HOME_USER
    saved_at: datetime = Field(sa_type=Timestamp, nullable=False)


class ProjectSection(SQLModel, table=True):
    """A section's content, kept once for all versions of the script that have it."""

    __tablename__ = "project_sections"

    script_id: UUID = Field(foreign_key="project_scripts.id", primary_key=True, ondelete="CASCADE")
    sha256: str = Field(primary_key=True, description="Of the canonical JSON, without ``lastModified``.")
    content: dict[str, Any] = Field(sa_type=JSON, nullable=False)
