"""Projects: the editor's save-all and load-all, and the versions of what was saved."""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, cast

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.requests import HTTPConnection

from maquette.api import project_examples as examples
from maquette.api.orders import AtCursor, Limit
from maquette.api.project_shapes import (
    IfMatch,
    LoadedProject,
    ProjectId,
    SavedProject,
    VersionDiff,
    VersionDocument,
    VersionNumber,
    diff_of,
    loaded,
    refusals,
    saved,
    stale,
    version_of,
)
from maquette.api.shapes import example
from maquette.errors import Conflict
from maquette.projects.models import ProjectPage, Saved, Stale, VersionPage
from maquette.projects.reading import read, version_named
from maquette.projects.service import Projects

router = APIRouter(prefix="/api", tags=["projects"])

# The paths of saves, which may send more than other calls.
SAVES: Final = re.compile(r"/api/(?:projects/.*/)?save-all")
# Saves at a time. More of them only take turns at Python, and all together wait longer.
SAVES_AT_ONCE: Final = 4


class Saves:
    """The use cases of projects, and the turns that saves take."""

    def __init__(self, projects: Projects) -> None:
        self.projects = projects
        self.turns = CapacityLimiter(SAVES_AT_ONCE)


# Asynchronous, for a call that waits for no thread is answered sooner.
async def _saves_of(connection: HTTPConnection) -> Saves:
    return cast(Saves, connection.app.state.projects)


async def _projects_of(connection: HTTPConnection) -> Projects:
    return (await _saves_of(connection)).projects


TheSaves = Annotated[Saves, Depends(_saves_of)]
TheProjects = Annotated[Projects, Depends(_projects_of)]

_ANY: Final = {"type": "array", "items": {"type": "object"}}
_SECTION: Final = {"anyOf": [{"type": "object"}, _ANY]}


def _described(body: dict[str, Any], **fields: dict[str, Any]) -> dict[str, Any]:
    """What OpenAPI says of a save's body, which is read tolerantly."""
    sections = ("characters", "backgrounds", "decors", "scenes", "assembly")
    properties = {
        **fields,
        "scriptData": {"type": "object", "description": "The script: content, title and what else the editor keeps."},
        **{f"{name}Data": {**_SECTION, "description": f"The section {name}."} for name in sections},
        "metadata": {"type": "object", "description": "Its version is the one that was changed, as If-Match."},
    }
    schema = {"type": "object", "title": "Save", "properties": properties, "required": list(fields)}
    content = {"application/json": {"schema": schema, "examples": {"save": {"value": body}}}}
    return {"requestBody": {"required": True, "content": content}}


_PROJECT_ID: Final = {"type": "string", "description": "The project's id; project_id and id are understood too."}


@router.get("/projects", summary="List projects", responses=example(examples.LIST) | refusals(400))
def page(projects: TheProjects, cursor: AtCursor = None, limit: Limit = 50) -> ProjectPage:
    """Those saved last first, page by page."""
    return projects.page(cursor=cursor, limit=limit)


# A path, for an id that is empty must be answered too.
@router.post(
    "/projects/{id:path}/save-all",
    summary="Save a project",
    response_model=SavedProject,
    responses=example(examples.SAVED) | refusals(400, 409),
    openapi_extra=_described(examples.SAVE),
)
async def save_all(project_id: ProjectId, request: Request, saves: TheSaves, if_match: IfMatch = None) -> Response:
    """Keep the sections that the body brings; the others stay. All are optional.

    A version that is not the present one is no error while both sides changed other sections: `merged` names those
    that somebody else has saved. Else the answer is 409, and besides what every error has it holds `current` and
    `yours`, each with `version` and `data`, `baseVersion`, `conflictingSections` and `mergeableSections`.
    """
    return await _save(request, saves, if_match, lambda body: project_id)


@router.post(
    "/save-all",
    summary="Save a project that the body names",
    response_model=SavedProject,
    responses=example(examples.SAVED) | refusals(400, 409),
    openapi_extra=_described(examples.SAVE_OF, projectId=_PROJECT_ID),
)
async def save_all_of(request: Request, saves: TheSaves, if_match: IfMatch = None) -> Response:
    """The same, for editors that send `projectId`."""
    return await _save(request, saves, if_match, _named_in)


@router.get(
    "/projects/{id:path}/load-all",
    summary="Load a project",
    response_model=LoadedProject,
    responses=example(examples.LOADED) | refusals(400),
)
def load_all(project_id: ProjectId, projects: TheProjects) -> Response:
    """The whole document. A project that is not there yet is made, empty, and `isNew` says so to the first who asks."""
    script, is_new = projects.load(project_id)
    return loaded(script, is_new=is_new)


@router.get(
    "/projects/{id}/versions",
    summary="List a project's versions",
    responses=example(examples.VERSIONS) | refusals(400, 404),
)
def versions(
    project_id: ProjectId,
    projects: TheProjects,
    cursor: Annotated[
        str | None, Query(max_length=20, description="The next of the page before; none begins.", examples=["3"])
    ] = None,
    limit: Limit = 50,
) -> VersionPage:
    """Those that are kept, the newest first; the first is the present one."""
    return projects.versions(project_id, cursor=cursor, limit=limit)


@router.get(
    "/projects/{id}/versions/{version}",
    summary="Read a version of a project",
    response_model=VersionDocument,
    responses=example(examples.VERSION) | refusals(400, 404, missing="project_version_not_found"),
)
def version(project_id: ProjectId, version: VersionNumber, projects: TheProjects) -> Response:
    """The whole document as it was then."""
    return version_of(*projects.version(project_id, version))


@router.get(
    "/projects/{id}/versions/{version}/diff/{other}",
    summary="Compare two versions of a project",
    response_model=VersionDiff,
    responses=example(examples.DIFF) | refusals(400, 404, missing="project_version_not_found"),
)
def diff(project_id: ProjectId, version: VersionNumber, other: VersionNumber, projects: TheProjects) -> Response:
    """What makes the first the second, section by section. `lastModified` and the metadata's own facts do not count."""
    return diff_of(version, other, projects.diff(project_id, version, other))


@router.post(
    "/projects/{id}/versions/{version}/restore",
    summary="Bring a version of a project back",
    response_model=SavedProject,
    responses=example(examples.SAVED) | refusals(400, 404, 409, missing="project_version_not_found"),
)
def restore(
    project_id: ProjectId,
    version: VersionNumber,
    request: Request,
    projects: TheProjects,
    if_match: IfMatch = None,
) -> Response:
    """Whole, as a new version; what it replaces stays as one. With `If-Match` only if that is the present version."""
    expected = version_named({}, if_match)
    return _answered(request, partial(projects.restore, project_id, version, expected=expected))


async def _save(
    request: Request, saves: Saves, if_match: str | None, project_of: Callable[[dict[str, Any]], str]
) -> Response:
    content = await request.body()

    def save() -> Saved:
        body = read(content)
        return saves.projects.save(project_of(body), body, expected=version_named(body, if_match))

    return await to_thread.run_sync(_answered, request, save, limiter=saves.turns)


def _answered(request: Request, save: Callable[[], Saved]) -> Response:
    try:
        return saved(save())
    except Conflict as error:
        found = error.values.get("stale")
        if not isinstance(found, Stale):
            raise
        return stale(error, found, request.scope)


def _named_in(body: dict[str, Any]) -> str:
    named = next((body[name] for name in ("projectId", "project_id", "id") if body.get(name)), "")
    return named if isinstance(named, str) else str(named)
