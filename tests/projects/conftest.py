"""Projects on one database for all tests of a module: each has projects of its own."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
import sqlalchemy as sa

from maquette.db.embedded import ensure_database
from maquette.db.engine import Database
from maquette.projects.service import Projects
from maquette.settings import Settings

CLIENTS = 20


@pytest.fixture(scope="module")
def shared(postgres: str) -> Iterator[Database]:
    """One database for all tests here: each has projects of its own."""
    admin = sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    database = Database(ensure_database(admin, f"projects_{uuid4().hex}", template="template"), pool_size=CLIENTS)
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def projects(shared: Database) -> Projects:
    """The use cases."""
    return Projects(shared, Settings())


@pytest.fixture
def name() -> str:
    """A project that nobody has saved."""
    return str(uuid4())
