"""A database of the test's own with the notes to migrate."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
import sqlalchemy as sa

from maquette.migrating.source import Connection
from tests.migrating import rig


@pytest.fixture
def empty_url(postgres: str) -> Iterator[str]:
    """URL of an empty database on the suite's server."""
    name = f"target_{uuid4().hex}"
    admin = sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    rig.fresh_database(admin, name)
    yield sa.make_url(postgres).set(database=name).render_as_string(hide_password=False)
    rig.drop_database(admin, name)


@pytest.fixture
def target_url(empty_url: str) -> str:
    """URL of a database with the empty tables of ``rig``."""
    with rig.connected(empty_url) as connection:
        rig.lay_out(connection)
    return empty_url


@pytest.fixture
def user(target_url: str) -> Iterator[Connection]:
    """The application's own connection to it."""
    with rig.connected(target_url) as connection:
        yield connection
