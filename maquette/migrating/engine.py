"""The phases in their order: each is carried out once, resumed where it stopped, and taken back by its own undo."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

import psycopg

from maquette.errors import MaquetteError, StackError, StaleLease
from maquette.migrating.backfill import backfill
from maquette.migrating.backups import back_up
from maquette.migrating.constraints import make_unique
from maquette.migrating.contracting import contract
from maquette.migrating.cutting_over import cut_over
from maquette.migrating.duplicates import deduplicate
from maquette.migrating.expanding import expand
from maquette.migrating.models import ENDED, Phase, PhaseReport, RunStatus
from maquette.migrating.rehearsing import rehearse
from maquette.migrating.rolling_back import UNDO as UNDO
from maquette.migrating.rolling_back import roll_back
from maquette.migrating.validating import validate
from maquette.migrating.watching import Breached
from maquette.migrating.work import Work

PHASES: Final[Mapping[Phase, Callable[[Work], PhaseReport]]] = {
    Phase.BACKUP: back_up,
    Phase.REHEARSE: rehearse,
    Phase.EXPAND: expand,
    Phase.DEDUPLICATE: deduplicate,
    Phase.UNIQUE: make_unique,
    Phase.BACKFILL: backfill,
    Phase.VALIDATE: validate,
    Phase.CUT_OVER: cut_over,
}
"""What a run carries out, up to the soak. The contract comes later, and only when it is approved."""

# A run that was stopped there goes on there, whichever phase is asked for.
_BEGUN: Final[Mapping[RunStatus, Callable[[Work], PhaseReport]]] = {
    RunStatus.ROLLING_BACK: roll_back,
    RunStatus.CONTRACTING: contract,
}


def carry_out(work: Work, phase: Phase) -> PhaseReport:
    """Carry ``phase`` out, or find its report; ``seconds`` are those of the attempt that ended it.

    After the cut-over the run soaks. A breach rolls it back and is no error: the report tells it, the run's status is
    ``rolled_back``, and phases asked for afterwards are skipped. A run that was stopped on its way back, or within the
    contract, goes on there. Any other error is recorded as the run's and raised; ``StaleLease`` is not recorded, for
    the run is another's by then.
    """
    work.require_hold()
    begun = _BEGUN.get(work.run.status)
    if begun is not None:
        with recorded(work, work.run.phase):
            begun(work)
    report = work.finished(phase)
    if work.run.status in ENDED:
        return report or PhaseReport(phase=phase, detail={"skipped": f"the run is {work.run.status.value}"})
    if report is None:
        work.enter(phase)
        if work.run.status != RunStatus.RUNNING:
            work.set_status(RunStatus.RUNNING)
        report = _carry_out(work, phase)
    if phase == Phase.CUT_OVER and work.run.status not in {RunStatus.SOAKING, *ENDED}:
        work.set_status(RunStatus.SOAKING)
    return report


def _carry_out(work: Work, phase: Phase) -> PhaseReport:
    started = time.perf_counter()
    try:
        with recorded(work, phase):
            report = PHASES[phase](work)
    except Breached as breach:
        with recorded(work, Phase.ROLL_BACK):
            back = roll_back(work, reason=str(breach))
        report = PhaseReport(phase=phase, detail={"breach": str(breach), "rollback": back.detail})
    report.seconds = time.perf_counter() - started
    report.longest_lock_ms = max(report.longest_lock_ms, work.longest_lock_ms)
    work.leave(report)
    return report


@contextmanager
def recorded(work: Work, phase: Phase) -> Iterator[None]:
    """Record why what is done here fails. The vendor's exception stops here, without the row that its detail shows."""
    try:
        yield
    except (StaleLease, Breached):
        raise
    except psycopg.Error as error:
        reason = error.diag.message_primary or type(error).__name__
        failure = StackError(
            f"the database refused during {phase.value.replace('_', ' ')} ({reason}): put that right, then `maquette "
            "migrate resume` goes on from there"
        )
        _fail(work, str(failure))
        raise failure from error
    except Exception as error:
        _fail(work, str(error) if isinstance(error, MaquetteError) else f"{type(error).__name__}: {error}"[:500])
        raise


def _fail(work: Work, reason: str) -> None:
    with suppress(psycopg.Error, StaleLease):  # the database may be what failed
        if work.run.status in _BEGUN:
            work.set_status(work.run.status, error=work.run.error or reason)
        else:
            work.set_status(RunStatus.FAILED, error=reason)
