"""Any sequence of orders, runs, crashes, retries, cancellations and months: what must hold after every step."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import Session, col, select

from maquette.errors import (
    BudgetExceeded,
    Conflict,
    Invalid,
    LeaseHeld,
    MaquetteError,
    MediaError,
    StaleLease,
    Transient,
)
from maquette.intake import failures
from maquette.intake.packs import parse_pack
from maquette.intake.requests import MediaRequest
from maquette.intake.service import Accepted, Intake
from maquette.launch.dispatcher import Dispatcher
from maquette.launch.flow_runs import RunState
from maquette.launch.reconciler import Reconciler
from maquette.library import service as library
from maquette.library.models import Asset
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job, JobStatus, Lease, Order, OrderItem, OrderStatus
from maquette.quota import service as quota
from maquette.quota.models import LedgerLine, MonthlyCounters, Reservation, ReservationState
from maquette.quota.rules import Amounts, period_of, reset_date
from maquette.settings import Settings
from maquette.storage import store_from_settings
from maquette.storage.port import StoredFile
from tests.launch.prefect import Prefect
from tests.orders.rig import Road, own_database

PACK, _ = parse_pack(
    {
        "title": "Une semaine",
        "assets": [
            {"id": "a", "kind": "image", "count": 2, "prompt": "Un chat"},
            {"id": "b", "kind": "video_premium", "count": 1, "prompt": "Le sucre", "durationSeconds": 8},
        ],
    }
)
REQUESTS: Final = (
    {"format": "image", "topic": "Un chat", "count": 1},
    {"format": "image", "topic": "Un chien", "count": 2},
    {"format": "carousel", "topic": "Les tendances", "count": 5},
    {"format": "video", "topic": "Le sel", "count": 4, "duration_s": 8},  # 16 films are a month's
)
ERRORS: Final = (Transient("503"), MediaError("no picture"), Invalid("400"), RuntimeError("a defect"))
ENDED_ORDERS: Final = set(OrderStatus) - {OrderStatus.PENDING, OrderStatus.PROCESSING}
Found = TypeVar("Found")
PICK: Final = st.integers(0, 2**16)


class RoadMachine(RuleBasedStateMachine):
    """One brand's orders; runs are leases that this machine holds, some of them for longer than they may."""

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self.database, self.settings = intake.database, intake.settings
        self.intake = Intake(intake.database, intake.store, intake.settings, moment=datetime(2026, 11, 5, tzinfo=UTC))
        self.road, self.prefect = Road(self.database), Prefect()
        self.dispatcher = Dispatcher(self.database, self.prefect, self.settings)
        self.reconciler = Reconciler(self.database, self.prefect, intake.store, self.settings)
        self.accepted: dict[UUID, int] = {}
        self.answers: dict[str, tuple[MediaRequest, Accepted]] = {}
        self.leases: list[Lease] = []
        self.ends: dict[UUID, str] = {}

    @initialize()
    def open_a_brand(self) -> None:
        self.brand = self.road.brand("starter")

    # What clients do.

    @rule(pick=PICK, key=st.sampled_from([None, "a", "b"]))
    def order(self, pick: int, key: str | None) -> None:
        request = MediaRequest.model_validate(REQUESTS[pick % len(REQUESTS)] | {"brand_id": self.brand})
        name = None if key is None else f"{self.brand}/{key}"
        estimate = self.intake.estimate(request)
        try:
            accepted = self.intake.order(request, key=name)
        except BudgetExceeded:
            assert not estimate.allowed
            return
        except Conflict:
            assert self.answers[name or ""][0] != request
            return
        if name in self.answers:
            assert self.answers[name] == (request, accepted)
        else:
            assert estimate.allowed
            self._remember(accepted)
            if name is not None:
                self.answers[name] = request, accepted

    @rule()
    def order_a_pack(self) -> None:
        try:
            self._remember(self.intake.pack(PACK, brand_id=self.brand))
        except BudgetExceeded:
            return

    @precondition(lambda self: self.accepted)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        order_id = self._one(list(self.accepted), pick)
        ended = self.road.order(order_id).status in ENDED_ORDERS
        try:
            self.intake.cancel(order_id)
        except Conflict:
            assert ended
            return
        assert not ended
        assert self.road.order(order_id).status in ENDED_ORDERS

    @precondition(lambda self: self.accepted)
    @rule(pick=PICK)
    def retry(self, pick: int) -> None:
        try:
            self._remember(self.intake.retry(self._one(list(self.accepted), pick)))
        except (Conflict, BudgetExceeded):
            return

    @rule()
    def a_month_passes(self) -> None:
        assert self.intake.moment is not None
        self.intake.moment = reset_date(period_of(self.intake.moment))

    # What the servers do.

    @precondition(lambda self: not self.prefect.down)
    @rule()
    def dispatch(self) -> None:
        self.dispatcher.dispatch_due()

    @precondition(lambda self: not self.prefect.down)
    @rule(pick=PICK)
    def the_dispatcher_dies_before_its_commit(self, pick: int) -> None:
        if waiting := self._jobs(JobStatus.QUEUED):
            job = self._one(waiting, pick)
            self.prefect.create(job, dispatch=job.dispatches + 1, premium=False)

    @rule(pick=PICK, lease_s=st.sampled_from([60.0, 0.0]))
    def claim(self, pick: int, lease_s: float) -> None:
        if found := self._jobs(*orders.OPEN_JOBS):  # a queued one too: its dispatcher died, or an old run came late
            self._claim(self._one(found, pick), lease_s=lease_s)

    @precondition(lambda self: self.leases)
    @rule(pick=PICK, item=PICK)
    def deliver(self, pick: int, item: int) -> None:
        lease = self._one(self.leases, pick)
        self._write(lease, partial(self._deliver, lease=lease, number=item))

    @precondition(lambda self: self.leases)
    @rule(pick=PICK, item=PICK)
    def give_up_an_item(self, pick: int, item: int) -> None:
        lease = self._one(self.leases, pick)

        def fail(session: Session) -> None:
            found = self._one(orders.items_of(session, lease.job_id), item)
            orders.fail_item(session, lease, found.id, MaquetteError("refused", code="filtered"))

        self._write(lease, fail)

    @precondition(lambda self: self.leases)
    @rule(pick=PICK, error=st.sampled_from(ERRORS))
    def a_run_fails(self, pick: int, error: Exception) -> None:
        lease = self._one(self.leases, pick)

        def judge(session: Session) -> None:
            orders.guard(session, lease, settle=True)
            failures.after_failure(session, orders.lock_job(session, lease.job_id), error, settings=self.settings)

        self._write(lease, judge)

    @rule(pick=PICK, state=st.sampled_from(list(RunState)))
    def prefect_says_something_else(self, pick: int, state: RunState) -> None:
        if self.prefect.states:
            self.prefect.states[self._one(list(self.prefect.states), pick)] = state

    @rule(down=st.booleans())
    def prefect_goes_or_comes_back(self, down: bool) -> None:
        self.prefect.down = down

    @precondition(lambda self: not self.prefect.down)
    @rule()
    def prefect_is_wiped(self) -> None:
        self.prefect.states.clear()

    @rule()
    def reconcile(self) -> None:
        self.reconciler.reconcile()

    # What must hold.

    @invariant()
    def no_accepted_order_is_lost(self) -> None:
        with self.database.begin() as session:
            statuses = self._orders(session)
            assert statuses.keys() == self.accepted.keys()
            jobs = {job.id: job for job in session.exec(select(Job).where(col(Job.order_id).in_(statuses)))}
            items = session.exec(select(OrderItem).where(col(OrderItem.order_id).in_(statuses))).all()
        open_items = {item.job_id for item in items if item.status in orders.OPEN}
        for job in jobs.values():
            match job.status:
                case JobStatus.QUEUED:
                    assert (job.lease_expires_at, job.flow_run_id) == (None, None)
                case JobStatus.SENT:  # the reconciler asks Prefect for it
                    assert job.sent_at is not None
                    assert job.flow_run_id is not None
                case JobStatus.RUNNING:  # the reconciler looks at its lease and its deadline
                    assert job.lease_expires_at is not None
                    assert job.deadline_at is not None
            assert (job.status in orders.OPEN_JOBS) == (job.id in open_items)
            assert job.attempts <= job.max_attempts
            assert job.attempts <= job.dispatches
            runs = sum(key.startswith(str(job.id)) for key in self.prefect.runs)
            assert runs <= job.dispatches + 1  # one that its dispatcher did not live to record
        open_orders = {jobs[job_id].order_id for job_id in open_items}
        assert {id_ for id_, status in statuses.items() if status not in ENDED_ORDERS} == open_orders

    @invariant()
    def one_token_at_most_is_valid(self) -> None:
        running = {job.id: job.fence for job in self._jobs(JobStatus.RUNNING)}
        valid = Counter(lease.job_id for lease in self.leases if running.get(lease.job_id) == lease.token)
        assert not valid or max(valid.values()) == 1

    @invariant()
    def what_has_ended_stays_as_it_is(self) -> None:
        with self.database.begin() as session:
            statuses: dict[UUID, str] = dict(self._orders(session))
            for table in (Job, OrderItem):
                found = select(table.id, table.status).where(col(table.order_id).in_(list(self.accepted)))
                statuses |= dict(session.exec(found).all())
        for id_, status in self.ends.items():
            assert statuses[id_] == status
        self.ends |= {id_: status for id_, status in statuses.items() if status in ENDED_ORDERS}

    @invariant()
    def every_reservation_ends_once_and_in_its_month(self) -> None:
        with self.database.begin() as session:
            assert quota.audit(session) == []
            rows = session.exec(
                select(Reservation, OrderItem.order_id, OrderItem.status)
                .join(OrderItem, col(OrderItem.id) == col(Reservation.item_id))
                .where(Reservation.brand_id == self.brand)
            ).all()
            lines = Counter(
                session.exec(
                    select(LedgerLine.item_id, LedgerLine.reason).where(LedgerLine.brand_id == self.brand).distinct()
                )
            )
        for held, order_id, status in rows:
            wanted = {
                ItemStatus.COMPLETED: ReservationState.SETTLED,
                ItemStatus.FAILED: ReservationState.REFUNDED,
                ItemStatus.CANCELLED: ReservationState.REFUNDED,
            }.get(ItemStatus(status), ReservationState.RESERVED)
            assert held.state == wanted
            assert held.period_yyyymm == self.accepted[order_id]
            ends = lines[held.item_id, "settle"], lines[held.item_id, "refund"]
            assert ends == (wanted == ReservationState.SETTLED, wanted == ReservationState.REFUNDED)

    @invariant()
    def assets_are_completed_items_are_charged_units(self) -> None:
        with self.database.begin() as session:
            assets = session.exec(select(Asset.item_id).where(Asset.brand_id == self.brand)).all()
            completed = session.exec(
                select(OrderItem.id, Reservation)
                .join(Reservation, col(Reservation.item_id) == col(OrderItem.id))
                .where(Reservation.brand_id == self.brand, OrderItem.status == ItemStatus.COMPLETED)
            ).all()
            counters = session.exec(select(MonthlyCounters).where(MonthlyCounters.brand_id == self.brand)).all()
        assert Counter(assets) == Counter(item_id for item_id, _ in completed)
        assert sum(month.images_used + month.reels_used for month in counters) == len(completed)
        for month in counters:
            paid = sum(
                (held.amounts() for _, held in completed if held.period_yyyymm == month.period_yyyymm), Amounts()
            )
            used = Amounts(images=month.images_used, reels=month.reels_used, woofs=month.woofs_used)
            assert paid == used

    def teardown(self) -> None:
        """Everything that is still open ends when the servers do their work."""
        self.prefect.down = False
        with self.database.begin() as session:  # time passes, and every lease runs out
            ran_out = sa.update(Job).where(col(Job.brand_id) == self.brand, col(Job.status) == JobStatus.RUNNING)
            session.execute(ran_out.values(lease_expires_at=sa.func.now() - timedelta(seconds=1)))
        for _ in range(self.settings.job_max_attempts + 2):
            self.prefect.all_are(RunState.ENDED)
            self.reconciler.reconcile()
            self.dispatcher.dispatch_due()
            for job in self._jobs(JobStatus.SENT):
                lease = self._claim(job, lease_s=60)
                assert lease is not None
                for number in range(len(self.road.items(lease.order_id))):
                    self._write(lease, partial(self._deliver, lease=lease, number=number))
        assert self._jobs(*orders.OPEN_JOBS) == []
        self.no_accepted_order_is_lost()
        self.what_has_ended_stays_as_it_is()
        self.every_reservation_ends_once_and_in_its_month()
        self.assets_are_completed_items_are_charged_units()

    def _remember(self, accepted: Accepted) -> None:
        assert self.intake.moment is not None
        self.accepted[accepted.order_id] = period_of(self.intake.moment)

    def _claim(self, job: Job, *, lease_s: float) -> Lease | None:
        held = job.status == JobStatus.RUNNING and job.lease_expires_at is not None
        try:
            lease = self.road.claim(job.id, lease_s=lease_s)
        except LeaseHeld:
            assert held
            return None
        self.leases.append(lease)
        return lease

    def _write(self, lease: Lease, write: Callable[[Session], None]) -> None:
        """A run writes: it may while the token is the job's, and never afterwards."""
        job = self.road.job(lease.job_id)
        valid = job.status == JobStatus.RUNNING and job.fence == lease.token
        try:
            with self.database.begin() as session:
                write(session)
        except StaleLease:
            assert not valid
        else:
            assert valid

    def _deliver(self, session: Session, *, lease: Lease, number: int) -> None:
        """As the pipelines do: the asset and the item's end in one transaction, behind the fence."""
        orders.guard(session, lease, settle=True)
        item = self._one(orders.items_of(session, lease.job_id), number)
        if item.status not in orders.OPEN:
            return
        file = StoredFile(key=f"{uuid4().hex}.jpg", sha256=uuid4().hex, size_bytes=1)
        shown = library.Shown(brand_id=lease.brand_id, order_id=lease.order_id, item_id=item.id, listed=True)
        library.add(session, file, subject=lease.subject, kind=item.kind, shown=shown)
        orders.complete_item(session, lease, item.id)

    def _jobs(self, *status: JobStatus) -> Sequence[Job]:
        with self.database.begin() as session:
            found = select(Job).where(Job.brand_id == self.brand, col(Job.status).in_(status))
            return session.exec(found.order_by(col(Job.created_at), col(Job.subject))).all()

    def _orders(self, session: Session) -> dict[UUID, str]:
        found = select(Order.id, Order.status).where(Order.brand_id == self.brand)
        return dict(session.exec(found).all())

    @staticmethod
    def _one(found: Sequence[Found], pick: int) -> Found:
        return found[pick % len(found)]


@pytest.fixture(scope="module")
def intake(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    """The intake of the module, with keepers that wait for nothing."""
    settings = Settings(
        home=tmp_path_factory.mktemp("home"),
        dispatch_grace_s=1e-6,
        retry_base_s=0,
        job_max_attempts=2,
        dispatch_window=1000,
    )
    with own_database(postgres) as database:
        yield Intake(database, store_from_settings(settings), settings)


def test_the_road_holds_whatever_happens(intake: Intake) -> None:
    class OnThisDatabase(RoadMachine):
        def __init__(self) -> None:
            super().__init__(intake)

    run_state_machine_as_test(
        OnThisDatabase,
        settings=hypothesis_settings(
            max_examples=10, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
