"""What the keepers of the road do for drafts: folders, publications that broke off, and runs that wait."""

import logging
from contextlib import closing
from datetime import timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import Session, col, select

from maquette.db.engine import Database
from maquette.db.types import now
from maquette.drafts import publication, repository
from maquette.drafts.documents import content_hash, whole
from maquette.drafts.folder import follow, rewrite_stale
from maquette.drafts.tables import Draft, DraftStatus
from maquette.errors import Conflict, MaquetteError
from maquette.publishing.service import Publisher, publisher_from_settings
from maquette.settings import Settings
from maquette.storage.port import Store

log = logging.getLogger(__name__)

# So long a process may take between its word that it publishes and its first act: it is not to be disturbed there.
BEGINNING: Final = timedelta(seconds=60)


class Waiting(BaseModel):
    """A suspended run whose draft was approved, or refused, elsewhere."""

    draft_id: str
    flow_run_id: UUID
    approved: bool
    note: str = ""


def decided_waits(database: Database) -> list[Waiting]:
    """The suspended runs that need not wait any longer, with what was decided."""
    with database.begin() as session:
        # One that is being made would only tell its run that it is busy.
        idle = select(Draft).where(Draft.status != DraftStatus.GENERATING)
        waiting = session.exec(idle.where(col(Draft.waiting_run_id).is_not(None))).all()
        return [decided for draft in waiting if (decided := _decided(session, draft)) is not None]


def forget_wait(database: Database, waiting: Waiting) -> None:
    """The run has ended: nobody needs to wake it."""
    with database.begin() as session:
        session.execute(
            sa.update(Draft)
            .where(col(Draft.id) == waiting.draft_id, col(Draft.waiting_run_id) == waiting.flow_run_id)
            .values(waiting_run_id=None, updated_at=col(Draft.updated_at))
        )


def settle_publications(database: Database, store: Store, settings: Settings) -> int:
    """End publications whose process is gone, one way or the other, and rewrite folders that are behind; how many."""
    settled = 0
    try:
        with closing(publisher_from_settings(settings, database)) as publisher:
            for slug in _unsettled(database, publisher):
                settled += _settle(database, store, settings, publisher, slug)
    except MaquetteError as error:
        log.warning("publications cannot be settled yet: %s", error)
    return settled + rewrite_stale(database, store, settings)


def _decided(session: Session, draft: Draft) -> Waiting | None:
    assert draft.waiting_run_id is not None  # as it was selected
    seen = content_hash(whole(session, draft))
    approved = not draft.require_approval or draft.approved_hash == seen
    note = "approved elsewhere" if approved else repository.refusal_of(session, draft, seen)
    if note is None:
        return None
    return Waiting(draft_id=draft.id, flow_run_id=draft.waiting_run_id, approved=approved, note=note)


def _unsettled(database: Database, publisher: Publisher) -> list[str]:
    """Slugs of publications that are open, or of which only the draft says that they are."""
    with database.begin() as session:
        told = select(Draft.slug).where(Draft.status == DraftStatus.PUBLISHING)
        told = told.where(col(Draft.updated_at) < now(session) - BEGINNING)
        return sorted({*publisher.unfinished(), *session.exec(told)})


def _settle(database: Database, store: Store, settings: Settings, publisher: Publisher, slug: str) -> int:
    try:
        publisher.recover(slug)
    except Conflict:  # it is being published
        return 0
    except MaquetteError as error:
        log.warning("the publication of %s cannot be settled yet: %s", slug, error)
        return 0
    with database.begin() as session:
        changed = publication.settle(session, slug)
    for draft_id in changed:
        follow(database, store, settings, draft_id)
    return len(changed)
