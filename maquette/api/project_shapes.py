"""What the editor of projects sends and reads: names and texts are its own."""

from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import Header, Path, Response
from pydantic import BaseModel, Field, JsonValue
from starlette.types import Scope

from maquette.api import project_examples as examples
from maquette.api.errors import api_errors, body_of, language_in
from maquette.errors import Conflict, text_of
from maquette.projects.models import ListedVersion, Saved, SectionDiff, Stale, StoredScript
from maquette.projects.reading import dump
from maquette.projects.sections import iso

# What the editor shows after a save, whatever the language.
SAVED: Final = "Sauvegarde réussie"

ProjectId = Annotated[
    str, Path(alias="id", description="The project's id, as the editor gave it.", examples=[examples.PROJECT_ID])
]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="The version's number.", examples=[3])]
IfMatch = Annotated[
    str | None,
    Header(
        description="The version that was changed, as the last answer's ETag has it. Without it the last save wins.",
        examples=['"3"'],
    ),
]
_STATUSES: Final[dict[int, tuple[str, dict[str, Any]]]] = {
    400: ("project_id_required", {}),
    404: ("project_not_found", {}),
    409: ("version_conflict", {"sections": "script"}),
}


class ScriptRow(BaseModel):
    """A project's script as the editor knows its row. ``script_data`` is the whole document."""

    id: UUID
    project_id: str
    user_id: UUID
    title: str
    description: str
    script_data: dict[str, JsonValue]
    version: int
    created_at: str
    updated_at: str


class SavedProject(BaseModel):
    """What a save has come to.

    ``changed`` are the sections that it wrote: none where all was there already. ``merged`` are those that somebody
    else has saved since the version that was changed: they stay as they are, and ``data`` has them.
    """

    success: bool
    data: ScriptRow
    savedAt: str  # noqa: N815  # the editor's own names
    message: str
    changed: list[str]
    merged: list[str]


class LoadedProject(BaseModel):
    """A document, and whether it was made just now."""

    success: bool
    data: dict[str, JsonValue]
    updatedAt: str  # noqa: N815
    isNew: bool  # noqa: N815


class VersionDocument(ListedVersion):
    """A version with its whole document."""

    data: dict[str, JsonValue]


class SectionChanges(BaseModel):
    """What is otherwise in a section, as JSON pointers into the document, and as a JSON Patch (RFC 6902)."""

    section: str
    added: list[str]
    removed: list[str]
    changed: list[str]
    patch: list[dict[str, JsonValue]]


class VersionDiff(BaseModel):
    """What makes one version the other; sections that are the same in both are left out."""

    before: int = Field(alias="from")
    after: int = Field(alias="to")
    sections: list[SectionChanges]


def refusals(*statuses: int, missing: str = "project_not_found") -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the errors of these calls."""
    found = api_errors(*statuses)
    for status in statuses:
        code, values = _STATUSES[status]
        if status == 404 and missing != code:
            code, values = missing, {"version": 3}
        example = body_of("/api/projects", detail=text_of(code, **values), code=code)
        found[status] = {**found[status], "content": {"application/json": {"example": example}}}
    return found


def saved(found: Saved) -> Response:
    """A save's answer."""
    script = found.script
    row = {
        "id": str(script.id),
        "project_id": script.project_id,
        "user_id": str(script.user_id),
        "title": script.title,
        "description": script.description,
        "script_data": orjson.Fragment(script.document),
        "version": script.version,
        "created_at": iso(script.created_at),
        "updated_at": iso(script.updated_at),
    }
    told = {"success": True, "data": row, "savedAt": iso(found.saved_at), "message": SAVED}
    return _answer({**told, "changed": found.changed, "merged": found.merged}, script)


def loaded(script: StoredScript, *, is_new: bool) -> Response:
    """A load's answer."""
    data, moment = orjson.Fragment(script.document), iso(script.updated_at)
    return _answer({"success": True, "data": data, "updatedAt": moment, "isNew": is_new}, script)


def version_of(found: ListedVersion, document: bytes) -> Response:
    """A version's answer."""
    told = found.model_dump(mode="json", by_alias=True)
    return _json({**told, "data": orjson.Fragment(document)})


def diff_of(before: int, after: int, found: list[SectionDiff]) -> Response:
    """A comparison's answer."""
    return _json({"from": before, "to": after, "sections": [_changes(each) for each in found]})


def stale(error: Conflict, found: Stale, scope: Scope) -> Response:
    """The answer to a save that would have overwritten somebody's work: 409 with both sides."""
    script = found.current
    body = body_of(scope["path"], detail=error.text(language_in(scope)), code=error.code)
    sides = {
        "current": {
            "version": script.version,
            "updatedAt": iso(script.updated_at),
            "data": orjson.Fragment(script.document),
        },
        "yours": {"version": found.base_version, "data": orjson.Fragment(found.yours)},
        "baseVersion": found.base_version,
        "conflictingSections": found.conflicting,
        "mergeableSections": found.mergeable,
    }
    return _answer({**body, **sides}, script, status=409)


def _changes(found: SectionDiff) -> dict[str, Any]:
    names = {"add": "added", "remove": "removed", "replace": "changed"}
    paths: dict[str, list[str]] = {name: [] for name in names.values()}
    for each in found.operations:
        paths[names[each["op"]]].append(each["path"])
    # As texts of their own: within the answer they may be nested deeper than can be written at once.
    patch = [
        {**each, "value": orjson.Fragment(dump(each["value"]))} if "value" in each else each
        for each in found.operations
    ]
    return {"section": found.section, **paths, "patch": patch}


def _answer(content: dict[str, Any], script: StoredScript, *, status: int = 200) -> Response:
    return _json(content, status=status, headers={"ETag": f'"{script.version}"'})


def _json(content: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
