"""The rehearsal: the whole migration, a kill and the way back, on the restored backup, before anything is touched."""

import inspect
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import JsonValue, ValidationError

from maquette.errors import Conflict
from maquette.migrating import backups, rehearsal_check
from maquette.migrating.models import SCHEMA, Options, Phase, PhaseReport, RunStatus
from maquette.migrating.rehearsal_child import Job, Outcome
from maquette.migrating.source import Connection, connect
from maquette.migrating.work import Work, find_run, resume

KILLED_AT: Final = "migrating-mid-backfill"
_POLL_S: Final = 0.02
# A server learns that a client is gone when the statement that ran for it ends.
_FREE_S: Final = 120.0
_SHOWN: Final = 5


def rehearse(work: Work) -> PhaseReport:
    """Carry the migration out on the restored backup, kill it in the backfill, resume, write, and roll all of it back.

    What is there at the end must be the backup plus the writes. It takes about as long as the migration and its
    rollback: a sample would prove less. Raises ``Conflict`` (``rehearsal_failed``) with what went wrong; the database
    that is to be migrated is untouched then.
    """
    if not work.options.rehearse:
        return PhaseReport(phase=Phase.REHEARSE, detail={"skipped": "the options say so"})
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="maquette-rehearsal-") as folder,
        backups.restored(work) as (found, manifest, _),
        _opened(found.url) as connection,
    ):
        _close_runs(connection, work)
        rehearsal_check.remember(connection, manifest.tables)
        job = Job(
            url=found.url,
            migration=work.migration.name,
            folder=Path(inspect.getfile(type(work.migration))).parent,
            run_folder=Path(folder),
            options=_hurried(work.options),
            resume=False,
        )
        begun = time.perf_counter()
        killed_at_rows = _run_and_kill(job, connection)
        if killed_at_rows is not None:
            _run(job.model_copy(update={"resume": True}))
        migrated_s = time.perf_counter() - begun
        run = find_run(connection, work.migration.name)
        if run.status != RunStatus.SOAKING:
            raise failed(f"it came to no end but is {run.status.value} ({run.error or 'no reason given'})")
        work.require_hold()
        detail: dict[str, JsonValue] = {
            "migrated_s": round(migrated_s, 3),
            "phases": _phase_times(connection, run.id),
            "killed_at_rows": killed_at_rows,
            "resumed": killed_at_rows is not None,
        }
        written, refused = rehearsal_check.write(connection, work.source, work.migration)
        detail |= {"writes": len(written), "refused_writes": refused}
        detail |= _roll_back(found.url, work)
        differing = rehearsal_check.differences(
            connection, work.source, work.migration, tables=manifest.tables, run_id=run.id, written=written
        )
        if differing:
            more = f" and {len(differing) - _SHOWN:,} more" if len(differing) > _SHOWN else ""
            raise failed(f"after the way back {'; '.join(differing[:_SHOWN])}{more}")
    return PhaseReport(
        phase=Phase.REHEARSE, seconds=time.perf_counter() - started, rows=manifest.tables[0].rows, detail=detail
    )


def failed(reason: str) -> Conflict:
    """The error of a rehearsal that must not be followed by the real thing."""
    return Conflict(f"the rehearsal failed: {reason}; nothing was changed", code="rehearsal_failed", reason=reason)


def _hurried(options: Options) -> Options:
    """Nobody reads the copy, so no cohort is watched; all else is as approved."""
    return options.model_copy(update={"cohorts": (100,), "watch_s": 0.0, "soak_s": 0.0, "rehearse": False})


def _run_and_kill(job: Job, connection: Connection) -> int | None:
    """Start the migration and kill it within the backfill; the rows that it had done, or ``None``.

    That is where the table is too small to be caught in the midst of it.
    """
    with tempfile.TemporaryDirectory(prefix="maquette-rehearsal-") as home:
        marker = Path(home) / "rehearsal" / KILLED_AT
        with _child(job, {"MAQUETTE_CRASH_AT": KILLED_AT, "MAQUETTE_HOME": home}) as (process, stderr):
            while process.poll() is None and not marker.exists():
                time.sleep(_POLL_S)
            if process.poll() is not None:
                _require_end(process, stderr)
                return None
            process.kill()
            process.wait()
    _await_free(connection)
    row = connection.execute(
        f"SELECT coalesce(sum(rows), 0)::bigint FROM {SCHEMA}.cursors c JOIN {SCHEMA}.runs r ON r.id = c.run_id "
        "WHERE c.phase = %s AND r.ended_at IS NULL AND r.migration = %s",
        [Phase.BACKFILL, job.migration],
    ).fetchone()
    return int(row[0]) if row else 0


def _run(job: Job) -> None:
    with _child(job, {}) as (process, stderr):
        _require_end(process, stderr)


@contextmanager
def _child(job: Job, extra: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The process with its job on stdin, which stays open: its end is the child's end as well."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAQUETTE_")} | extra
    with tempfile.TemporaryDirectory(prefix="maquette-rehearsal-") as folder:
        said = Path(folder) / "stderr"
        with (
            said.open("wb") as stderr,
            subprocess.Popen(
                [sys.executable, "-m", "maquette.migrating.rehearsal_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=environment,
            ) as process,
        ):
            assert process.stdin is not None
            try:
                process.stdin.write(job.model_dump_json() + "\n")
                process.stdin.flush()
                yield process, said
            finally:
                if process.poll() is None:
                    process.kill()


def _require_end(process: subprocess.Popen[str], stderr: Path) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    process.wait()
    try:
        outcome = Outcome.model_validate_json(line)
    except ValidationError:
        last = (stderr.read_text(errors="replace").strip().splitlines() or ["no word"])[-1]
        raise failed(f"its process ended with {process.returncode} ({last[:300]})") from None
    if outcome.error is not None:
        raise failed(outcome.error)


def _await_free(connection: Connection) -> None:
    """Wait until the server has noticed that the killed process is gone."""
    deadline = time.monotonic() + _FREE_S
    # Its own two connections, by name; a scratch database has no others.
    while connection.execute(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name IN ('maquette migration', 'maquette migration turn')"
    ).fetchone():
        if time.monotonic() > deadline:
            raise failed(f"the server still works for the killed process after {_FREE_S:g} s")
        time.sleep(_POLL_S)


def _close_runs(connection: Connection, work: Work) -> None:
    """The books were copied too: in the copy, the run that is being rehearsed is not open."""
    connection.execute(
        f"UPDATE {SCHEMA}.runs SET status = %s, ended_at = clock_timestamp() "
        "WHERE ended_at IS NULL AND (id = %s OR table_name = %s)",
        [RunStatus.ROLLED_BACK, work.run.id, work.source.full_name],
    )


def _phase_times(connection: Connection, run_id: object) -> JsonValue:
    rows = connection.execute(
        f"SELECT phase, round((report ->> 'seconds')::numeric, 3)::float8 FROM {SCHEMA}.phases "
        "WHERE run_id = %s ORDER BY ended_at",
        [run_id],
    )
    return dict(rows)


def _roll_back(url: str, work: Work) -> dict[str, JsonValue]:
    from maquette.migrating import rolling_back

    with resume(url, work.migration) as copy:
        report = rolling_back.roll_back(copy, reason="the rehearsal's way back")
    return {"rollback_s": round(report.seconds, 3), "flip_ms": report.detail.get("flip_ms")}


@contextmanager
def _opened(url: str) -> Iterator[Connection]:
    connection = connect(url, name="maquette rehearsal")
    try:
        yield connection
    finally:
        connection.close()
