"""Put up what keeps both shapes together, and take it down again."""

import time

from maquette.errors import InvalidInput
from maquette.migrating import triggers
from maquette.migrating.ddl import with_short_lock
from maquette.migrating.definition import DocumentMigration
from maquette.migrating.models import SCHEMA, Phase, PhaseReport, Statement
from maquette.migrating.source import Source
from maquette.migrating.work import Work
from maquette.rehearsal import crash_point


def statements(source: Source, migration: DocumentMigration, server_version: int) -> list[Statement]:
    """What ``expand`` executes, in one transaction. ``server_version`` as libpq gives it: 150004.

    Raises ``InvalidInput`` where the table's columns bear names that the engine needs.
    """
    taken = sorted({*triggers.NEW_COLUMNS} & ({*migration.columns, migration.key} | ({"is_new"} & {*source.types})))
    if taken:
        raise InvalidInput(f"the columns {', '.join(taken)} of {source.full_name} bear names that the engine needs")
    writers = ("ShareRowExclusiveLock", "writers of the table, while this transaction lasts; nobody who reads")
    nobody = ("AccessExclusiveLock on what is made", "nobody: nothing uses it yet")
    told = []
    for text in triggers.scaffold(source, migration, server_version):
        lock, blocks = writers if text.startswith("CREATE TRIGGER") else nobody
        told.append(Statement(phase=Phase.EXPAND, sql=text, lock=lock, blocks=blocks))
    return told + [
        Statement(
            phase=Phase.EXPAND, sql=text, lock="as the migration's own statement takes it", blocks="see the statement"
        )
        for text in migration.before
    ]


def expand(work: Work) -> PhaseReport:
    """Make the new table, the triggers and the view, at one stroke; from then on every write is noted.

    A writer under way is waited for: the triggers' lock is not granted before it ended, so what it wrote is there
    when the backfill reads, and whoever writes later, however old its transaction, meets the triggers.
    Raises ``Conflict`` (``busy``) where the lock is not to be had for a minute.
    """
    started = time.perf_counter()
    tries = 0
    if not is_expanded(work):
        planned = statements(work.source, work.migration, work.connection.info.server_version)
        forget = f"DELETE FROM {SCHEMA}.changes WHERE migration = '{work.migration.name}'"
        tries = with_short_lock(work, [forget, *planned], mode="SHARE ROW EXCLUSIVE")
    crash_point("migrating-after-expand")
    return PhaseReport(
        phase=Phase.EXPAND,
        seconds=time.perf_counter() - started,
        longest_lock_ms=work.longest_lock_ms,
        detail={"tries": tries},
    )


def withdraw(work: Work) -> None:
    """Take all of it down, with what stands in the new table. Whoever reads the view must have stopped."""
    forget = f"DELETE FROM {SCHEMA}.changes WHERE migration = '{work.migration.name}'"
    with_short_lock(work, [*triggers.withdrawal(work.source, work.migration), forget])


def is_expanded(work: Work) -> bool:
    """Is the new table there?"""
    return work.connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", [work.source.new_table.as_string()]
    ).fetchone() == (True,)
