"""A served API with drafts in any state, on a database and a home of its own, with providers that take no time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import sqlalchemy as sa
from pydantic import SecretStr

from maquette.db.embedded import ensure_database
from maquette.db.engine import Database
from maquette.drafts.service import Drafts
from maquette.drafts.tables import DraftAsset
from maquette.intake.service import Intake
from maquette.settings import Settings
from maquette.storage import store_from_settings
from tests.api.rig import served
from tests.api.worker import Worker

LANGUAGES = ["fr", "en", "es", "it", "de"]


@dataclass(frozen=True)
class Studio:
    """A client of the API and what stands behind it."""

    client: httpx.Client
    drafts: Drafts
    intake: Intake
    worker: Worker

    @property
    def address(self) -> str:
        return str(self.client.base_url).rstrip("/")

    def create(self, name: str = "La jungle", theme: str = "jungle", **fields: Any) -> str:
        """A new draft's id."""
        answer = self.client.post("/api/drafts", json={"name": name, "theme": theme, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["draft_id"])

    def generate(self, draft_id: str, *, refused: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
        """Order what is missing, make it, and where the draft stands then."""
        answer = self.client.post(f"/api/drafts/{draft_id}/generate", json=fields)
        assert answer.status_code == 200, answer.text
        self.worker.make(UUID(answer.json()["job_id"]), refused=refused)
        status: dict[str, Any] = self.read(draft_id, "status")
        return status

    def finished(self, name: str = "La jungle", **fields: Any) -> str:
        """A completed draft's id: two assets without songs."""
        draft_id = self.create(name, **fields)
        assert self.generate(draft_id, num_assets=2, parts=["image", "video"])["status"] == "completed"
        return draft_id

    def named(self, *names: str) -> str:
        """The id of a draft whose assets have names, and no files yet."""
        draft_id = self.create()
        with self.drafts.changing(draft_id) as (session, _):
            for number, name in enumerate(names):
                session.add(DraftAsset(draft_id=draft_id, number=number, display_name=name, titles={"en": name}))
        return draft_id

    def read(self, draft_id: str, what: str = "") -> Any:
        """The JSON of a GET."""
        answer = self.client.get(f"/api/drafts/{draft_id}/{what}".rstrip("/"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def hashes(self, draft_id: str) -> dict[str, tuple[str, str]]:
        """What each asset's files are."""
        return {each["id"]: (each["image_sha256"], each["video_sha256"]) for each in self.read(draft_id, "assets")}


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error in the form of the calls below ``/api/``."""
    body = answer.json()
    assert body["detail"] and body["message"] == body["detail"] and body["ok"] is False
    return answer.status_code, body["code"]


@contextmanager
def studio_of(postgres: str, home: Path, **values: Any) -> Iterator[Studio]:
    """A studio on a new database of the server ``postgres``, with a production of its own."""
    admin = sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    url = ensure_database(admin, f"drafts_{uuid4().hex}", template="template")
    settings = Settings(home=home, database_url=SecretStr(url), local_instant=True, **values)
    database, store = Database(url), store_from_settings(settings)
    try:
        intake = Intake(database, store, settings)
        with served(settings, database) as address, httpx.Client(base_url=address, timeout=30) as client:
            yield Studio(client, Drafts(database, store, settings), intake, Worker(intake))
    finally:
        database.dispose()
