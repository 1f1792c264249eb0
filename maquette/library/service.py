"""Keep what was made: the file first, its row in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from pydantic import JsonValue
from sqlmodel import Session, col, delete, select, update

from maquette.db.engine import Database
from maquette.db.types import now
from maquette.errors import NotFound
from maquette.library.models import Asset
from maquette.settings import Settings
from maquette.storage.port import Store, StoredFile


@dataclass(frozen=True)
class Shown:
    """Whose an asset is, what it delivers, and how the library shows it; nothing of it for what is in the making."""

    brand_id: UUID | None = None
    order_id: UUID | None = None
    item_id: UUID | None = None
    listed: bool = False
    title: str = ""
    ratio: str | None = None
    width: int | None = None
    height: int | None = None
    slide_index: int | None = None
    public_id: str | None = None
    tags: Sequence[str] = ()
    text: Mapping[str, JsonValue] | None = None
    expires_at: datetime | None = None


MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mp3": "audio/mpeg",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}


def add(
    session: Session,
    file: StoredFile,
    *,
    subject: str,
    kind: str,
    provenance: Mapping[str, JsonValue] | None = None,
    shown: Shown | None = None,
) -> Asset:
    """The asset's row for a stored file. Until it commits, the file is an orphan that will be swept."""
    asset = Asset(
        subject=subject,
        kind=kind,
        key=file.key,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        media_type=MEDIA_TYPES.get(Path(file.key).suffix, "application/octet-stream"),
        provenance=dict(provenance or {}),
    )
    for name, value in vars(shown or Shown()).items():
        setattr(asset, name, list(value) if name == "tags" else value)
    session.add(asset)
    session.flush()
    return asset


def unlist(session: Session, subject: str, kind: str) -> None:
    """Take what was made before of ``subject`` out of the library; its rows stay."""
    session.execute(
        update(Asset)
        .where(col(Asset.subject) == subject, col(Asset.kind) == kind, col(Asset.listed))
        .values(listed=False)
    )


def get(session: Session, asset_id: UUID) -> Asset:
    """The asset. Raises ``NotFound``."""
    asset = session.get(Asset, asset_id)
    if asset is None:
        raise NotFound(f"there is no asset {asset_id}", code="asset_not_found")
    return asset


def by_ids(session: Session, asset_ids: Sequence[UUID]) -> dict[UUID, Asset]:
    """Those of the assets that are there."""
    found = session.exec(select(Asset).where(col(Asset.id).in_(asset_ids))).all()
    return {asset.id: asset for asset in found}


def get_of_brand(session: Session, asset_id: UUID, *, brand_id: UUID) -> Asset:
    """The asset, where it is the brand's or nobody's. Raises ``NotFound``, which does not tell the two apart."""
    asset = session.get(Asset, asset_id)
    if asset is None or asset.brand_id not in (None, brand_id):
        raise NotFound(f"there is no asset {asset_id} of brand {brand_id}", code="asset_not_found")
    return asset


def delivered(session: Session, item_ids: Sequence[UUID]) -> Sequence[Asset]:
    """What was delivered for these items."""
    found = (
        select(Asset).where(col(Asset.item_id).in_(item_ids)).order_by(col(Asset.slide_index), col(Asset.created_at))
    )
    return session.exec(found).all()


def expiry(moment: datetime, settings: Settings) -> datetime:
    """Until when media that is made at ``moment`` is kept."""
    return moment + timedelta(days=settings.media_keep_days)


def newest(session: Session, subject: str, kind: str) -> Asset | None:
    """The asset of that kind made last."""
    found = select(Asset).where(Asset.subject == subject, Asset.kind == kind)
    return session.exec(found.order_by(col(Asset.created_at).desc()).limit(1)).first()


def of_kind(session: Session, subject: str, kind: str) -> Sequence[Asset]:
    """All assets of a kind, slides in their order."""
    found = select(Asset).where(Asset.subject == subject, Asset.kind == kind)
    return session.exec(found.order_by(col(Asset.slide_index), col(Asset.created_at))).all()


def replace(session: Session, asset: Asset, file: StoredFile, *, text: Mapping[str, JsonValue] | None) -> None:
    """Let the asset show another file, such as a slide with new words; its id stays, its old file is swept later."""
    asset.key, asset.sha256, asset.size_bytes = file.key, file.sha256, file.size_bytes
    asset.media_type = MEDIA_TYPES.get(Path(file.key).suffix, "application/octet-stream")
    asset.text = None if text is None else dict(text)
    session.flush()


def forget(session: Session, subject: str) -> None:
    """Drop the rows of ``subject``; files that nothing refers to any more are swept later."""
    session.execute(delete(Asset).where(col(Asset.subject) == subject))


def sweep(database: Database, store: Store, *, older_than_s: float) -> int:
    """Remove files that no row refers to and that are older than the grace; how many.

    The grace covers the moment between a file's writing and its row's commit.
    """
    with database.begin() as session:
        moment = now(session) - timedelta(seconds=older_than_s)
    removed = store.sweep_temporary(moment)
    for key in list(store.keys_older_than(moment)):
        with database.begin() as session:
            needed = select(Asset.id).where(Asset.key == key, col(Asset.expired_at).is_(None))
            if session.exec(needed.limit(1)).first() is None:
                store.delete(key)
                removed += 1
    return removed
