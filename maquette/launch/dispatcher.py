"""Queue rows to flow runs. Any number of dispatchers; each row goes to one of them."""

import logging
import threading
from collections.abc import Callable

import psycopg
import sqlalchemy as sa

from maquette.db.engine import Database
from maquette.errors import StackError
from maquette.launch.flow_runs import DeploymentMissing, FlowRuns
from maquette.orders import queue
from maquette.rehearsal import crash_point
from maquette.settings import Settings

log = logging.getLogger(__name__)


class Dispatcher:
    """Creates the flow run of each due job. What it could not send stays queued."""

    def __init__(
        self,
        database: Database,
        runs: FlowRuns,
        settings: Settings,
        *,
        register: Callable[[], None] | None = None,
    ) -> None:
        self._database = database
        self._runs = runs
        self._settings = settings
        self._poll_s = settings.dispatch_poll_s
        self._register = register

    def dispatch_due(self) -> int:
        """Send all that is due; how many. Raises ``StackError`` when Prefect does not answer."""
        sent = 0
        while self._dispatch_one():
            sent += 1
        return sent

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop``: woken by NOTIFY, polling else; outages of either server only delay."""
        while not stop.is_set():
            try:
                with psycopg.connect(self._database.libpq_url, autocommit=True) as connection:
                    connection.execute(f"LISTEN {queue.CHANNEL}")
                    while not stop.is_set():
                        self._dispatch_tolerantly()
                        self._wait(connection, stop)
            except (psycopg.Error, sa.exc.DBAPIError) as error:
                log.warning("the database does not answer, trying again: %s", error)
                stop.wait(min(self._poll_s, 1))

    def _dispatch_one(self) -> bool:
        with self._database.begin() as session:
            due = queue.next_due(session, window=self._settings.dispatch_window, ageing_s=self._settings.ageing_s)
            if due is None:
                return False
            job, premium = due
            # Should this process die before the commit, the next dispatcher asks with the same key and
            # gets the same run.
            run_id = self._runs.create(job, dispatch=job.dispatches + 1, premium=premium)
            crash_point("after-dispatch")
            queue.mark_sent(session, job, run_id, premium=premium)
            log.info("sent %s as flow run %s (attempt %d)", job.subject, run_id, job.attempts)
            return True

    def _dispatch_tolerantly(self) -> None:
        try:
            self.dispatch_due()
        except DeploymentMissing as error:
            if self._register is None:
                log.warning("%s; the job waits", error)
                return
            log.warning("%s; registering it again", error)
            self._register()
        except StackError as error:
            log.warning("%s; the job waits", error)

    def _wait(self, connection: psycopg.Connection, stop: threading.Event) -> None:
        waited_s = 0.0
        # Short waits, so that a stop is seen; a notification ends them at once.
        while waited_s < self._poll_s and not stop.is_set():
            step_s = min(0.5, self._poll_s - waited_s)
            if list(connection.notifies(timeout=step_s, stop_after=1)):
                return
            waited_s += step_s
