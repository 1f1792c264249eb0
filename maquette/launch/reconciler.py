"""Finds what was lost between the servers and puts it back on the road. One leader at a time."""

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import psycopg
import sqlalchemy as sa
from pydantic import BaseModel, JsonValue
from sqlmodel import col

from maquette.db.engine import Database
from maquette.db.types import now
from maquette.drafts import keeping
from maquette.errors import MaquetteError, StackError, StorageError, Transient
from maquette.intake import failures
from maquette.launch.flow_runs import FlowRuns, RunState
from maquette.library import service as library
from maquette.orders import queue
from maquette.orders import service as orders
from maquette.orders.holder import holder_is_dead
from maquette.orders.models import ItemStatus, Job, JobStatus, OrderItem
from maquette.quota import service as quota
from maquette.quota.models import Reservation, ReservationState
from maquette.settings import Settings
from maquette.storage.port import Store

log = logging.getLogger(__name__)

LEADER_LOCK: Final = 0x6D61_7172


class Repairs(BaseModel):
    """What one pass did: jobs given back to the queue or ended, reservations closed, drafts settled, files removed."""

    retried: int = 0
    failed: int = 0
    reservations: int = 0
    drafts: int = 0
    swept: int = 0
    details: list[str] = []

    def count(self, job: Job, reason: str) -> None:
        """Note what became of a job."""
        if job.status == JobStatus.QUEUED:
            self.retried += 1
        else:
            self.failed += 1
        self.details.append(f"{job.subject}: {reason}; now {job.status}")


class Reconciler:
    """Each pass looks at every open item; each repair is a transaction of its own."""

    def __init__(self, database: Database, runs: FlowRuns, store: Store, settings: Settings) -> None:
        self._database = database
        self._runs = runs
        self._store = store
        self._settings = settings

    def run(self, stop: threading.Event) -> None:
        """Pass after pass until ``stop``, while this process leads; a lost database only delays."""
        while not stop.is_set():
            try:
                with psycopg.connect(self._database.libpq_url, autocommit=True) as connection:
                    while not stop.is_set():
                        # Asked each time: it also proves that the connection, and so the lead, is alive.
                        if self._leads(connection):
                            self.reconcile()
                        stop.wait(self._settings.reconcile_s)
            except (psycopg.Error, sa.exc.DBAPIError) as error:
                log.warning("the database does not answer, trying again: %s", error)
                stop.wait(min(self._settings.reconcile_s, 1))

    def reconcile(self) -> Repairs:
        """One pass; what it repaired."""
        repairs = Repairs()
        for job_id in self._ids(self._late_jobs()):
            self._end_late(job_id, repairs)
        for job_id in self._ids(self._claimed_jobs()):
            self._check_claimed(job_id, repairs)
        for job_id in self._ids(self._unclaimed_jobs()):
            self._check_unclaimed(job_id, repairs)
        for item_id in self._ids(self._forgotten_reservations()):
            self._close_reservation(item_id, repairs)
        try:
            repairs.drafts = keeping.settle_publications(self._database, self._store, self._settings)
        except (OSError, MaquetteError) as error:  # nor does trouble with a folder or with production
            log.warning("drafts are not settled, trying again at the next pass: %s", error)
        self._wake_decided()
        with self._database.begin() as session:
            queue.notify(session)  # jobs never sent: a dispatcher may have missed its call
        try:
            repairs.swept = library.sweep(self._database, self._store, older_than_s=self._settings.orphan_grace_s)
        except (OSError, StorageError) as error:  # a disk in trouble must not stop the repairs of orders
            log.warning("old files could not be removed, trying again at the next pass: %s", error)
        return repairs

    def _leads(self, connection: psycopg.Connection) -> bool:
        held = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objid = %s",
            [LEADER_LOCK],
        ).fetchone()
        if held and held[0]:
            return True
        taken = connection.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK]).fetchone()
        return bool(taken and taken[0])

    def _wake_decided(self) -> None:
        """Resume runs whose draft was decided upon elsewhere, at each pass until they have looked at it themselves."""
        for waiting in keeping.decided_waits(self._database):
            try:
                match self._runs.state(waiting.flow_run_id):
                    case RunState.RUNNING:  # a suspended run is one of these
                        answer: dict[str, JsonValue] = {"approved": waiting.approved, "note": waiting.note}
                        self._runs.resume(waiting.flow_run_id, answer)
                    case RunState.ENDED | RunState.CANCELLED | RunState.MISSING:
                        keeping.forget_wait(self._database, waiting)
            except StackError as error:  # Prefect is away: at the next pass
                log.warning("%s", error)

    def _ids(self, statement: sa.Select[UUID]) -> Sequence[UUID]:
        with self._database.begin() as session:
            return session.execute(statement).scalars().all()

    @staticmethod
    def _late_jobs() -> sa.Select[UUID]:
        return sa.select(col(Job.id)).where(
            col(Job.status) == JobStatus.RUNNING, col(Job.deadline_at) < sa.func.clock_timestamp()
        )

    @staticmethod
    def _claimed_jobs() -> sa.Select[UUID]:
        return sa.select(col(Job.id)).where(
            col(Job.status) == JobStatus.RUNNING, col(Job.lease_expires_at).is_not(None)
        )

    def _unclaimed_jobs(self) -> sa.Select[UUID]:
        grace = timedelta(seconds=self._settings.dispatch_grace_s)
        return (
            sa.select(col(Job.id))
            .where(col(Job.status) == JobStatus.SENT)
            .where(col(Job.sent_at) < sa.func.clock_timestamp() - grace)
        )

    @staticmethod
    def _forgotten_reservations() -> sa.Select[UUID]:
        return (
            sa.select(col(Reservation.item_id))
            .join(OrderItem, col(OrderItem.id) == col(Reservation.item_id))
            .where(col(Reservation.state) == ReservationState.RESERVED, col(OrderItem.status).not_in(orders.OPEN))
        )

    def _end_late(self, job_id: UUID, repairs: Repairs) -> None:
        with self._database.begin() as session:
            job = orders.lock_job(session, job_id)
            if job.status != JobStatus.RUNNING or not job.deadline_at or job.deadline_at >= now(session):
                return
            run_id = job.flow_run_id
            error = Transient(f"{job.subject} passed its deadline", code="operation_timeout")
            failures.end_job(session, job, ItemStatus.FAILED, error)
            repairs.count(job, str(error))
        log.warning("%s", error)
        self._tell_prefect(run_id, reason=str(error))

    def _check_claimed(self, job_id: UUID, repairs: Repairs) -> None:
        """An expired lease, a holder that is gone, or a run that ended and left its job open."""
        with self._database.begin() as session:
            job = orders.get_job(session, job_id)
            token, run_id = job.fence, job.flow_run_id
            expired = job.lease_expires_at is not None and job.lease_expires_at < now(session)
            dead = holder_is_dead(job.lease_holder)
        state = self._state(run_id)
        ended = state in (RunState.ENDED, RunState.CANCELLED)
        if not (expired or dead or ended):
            return
        reason = (
            "the run was cancelled"
            if state is RunState.CANCELLED
            else "the run ended before its work was done"
            if ended
            else "the process of the run is gone"
            if dead
            else "the lease ran out"
        )
        cancelled = state is RunState.CANCELLED
        self._take_back(job_id, repairs, token=token, run_id=run_id, reason=reason, cancelled=cancelled)

    def _check_unclaimed(self, job_id: UUID, repairs: Repairs) -> None:
        """Sent, and no run came to claim it: unknown to Prefect, ended before its first act, or taken by a
        worker that was killed before it started it (pending for ever)."""
        with self._database.begin() as session:
            job = orders.get_job(session, job_id)
            if job.status != JobStatus.SENT or job.sent_at is None:
                return
            token, run_id = job.fence, job.flow_run_id
            overdue = now(session) - job.sent_at > 3 * timedelta(seconds=self._settings.dispatch_grace_s)
        state = self._state(run_id)
        if state is RunState.SCHEDULED or (state is RunState.RUNNING and not overdue):
            return  # it waits for a worker, or is at its first act
        reason = "Prefect does not know the run" if state is RunState.MISSING else "the run never claimed its job"
        cancelled = state is RunState.CANCELLED
        self._take_back(job_id, repairs, token=token, run_id=run_id, reason=reason, cancelled=cancelled)

    def _close_reservation(self, item_id: UUID, repairs: Repairs) -> None:
        with self._database.begin() as session:
            item = orders.get_item(session, item_id)
            end = quota.settle if item.status == ItemStatus.COMPLETED else quota.refund
            if end(session, item_id):
                repairs.reservations += 1
                repairs.details.append(f"item {item_id} had ended ({item.status}) and held its reservation")

    def _take_back(
        self, job_id: UUID, repairs: Repairs, *, token: int, run_id: UUID | None, reason: str, cancelled: bool
    ) -> None:
        with self._database.begin() as session:
            job = orders.lock_job(session, job_id)
            if job.fence != token or job.status not in orders.OPEN_JOBS:
                return  # somebody else was faster
            if cancelled:
                failures.end_job(session, job, ItemStatus.CANCELLED, MaquetteError(reason, code="cancelled"))
            else:
                failures.after_loss(session, job, reason)
            repairs.count(job, reason)
            log.warning("%s: %s; now %s", job.subject, reason, job.status)
        self._tell_prefect(run_id, reason=reason)

    def _state(self, run_id: UUID | None) -> RunState:
        if run_id is None:
            return RunState.MISSING
        try:
            return self._runs.state(run_id)
        except StackError as error:
            # Without Prefect's word the run counts as alive; leases and deadlines still decide.
            log.warning("%s; judging by the lease alone", error)
            return RunState.RUNNING

    def _tell_prefect(self, run_id: UUID | None, *, reason: str) -> None:
        if run_id is None:
            return
        try:
            self._runs.crash(run_id, reason=reason)
        except StackError as error:
            log.warning("%s; the run's page keeps its old state", error)
