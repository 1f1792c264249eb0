"""How a run stands, reckoned from its books: at any time, whoever works on it."""

from typing import Final

from psycopg import sql

from maquette.migrating.models import ENDED, SCHEMA, Phase, PhaseReport, Result, Run, RunStatus
from maquette.migrating.source import Connection, Source

_BOOKS: Final = f"""
SELECT (SELECT count(*) FROM {SCHEMA}.archive WHERE run_id = %(run)s AND restored_at IS NULL),
       (SELECT count(*) FROM {SCHEMA}.quarantine WHERE run_id = %(run)s),
       (SELECT count(*) FROM {SCHEMA}.changes WHERE migration = %(migration)s),
       greatest((SELECT max(lock_ms) FROM {SCHEMA}.batches WHERE run_id = %(run)s), 0)
"""
_ORDER: Final = tuple(Phase)


def result_of(connection: Connection, source: Source, run: Run) -> Result:
    """The run's figures. ``rows_migrated`` are the rows that have the new shape now: none after a rollback."""
    phases = reports(connection, run)
    found = connection.execute(_BOOKS, {"run": run.id, "migration": run.migration}).fetchone()
    assert found is not None  # it has no FROM
    archived, quarantined, pending, longest_batch_ms = found
    return Result(
        run_id=run.id,
        migration=run.migration,
        status=run.status,
        phase=run.phase,
        percent={RunStatus.COMPLETED: 100, RunStatus.ROLLED_BACK: 0}.get(run.status, run.percent),
        rows_migrated=_rows_migrated(connection, source, run, phases),
        archived=archived,
        quarantined=quarantined,
        pending=0 if run.status in ENDED else pending,
        longest_lock_ms=max([longest_batch_ms, *(phase.longest_lock_ms for phase in phases)]),
        seconds=sum(phase.seconds for phase in phases),
        error=run.error,
        phases=phases,
    )


def reports(connection: Connection, run: Run) -> list[PhaseReport]:
    """The reports of the phases that ended, in the phases' order."""
    found = [
        PhaseReport.model_validate_json(text)
        for (text,) in connection.execute(f"SELECT report::text FROM {SCHEMA}.phases WHERE run_id = %s", [run.id])
    ]
    return sorted(found, key=lambda report: _ORDER.index(report.phase))


def _rows_migrated(connection: Connection, source: Source, run: Run, phases: list[PhaseReport]) -> int:
    """Counted in the table beside while it is there: writers add to it and take from it at any time."""
    if run.status in ENDED:
        return sum(report.rows for report in phases if report.phase == Phase.CONTRACT)
    there = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [source.new_table.as_string()]).fetchone()
    if there != (True,):
        return 0
    counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(source.new_table)).fetchone()
    return counted[0] if counted else 0
