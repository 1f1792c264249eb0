"""Changing a draft within a transaction: count it, tell it, keep what was, and say where the draft stands."""

from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlmodel import Session

from maquette.db.types import now
from maquette.drafts import repository
from maquette.drafts.documents import WORDS, Standing, Whole, content_hash, progress_of, standing, subject_of, whole
from maquette.drafts.tables import Draft, DraftAsset, DraftAssetVersion, DraftStatus
from maquette.errors import Conflict
from maquette.events import service as events
from maquette.orders import service as orders
from maquette.publishing.tables import is_under_way

# What an earlier version keeps, and what restoring it brings back. Takes only go on: each is a picture never seen yet.
KEPT = (
    "display_name", "titles", "image_prompt", "video_prompt", "image_file", "video_file", "image_id", "video_id",
    "mp4_id", "thumbnail_id",
)  # fmt: skip

# Of a hundred parts that fail one by one each event would tell of all before it; the status tells of all.
MOST_TOLD: Final = 20


def touch(session: Session, draft: Draft) -> None:
    """Count a change of a draft that the caller has locked, settle its status, and log where it stands."""
    session.flush()
    found = whole(session, draft)
    stands = standing(session, draft, found.assets, found.songs)
    status, moment = _status(session, found, stands), now(session)
    draft.status, draft.version, draft.updated_at = status, draft.version + 1, moment
    session.flush()
    told = progress_of(draft, stands)
    few = told.model_copy(update={"failures": told.failures[:MOST_TOLD]})
    events.append(session, subject_of(draft.id), "status", few.model_dump(mode="json"))


def require_idle(session: Session, draft: Draft) -> None:
    """Raises ``Conflict`` (``busy``) while the draft is being made."""
    job = orders.latest_job(session, subject_of(draft.id))
    if job is not None and job.status in orders.OPEN_JOBS:
        raise Conflict(f"draft {draft.id} is being made: wait until it has ended, or cancel its order", code="busy")


def names_changed(draft: Draft) -> None:
    """``words.json`` is read from the assets from now on; what an import had in it besides stays."""
    if draft.words is not None:
        draft.words = {key: value for key, value in draft.words.items() if key not in WORDS} or None


def keep_version(session: Session, asset: DraftAsset) -> None:
    """Keep the asset as it is under its version's number, and count on. Nothing to keep without a file.

    What was kept already, for an order that then replaced nothing, is not kept twice.
    """
    if asset.image_id is None and asset.video_id is None:
        return
    row: dict[str, JsonValue] = {
        name: str(value) if isinstance(value := getattr(asset, name), UUID) else value for name in KEPT
    }
    last = next(iter(repository.versions_of(session, asset.draft_id, asset.number)), None)
    if last is not None and last.asset == row:
        return
    session.add(DraftAssetVersion(draft_id=asset.draft_id, number=asset.number, version=asset.version, asset=row))
    asset.version += 1
    session.flush()


def _status(session: Session, found: Whole, stands: Standing) -> DraftStatus:
    draft = found.draft
    if stands.is_open:
        return DraftStatus.GENERATING
    if is_under_way(session, subject_of(draft.id)):
        return DraftStatus.PUBLISHING
    if draft.published_hash is not None and draft.published_hash == content_hash(found):
        return DraftStatus.PUBLISHED
    if stands.failures:
        return DraftStatus.FAILED
    if found.assets and all(asset.image_id for asset in found.assets):
        return DraftStatus.COMPLETED
    if stands.job is None and draft.source_hash is not None:
        return DraftStatus(draft.status)  # as it was imported
    return DraftStatus.DRAFT
