"""What reading costs: statements that do not grow with the drafts, documents and logs that stay small."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from maquette.db.engine import Database
from maquette.drafts import repository
from maquette.drafts.documents import content_hash, progress, whole
from maquette.drafts.tables import Draft, DraftAsset
from maquette.events import service as events
from maquette.orders.models import ItemStatus, Job, Order, OrderItem
from tests.drafts.house import PICTURES, House


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, int]]]:
    """What is asked of the database in the block, and how many rows each statement met."""
    asked: list[tuple[str, int]] = []

    def note(connection: object, cursor: Any, statement: str, *_: object) -> None:
        asked.append((statement, cursor.rowcount))

    sa.event.listen(database.engine, "after_cursor_execute", note)
    try:
        yield asked
    finally:
        sa.event.remove(database.engine, "after_cursor_execute", note)


def many(house: House, number: int, *, assets: int) -> list[str]:
    """Drafts with assets, as rows."""
    ids = [f"{index:08x}" for index in range(number)]
    with house.database.begin() as session:
        session.add_all(
            Draft(id=each, name=f"D {each}", theme="farm", slug="d", folder=f"d-{each}", written_version=0)
            for each in ids
        )
        session.flush()
        session.add_all(
            DraftAsset(
                draft_id=each, number=n, display_name=f"thing {n}", titles=dict.fromkeys(("fr", "en"), f"thing {n}"),
                image_file=f"{n:02d}_thing.png",
            )
            for each in ids
            for n in range(assets)
        )  # fmt: skip
    return ids


def ordered_before(house: House, draft_id: str, *, times: int, parts: int) -> None:
    """Orders of other days, each of the same parts."""
    with house.database.begin() as session:
        brand = session.connection().exec_driver_sql("SELECT id FROM brands WHERE is_default").scalar_one()
        for _ in range(times):
            order = Order(brand_id=brand, kind="draft", brief={}, campaign_name="d", status="completed")
            session.add(order)
            session.flush()
            job = Job(
                order_id=order.id, brand_id=brand, kind="draft", subject=f"draft_{draft_id}", max_attempts=3,
                status="completed",
            )  # fmt: skip
            session.add(job)
            session.flush()
            session.add_all(
                OrderItem(
                    order_id=order.id, job_id=job.id, sequence_number=part + 1, kind="draft_image",
                    brief={"part": f"{part:02d}", "prompt": "x" * 500}, status=ItemStatus.COMPLETED,
                )
                for part in range(parts)
            )  # fmt: skip


def test_a_list_of_many_drafts_is_two_statements(house: House) -> None:
    many(house, 200, assets=3)
    with statements(house.database) as asked:
        listed = house.drafts.list()
    assert len(listed) == 200
    assert {line.num_assets for line in listed} == {3}
    assert {line.thumbnail_path for line in listed} == {None}  # no picture is there yet
    assert len(asked) == 2


def test_the_list_shows_the_first_picture_that_is_there(house: House) -> None:
    draft_id = house.new()
    house.generate(draft_id, PICTURES, refused=["00"])
    (line,), asset = house.drafts.list(), house.drafts.asset(draft_id, 1)
    assert line.thumbnail_path == f"/storage/drafts/{line.folder}/assets/{asset.image_file}"
    assert line.thumbnail_path == house.drafts.get(draft_id).thumbnail_url


@pytest.mark.parametrize("times", [1, 30])
def test_a_status_costs_the_same_whatever_was_ordered_before(house: House, times: int) -> None:
    (draft_id,) = many(house, 1, assets=20)
    ordered_before(house, draft_id, times=times, parts=20)
    with statements(house.database) as asked, house.database.begin() as session:
        progress(session, repository.get_draft(session, draft_id))
    assert len(asked) <= 5
    assert sum(rows for _, rows in asked) <= 1 + 20 + 20 + 1  # the draft, its assets, each part's newest item, its job


def test_a_change_costs_a_few_statements_and_a_short_event(house: House) -> None:
    (draft_id,) = many(house, 1, assets=50)
    with house.database.begin() as session:
        draft = repository.get_draft(session, draft_id)
        began = time.process_time()
        for _ in range(20):
            content_hash(whole(session, draft))
        assert (time.process_time() - began) / 20 < 0.05
    with statements(house.database) as asked, house.drafts.changing(draft_id) as (_, draft):
        draft.description = "d"
    assert len(asked) <= 24  # the folder is read and written down, too
    with house.database.begin() as session:
        (event,) = events.since(session, f"draft_{draft_id}")
        assert len(str(event.data)) < 1000


def test_a_hundred_failures_do_not_make_a_hundred_long_events(house: House) -> None:
    draft_id = house.new()
    accepted = house.intake.generate_draft(draft_id, PICTURES.model_copy(update={"num_assets": 50}))
    assert accepted.order_id is not None
    house.intake.cancel(accepted.order_id)
    status = house.status(draft_id)
    assert len(status.failures) == status.failed_assets == 50
    with house.database.begin() as session:
        last = events.since(session, f"draft_{draft_id}")[-1]
    assert (last.data["failed_assets"], len(last.data["failures"])) == (50, 20)
