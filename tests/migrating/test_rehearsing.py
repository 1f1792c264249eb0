"""A rehearsal does it all on a copy, is really killed, comes back, and leaves the database that it stands for alone."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from maquette.errors import Conflict
from maquette.migrating import backups, contents, definition, dumping, rehearsal_check, rehearsing, scratch
from maquette.migrating.definition import DocumentMigration
from maquette.migrating.models import SCHEMA, Duplicates, Phase
from maquette.migrating.rehearsal_child import Job
from maquette.migrating.source import Connection
from tests.migrating import rig
from tests.migrating.rig import QUICK

ROOT = Path(__file__).parents[2]
CAREFUL = QUICK.model_copy(update={"rehearse": True})

# As a file of its own: the process that is killed loads it from there.
MIGRATION = """
from tests.migrating import rig


class Copied(rig.Notes):
    {body}
"""


def loaded(folder: Path, body: str = "pass") -> DocumentMigration:
    (folder / "notes_v2.py").write_text(MIGRATION.format(body=body))
    return definition.load("notes_v2", folder)


@pytest.fixture
def filled(user: Connection) -> Connection:
    """Notes with duplicates that have children, and one that cannot be brought over."""
    rig.fill(user, 30)
    for tags in (["a", "b"], ["b", "c"]):
        rig.add(user, title="twice", owner=rig.SOMEBODY, tags=tags)
    rig.add(user, {"bad": 1}, tags=["kept"])
    return user


@pytest.fixture
def untouched(filled: Connection) -> Iterator[None]:
    """The database that is to be migrated is the same afterwards, and no scratch database is left."""

    def seen() -> list[object]:
        relations = filled.execute(
            "SELECT array_agg(relname::text ORDER BY 1) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone()
        return [relations, *(rig.contents(filled, table) for table in ("notes", "note_tags", "note_versions"))]

    before = seen()
    yield
    assert seen() == before
    left = filled.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [scratch.PREFIX])
    assert left.fetchall() == []


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("policy", Duplicates)
def test_a_rehearsal_is_killed_resumes_and_comes_all_the_way_back(
    target_url: str, tmp_path: Path, policy: Duplicates
) -> None:
    options = CAREFUL.model_copy(update={"on_rollback": policy})
    with rig.held(target_url, loaded(tmp_path), options) as work:
        backups.back_up(work)
        report = rehearsing.rehearse(work)
        assert report.rows == 33
        assert report.detail["resumed"] is True
        killed_at = report.detail["killed_at_rows"]
        assert isinstance(killed_at, int)
        assert 0 < killed_at <= 33
        assert report.detail["writes"] == 2
        assert report.detail["refused_writes"] == {}
        phases = report.detail["phases"]
        assert isinstance(phases, dict)
        assert {"expand", "deduplicate", "unique", "backfill", "validate", "cut_over"} <= set(phases)
        flip_ms, rollback_s = report.detail["flip_ms"], report.detail["rollback_s"]
        assert isinstance(flip_ms, float)
        assert isinstance(rollback_s, float)
        assert flip_ms < 5000
        assert json.dumps(report.model_dump(mode="json"))  # the books keep it


@pytest.mark.usefixtures("untouched")
def test_what_would_go_wrong_goes_wrong_in_the_rehearsal(target_url: str, tmp_path: Path) -> None:
    body = 'invariants = (rig.Invariant("no note at all", "SELECT count(*) FROM {current}"),)'
    with rig.held(target_url, loaded(tmp_path, body), CAREFUL) as work:
        backups.back_up(work)
        with pytest.raises(Conflict, match=r"the rehearsal failed: .*no note at all.*; nothing was changed") as caught:
            rehearsing.rehearse(work)
        assert caught.value.code == "rehearsal_failed"


def test_an_empty_table_is_rehearsed_too(target_url: str, tmp_path: Path) -> None:
    with rig.held(target_url, loaded(tmp_path), CAREFUL) as work:
        backups.back_up(work)
        report = rehearsing.rehearse(work)
        assert report.rows == 0
        assert report.detail["writes"] == 0


def test_by_the_options_there_is_none(target_url: str, user: Connection) -> None:
    with rig.held(target_url) as work:
        report = rehearsing.rehearse(work)
        assert report.phase == Phase.REHEARSE
        assert report.detail == {"skipped": "the options say so"}


def test_the_process_ends_with_its_parent(target_url: str, filled: Connection, tmp_path: Path) -> None:
    job = Job(
        url=target_url, migration="notes_v2", folder=tmp_path, run_folder=tmp_path, options=QUICK, resume=False
    )  # fmt: skip
    loaded(tmp_path)
    # It waits for this lock in its first phase, until its stdin ends.
    # A transaction sees others as they stood at its start, so somebody else looks.
    with filled.transaction(), rig.connected(target_url) as watcher:
        filled.execute("LOCK TABLE notes IN SHARE MODE")
        with subprocess.Popen(
            [sys.executable, "-m", "maquette.migrating.rehearsal_child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        ) as process:  # fmt: skip
            assert process.stdin is not None
            process.stdin.write(job.model_dump_json() + "\n")
            process.stdin.flush()
            patience = threading.Event()
            while not rig.waits_for_lock(watcher, "maquette migration"):
                assert process.poll() is None
                patience.wait(0.05)
            arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes() if Path("/proc").exists() else b""
            assert target_url.encode() not in arguments
            process.stdin.close()
            assert process.wait(20) == 1


def test_a_killed_child_is_no_success(tmp_path: Path) -> None:
    said = tmp_path / "stderr"
    said.write_text("Traceback\nKilled: 9\n")
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(Conflict, match=r"ended with -9 \(Killed: 9\)"):
            rehearsing._require_end(process, said)


LOSSES = {
    "UPDATE notes SET title = 'other' WHERE id = {key}": "has changed",
    "DELETE FROM notes WHERE id = {key}": "is lost",
    "INSERT INTO notes (owner, body) VALUES (gen_random_uuid(), '{{}}')": "came from nowhere",
    "DELETE FROM note_tags WHERE tag = 'a'": "1 rows of public.note_tags are lost or have changed",
}


@pytest.mark.parametrize("loss", LOSSES)
def test_whatever_a_way_back_would_lose_is_told(target_url: str, filled: Connection, loss: str) -> None:
    with rig.held(target_url) as work, contents.reading(target_url) as reader:
        tables = [contents.describe(reader, "public", name) for name in ("notes", "note_tags", "note_versions")]
        rehearsal_check.remember(filled, tables)

        def found() -> list[str]:
            return rehearsal_check.differences(
                filled, work.source, work.migration, tables=tables, run_id=work.run.id, written=[]
            )

        assert found() == []
        row = filled.execute("SELECT id FROM notes WHERE body ? 'bad'").fetchone()
        assert row is not None
        with filled.transaction():
            filled.execute("SET LOCAL session_replication_role = replica")
            filled.execute(loss.format(key=f"'{row[0]}'").encode())
        (told,) = found()
        assert LOSSES[loss] in told
        if "is lost" in told:  # unless the archive has it
            filled.execute(
                f"INSERT INTO {SCHEMA}.archive (run_id, table_name, key, row, reason, hash) "
                "VALUES (%s, 'public.notes', %s, '{}', 'duplicate', '')".encode(),
                [work.run.id, str(row[0])],
            )
            assert found() == []


def test_a_lost_write_is_told(target_url: str, filled: Connection) -> None:
    with rig.held(target_url) as work, contents.reading(target_url) as reader:
        tables = [contents.describe(reader, "public", "notes")]
        rehearsal_check.remember(filled, tables)
        row = filled.execute("SELECT id::text FROM notes LIMIT 1").fetchone()
        assert row is not None
        written = [rehearsal_check.Written(row[0], "new", '{"body":{"lines":["written"]}}')]
        told = rehearsal_check.differences(
            filled, work.source, work.migration, tables=tables, run_id=work.run.id, written=written
        )
        assert told == [f"the write of row {row[0]} in the new shape is lost"]
        rig.edit(filled, row[0], {"lines": ["written"]})
        assert not rehearsal_check.differences(
            filled, work.source, work.migration, tables=tables, run_id=work.run.id, written=written
        )


def test_the_backup_is_what_is_rehearsed_on(target_url: str, filled: Connection, tmp_path: Path) -> None:
    with rig.held(target_url, loaded(tmp_path), CAREFUL) as work:
        with pytest.raises(Exception, match="holds no whole backup"):
            rehearsing.rehearse(work)
        assert not (work.folder / backups.FOLDER / dumping.MANIFEST).exists()
