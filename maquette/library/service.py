"""Keep what was made: the file first, its row in the caller's transaction."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from pydantic import JsonValue
from sqlmodel import Session, col, delete, select

from maquette.db.engine import Database
from maquette.db.types import now
from maquette.errors import NotFound
from maquette.library.models import Asset
from maquette.storage.port import Store, StoredFile

MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}


def add(
    session: Session, file: StoredFile, *, subject: str, kind: str, provenance: Mapping[str, JsonValue] | None = None
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
    session.add(asset)
    session.flush()
    return asset


def get(session: Session, asset_id: UUID) -> Asset:
    """The asset. Raises ``NotFound``."""
    asset = session.get(Asset, asset_id)
    if asset is None:
        raise NotFound(f"there is no asset {asset_id}")
    return asset


def newest(session: Session, subject: str, kind: str) -> Asset | None:
    """The asset of that kind made last."""
    found = select(Asset).where(Asset.subject == subject, Asset.kind == kind)
    return session.exec(found.order_by(col(Asset.created_at).desc()).limit(1)).first()


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
            if session.exec(select(Asset.id).where(Asset.key == key).limit(1)).first() is None:
                store.delete(key)
                removed += 1
    return removed
