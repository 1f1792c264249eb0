"""The use cases, as the command line and the flows call them."""

import threading
from pathlib import Path

import pytest

from maquette.error_texts import TEXTS
from maquette.errors import Conflict, NotFound
from maquette.migrating import engine
from maquette.migrating.models import SCHEMA, Duplicates, Options, Phase, PhaseReport, RunStatus
from maquette.migrating.service import Migrations
from maquette.migrating.source import Connection
from tests.migrating import life, rig


@pytest.fixture
def use(target_url: str, tmp_path: Path) -> Migrations:
    return Migrations(target_url, rig.Notes(), home=tmp_path / "home")


def run(use: Migrations, options: Options = rig.QUICK) -> None:
    with use.begin(use.plan(options).hash, options) as work:
        life.carry_out(work)


def test_the_whole_life_from_the_plan_to_the_contract(use: Migrations, user: Connection, tmp_path: Path) -> None:
    rig.fill(user, 50)
    older = rig.add(user, {"lines": ["older", "only here"]}, owner=rig.SOMEBODY, title="twice", updated_at="2024-01-01")
    rig.add(user, {"lines": ["newer"]}, owner=rig.SOMEBODY, title="twice", updated_at="2025-01-01")
    bad = rig.add(user, {"bad": True}, title="bad")
    plan = use.plan(rig.QUICK)
    told: list[PhaseReport] = []
    with use.begin(plan.hash, rig.QUICK) as work:
        result = use.run_to_end(work, told.append)
    assert [report.phase for report in told] == list(engine.PHASES)
    assert result.status == RunStatus.SOAKING
    assert (result.rows_migrated, result.archived, result.quarantined, result.pending) == (51, 1, 1, 0)
    assert (result.percent, result.error) == (100, None)
    assert result.longest_lock_ms > 0
    assert result.seconds == pytest.approx(sum(report.seconds for report in told))
    assert use.status() == result

    (set_aside,) = use.quarantine()
    assert (set_aside.key, "a bad note" in set_aside.reason) == (str(bad), True)
    (archived,) = use.archive()
    assert (archived.key, archived.reason, archived.lacking) == (str(older), "duplicate", ["older", "only here"])

    verified = use.verify_backup()
    assert verified.rows["public.notes"] == 53

    contract = use.contract_plan()
    ended = use.contract(contract.hash)
    assert ended.status == RunStatus.COMPLETED
    assert (ended.rows_migrated, ended.archived, ended.quarantined, ended.percent) == (51, 1, 1, 100)
    assert ended.phases[-1].phase == Phase.CONTRACT
    assert use.status() == ended

    report = use.gather()
    assert report.plan is not None
    assert (report.plan.hash, report.plan.rows) == (plan.hash, 53)
    path = use.write_report(report)
    assert path == tmp_path / "home" / "migrations" / str(ended.run_id) / "report.html"
    assert "notes_v2" in path.read_text("utf-8")
    with pytest.raises(Conflict) as over, use.resume():
        pass
    assert over.value.code == "migration_ended"


def test_a_run_begins_only_with_the_plan_that_was_approved(use: Migrations, user: Connection) -> None:
    rig.fill(user, 5)
    plan = use.plan(rig.QUICK)
    with pytest.raises(Conflict) as changed, use.begin(plan.hash, Options()):
        pass
    assert changed.value.code == "plan_changed"
    assert plan.hash in str(changed.value)
    assert use.plan(Options()).hash in str(changed.value)
    rig.fill(user, 1)
    with use.begin(plan.hash, rig.QUICK):
        pass
    with pytest.raises(Conflict) as still_open, use.begin(plan.hash, rig.QUICK):
        pass
    assert still_open.value.code in {"migration_open", "migration_refused"}


def test_without_a_run_there_is_nothing_to_tell(use: Migrations) -> None:
    for ask in (use.status, use.contract_plan, use.roll_back, use.verify_backup, use.follow, use.gather):
        with pytest.raises(NotFound) as missing:
            ask()
        assert missing.value.code == "migration_run_not_found"


def test_status_tells_where_a_run_stands_while_another_works(use: Migrations, user: Connection) -> None:
    rig.fill(user, 30)
    with use.begin(use.plan(rig.QUICK).hash, rig.QUICK) as work:
        assert use.status().phases == []
        life.carry_out(work, life.DATABASE[:4])
        rig.edit(user, life.keys(user)[0], {"lines": ["edited"]})
        seen = use.status(work.run.id)
    assert (seen.status, seen.phase, seen.rows_migrated, seen.pending) == (RunStatus.RUNNING, Phase.BACKFILL, 30, 1)
    assert [report.phase for report in seen.phases] == list(life.DATABASE[:4])


def test_the_follower_keeps_both_shapes_together_until_it_is_stopped(use: Migrations, user: Connection) -> None:
    rig.fill(user, 10)
    run(use)
    first, second, *_ = life.keys(user)
    rig.edit(user, first, {"lines": ["before"]})
    use.follow()
    assert rig.new(user)[str(first)] == life.text(["before"])
    stop = threading.Event()
    follower = threading.Thread(target=use.follow, kwargs={"for_s": 60.0, "stop": stop})
    follower.start()
    try:
        rig.edit_new(user, second, "meanwhile")
        assert life.eventually(lambda: rig.old(user)[str(second)] == {"lines": ["meanwhile"]})
    finally:
        stop.set()
        follower.join(20)
    assert not follower.is_alive()
    assert use.status().pending == 0


def test_a_breach_while_it_soaks_rolls_back(use: Migrations, user: Connection) -> None:
    rig.fill(user, 10)
    before = rig.contents(user)
    run(use)
    for _ in range(30):
        user.execute("SELECT maquette_migrating.observe('notes_v2', true, 9000)")
    use.follow(for_s=60.0)
    result = use.status()
    assert result.status == RunStatus.ROLLED_BACK
    assert result.error is not None
    assert "95th percentile" in result.error
    assert rig.contents(user) == before


@pytest.mark.parametrize("end", ["contract", "roll_back"])
def test_a_follower_makes_way_for_the_contract_and_for_the_way_back(
    use: Migrations, user: Connection, end: str
) -> None:
    rig.fill(user, 10)
    first, *_ = life.keys(user)
    run(use)
    follower = threading.Thread(target=use.follow, kwargs={"for_s": 60.0})
    follower.start()
    try:
        rig.edit(user, first, {"lines": ["while it soaks"]})
        assert life.eventually(lambda: rig.new(user)[str(first)] == life.text(["while it soaks"]))
        result = use.contract(use.contract_plan().hash) if end == "contract" else use.roll_back()
    finally:
        follower.join(20)
    assert not follower.is_alive()
    assert result.status == (RunStatus.COMPLETED if end == "contract" else RunStatus.ROLLED_BACK)


def test_rolling_back_flips_at_once_even_when_the_holder_does_not_let_go(use: Migrations, user: Connection) -> None:
    rig.fill(user, 10)
    before = rig.contents(user)
    run(use)
    with use.resume() as stuck:
        with pytest.raises(Conflict) as busy:
            use.roll_back(wait_s=0.2)
        assert busy.value.code == "busy"
        result = use.status()
        assert (result.status, result.percent) == (RunStatus.ROLLING_BACK, 0)
        assert stuck.run.epoch < use_epoch(user)
    assert use.roll_back().status == RunStatus.ROLLED_BACK
    assert rig.contents(user) == before


def use_epoch(user: Connection) -> int:
    found = user.execute(f"SELECT max(epoch) FROM {SCHEMA}.runs".encode()).fetchone()
    assert found is not None
    return int(found[0])


def test_the_policy_for_duplicates_may_be_changed_at_the_rollback(use: Migrations, user: Connection) -> None:
    for year in (2024, 2025):
        rig.add(user, owner=rig.SOMEBODY, title="twice", updated_at=f"{year}-01-01")
    before = rig.contents(user)
    run(use)
    assert len(rig.contents(user)) == 1
    result = use.roll_back(duplicates=Duplicates.RESTORE)
    assert (result.archived, result.rows_migrated, result.percent) == (0, 0, 0)
    assert rig.contents(user) == before
    with pytest.raises(Conflict) as twice:
        use.roll_back(run_id=result.run_id)
    assert twice.value.code == "migration_ended"


def test_after_a_rollback_the_migration_may_run_again(use: Migrations, user: Connection) -> None:
    rig.fill(user, 10)
    run(use)
    use.roll_back()
    run(use)
    result = use.status()
    assert (result.status, result.rows_migrated, result.percent) == (RunStatus.SOAKING, 10, 100)


@pytest.mark.parametrize(
    "code",
    ["plan_changed", "migration_open", "migration_refused", "migration_not_soaked", "migration_contracted",
     "migration_ended", "migration_breached", "migration_incomplete", "migration_not_found",
     "migration_run_not_found", "busy"],
)  # fmt: skip
def test_every_error_of_a_migration_has_its_words_for_users(code: str) -> None:
    assert {*TEXTS[code]} == {"fr", "en", "es"}
