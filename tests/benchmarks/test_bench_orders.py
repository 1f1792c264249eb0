"""The benches of orders, queue and library do the work that they say they measure: tried small, on a real database."""

from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, select

from benchmarks import intake as intake_bench
from benchmarks import library as library_bench
from benchmarks import queue as queue_bench
from benchmarks.meter import Meter
from maquette.brands import service as brands
from maquette.db.engine import Database
from maquette.intake.service import Intake
from maquette.library.listing import Page, list_assets
from maquette.orders import queue
from maquette.orders.models import IdempotentAnswer, Job, JobStatus, Order
from maquette.quota import service as quota
from maquette.quota.models import MonthlyCounters
from maquette.settings import Settings
from maquette.storage.port import Store

# What two orders of the same things have each for itself.
OWN = {"id", "order_id", "job_id", "item_id", "subject", "key"}


@pytest.fixture
def intake(database: Database, store: Store, settings: Settings) -> Intake:
    """The use cases of orders."""
    return Intake(database, store, settings)


def default_brand(database: Database) -> UUID:
    with database.begin() as session:
        return brands.get(session, None).id


def shared(rows: intake_bench.Rows) -> dict[str, list[dict[str, Any]]]:
    return {
        table: [{name: value for name, value in row.items() if name not in OWN} for row in found]
        for table, found in rows.items()
    }


@pytest.mark.parametrize("name", intake_bench.REQUESTS)
def test_the_bare_transaction_writes_what_the_intake_writes(intake: Intake, database: Database, name: str) -> None:
    request = intake_bench.REQUESTS[name]
    brand_id = default_brand(database)
    with psycopg.connect(database.libpq_url) as connection:
        placed = intake_bench.place(intake, request, brand_id, "ours")
        ours = intake_bench.written(connection, placed.order_id, "ours")
        connection.rollback()
        intake_bench.run_bare(connection, intake_bench.anew(ours, brand_id))
        with database.begin() as session:
            order_id = session.exec(select(Order.id).where(Order.id != placed.order_id)).one()
            key = session.exec(select(IdempotentAnswer.key).where(IdempotentAnswer.key != "ours")).one()
            assert quota.audit(session) == []
            assert session.exec(select(MonthlyCounters)).one().images_reserved == 2 * request.count
        assert shared(intake_bench.written(connection, order_id, key)) == shared(ours)


def test_every_table_that_an_order_writes_is_in_the_bare_transaction(intake: Intake, database: Database) -> None:
    with intake_bench.counted(database) as sent:
        intake_bench.place(intake, intake_bench.REQUESTS["carousel of 5"], default_brand(database), "key")
    inserted = {statement.split()[2] for statement in sent if statement.startswith("INSERT")}
    assert inserted == {*intake_bench.ROWS, "counters_monthly"}


def test_all_clients_order_as_often_both_ways_and_warming_up_does_not_count(
    intake: Intake, database: Database, tmp_path: Path
) -> None:
    case = intake_bench.Case(order="image", clients=2, brands=2)
    found = intake_bench.compare(database, intake, case, Meter(tmp_path), rounds=2, orders=6)
    assert (len(found.intake.ms), len(found.bare.ms)) == (12, 12)
    assert min(found.intake.ms) > 0 and found.intake.wall_s > 0
    assert found.statements > found.bare_statements
    with database.begin() as session:
        by_brand = sa.select(sa.func.count()).select_from(Order).group_by(col(Order.brand_id)).order_by(sa.func.count())
        # Three rounds of six orders both ways between two brands, and two orders before for one of them.
        assert session.execute(by_brand).scalars().all() == [18, 20]


def test_a_failing_client_ends_the_bench(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        intake_bench.race([[fail], [lambda: None]], intake_bench.Took(), Meter(tmp_path))


def test_both_ways_of_deciding_send_jobs_of_a_queue_that_is_as_long_as_said(database: Database) -> None:
    queue_bench.fill(database, due=60, ended=40)
    with database.begin() as session:
        counts = dict(session.exec(select(Job.status, sa.func.count()).group_by(Job.status)).all())
        assert counts == {JobStatus.QUEUED: 60, JobStatus.COMPLETED: 40}
        assert len(session.exec(select(Job.brand_id).where(Job.status == JobStatus.QUEUED).distinct()).all()) == 50
    fair = partial(queue.next_due, window=1, ageing_s=300)
    found = queue_bench.drain(database, {"fair": fair, "plain": queue_bench.plain}, due=60, decisions=3)
    assert {way: len(times) for way, times in found.decided_ms.items()} == {"fair": 3, "plain": 3}
    for way, times in found.sent_ms.items():
        assert all(sent > decided for sent, decided in zip(times, found.decided_ms[way], strict=True))
    with database.begin() as session:
        left = session.exec(select(sa.func.count()).where(Job.status == JobStatus.QUEUED)).one()
        assert left == 60 - 2 * (3 + 5)
    with pytest.raises(RuntimeError, match="nothing is due"):
        queue_bench.drain(database, {"plain": queue_bench.plain}, due=60, decisions=60)


def indexes(database: Database) -> list[str]:
    with database.begin() as session:
        found = "SELECT indexdef FROM pg_indexes WHERE tablename = 'assets' ORDER BY indexname"
        return list(session.execute(sa.text(found)).scalars())


def test_the_far_page_is_the_one_that_offset_finds(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    before = indexes(database)
    brand_id = library_bench.fill(database, 1_000)
    assert indexes(database) == before
    pages = {}
    for name in ("all brands", "one brand", "carousels", "slides", "word of half the titles"):
        [listing] = [each for each in library_bench.LISTINGS if each.name == name]
        found = library_bench.compare(database, listing, brand_id, far=8, rounds=1, counts=1)
        pages[name] = found.far_page if found else None
        assert found is None or len(found.first.ms) == len(found.far.sql_ms) == len(found.offset.sql_ms) == 1
    assert pages == {"all brands": 8, "one brand": 6, "carousels": None, "slides": 2, "word of half the titles": 5}

    def first_page(session: Session, **how: Any) -> Page:
        return list_assets(session, **how | {"cursor": None})

    monkeypatch.setattr(library_bench, "list_assets", first_page)
    with pytest.raises(RuntimeError, match="is not what OFFSET finds"):
        library_bench.compare(database, library_bench.LISTINGS[0], brand_id, far=8, rounds=1, counts=1)
