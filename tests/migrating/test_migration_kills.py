"""A process that is killed at any of its points leads, once resumed, to what one that was left alone leads to."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from maquette.errors import Conflict
from maquette.migrating import contents
from maquette.migrating.models import SCHEMA, RunStatus
from maquette.migrating.scratch import at
from maquette.migrating.service import Migrations
from maquette.migrating.source import Connection
from maquette.rehearsal import CRASH_POINTS
from tests.migrating import life, rig
from tests.migrating.kill_child import Job

pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).parents[2]
ROWS: Final = 90
ACTIONS: Final = {"migrating-mid-contract": "contract", "migrating-mid-rollback": "roll_back"}
"""What a process is about at these points; at all others it runs the migration up to its soak."""
ENDS: Final = {"run": RunStatus.SOAKING, "contract": RunStatus.COMPLETED, "roll_back": RunStatus.ROLLED_BACK}
POINTS: Final = [point for point in CRASH_POINTS if point.startswith("migrating-")]

# The books without what differs from run to run: ids and times.
BOOKS: Final = {
    "archive": "key, row::text, children::text, reason, survivor, hash, lacking::text, restored_at IS NOT NULL",
    "quarantine": "key, reason",
    "changes": "key, side",
    "flags": "percent",
    "runs": "status, phase, error",
    "phases": "phase, report -> 'rows'",
}


@dataclass(frozen=True)
class State:
    """All that a migration leaves in a database, hashed or listed."""

    tables: dict[str, tuple[int, str]]
    books: dict[str, list[str]]
    scaffold: list[str]


def state(url: str) -> State:
    """What there is now."""
    with contents.reading(url) as connection:
        tables = {}
        for name in ("notes", "note_tags", "note_versions", "notes_v2_new"):
            content = contents.describe(connection, "public", name)
            columns = [column for column in content.columns if column != "written_at"]
            if columns:
                found = contents.read(connection, content.model_copy(update={"columns": columns}))
                tables[name] = (found.rows, found.sha256)
        books = {
            name: sorted(
                str(row) for row in connection.execute(f"SELECT {columns} FROM {SCHEMA}.{name}".encode()).fetchall()
            )
            for name, columns in BOOKS.items()
        }
        return State(tables, books, life.scaffold(connection))


class Databases:
    """Copies of databases on the suite's server, gone with the module."""

    def __init__(self, admin: str) -> None:
        self.admin = admin
        self.names: list[str] = []

    def copy(self, url: str) -> str:
        """An equal database beside it; nobody may be connected to that one."""
        name = f"killed_{uuid4().hex}"
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(str(sa.make_url(url).database))
                )
            )
        self.names.append(name)
        return at(self.admin, name)

    def drop(self) -> None:
        for name in self.names:
            rig.drop_database(self.admin, name)


@dataclass(frozen=True)
class Undisturbed:
    """Databases as processes left them that nobody killed, and what they held."""

    urls: dict[str, str]
    states: dict[str, State]


@pytest.fixture(scope="module")
def databases(postgres: str) -> Iterator[Databases]:
    databases = Databases(sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False))
    yield databases
    databases.drop()


@pytest.fixture(scope="module")
def undisturbed(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Before the run, after it, after the contract, after the way back."""
    name = f"killed_{uuid4().hex}"
    rig.fresh_database(databases.admin, name)
    databases.names.append(name)
    before = at(databases.admin, name)
    with rig.connected(before) as user:
        rig.lay_out(user)
        fill(user)
    home = tmp_path_factory.mktemp("home")
    urls = {"before": before, "run": databases.copy(before)}
    use = Migrations(urls["run"], rig.Notes(), home=home)
    with use.begin(use.plan(rig.QUICK).hash, rig.QUICK) as work:
        assert use.run_to_end(work).status == RunStatus.SOAKING
    states = {"run": state(urls["run"])}
    with rig.connected(urls["run"]) as user:
        write(user)
    urls |= {action: databases.copy(urls["run"]) for action in ("contract", "roll_back")}
    use = Migrations(urls["contract"], rig.Notes(), home=home)
    assert use.contract(use.contract_plan().hash).status == RunStatus.COMPLETED
    use = Migrations(urls["roll_back"], rig.Notes(), home=home)
    assert use.roll_back().status == RunStatus.ROLLED_BACK
    states |= {action: state(urls[action]) for action in ("contract", "roll_back")}
    return Undisturbed(urls, states)


def fill(user: Connection) -> None:
    """Notes, groups of three with children, and some that cannot be brought over."""
    rig.fill(user, ROWS)
    for number in range(4):
        for year in (2023, 2024, 2025):
            rig.add(user, {"lines": [f"{number} of {year}"]}, owner=rig.SOMEBODY, title=f"twice {number}",
                    updated_at=f"{year}-01-01", tags=[str(year), "all"])  # fmt: skip
    for number in range(3):
        rig.add(user, {"bad": number}, title="bad", tags=["kept"])


def write(user: Connection) -> None:
    """Writes in both shapes while it soaks, which nobody has followed yet."""
    first, second, third, *_ = life.keys(user)
    rig.edit(user, first, {"lines": ["written in the old shape"]})
    rig.edit_new(user, second, "written in the new shape")
    user.execute("DELETE FROM notes_v2_current WHERE id = %s", [third])
    user.execute(
        "INSERT INTO notes_v2_current (id, owner, body) VALUES (%s, %s, %s::jsonb)",
        [UUID(int=7), rig.SOMEBODY, '{"kind": "note", "text": "added"}'],
    )


@contextmanager
def process(job: Job, crash_at: str, home: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The child, standing still at the point, and the marker that holds it there."""
    marker = home / "rehearsal" / crash_at
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAQUETTE_")}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.migrating.kill_child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=ROOT, env=environment | {"MAQUETTE_CRASH_AT": crash_at, "MAQUETTE_HOME": str(home)},
    ) as child:  # fmt: skip
        assert child.stdin is not None
        try:
            child.stdin.write(job.model_dump_json() + "\n")
            child.stdin.flush()
            assert life.eventually(lambda: marker.exists() or child.poll() is not None, within_s=60)
            assert child.poll() is None, "it ended without coming to the point"
            yield child, marker
        finally:
            if child.poll() is None:
                child.kill()


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_process_leads_to_the_same_end(
    undisturbed: Undisturbed, databases: Databases, tmp_path: Path, point: str
) -> None:
    action = ACTIONS.get(point, "run")
    url = databases.copy(undisturbed.urls["before" if action == "run" else "run"])
    job = Job.model_validate({"url": url, "home": tmp_path / "home", "action": action})
    with process(job, point, tmp_path) as (child, _):
        child.kill()
        assert child.wait(10) == -signal.SIGKILL
    use = Migrations(url, rig.Notes(), home=tmp_path / "home")
    with rig.connected(url) as user:
        assert state_is_between(user, action)
    # Whoever comes next goes on, whatever was being done.
    with use.resume(wait_s=10) as work:
        result = use.run_to_end(work)
    assert result.status == ENDS[action]
    expected, found = undisturbed.states[action], state(url)
    assert found.tables == expected.tables
    for book, rows in expected.books.items():
        assert found.books[book] == rows, book
    assert found.scaffold == expected.scaffold


def state_is_between(user: Connection, action: str) -> bool:
    """The kill came in the midst: the run has not ended, and is not where it began."""
    statuses = {"run": RunStatus.RUNNING, "contract": RunStatus.CONTRACTING, "roll_back": RunStatus.ROLLING_BACK}
    return user.execute(f"SELECT status FROM {SCHEMA}.runs").fetchall() == [(statuses[action],)]


def test_a_second_process_is_refused_and_a_stopped_one_writes_nothing_more(
    undisturbed: Undisturbed, databases: Databases, tmp_path: Path
) -> None:
    url = databases.copy(undisturbed.urls["before"])
    job = Job(url=url, home=tmp_path / "home", action="run")
    use = Migrations(url, rig.Notes(), home=tmp_path / "home")
    with rig.connected(url) as user, process(job, "migrating-mid-backfill", tmp_path) as (child, marker):
        before = rig.contents(user)
        with pytest.raises(Conflict) as busy, use.resume():
            pass
        assert busy.value.code == "busy"
        with pytest.raises(Conflict, match="is not finished") as refused:
            use.begin(use.plan(rig.QUICK).hash, rig.QUICK).__enter__()
        assert refused.value.code in ("busy", "migration_refused")

        os.kill(child.pid, signal.SIGSTOP)
        # Its turn is a lock of its connection's, which a process that stands still keeps.
        with pytest.raises(Conflict) as kept:
            use.roll_back(wait_s=0.3)
        assert kept.value.code == "busy"
        rig.edit(user, life.keys(user)[0], {"lines": ["meanwhile"]})
        frozen = state(url)
        assert frozen.books["runs"] == [str(("rolling_back", "backfill", None))]
        marker.unlink()
        os.kill(child.pid, signal.SIGCONT)
        assert child.stdout is not None
        assert child.stdout.readline() == "StaleLease lease\n"
        assert child.wait(20) == 0
        assert state(url) == frozen

        assert use.roll_back().status == RunStatus.ROLLED_BACK
        # The duplicates had gone to the archive before, and stay there.
        assert len(set(before) - set(rig.contents(user))) == 1
        assert life.scaffold(user) == []
