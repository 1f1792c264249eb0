"""Revision 0002 on a database that was in use: every row stays, and the new code goes on where the old one stopped."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlmodel import select

from maquette.brands import service as brands
from maquette.db.embedded import ensure_database
from maquette.db.engine import Database, sqlalchemy_url
from maquette.errors import Conflict, LeaseHeld, StaleLease
from maquette.journal.costs import costs
from maquette.launch import schema
from maquette.library.models import Asset
from maquette.orders import queue
from maquette.orders import service as orders
from maquette.orders.models import IdempotentAnswer, Job, JobStatus, Lease, Order
from maquette.quota import service as quota
from maquette.settings import Settings
from maquette.storage import store_from_settings
from maquette.videos.models import VideoBrief
from maquette.videos.service import Videos
from tests.orders.rig import IMAGE, Road, job_of

ROOT = Path(__file__).parents[2]
START = datetime(2026, 1, 1, tzinfo=UTC)
STATES = ("queued", "sent", "running", "completed", "failed")


def brief_of(video_id: str) -> VideoBrief:
    return VideoBrief(theme=f"Le sucre de {video_id}", target_duration=8)


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


class Old:
    """Writes rows as revision 0001 had them."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def insert(self, table: str, **values: object) -> Any:
        told = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in values.items()}
        gaps = ", ".join(f"CAST(:{name} AS jsonb)" if isinstance(values[name], dict) else f":{name}" for name in told)
        self.connection.execute(sa.text(f"INSERT INTO {table} ({', '.join(told)}) VALUES ({gaps})"), told)
        return values["id"]

    def video(self, video_id: str, *, status: str = "queued") -> None:
        self.insert(
            "videos", id=video_id, **brief_of(video_id).model_dump(mode="json"), status=status, actual_duration=8,
            total_blocks=1, asks=0,
        )  # fmt: skip
        self.insert(
            "video_blocks", id=uuid4(), video_id=video_id, number=1, dialogue="Le sucre", visual="Du sucre",
            duration_s=8, takes=0, status="pending", progress=0, tries=0, tries_before=0, reworded=False,
        )  # fmt: skip

    def film(self, video_id: str, *, at: int) -> UUID:
        """A film, which the video shows from then on, and what it was made of."""
        for kind in ("clip", "film"):
            asset_id: UUID = self.insert(
                "assets", id=uuid4(), subject=video_id, kind=kind, key=f"{kind}{at}.mp4", sha256=f"{kind}{at}",
                size_bytes=at, media_type="video/mp4", provenance={"attempt": 1}, created_at=minute(at),
            )  # fmt: skip
        self.connection.execute(
            sa.text("UPDATE videos SET film_asset_id = :film WHERE id = :id"), {"film": asset_id, "id": video_id}
        )
        return asset_id

    def call(self, video_id: str, *, at: int, cost_micros: int) -> None:
        self.insert(
            "provider_calls", id=uuid4(), account=video_id, subject=f"block:{at}", step="clip", input_hash=f"h{at}",
            provider="local", model="m", request={"n": at}, state="succeeded", cost_micros=cost_micros,
            created_at=minute(at),
        )  # fmt: skip

    def order(
        self, video_id: str, job: str, *, at: int, key: str | None = None, brief: dict[str, object] | None = None
    ) -> UUID:
        """An order with its item and its job, as the old code left them in the job's state; the order's id."""
        document = brief or brief_of(video_id).model_dump(mode="json")
        state = {"queued": "pending", "sent": "pending", "running": "processing"}.get(job, job)
        claimed, ended = job in ("running", "completed", "failed"), job in ("completed", "failed")
        error = "no" if job == "failed" else None
        run = None if job == "queued" else uuid4()
        times = {"created_at": minute(at), "updated_at": minute(at + 9)}
        order_id: UUID = self.insert(
            "orders", id=uuid4(), kind="video", status=state, brief=document, idempotency_key=key,
            finished_at=minute(at + 9) if ended else None, **times,
        )  # fmt: skip
        item_id = self.insert(
            "order_items", id=uuid4(), order_id=order_id, sequence_number=1, kind="video", subject=video_id,
            brief=document, status=state, fence=3 if claimed else 0, lease_holder="elsewhere/1/1" if claimed else None,
            lease_expires_at=minute(10**7) if job == "running" else None,
            deadline_at=minute(10**7) if claimed else None, flow_run_id=run if claimed else None, error_code=error,
            error_message=error, started_at=minute(at + 1) if claimed else None,
            claimed_at=minute(at + 2) if claimed else None, finished_at=minute(at + 9) if ended else None, **times,
        )  # fmt: skip
        self.insert(
            "job_queue", id=uuid4(), item_id=item_id, kind="video", status=job, attempts=0 if job == "queued" else 2,
            max_attempts=5, available_at=minute(at), sent_at=None if job == "queued" else minute(at), flow_run_id=run,
            last_error=error, **times,
        )  # fmt: skip
        return order_id


class Used:
    """A database of revision 0001 that was in use, and what was in it."""

    def __init__(self, url: str) -> None:
        self.url, self.orders = url, dict[str, UUID]()
        engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.NullPool)
        with engine.begin() as connection:
            old = Old(connection)
            for index, state in enumerate(STATES):
                old.video(f"video_{state}", status="completed" if state == "completed" else "queued")
                self.orders[state] = old.order(f"video_{state}", state, at=10 * index, key=f"key-{state}")
            self.film = old.film("video_completed", at=35)
            old.call("video_completed", at=34, cost_micros=40)
            old.video("video_edited", status="completed")
            self.orders["first"] = old.order("video_edited", "completed", at=100, key="key-first")
            self.first_film = old.film("video_edited", at=105)
            old.call("video_edited", at=104, cost_micros=7)
            self.orders["edit"] = old.order("video_edited", "completed", at=200, brief={"block": 1, "regenerate": True})
            self.second_film = old.film("video_edited", at=205)
            old.call("video_edited", at=204, cost_micros=5)
            self.orders["deleted"] = old.order(
                "video_deleted", "completed", at=300
            )  # its video is gone, its order stays
            old.call("video_deleted", at=301, cost_micros=3)
        engine.dispose()

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """All rows of all tables, whatever the revision."""
        engine = sa.create_engine(sqlalchemy_url(self.url), poolclass=sa.NullPool)
        with engine.connect() as connection:
            found = {
                table: list(connection.execute(sa.text(f"SELECT to_jsonb(t) FROM {table} t ORDER BY 1")).scalars())
                for table in sa.inspect(engine).get_table_names()
            }
        engine.dispose()
        return found

    def upgrade(self, revision: str = "head") -> None:
        schema.upgrade(self.url, code=ROOT, revision=revision)

    def downgrade(self) -> None:
        config = Config(ROOT / "alembic.ini")
        config.set_main_option("sqlalchemy.url", self.url.replace("%", "%%"))
        command.downgrade(config, "0001")


@pytest.fixture
def used(postgres: str) -> Iterator[Used]:
    """A database of revision 0001 with rows in every state."""
    admin = sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    name = f"used_{uuid4().hex}"
    url = ensure_database(admin, name)
    schema.upgrade(url, code=ROOT, revision="0001")
    yield Used(url)
    engine = sa.create_engine(sqlalchemy_url(admin), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture
def database(used: Used) -> Iterator[Database]:
    """The same, brought up to date."""
    used.upgrade()
    database = Database(used.url)
    yield database
    database.dispose()


def test_every_row_stays_and_its_values_move_to_their_places(used: Used) -> None:
    before = used.rows()
    used.upgrade()
    after = used.rows()
    moved_columns = ("lease_holder", "lease_expires_at", "deadline_at", "started_at", "claimed_at", "fence", "subject")
    gone = {"order_items": {*moved_columns, "flow_run_id"}, "job_queue": {"item_id"}, "orders": {"idempotency_key"}}
    for table in before.keys() - {"alembic_version"}:
        now = {row["id"]: row for row in after[table]}
        assert len(now) == len(before[table])
        for row in before[table]:
            for column in row.keys() - gone.get(table, set()):
                assert now[row["id"]][column] == row[column], (table, column)
    jobs = {row["order_id"]: row for row in after["job_queue"]}
    [default] = [row["id"] for row in after["brands"]]
    for item in before["order_items"]:
        job = jobs[item["order_id"]]
        assert {column: job[column] for column in moved_columns} == {column: item[column] for column in moved_columns}
        assert (job["brand_id"], job["finished_at"], job["dispatches"]) == (
            default,
            item["finished_at"],
            job["attempts"],
        )
    for item in after["order_items"]:
        assert item["job_id"] == jobs[item["order_id"]]["id"]


def test_keys_of_repeated_requests_are_answered_as_before(used: Used, database: Database, settings: Settings) -> None:
    videos = Videos(database, store_from_settings(settings), settings)
    for name, video_id in [(state, f"video_{state}") for state in STATES] + [("first", "video_edited")]:
        again = videos.order(brief_of(video_id), idempotency_key=f"key-{name}")
        assert (again.video_id, again.order_id) == (video_id, used.orders[name])
        with pytest.raises(Conflict):
            videos.order(brief_of("another"), idempotency_key=f"key-{name}")
    assert videos.order(brief_of("another"), idempotency_key="a new one").order_id not in used.orders.values()


def test_films_are_in_the_library_with_the_item_that_ordered_them(used: Used, database: Database) -> None:
    with database.begin() as session:
        films = {film.id: film for film in session.exec(select(Asset).where(Asset.kind == "film"))}
        items = {order_id: orders.order_items(session, order_id)[0].id for order_id in used.orders.values()}
        clips = session.exec(select(Asset).where(Asset.kind == "clip")).all()
    assert {film_id for film_id, film in films.items() if film.listed} == {used.film, used.second_film}
    for film_id, name in ((used.film, "completed"), (used.first_film, "first"), (used.second_film, "edit")):
        film = films[film_id]
        assert (film.order_id, film.item_id) == (used.orders[name], items[used.orders[name]])
        assert (film.title, film.ratio) == (f"Le sucre de {film.subject}", "9:16")
    assert not any(clip.listed or clip.item_id for clip in clips)
    assert all(clip.order_id for clip in clips)


def test_costs_are_those_of_the_orders_that_caused_them(used: Used, database: Database) -> None:
    with database.begin() as session:
        report = costs(session, by="order")
        default = brands.get(session, None)
        assert costs(session, by="brand", brand_id=default.id).cost_micros == report.cost_micros == 55
    assert {line.key: line.cost_micros for line in report.lines} == {
        str(used.orders[name]): cost for name, cost in (("completed", 40), ("first", 7), ("edit", 5), ("deleted", 3))
    }


def test_campaigns_are_named_by_the_theme_where_there_is_one(used: Used, database: Database) -> None:
    with database.begin() as session:
        names = {name: session.get_one(Order, order_id).campaign_name for name, order_id in used.orders.items()}
    assert names["queued"] == "Le sucre de video_queued"
    assert names["edit"] == names["first"] == "Le sucre de video_edited"
    assert names["deleted"] == "Le sucre de video_deleted"


def test_the_new_code_goes_on_where_the_old_one_stopped(used: Used, database: Database) -> None:
    road = Road(database)

    def job_id(name: str) -> UUID:
        with database.begin() as session:
            return orders.jobs_of(session, used.orders[name])[0].id

    with database.begin() as session:
        due = queue.next_due(session, window=8, ageing_s=300)
        assert due is not None
        assert due[0].id == job_id("queued")
    running = road.job(job_id("running"))
    with pytest.raises(LeaseHeld):
        road.claim(running.id)
    lease = Lease(
        job_id=running.id, order_id=running.order_id, brand_id=running.brand_id, subject=running.subject, token=3,
        attempt=2,
    )  # fmt: skip
    with database.begin() as session:
        orders.renew(session, lease, lease_s=60)
        orders.complete(session, lease)
    stale = lease.model_copy(update={"job_id": job_id("sent")})
    with pytest.raises(StaleLease), database.begin() as session:
        orders.guard(session, stale)
    for name in ("queued", "sent"):
        again = road.claim(job_id(name))
        with database.begin() as session:
            orders.complete(session, again)
    with pytest.raises(LeaseHeld):
        road.claim(job_id("failed"))
    with database.begin() as session:
        assert {session.get_one(Order, used.orders[name]).status for name in ("queued", "sent", "running")} == {
            "completed"
        }
        assert quota.audit(session) == []  # what was ordered before there were budgets costs none


def test_taken_back_all_is_as_it_was(used: Used) -> None:
    before = used.rows()
    used.upgrade()
    used.downgrade()
    assert used.rows() == before
    used.upgrade()
    used.downgrade()
    assert used.rows() == before


def test_orders_of_several_items_a_job_cannot_be_taken_back(used: Used, database: Database) -> None:
    road = Road(database)
    with database.begin() as session:
        default = brands.get(session, None).id
    road.place(default, job_of(IMAGE, IMAGE))
    before = used.rows()
    with pytest.raises(RuntimeError, match="restore a backup"):
        used.downgrade()
    assert used.rows() == before


def test_orders_of_one_item_a_job_can_be(used: Used, database: Database) -> None:
    with database.begin() as session:
        default = brands.get(session, None).id
    order = Road(database).place(default, job_of(IMAGE, subject="image_a"))
    with database.begin() as session:
        session.add(IdempotentAnswer(key="new", request={}, response={"order_id": str(order.order.id)}))
        session.add(IdempotentAnswer(key="of an order that is gone", request={}, response={"order_id": str(uuid4())}))
    database.dispose()
    used.downgrade()
    rows = used.rows()
    assert {row["idempotency_key"] for row in rows["orders"] if row["id"] == str(order.order.id)} == {"new"}
    [item] = [row for row in rows["order_items"] if row["order_id"] == str(order.order.id)]
    assert (item["subject"], item["status"], item["fence"]) == ("image_a", "pending", 0)
    [job] = [row for row in rows["job_queue"] if row["item_id"] == item["id"]]
    assert job["status"] == JobStatus.QUEUED
    assert Job.__tablename__ in rows
