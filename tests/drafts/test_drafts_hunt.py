"""Any sequence of orders, runs that end or are killed, changes, decisions and publications: what holds after each."""

from collections.abc import Callable
from uuid import uuid4

import pytest
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

from maquette.brands import service as brands
from maquette.drafts import production, publication, texts
from maquette.drafts.models import Approval, AssetChange, DraftChange, Making, Part, Regeneration, SongChange
from maquette.errors import Conflict, MaquetteError, NotFound
from maquette.intake import failures
from maquette.intake.service import AcceptedDraft
from maquette.orders import service as orders
from tests.drafts.house import House
from tests.drafts.invariants import require_folder, require_nothing_held, require_paid_once, require_versions

Hashes = tuple[str | None, str | None]
NUMBER = st.integers(0, 1)
PARTS: st.SearchStrategy[frozenset[Part]] = st.sampled_from(
    [frozenset[Part]({"image"}), frozenset[Part]({"image", "music"}), frozenset[Part]({"image", "video"})]
)


class DraftMachine(RuleBasedStateMachine):
    """One draft of two assets and a song; the machine knows what its files are to be."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house = house
        self.drafts, self.intake = house.drafts, house.intake

    @initialize(brand=st.booleans(), approval=st.booleans())
    def create(self, brand: bool, approval: bool) -> None:
        with self.house.database.begin() as session:
            payer = brands.create(session, brands.NewBrand(name="Studio", plan="studio")).id if brand else None
        self.id = self.house.new(f"Machine {uuid4().hex}", brand_id=payer, require_approval=approval)
        self.approval = approval
        self.orders: list[AcceptedDraft] = []
        self.job: AcceptedDraft | None = None
        # What may differ from now on, and what everything was.
        self.touched: set[str] = set()
        self.hashes: dict[str, Hashes] = {}
        self.history: dict[tuple[str, int], Hashes] = {}
        self.approved: str | None = None
        self.published: str | None = None

    # Orders

    @rule(parts=PARTS, force=st.booleans(), assets=st.integers(1, 2))
    def generate(self, parts: frozenset[Part], force: bool, assets: int) -> None:
        making = Making(num_assets=assets, parts=parts, force_regenerate=force, languages=("fr",))
        self.place(lambda: self.intake.generate_draft(self.id, making))

    @rule(number=NUMBER, video=st.booleans())
    def regenerate(self, number: int, video: bool) -> None:
        wanted = Regeneration(regenerate_video=video)
        self.place(lambda: self.intake.regenerate_draft_asset(self.id, number, wanted))

    @precondition(lambda self: self.orders)
    @rule(index=st.integers(0, 9))
    def retry(self, index: int) -> None:
        order_id = self.orders[index % len(self.orders)].order_id
        assert order_id is not None

        def again() -> AcceptedDraft:
            accepted = self.intake.retry(order_id)
            return AcceptedDraft(draft_id=self.id, order_id=accepted.order_id, job_id=accepted.job_id)

        self.place(again)

    @precondition(lambda self: self.job)
    @rule()
    def cancel(self) -> None:
        assert self.job is not None and self.job.order_id is not None
        self.intake.cancel(self.job.order_id)
        self.job = None

    # Runs

    @precondition(lambda self: self.job)
    @rule(refused=st.sets(st.sampled_from(["00", "01", "00 video", "fr"]), max_size=2))
    def work(self, refused: set[str]) -> None:
        assert self.job is not None
        self.expect_changes()
        self.house.make(self.job, refused=refused)
        self.job = None

    @precondition(lambda self: self.job)
    @rule(after=st.integers(0, 3))
    def be_killed(self, after: int) -> None:
        """The run delivers ``after`` parts; then its process is gone, and the reconciler finds out."""
        assert self.job is not None and self.job.job_id is not None
        self.expect_changes()
        work = self.house.worker.workshop
        lease, _ = self.house.worker.claim(self.job.job_id)
        texts.write_concepts(work, lease)
        for item in production.open_parts(work, lease)[:after]:
            if item.kind == "draft_image":
                self.house.worker.deliver_part(lease, item)
        with self.house.database.begin() as session:
            job = orders.lock_job(session, lease.job_id)
            if job.status in orders.OPEN_JOBS:
                failures.after_loss(session, job, "killed")
            if job.status not in orders.OPEN_JOBS:
                self.job = None
        self.drafts.follow(self.id)

    # Changes

    @rule(title=st.text("abc {}é", max_size=5), number=NUMBER)
    def name(self, title: str, number: int) -> None:
        self.change(lambda: self.drafts.change_asset(self.id, number, AssetChange(titles={"fr": title})))

    @rule(text=st.text("abc {}é", max_size=5))
    def describe(self, text: str) -> None:
        self.change(lambda: self.drafts.change(self.id, DraftChange(description=text, titles={"de": text})))

    @rule(text=st.text("abc", min_size=1, max_size=5))
    def write(self, text: str) -> None:
        self.change(lambda: self.drafts.change_song(self.id, "fr", SongChange(lyrics=text)))

    @rule(number=NUMBER, back=st.integers(0, 5))
    def restore(self, number: int, back: int) -> None:
        part = f"{number:02d}"
        kept = self.drafts.versions(self.id, number) if part in self.hashes else []
        if not kept:
            return
        version = kept[back % len(kept)].version
        before = self.drafts.asset(self.id, number)
        if not self.change(lambda: self.drafts.restore(self.id, number, version)):
            return
        self.history[part, before.version] = self.hashes[part]
        self.hashes[part] = self.history[part, version]

    @rule()
    def approve(self) -> None:
        seen = self.drafts.get(self.id).content_hash
        if self.change(lambda: self.drafts.approve(self.id, Approval(content_hash=seen))):
            self.approved = seen

    @rule()
    def publish(self) -> None:
        draft = self.drafts.get(self.id)
        complete = self.hashes and all(image for image, _ in self.hashes.values())
        may = self.job is None and complete and (not self.approval or self.approved == draft.content_hash)
        if not may:
            with pytest.raises(Conflict):
                publication.publish(self.drafts, self.id)
            return
        publication.publish(self.drafts, self.id)
        self.published = draft.content_hash
        assert publication.plan(self.drafts, self.id) == []

    @precondition(lambda self: not self.job)
    @rule()
    def delete(self) -> None:
        folder = self.drafts.folder_of(self.id)
        self.drafts.delete(self.id)
        assert not folder.exists()
        with pytest.raises(NotFound):
            self.drafts.get(self.id)
        self.create(self.approval, False)

    # What holds

    @invariant()
    def files_are_what_they_were_but_those_that_were_ordered(self) -> None:
        found = {asset.id: (asset.image_sha256, asset.video_sha256) for asset in self.drafts.assets(self.id)}
        assert {part for part in found if found[part] != self.hashes.get(part, (None, None))} <= self.touched
        self.hashes, self.touched = found, set()

    @invariant()
    def earlier_versions_are_what_they_were(self) -> None:
        require_versions(self.house, self.id)
        for part in self.hashes:
            for version in self.drafts.versions(self.id, int(part)):
                was = (version.image_sha256, version.video_sha256)
                assert self.history.setdefault((part, version.version), was) == was

    @invariant()
    def the_status_tells_the_truth(self) -> None:
        status, draft = self.house.status(self.id), self.drafts.get(self.id)
        assert draft.approved == (self.approved == draft.content_hash)
        if self.job is not None:
            assert status.status == "generating"
        elif self.published == draft.content_hash:
            assert (status.status, draft.changed_since_publication) == ("published", False)
        elif status.failures:
            assert status.status == "failed"
        else:
            whole = self.hashes and all(image for image, _ in self.hashes.values())
            assert status.status == ("completed" if whole else "draft")
        assert (status.progress == 100) == (status.status in ("completed", "published"))
        assert status.generated_assets == sum(bool(image and video) for image, video in self.hashes.values())

    @invariant()
    def folder_books_and_costs_agree(self) -> None:
        require_folder(self.house, self.id)
        assert self.house.books() == []
        require_nothing_held(self.house)
        require_paid_once(self.house)

    def place(self, order: Callable[[], AcceptedDraft]) -> None:
        """Order, where nothing is being made; else it is refused."""
        accepted = refused = None
        try:
            accepted = order()
        except (NotFound, Conflict) as error:
            refused = error.code
        if accepted is None:
            assert refused in ("draft_asset_not_found", "nothing_to_retry", "busy" if self.job else None)
            return
        assert self.job is None or accepted.job_id is None
        if accepted.job_id is not None:
            self.job = accepted
            self.orders.append(accepted)

    def change(self, make: Callable[[], object]) -> bool:
        """Change, where nothing is being made; else it is refused. Whether it was done."""
        refused = None
        try:
            make()
        except MaquetteError as error:
            refused = error.code
        assert refused in (("busy",) if self.job else (None, "draft_asset_not_found"))
        return refused is None

    def expect_changes(self) -> None:
        assert self.job is not None and self.job.order_id is not None
        with self.house.database.begin() as session:
            items = orders.order_items(session, self.job.order_id)
            self.touched = {str(item.brief["part"]) for item in items if item.status in orders.OPEN}


def test_drafts_hold_whatever_happens(house: House) -> None:
    class InThisHouse(DraftMachine):
        def __init__(self) -> None:
            super().__init__(house)

    run_state_machine_as_test(
        InThisHouse,
        settings=hypothesis_settings(
            max_examples=100, stateful_step_count=40, phases=[__import__('hypothesis').Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
