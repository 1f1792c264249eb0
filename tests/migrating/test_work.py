"""A run has one holder; whoever was overtaken writes nothing any more."""

from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from maquette.errors import ConfigurationError, Conflict, InvalidInput, NotFound, StackError, StaleLease
from maquette.migrating.models import Phase, PhaseReport, RunStatus
from maquette.migrating.source import Connection, connect, read_source
from maquette.migrating.work import begin, resume
from tests.migrating import rig


def test_two_runs_do_not_overlap(target_url: str, tmp_path: Path) -> None:
    with rig.held(target_url):
        with pytest.raises(Conflict) as told, resume(target_url, rig.Notes()):
            pass
        assert told.value.code == "busy"
    with pytest.raises(Conflict) as told, rig.held(target_url):
        pass
    assert told.value.code == "migration_open"


def test_a_run_that_was_left_is_taken_over_and_the_old_hold_writes_nothing(target_url: str, user: Connection) -> None:
    with rig.held(target_url) as old:
        old.enter(Phase.BACKFILL)
        # The turn goes with the connection that holds it, as when the network goes; the process lives on.
        user.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%turn'")
        with rig.resumed(target_url) as taken:
            assert taken.run.id == old.run.id and taken.run.epoch == old.run.epoch + 1
            assert taken.run.phase == Phase.BACKFILL
            with pytest.raises(StaleLease), old.transaction():
                pass
            with pytest.raises(StaleLease):
                old.enter(Phase.VALIDATE)
            taken.require_hold()


def test_a_transaction_that_fails_leaves_nothing(target_url: str) -> None:
    with rig.held(target_url) as work:

        def fail() -> None:
            with work.transaction() as connection:
                work.quarantine("a", "b")
                connection.execute("SELECT 1 / 0")

        with pytest.raises(psycopg.errors.DivisionByZero):
            fail()
        assert work.connection.execute("SELECT count(*) FROM maquette_migrating.quarantine").fetchone() == (0,)


def test_what_ended_is_known_and_an_ended_run_lets_the_next_begin(target_url: str) -> None:
    with rig.held(target_url) as work:
        assert work.finished(Phase.BACKUP) is None
        work.leave(PhaseReport(phase=Phase.BACKUP, rows=3))
        assert work.finished(Phase.BACKUP) == PhaseReport(phase=Phase.BACKUP, rows=3)
        work.set_status(RunStatus.ROLLED_BACK, error="by hand")
        first = work.run
    assert first.ended_at is not None and first.error == "by hand"
    with rig.held(target_url) as work:
        assert work.run.id != first.id


def test_the_cursor_goes_with_its_transaction(target_url: str) -> None:
    with rig.held(target_url) as work:
        with work.transaction():
            work.advance(Phase.BACKFILL, position="a", upto="z", rows=2)

        def fail() -> None:
            with work.transaction() as connection:
                work.advance(Phase.BACKFILL, position="b", upto="z", rows=2)
                connection.execute("SELECT 1 / 0")

        with pytest.raises(psycopg.errors.DivisionByZero):
            fail()
        assert work.position(Phase.BACKFILL) == ("a", "z", 2)


def test_a_run_that_is_not_there(target_url: str) -> None:
    for run_id in (None, uuid4()):
        with pytest.raises(NotFound) as told, resume(target_url, rig.Notes(), run_id):
            pass
        assert told.value.code == "migration_run_not_found"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP TABLE notes CASCADE", "there is no table public.notes"),
        ("ALTER TABLE notes DROP COLUMN title", "has no column title"),
        ("ALTER TABLE notes DROP CONSTRAINT notes_pkey CASCADE", "it is missing"),
    ],
)
def test_a_table_that_does_not_fit_is_told(target_url: str, user: Connection, statement: str, told: str) -> None:
    user.execute(statement.encode())
    with pytest.raises(InvalidInput, match=told):
        read_source(user, rig.Notes())


def test_no_password_in_what_goes_wrong(tmp_path: Path) -> None:
    with pytest.raises(StackError) as told:
        connect("postgresql://somebody:s3cret@127.0.0.1:1/nothing")
    assert "s3cret" not in str(told.value)
    with (
        pytest.raises(ConfigurationError),
        begin("sqlite:///x", rig.Notes(), plan_hash="", options=rig.QUICK, folder=tmp_path),
    ):
        pass
