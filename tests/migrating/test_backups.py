"""A backup is of one moment, whole, and was restored; whatever is wrong with it is found before anything runs."""

import gzip
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from maquette.errors import ConfigurationError, MaquetteError, StackError, StorageError
from maquette.migrating import backups, contents, dumping, scratch, tools
from maquette.migrating.dumping import DUMP, MANIFEST, SUMS
from maquette.migrating.source import Connection, connect
from tests.migrating import rig
from tests.migrating.rig import QUICK

PASSWORD = "s3cret-w0rd"


def scratches(connection: Connection) -> list[str]:
    return [
        name
        for (name,) in connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [scratch.PREFIX]
        )
    ]


@pytest.fixture
def filled(user: Connection) -> Connection:
    rig.fill(user, 40)
    for text in ("tab\tand\nline", 'back\\slash "quoted"', "é 漫画 \u2028"):
        rig.add(user, {"lines": [text]}, title=text, tags=[text, "b"])
    rig.add(user, '{"deep": [1, 1.0, 1.00, 1e400, null, true]}', updated_at=None, tags=["only"])
    return user


@pytest.fixture
def folder(target_url: str, filled: Connection, tmp_path: Path) -> Path:
    """A backup as ``back_up`` takes it, not yet restored."""
    dumping.take(target_url, tmp_path / "backup", subject="notes_v2", run_id=uuid4(), choose=contents.all_tables)
    return tmp_path / "backup"


def test_a_backup_is_taken_restored_and_compared(target_url: str, filled: Connection) -> None:
    with rig.held(target_url) as work:
        report = backups.back_up(work)
        folder = work.folder / "backup"
        assert report.rows == 44
        tables = report.detail["tables"]
        assert isinstance(tables, dict)
        assert list(tables) == ["public.notes", "public.note_tags", "public.note_versions"]
        assert sorted(path.name for path in folder.iterdir()) == [
            "1-public.notes.copy.gz", "2-public.note_tags.copy.gz", "3-public.note_versions.copy.gz",
            SUMS, DUMP, MANIFEST,
        ]  # fmt: skip
        assert report.detail["warnings"] == []
        assert not scratches(filled)
        # Whoever has no Maquette at hand can check the files, too.
        done = subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=folder, check=False, capture_output=True)
        assert done.returncode == 0
        verified = backups.verify(folder, url=target_url)
        assert verified.rows == {"public.notes": 44, "public.note_tags": 7, "public.note_versions": 0}
        assert not scratches(filled)
        # A second call, as after a crash at its end, takes no other backup.
        before = (folder / SUMS).read_bytes()
        assert backups.back_up(work).detail["tables"] == tables
        assert (folder / SUMS).read_bytes() == before


def test_the_rows_of_the_copy_can_be_put_back_by_hand(target_url: str, filled: Connection, folder: Path) -> None:
    before = rig.contents(filled)
    manifest = dumping.check_files(folder)
    (table,) = (table for table in manifest.tables if table.name == "notes")
    assert table.file is not None
    filled.execute("TRUNCATE notes CASCADE")
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    with filled.cursor() as cursor, cursor.copy(sql.SQL("COPY notes ({}) FROM STDIN").format(columns)) as copy:
        copy.write(gzip.decompress((folder / table.file).read_bytes()))
    assert rig.contents(filled) == before


def test_dump_and_rows_are_of_one_moment_whoever_writes(target_url: str, user: Connection, tmp_path: Path) -> None:
    # Two accounts whose sum never changes: a backup of two moments would show another one.
    user.execute("CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int)")
    user.execute("INSERT INTO a VALUES (1, 1000000); INSERT INTO b VALUES (1, 0)")
    user.execute("INSERT INTO b SELECT n, 0 FROM generate_series(2, 20000) n")
    stop, moved = threading.Event(), threading.Event()

    def move() -> None:
        with rig.connected(target_url) as writer:
            while not stop.is_set():
                with writer.transaction():
                    writer.execute("UPDATE a SET v = v - 1")
                    writer.execute("UPDATE b SET v = v + 1 WHERE id = 1")
                moved.set()

    mover = threading.Thread(target=move)
    mover.start()
    try:
        assert moved.wait(10)
        manifest = dumping.take(
            target_url, tmp_path / "backup", subject="x", run_id=uuid4(), choose=contents.all_tables
        )
    finally:
        stop.set()
        mover.join()
    rows = {
        table.name: gzip.decompress((tmp_path / "backup" / str(table.file)).read_bytes()).decode().splitlines()
        for table in manifest.tables
    }
    left, right = int(rows["a"][0].split("\t")[1]), int(rows["b"][0].split("\t")[1])
    assert left + right == 1_000_000
    assert right > 0
    # And the dump shows the same moment.
    backups.verify(tmp_path / "backup", url=target_url)


def test_a_damaged_file_is_named(target_url: str, folder: Path, user: Connection) -> None:
    for name in (DUMP, MANIFEST, SUMS, "3-public.notes.copy.gz"):
        path = folder / name
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 0x01
        for damaged in (whole[:-20], bytes(flipped), None):
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            with pytest.raises(StorageError) as caught:
                backups.verify(folder, url=target_url)
            assert caught.value.code == "backup_unusable"
            assert (name if damaged and name != SUMS else str(folder)) in str(caught.value)
            assert "nothing further runs" in str(caught.value)
        path.write_bytes(whole)
    assert backups.verify(folder, url=target_url).rows["public.notes"] == 44
    assert not scratches(user)


def signed(folder: Path) -> None:
    """Make sums and manifest fit what lies there: what only the restore can find out."""
    manifest = dumping.Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    files = [dumping._file(folder / file.name) for file in manifest.files]
    (folder / MANIFEST).write_text(manifest.model_copy(update={"files": files}).model_dump_json())
    sums = [*files, dumping._file(folder / MANIFEST)]
    (folder / SUMS).write_text("".join(f"{file.sha256}  {file.name}\n" for file in sums))


def test_a_dump_that_was_cut_before_it_was_hashed_is_found_by_restoring(target_url: str, folder: Path) -> None:
    dump = folder / DUMP
    dump.write_bytes(dump.read_bytes()[: -dump.stat().st_size // 4])
    signed(folder)
    with pytest.raises(StorageError, match="restored") as caught:
        backups.verify(folder, url=target_url)
    assert caught.value.code == "backup_unusable"


def test_a_dump_of_other_contents_is_found_by_comparing(target_url: str, folder: Path, user: Connection) -> None:
    user.execute("UPDATE note_tags SET tag = tag || '!' WHERE tag = 'only'")
    other = folder.with_name("other")
    dumping.take(target_url, other, subject="notes_v2", run_id=uuid4(), choose=contents.all_tables)
    shutil.copy(other / DUMP, folder / DUMP)
    signed(folder)
    with pytest.raises(StorageError, match=r"public\.note_tags was restored with other contents"):
        backups.verify(folder, url=target_url)


def test_a_run_whose_backup_does_not_restore_stops(
    target_url: str, filled: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = dumping.restore

    def forgetful(folder: Path, manifest: dumping.Manifest, url: str, *, with_owners: bool = False) -> list[str]:
        warnings = real(folder, manifest, url, with_owners=with_owners)
        with connect(url) as connection:
            connection.execute("DELETE FROM note_tags WHERE tag = 'only'")
        return warnings

    monkeypatch.setattr(dumping, "restore", forgetful)
    with rig.held(target_url) as work, pytest.raises(StorageError, match="7 rows, the restored one has 6"):
        backups.back_up(work)
    assert not scratches(filled)


FAKE = """#!/bin/sh
if [ "$1" = --version ]; then echo 'pg_dump (PostgreSQL) {version}'; exit 0; fi
{body}
"""


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, *, version: str, body: str) -> None:
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text(FAKE.format(version=version, body=body))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_too_old_a_pg_dump_is_passed_over_for_the_wheels(
    target_url: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path / "old", monkeypatch, version="9.6.24", body="exit 9")
    with rig.connected(target_url) as connection:
        assert tools.find_tools(connection).major >= connection.info.server_version // 10_000
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ConfigurationError, match=r"is of version 9\).*postgresql-client-\d\d"):
            tools.find_tools(connection)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_named_and_leaves_nothing(
    target_url: str, filled: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = 'for a in "$@"; do case $a in --file=*) echo half > "${a#--file=}";; esac; done\ncat /bin/sh > /dev/full'
    put_on_path(tmp_path / "full", monkeypatch, version="99.1", body=body)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")
    target = tmp_path / "run" / "backup"
    with pytest.raises(StorageError, match="no room left for the dump") as caught:
        dumping.take(target_url, target, subject="x", run_id=uuid4(), choose=contents.all_tables)
    assert caught.value.code == "storage_full"
    assert not list((tmp_path / "run").iterdir())


def test_a_disk_that_is_full_for_us_is_named_too(target_url: str, filled: Connection, tmp_path: Path) -> None:
    """The real limit of a real process, as a quota is: neither the dump nor our own files may grow beyond it."""
    program = """
import resource, signal, sys, uuid
from pathlib import Path
from maquette.errors import StorageError
from maquette.migrating import contents, dumping
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
try:
    dumping.take(sys.stdin.read(), Path(sys.argv[1]), subject="x", run_id=uuid.uuid4(), choose=contents.all_tables)
except StorageError as error:
    print(error.code, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "run" / "backup")],
        input=target_url, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("storage_full "), done.stderr
    assert not list((tmp_path / "run").iterdir())


def test_too_little_free_disk_is_said_before(
    target_url: str, filled: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with pytest.raises(StorageError, match=r"has 1 MB free, the backup and its check may take \d+ MB") as caught:
        dumping.take(target_url, tmp_path / "backup", subject="x", run_id=uuid4(), choose=contents.all_tables)
    assert caught.value.code == "storage_full"
    assert not list(tmp_path.iterdir())


@pytest.fixture
def login(target_url: str, filled: Connection) -> str:
    """A URL with a password; the server of the suite asks for none, so any is right."""
    return sa.make_url(target_url).set(password=PASSWORD).render_as_string(hide_password=False)


def test_the_password_is_nowhere_to_be_seen(
    login: str, filled: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (
        f'echo "$0 $@" > {tmp_path}/arguments; tr "\\0" "\\n" < /proc/$$/cmdline > {tmp_path}/cmdline\n'
        'echo "pg_dump: error: connection to $PGHOST as $PGUSER with $PGPASSWORD failed" >&2; exit 1'
    )
    put_on_path(tmp_path / "spy", monkeypatch, version="99.1", body=body)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StackError, match=r"with \*\*\* failed") as caught:
        dumping.take(login, tmp_path / "run" / "backup", subject="x", run_id=uuid4(), choose=contents.all_tables)
    seen = str(caught.value) + (tmp_path / "arguments").read_text() + (tmp_path / "cmdline").read_text()
    assert PASSWORD not in seen
    assert "--snapshot=" in seen


def test_no_file_of_a_backup_tells_the_password(login: str, tmp_path: Path) -> None:
    dumping.take(login, tmp_path / "backup", subject="x", run_id=uuid4(), choose=contents.all_tables)
    assert [path for path in (tmp_path / "backup").iterdir() if PASSWORD.encode() in path.read_bytes()] == []
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0


def test_rows_hidden_by_a_policy_are_an_error_not_a_smaller_backup(
    target_url: str, filled: Connection, tmp_path: Path
) -> None:
    role = f"reader_{uuid4().hex}"
    filled.execute(f"CREATE ROLE {role} LOGIN".encode())
    try:
        filled.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
        filled.execute("ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
        url = sa.make_url(target_url).set(username=role).render_as_string(hide_password=False)
        with contents.reading(url) as connection, pytest.raises(ConfigurationError, match="BYPASSRLS"):
            contents.read(connection, contents.describe(connection, "public", "notes"))
        with pytest.raises(ConfigurationError, match="CREATEDB"), scratch.scratch_database(url, "maquette_scratch_no"):
            pass
    finally:
        filled.execute(f"DROP OWNED BY {role}".encode())
        filled.execute(f"DROP ROLE {role}".encode())


def test_leftovers_of_killed_runs_go_and_used_ones_stay(target_url: str, filled: Connection) -> None:
    left, used = scratch.name_of(uuid4(), "left"), scratch.name_of(uuid4(), "used")
    with scratch.scratch_database(target_url, left) as made:
        made.kept = True
    with scratch.scratch_database(target_url, used):
        assert left in scratch.drop_leftovers(target_url)
        assert scratches(filled) == [used]
    assert scratches(filled) == []


def test_a_killed_backup_leaves_nothing_that_counts(target_url: str, filled: Connection, tmp_path: Path) -> None:
    """SIGKILL while the dump is written: its folder has no name yet, pg_dump ends too, and the next one clears up."""
    program = """
import sys, uuid
from pathlib import Path
from maquette.migrating import contents, dumping
url, folder = sys.stdin.readline().strip(), Path(sys.argv[1])
dumping.take(url, folder, subject="x", run_id=uuid.uuid4(), choose=contents.all_tables)
"""
    target = tmp_path / "run" / "backup"
    with filled.transaction():  # pg_dump waits for this lock, so the kill comes in its midst
        filled.execute("LOCK TABLE note_versions IN ACCESS EXCLUSIVE MODE")
        with subprocess.Popen(
            [sys.executable, "-c", program, str(target)], stdin=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            process.stdin.write(f"{target_url}\n")
            process.stdin.flush()
            with rig.connected(target_url) as watcher:
                until(watcher, "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = 'pg_dump' "
                      "AND datname = current_database() AND wait_event_type = 'Lock')")  # fmt: skip
            children = psutil.Process(process.pid).children(recursive=True)
            assert any("pg_dump" in child.name() for child in children)
            process.send_signal(signal.SIGKILL)
            process.wait()
            if tools._tether():
                gone, _ = psutil.wait_procs(children, timeout=20)
                assert len(gone) == len(children)
    assert not target.exists()
    assert list(target.parent.glob(".backup.*.part"))
    dumping.take(target_url, target, subject="x", run_id=uuid4(), choose=contents.all_tables)
    assert list(target.parent.iterdir()) == [target]
    backups.verify(target, url=target_url)


def until(connection: Connection, question: str) -> None:
    patience = threading.Event()
    for _ in range(400):
        if connection.execute(question.encode()).fetchone() == (True,):
            return
        patience.wait(0.05)
    raise AssertionError(f"never came true: {question}")


def test_a_table_of_any_kind_is_hashed_in_one_order(empty_url: str) -> None:
    with rig.connected(empty_url) as connection:
        connection.execute(
            'CREATE TABLE odd ("a B" text, j json, n numeric, g int GENERATED ALWAYS AS (1 + 1) STORED); '
            "CREATE TABLE words (w text PRIMARY KEY); CREATE TABLE pair (b int, a text, PRIMARY KEY (a, b)); "
            "CREATE TABLE none (); CREATE TABLE parted (id int) PARTITION BY RANGE (id); "
            "CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9); INSERT INTO parted VALUES (3)"
        )
        connection.execute("INSERT INTO odd VALUES ('x', '{\"b\":1, \"b\":2}', 1.50), (NULL, NULL, 'NaN')")
        connection.execute("INSERT INTO words VALUES ('b'), ('A'), ('é'), ('a')")
    with contents.reading(empty_url) as connection:
        tables = {table.name: table for table in contents.all_tables(connection)}
        assert set(tables) == {"odd", "words", "pair", "none", "parted"}
        assert tables["odd"].columns == ["a B", "j", "n"]
        assert tables["pair"].ordered_by == ["a", "b"]
        assert [*contents.lines(connection, tables["words"])] == [b"A\n", b"a\n", b"b\n", "é\n".encode()]
        assert contents.read(connection, tables["parted"]).rows == 1
        first = contents.read(connection, tables["odd"])
        assert first.rows == 2
    with rig.connected(empty_url) as connection:
        connection.execute("CREATE TABLE again AS SELECT * FROM odd ORDER BY n; TRUNCATE odd")
        connection.execute('INSERT INTO odd ("a B", j, n) SELECT "a B", j, n FROM again')
    with contents.reading(empty_url) as connection:
        assert contents.read(connection, tables["odd"]).sha256 == first.sha256


@pytest.mark.parametrize(
    ("before", "after", "answer"),
    [([], [], True), ([], [b"1"], True), ([b"1"], [], False), ([b"1", b"3"], [b"0", b"1", b"2", b"3"], True),
     ([b"1", b"1"], [b"1"], False), ([b"1", b"2"], [b"1", b"x"], False)],
)  # fmt: skip
def test_kept_lines_may_have_company_but_no_loss(before: list[bytes], after: list[bytes], answer: bool) -> None:
    assert contents.kept(iter(before), iter(after)) is answer


def test_a_kept_restore_is_found_by_the_next_phase(target_url: str, filled: Connection) -> None:
    with rig.held(target_url, options=QUICK.model_copy(update={"rehearse": True})) as work:
        backups.back_up(work)
        (kept,) = scratches(filled)
        with backups.restored(work) as (found, manifest, _), connect(found.url) as there:
            assert found.name == kept
            assert there.execute("SELECT count(*) FROM notes").fetchone() == (manifest.tables[0].rows,)
        assert not scratches(filled)
        # It went with the process that made it: it is restored once more.
        with backups.restored(work) as (found, _, _):
            assert scratches(filled) == [found.name] == [kept]
        assert not scratches(filled)


def test_errors_are_of_our_tree(folder: Path) -> None:
    (folder / MANIFEST).write_text(json.dumps({"format": 1}))
    with pytest.raises(MaquetteError) as caught:
        dumping.check_files(folder)
    assert {caught.value.text(language) for language in ("fr", "en", "es")} > {caught.value.text("fr")}
    assert psycopg.Error not in type(caught.value).__mro__
