"""Drafts with a worker that makes them in this process, and what their tests ask of them."""

from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from maquette.db.engine import Database
from maquette.drafts import production, texts
from maquette.drafts.models import IMAGE, LOOP, PART_OF, SONG, GenerationProgress, Making, NewDraft
from maquette.drafts.service import Drafts
from maquette.errors import Invalid, MaquetteError
from maquette.intake.service import Accepted, AcceptedDraft, Intake
from maquette.quota import service as quota
from maquette.settings import Settings
from tests.api.worker import Worker

PRICES = {
    "local_price_micros_per_image": 3000,
    "local_price_micros_per_loop": 5000,
    "local_price_micros_per_song": 7000,
}
PICTURES = Making(num_assets=2, parts=frozenset({"image"}))
TWO = Making(num_assets=2, parts=frozenset({"image", "video"}))


@dataclass(frozen=True)
class House:
    """What drafts are worked on with."""

    drafts: Drafts
    intake: Intake
    worker: Worker

    @property
    def database(self) -> Database:
        return self.drafts.database

    @property
    def settings(self) -> Settings:
        return self.drafts.settings

    def new(self, name: str = "La ferme", **fields: object) -> str:
        """An empty draft's id."""
        return self.drafts.create(NewDraft.model_validate({"name": name, "theme": "farm", **fields})).draft_id

    def generate(self, draft_id: str, making: Making = TWO, *, refused: Collection[str] = ()) -> AcceptedDraft:
        """Order what is missing, and make it; ``refused`` are ids and languages, or ``01 video``, that end badly."""
        accepted = self.intake.generate_draft(draft_id, making)
        self.make(accepted, refused=refused)
        return accepted

    def make(self, accepted: AcceptedDraft | Accepted, *, refused: Collection[str] = ()) -> None:
        """Make what was ordered, each asset's picture before its loop."""
        assert accepted.job_id is not None
        work = self.worker.workshop
        lease, _ = self.worker.claim(accepted.job_id)
        texts.write_concepts(work, lease)
        parts = production.open_parts(work, lease)
        for item in sorted(parts, key=lambda item: (IMAGE, LOOP, SONG).index(item.kind)):
            try:
                if not {item.part, f"{item.part} {PART_OF[item.kind]}"}.isdisjoint(refused):
                    raise Invalid(f"the provider takes no {item.part}")
                if item.kind == LOOP:
                    production.require_picture(work, lease, item)
                self.worker.deliver_part(lease, item)
            except MaquetteError as error:
                judged = production.judge(work, lease, item, error, failures=0, random=Random(0))
                assert judged.ended, judged.reason

    def finished(self, name: str = "La ferme", making: Making = TWO, **fields: object) -> str:
        """A completed draft's id."""
        draft_id = self.new(name, **fields)
        self.generate(draft_id, making)
        assert self.drafts.get(draft_id).status == "completed"
        return draft_id

    def status(self, draft_id: str) -> GenerationProgress:
        """Where the draft stands; its row and its document say the same."""
        status = self.drafts.status(draft_id)
        assert status.status == self.drafts.get(draft_id).status
        return status

    def books(self) -> list[str]:
        """What is wrong with budgets."""
        with self.database.begin() as session:
            return quota.audit(session)
