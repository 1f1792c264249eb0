"""Reads flip cohort by cohort, watched, and a breach takes them back by itself."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from maquette.errors import Conflict, StaleLease
from maquette.migrating import cutting_over, engine
from maquette.migrating.cutting_over import cut_over, switch
from maquette.migrating.definition import Invariant
from maquette.migrating.models import SCHEMA, Options, Phase, RunStatus
from maquette.migrating.source import Connection
from maquette.migrating.watching import Breached
from maquette.migrating.work import Work, begin, find_run
from tests.migrating import life, rig

UP_TO_CUT_OVER = life.DATABASE[:-1]


@pytest.fixture
def work(target_url: str, user: Connection) -> Iterator[Work]:
    """Two hundred notes, brought over and validated; all reads are old."""
    rig.fill(user, 200)
    with rig.held(target_url) as work:
        life.carry_out(work, UP_TO_CUT_OVER)
        yield work


def test_cohorts_grow_and_a_row_that_reads_new_stays_so(
    work: Work, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, bool]] = [life.shapes(user)]
    monkeypatch.setattr(cutting_over, "crash_point", lambda name: seen.append(life.shapes(user)))
    report = cut_over(work)
    counts = [sum(shapes.values()) for shapes in seen]
    assert counts[0] == 0
    assert 0 <= counts[1] <= 10
    assert 5 <= counts[2] <= 45
    assert counts[3] == 200
    for before, after in itertools.pairwise(seen):
        assert all(after[key] for key, is_new in before.items() if is_new)
    assert report.detail["percent"] == 100
    cohorts = report.detail["cohorts"]
    assert isinstance(cohorts, list)
    assert [cohort["percent"] for cohort in cohorts if isinstance(cohort, dict)] == [1, 10, 100]


def test_nothing_flips_while_a_row_is_missing(work: Work, user: Connection) -> None:
    with user.transaction():
        user.execute("SELECT set_config('maquette_migrating.applying', 'notes_v2', true)")
        user.execute("DELETE FROM notes_v2_new WHERE id = (SELECT id FROM notes_v2_new LIMIT 1)")
    with pytest.raises(Conflict, match="reads were not switched") as refused:
        engine.carry_out(work, Phase.CUT_OVER)
    assert refused.value.code == "migration_incomplete"
    assert work.run.status == RunStatus.FAILED
    assert work.run.error is not None
    assert not any(life.shapes(user).values())


def test_nothing_flips_while_an_invariant_is_broken(work: Work, user: Connection) -> None:
    work.migration.invariants = (Invariant("no notes", "SELECT count(*) FROM {current}"),)  # type: ignore[misc]
    with pytest.raises(Conflict, match="200 rows break it"):
        cut_over(work)
    assert not any(life.shapes(user).values())


def test_after_a_kill_it_goes_on_with_the_cohort_that_was_reached(
    target_url: str, user: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.fill(user, 50)
    with begin(target_url, rig.Notes(), plan_hash="approved", options=rig.QUICK, folder=tmp_path) as work:
        life.carry_out(work, UP_TO_CUT_OVER)
        life.kill_at(monkeypatch, "migrating-mid-cut-over", module="cutting_over", after=2)
        life.killed(lambda: engine.carry_out(work, Phase.CUT_OVER))
    monkeypatch.undo()
    assert find_run(user, "notes_v2").percent == 10
    with rig.resumed(target_url) as work:
        report = engine.carry_out(work, Phase.CUT_OVER)
        assert work.run.status == RunStatus.SOAKING
        assert work.run.cut_over_at is not None
    cohorts = report.detail["cohorts"]
    assert isinstance(cohorts, list)
    assert [(each["percent"], each["flip_ms"] != 0) for each in cohorts if isinstance(each, dict)] == [
        (10, False),
        (100, True),
    ]
    assert life.all_new(user)


def test_a_kill_between_the_report_and_the_soak_is_made_good(work: Work) -> None:
    report = cut_over(work)
    work.leave(report)
    assert work.run.status == RunStatus.RUNNING
    engine.carry_out(work, Phase.CUT_OVER)
    assert work.run.status == RunStatus.SOAKING


def test_writes_are_followed_while_a_cohort_is_watched(target_url: str, user: Connection) -> None:
    rig.fill(user, 20)
    first, second, *_ = life.keys(user)
    options = rig.QUICK.model_copy(update={"cohorts": (100,), "watch_s": 30.0})
    with rig.held(target_url, options=options) as work:
        life.carry_out(work, UP_TO_CUT_OVER)
        switch(work, 100, seen=0)
        stop = threading.Event()
        watching = threading.Thread(target=cutting_over.watch, args=[work], kwargs={"for_s": 30, "stop": stop})
        watching.start()
        try:
            rig.edit(user, first, {"lines": ["old", "side"]})
            rig.edit_new(user, second, "new\nside")
            assert life.eventually(lambda: rig.new(user)[str(first)] == life.text(["old", "side"]))
            assert life.eventually(lambda: rig.old(user)[str(second)] == {"lines": ["new", "side"]})
        finally:
            stop.set()
            watching.join(10)
        assert not watching.is_alive()


def test_failing_requests_take_the_reads_back_by_themselves(target_url: str, user: Connection) -> None:
    rig.fill(user, 50)
    options = rig.QUICK.model_copy(update={"cohorts": (10, 100), "watch_s": 60.0, "window_s": 60.0})
    with rig.held(target_url, options=options) as work:
        life.carry_out(work, UP_TO_CUT_OVER)
        before = rig.contents(user)
        done: list[object] = []
        running = threading.Thread(target=lambda: done.append(engine.carry_out(work, Phase.CUT_OVER)))
        running.start()
        try:
            assert life.eventually(lambda: find_run(user, "notes_v2").percent == 10)
            for _ in range(40):
                user.execute("SELECT maquette_migrating.observe('notes_v2', false, 12)")
        finally:
            running.join(30)
        assert not running.is_alive()
        (report,) = done
        assert "of 40 requests (application) failed" in str(report)
        assert work.run.status == RunStatus.ROLLED_BACK
        assert work.run.error is not None
        assert work.run.error.startswith("error rate: 40 of 40")
    assert rig.contents(user) == before
    assert life.scaffold(user) == []


def test_an_invariant_that_breaks_takes_the_reads_back_at_once(work: Work, user: Connection) -> None:
    rule = "SELECT count(*) FROM {current} WHERE is_new"
    work.migration.invariants = (Invariant("nobody reads new", rule),)  # type: ignore[misc]  # of this one object
    report = engine.carry_out(work, Phase.CUT_OVER)
    assert "nobody reads new does not hold" in str(report.detail["breach"])
    assert work.run.status == RunStatus.ROLLED_BACK
    assert life.scaffold(user) == []
    skipped = engine.carry_out(work, Phase.CUT_OVER)
    assert skipped.detail == report.detail
    assert work.run.status == RunStatus.ROLLED_BACK


def test_a_flag_that_somebody_took_back_is_not_set_again(work: Work, user: Connection) -> None:
    switch(work, 10, seen=0)
    user.execute(f"UPDATE {SCHEMA}.flags SET percent = 0".encode())
    with pytest.raises(Breached, match="somebody took the reads back"):
        switch(work, 100, seen=10)
    assert find_run(user, "notes_v2").percent == 0


def test_a_runner_that_was_taken_over_flips_nothing(target_url: str, work: Work, user: Connection) -> None:
    user.execute(f"UPDATE {SCHEMA}.runs SET epoch = epoch + 1".encode())
    with pytest.raises(StaleLease):
        engine.carry_out(work, Phase.CUT_OVER)
    run = find_run(user, "notes_v2")
    assert (run.percent, run.status, run.error) == (0, RunStatus.RUNNING, None)


@pytest.mark.parametrize("cohorts", [(), (0, 100), (1, 10), (10, 1, 100), (100, 100), (50, 101)])
def test_cohorts_that_do_not_end_with_all_are_refused(cohorts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="end with 100"):
        Options(cohorts=cohorts)
