"""One process's hold on one run: its turn, its epoch, its transactions and its books."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from maquette.errors import Conflict, NotFound, StaleLease
from maquette.migrating import control
from maquette.migrating.definition import DocumentMigration
from maquette.migrating.models import ENDED, SCHEMA, Options, Phase, PhaseReport, Run, RunStatus
from maquette.migrating.source import Connection, Source, connect, read_source

APPLYING: Final = "maquette_migrating.applying"
"""A setting of the transaction: the triggers pass over what the engine itself writes."""

_RUN: Final = (
    "SELECT r.id, r.migration, r.table_name, r.status, r.phase, r.epoch, r.plan_hash, r.options, r.error, "
    "r.started_at, r.updated_at, r.cut_over_at, r.ended_at, coalesce(f.percent, 0) AS percent, r.folder "
    f"FROM {SCHEMA}.runs r LEFT JOIN {SCHEMA}.flags f ON f.migration = r.migration "
)


class Work:
    """A held run. Made by ``begin`` and ``resume``; not for several threads at once.

    Whatever writes goes through ``transaction``, which refuses once somebody else took the run over.
    """

    def __init__(
        self, url: str, migration: DocumentMigration, source: Source, connection: Connection, run: Run
    ) -> None:
        self.url = url
        self.migration = migration
        self.source = source
        self.connection = connection
        self.run = run
        self.scratch_url: str | None = None
        """Where a backup may be restored for checking; ``None`` makes a database beside the one that is migrated."""
        self.longest_lock_ms = 0.0
        """Of the current phase: how long a transaction of ours held rows or the table, at most."""

    @property
    def options(self) -> Options:
        """What was approved."""
        return self.run.options

    @property
    def folder(self) -> Path:
        """Where the run's files are: backup, report."""
        return Path(self.run.folder)

    @contextmanager
    def transaction(self, *, holds_locks: bool = True) -> Iterator[Connection]:
        """A transaction that only commits while the run is ours. Raises ``StaleLease``.

        The first statement locks our epoch: taking the run over waits for it, and afterwards nothing is written.
        ``holds_locks`` counts its time as one in which writers may have waited: read and reckon before it.
        """
        started = time.perf_counter()
        with self.connection.transaction():
            self.connection.execute(
                f"SELECT set_config('{APPLYING}', %s, true), set_config('lock_timeout', %s, true)",
                [self.migration.name, f"{self.options.lock_timeout_ms}ms"],
            )
            held = self.connection.execute(
                f"SELECT 1 FROM {SCHEMA}.runs WHERE id = %s AND epoch = %s FOR SHARE", [self.run.id, self.run.epoch]
            ).fetchone()
            if held is None:
                raise StaleLease(f"run {self.run.id} was taken over by another process: this one stops")
            yield self.connection
        if holds_locks:
            self.longest_lock_ms = max(self.longest_lock_ms, (time.perf_counter() - started) * 1000)

    def require_hold(self) -> None:
        """Raises ``StaleLease`` when the run was taken over."""
        with self.transaction(holds_locks=False):
            pass

    def finished(self, phase: Phase) -> PhaseReport | None:
        """What the phase reported, once it ended."""
        found = self.connection.execute(
            f"SELECT report::text FROM {SCHEMA}.phases WHERE run_id = %s AND phase = %s", [self.run.id, phase]
        ).fetchone()
        return None if found is None else PhaseReport.model_validate_json(found[0])

    def enter(self, phase: Phase) -> None:
        """Tell that ``phase`` has begun, or goes on."""
        self.longest_lock_ms = 0.0
        with self.transaction(holds_locks=False) as connection:
            connection.execute(
                f"UPDATE {SCHEMA}.runs SET phase = %s, error = NULL, updated_at = clock_timestamp() WHERE id = %s",
                [phase, self.run.id],
            )
        self.run.phase = phase

    def leave(self, report: PhaseReport) -> None:
        """Record a phase that ended."""
        with self.transaction(holds_locks=False) as connection:
            connection.execute(
                f"INSERT INTO {SCHEMA}.phases (run_id, phase, report) VALUES (%s, %s, %s) "
                "ON CONFLICT (run_id, phase) DO UPDATE SET report = EXCLUDED.report, ended_at = clock_timestamp()",
                [self.run.id, report.phase, Jsonb(report.model_dump(mode="json"))],
            )

    def set_status(self, status: RunStatus, *, error: str | None = None) -> None:
        """Tell where the run stands; ``soaking`` begins the soak, an ended status ends the run."""
        with self.transaction(holds_locks=False) as connection:
            connection.execute(
                f"UPDATE {SCHEMA}.runs SET status = %s, error = %s, updated_at = clock_timestamp(), "
                "cut_over_at = CASE WHEN %s THEN clock_timestamp() ELSE cut_over_at END, "
                "ended_at = CASE WHEN %s THEN clock_timestamp() END WHERE id = %s",
                [status, error, status == RunStatus.SOAKING, status in ENDED, self.run.id],
            )
        self.run = get_run(self.connection, self.run.id)

    def position(self, phase: Phase) -> tuple[str | None, str | None, int]:
        """The phase's cursor: the last key done, the last key that was there at its start, rows done."""
        found = self.connection.execute(
            f"SELECT position, upto, rows FROM {SCHEMA}.cursors WHERE run_id = %s AND phase = %s", [self.run.id, phase]
        ).fetchone()
        return (None, None, 0) if found is None else (found[0], found[1], found[2])

    def advance(self, phase: Phase, *, position: str | None, upto: str | None, rows: int) -> None:
        """Move the cursor by ``rows``, in the caller's transaction."""
        self.connection.execute(
            f"INSERT INTO {SCHEMA}.cursors AS c (run_id, phase, position, upto, rows) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (run_id, phase) DO UPDATE "
            "SET position = EXCLUDED.position, upto = EXCLUDED.upto, rows = c.rows + EXCLUDED.rows",
            [self.run.id, phase, position, upto, rows],
        )

    def note_batch(self, phase: Phase, *, rows: int, total_ms: float, lock_ms: float) -> None:
        """Keep a batch's times for the chart, in the caller's transaction or on its own."""
        self.connection.execute(
            f"INSERT INTO {SCHEMA}.batches (run_id, phase, rows, total_ms, lock_ms) VALUES (%s, %s, %s, %s, %s)",
            [self.run.id, phase, rows, total_ms, lock_ms],
        )

    def quarantine(self, key: str, reason: str) -> None:
        """Set a row aside with the reason, in the caller's transaction: it stays readable in the old shape."""
        self.connection.execute(
            f"INSERT INTO {SCHEMA}.quarantine (run_id, key, reason) VALUES (%s, %s, %s) "
            "ON CONFLICT (run_id, key) DO UPDATE SET reason = EXCLUDED.reason, at = clock_timestamp()",
            [self.run.id, key, reason[:2000]],
        )


@contextmanager
def begin(url: str, migration: DocumentMigration, *, plan_hash: str, options: Options, folder: Path) -> Iterator[Work]:
    """Start a run. Its files go to ``folder/<run id>``.

    Raises ``Conflict``: ``busy`` while another process works on the table, ``migration_open`` where an unfinished
    run has to be resumed or rolled back first.
    """
    run_id = uuid4()
    with _turn(url, migration) as (connection, source):
        control.prepare(connection)
        own = folder.expanduser().absolute() / str(run_id)
        try:
            connection.execute(
                f"INSERT INTO {SCHEMA}.runs (id, migration, table_name, status, phase, plan_hash, options, folder) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [run_id, migration.name, source.full_name, RunStatus.RUNNING, Phase.PLAN, plan_hash,
                 Jsonb(options.model_dump(mode="json")), str(own)],
            )  # fmt: skip
        except psycopg.errors.UniqueViolation as error:
            raise Conflict(
                f"a migration of {source.full_name} is not finished: resume it, contract it or roll it back first",
                code="migration_open",
            ) from error
        own.mkdir(parents=True, exist_ok=True)
        yield Work(url, migration, source, connection, get_run(connection, run_id))


@contextmanager
def resume(url: str, migration: DocumentMigration, run_id: UUID | None = None) -> Iterator[Work]:
    """Take an unfinished run over: the migration's open one, or that of ``run_id``.

    Raises ``NotFound`` (``migration_run_not_found``), ``Conflict`` (``busy``).
    """
    with _turn(url, migration) as (connection, source):
        run = find_run(connection, migration.name, run_id)
        fence(connection, run.id)
        taken = get_run(connection, run.id)
        Path(taken.folder).mkdir(parents=True, exist_ok=True)
        yield Work(url, migration, source, connection, taken)


def fence(connection: Connection, run_id: UUID) -> None:
    """Let whoever holds the run write nothing more: it stops with ``StaleLease``, and its turn is free."""
    connection.execute(
        f"UPDATE {SCHEMA}.runs SET epoch = epoch + 1, updated_at = clock_timestamp() WHERE id = %s", [run_id]
    )


def find_run(connection: Connection, migration: str, run_id: UUID | None = None) -> Run:
    """The run of ``run_id``, else the migration's open one, else its last. Raises ``NotFound``."""
    if control.is_prepared(connection):
        with connection.cursor(row_factory=class_row(Run)) as cursor:
            found = cursor.execute(
                f"{_RUN} WHERE r.migration = %s AND (%s::uuid IS NULL OR r.id = %s) "
                "ORDER BY r.ended_at DESC NULLS FIRST LIMIT 1",
                [migration, run_id, run_id],
            ).fetchone()
            if found is not None:
                return found
    raise NotFound(
        f"there is no run of {migration}{f' with the id {run_id}' if run_id else ''} in this database: start one with "
        "`maquette migrate plan` and `run`",
        code="migration_run_not_found",
    )


def get_run(connection: Connection, run_id: UUID) -> Run:
    """The run's row as it is now."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        found = cursor.execute(f"{_RUN} WHERE r.id = %s", [run_id]).fetchone()
    assert found is not None  # runs are never deleted
    return found


@contextmanager
def _turn(url: str, migration: DocumentMigration) -> Iterator[tuple[Connection, Source]]:
    """Hold the table's turn, on a connection of its own: it is free the moment that this process is gone."""
    with ExitStack() as exits:
        connection = exits.enter_context(_closing(connect(url)))
        source = read_source(connection, migration)
        holder = exits.enter_context(_closing(connect(url, name="maquette migration turn")))
        taken = holder.execute(f"SELECT pg_try_advisory_lock({control.TURN})", [source.full_name]).fetchone()
        if taken != (True,):
            raise Conflict(f"another process works on {source.full_name}: wait for it, or stop it", code="busy")
        yield connection, source


@contextmanager
def _closing(connection: Connection) -> Iterator[Connection]:
    try:
        yield connection
    finally:
        with suppress(psycopg.Error):
            connection.close()
