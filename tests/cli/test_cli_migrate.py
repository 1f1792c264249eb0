"""Migrations from the command line: planned, looked at, followed, rolled back, reported on."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maquette.cli.output import ExitCode
from maquette.migrating.definition import load
from maquette.migrating.models import Options, RunStatus
from maquette.migrating.service import Migrations
from maquette.settings import Settings
from tests.cli.conftest import Answer, Cli
from tests.migrating import rig

QUICK = ("--watch-s", "0", "--window-s", "1", "--soak-s", "0", "--no-rehearse")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes_v2.py").write_text(rig.FILE)
    return tmp_path


@pytest.fixture
def notes_url(postgres: str) -> Iterator[str]:
    with rig.twelve_notes(postgres) as url:
        yield url


def contents(url: str) -> list[str]:
    with rig.connected(url) as connection:
        return rig.contents(connection)


@pytest.fixture
def migrate(cli: Cli, folder: Path, notes_url: str) -> Callable[..., Answer]:
    def call(command: str, *arguments: str) -> Answer:
        return cli(
            "migrate", command, "--migration", "notes_v2", "--folder", str(folder), "--url", notes_url, *arguments
        )

    return call


@pytest.fixture
def use(folder: Path, notes_url: str, settings: Settings) -> Migrations:
    return Migrations(notes_url, load("notes_v2", folder), home=settings.home)


def test_a_plan_says_what_would_be_done_and_changes_nothing(migrate: Callable[..., Answer], notes_url: str) -> None:
    before = contents(notes_url)
    answer = migrate("plan", *QUICK, "--json")
    plan = json.loads(answer.out)
    assert answer.code == ExitCode.OK
    assert (plan["rows"], plan["duplicate_groups"], plan["rows_to_archive"]) == (12, 1, 1)
    assert plan["options"]["soak_s"] == 0
    assert len(plan["hash"]) == 64
    told = migrate("plan", *QUICK).out
    assert plan["hash"] in told
    assert "CREATE TRIGGER" in told
    assert "Rows to archive" in told
    assert contents(notes_url) == before


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("plan", "--cohorts", "1,x"), ExitCode.USAGE, "--cohorts"),
        (("plan", "--cohorts", "10,1"), ExitCode.USAGE, "cohorts"),
        (("status",), ExitCode.NOT_FOUND, "no run"),
        (("run",), ExitCode.USAGE, "--approve"),
        (("rollback", "--yes"), ExitCode.NOT_FOUND, "no run"),
        (("contract", "--dry-run"), ExitCode.NOT_FOUND, "no run"),
    ],
)
def test_what_cannot_be_says_what_to_do(
    migrate: Callable[..., Answer], arguments: tuple[str, ...], code: ExitCode, word: str
) -> None:
    answer = migrate(*arguments)
    assert answer.code == code, answer.err
    assert word in answer.err


def test_a_plan_that_was_not_approved_starts_no_stack(migrate: Callable[..., Answer]) -> None:
    answer = migrate("run", *QUICK, "--approve", "0" * 64, "--json")
    assert answer.code == ExitCode.CONFLICT
    assert json.loads(answer.out)["error"]["code"] == "plan_changed"
    assert "starting" not in answer.err


def test_no_migration_and_no_database(cli: Cli, folder: Path) -> None:
    missing = cli("migrate", "plan", "--migration", "nothing", "--folder", str(folder))
    assert (missing.code, "notes_v2" in missing.err) == (ExitCode.NOT_FOUND, True)
    url = "postgresql://somebody:hidden-word@127.0.0.1:9/nothing"
    down = cli("migrate", "plan", "--migration", "notes_v2", "--folder", str(folder), "--url", url)
    assert down.code == ExitCode.STACK
    assert "hidden-word" not in down.err + down.out


def test_a_run_is_shown_followed_reported_on_and_rolled_back(
    migrate: Callable[..., Answer], use: Migrations, notes_url: str, tmp_path: Path
) -> None:
    options = Options(watch_s=0, window_s=1, soak_s=0, rehearse=False)
    with use.begin(use.plan(options).hash, options) as work:
        use.run_to_end(work)
    shown = json.loads(migrate("status", "--json").out)
    assert (shown["status"], shown["percent"], shown["rows_migrated"], shown["archived"]) == ("soaking", 100, 11, 1)
    told = migrate("status").out
    assert "soaking" in told and "100 %" in told
    assert json.loads(migrate("follow", "--json").out)["pending"] == 0
    verified = migrate("verify-backup")
    assert (verified.code, "12 rows" in verified.out) == (ExitCode.OK, True), verified.err
    page = tmp_path / "out" / "report.html"
    assert migrate("report", "--out", str(page)).out.strip() == str(page)
    assert "soaking" in page.read_text("utf-8")
    contract = json.loads(migrate("contract", "--dry-run", "--json").out)
    assert (contract["rows"], contract["refusals"]) == (11, [])
    assert "11 documents" in migrate("contract", "--dry-run").out
    back = json.loads(migrate("rollback", "--yes", "--duplicates", "restore", "--json").out)
    assert (back["status"], back["percent"]) == (RunStatus.ROLLED_BACK, 0)
    assert len(contents(notes_url)) == 12
    again = migrate("rollback", "--yes")
    assert again.code == ExitCode.CONFLICT
