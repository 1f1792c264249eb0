"""The assets and songs of drafts: read them, change them, make one anew, bring an earlier version back."""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Path

from maquette.api import draft_examples as examples
from maquette.api.bodies import CleanBody, IdempotencyKey
from maquette.api.draft_shapes import AssetId, DraftId, Regenerate, RegeneratedAsset, SongLanguage, number_of
from maquette.api.drafts import NO_DRAFT, PREFIX, Paying, TheDrafts, TheWriting
from maquette.api.errors import api_errors
from maquette.api.orders import TheIntake, stored_key
from maquette.api.shapes import example
from maquette.drafts.models import AssetChange, AssetDocument, Regeneration, SongChange, SongDocument, VersionDocument

router = APIRouter(prefix=f"{PREFIX}/{{draft_id}}", tags=["drafts"])

_NO_ASSET: Final = "draft_asset_not_found"


@router.get(
    "/assets",
    summary="List a draft's assets",
    responses=example(examples.ASSETS) | api_errors(404, missing=NO_DRAFT),
)
def assets(draft_id: DraftId, drafts: TheDrafts) -> list[AssetDocument]:
    """By number; none before the concepts are there."""
    return drafts.assets(draft_id)


@router.get(
    "/assets/{asset_id}",
    summary="Read an asset of a draft",
    responses=example(examples.ASSET) | api_errors(404, missing=_NO_ASSET),
)
def asset(draft_id: DraftId, asset_id: AssetId, drafts: TheDrafts) -> AssetDocument:
    """One concept with its prompts and files."""
    return drafts.asset(draft_id, number_of(asset_id))


@router.patch(
    "/assets/{asset_id}",
    summary="Change an asset's names or prompts",
    responses=example(examples.ASSET) | api_errors(400, 404, 409, missing=_NO_ASSET),
)
def change_asset(
    draft_id: DraftId,
    asset_id: AssetId,
    body: Annotated[AssetChange, Body(examples=[examples.ASSET_CHANGE])],
    drafts: TheDrafts,
) -> AssetDocument:
    """Absent fields stay, and so do the files."""
    return drafts.change_asset(draft_id, number_of(asset_id), body)


@router.patch(
    "/assets/{asset_id}/regenerate",
    summary="Make an asset anew",
    dependencies=[Paying],
    responses=example(examples.REGENERATED) | api_errors(400, 403, 404, 409, missing=_NO_ASSET),
)
def regenerate(
    draft_id: DraftId,
    asset_id: AssetId,
    drafts: TheDrafts,
    writing: TheWriting,
    intake: TheIntake,
    body: Annotated[Regenerate | None, Body(examples=[examples.REGENERATE])] = None,
    idempotency_key: IdempotencyKey = None,
) -> RegeneratedAsset:
    """Order this asset alone: with new prompts, or as another take of the present ones.

    It answers with the prompts as they were accepted; the files stay until the new ones are there, and then as a
    version.
    """
    number = number_of(asset_id)
    wanted = Regeneration() if body is None else Regeneration.model_validate(body.model_dump(exclude={"access_code"}))
    prompts = writing.prompts_for(draft_id, number, wanted)
    accepted = intake.regenerate_draft_asset(draft_id, number, wanted, key=stored_key(idempotency_key))
    return RegeneratedAsset(
        **dict(drafts.asset(draft_id, number)) | prompts,
        order_id=accepted.order_id,
        job_id=accepted.job_id,
        status=drafts.get(draft_id).status,
    )


@router.get(
    "/assets/{asset_id}/versions",
    summary="List an asset's earlier versions",
    responses=example(examples.VERSIONS) | api_errors(404, missing=_NO_ASSET),
)
def versions(draft_id: DraftId, asset_id: AssetId, drafts: TheDrafts) -> list[VersionDocument]:
    """What the asset was before each regeneration, the newest first."""
    return drafts.versions(draft_id, number_of(asset_id))


@router.post(
    "/assets/{asset_id}/versions/{version}/restore",
    summary="Bring an earlier version back",
    responses=example(examples.ASSET) | api_errors(404, 409, missing="draft_version_not_found"),
)
def restore(
    draft_id: DraftId,
    asset_id: AssetId,
    version: Annotated[int, Path(ge=1, le=2**31 - 1, description="The version's number.", examples=[1])],
    drafts: TheDrafts,
) -> AssetDocument:
    """At once and for nothing; what is there now is kept as a version too."""
    return drafts.restore(draft_id, number_of(asset_id), version)


@router.get(
    "/songs",
    summary="List a draft's songs",
    responses=example(examples.SONGS) | api_errors(404, missing=NO_DRAFT),
)
def songs(draft_id: DraftId, drafts: TheDrafts) -> list[SongDocument]:
    """One for each language that has words or sound."""
    return drafts.songs(draft_id)


@router.put(
    "/songs/{language}",
    summary="Change a song's words or style",
    dependencies=[CleanBody],
    responses=example(examples.SONG) | api_errors(400, 404, 409, missing=NO_DRAFT),
)
def change_song(
    draft_id: DraftId,
    language: SongLanguage,
    body: Annotated[SongChange, Body(examples=[examples.SONG_CHANGE])],
    drafts: TheDrafts,
) -> SongDocument:
    """Absent fields stay, and so does the sound until it is made anew."""
    return drafts.change_song(draft_id, language, body)
