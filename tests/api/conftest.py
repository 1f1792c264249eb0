"""The real API on a free loopback port, on the test's own database and home."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from maquette.db.embedded import ensure_database
from maquette.db.engine import Database
from maquette.intake.service import Intake
from maquette.settings import Settings
from maquette.storage import store_from_settings
from maquette.videos.service import Videos
from tests.api.drafting import Studio, studio_of
from tests.api.rig import Rig, served
from tests.api.worker import Worker


@pytest.fixture
def address(settings: Settings, database: Database) -> Iterator[str]:
    """The API with the test's settings."""
    with served(settings, database) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    """A client of ``address``."""
    with httpx.Client(base_url=address, timeout=30) as client:
        yield client


@pytest.fixture
def rig(videos: Videos) -> Rig:
    """Videos in any state."""
    return Rig(videos)


@pytest.fixture(scope="module")
def shared_rig(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One database and home for the tests of a module that leave no traces."""
    admin = sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    url = ensure_database(admin, f"shared_{uuid4().hex}", template="template")
    settings = Settings(home=tmp_path_factory.mktemp("home"), database_url=SecretStr(url))
    database = Database(url)
    yield Rig(Videos(database, store_from_settings(settings), settings))
    database.dispose()


@pytest.fixture(scope="module")
def shared(shared_rig: Rig) -> Iterator[httpx.Client]:
    """A client of one API for the tests of a module that leave no traces."""
    with (
        served(shared_rig.videos.settings, shared_rig.database) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def shared_intake(shared_rig: Rig) -> Intake:
    """Orders on the module's database."""
    return Intake(shared_rig.database, shared_rig.videos.store, shared_rig.videos.settings)


@pytest.fixture(scope="module")
def worker(shared_intake: Intake) -> Worker:
    """Makes what was ordered on the module's database."""
    return Worker(shared_intake)


@pytest.fixture
def brand(shared: httpx.Client) -> str:
    """The id of a new brand: its month is the test's own."""
    answer = shared.post("/api/brands", json={"name": "Café Lumière", "plan": "starter"})
    assert answer.status_code == 201
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def studio(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Drafts on a database and a home of the module's own."""
    with studio_of(postgres, tmp_path_factory.mktemp("home")) as studio:
        yield studio
