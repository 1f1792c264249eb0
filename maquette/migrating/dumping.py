"""A backup's folder: the database's dump and tables as rows, of one snapshot, with a manifest; whole or not there.

::

    <folder>/database.dump          pg_dump's custom format, for pg_restore
             1-public.notes.copy.gz  the rows of one table, for COPY … FROM
             manifest.json           what is there, of which moment, with sizes and hashes
             SHA256SUMS              of all files, for sha256sum --check
"""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import psycopg
from pydantic import BaseModel, ValidationError

from maquette.errors import ConfigurationError, StackError, StorageError
from maquette.migrating import contents, tools
from maquette.migrating.contents import Content
from maquette.migrating.source import Connection

DUMP: Final = "database.dump"
MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"


class File(BaseModel):
    """One file of a backup."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a backup holds. ``subject`` is the migration's name, or what else it was made for."""

    format: int = 1
    subject: str
    run_id: UUID
    database: str
    taken_at: datetime
    """Of the snapshot, by the database's clock."""
    server_version: str
    tool_version: str
    tables: list[Content]
    files: list[File]


def unusable(reason: str) -> StorageError:
    """The error of a backup that must not be trusted."""
    return StorageError(f"{reason}: nothing further runs", code="backup_unusable", reason=reason)


def take(
    url: str,
    folder: Path,
    *,
    subject: str,
    run_id: UUID,
    choose: Callable[[Connection], Sequence[Content]],
    keep_rows: bool = True,
) -> Manifest:
    """Back the database up into ``folder``, which appears when all of it is on the disk.

    ``choose`` names the tables that are hashed, and kept as rows too with ``keep_rows``. The dump and they show one
    moment, whoever writes meanwhile. Raises ``StorageError``, ``ConfigurationError``, ``StackError``.
    """
    with contents.database_errors("the backup"), contents.reading(url) as connection, _whole(folder) as partial:
        found = tools.find_tools(connection)
        require_free_disk(connection, partial)
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            row = connection.execute("SELECT pg_export_snapshot(), transaction_timestamp()").fetchone()
            assert row is not None
            snapshot, taken_at = row
            dump = partial / DUMP
            arguments = [f"--snapshot={snapshot}", f"--lock-wait-timeout={contents.LOCK_WAIT_MS}", f"--file={dump}"]
            with tools.started(found.dump, ["--format=custom", *arguments], url) as ended:
                tables = [
                    _copied(connection, table, partial if keep_rows else None, number)
                    for number, table in enumerate(choose(connection), 1)
                ]
                _require_dump(ended())
        names = [DUMP, *(table.file for table in tables if table.file)]
        manifest = Manifest(
            subject=subject,
            run_id=run_id,
            database=connection.info.dbname,
            taken_at=taken_at,
            server_version=connection.info.parameter_status("server_version") or "",
            tool_version=found.version,
            tables=tables,
            files=[_file(partial / name) for name in names],
        )
        (partial / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        sums = [*manifest.files, _file(partial / MANIFEST)]
        (partial / SUMS).write_text("".join(f"{file.sha256}  {file.name}\n" for file in sums), encoding="utf-8")
    return manifest


def check_files(folder: Path) -> Manifest:
    """The manifest, once all files were found as they were written.

    Raises ``StorageError`` (``backup_unusable``) with the file that is not.
    """
    try:
        sums: dict[str, str] = {}
        for line in (folder / SUMS).read_text("utf-8").splitlines():
            sha256, name = line.split("  ", 1)
            sums[name] = sha256
        if sums.get(MANIFEST) != _file(folder / MANIFEST).sha256:
            raise unusable(f"{folder / MANIFEST} is not as it was written")
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, ValidationError) as error:
        raise unusable(f"{folder} holds no whole backup ({_short(error)})") from error
    for file in manifest.files:
        path = folder / file.name
        if not path.is_file():
            raise unusable(f"{path} is missing")
        size_bytes = path.stat().st_size
        if size_bytes != file.size_bytes:
            raise unusable(f"{path} has {size_bytes:,} bytes and not {file.size_bytes:,}")
        if not file.sha256 == _file(path).sha256 == sums.get(file.name):
            raise unusable(f"{path} is not as it was written")
    for table in manifest.tables:
        if table.file is None:
            continue
        try:
            with (folder / table.file).open("rb") as packed:
                held = contents.of_file(packed)
        except (OSError, EOFError) as error:
            raise unusable(f"{folder / table.file} cannot be read ({_short(error)})") from error
        if held != (table.rows, table.sha256):
            raise unusable(f"{folder / table.file} holds other rows than its manifest says")
    return manifest


def restore(folder: Path, manifest: Manifest, url: str, *, with_owners: bool = False) -> list[str]:
    """Restore the dump into the empty database of ``url``; what could not be made, in PostgreSQL's words.

    Such as extensions and event triggers, which take a superuser: ``compare`` judges whether the rows are all there.
    Publications and subscriptions are left out: a copy must not speak to other servers.
    """
    with contents.reading(url, name="maquette restore") as connection:
        found = tools.find_tools(connection, at_least=int(manifest.tool_version.split(".")[0]))
        database = connection.info.dbname
    arguments = [f"--dbname={database}", "--no-publications", "--no-subscriptions"]
    if not with_owners:
        arguments += ["--no-owner", "--no-privileges", "--no-comments", "--no-security-labels"]
    with tools.started(found.restore, [*arguments, str(folder / DUMP)], url) as wait:
        ended = wait()
    tools.require_room(ended, "to restore the backup")
    if ended.code < 0:
        raise unusable(f"pg_restore was ended by signal {-ended.code}")
    return [line.partition("error: ")[2] for line in ended.lines if ": error: " in line]


def compare(url: str, manifest: Manifest, warnings: Sequence[str] = ()) -> None:
    """Does the database hold what the manifest says? Raises ``StorageError`` (``backup_unusable``)."""
    said = f" (pg_restore: {'; '.join(warnings[-3:])})" if warnings else ""
    with contents.reading(url, name="maquette compare") as connection:
        for table in manifest.tables:
            try:
                held = contents.read(connection, table)
            except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
                raise unusable(f"{table.table} could not be restored{said}") from error
            if held.rows != table.rows:
                raise unusable(f"{table.table} had {table.rows:,} rows, the restored one has {held.rows:,}{said}")
            if held.sha256 != table.sha256:
                raise unusable(f"{table.table} was restored with other contents{said}")


def require_free_disk(connection: Connection, folder: Path) -> None:
    """Raises ``StorageError`` (``storage_full``) where the dump, or its restore beside the database, has no room.

    A dump is smaller than the database, whose indexes are not in it: its size is the bound. How much room a server
    elsewhere has cannot be asked.
    """
    row = connection.execute(
        "SELECT pg_database_size(current_database()), (SELECT setting FROM pg_settings WHERE name = 'data_directory')"
    ).fetchone()
    assert row is not None
    size: int = row[0]
    needed = {folder: size}
    # The place is shown to superusers and members of pg_read_all_settings.
    data = Path(row[1]) if row[1] and _is_here(connection) else None
    with suppress(OSError):
        if data is not None and data.is_dir():
            same = data.stat().st_dev == folder.stat().st_dev
            needed = {folder: 2 * size} if same else {folder: size, data: size}
    for place, size_bytes in needed.items():
        free = shutil.disk_usage(place).free
        if free < size_bytes:
            raise StorageError(
                f"{place} has {free / 1e6:,.0f} MB free, the backup and its check may take {size_bytes / 1e6:,.0f} MB: "
                "free some space, or choose another folder",
                code="storage_full",
            )


def _is_here(connection: Connection) -> bool:
    return connection.info.host.startswith("/") or connection.info.hostaddr in ("127.0.0.1", "::1")


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A folder that takes its name when all in it is on the disk; leftovers of killed runs go first."""
    partial = folder.with_name(f".{folder.name}.{uuid4().hex}.part")
    try:
        for leftover in folder.parent.glob(f".{folder.name}.*.part"):
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir(parents=True, mode=0o700)
        yield partial
        for path in [*partial.iterdir(), partial]:
            _sync(path)
        partial.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageError(
                f"no room left for the backup in {folder.parent}: free some space, then start again",
                code="storage_full",
            ) from error
        raise StorageError(
            f"the backup {folder} cannot be written ({error.strerror}): make the folder writable"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _copied(connection: Connection, table: Content, folder: Path | None, number: int) -> Content:
    if folder is None:
        return contents.read(connection, table)
    name = f"{number}-{re.sub(r'[^A-Za-z0-9_.-]', '_', table.table)}.copy.gz"
    with (folder / name).open("wb") as file:
        return contents.read(connection, table, into=file).model_copy(update={"file": name})


def _require_dump(ended: tools.Ended) -> None:
    if ended.code == 0:
        return
    tools.require_room(ended, "for the dump")
    if "permission denied" in ended.reason:
        raise ConfigurationError(f"the role may not read all of the database ({ended.reason}): use one that may")
    raise StackError(f"pg_dump ended with {ended.code} ({ended.reason}): put that right, then start again")


def _file(path: Path) -> File:
    with path.open("rb") as file:
        return File(
            name=path.name, size_bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest()
        )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _short(error: Exception) -> str:
    return error.strerror or "unreadable" if isinstance(error, OSError) else type(error).__name__
