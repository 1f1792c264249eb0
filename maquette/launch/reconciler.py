"""Finds what was lost between the servers and puts it back on the road. One leader at a time."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlmodel import Session, col

from maquette.db.engine import Database
from maquette.db.types import now
from maquette.errors import MaquetteError, StackError, Transient
from maquette.launch.flow_runs import FlowRuns, RunState
from maquette.library import service as library
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job, JobStatus, OrderItem
from maquette.settings import Settings
from maquette.storage.port import Store
from maquette.videos import service as videos

log = logging.getLogger(__name__)

LEADER_LOCK: Final = 0x6D61_7172
FAIL_ITEM: Final[dict[str, Callable[[Session, OrderItem, MaquetteError], None]]] = {"video": videos.fail_item}


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

    def reconcile(self) -> int:
        """One pass; how many repairs it made."""
        repaired = 0
        for item_id in self._ids(self._late_items()):
            repaired += self._end_late(item_id)
        for item_id in self._ids(self._claimed_items()):
            repaired += self._check_claimed(item_id)
        for item_id in self._ids(self._unclaimed_items()):
            repaired += self._check_unclaimed(item_id)
        with self._database.begin() as session:
            orders.notify(session)  # jobs never sent: a dispatcher may have missed its call
        return repaired + library.sweep(self._database, self._store, older_than_s=self._settings.orphan_grace_s)

    def _leads(self, connection: psycopg.Connection) -> bool:
        held = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objid = %s",
            [LEADER_LOCK],
        ).fetchone()
        if held and held[0]:
            return True
        taken = connection.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK]).fetchone()
        return bool(taken and taken[0])

    def _ids(self, statement: sa.Select[UUID]) -> Sequence[UUID]:
        with self._database.begin() as session:
            return session.execute(statement).scalars().all()

    @staticmethod
    def _late_items() -> sa.Select[UUID]:
        return sa.select(col(OrderItem.id)).where(
            col(OrderItem.status) == ItemStatus.PROCESSING, col(OrderItem.deadline_at) < sa.func.clock_timestamp()
        )

    @staticmethod
    def _claimed_items() -> sa.Select[UUID]:
        return sa.select(col(OrderItem.id)).where(
            col(OrderItem.status) == ItemStatus.PROCESSING, col(OrderItem.lease_expires_at).is_not(None)
        )

    def _unclaimed_items(self) -> sa.Select[UUID]:
        grace = timedelta(seconds=self._settings.dispatch_grace_s)
        return (
            sa.select(col(Job.item_id))
            .where(col(Job.status) == JobStatus.SENT)
            .where(col(Job.sent_at) < sa.func.clock_timestamp() - grace)
        )

    def _end_late(self, item_id: UUID) -> bool:
        with self._database.begin() as session:
            item = orders.lock_item(session, item_id)
            if item.status != ItemStatus.PROCESSING or not item.deadline_at or item.deadline_at >= now(session):
                return False
            run_id, item.fence = item.flow_run_id, item.fence + 1
            error = Transient(f"{item.subject} passed its deadline", code="operation_timeout")
            FAIL_ITEM[item.kind](session, item, error)
        log.warning("%s", error)
        self._tell_prefect(run_id, reason=str(error))
        return True

    def _check_claimed(self, item_id: UUID) -> bool:
        """An expired lease, a holder that is gone, or a run that ended and left its item open."""
        with self._database.begin() as session:
            item = orders.get_item(session, item_id)
            token, run_id = item.fence, item.flow_run_id
            expired = item.lease_expires_at is not None and item.lease_expires_at < now(session)
            dead = orders.holder_is_dead(item.lease_holder)
        state = self._state(run_id)
        ended = state in (RunState.ENDED, RunState.CANCELLED)
        if not (expired or dead or ended):
            return False
        reason = (
            "the run was cancelled"
            if state is RunState.CANCELLED
            else "the run ended before its work was done"
            if ended
            else "the process of the run is gone"
            if dead
            else "the lease ran out"
        )
        return self._take_back(
            item_id, token=token, run_id=run_id, reason=reason, cancelled=state is RunState.CANCELLED
        )

    def _check_unclaimed(self, item_id: UUID) -> bool:
        """Sent, and no run came to claim it: unknown to Prefect, ended before its first act, or taken by a
        worker that was killed before it started it (pending for ever)."""
        with self._database.begin() as session:
            job = orders.job_of(session, item_id)
            item = orders.get_item(session, item_id)
            if job.status != JobStatus.SENT or job.sent_at is None:
                return False
            token, run_id = item.fence, job.flow_run_id
            overdue = now(session) - job.sent_at > 3 * timedelta(seconds=self._settings.dispatch_grace_s)
        state = self._state(run_id)
        if state is RunState.SCHEDULED or (state is RunState.RUNNING and not overdue):
            return False  # it waits for a worker, or is at its first act
        reason = "Prefect does not know the run" if state is RunState.MISSING else "the run never claimed its item"
        cancelled = state is RunState.CANCELLED
        return self._take_back(item_id, token=token, run_id=run_id, reason=reason, cancelled=cancelled)

    def _take_back(self, item_id: UUID, *, token: int, run_id: UUID | None, reason: str, cancelled: bool) -> bool:
        with self._database.begin() as session:
            item = orders.lock_item(session, item_id)
            if item.fence != token or item.status not in orders.OPEN:
                return False  # somebody else was faster
            job = orders.job_of(session, item_id)
            if cancelled:
                item.fence += 1
                FAIL_ITEM[item.kind](session, item, MaquetteError(reason, code="cancelled"))
            elif job.attempts >= job.max_attempts:
                item.fence += 1
                error = MaquetteError(f"{reason}, {job.attempts} times", code="attempts_exhausted")
                FAIL_ITEM[item.kind](session, item, error)
            else:
                orders.release(session, item, reason=reason)
            log.warning("%s: %s; now %s", item.subject, reason, job.status)
        self._tell_prefect(run_id, reason=reason)
        return True

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
