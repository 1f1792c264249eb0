"""Queries on projects. They take a session and never commit. Contents travel as the JSON texts that they are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from maquette.errors import NotFound
from maquette.library.listing import Cursor
from maquette.projects.reading import dump
from maquette.projects.sections import NEW_TITLE, Section
from maquette.projects.tables import HOME_USER, ProjectScript, ProjectScriptVersion, ProjectSection

# A version's sections as the tables keep them: name to {sha256, lastModified}.
Entries = Mapping[str, Mapping[str, Any]]

_COLUMNS: Final = (
    col(ProjectScript.id), col(ProjectScript.project_id), col(ProjectScript.title), col(ProjectScript.description),
    col(ProjectScript.version), col(ProjectScript.sections), col(ProjectScript.created_at),
    col(ProjectScript.updated_at),
)  # fmt: skip
_OF_PROJECT: Final = sa.and_(
    col(ProjectScript.project_id) == sa.bindparam("project_id"), col(ProjectScript.user_id) == HOME_USER
)
# Made once: SQLAlchemy takes as long to make them as to execute them.
_FIND: Final = sa.select(*_COLUMNS).where(_OF_PROJECT)
_LOCK: Final = sa.select(sa.func.clock_timestamp(), *_COLUMNS).where(_OF_PROJECT).with_for_update()
_FORGET: Final = sa.text(
    "DELETE FROM project_sections AS section WHERE script_id = :script_id AND NOT EXISTS ("
    "SELECT FROM project_script_versions AS version, jsonb_each(version.sections) AS entry"
    " WHERE version.script_id = :script_id AND entry.value->>'sha256' = section.sha256)"
)


@dataclass(frozen=True)
class Script:
    """A row of ``project_scripts``. ``entries`` are its sections: name to ``{sha256, lastModified}``."""

    id: UUID
    project_id: str
    title: str
    description: str
    version: int
    entries: Entries
    created_at: datetime
    updated_at: datetime


def one_snapshot(session: Session) -> None:
    """Let all that this transaction reads be of one moment. To be called first."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def create(session: Session, project_id: str) -> None:
    """Make an empty script without a version, unless there is one. Of several at once one does, the others wait."""
    row = {"id": uuid4(), "project_id": project_id, "user_id": HOME_USER, "title": NEW_TITLE, "description": ""}
    moment = sa.func.clock_timestamp()
    stamps = {"version": 0, "sections": {}, "created_at": moment, "updated_at": moment}
    session.execute(insert(ProjectScript).values(**row, **stamps).on_conflict_do_nothing())


def find(session: Session, project_id: str) -> Script | None:
    """The project's script, where there is one."""
    row = session.execute(_FIND, {"project_id": project_id}).first()
    return None if row is None else Script(*row)


def get(session: Session, project_id: str) -> Script:
    """The same. Raises ``NotFound`` (``project_not_found``)."""
    script = find(session, project_id)
    if script is None:
        raise NotFound(
            f"no project {project_id} was saved here: GET /api/projects lists those", code="project_not_found"
        )
    return script


def lock(session: Session, project_id: str) -> tuple[Script, datetime] | None:
    """The script, for this transaction alone to change, and the time by the database's clock."""
    row = session.execute(_LOCK, {"project_id": project_id}).first()
    if row is None:
        return None
    script = Script(*row[1:])
    return script, max(row[0], script.updated_at)


def advance(
    session: Session,
    script: Script,
    sections: Collection[Section],
    *,
    changed: Sequence[str],
    restored_from: int | None = None,
) -> None:
    """Write the locked script as its next version, with the contents that are new, in one statement."""
    values: dict[str, Any] = {
        "id": script.id,
        "title": script.title,
        "version": script.version,
        "entries": dump(script.entries).decode(),
        "moment": script.updated_at,
        "changed": dump(changed).decode(),
        "restored_from": restored_from,
        "user_id": HOME_USER,
    }
    for index, section in enumerate(sections):
        values |= {f"sha256_{index}": section.sha256, f"content_{index}": section.content.decode()}
    session.execute(_advance(len(sections)), values)


@cache
def _advance(sections: int) -> sa.TextClause:
    # PostgreSQL reads the JSON of the contents itself: nothing is taken apart and put together again here.
    rows = ", ".join(f"(:id, :sha256_{index}, CAST(:content_{index} AS jsonb))" for index in range(sections))
    kept = (
        f"kept AS (INSERT INTO project_sections (script_id, sha256, content) VALUES {rows} ON CONFLICT DO NOTHING), "
        if sections
        else ""
    )
    return sa.text(
        f"WITH {kept}advanced AS (UPDATE project_scripts SET title = :title, version = :version,"
        " sections = CAST(:entries AS jsonb), updated_at = :moment WHERE id = :id)"
        " INSERT INTO project_script_versions"
        " (script_id, version, title, sections, changed, restored_from, saved_by, saved_at) VALUES"
        " (:id, :version, :title, CAST(:entries AS jsonb), CAST(:changed AS jsonb), :restored_from, :user_id, :moment)"
    )


def find_version(session: Session, script_id: UUID, version: int) -> ProjectScriptVersion | None:
    """That version, as long as it is kept."""
    return session.get(ProjectScriptVersion, (script_id, version))


def get_version(session: Session, script_id: UUID, version: int) -> ProjectScriptVersion:
    """The same. Raises ``NotFound`` (``project_version_not_found``)."""
    found = find_version(session, script_id, version)
    if found is None:
        raise NotFound(
            f"version {version} was never there, or is kept no more: list the versions",
            code="project_version_not_found",
            version=version,
        )
    return found


def contents(session: Session, script_id: UUID, entries: Entries) -> dict[str, Section]:
    """The sections of ``entries``, which are a version's or some of them, by name."""
    if not entries:
        return {}
    text = sa.cast(col(ProjectSection.content), sa.Text)
    hashes = {entry["sha256"] for entry in entries.values()}
    found = sa.select(col(ProjectSection.sha256), text).where(
        col(ProjectSection.script_id) == script_id, col(ProjectSection.sha256).in_(hashes)
    )
    texts = {sha256: content.encode() for sha256, content in session.execute(found)}
    return {
        name: Section(texts[entry["sha256"]], entry["sha256"], entry.get("lastModified"))
        for name, entry in entries.items()
    }


def forget(session: Session, script_id: UUID, *, before: int) -> None:
    """Drop the versions before that one, and the contents that no other version has."""
    old = sa.delete(ProjectScriptVersion).where(
        col(ProjectScriptVersion.script_id) == script_id, col(ProjectScriptVersion.version) < before
    )
    session.execute(old)
    session.execute(_FORGET, {"script_id": script_id})


def versions(session: Session, script_id: UUID, *, before: int | None, limit: int) -> Sequence[ProjectScriptVersion]:
    """The script's versions that are kept, the newest first."""
    found = select(ProjectScriptVersion).where(ProjectScriptVersion.script_id == script_id)
    if before is not None:
        found = found.where(ProjectScriptVersion.version < before)
    return session.exec(found.order_by(col(ProjectScriptVersion.version).desc()).limit(limit)).all()


def page(session: Session, *, after: Cursor | None, limit: int) -> Sequence[ProjectScript]:
    """The user's scripts, those saved last first."""
    place = sa.tuple_(col(ProjectScript.updated_at), col(ProjectScript.id))
    found = select(ProjectScript).where(ProjectScript.user_id == HOME_USER)
    if after is not None:
        found = found.where(place < (after.created_at, after.id))
    newest_first = found.order_by(col(ProjectScript.updated_at).desc(), col(ProjectScript.id).desc())
    return session.exec(newest_first.limit(limit)).all()
