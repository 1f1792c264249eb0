"""A production of each module's own, emptied for each test; the application's database is the test's own."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

from maquette.db.embedded import ensure_database
from maquette.db.engine import Database
from maquette.publishing.connection import connect
from maquette.publishing.service import Publisher
from maquette.publishing.tables import Publication
from maquette.publishing.target import Production
from maquette.storage.buckets.folder import FolderBucket
from tests.publishing.rig import empty


@pytest.fixture(scope="module")
def production_server(postgres: str) -> Iterator[str]:
    """URL of an empty database that nobody prepared."""
    admin = sa.make_url(postgres).set(database="postgres")
    name = f"readers_{uuid4().hex}"
    yield ensure_database(admin.render_as_string(hide_password=False), name)
    engine = sa.create_engine(
        admin.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture(scope="module")
def prepared(production_server: str) -> Iterator[Production]:
    """Another's database, prepared."""
    found = Production(connect(production_server))
    found.prepare(dry_run=False)
    yield found
    found.dispose()


@pytest.fixture
def production(prepared: Production) -> Production:
    """Prepared and empty."""
    empty(prepared)
    return prepared


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path / "buckets" / "univers", public_url="https://files.example/univers")


@pytest.fixture(autouse=True)
def _publications(request: pytest.FixtureRequest) -> None:
    """The table of publications, where no migration has made it."""
    if "database" in request.fixturenames:
        database = request.getfixturevalue("database")
        assert isinstance(database, Database)
        SQLModel.metadata.tables[str(Publication.__tablename__)].create(database.engine, checkfirst=True)


@pytest.fixture
def publisher(database: Database, production: Production, bucket: FolderBucket) -> Publisher:
    return Publisher(database, production, bucket)
