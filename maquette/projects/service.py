"""What can be done with projects. Each call is one transaction; saves of one project take turns."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson
from sqlmodel import Session

from maquette.db.engine import Database
from maquette.errors import Conflict, InvalidInput
from maquette.library.listing import Cursor, cursor_of
from maquette.projects import repository
from maquette.projects.diffing import operations
from maquette.projects.merging import Hashes, merge
from maquette.projects.models import (
    ListedProject,
    ListedVersion,
    ProjectPage,
    Saved,
    SectionDiff,
    Stale,
    StoredScript,
    VersionPage,
)
from maquette.projects.repository import Entries, Script
from maquette.projects.sections import (
    EMPTY_SECTIONS,
    UNTITLED,
    Section,
    document,
    fragment,
    iso,
    names_in_order,
    section,
    sections_of,
    title_of,
)
from maquette.projects.tables import HOME_USER
from maquette.settings import Settings

# Old versions are dropped at every so manieth one: dropping costs as much as a small save.
FORGET_EVERY: Final = 16
MAX_ID: Final = 200

_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
# What a browser makes of an id that it has not got.
_NO_IDS: Final = frozenset({"", "undefined", "null"})
_EMPTY_HASHES: Final[dict[str, str]] = {name: section.sha256 for name, section in EMPTY_SECTIONS.items()}


class Projects:
    """The use cases of projects, on one database."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings

    def load(self, project_id: str) -> tuple[StoredScript, bool]:
        """The project's script, which is made empty where there is none, and whether it was.

        Of several clients at once one makes it. Raises ``InvalidInput`` for what cannot be an id.
        """
        project_id = id_of(project_id)
        with self.database.begin() as session:
            repository.one_snapshot(session)
            script = repository.find(session, project_id)
            if script is not None:
                return _stored(session, script), False
        with self.database.begin() as session:
            script, moment = _locked_or_new(session, project_id)
            is_new = script.version == 0
            if is_new:
                script = self._advance(session, replace(script, updated_at=moment), {}, changes=frozenset())
            return _stored(session, script), is_new

    def save(self, project_id: str, body: Mapping[str, Any], *, expected: int | None = None) -> Saved:
        """Keep the sections that ``body`` brings; the others stay.

        ``expected`` is the version that the client has changed: where the script has gone on since, what was changed
        on one side alone is brought together, and else nothing is saved. Without it the last save wins, and what it
        replaced stays as a version. What is there already makes no new version.

        Raises ``InvalidInput``, and ``Conflict`` (``version_conflict``) with ``stale`` (``Stale``) among its values.
        """
        project_id = id_of(project_id)
        sent = sections_of(body)
        title = title_of(body) if "script" in sent else None
        with self.database.begin() as session:
            script, moment = _locked_or_new(session, project_id)
            sent = _keeping_canvas(session, script, sent)
            found = merge(
                _base(session, script, expected),
                _hashes(script.entries),
                {name: section.sha256 for name, section in sent.items()},
            )
            if found.conflicting:
                raise _conflict(session, script, sent, expected, found.conflicting, found.changes)
            if found.changes or script.version == 0:
                if "script" in found.changes or script.version == 0:
                    script = replace(script, title=title or UNTITLED)
                new = {name: sent[name] for name in found.changes}
                entries = {**script.entries, **{name: _entry(section, moment) for name, section in new.items()}}
                script = replace(script, entries=entries, updated_at=moment)
                script = self._advance(session, script, new, changes=found.changes)
            stored = _stored(session, script, at_hand=sent)
        return Saved(stored, moment, names_in_order(found.changes), names_in_order(found.kept))

    def restore(self, project_id: str, version: int, *, expected: int | None = None) -> Saved:
        """Bring a version back, whole, as a new version.

        With ``expected`` only where nothing else was saved since that one. Raises ``NotFound`` and ``Conflict``.
        """
        project_id = id_of(project_id)
        with self.database.begin() as session:
            repository.get(session, project_id)
            script, moment = _locked_or_new(session, project_id)
            wanted = repository.get_version(session, script.id, version)
            present, target = _hashes(script.entries), _hashes(wanted.sections)
            changes = frozenset(name for name in {*present, *target} if present.get(name) != target.get(name))
            if expected is not None and expected != script.version and changes:
                yours = repository.contents(session, script.id, wanted.sections)
                raise _conflict(session, script, yours, expected, changes, frozenset())
            if changes:
                script = replace(script, title=wanted.title, entries=wanted.sections, updated_at=moment)
                script = self._advance(session, script, {}, changes=changes, restored_from=version)
            return Saved(_stored(session, script), moment, names_in_order(changes))

    def page(self, *, cursor: str | None = None, limit: int = 50) -> ProjectPage:
        """A page of the projects, those saved last first. Raises ``InvalidInput`` for the cursor."""
        with self.database.begin() as session:
            found = repository.page(session, after=cursor_of(cursor) if cursor else None, limit=limit + 1)
        shown, more = found[:limit], len(found) > limit
        last = Cursor(shown[-1].updated_at, shown[-1].id).encoded() if more else None
        return ProjectPage(items=[ListedProject.model_validate(script) for script in shown], next=last)

    def versions(self, project_id: str, *, cursor: str | None = None, limit: int = 50) -> VersionPage:
        """A page of the versions that are kept, the newest first. Raises ``NotFound`` and ``InvalidInput``."""
        if cursor is not None and not re.fullmatch(r"[1-9][0-9]{0,8}", cursor):
            raise InvalidInput("the cursor is none of ours: send the next of the page before, or none")
        before = int(cursor) if cursor else None
        with self.database.begin() as session:
            script = repository.get(session, id_of(project_id))
            found = repository.versions(session, script.id, before=before, limit=limit + 1)
        shown, more = found[:limit], len(found) > limit
        last = str(shown[-1].version) if more else None
        return VersionPage(items=[ListedVersion.model_validate(version) for version in shown], next=last)

    def version(self, project_id: str, version: int) -> tuple[ListedVersion, bytes]:
        """A version, and its document as JSON. Raises ``NotFound``."""
        with self.database.begin() as session:
            repository.one_snapshot(session)
            script = repository.get(session, id_of(project_id))
            found = repository.get_version(session, script.id, version)
            sections = repository.contents(session, script.id, found.sections)
        facts = _facts(found.version, found.sections, script.created_at, found.saved_at)
        return ListedVersion.model_validate(found), document(sections, facts=facts)

    def diff(self, project_id: str, before: int, after: int) -> list[SectionDiff]:
        """What makes one version the other, by section; sections that are the same in both are left out.

        ``lastModified`` and what the store itself says in ``metadata`` are not compared. Raises ``NotFound``.
        """
        with self.database.begin() as session:
            repository.one_snapshot(session)
            script = repository.get(session, id_of(project_id))
            old, new = (repository.get_version(session, script.id, each).sections for each in (before, after))
            hashes = _hashes(old), _hashes(new)
            names = names_in_order(
                name for name in {*hashes[0], *hashes[1]} if hashes[0].get(name) != hashes[1].get(name)
            )
            sides = [
                EMPTY_SECTIONS
                | repository.contents(session, script.id, {name: each[name] for name in names if name in each})
                for each in (old, new)
            ]
        was, is_now = ({name: orjson.loads(side[name].content) for name in names if name in side} for side in sides)
        return [
            SectionDiff(
                name,
                operations({name: was[name]} if name in was else {}, {name: is_now[name]} if name in is_now else {}),
            )
            for name in names
        ]

    def _advance(
        self,
        session: Session,
        script: Script,
        new: Mapping[str, Section],
        *,
        changes: frozenset[str],
        restored_from: int | None = None,
    ) -> Script:
        """Write the script as its next version, and drop those that are kept no more."""
        script = replace(script, version=script.version + 1)
        changed = names_in_order(changes)
        repository.advance(session, script, list(new.values()), changed=changed, restored_from=restored_from)
        if script.version % FORGET_EVERY == 0:
            repository.forget(session, script.id, before=script.version - self.settings.project_versions_kept)
        return script


def _keeping_canvas(session: Session, script: Script, sent: dict[str, Section]) -> dict[str, Section]:
    """``sent``, with the present canvas in an assembly that says nothing of it: older editors know none."""
    assembly, there = sent.get("assembly"), script.entries.get("assembly")
    if assembly is None or there is None or b'"canvasState":' in assembly.content:
        return sent
    present = repository.contents(session, script.id, {"assembly": there})["assembly"].content
    canvas = orjson.loads(present).get("canvasState")
    if canvas is None:
        return sent
    kept = section({**orjson.loads(assembly.content), "canvasState": canvas})
    return {**sent, "assembly": replace(kept, last_modified=assembly.last_modified)}


def id_of(text: str) -> str:
    """A project's id as the store keeps it: any text, UUIDs in small letters.

    Raises ``InvalidInput``: ``project_id_required`` where there is none, or for one that no editor gives.
    """
    text = text.strip()
    if text in _NO_IDS:
        raise InvalidInput(
            "name the project: /api/projects/{id}/…, or projectId in the body", code="project_id_required"
        )
    if len(text) > MAX_ID or "/" in text or not text.isprintable():
        raise InvalidInput(f"a project's id is a UUID, or {MAX_ID} characters at most without slash and line break")
    return text.lower() if _UUID.fullmatch(text) else text


def _locked_or_new(session: Session, project_id: str) -> tuple[Script, datetime]:
    found = repository.lock(session, project_id)
    if found is None:
        repository.create(session, project_id)  # nobody sees it before its first version is there
        found = repository.lock(session, project_id)
    assert found is not None
    return found


def _base(session: Session, script: Script, expected: int | None) -> Hashes | None:
    """What the sections were when the client read them; None where nobody knows any more."""
    if expected is None or expected == script.version or script.version == 0:
        return _hashes(script.entries)
    if expected == 0:
        return _EMPTY_HASHES
    found = repository.find_version(session, script.id, expected)
    return None if found is None else _hashes(found.sections)


def _hashes(entries: Entries) -> dict[str, str]:
    """The sections' hashes. One that was never saved is what it is shown as: who sends that back changes nothing."""
    return _EMPTY_HASHES | {name: entry["sha256"] for name, entry in entries.items()}


def _entry(section: Section, moment: datetime) -> dict[str, Any]:
    named = section.last_modified
    return {"sha256": section.sha256, "lastModified": iso(moment) if named is None else named}


def _facts(version: int, entries: Entries, created_at: datetime, saved_at: datetime) -> dict[str, Any]:
    """What the store itself says in a document's metadata; of one that nobody has saved yet, not when and by whom."""
    facts: dict[str, Any] = {"version": version, "createdAt": iso(created_at)}
    return facts | ({"savedAt": iso(saved_at), "savedBy": str(HOME_USER)} if version > 1 or entries else {})


def _stored(session: Session, script: Script, *, at_hand: Mapping[str, Section] = {}) -> StoredScript:
    """The script, whole. Sections that are ``at_hand`` just as they are kept are not read again."""
    here, there = {}, {}
    for name, entry in script.entries.items():
        section = at_hand.get(name)
        if section is not None and section.sha256 == entry["sha256"]:
            here[name] = Section(section.content, section.sha256, entry.get("lastModified"))
        else:
            there[name] = entry
    sections = here | repository.contents(session, script.id, there)
    return StoredScript(
        id=script.id,
        project_id=script.project_id,
        user_id=HOME_USER,
        title=script.title,
        description=script.description,
        version=script.version,
        created_at=script.created_at,
        updated_at=script.updated_at,
        document=document(sections, facts=_facts(script.version, script.entries, script.created_at, script.updated_at)),
    )


def _conflict(
    session: Session,
    script: Script,
    sent: Mapping[str, Section],
    expected: int | None,
    conflicting: frozenset[str],
    mergeable: frozenset[str],
) -> Conflict:
    stale = Stale(
        current=_stored(session, script, at_hand=sent),
        base_version=expected or 0,
        yours=orjson.dumps({name: fragment(name, section) for name, section in sent.items()}),
        conflicting=names_in_order(conflicting),
        mergeable=names_in_order(mergeable),
    )
    told = ", ".join(stale.conflicting)
    return Conflict(
        f"version {stale.base_version} of {script.project_id} is not the present one, {script.version}, and both sides "
        f'changed {told}: bring them together, then save with If-Match "{script.version}"',
        code="version_conflict",
        sections=told,
        version=script.version,
        stale=stale,
    )
