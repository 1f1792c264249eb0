"""The PostgreSQL of a home: who holds it, who stops it, and what is said when it cannot be."""

import errno
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest
import sqlalchemy as sa

from maquette.db.embedded import _strike_dead_holders, embedded_postgres, ensure_database, make_home
from maquette.db.engine import Database, database_from_settings
from maquette.errors import ConfigurationError, StackError
from maquette.settings import Settings
from tests.memory import MEMORY

ROOT = Path(__file__).parents[2]
# Holds the home's server until its input ends.
HOLDER = """
import sys
from pathlib import Path
from maquette.db.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home whose server was made once; nobody holds it between the tests."""
    # Not below pytest's own folder, which only its user may enter: as root the server runs as another one.
    with TemporaryDirectory(prefix="maquette-embedded-", dir=MEMORY) as folder:
        with embedded_postgres(Path(folder)):
            pass
        yield Path(folder)


@pytest.fixture
def own_home(home: Path) -> Iterator[Path]:
    """A home of the test's own, a copy of that one: the server's data need not be made again."""
    with TemporaryDirectory(prefix="maquette-embedded-", dir=MEMORY) as folder:
        subprocess.run(["cp", "-a", str(home / "postgres"), folder], check=True)
        yield Path(folder)


def ask(url: str, question: str) -> Any:
    database = Database(url)
    try:
        with database.begin() as session:
            return session.execute(sa.text(question)).scalar()
    finally:
        database.dispose()


def keep(url: str) -> None:
    database = Database(url)
    with database.begin() as session:
        session.execute(sa.text("CREATE TABLE kept AS SELECT 42 AS answer"))
    database.dispose()


def server_of(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]))


def hold(home: Path) -> subprocess.Popen[str]:
    """Another process that holds the home's server; its first line is the URL."""
    command = [sys.executable, "-c", HOLDER, str(home)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def dead_pid() -> int:
    """The id of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_the_url_is_of_the_database_that_was_asked_for_and_it_lasts(home: Path) -> None:
    with embedded_postgres(home, database='of "mine"') as url:
        assert ask(url, "SELECT current_database()") == 'of "mine"'
        assert sa.make_url(url).drivername == "postgresql"
        assert ask(url, "SELECT 1 FROM pg_settings WHERE name = 'listen_addresses' AND setting = ''") == 1, "a port"
        keep(url)
    assert not (home / "postgres" / "postmaster.pid").exists()
    with embedded_postgres(home, database='of "mine"') as url:
        assert ask(url, "SELECT answer FROM kept") == 42


def test_the_last_of_several_processes_to_leave_stops_the_server(own_home: Path) -> None:
    with embedded_postgres(own_home) as url:
        other = hold(own_home)
        assert other.stdout is not None and other.stdout.readline().strip() == url
        server = server_of(own_home)
    assert server.is_running(), "the other one still holds it"
    assert ask(url, "SELECT 1") == 1
    other.communicate("", timeout=60)
    assert other.returncode == 0
    server.wait(timeout=10)


def test_a_process_that_left_before_the_others_may_come_back(own_home: Path) -> None:
    with embedded_postgres(own_home) as url:
        other = hold(own_home)
        assert other.stdout is not None and other.stdout.readline().strip() == url
    other.communicate("", timeout=60)
    with embedded_postgres(own_home) as url:
        assert ask(url, "SELECT 1") == 1
        server = server_of(own_home)
    server.wait(timeout=10)


def test_a_home_that_was_removed_does_not_come_back_at_exit() -> None:
    program = (
        "import shutil, sys, tempfile\nfrom pathlib import Path\nfrom maquette.db.embedded import embedded_postgres\n"
        "home = Path(tempfile.mkdtemp(prefix='maquette-embedded-'))\nwith embedded_postgres(home): pass\n"
        "shutil.rmtree(home)\nprint(home)"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    home = Path(told.stdout.strip())
    assert home.name.startswith("maquette-embedded-")
    assert not home.exists()


def test_a_second_holder_in_one_process_shares_the_server(home: Path) -> None:
    with embedded_postgres(home) as url:
        with embedded_postgres(home, database="second") as second:
            assert ask(second, "SELECT current_database()") == "second"
        assert ask(url, "SELECT 1") == 1
        server = server_of(home)
    server.wait(timeout=10)


def test_killed_holders_are_struck_off_so_that_the_last_one_stops_the_server(home: Path) -> None:
    (home / "postgres" / ".handle_pids.json").write_text(json.dumps([dead_pid()]))
    with embedded_postgres(home):
        server = server_of(home)
    server.wait(timeout=10)


def test_a_server_that_a_killed_process_left_is_taken_over_and_stopped(own_home: Path) -> None:
    other = hold(own_home)
    assert other.stdout is not None
    other.stdout.readline()
    server = server_of(own_home)
    other.kill()
    other.communicate()
    with embedded_postgres(own_home) as url:
        assert server_of(own_home) == server
        assert ask(url, "SELECT 1") == 1
    server.wait(timeout=10)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_list_of_holders_that_cannot_be_read_is_no_obstacle(tmp_path: Path, text: str) -> None:
    holders = tmp_path / ".handle_pids.json"
    _strike_dead_holders(tmp_path)
    assert not holders.exists()
    holders.write_text(text)
    _strike_dead_holders(tmp_path)
    assert holders.read_text() == text


def test_living_holders_stay_on_the_list(tmp_path: Path) -> None:
    alive, dead = psutil.Process().pid, dead_pid()
    (tmp_path / ".handle_pids.json").write_text(json.dumps([dead, alive]))
    _strike_dead_holders(tmp_path)
    assert json.loads((tmp_path / ".handle_pids.json").read_text()) == [alive]
    assert [path.name for path in tmp_path.iterdir()] == [".handle_pids.json"]


def test_a_database_is_made_once_and_may_start_from_a_template(home: Path) -> None:
    with embedded_postgres(home) as url:
        admin = sa.make_url(url).set(database="postgres").render_as_string(hide_password=False)
        first = ensure_database(admin, "pattern")
        keep(first)
        assert ensure_database(admin, "pattern") == first
        assert ask(ensure_database(admin, "copy", template="pattern"), "SELECT answer FROM kept") == 42


def test_a_server_that_does_not_start_names_its_log(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("9")  # data of a version that the wheel does not run
    with pytest.raises(StackError, match=r"did not start .*; its log is .*postgres/log"):
        embedded_postgres(tmp_path).__enter__()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for home in (file, file / "below"):
        with pytest.raises(ConfigurationError, match="set MAQUETTE_HOME to a folder of yours"):
            make_home(home)


def test_a_read_only_home_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def touch(path: Path) -> None:  # chmod would not hold root back
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "touch", touch)
    with pytest.raises(ConfigurationError, match=r"cannot be written \(Read-only file system\): set MAQUETTE_HOME"):
        embedded_postgres(tmp_path).__enter__()


def test_a_writable_home_is_made_and_left_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = make_home(Path("new/home"))
    assert home == tmp_path / "new" / "home"
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite:///app.db", "mysql://user:secret@host/app"])
def test_another_database_than_postgresql_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"must be PostgreSQL.*set MAQUETTE_DATABASE_URL") as raised:
        Database(url)
    assert "secret" not in str(raised.value)


def test_no_database_at_all_says_how_to_get_one() -> None:
    settings = Settings().model_copy(update={"database_url": None})
    with pytest.raises(ConfigurationError, match=r"maquette up.*MAQUETTE_DATABASE_URL"):
        database_from_settings(settings)
