"""The road by hand: brands, orders and runs without pipelines, on a real database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import sqlalchemy as sa

from maquette.brands import service as brands
from maquette.brands.service import NewBrand
from maquette.db.embedded import ensure_database
from maquette.db.engine import Database
from maquette.errors import MaquetteError
from maquette.orders import service as orders
from maquette.orders.models import Job, Lease, Order, OrderItem
from maquette.orders.service import NewItem, NewJob, Payer, PlacedOrder
from maquette.quota import service as quota
from maquette.quota.models import MonthlyCounters, Reservation
from maquette.quota.rules import Amounts, period_of, plan

IMAGE: Final = NewItem(kind="image", brief={}, amounts=Amounts(images=1))
SLIDE: Final = NewItem(kind="carousel_slide", brief={}, amounts=Amounts(images=1))
REEL: Final = NewItem(kind="video", brief={}, amounts=Amounts(reels=1, woofs=2))


@contextmanager
def own_database(postgres: str, *, pool_size: int = 5) -> Iterator[Database]:
    """A migrated database that is dropped at the end, for a module's tests or for more connections than usual."""
    admin = sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    name = f"own_{uuid4().hex}"
    database = Database(ensure_database(admin, name, template="template"), pool_size=pool_size)
    try:
        yield database
    finally:
        database.dispose()
        engine = sa.create_engine(
            sa.make_url(admin).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        engine.dispose()


def job_of(*items: NewItem, subject: str | None = None, kind: str = "image") -> NewJob:
    """A job for a thing of its own, unless ``subject`` names one."""
    return NewJob(kind=kind, subject=subject or f"thing_{uuid4().hex}", items=items)


@dataclass(frozen=True)
class Road:
    """The services of the road, a transaction each."""

    database: Database

    def brand(self, plan_name: str = "admin") -> UUID:
        """A new brand's id."""
        with self.database.begin() as session:
            return brands.create(session, NewBrand(name="a", plan=plan_name)).id

    def place(self, brand_id: UUID, *jobs: NewJob, moment: datetime | None = None) -> PlacedOrder:
        """A new order, in the month of ``moment``."""
        with self.database.begin() as session:
            return orders.place(
                session,
                payer=Payer(brand_id, plan(brands.get(session, brand_id).plan), moment),
                kind=jobs[0].kind,
                brief={},
                campaign_name="a",
                jobs=jobs,
                max_attempts=3,
            )

    def claim(
        self, job_id: UUID, *, flow_run_id: UUID | None = None, lease_s: float = 60, holder: str = "elsewhere/1/1"
    ) -> Lease:
        """The lease of a run on another host: of the one that was sent, unless another is named."""
        with self.database.begin() as session:
            run_id = flow_run_id or orders.get_job(session, job_id).flow_run_id
            return orders.claim(session, job_id, flow_run_id=run_id, lease_s=lease_s, deadline_s=3600, holder=holder)

    def complete(self, lease: Lease, *items: OrderItem) -> None:
        """Deliver the items, each in a transaction of its own."""
        for item in items:
            with self.database.begin() as session:
                orders.complete_item(session, lease, item.id)

    def fail(self, lease: Lease, *items: OrderItem) -> None:
        """End the items badly."""
        for item in items:
            with self.database.begin() as session:
                orders.fail_item(session, lease, item.id, MaquetteError("no", code="filtered"))

    def job(self, job_id: UUID) -> Job:
        """The job as it is now."""
        with self.database.begin() as session:
            return orders.get_job(session, job_id)

    def order(self, order_id: UUID) -> Order:
        """The order as it is now."""
        with self.database.begin() as session:
            return orders.get_order(session, order_id)

    def items(self, order_id: UUID) -> Sequence[OrderItem]:
        """The order's items as they are now."""
        with self.database.begin() as session:
            return orders.order_items(session, order_id)

    def counters(self, brand_id: UUID, moment: datetime | None = None) -> MonthlyCounters:
        """The brand's month: that of ``moment``, or the present one."""
        with self.database.begin() as session:
            period = period_of(moment or session.execute(sa.select(sa.func.now())).scalar_one())
            return session.get(MonthlyCounters, (brand_id, period)) or MonthlyCounters(
                brand_id=brand_id, period_yyyymm=period
            )

    def reservation(self, item: OrderItem) -> Reservation:
        """What the item held."""
        with self.database.begin() as session:
            return session.get_one(Reservation, item.id)

    def assert_books_agree(self) -> None:
        """Postings sum to zero, and the counters equal them."""
        with self.database.begin() as session:
            assert quota.audit(session) == []
