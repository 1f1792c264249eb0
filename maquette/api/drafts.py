"""Drafts: make them, generate what they lack, change, approve and publish them."""

from typing import Annotated, Final, cast

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from pydantic import JsonValue
from starlette.requests import HTTPConnection

from maquette.api import draft_examples as examples
from maquette.api.bodies import AccessCode, IdempotencyKey, json_of, require_access
from maquette.api.draft_shapes import (
    CreateDraft,
    DraftId,
    DryRun,
    Generate,
    PublicationPlan,
    PublishedDraft,
)
from maquette.api.errors import api_errors
from maquette.api.money import Estimated
from maquette.api.orders import TheIntake, intake_of, stored_key
from maquette.api.shapes import absolute, example
from maquette.drafts import publication
from maquette.drafts.models import (
    Approval,
    DraftChange,
    DraftDocument,
    GenerationProgress,
    ListedDraft,
    NewDraft,
)
from maquette.drafts.service import Drafts
from maquette.drafts.writing import Writing

PREFIX: Final = "/api/drafts"
router = APIRouter(prefix=PREFIX, tags=["drafts"])

NO_DRAFT: Final = "draft_not_found"


def writing_of(connection: HTTPConnection) -> Writing:
    """The use cases that ``create_app`` made, those of texts and, as its ``drafts``, all others."""
    return cast(Writing, connection.app.state.writing)


def _drafts_of(connection: HTTPConnection) -> Drafts:
    return writing_of(connection).drafts


async def _pay(request: Request, access_code: AccessCode = None) -> None:
    content = await request.body()
    require_access(json_of(content) if content.strip() else None, access_code, intake_of(request).settings)


# Of calls that cost: asked for before anything is said about the rest of the body.
Paying: Final = Depends(_pay)
TheDrafts = Annotated[Drafts, Depends(_drafts_of)]
TheWriting = Annotated[Writing, Depends(writing_of)]


@router.post(
    "",
    status_code=201,
    summary="Create a draft",
    dependencies=[Paying],
    responses=example(examples.DRAFT, status=201) | api_errors(400, 404, 409, missing="brand_not_found"),
)
def create(
    body: Annotated[CreateDraft, Body(examples=[examples.CREATE])],
    drafts: TheDrafts,
    idempotency_key: IdempotencyKey = None,
) -> DraftDocument:
    """A draft without assets yet; two drafts may have one name."""
    new = NewDraft.model_validate(body.model_dump(exclude={"access_code"}))
    key = stored_key(idempotency_key)
    # The key is the draft's source too: where the record of the answer was lost, the draft is found by it.
    return drafts.create(new, source=key, key=key)


@router.get("", summary="List drafts", responses=example(examples.LIST))
def list_all(
    drafts: TheDrafts,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.", examples=[100])] = 500,
) -> list[ListedDraft]:
    """Those changed last first."""
    return drafts.list(limit=limit)


@router.get(
    "/{draft_id}", summary="Read a draft", responses=example(examples.DRAFT) | api_errors(404, missing=NO_DRAFT)
)
def read(draft_id: DraftId, drafts: TheDrafts) -> DraftDocument:
    """The draft's metadata, and where it stands on the way to production."""
    return drafts.get(draft_id)


@router.patch(
    "/{draft_id}",
    summary="Change a draft",
    responses=example(examples.DRAFT) | api_errors(400, 404, 409, missing=NO_DRAFT),
)
def change(
    draft_id: DraftId, body: Annotated[DraftChange, Body(examples=[examples.CHANGE])], drafts: TheDrafts
) -> DraftDocument:
    """Absent fields stay. Templates count for what is generated from now on."""
    return drafts.change(draft_id, body)


@router.delete(
    "/{draft_id}",
    status_code=204,
    summary="Delete a draft",
    responses=api_errors(404, 409, missing=NO_DRAFT),
)
def delete(draft_id: DraftId, drafts: TheDrafts) -> Response:
    """The draft and its files go. What it cost stays in the books, what was published stays published."""
    drafts.delete(draft_id)
    return Response(status_code=204)


@router.get(
    "/{draft_id}/status",
    summary="Where the making of a draft stands",
    responses=example(examples.PROGRESS) | api_errors(404, missing=NO_DRAFT),
)
def status(draft_id: DraftId, drafts: TheDrafts) -> GenerationProgress:
    """Always the truth, for clients that poll."""
    return drafts.status(draft_id)


@router.post(
    "/{draft_id}/generate",
    summary="Generate what a draft lacks",
    dependencies=[Paying],
    responses=example(examples.PROGRESS) | api_errors(400, 403, 404, 409, missing=NO_DRAFT),
)
def generate(
    draft_id: DraftId,
    drafts: TheDrafts,
    intake: TheIntake,
    body: Annotated[Generate | None, Body(examples=[examples.GENERATE])] = None,
    idempotency_key: IdempotencyKey = None,
) -> GenerationProgress:
    """Order concepts, pictures, loops and songs; workers make them. Follow ``…/status`` or ``/ws/drafts/{id}``."""
    accepted = intake.generate_draft(draft_id, (body or Generate()).making(), key=stored_key(idempotency_key))
    ordered = accepted.model_dump(include={"order_id", "job_id"})
    return drafts.status(draft_id).model_copy(update=ordered)


@router.post(
    "/{draft_id}/estimate",
    summary="What generating would take",
    responses=example(examples.ESTIMATE) | api_errors(400, 404, missing=NO_DRAFT),
)
def estimate(
    draft_id: DraftId,
    drafts: TheDrafts,
    intake: TheIntake,
    body: Annotated[Generate | None, Body(examples=[examples.GENERATE])] = None,
) -> Estimated:
    """Units of the brand's month and the providers' price of what ``generate`` would order, but for texts."""
    return Estimated(**intake.estimate_draft(draft_id, (body or Generate()).making()).model_dump())


@router.get(
    "/{draft_id}/words",
    summary="A draft's words",
    responses=example(examples.WORDS) | api_errors(404, missing="words_not_found"),
)
def words(draft_id: DraftId, drafts: TheDrafts) -> dict[str, JsonValue]:
    """``words.json``: the theme, its words, and what they are in five languages."""
    return drafts.words(draft_id)


@router.post(
    "/{draft_id}/approve",
    summary="Approve a draft, or refuse it",
    responses=example(examples.DRAFT | {"approved": True}) | api_errors(400, 404, 409, missing=NO_DRAFT),
)
def approve(
    draft_id: DraftId, body: Annotated[Approval, Body(examples=[examples.APPROVAL])], drafts: TheDrafts
) -> DraftDocument:
    """A decision about what was seen, named by its ``content_hash``; it ends with the next change."""
    return drafts.approve(draft_id, body)


@router.get(
    "/{draft_id}/publish/plan",
    summary="What publishing would change",
    responses=example(examples.PLAN) | api_errors(404, 409, missing=NO_DRAFT),
)
def plan(draft_id: DraftId, drafts: TheDrafts) -> PublicationPlan:
    """Compare the draft with production. Changes nothing."""
    changes = publication.plan(drafts, draft_id)
    return PublicationPlan(draft_id=draft_id, slug=drafts.get(draft_id).slug, count=len(changes), changes=changes)


@router.post(
    "/{draft_id}/publish",
    summary="Publish a draft",
    responses=example(examples.PUBLISHED) | api_errors(404, 409, missing=NO_DRAFT),
)
def publish(
    request: Request, draft_id: DraftId, drafts: TheDrafts, dry_run: DryRun = False
) -> PublishedDraft | PublicationPlan:
    """Bring the draft to production, whole or not at all; the same again changes nothing."""
    if dry_run:
        return plan(draft_id, drafts)
    published = publication.publish(drafts, draft_id)
    url = published.storage_url
    return PublishedDraft(
        **published.model_dump(exclude={"changes", "storage_url"}),
        # A bucket that is a folder here is read from this service; others have addresses of their own.
        storage_url=str(absolute(request, url)) if url.startswith("/") else url,
        changes=len(published.changes),
    )
