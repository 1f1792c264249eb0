"""The folder of a draft: its documents and files as other tools read them, rewritten at each change.

``drafts/{folder}/`` holds ``metadata.json``, ``assets_metadata.json``, ``words.json``, ``data.json``, ``assets/`` and
``thumbnails/``. Each document is replaced at one stroke; files are links to the store's objects. The database is the
truth: what a crash left unwritten, the next look at ``stale_folders`` writes.
"""

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

from pydantic import BaseModel, JsonValue

from maquette.db.engine import Database
from maquette.drafts import repository
from maquette.drafts.documents import Whole, asset_metadata, data_document, metadata, whole, words_document
from maquette.drafts.tables import Draft
from maquette.errors import NotFound, StorageError
from maquette.settings import Settings
from maquette.storage.port import Store

log = logging.getLogger(__name__)


def root_of(settings: Settings) -> Path:
    """Where the drafts' folders are."""
    return settings.home.expanduser().absolute() / "drafts"


def rewrite(database: Database, store: Store, settings: Settings, draft_id: str) -> Path:
    """Bring the draft's folder to what the database says; its path.

    Writers of one draft take turns and read inside their turn, so that an older state never replaces a newer one.
    Raises ``NotFound``, ``StorageError``.
    """
    repository.require_id(draft_id)
    root = root_of(settings)
    try:
        with turn(settings, draft_id):
            with database.begin() as session:
                found = whole(session, repository.get_draft(session, draft_id))
            folder = root / found.draft.folder
            write_documents(folder, found)
            _link_files(folder, store, found)
            for torn in folder.glob(".*.part"):  # of a process that was killed: nobody else writes now
                torn.unlink(missing_ok=True)
            with database.begin() as session:
                repository.note(session, draft_id, written_version=found.draft.version)
    except OSError as error:
        raise StorageError(
            f"the folder of draft {draft_id} below {root} cannot be written ({error.strerror}): free its place"
        ) from error
    return folder


def follow(database: Database, store: Store, settings: Settings, draft_id: str) -> bool:
    """``rewrite`` after a change that has been committed, which no trouble with files takes back; whether it was.

    A folder that cannot be written stays behind until the reconciler's next pass.
    """
    try:
        rewrite(database, store, settings, draft_id)
    except NotFound:  # deleted meanwhile
        return False
    except StorageError as error:
        log.warning("%s; it is written later", error)
        return False
    return True


def rewrite_stale(database: Database, store: Store, settings: Settings) -> int:
    """Rewrite the folders that do not show their draft's last change; how many."""
    with database.begin() as session:
        stale = repository.stale_folders(session)
    return sum(follow(database, store, settings, draft_id) for draft_id in stale)


def remove(settings: Settings, folder: str) -> None:
    """Remove a draft's folder, in the draft's turn. Raises ``StorageError``."""
    place = root_of(settings) / folder
    try:
        with suppress(FileNotFoundError):
            shutil.rmtree(place)
    except OSError as error:
        raise StorageError(
            f"the folder {place} cannot be removed ({error.strerror}): free it, then delete the draft again"
        ) from error


@contextmanager
def turn(settings: Settings, draft_id: str, *, last: bool = False) -> Iterator[None]:
    """The draft's folder alone, among all processes of this home; ``last`` where the draft is deleted in it.

    To be taken before the draft's row is locked, never after.
    """
    turns = root_of(settings) / ".turns"
    place = turns / draft_id
    try:
        turns.mkdir(parents=True, exist_ok=True)
        lock = place.open("a")
    except OSError as error:
        raise StorageError(f"{place} cannot be written ({error.strerror}): free its place") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        except NotFound:  # who is gone needs no turns
            place.unlink(missing_ok=True)
            raise
        if last:
            place.unlink(missing_ok=True)


def write_documents(folder: Path, found: Whole) -> None:
    """Write the four documents into ``folder``, each atomically. Raises ``OSError``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "metadata.json", _with_extra(found.draft, "metadata", metadata(found)))
    known = found.draft.extra.get("assets", {})
    entries = [
        {**known.get(f"{asset.number:02d}", {}), **asset_metadata(asset).model_dump(mode="json")}
        for asset in found.assets
    ]
    write_json(folder / "assets_metadata.json", entries)
    write_json(folder / "words.json", words_document(found))
    write_json(folder / "data.json", data_document(found))


def write_json(path: Path, document: object) -> None:
    """Replace ``path`` by the document, as the existing tools write it, at one stroke. Raises ``OSError``."""
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=2, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def files_of(found: Whole) -> dict[str, UUID]:
    """The draft's files by their names within its folder: what lies in ``assets/`` and in ``thumbnails/``."""
    names: dict[str, UUID | None] = {}
    for asset in found.assets:
        if asset.image_file:
            names[f"assets/{asset.image_file}"] = asset.image_id
            names[f"thumbnails/{Path(asset.image_file).stem}.jpg"] = asset.thumbnail_id
        if asset.video_file:
            names[f"assets/{asset.video_file}"] = asset.video_id
            names[f"assets/{Path(asset.video_file).stem}.mp4"] = asset.mp4_id or (
                asset.video_id if asset.video_file.endswith(".mp4") else None
            )
    for song in found.songs:
        if song.audio_file:
            names[f"assets/{song.audio_file}"] = song.audio_id
    return {name: asset_id for name, asset_id in names.items() if asset_id is not None}


def _link_files(folder: Path, store: Store, found: Whole) -> None:
    wanted = {name: found.files[asset_id].key for name, asset_id in files_of(found).items() if asset_id in found.files}
    for name, key in wanted.items():
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        try:
            source = store.path(key)
        except NotFound:  # somebody removed the object: the row still tells what it was
            continue
        if not (target.exists() and target.samefile(source)):
            part = target.with_name(f".{uuid4().hex}.part")
            os.link(source, part)
            part.replace(target)
    for there in (*folder.glob("assets/*"), *folder.glob("thumbnails/*")):
        if there.relative_to(folder).as_posix() not in wanted and not there.is_dir():
            there.unlink(missing_ok=True)


def _with_extra(draft: Draft, name: str, document: BaseModel) -> Mapping[str, JsonValue]:
    own: dict[str, JsonValue] = document.model_dump(mode="json")
    kept = draft.extra.get(name)
    return {**kept, **own} if isinstance(kept, dict) else own
