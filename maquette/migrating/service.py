"""Use cases of a migration: plan it, run it, see how it stands, follow it, go back, contract it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from maquette.errors import Conflict, NotFound, StaleLease
from maquette.migrating import backups, contracting, cutting_over, engine, planning, reporting, rolling_back
from maquette.migrating import work as holding
from maquette.migrating.contracting import ContractPlan
from maquette.migrating.definition import DocumentMigration
from maquette.migrating.following import drain
from maquette.migrating.models import ENDED, SCHEMA, Duplicates, Options, Phase, PhaseReport, Plan, Result, RunStatus
from maquette.migrating.reporting import Report, SetAside
from maquette.migrating.results import result_of
from maquette.migrating.source import connect, read_source
from maquette.migrating.watching import Breached
from maquette.migrating.work import Work

_FOLDER: Final = "migrations"
_PLAN: Final = "plan.json"
_REPORT: Final = "report.html"
_TRY_S: Final = 0.1
_LOOK_S: Final = 5.0
"""What was approved was looked at in full: the plan that is kept with the run needs no more."""


class Migrations:
    """One migration on one database. Each call opens its own connections; ``begin`` and ``resume`` hold the turn."""

    def __init__(self, url: str, migration: DocumentMigration, *, home: Path, scratch_url: str | None = None) -> None:
        self._url = url
        self._migration = migration
        self._home = home.expanduser().absolute()
        self._scratch_url = scratch_url

    def plan(self, options: Options) -> Plan:
        """What would be done; reads only."""
        return planning.make_plan(self._url, self._migration, options, folder=self._home)

    def require_plan(self, approve: str, options: Options) -> None:
        """Raises ``Conflict`` as ``begin`` does; looks at no rows, so it answers at once."""
        self._approved(approve, options, look_s=0)

    @contextmanager
    def begin(self, approve: str, options: Options) -> Iterator[Work]:
        """Start the run of the plan whose hash is ``approve``, and hold it.

        The plan is made again. Raises ``Conflict``: ``migration_refused``, ``plan_changed``, ``migration_open``,
        ``busy``.
        """
        plan = self._approved(approve, options, look_s=_LOOK_S)
        with holding.begin(
            self._url, self._migration, plan_hash=plan.hash, options=options, folder=self._home / _FOLDER
        ) as work:
            work.scratch_url = self._scratch_url
            (work.folder / _PLAN).write_text(plan.model_dump_json(indent=2), "utf-8")
            # What an earlier run of this migration left must not decide what is read in this one.
            with work.transaction(holds_locks=False) as connection:
                for table in ("flags", "changes", "outcomes"):
                    connection.execute(f"DELETE FROM {SCHEMA}.{table} WHERE migration = %s", [self._migration.name])
            yield work

    @contextmanager
    def resume(
        self, run_id: UUID | None = None, *, wait_s: float = 0.0, meanwhile: Callable[[], None] | None = None
    ) -> Iterator[Work]:
        """Hold an unfinished run: that of ``run_id``, or the open one.

        The turn is waited for ``wait_s`` at most; ``meanwhile`` is called before each further try.

        Raises ``NotFound`` (``migration_run_not_found``), ``Conflict`` (``migration_ended``, ``busy``).
        """
        until = time.monotonic() + wait_s
        with ExitStack() as exits:
            while True:
                try:
                    work = exits.enter_context(holding.resume(self._url, self._migration, run_id))
                    break
                except Conflict as error:
                    if error.code != "busy" or time.monotonic() >= until:
                        raise
                if meanwhile is not None:
                    meanwhile()
                time.sleep(_TRY_S)
            if work.run.status in ENDED:
                raise Conflict(
                    f"run {work.run.id} is {work.run.status.value}: there is nothing to go on with; make a new plan",
                    code="migration_ended",
                )
            work.scratch_url = self._scratch_url
            yield work

    def run_to_end(self, work: Work, on_phase: Callable[[PhaseReport], None] | None = None) -> Result:
        """Carry all phases out up to the soak, those that ended aside; ``on_phase`` is told of each."""
        for phase in engine.PHASES:
            report = engine.carry_out(work, phase)
            if on_phase is not None:
                on_phase(report)
        return result_of(work.connection, work.source, work.run)

    def status(self, run_id: UUID | None = None) -> Result:
        """How the run stands, whoever works on it. Without an id: the open run, else the last. Raises ``NotFound``."""
        with self._reading(run_id) as work:
            return result_of(work.connection, work.source, work.run)

    def follow(self, *, for_s: float = 0.0, stop: threading.Event | None = None) -> None:
        """Keep both shapes together for so long, or until ``stop``, and watch as in the cut-over; 0: once.

        Readers of the view are right without it. A breach rolls the run back. Ends quietly when somebody else takes
        the run over, to contract it or to roll it back.
        """
        with self.resume() as work:
            if work.run.status != RunStatus.SOAKING:
                raise Conflict(
                    f"the run is {work.run.status.value}: its shapes are kept together by whoever carries it out",
                    code="migration_not_soaked",
                )
            try:
                if for_s == 0:
                    drain(work, within_s=cutting_over.DRAIN_S)
                else:
                    cutting_over.watch(work, for_s=for_s, stop=stop)
            except StaleLease:
                return
            except Breached as breach:
                with engine.recorded(work, Phase.ROLL_BACK):
                    rolling_back.roll_back(work, reason=str(breach))

    def roll_back(
        self, *, duplicates: Duplicates | None = None, run_id: UUID | None = None, wait_s: float = 10.0
    ) -> Result:
        """Read the old shape again, at once, whoever holds the run; then take down what the migration put up.

        Raises ``Conflict``: ``migration_contracted``, ``migration_ended``; ``busy`` when the holder does not let go
        within ``wait_s`` (reads are old by then, and it can write nothing more).
        """
        with self._reading(run_id) as work:
            rolling_back.seize(work.connection, work.run.id, policy=duplicates)
            run_id = work.run.id
        with self.resume(run_id, wait_s=wait_s) as work:
            with engine.recorded(work, Phase.ROLL_BACK):
                rolling_back.roll_back(work)
            return result_of(work.connection, work.source, work.run)

    def contract_plan(self, run_id: UUID | None = None) -> ContractPlan:
        """What the contract would do; its hash is what ``contract`` takes."""
        with self._reading(run_id) as work:
            return contracting.contract_plan(work)

    def contract(self, approve: str, *, wait_s: float = 10.0) -> Result:
        """Carry the contract out. A follower of the soak makes way, a contract under way does not (``busy``)."""
        with self._reading() as work:
            contracting.require_ready(work, approve)
        with self.resume(work.run.id, wait_s=wait_s, meanwhile=self._fence_follower) as work:
            with engine.recorded(work, Phase.CONTRACT):
                contracting.contract(work, approve=approve)
            return result_of(work.connection, work.source, work.run)

    def verify_backup(self, run_id: UUID | None = None) -> backups.Verified:
        """Restore the run's backup into a scratch database and compare it with its manifest."""
        with self._reading(run_id) as work:
            folder = work.folder / backups.FOLDER
        if not folder.is_dir():
            raise NotFound(f"run {work.run.id} has no backup in {folder}: it stopped before it was taken")
        return backups.verify(folder, url=self._url, scratch_url=self._scratch_url)

    def quarantine(self, run_id: UUID | None = None) -> list[SetAside]:
        """The rows that were set aside, with the reasons; the first ones of very many."""
        return self.gather(run_id).quarantine

    def archive(self, run_id: UUID | None = None) -> list[SetAside]:
        """What went to the archive; the first ones of very many, those that hold what the survivor lacks before all."""
        return self.gather(run_id).archive

    def gather(self, run_id: UUID | None = None) -> Report:
        """The parts of a run's report."""
        with self._reading(run_id) as work:
            approved = work.folder / _PLAN
            plan = Plan.model_validate_json(approved.read_bytes()) if approved.is_file() else None
            return reporting.gather(work.connection, result_of(work.connection, work.source, work.run), plan)

    def write_report(self, report: Report, path: Path | None = None) -> Path:
        """Write the report as one HTML file, by default into the run's folder; its path."""
        return reporting.write(report, path or self._home / _FOLDER / str(report.result.run_id) / _REPORT)

    def _approved(self, approve: str, options: Options, *, look_s: float) -> Plan:
        plan = planning.make_plan(self._url, self._migration, options, folder=self._home, look_s=look_s)
        if plan.refusals:
            raise Conflict(f"the migration is refused: {'; '.join(plan.refusals)}", code="migration_refused")
        if plan.hash != approve:
            raise Conflict(
                f"approved was the plan {approve or '(none)'}, it is {plan.hash} now: the migration, the table or the "
                "options changed; look at `maquette migrate plan` and approve its hash",
                code="plan_changed",
            )
        return plan

    def _fence_follower(self) -> None:
        """Again and again: one that has just begun numbers itself after it took the turn."""
        with self._reading() as work:
            if work.run.status == RunStatus.SOAKING:
                holding.fence(work.connection, work.run.id)

    @contextmanager
    def _reading(self, run_id: UUID | None = None) -> Iterator[Work]:
        """The run as it is now, without its turn: for reading."""
        with closing(connect(self._url)) as connection:
            run = holding.find_run(connection, self._migration.name, run_id)
            yield Work(self._url, self._migration, read_source(connection, self._migration), connection, run)
