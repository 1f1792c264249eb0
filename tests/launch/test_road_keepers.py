"""Dispatcher and reconciler against a Prefect that can be down, forgetful or behind."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from maquette.db.engine import Database
from maquette.errors import StackError
from maquette.launch.dispatcher import Dispatcher
from maquette.launch.flow_runs import RunState
from maquette.launch.reconciler import Reconciler
from maquette.orders import service as orders
from maquette.orders.holder import holder_name
from maquette.orders.models import ItemStatus, Job, JobStatus, Lease
from maquette.settings import Settings
from maquette.storage.port import Store
from maquette.videos.models import VideoBrief
from maquette.videos.service import Placed, Videos
from tests.launch.prefect import Prefect


@pytest.fixture
def prefect() -> Prefect:
    return Prefect()


@pytest.fixture
def eager(settings: Settings) -> Settings:
    """Keepers that wait for nothing."""
    return settings.model_copy(
        update={"dispatch_grace_s": 1e-6, "reconcile_s": 0.05, "dispatch_poll_s": 0.05, "retry_base_s": 0}
    )


@pytest.fixture
def dispatcher(database: Database, prefect: Prefect, eager: Settings) -> Dispatcher:
    return Dispatcher(database, prefect, eager)


@pytest.fixture
def reconciler(database: Database, prefect: Prefect, store: Store, eager: Settings) -> Reconciler:
    return Reconciler(database, prefect, store, eager)


@pytest.fixture
def placed(videos: Videos) -> Placed:
    return videos.order(VideoBrief(theme="Le sucre", target_duration=8))


def job_of(database: Database, placed: Placed) -> Job:
    with database.begin() as session:
        return orders.get_job(session, placed.job_id)


def job_status(database: Database, placed: Placed) -> str:
    return job_of(database, placed).status


def claimed(database: Database, placed: Placed, *, lease_s: float = 60, deadline_s: float = 60, holder: str) -> Lease:
    with database.begin() as session:
        run_id = orders.get_job(session, placed.job_id).flow_run_id
        return orders.claim(
            session, placed.job_id, flow_run_id=run_id, lease_s=lease_s, deadline_s=deadline_s, holder=holder
        )


def repaired(reconciler: Reconciler) -> int:
    """How many jobs one pass gave back to the queue or ended."""
    repairs = reconciler.reconcile()
    assert len(repairs.details) == repairs.retried + repairs.failed + repairs.reservations
    return repairs.retried + repairs.failed


def test_many_dispatchers_send_each_job_once(
    database: Database, videos: Videos, prefect: Prefect, eager: Settings
) -> None:
    wide = eager.model_copy(update={"dispatch_window": 12})
    for number in range(12):
        videos.order(VideoBrief(theme=f"Thème {number}", target_duration=8))
    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda _: Dispatcher(database, prefect, wide).dispatch_due(), range(4)))
    assert sum(sent) == len(prefect.runs) == 12


def test_killed_between_creation_and_commit_the_same_run_is_found(
    database: Database, placed: Placed, prefect: Prefect, dispatcher: Dispatcher
) -> None:
    with database.begin() as session:
        # And then the process died.
        first = prefect.create(orders.get_job(session, placed.job_id), dispatch=1, premium=True)
    assert dispatcher.dispatch_due() == 1
    assert list(prefect.runs.values()) == [first]


def test_prefect_being_down_delays_and_loses_nothing(
    database: Database, placed: Placed, prefect: Prefect, dispatcher: Dispatcher
) -> None:
    prefect.down = True
    with pytest.raises(StackError):
        dispatcher.dispatch_due()
    assert job_status(database, placed) == JobStatus.QUEUED
    prefect.down = False
    assert dispatcher.dispatch_due() == 1


def test_a_forgotten_deployment_is_registered_again(
    database: Database, placed: Placed, prefect: Prefect, eager: Settings
) -> None:
    prefect.registered = False

    def register() -> None:
        prefect.registered = True

    with running(Dispatcher(database, prefect, eager, register=register)):
        _until(lambda: job_status(database, placed) == JobStatus.SENT)
    assert (prefect.registered, len(prefect.runs)) == (True, 1)


def test_a_notification_wakes_the_dispatcher_long_before_its_poll(
    database: Database, videos: Videos, prefect: Prefect, settings: Settings
) -> None:
    patient, waits = settings.model_copy(update={"dispatch_poll_s": 3600}), threading.Event()

    class Waiting(Dispatcher):
        """Says when it has looked for work, found none, and waits."""

        def _wait(self, connection: psycopg.Connection, stop: threading.Event) -> None:
            waits.set()
            super()._wait(connection, stop)

    with running(Waiting(database, prefect, patient)):
        assert waits.wait(10)
        placed = videos.order(VideoBrief(theme="Le sucre", target_duration=8))
        _until(lambda: job_status(database, placed) == JobStatus.SENT)
    assert len(prefect.runs) == 1


def test_dispatcher_and_reconciler_survive_a_database_restart(
    database: Database, videos: Videos, prefect: Prefect, dispatcher: Dispatcher, reconciler: Reconciler
) -> None:
    held = (  # the dispatcher listens and the reconciler leads, each on a connection of its own
        "SELECT count(*) FILTER (WHERE query LIKE 'LISTEN%'), count(*) FILTER (WHERE locktype IS NOT NULL) "
        "FROM pg_stat_activity LEFT JOIN pg_locks ON pg_locks.pid = pg_stat_activity.pid AND locktype = 'advisory' "
        "WHERE datname = current_database()"
    )
    cut = (  # what a restart does to every connection, in mid-pass or not
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with running(dispatcher, reconciler):
        with psycopg.connect(database.libpq_url, autocommit=True) as connection:
            _until(lambda: connection.execute(held).fetchone() == (1, 1))
            assert len(connection.execute(cut).fetchall()) >= 2
        placed = videos.order(VideoBrief(theme="Le sucre", target_duration=8))
        _until(lambda: job_status(database, placed) == JobStatus.SENT)
        prefect.states.clear()  # the reconciler still repairs: a wiped Prefect
        _until(lambda: len(prefect.runs) >= 2)


def test_one_reconciler_leads(
    database: Database, prefect: Prefect, store: Store, settings: Settings, placed: Placed
) -> None:
    keepers = [Reconciler(database, prefect, store, settings) for _ in range(2)]
    with (
        psycopg.connect(database.libpq_url, autocommit=True) as one,
        psycopg.connect(database.libpq_url, autocommit=True) as other,
    ):
        assert keepers[0]._leads(one)
        assert keepers[0]._leads(one)  # it stays the leader
        assert not keepers[1]._leads(other)
        one.close()
        _until(lambda: keepers[1]._leads(other))


@pytest.mark.parametrize("state", [RunState.MISSING, RunState.ENDED, RunState.PENDING])
def test_a_sent_run_that_never_claimed_is_sent_again(
    database: Database,
    placed: Placed,
    prefect: Prefect,
    dispatcher: Dispatcher,
    reconciler: Reconciler,
    state: RunState,
) -> None:
    dispatcher.dispatch_due()
    run_id = next(iter(prefect.states))
    assert repaired(reconciler) == 0  # it only waits for a worker
    prefect.states[run_id] = state
    assert repaired(reconciler) == 1
    assert job_status(database, placed) == JobStatus.QUEUED
    assert dispatcher.dispatch_due() == 1
    assert len(prefect.runs) == 2


def test_an_expired_lease_is_taken_back_even_while_prefect_is_down(
    database: Database, placed: Placed, prefect: Prefect, dispatcher: Dispatcher, reconciler: Reconciler
) -> None:
    dispatcher.dispatch_due()
    claimed(database, placed, lease_s=0.001, holder="elsewhere/1/1")
    prefect.all_are(RunState.RUNNING)
    prefect.down = True
    assert repaired(reconciler) == 1
    assert job_status(database, placed) == JobStatus.QUEUED


def test_a_live_lease_is_left_alone_and_a_dead_holder_is_not(
    database: Database, placed: Placed, prefect: Prefect, dispatcher: Dispatcher, reconciler: Reconciler
) -> None:
    dispatcher.dispatch_due()
    prefect.all_are(RunState.RUNNING)
    claimed(database, placed, holder=holder_name())
    assert repaired(reconciler) == 0
    host, pid, _ = holder_name().rsplit("/", 2)
    with database.begin() as session:
        orders.get_job(session, placed.job_id).lease_holder = f"{host}/{pid}/0"
    assert repaired(reconciler) == 1
    assert prefect.crashed == list(prefect.states)  # the run's page tells the truth


def test_a_run_that_ended_with_its_item_open_is_taken_back_before_the_lease_ends(
    database: Database, placed: Placed, prefect: Prefect, dispatcher: Dispatcher, reconciler: Reconciler
) -> None:
    dispatcher.dispatch_due()
    claimed(database, placed, holder="elsewhere/1/1")
    prefect.all_are(RunState.ENDED)
    assert repaired(reconciler) == 1
    assert job_status(database, placed) == JobStatus.QUEUED


def test_a_cancelled_run_ends_its_video(
    videos: Videos, database: Database, placed: Placed, prefect: Prefect, dispatcher: Dispatcher, reconciler: Reconciler
) -> None:
    dispatcher.dispatch_due()
    claimed(database, placed, holder="elsewhere/1/1")
    prefect.all_are(RunState.CANCELLED)
    assert repaired(reconciler) == 1
    video = videos.get(placed.video_id)
    assert (video.status, video.error_code) == ("failed", "cancelled")
    assert video.error_message == "La génération a été annulée."


def test_a_deadline_is_not_a_lease(
    videos: Videos, database: Database, placed: Placed, prefect: Prefect, dispatcher: Dispatcher, reconciler: Reconciler
) -> None:
    dispatcher.dispatch_due()
    prefect.all_are(RunState.RUNNING)
    lease = claimed(database, placed, lease_s=60, deadline_s=0.001, holder=holder_name())
    assert repaired(reconciler) == 1
    assert videos.get(placed.video_id).error_code == "operation_timeout"
    with database.begin() as session:
        assert orders.items_of(session, lease.job_id)[0].status == ItemStatus.FAILED


def test_a_job_that_breaks_off_too_often_fails_with_the_reason(
    videos: Videos, database: Database, placed: Placed, prefect: Prefect, dispatcher: Dispatcher, reconciler: Reconciler
) -> None:
    for _ in range(videos.settings.job_max_attempts):
        assert dispatcher.dispatch_due() == 1
        claimed(database, placed, lease_s=0.001, holder="elsewhere/1/1")
        assert repaired(reconciler) == 1
    video = videos.get(placed.video_id)
    assert (video.status, video.error_code) == ("failed", "attempts_exhausted")
    assert dispatcher.dispatch_due() == 0


@contextmanager
def running(*keepers: Dispatcher | Reconciler) -> Iterator[None]:
    """The keepers in their threads, stopped and joined however the block ends."""
    stop = threading.Event()
    threads = [threading.Thread(target=keeper.run, args=[stop], daemon=True) for keeper in keepers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()


def _until(condition: object) -> None:
    assert callable(condition)
    patience = threading.Event()
    for _ in range(600):
        if condition():
            return
        patience.wait(0.02)
    raise AssertionError("the condition was not met in 12 s")


def test_a_disk_in_trouble_does_not_stop_the_repairs(
    reconciler: Reconciler, store: Store, eager: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    # A folder where an object should be: it can be listed, and not be unlinked.
    (eager.home / "assets" / "ab" / "x.png").mkdir(parents=True)
    trouble = Reconciler(
        reconciler._database, reconciler._runs, store, eager.model_copy(update={"orphan_grace_s": -5.0})
    )
    assert trouble.reconcile().swept == 0
    assert "trying again at the next pass" in caplog.text
