"""The backup of a migration: taken, restored into a scratch database and compared, or nothing further runs."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from pydantic import BaseModel

from maquette.migrating import contents, dumping, scratch
from maquette.migrating.contents import Content
from maquette.migrating.dumping import Manifest
from maquette.migrating.models import Phase, PhaseReport
from maquette.migrating.scratch import Scratch
from maquette.migrating.source import Connection, Source
from maquette.migrating.work import Work
from maquette.rehearsal import crash_point

FOLDER: Final = "backup"
_PURPOSE: Final = "restored"


class Verified(BaseModel):
    """A backup that was restored and found to hold what its manifest says."""

    folder: Path
    subject: str
    database: str
    taken_at: datetime
    size_bytes: int
    rows: dict[str, int]
    """By table."""
    sha256: dict[str, str]
    """Of the rows, by table."""
    warnings: list[str]
    """What the restore could not make, such as extensions; the rows are all there."""
    seconds: float


def back_up(work: Work) -> PhaseReport:
    """Dump the database and copy the table with its children, of one snapshot; restore, and compare.

    The backup takes its name before it is restored, so a killed run checks again what it finds. With
    ``options.rehearse`` the restored database waits for ``restored``. Raises ``StorageError`` (``backup_unusable``,
    ``storage_full``), ``ConfigurationError``.
    """
    started = time.perf_counter()
    folder = work.folder / FOLDER
    beside = work.scratch_url or work.url
    scratch.drop_leftovers(beside, but=_name(work))
    if not folder.exists():
        dumping.take(
            work.url,
            folder,
            subject=work.migration.name,
            run_id=work.run.id,
            choose=lambda connection: _with_children(connection, work.source),
        )
    work.require_hold()
    taken_s = time.perf_counter() - started
    with restored(work) as (found, manifest, warnings):
        found.kept = work.options.rehearse
    work.require_hold()
    crash_point("migrating-after-backup")
    return PhaseReport(
        phase=Phase.BACKUP,
        seconds=time.perf_counter() - started,
        rows=manifest.tables[0].rows,
        longest_lock_ms=work.longest_lock_ms,
        detail={
            "folder": str(folder),
            "taken_at": manifest.taken_at.isoformat(),
            "size_bytes": sum(file.size_bytes for file in manifest.files),
            "server": manifest.server_version,
            "pg_dump": manifest.tool_version,
            "tables": {table.table: {"rows": table.rows, "sha256": table.sha256} for table in manifest.tables},
            "taken_s": round(taken_s, 3),
            "restored_s": round(time.perf_counter() - started - taken_s, 3),
            "warnings": [*warnings],
        },
    )


def verify(folder: Path, *, url: str, scratch_url: str | None = None) -> Verified:
    """Check a backup again from its files alone: sizes and hashes, then a restore on the server of ``url``.

    Raises ``StorageError`` (``backup_unusable``) with what is wrong.
    """
    started = time.perf_counter()
    manifest = dumping.check_files(folder)
    with (
        contents.database_errors("the check of the backup"),
        scratch.scratch_database(url, scratch.name_of(uuid4(), "verify"), server_url=scratch_url) as made,
    ):
        warnings = dumping.restore(folder, manifest, made.url)
        dumping.compare(made.url, manifest, warnings)
    return Verified(
        folder=folder,
        subject=manifest.subject,
        database=manifest.database,
        taken_at=manifest.taken_at,
        size_bytes=sum(file.size_bytes for file in manifest.files),
        rows={table.table: table.rows for table in manifest.tables},
        sha256={table.table: table.sha256 for table in manifest.tables},
        warnings=warnings,
        seconds=time.perf_counter() - started,
    )


@contextmanager
def restored(work: Work) -> Iterator[tuple[Scratch, Manifest, Sequence[str]]]:
    """The run's backup, restored and compared; the database that ``back_up`` kept is used where it is still there."""
    folder = work.folder / FOLDER
    beside = work.scratch_url or work.url
    name = _name(work)
    manifest = dumping.check_files(folder)
    # Its mark is written when it was compared, so a half restored one never counts.
    text = f"maquette: {hashlib.sha256((folder / dumping.MANIFEST).read_bytes()).hexdigest()}"
    if scratch.find(beside, name, text):
        found = Scratch(scratch.at(beside, name), name)
        try:
            yield found, manifest, []
        finally:
            if not found.kept:
                scratch.drop(beside, name)
        return
    scratch.drop(beside, name)
    with scratch.scratch_database(work.url, name, server_url=work.scratch_url) as made:
        warnings = dumping.restore(folder, manifest, made.url)
        dumping.compare(made.url, manifest, warnings)
        scratch.mark(beside, name, text)
        yield made, manifest, warnings


def _name(work: Work) -> str:
    return scratch.name_of(work.run.id, _PURPOSE)


def _with_children(connection: Connection, source: Source) -> list[Content]:
    names = [source.full_name, *(child.table_name for child in source.children)]
    return [contents.describe(connection, *name.split(".", 1)) for name in dict.fromkeys(names)]
