"""What is given up in time, and what is kept for as long as somebody needs it."""

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from maquette.db.engine import Database
from maquette.db.types import now
from maquette.events import service as events
from maquette.launch.retention import expire_media, forget_history
from maquette.library import service as library
from maquette.library.models import Asset
from maquette.orders.models import IdempotentAnswer, Order
from maquette.quota.models import LedgerLine
from maquette.settings import Settings
from maquette.storage.port import Store
from tests.orders.rig import IMAGE, Road, job_of


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


def kept(store: Store, session: Session, subject: str, *, days: int | None) -> Asset:
    """An asset with a file of its own, whose last day is in so many days."""
    made = store.temporary(".txt")
    made.write_text(uuid4().hex)
    expires_at = None if days is None else now(session) + timedelta(days=days)
    shown = library.Shown(listed=True, expires_at=expires_at)
    return library.add(session, store.put(made), subject=subject, kind="image", shown=shown)


def test_media_is_given_up_with_the_last_day_of_its_thing_unless_somebody_works_on_it(road: Road, store: Store) -> None:
    with road.database.begin() as session:
        over = [kept(store, session, "over", days=-1), kept(store, session, "over", days=None)]
        stay = [
            kept(store, session, "half over", days=-1), kept(store, session, "half over", days=1),
            kept(store, session, "busy", days=-1), kept(store, session, "for ever", days=None),
        ]  # fmt: skip
    placed = road.place(road.brand(), job_of(IMAGE, subject="busy"))
    assert expire_media(road.database, store) == 2
    assert expire_media(road.database, store) == 0
    assert library.sweep(road.database, store, older_than_s=-5) == 2
    assert [store.exists(asset.key) for asset in over + stay] == [False] * 2 + [True] * 4
    with road.database.begin() as session:
        listed = session.exec(select(Asset.id).where(Asset.listed)).all()
        assert set(listed) == {asset.id for asset in stay}
        assert len(session.exec(select(Asset)).all()) == 6  # rows stay: they say what was made and paid
    road.complete(road.claim(placed.jobs[0].id), *placed.items)
    assert expire_media(road.database, store) == 1


def test_a_file_that_another_thing_still_shows_is_not_swept(road: Road, store: Store) -> None:
    with road.database.begin() as session:
        asset = kept(store, session, "over", days=-1)
        session.flush()
        again = Asset.model_validate(asset.model_dump(exclude={"id"}) | {"subject": "another", "expires_at": None})
        session.add(again)
    assert expire_media(road.database, store) == 1
    assert library.sweep(road.database, store, older_than_s=-5) == 0
    assert store.exists(asset.key)


def test_history_is_forgotten_but_not_of_what_is_open(road: Road, settings: Settings) -> None:
    ended, open_ = road.place(road.brand(), job_of(IMAGE)), road.place(road.brand(), job_of(IMAGE))
    road.complete(road.claim(ended.jobs[0].id), *ended.items)
    with road.database.begin() as session:
        events.append(session, open_.jobs[0].subject, "status", {})
        session.add(IdempotentAnswer(key="old", request={}))
    with road.database.begin() as session:
        for table in ("events", "idempotency_keys"):
            session.execute(sa.text(f"UPDATE {table} SET created_at = now() - interval '31 days'"))
    with road.database.begin() as session:
        events.append(session, "recent", "status", {})
        session.add(IdempotentAnswer(key="new", request={}))
    forgotten = len(("placed", "started", "item"))
    assert forget_history(road.database, settings) == (forgotten, 1)
    assert forget_history(road.database, settings) == (0, 0)
    with road.database.begin() as session:
        assert [event.type for event in events.since(session, f"order:{ended.order.id}")] == ["ended"]
        assert events.append(session, f"order:{ended.order.id}", "slide", {}) == 5  # no number is heard twice
        assert events.last_seq(session, f"order:{open_.order.id}") == 1
        assert events.last_seq(session, open_.jobs[0].subject) == 1
        assert session.exec(select(IdempotentAnswer.key)).all() == ["new"]
        assert len(session.exec(select(Order)).all()) == 2
        assert len(session.exec(select(LedgerLine)).all()) == 6  # books are never forgotten
