"""Phases are carried out once, go on after a kill at any of their points, and record why they fail."""

from pathlib import Path

import pytest

from maquette.errors import Conflict, StackError, StaleLease
from maquette.migrating import contracting, engine
from maquette.migrating.definition import Row
from maquette.migrating.models import SCHEMA, Phase, RunStatus
from maquette.migrating.rolling_back import roll_back
from maquette.migrating.source import Connection
from maquette.migrating.work import Work, begin, find_run, resume
from tests.migrating import life, rig

KILLS = [
    ("migrating-after-expand", "expanding"),
    ("migrating-mid-deduplicate", "duplicates"),
    ("migrating-after-index", "constraints"),
    ("migrating-mid-backfill", "backfill"),
    ("migrating-mid-validate", "validating"),
    ("migrating-mid-cut-over", "cutting_over"),
    ("migrating-mid-contract", "contracting"),
]


def notes(user: Connection) -> None:
    rig.fill(user, 60)
    for number in range(3):
        for year in (2023, 2024, 2025):
            rig.add(user, {"lines": [f"{number} of {year}"]}, owner=rig.SOMEBODY, title=f"twice {number}",
                    updated_at=f"{year}-01-01", tags=[str(year)])  # fmt: skip
    rig.add(user, {"bad": 1}, title="bad")


def whole_life(work: Work) -> None:
    life.carry_out(work)
    if work.run.status != RunStatus.COMPLETED:
        contracting.contract(work, approve=contracting.contract_plan(work).hash)


@pytest.mark.parametrize(("point", "module"), KILLS)
def test_a_kill_at_any_point_leads_to_the_same_end(
    target_url: str, user: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, module: str
) -> None:
    notes(user)
    bodies = {life.said(body) if "bad" not in body else "bad" for body in rig.old(user).values()}
    gone = {f"{number} of {year}" for number in range(3) for year in (2023, 2024)}
    with begin(target_url, rig.Notes(), plan_hash="approved", options=rig.QUICK, folder=tmp_path) as work:
        life.kill_at(monkeypatch, point, module=module)
        life.killed(lambda: whole_life(work))
    monkeypatch.undo()
    with rig.resumed(target_url) as work:
        whole_life(work)
        assert work.run.status == RunStatus.COMPLETED
        run_id = work.run.id
    after = rig.old(user)
    assert {life.said(body) if "bad" not in body else "bad" for body in after.values()} == bodies - gone
    assert sum(rig.is_new(body) for body in after.values()) == len(after) - 1 == 63
    archived = user.execute(f"SELECT row -> 'body' FROM {SCHEMA}.archive WHERE run_id = %s", [run_id]).fetchall()
    assert {life.said(body) for (body,) in archived} == gone
    assert len(archived) == 6
    assert user.execute("SELECT count(*) FROM note_tags").fetchone() == (9,)
    assert user.execute("SELECT count(*) FROM note_versions").fetchone() == (0,)


def test_what_has_ended_is_found_and_not_done_again(target_url: str, user: Connection) -> None:
    rig.fill(user, 20)
    with rig.held(target_url) as work:
        first = [engine.carry_out(work, phase) for phase in life.DATABASE]
        soak = work.run.cut_over_at
        rig.edit(user, life.keys(user)[0], {"lines": ["while it soaks"]})
        again = [engine.carry_out(work, phase) for phase in life.DATABASE]
        assert again == first
        assert (work.run.status, work.run.cut_over_at) == (RunStatus.SOAKING, soak)
        assert all(report.seconds > 0 for report in first)
        assert [report.phase for report in first] == list(life.DATABASE)


class Failing(rig.Notes):
    """The database refuses its own statement until the table that it reads is there."""

    before = ("CREATE OR REPLACE VIEW note_sizes AS SELECT * FROM not_there_yet",)
    undo = ("DROP VIEW IF EXISTS note_sizes",)


def test_a_failure_is_recorded_with_what_to_do_and_resumed(target_url: str, user: Connection) -> None:
    rig.fill(user, 5)
    with rig.held(target_url, Failing()) as work:
        with pytest.raises(StackError, match="refused during expand") as failed:
            life.carry_out(work)
        assert "migrate resume" in str(failed.value)
        assert (work.run.status, work.run.phase) == (RunStatus.FAILED, Phase.EXPAND)
        assert work.run.error == str(failed.value)
        assert life.scaffold(user) == []
    user.execute("CREATE TABLE not_there_yet ()")
    with rig.resumed(target_url, Failing()) as work:
        life.carry_out(work)
        assert (work.run.status, work.run.error) == (RunStatus.SOAKING, None)


def test_two_runners_do_not_overlap_and_the_fenced_one_writes_nothing(
    target_url: str, user: Connection, tmp_path: Path
) -> None:
    rig.fill(user, 30)
    with begin(target_url, rig.Notes(), plan_hash="approved", options=rig.QUICK, folder=tmp_path) as first:
        with pytest.raises(Conflict) as busy, resume(target_url, rig.Notes()):
            pass
        assert busy.value.code == "busy"
        engine.carry_out(first, Phase.EXPAND)
        # As after a network that broke: the lock is gone, and the first runner does not know.
        user.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'maquette migration turn' AND datname = current_database()"
        )
        assert life.eventually(lambda: not turn_is_held(user))
        with rig.resumed(target_url) as second:
            for phase in (Phase.BACKFILL, Phase.EXPAND):
                with pytest.raises(StaleLease):
                    engine.carry_out(first, phase)
            with pytest.raises(StaleLease):
                roll_back(first)
            run = find_run(user, "notes_v2")
            assert (run.status, run.error, run.percent) == (RunStatus.RUNNING, None, 0)
            life.carry_out(second)
    assert find_run(user, "notes_v2").status == RunStatus.SOAKING


def turn_is_held(user: Connection) -> bool:
    found = user.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ).fetchone()
    return found != (0,)


def test_an_error_of_the_migrations_own_code_stops_the_run_and_no_more(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.fill(user, 5)
    with rig.held(target_url) as work:
        engine.carry_out(work, Phase.EXPAND)

        def broken(held: Work) -> Row:
            raise KeyError("a defect")

        monkeypatch.setitem(engine.PHASES, Phase.BACKFILL, broken)
        with pytest.raises(KeyError):
            engine.carry_out(work, Phase.BACKFILL)
        assert (work.run.status, work.run.error) == (RunStatus.FAILED, "KeyError: 'a defect'")
        monkeypatch.undo()
        life.carry_out(work)
        assert work.run.status == RunStatus.SOAKING


def test_every_phase_that_changes_the_database_has_its_way_back() -> None:
    """Backfill, validation and cut-over go with the table that expand's undo drops, and with the flip."""
    assert list(engine.PHASES) == [Phase.BACKUP, Phase.REHEARSE, *life.DATABASE]
    undone = list(engine.UNDO)
    assert undone == [phase for phase in reversed(list(engine.PHASES)) if phase in engine.UNDO]
    assert {*undone} == {Phase.EXPAND, Phase.DEDUPLICATE, Phase.UNIQUE}
