"""The plan: what a migration would do to this database, found by reading alone."""

import hashlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psycopg
from pydantic import JsonValue

from maquette.migrating import constraints, dry_run, exact, expanding, groups, prechecks
from maquette.migrating.archiving import find_table
from maquette.migrating.constraints import Uniqueness
from maquette.migrating.definition import DocumentMigration
from maquette.migrating.dry_run import Looked
from maquette.migrating.models import Options, Plan, Statement
from maquette.migrating.source import Connection, Source, connect, read_source
from maquette.settings import get_settings

LOOK_S: Final = 60.0
"""Seconds in which rows are brought over for trial; a table that takes longer is looked at in part."""
LISTED: Final = 100
_COMPARE_S: Final = 10.0

# Assumed where nothing can be measured without writing: bytes a second of dump, restore and comparison together, and
# seconds for a duplicate.
_COPIED_BYTES_S: Final = 15e6
_DUPLICATE_S: Final = 0.003
# The dump, and the database that it is restored into for the check.
_COPIES: Final = 2


def make_plan(
    url: str, migration: DocumentMigration, options: Options, *, folder: Path | None = None, look_s: float = LOOK_S
) -> Plan:
    """Look at the database in one snapshot, without writing anything in it.

    Every row is brought over for trial, for ``look_s`` seconds at most: ``quarantine``, ``oddities``, ``already_new``
    and ``samples`` are of the rows looked at, and a warning tells when these are not all. ``sizes`` are bytes of the
    columns' text, uncompressed. ``folder`` is where backups will go: that of the settings' home unless given.
    Raises ``InvalidInput`` where there is no such table, or its key is not one column.
    """
    connection = connect(url, name="maquette plan")
    try:
        source = read_source(connection, migration)
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            return _plan(connection, source, migration, options, folder=folder or get_settings().home, look_s=look_s)
    finally:
        connection.close()


def _plan(
    connection: Connection,
    source: Source,
    migration: DocumentMigration,
    options: Options,
    *,
    folder: Path,
    look_s: float,
) -> Plan:
    refusals = list(prechecks.refusals(connection, source, migration))
    warnings = list(prechecks.warnings(connection, source, migration))
    rows, size_bytes, database_bytes, version = _figures(connection, source)
    found = 0, 0
    lacking: list[dict[str, JsonValue]] = []
    if migration.unique is not None and source.types.keys() >= {
        *migration.unique.columns,
        *migration.unique.newest_first,
    }:
        try:
            with connection.transaction():
                found = groups.count(connection, source, migration.unique)
        except psycopg.errors.UndefinedFunction as error:
            refusals.append(f"rows cannot be compared for duplicates: {error.diag.message_primary}")
        else:
            lacking, compared = _lacking(connection, source, migration)
            if compared < found[0] and len(lacking) < LISTED:
                warnings.append(f"{compared:,} of {found[0]:,} groups of duplicates were compared, for lack of time")
    looked = dry_run.look(connection, source, migration, within_s=look_s)
    if looked.rows < rows:
        warnings.append(
            f"{looked.rows:,} of {rows:,} rows were looked at in {looked.seconds:.0f} s: oddities, quarantine and "
            "samples are of these alone"
        )
    statements = _statements(connection, source, migration)
    needed = database_bytes * _COPIES
    free = shutil.disk_usage(_there(folder)).free
    if free < database_bytes:
        refusals.append(
            f"{folder} has {free / 1e6:,.0f} MB free, the backup may take {database_bytes / 1e6:,.0f} MB: free some "
            "space, or choose another home"
        )
    warnings.append(
        f"how much room the server has cannot be seen from here: the second shape and the scratch database take up to "
        f"{(database_bytes + size_bytes) / 1e6:,.0f} MB there"
    )
    return Plan(
        hash=_hash(source, migration, options, statements),
        migration=migration.name,
        table=source.full_name,
        server_version=version,
        rows=rows,
        size_bytes=size_bytes,
        duplicate_groups=found[0],
        rows_to_archive=found[1],
        duplicates_lacking=lacking,
        sizes=dry_run.sizes(connection, source, migration),
        oddities=dict(looked.oddities.most_common()),
        quarantine=dict(looked.quarantine.most_common()),
        already_new=looked.already_new,
        statements=statements,
        samples=looked.samples,
        triggers=[*source.triggers],
        free_disk_bytes=free,
        needed_disk_bytes=needed,
        estimate_s=_estimate(looked, options, rows=rows, archived=found[1], database_bytes=database_bytes),
        options=options,
        warnings=warnings,
        refusals=refusals,
    )


def _figures(connection: Connection, source: Source) -> tuple[int, int, int, str]:
    counted = connection.execute(
        psycopg.sql.SQL(
            "SELECT (SELECT count(*) FROM {}), pg_total_relation_size(to_regclass(%s)), "
            "pg_database_size(current_database()), current_setting('server_version')"
        ).format(source.table),
        [source.table.as_string(connection)],
    ).fetchone()
    assert counted is not None  # a SELECT without FROM answers
    return counted


def _lacking(
    connection: Connection, source: Source, migration: DocumentMigration
) -> tuple[list[dict[str, JsonValue]], int]:
    """Groups in which a loser holds what the survivor lacks, and how many groups were compared."""
    rule, until = migration.unique, time.monotonic() + _COMPARE_S
    table = find_table(connection, source.schema, source.name)
    assert rule is not None and table is not None  # asked for only then; read_source has seen it
    listed: list[dict[str, JsonValue]] = []
    compared = 0
    for group in groups.find(connection, source, rule):
        if len(listed) == LISTED or time.monotonic() > until:
            break
        survivor, *losers = groups.read(connection, source, migration, rule, table, group)
        told = {loser.key: groups.lacking(migration, survivor, loser) for loser in losers}
        lacks: dict[str, JsonValue] = {key: [*names] for key, names in told.items() if names}
        if lacks:
            listed.append({"survivor": survivor.key, "archived": [*told], "lacking": lacks})
        compared += 1
    return listed, compared


def _statements(connection: Connection, source: Source, migration: DocumentMigration) -> list[Statement]:
    """What the phases will execute, from the modules that execute it."""
    expansion = expanding.statements(source, migration, connection.info.server_version)
    if migration.unique is None or constraints.uniqueness(connection, source, migration.unique) == Uniqueness.KEPT:
        return expansion
    return [*expansion, *constraints.statements(source, migration)]


def _estimate(looked: Looked, options: Options, *, rows: int, archived: int, database_bytes: int) -> float:
    """Seconds until the run soaks, from the pace of the trial.

    Backfill and validation read and shape each row once more; writing it, and checking it, is taken to cost as much
    again. A rehearsal does all that beforehand.
    """
    pace_s = looked.seconds / looked.rows if looked.rows else 0.0
    migrating_s = rows * pace_s * 4 + archived * _DUPLICATE_S
    copying_s = database_bytes / _COPIED_BYTES_S
    watching_s = options.watch_s * len(options.cohorts)
    return round(copying_s + migrating_s * (2 if options.rehearse else 1) + watching_s, 1)


def _hash(source: Source, migration: DocumentMigration, options: Options, statements: Sequence[Statement]) -> str:
    approved = {
        "migration": [migration.name, migration.digest()],
        "table": [source.full_name, source.key, [*source.types.items()], sorted(source.generated), source.row_security],
        "children": [[child.table_name, child.column, child.on_delete] for child in source.children],
        "triggers": [*source.triggers],
        "statements": [statement.sql for statement in statements],
        "options": options.model_dump(mode="json"),
    }
    return hashlib.sha256(exact.dumps(approved).encode()).hexdigest()


def _there(folder: Path) -> Path:
    """The nearest folder above that exists."""
    absolute = folder.expanduser().absolute()
    return next(place for place in (absolute, *absolute.parents) if place.is_dir())
