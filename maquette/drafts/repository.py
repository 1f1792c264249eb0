"""Queries on drafts. They take a session and never commit."""

import re
import secrets
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import Session, col, select

from maquette.drafts.tables import Draft, DraftApproval, DraftAsset, DraftAssetVersion, DraftSong
from maquette.errors import NotFound
from maquette.providers.text.port import UNIVERSE_LANGUAGES

# Ours have 8 digits; the drafts era had whole UUIDs before.
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_SOURCE_LOCK: Final = 14


class Cover(NamedTuple):
    """How many assets a draft has, and the name of its first picture."""

    assets: int = 0
    image_file: str | None = None


def get_draft(session: Session, draft_id: str, *, lock: bool = False) -> Draft:
    """The draft. Raises ``NotFound`` (``draft_not_found``)."""
    require_id(draft_id)
    found = select(Draft).where(Draft.id == draft_id).execution_options(populate_existing=True)
    draft = session.exec(found.with_for_update(key_share=True) if lock else found).first()
    if draft is None:
        raise NotFound(f"Draft {draft_id} not found", code="draft_not_found", draft_id=draft_id)
    return draft


def require_id(draft_id: str) -> None:
    """Raises ``NotFound`` for what no draft is called, such as a way into another folder."""
    if not _ID.fullmatch(draft_id):
        raise NotFound("a draft's id is 8 hexadecimal digits", code="draft_not_found", draft_id=draft_id[:100])


def note(session: Session, draft_id: str, **values: Any) -> None:
    """Write down of the draft what is no change of it: its ``updated_at`` stays."""
    quiet = sa.update(Draft).where(col(Draft.id) == draft_id).values(updated_at=col(Draft.updated_at), **values)
    session.execute(quiet)


def newest_first(session: Session, *, limit: int) -> Sequence[Draft]:
    """The drafts that were changed last."""
    return session.exec(select(Draft).order_by(col(Draft.updated_at).desc(), col(Draft.id)).limit(limit)).all()


def covers(session: Session, draft_ids: Sequence[str]) -> dict[str, Cover]:
    """The covers of drafts by id; those without assets are left out."""
    made = col(DraftAsset.image_id).is_not(None)
    names = sa.func.array_agg(aggregate_order_by(col(DraftAsset.image_file), col(DraftAsset.number))).filter(made)
    found = (
        sa.select(col(DraftAsset.draft_id), sa.func.count(), names)
        .where(col(DraftAsset.draft_id).in_(draft_ids))
        .group_by(col(DraftAsset.draft_id))
    )
    return {
        draft_id: Cover(number, next(filter(None, files or ()), None))
        for draft_id, number, files in session.execute(found)
    }


def of_slug(session: Session, slug: str) -> Draft | None:
    """The draft with that slug that was changed last."""
    found = select(Draft).where(Draft.slug == slug).order_by(col(Draft.updated_at).desc())
    return session.exec(found.limit(1)).first()


def locked_of_slug(session: Session, slug: str) -> Sequence[Draft]:
    """All drafts with that slug, locked in the order of their ids: who locks several never waits crosswise."""
    found = select(Draft).where(Draft.slug == slug).order_by(col(Draft.id)).with_for_update(key_share=True)
    return session.exec(found.execution_options(populate_existing=True)).all()


def of_folder(session: Session, folder: str) -> Draft | None:
    """The draft whose files are in that folder."""
    return session.exec(select(Draft).where(Draft.folder == folder)).first()


def of_source(session: Session, source: str) -> Draft | None:
    """The draft that was imported from there."""
    return session.exec(select(Draft).where(Draft.source == source)).first()


def turn_of_source(session: Session, source: str) -> None:
    """Let nobody else make a draft of ``source`` until the transaction ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(source, _SOURCE_LOCK))))


def assets_of(session: Session, draft_id: str) -> Sequence[DraftAsset]:
    """The draft's assets by number."""
    return session.exec(
        select(DraftAsset).where(DraftAsset.draft_id == draft_id).order_by(col(DraftAsset.number))
    ).all()


def get_asset(session: Session, draft_id: str, number: int) -> DraftAsset:
    """One asset. Raises ``NotFound`` (``draft_asset_not_found``)."""
    asset = session.get(DraftAsset, (draft_id, number), populate_existing=True)
    if asset is None:
        raise NotFound(
            f"draft {draft_id} has no asset {number:02d}", code="draft_asset_not_found", asset_id=f"{number:02d}"
        )
    return asset


def versions_of(session: Session, draft_id: str, number: int) -> Sequence[DraftAssetVersion]:
    """The asset's earlier versions, newest first."""
    found = select(DraftAssetVersion).where(DraftAssetVersion.draft_id == draft_id, DraftAssetVersion.number == number)
    return session.exec(found.order_by(col(DraftAssetVersion.version).desc())).all()


def songs_of(session: Session, draft_id: str) -> Sequence[DraftSong]:
    """The draft's songs in the languages' order."""
    found = session.exec(select(DraftSong).where(DraftSong.draft_id == draft_id)).all()
    order = {language: index for index, language in enumerate(UNIVERSE_LANGUAGES)}
    return sorted(found, key=lambda song: order.get(song.language, len(order)))  # type: ignore[call-overload]


def get_song(session: Session, draft_id: str, language: str) -> DraftSong | None:
    """The song in that language."""
    return session.get(DraftSong, (draft_id, language), populate_existing=True)


def refusal_of(session: Session, draft: Draft, content_hash: str) -> str | None:
    """The note of the last decision, where that refused just this content since a run waits for one."""
    found = select(DraftApproval).where(DraftApproval.draft_id == draft.id)
    last = session.exec(found.order_by(col(DraftApproval.created_at).desc()).limit(1)).first()
    if last is None or last.approved or last.content_hash != content_hash or draft.waiting_since is None:
        return None
    return last.note if last.created_at > draft.waiting_since else None


def stale_folders(session: Session) -> Sequence[str]:
    """Ids of drafts whose folder does not show their last change."""
    return session.exec(select(Draft.id).where(col(Draft.written_version) < col(Draft.version))).all()


def of_source_hash(session: Session, prefix: str, source_hash: str) -> Draft | None:
    """The draft that was imported from the same contents at a source that begins with ``prefix``."""
    found = select(Draft).where(Draft.source_hash == source_hash, col(Draft.source).startswith(prefix, autoescape=True))
    return session.exec(found.order_by(col(Draft.created_at)).limit(1)).first()


def free_id(session: Session, wanted: str | None = None) -> str:
    """The ``wanted`` id where no draft has it, else a new one."""
    if wanted is not None and session.get(Draft, wanted) is None:
        return wanted
    return secrets.token_hex(4)
