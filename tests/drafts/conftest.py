"""Drafts on the test's own database and home."""

import pytest

from maquette.db.engine import Database
from maquette.drafts.service import Drafts
from maquette.intake.service import Intake
from maquette.settings import Settings
from maquette.storage.port import Store
from tests.api.worker import Worker
from tests.drafts.house import PRICES, House


@pytest.fixture
def house(database: Database, store: Store, settings: Settings) -> House:
    """Drafts, their orders, and a worker with instant providers that have a price."""
    settings = settings.model_copy(update=PRICES)
    intake = Intake(database, store, settings)
    return House(Drafts(database, store, settings), intake, Worker(intake))
