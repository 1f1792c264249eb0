"""A real Prefect engine in this process, and a process set up as a worker's."""

import gc
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.testing.utilities import prefect_test_harness

from maquette.db.engine import Database
from maquette.settings import Settings, get_settings
from maquette.storage import store_from_settings
from maquette.videos.service import Videos
from maquette.workshop import close_workshop
from tests.rehearsing import PRICE, Rehearse, environment_of


@pytest.fixture(scope="package", autouse=True)
def _prefect() -> Iterator[None]:
    """One server for the flows of a process: it takes ten seconds to start."""
    with prefect_test_harness(server_startup_timeout=120):
        yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture(scope="package")
def prepared_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where instant clips are kept once they were encoded: each is needed by many tests."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture
def rehearse(
    settings: Settings, database: Database, prepared_clips: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rehearse]:
    """Set this process up as a worker's, with the given settings."""
    clips = settings.home / "provider-local"
    clips.mkdir(parents=True)
    (clips / "prepared").symlink_to(prepared_clips)

    def set_up(**changes: object) -> Videos:
        told = {"draft": True, "local_price_micros_per_s": PRICE, **changes}
        own = settings.model_copy(update=told)
        for name, value in environment_of(settings).items():
            monkeypatch.setenv(name, value)
        for field, change in told.items():
            monkeypatch.setenv(f"MAQUETTE_{field.upper()}", change if isinstance(change, str) else json.dumps(change))
        assert own.database_url is not None
        monkeypatch.setenv("MAQUETTE_DATABASE_URL", own.database_url.get_secret_value())
        monkeypatch.setenv("MAQUETTE_HOME", str(own.home))
        get_settings.cache_clear()
        return Videos(database, store_from_settings(own), own)

    yield set_up
    close_workshop()
    get_settings.cache_clear()
