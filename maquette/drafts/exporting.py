"""A draft as a folder of its own: documents and files as copies, to keep or to bring to another machine."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

from pydantic import ValidationError

from maquette.db.engine import Database
from maquette.drafts import repository
from maquette.drafts.arrivals import IMPORTED
from maquette.drafts.documents import Whole, content_hash, subject_of, whole
from maquette.drafts.folder import files_of, write_documents, write_json
from maquette.drafts.legacy_media import FILE
from maquette.drafts.legacy_reading import KNOWN, OWN, Own
from maquette.drafts.sources import name_problem, sha256_of
from maquette.errors import Conflict, InvalidInput, StorageError
from maquette.library import service as library
from maquette.library.models import Asset
from maquette.settings import Settings
from maquette.storage.port import Store


def export_folder(
    database: Database, store: Store, settings: Settings, draft_id: str, target: Path, *, overwrite: bool = False
) -> Path:
    """Write the draft as a self-contained folder; its path. It appears when it is whole.

    It holds the documents of the draft's own folder, ``assets/``, ``thumbnails/``, what an import kept beside, and
    ``maquette.json`` with what the older documents have no place for. ``import_folder`` makes an equal draft of it.

    Raises ``NotFound`` for the draft or a file that the store lost, ``Conflict`` where ``target`` is there already,
    unless ``overwrite`` is set and it is an earlier export of this draft, and ``StorageError``.
    """
    target = target.expanduser().absolute()
    _require_free(target, draft_id, overwrite=overwrite)
    with database.begin() as session:
        found = whole(session, repository.get_draft(session, draft_id))
        others = library.of_kind(session, subject_of(draft_id), FILE)
    part = target.with_name(f".{target.name}.{uuid4().hex}.part")
    try:
        _write(part, store, found, {asset.title: asset for asset in others})
        _move(part, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"no space left for {target}: free some, then export again", code="storage_full"
            ) from error
        raise StorageError(f"{target} cannot be written ({error.strerror}): choose another place") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _require_free(target: Path, draft_id: str, *, overwrite: bool) -> None:
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise Conflict(f"{target} is there already: choose another place, or allow an earlier export to be replaced")
    if target.is_symlink() or _exported_id(target) != draft_id:
        raise Conflict(
            f"{target} is no earlier export of draft {draft_id}: nothing else is replaced, choose another place"
        )


def _exported_id(target: Path) -> str | None:
    with suppress(OSError, ValidationError):
        return Own.model_validate_json((target / OWN).read_bytes()).draft_id
    return None


def _write(part: Path, store: Store, found: Whole, others: dict[str, Asset]) -> None:
    write_documents(part, found)
    write_json(part / OWN, _own(found).model_dump(mode="json"))
    for name, document in found.draft.extra.get("documents", {}).items():
        _require_name(name)
        write_json(part / name, document)
    for name, text in found.draft.extra.get("texts", {}).items():
        _require_name(name)
        (part / name).write_text(text, encoding="utf-8", newline="")
    for name, asset in _files(found, others):
        place = part / name
        _require_name(place.name)
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(store.path(asset.key), place)
        if sha256_of(place) != asset.sha256:
            raise StorageError(
                f"{name} of draft {found.draft.id} is damaged in the store: make it anew, then export again"
            )
    for folder in (part / "assets", part / "thumbnails", part):
        if folder.exists():
            _sync(folder)


def _files(found: Whole, others: dict[str, Asset]) -> Iterator[tuple[str, Asset]]:
    named: dict[str, UUID] = files_of(found)
    for name, asset_id in named.items():
        if asset_id in found.files:
            yield name, found.files[asset_id]
    for name, asset in others.items():
        if f"assets/{name}" not in named:
            yield f"assets/{name}", asset


def _own(found: Whole) -> Own:
    draft = found.draft
    return Own.model_validate(
        {
            "format": 1,
            "draft_id": draft.id,
            "content_hash": content_hash(found),
            "seed": draft.seed,
            "require_approval": draft.require_approval,
            "objects_prompt": draft.objects_prompt,
            "music_prompt": draft.music_prompt,
            "assets": {
                f"{asset.number:02d}": {
                    "takes": asset.takes, "version": asset.version, "generation_count": asset.generation_count,
                }
                for asset in found.assets
            },
            "songs": {
                song.language: {
                    "takes": song.takes,
                    "generated_at": song.generated_at.isoformat() if song.generated_at else None,
                    "audio_file": song.audio_file,
                }
                for song in found.songs
            },
            "extra": {name: kept for name, kept in draft.extra.items() if name not in (IMPORTED, "documents", "texts")},
        }
    )  # fmt: skip


def _require_name(name: str) -> None:
    if name in KNOWN or (reason := name_problem(name)) is not None:
        raise InvalidInput(f"the draft holds a file {name!r} that cannot be exported: its name {reason}")


def _move(part: Path, target: Path) -> None:
    """Let the finished folder take its place; what was there before is moved aside first, and back on a failure."""
    if not target.exists():
        part.rename(target)
        _sync(target.parent)
        return
    old = part.with_suffix(".old")
    target.rename(old)
    try:
        part.rename(target)
    except OSError:
        old.rename(target)
        raise
    _sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
