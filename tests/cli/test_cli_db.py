"""`maquette db`: what it prints, what it leaves, and what it refuses."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from maquette.cli.output import ExitCode
from maquette.db.embedded import ensure_database
from maquette.launch import schema
from maquette.migrating.source import connect
from tests.cli.conftest import Cli
from tests.migrating.rig import drop_database

ROOT = Path(__file__).parents[2]


@pytest.fixture
def old(postgres: str, bare_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A production database that is one revision behind or more."""
    admin = sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    name = f"production_{uuid4().hex[:8]}"
    url = ensure_database(admin, name)
    schema.upgrade(url, code=ROOT, revision="0002")
    given = sa.make_url(url).set(password="s3cret-w0rd").render_as_string(hide_password=False)
    monkeypatch.setenv("MAQUETTE_DATABASE_URL", given)
    yield url
    drop_database(admin, name)


def test_an_upgrade_tells_what_it_did_and_where_the_backup_lies(old: str, bare_cli: Cli, tmp_path: Path) -> None:
    status = bare_cli("db", "status")
    assert status.code == ExitCode.OK
    assert "0003 " in status.out
    shown = bare_cli("db", "upgrade", "--dry-run")
    assert shown.code == ExitCode.OK
    assert shown.out.startswith("BEGIN;")
    answer = bare_cli("db", "upgrade", "--backups", str(tmp_path / "kept"))
    assert answer.code == ExitCode.OK, answer.err
    (folder,) = (tmp_path / "kept").iterdir()
    assert str(folder) in answer.out
    assert "every one is there" in answer.out
    assert "restore and compare" in answer.err
    assert "s3cret" not in status.out + shown.out + answer.out + answer.err + folder.name
    again = bare_cli("db", "upgrade")
    assert "is up to date" in again.out
    assert json.loads(bare_cli("db", "status", "--json").out)["pending"] == []


def test_an_upgrade_speaks_json(old: str, bare_cli: Cli, tmp_path: Path) -> None:
    answer = bare_cli("db", "upgrade", "--backups", str(tmp_path), "--json")
    document = json.loads(answer.out)
    assert document["from_revision"] == "0002"
    assert document["revisions"][0]["id"] == "0003"
    assert Path(document["backup"]).parent == tmp_path
    assert {"table": "public.brands", "before": 1, "after": 1} in document["tables"]


def test_others_stand_in_the_way(old: str, bare_cli: Cli, tmp_path: Path) -> None:
    with closing(connect(old, name="a worker")):
        assert "a worker" in bare_cli("db", "status").out
        answer = bare_cli("db", "upgrade", "--backups", str(tmp_path), "--json")
    assert answer.code == ExitCode.CONFLICT
    assert json.loads(answer.out)["error"]["code"] == "busy"
    assert "--disconnect" in answer.err


def test_the_embedded_database_needs_none_of_it(bare_cli: Cli) -> None:
    answer = bare_cli("db", "upgrade")
    assert answer.code == ExitCode.STACK
    assert "set MAQUETTE_DATABASE_URL" in answer.err
    assert "maquette up" in answer.err
