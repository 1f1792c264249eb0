"""What the keepers of the road do to attempts, budgets and queues."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from maquette.errors import Invalid, MaquetteError, MediaError, QuotaExceeded, Transient
from maquette.intake import failures
from maquette.intake.requests import MediaRequest
from maquette.intake.service import Accepted, Intake
from maquette.launch.dispatcher import Dispatcher
from maquette.launch.flow_runs import RunState
from maquette.launch.reconciler import Reconciler
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job, JobStatus, OrderItem, OrderStatus
from maquette.orders.policy import Verdict
from maquette.settings import Settings
from maquette.storage import store_from_settings
from tests.launch.prefect import Prefect
from tests.orders.rig import Road, own_database

CAROUSEL = MediaRequest(format="carousel", topic="Les tendances", count=3)


@pytest.fixture(scope="module")
def shared(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    """The intake of the module, whose jobs are looked after at once."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), dispatch_grace_s=1e-6, retry_base_s=60)
    with own_database(postgres) as database:
        yield Intake(database, store_from_settings(settings), settings)


class Keepers:
    """A dispatcher and a reconciler, and the orders of a brand of their own."""

    def __init__(self, intake: Intake) -> None:
        self.intake, self.road, self.prefect = intake, Road(intake.database), Prefect()
        self.dispatcher = Dispatcher(intake.database, self.prefect, intake.settings)
        self.reconciler = Reconciler(intake.database, self.prefect, intake.store, intake.settings)
        self.brand = self.road.brand("starter")

    def sent(self) -> Accepted:
        """An order that was sent."""
        accepted = self.intake.order(CAROUSEL.model_copy(update={"brand_id": self.brand}))
        assert self.dispatcher.dispatch_due() == 1
        return accepted

    def failed(self, job_id: UUID, error: Exception) -> Verdict:
        """The job is claimed by a run, which fails."""
        lease = self.road.claim(job_id)
        with self.intake.database.begin() as session:
            orders.guard(session, lease, settle=True)
            job = orders.lock_job(session, job_id)
            return failures.after_failure(session, job, error, settings=self.intake.settings, random=Random(0))

    def change(self, job_id: UUID, **values: object) -> None:
        """What time or an accident does to a job."""
        with self.intake.database.begin() as session:
            session.execute(sa.update(Job).where(col(Job.id) == job_id).values(**values))

    def reserved(self) -> tuple[int, int]:
        """Pictures used and reserved."""
        counters = self.road.counters(self.brand)
        return counters.images_used, counters.images_reserved


@pytest.fixture
def keepers(shared: Intake) -> Keepers:
    """Keepers on a road on which nothing is under way."""
    with shared.database.begin() as session:
        for job in session.execute(sa.select(Job).where(col(Job.status).in_(orders.OPEN_JOBS))).scalars().all():
            orders.end_open(session, job, ItemStatus.CANCELLED)
    return Keepers(shared)


def test_outages_use_up_no_attempt_and_each_dispatch_is_another_run(keepers: Keepers) -> None:
    job_id = keepers.sent().job_id
    for number in range(1, 7):
        verdict = keepers.failed(job_id, QuotaExceeded("429", retry_after_s=0))
        job = keepers.road.job(job_id)
        assert (verdict.kind, job.status) == ("wait", JobStatus.QUEUED)
        assert (job.attempts, job.dispatches) == (0, number)
        assert keepers.dispatcher.dispatch_due() == 1
    assert list(keepers.prefect.runs) == [f"{job_id}:{number}" for number in range(1, 8)]
    assert len(set(keepers.prefect.runs.values())) == 7


def test_patience_with_an_outage_ends_and_the_order_is_refunded(keepers: Keepers) -> None:
    accepted = keepers.sent()
    patience = timedelta(seconds=keepers.intake.settings.outage_patience_s)
    keepers.change(accepted.job_id, created_at=sa.func.now() - patience)
    assert keepers.failed(accepted.job_id, Transient("503")).kind == "fail"
    assert keepers.road.order(accepted.order_id).status == OrderStatus.FAILED
    assert {item.error_code for item in keepers.road.items(accepted.order_id)} == {"provider_unavailable"}
    assert keepers.reserved() == (0, 0)


def test_failures_that_may_pass_wait_and_use_up_the_attempts(keepers: Keepers) -> None:
    accepted = keepers.sent()
    for number in range(1, keepers.intake.settings.job_max_attempts):
        assert keepers.failed(accepted.job_id, MediaError("no picture")).kind == "again"
        job = keepers.road.job(accepted.job_id)
        delay_s = (job.available_at - job.updated_at).total_seconds()
        assert 0.8 * 60 * 2**number <= delay_s <= 1.2 * 60 * 2**number + 1
        assert job.attempts == number
        assert keepers.dispatcher.dispatch_due() == 0
        keepers.change(accepted.job_id, available_at=sa.func.now())
        assert keepers.dispatcher.dispatch_due() == 1
    assert keepers.failed(accepted.job_id, MediaError("no picture")).kind == "fail"
    assert keepers.road.job(accepted.job_id).status == JobStatus.FAILED
    assert keepers.reserved() == (0, 0)


def test_a_wrong_request_fails_at_once_and_what_was_delivered_stays(keepers: Keepers) -> None:
    accepted = keepers.sent()
    items = keepers.road.items(accepted.order_id)
    keepers.road.complete(keepers.road.claim(accepted.job_id, lease_s=0), items[0])
    assert keepers.failed(accepted.job_id, Invalid("400: no such model")).kind == "fail"
    job = keepers.road.job(accepted.job_id)
    assert (job.attempts, job.status, job.last_error) == (1, JobStatus.COMPLETED, "400: no such model")
    assert keepers.road.order(accepted.order_id).status == OrderStatus.PARTIAL
    assert keepers.reserved() == (1, 0)


def test_a_defect_of_ours_is_told_as_such_when_the_attempts_are_used_up(keepers: Keepers) -> None:
    accepted = keepers.sent()
    keepers.change(accepted.job_id, attempts=keepers.intake.settings.job_max_attempts)
    assert keepers.failed(accepted.job_id, RuntimeError("a defect")).kind == "fail"
    [told] = {(item.error_code, item.error_message) for item in keepers.road.items(accepted.order_id)}
    assert told == ("attempts_exhausted", "RuntimeError: a defect, after 3 attempts")


def test_a_cancelled_run_cancels_and_refunds_what_is_open(keepers: Keepers) -> None:
    accepted = keepers.sent()
    items = keepers.road.items(accepted.order_id)
    lease = keepers.road.claim(accepted.job_id)
    keepers.road.complete(lease, items[0])
    keepers.prefect.all_are(RunState.CANCELLED)
    repairs = keepers.reconciler.reconcile()
    assert (repairs.retried, repairs.failed) == (0, 1)
    assert [item.status for item in keepers.road.items(accepted.order_id)] == ["completed", "cancelled", "cancelled"]
    assert keepers.reserved() == (1, 0)
    assert keepers.reconciler.reconcile().details == []


def test_a_run_that_is_cancelled_before_it_claims_cancels_its_order(keepers: Keepers) -> None:
    accepted = keepers.sent()
    keepers.prefect.all_are(RunState.CANCELLED)
    keepers.reconciler.reconcile()
    assert keepers.road.order(accepted.order_id).status == OrderStatus.CANCELLED
    assert keepers.reserved() == (0, 0)


def test_a_late_job_ends_and_is_refunded_but_for_what_was_delivered(keepers: Keepers) -> None:
    accepted = keepers.sent()
    items = keepers.road.items(accepted.order_id)
    keepers.road.complete(keepers.road.claim(accepted.job_id), items[0])
    keepers.prefect.all_are(RunState.RUNNING)
    keepers.change(accepted.job_id, deadline_at=sa.func.now())
    repairs = keepers.reconciler.reconcile()
    assert repairs.failed == 1
    assert [item.error_code for item in keepers.road.items(accepted.order_id)] == [None] + ["operation_timeout"] * 2
    assert keepers.reserved() == (1, 0)
    assert keepers.prefect.crashed == list(keepers.prefect.states)


def test_a_job_that_is_released_keeps_what_it_reserved(keepers: Keepers) -> None:
    accepted = keepers.sent()
    keepers.road.claim(accepted.job_id, lease_s=0)
    keepers.prefect.all_are(RunState.RUNNING)
    assert keepers.reconciler.reconcile().retried == 1
    job = keepers.road.job(accepted.job_id)
    assert (job.status, job.last_error) == (JobStatus.QUEUED, "the lease ran out")
    assert keepers.reserved() == (0, 3)


@pytest.mark.parametrize(
    ("status", "used"), [(ItemStatus.COMPLETED, 3), (ItemStatus.FAILED, 0), (ItemStatus.CANCELLED, 0)]
)
def test_forgotten_reservations_of_ended_items_are_closed_once(keepers: Keepers, status: ItemStatus, used: int) -> None:
    accepted = keepers.sent()
    with keepers.intake.database.begin() as session:  # what no code of ours does: an end without its settlement
        session.execute(sa.update(OrderItem).where(col(OrderItem.order_id) == accepted.order_id).values(status=status))
        session.execute(sa.update(Job).where(col(Job.id) == accepted.job_id).values(status=JobStatus(status)))
    with ThreadPoolExecutor(2) as pool:
        passes = [pool.submit(keepers.reconciler.reconcile) for _ in range(2)]
        assert sum(each.result(30).reservations for each in passes) == 3
    assert keepers.reserved() == (used, 0)
    assert keepers.reconciler.reconcile().reservations == 0
    keepers.road.assert_books_agree()


def test_two_reconcilers_take_a_job_back_once(keepers: Keepers) -> None:
    accepted = keepers.sent()
    keepers.prefect.all_are(RunState.ENDED)
    with ThreadPoolExecutor(4) as pool:
        passes = [pool.submit(keepers.reconciler.reconcile) for _ in range(4)]
        assert sum(each.result(30).retried for each in passes) == 1
    assert keepers.road.job(accepted.job_id).attempts == 1


@pytest.mark.parametrize(("plan", "premium"), [("starter", False), ("pro", True)])
def test_runs_go_to_the_queue_of_their_brand(keepers: Keepers, plan: str, premium: bool) -> None:
    keepers.brand = keepers.road.brand(plan)
    keepers.sent()
    assert list(keepers.prefect.queues.values()) == [premium]


def test_a_lost_run_without_attempts_left_fails_and_refunds(keepers: Keepers) -> None:
    accepted = keepers.sent()
    keepers.change(accepted.job_id, attempts=keepers.intake.settings.job_max_attempts)
    keepers.prefect.states.clear()
    assert keepers.reconciler.reconcile().failed == 1
    [told] = {(item.error_code, item.error_message) for item in keepers.road.items(accepted.order_id)}
    assert told == ("attempts_exhausted", "Prefect does not know the run, after 3 attempts")
    assert keepers.reserved() == (0, 0)


def test_an_end_of_a_job_voids_its_token(keepers: Keepers) -> None:
    accepted = keepers.sent()
    lease = keepers.road.claim(accepted.job_id)
    with keepers.intake.database.begin() as session:
        job = orders.lock_job(session, accepted.job_id)
        failures.end_job(session, job, ItemStatus.FAILED, MaquetteError("given up"))
    assert keepers.road.job(accepted.job_id).fence == lease.token + 1
