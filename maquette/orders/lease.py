"""Keeping a lease alive from a thread, while the run works."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from maquette.db.engine import Database
from maquette.errors import StaleLease
from maquette.orders import service as orders
from maquette.orders.models import Lease

log = logging.getLogger(__name__)


@contextmanager
def kept(database: Database, lease: Lease, *, lease_s: float, every_s: float) -> Iterator[None]:
    """Renew ``lease`` each ``every_s`` until the block ends or another run has taken the job.

    A database that does not answer is asked again at the next turn; the fence decides what may be written.
    """
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(every_s):
            try:
                with database.begin() as session:
                    orders.renew(session, lease, lease_s=lease_s)
            except StaleLease as error:
                log.warning("%s", error)
                return
            except sa.exc.SQLAlchemyError as error:
                log.warning("the lease of %s could not be renewed, trying again: %s", lease.subject, error)

    thread = threading.Thread(target=renew, name=f"lease-{lease.job_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
