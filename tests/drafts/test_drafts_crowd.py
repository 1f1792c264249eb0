"""A crowd at the same drafts over real connections: nobody waits for ever, nothing fails that should not."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import select

from maquette.brands import service as brands
from maquette.drafts import production, publication, repository, texts
from maquette.drafts.keeping import settle_publications
from maquette.drafts.models import Approval, AssetChange, DraftChange, Making, NewDraft, Regeneration, SongChange
from maquette.drafts.production import PartRef
from maquette.drafts.tables import DraftAsset
from maquette.drafts.writing import Writing
from maquette.errors import BudgetExceeded, Conflict, Invalid, InvalidInput, LeaseHeld, NotFound, StaleLease
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Job, JobStatus, Order
from maquette.orders.service import NewItem, NewJob, Payer
from maquette.providers.text.port import TranslationRequest, Written
from maquette.quota.rules import Amounts, plan
from tests.drafts.house import House
from tests.drafts.invariants import require_sound

CROWD, ACTS = 10, 24
SMALL = Making(num_assets=2, parts=frozenset({"image", "music"}), languages=("fr",))
# What a client may be told; anything else would be a 500.
EXPECTED = (Conflict, NotFound, InvalidInput, BudgetExceeded, StaleLease, LeaseHeld)


class Crowd:
    """What people and keepers do, each act on a draft of ``ids``."""

    def __init__(self, house: House, ids: list[str]) -> None:
        self.house = house
        self.ids = ids
        self.told: list[str] = []
        self.lost: list[BaseException] = []

    def acts(self, draft_id: str, random: Random) -> list[Callable[[], object]]:
        drafts, intake = self.house.drafts, self.house.intake
        number = random.randrange(2)
        return [
            lambda: intake.generate_draft(draft_id, SMALL, key=random.choice([None, f"k{random.randrange(9)}"])),
            lambda: intake.generate_draft(draft_id, SMALL.model_copy(update={"force_regenerate": True})),
            lambda: intake.regenerate_draft_asset(draft_id, number, Regeneration(regenerate_video=False)),
            lambda: intake.cancel(self.order(draft_id, random)),
            lambda: intake.retry(self.order(draft_id, random)),
            lambda: drafts.change(draft_id, DraftChange(description=uuid4().hex)),
            lambda: drafts.change_asset(draft_id, number, AssetChange(titles={"fr": uuid4().hex})),
            lambda: drafts.change_song(draft_id, "fr", SongChange(lyrics=uuid4().hex)),
            lambda: drafts.restore(draft_id, number, 1),
            lambda: drafts.approve(draft_id, Approval(content_hash=drafts.get(draft_id).content_hash)),
            lambda: publication.readiness(drafts, draft_id, waiting_run_id=uuid4()),
            lambda: publication.publish(drafts, draft_id),
            lambda: (drafts.list(), drafts.status(draft_id), drafts.versions(draft_id, number)),
        ]

    def order(self, draft_id: str, random: Random) -> UUID:
        with self.house.database.begin() as session:
            found = session.exec(select(Job.order_id).where(Job.subject == f"draft_{draft_id}")).all()
        if not found:
            raise NotFound("nothing was ordered yet")
        return random.choice(sorted(found))

    def person(self, seed: int) -> None:
        random = Random(seed)
        for _ in range(ACTS):
            act = random.choice(self.acts(random.choice(self.ids), random))
            try:
                act()
                self.told.append("done")
            except EXPECTED as error:
                self.told.append(error.code)
            except BaseException as error:
                self.lost.append(error)

    def keepers(self, stop: threading.Event) -> None:
        house = self.house
        while not stop.wait(0.02):
            for job_id in self.queued():
                try:
                    self.house.worker.make(job_id, refused=["01"] if job_id.int % 3 == 0 else [])
                except EXPECTED as error:
                    self.told.append(error.code)
                except BaseException as error:
                    self.lost.append(error)
            settle_publications(house.database, house.drafts.store, house.settings)

    def queued(self) -> list[UUID]:
        with self.house.database.begin() as session:
            return list(session.exec(select(Job.id).where(Job.status == JobStatus.QUEUED)))


def deadlocks(house: House) -> int:
    with house.database.begin() as session:
        counted = sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(session.execute(counted).scalar_one())


def blocked(house: House) -> int:
    """How many connections wait for a lock."""
    with house.database.begin() as session:  # a transaction of its own, for within one the answer stays
        counted = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        return int(session.execute(sa.text(counted + "AND datname = current_database()")).scalar_one())


def test_a_crowd_at_the_same_drafts(house: House) -> None:
    with house.database.begin() as session:
        brand = brands.create(session, brands.NewBrand(name="Studio", plan="studio"))
    name = f"Foule {uuid4().hex[:8]}"
    ids = [
        house.finished(name, SMALL),
        house.finished(name, SMALL, brand_id=brand.id),
        house.new(require_approval=True),
    ]
    crowd, stop = Crowd(house, ids), threading.Event()
    began = time.monotonic()
    with ThreadPoolExecutor(CROWD + 2) as pool:
        working = [pool.submit(crowd.keepers, stop) for _ in range(2)]
        people = [pool.submit(crowd.person, seed) for seed in range(CROWD)]
        try:
            for each in people:
                each.result(timeout=60)
        finally:
            stop.set()
        for each in working:
            each.result(timeout=60)
    assert crowd.lost == []
    assert deadlocks(house) == 0
    assert crowd.told.count("done") > 2 * CROWD
    assert time.monotonic() - began < 60

    for job_id in crowd.queued():
        house.worker.make(job_id)
    settle_publications(house.database, house.drafts.store, house.settings)
    require_sound(house)
    with house.database.begin() as session:
        assert {order.status for order in session.exec(select(Order))} <= {
            "completed",
            "partial",
            "failed",
            "cancelled",
        }


def test_deletions_against_everything_else(house: House) -> None:
    ids = [house.new() for _ in range(6)]
    crowd, gate = Crowd(house, ids), threading.Barrier(6)

    def delete(draft_id: str) -> None:
        gate.wait()
        while True:
            try:
                house.drafts.delete(draft_id)
                return
            except Conflict:  # somebody ordered first
                for job_id in crowd.queued():
                    try:
                        house.worker.make(job_id)
                    except EXPECTED:
                        continue

    with ThreadPoolExecutor(12) as pool:
        people = [pool.submit(crowd.person, 100 + seed) for seed in range(6)]
        for each in [*(pool.submit(delete, draft_id) for draft_id in ids), *people]:
            each.result(timeout=60)
    assert crowd.lost == []
    assert deadlocks(house) == 0
    assert house.drafts.list() == []
    assert [path.name for path in (house.settings.home / "drafts").iterdir()] == [".turns"]
    assert list((house.settings.home / "drafts" / ".turns").iterdir()) == []
    require_sound(house)


def test_more_creators_than_connections_get_one_draft_a_key(house: House) -> None:
    new = NewDraft(name="La foule", theme="farm")

    def create(number: int) -> str:
        key = f"key-{number % 10}"
        return house.drafts.create(new, source=key, key=key).draft_id

    with ThreadPoolExecutor(40) as pool:  # the pool has 25 connections
        made = list(pool.map(create, range(40)))
    assert len(set(made)) == 10
    assert {made[number] for number in range(10)} == set(made)


def test_parts_that_fail_take_their_locks_in_the_order_of_all_others(house: House) -> None:
    with house.database.begin() as session:
        brand = brands.create(session, brands.NewBrand(name="Studio", plan="studio"))
    draft_id = house.new(brand_id=brand.id)
    number, patience = 6, threading.Event()
    pictures = Making(num_assets=number, parts=frozenset({"image"}))
    accepted = house.intake.generate_draft(draft_id, pictures)
    assert accepted.job_id is not None
    work = house.worker.workshop
    lease, _ = house.worker.claim(accepted.job_id)
    texts.write_concepts(work, lease)
    parts = production.open_parts(work, lease)

    def fail(part: PartRef) -> bool:
        return production.judge(work, lease, part, Invalid("refused"), failures=0, random=Random(0)).ended

    with ThreadPoolExecutor(number) as pool:
        with house.database.begin() as session:
            repository.get_draft(session, draft_id, lock=True)
            failing = [pool.submit(fail, part) for part in parts]
            while blocked(house) < number:
                assert not any(each.done() for each in failing)
                patience.wait(0.01)
            # The month's counters after the thing that is made: nobody who waits for that has them.
            new = NewItem(kind="image", brief={}, amounts=Amounts(images=1))
            orders.place(
                session,
                payer=Payer(brand.id, plan(brand.plan)),
                kind="image",
                brief={},
                campaign_name="",
                jobs=[NewJob(kind="image", subject="image_1", items=[new])],
                max_attempts=1,
            )
        assert [each.result(timeout=30) for each in failing] == [True] * number
    assert deadlocks(house) == 0
    assert house.status(draft_id).failed_assets == number
    assert house.books() == []


def test_a_retry_does_not_wait_for_the_run_that_is_under_way(house: House) -> None:
    draft_id = house.new()
    lacking = house.intake.generate_draft(draft_id, SMALL)
    assert lacking.job_id is not None and lacking.order_id is not None
    house.worker.make(lacking.job_id, refused=["01"])
    making = house.intake.regenerate_draft_asset(draft_id, 0, Regeneration(regenerate_video=False))
    assert making.job_id is not None
    house.worker.claim(making.job_id)
    with ThreadPoolExecutor(1) as pool, house.database.begin() as session:
        # A run's last act has changed its job and is about to lock the draft.
        orders.end_open(session, orders.lock_job(session, making.job_id), ItemStatus.COMPLETED)
        retrying = pool.submit(house.intake.retry, lacking.order_id)
        while not retrying.done():
            assert blocked(house) == 0
        repository.get_draft(session, draft_id, lock=True)
    with pytest.raises(Conflict, match="unfinished work") as busy:
        retrying.result()
    assert busy.value.code == "busy"


def test_more_writers_than_connections_do_not_wait_for_each_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = 30  # the pool has 25 connections
    ids = [house.new(f"Ferme {index}") for index in range(number)]
    with house.database.begin() as session:
        session.add_all(DraftAsset(draft_id=each, number=0, display_name="cow", titles={}) for each in ids)
    writer, together = house.worker.workshop.writer, threading.Barrier(number)
    inner = writer.translate

    def translate(request: TranslationRequest) -> Written:
        together.wait(20)  # until all turns have begun
        return inner(request)

    monkeypatch.setattr(writer, "translate", translate)
    writing = Writing(house.drafts, house.worker.workshop)
    with ThreadPoolExecutor(number) as pool:
        told = list(pool.map(writing.translate, ids))
    assert [each["fr"] for each in told] == [["vache"]] * number
