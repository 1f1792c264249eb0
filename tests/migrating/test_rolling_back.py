"""The way back keeps every write made since, whichever shape it had, and whoever holds the run."""

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from maquette.errors import Conflict, StaleLease
from maquette.migrating import ddl, engine, rolling_back
from maquette.migrating.models import SCHEMA, Duplicates, Options, Phase, RunStatus
from maquette.migrating.rolling_back import flip, roll_back, seize
from maquette.migrating.source import Connection
from maquette.migrating.work import Work, begin, find_run
from tests.migrating import life, rig

OWNER = UUID("00000000-0000-4000-8000-0000000000aa")


@pytest.fixture
def soaking(target_url: str, user: Connection) -> Iterator[Work]:
    """Forty notes and two duplicates, all read in the new shape."""
    rig.fill(user, 40)
    rig.add(user, {"lines": ["older"]}, owner=OWNER, title="twice", updated_at="2024-01-01", tags=["a", "b"])
    rig.add(user, {"lines": ["newer"]}, owner=OWNER, title="twice", updated_at="2025-01-01", tags=["b"])
    with rig.held(target_url) as work:
        life.carry_out(work)
        assert work.run.status == RunStatus.SOAKING
        yield work


def write_both_sides(user: Connection) -> dict[str, object]:
    """Edits, new rows and deletions in both shapes; the bodies that the old table must have in the end."""
    first, second, third, fourth, *_ = life.keys(user)
    rig.edit(user, first, {"lines": ["old shape"]})
    rig.edit_new(user, second, "new\nshape")
    user.execute("DELETE FROM notes WHERE id = %s", [third])
    user.execute("DELETE FROM notes_v2_current WHERE id = %s", [fourth])
    added = rig.add(user, {"lines": ["added old"]}, title="added old")
    added_new = uuid4()
    user.execute(
        "INSERT INTO notes_v2_current (id, owner, body, title) VALUES (%s, %s, %s, 'added new')",
        [added_new, OWNER, '{"kind": "note", "text": "added\\nnew"}'],
    )
    return {
        str(first): {"lines": ["old shape"]},
        str(second): {"lines": ["new", "shape"]},
        str(third): None,
        str(fourth): None,
        str(added): {"lines": ["added old"]},
        str(added_new): {"kind": "note", "text": "added\nnew"},
    }


def said(before: dict[str, object], written: dict[str, object]) -> dict[str, object]:
    """What the notes must say in the end."""
    return {key: life.said(body) for key, body in {**before, **written}.items() if body is not None}


def now_said(user: Connection) -> dict[str, object]:
    return said(rig.old(user), {})


def test_the_old_table_is_what_it_was_and_all_writes_since(soaking: Work, user: Connection) -> None:
    before = rig.old(user)
    written = write_both_sides(user)
    seen = rig.current(user)
    report = roll_back(soaking)
    assert now_said(user) == said(before, written)
    assert seen.keys() == rig.old(user).keys()
    assert life.scaffold(user) == []
    assert soaking.run.status == RunStatus.ROLLED_BACK
    assert soaking.run.ended_at is not None
    assert 0 < float(str(report.detail["flip_ms"])) < 5000
    assert report.rows >= 2
    assert user.execute("SELECT 1 FROM pg_constraint WHERE conname = 'one_note_by_title'").fetchone() is None
    # Nobody's triggers fired for what the engine wrote: these versions are the user's edits alone.
    assert user.execute("SELECT count(*) FROM note_versions WHERE created_by <> %s", [rig.SOMEBODY]).fetchone() == (0,)


def test_duplicates_stay_in_the_archive_or_come_back_as_the_policy_says(target_url: str, user: Connection) -> None:
    older = rig.add(user, {"lines": ["older"]}, owner=OWNER, title="twice", updated_at="2024-01-01", tags=["a", "b"])
    rig.add(user, {"lines": ["newer"]}, owner=OWNER, title="twice", updated_at="2025-01-01", tags=["b"])
    before, tags = rig.contents(user), rig.contents(user, "note_tags")
    for policy, back in ((Duplicates.KEEP_ARCHIVED, False), (Duplicates.RESTORE, True)):
        with rig.held(target_url, options=rig.QUICK.model_copy(update={"on_rollback": policy})) as work:
            life.carry_out(work)
            assert len(rig.old(user)) == 1
            report = roll_back(work)
            run_id = work.run.id
        kept = user.execute(f"SELECT key, restored_at IS NOT NULL FROM {SCHEMA}.archive WHERE run_id = %s", [run_id])
        assert kept.fetchall() == [(str(older), back)]
        if back:
            assert report.detail["deduplicate"] == {"restored": 1}
            assert (rig.contents(user), rig.contents(user, "note_tags")) == (before, tags)
        else:
            assert len(rig.contents(user)) == 1
            user.execute("DELETE FROM notes")
            rig.add(user, {"lines": ["older"]}, owner=OWNER, title="twice", updated_at="2024-01-01", key=older)
            rig.add(user, {"lines": ["newer"]}, owner=OWNER, title="twice", updated_at="2025-01-01")
            user.execute("INSERT INTO note_tags (note_id, tag) VALUES (%s, 'a')", [older])
            before, tags = rig.contents(user), rig.contents(user, "note_tags")


@pytest.mark.parametrize("upto", range(len(life.DATABASE)))
def test_a_rollback_is_possible_after_every_phase(target_url: str, user: Connection, upto: int) -> None:
    rig.fill(user, 10)
    before = rig.contents(user)
    with rig.held(target_url) as work:
        life.carry_out(work, life.DATABASE[:upto])
        roll_back(work, reason="somebody changed their mind")
        assert work.run.error == "somebody changed their mind"
    assert rig.contents(user) == before
    assert life.scaffold(user) == []
    assert find_run(user, "notes_v2").percent == 0


def test_a_killed_rollback_goes_on_when_the_run_is_resumed(
    target_url: str, user: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.fill(user, 12)
    with begin(target_url, rig.Notes(), plan_hash="approved", options=rig.QUICK, folder=tmp_path) as work:
        life.carry_out(work)
        before = rig.old(user)
        written = write_both_sides(user)
        life.kill_at(monkeypatch, "migrating-mid-rollback", module="rolling_back")
        life.killed(lambda: roll_back(work, reason="it was slow"))
    monkeypatch.undo()
    run = find_run(user, "notes_v2")
    assert (run.status, run.percent, run.phase) == (RunStatus.ROLLING_BACK, 0, Phase.ROLL_BACK)
    late, *_ = [UUID(key) for key, body in written.items() if body is not None]
    rig.edit_new(user, late, "written between the two")
    with rig.resumed(target_url) as work:
        engine.carry_out(work, Phase.BACKFILL)
        assert (work.run.status, work.run.error) == (RunStatus.ROLLED_BACK, "it was slow")
    assert now_said(user) == said(before, written | {str(late): {"lines": ["written between the two"]}})
    assert life.scaffold(user) == []


def test_a_write_that_arrives_at_the_last_moment_is_kept(
    soaking: Work, user: Connection, target_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer holds its row while the tables are asked for, and commits only then."""
    (note, *_) = life.keys(user)
    locked = ddl.under_short_lock
    with rig.connected(target_url) as writer:

        def write_first(*args: object, **kwargs: object) -> object:
            rig.edit_new(writer, note, "at the last moment")
            return locked(*args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(rolling_back, "under_short_lock", write_first)
        roll_back(soaking)
    assert now_said(user)[str(note)] == "at the last moment"


def test_writers_go_on_during_the_way_back_and_lose_nothing(soaking: Work, user: Connection, target_url: str) -> None:
    keys = life.keys(user)
    stop, wrote = threading.Event(), dict[str, object]()

    def write() -> None:
        with rig.connected(target_url) as writer:
            for count in range(100_000):
                if stop.is_set():
                    return
                note = keys[count % len(keys)]
                try:
                    rig.edit_new(writer, note, f"text {count}")
                except Exception:  # the view is gone: the application is back at the old shape
                    rig.edit(writer, note, {"lines": [f"text {count}"]})
                wrote[str(note)] = f"text {count}"

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert life.eventually(lambda: len(wrote) > 5)
        roll_back(soaking)
        count = len(wrote)
        assert life.eventually(lambda: len(wrote) > count or len(wrote) == len(keys))
    finally:
        stop.set()
        writer.join(20)
    assert now_said(user).items() >= wrote.items()


def test_a_document_without_an_old_shape_goes_to_the_archive_whole(soaking: Work, user: Connection) -> None:
    note, *_ = life.keys(user)
    before = rig.old(user)[str(note)]
    user.execute('UPDATE notes_v2_current SET body = \'{"kind": "note", "text": 7.50}\' WHERE id = %s', [note])
    report = roll_back(soaking)
    assert report.detail["expand"] == {"not_invertible": 1}
    assert rig.old(user)[str(note)] == before
    found = user.execute(
        f"SELECT key, row -> 'body' ->> 'text', hash = encode(sha256(convert_to(row::text, 'UTF8')), 'hex') "
        f"FROM {SCHEMA}.archive WHERE run_id = %s AND reason = 'not_invertible'",
        [soaking.run.id],
    )
    assert found.fetchall() == [(str(note), "7.50", True)]


def test_a_flip_takes_no_notice_of_what_is_pending(soaking: Work, user: Connection) -> None:
    user.execute("SELECT set_config('app.user', %s, false)", [str(rig.SOMEBODY)])
    user.execute("UPDATE notes_v2_current SET body = jsonb_set(body, '{text}', '\"all of them\"')")
    assert flip(soaking) < 5000
    assert find_run(user, "notes_v2").percent == 0
    # The freshest write wins, whatever the flag says: nobody may read a write away.
    assert {body["text"] for body in rig.current(user).values()} == {"all of them"}


def test_the_run_is_seized_from_a_process_that_holds_it(soaking: Work, user: Connection, target_url: str) -> None:
    note, *_ = life.keys(user)
    rig.edit_new(user, note, "not followed yet")
    with rig.connected(target_url) as operator:
        assert 0 < seize(operator, soaking.run.id, policy=Duplicates.RESTORE) < 5000
    run = find_run(user, "notes_v2")
    assert (run.percent, run.status) == (0, RunStatus.ROLLING_BACK)
    assert run.options.on_rollback == Duplicates.RESTORE
    with pytest.raises(StaleLease):
        engine.carry_out(soaking, Phase.CUT_OVER)


def test_reads_flip_even_while_the_holder_stands_still_in_a_transaction(
    soaking: Work, user: Connection, target_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling_back, "_SEIZE_S", 0.6)
    with rig.connected(target_url) as operator, soaking.transaction():
        with pytest.raises(Conflict, match="reads are old again") as stuck:
            seize(operator, soaking.run.id)
        assert stuck.value.code == "busy"
        assert find_run(operator, "notes_v2").percent == 0
    assert find_run(user, "notes_v2").status == RunStatus.SOAKING


def test_there_is_no_way_back_twice_or_from_the_contract(soaking: Work, user: Connection) -> None:
    with soaking.transaction():
        soaking.set_status(RunStatus.CONTRACTING)
    for back in (lambda: roll_back(soaking), lambda: seize(user, soaking.run.id)):
        with pytest.raises(Conflict) as refused:
            back()
        assert refused.value.code == "migration_contracted"
    assert find_run(user, "notes_v2").percent == 100
    soaking.set_status(RunStatus.SOAKING)
    roll_back(soaking)
    with pytest.raises(Conflict) as again:
        roll_back(soaking)
    assert again.value.code == "migration_ended"


def test_the_undo_of_the_migrations_own_statements_runs(target_url: str, user: Connection) -> None:
    class WithView(rig.Notes):
        before = ("CREATE OR REPLACE VIEW note_titles AS SELECT id, title, is_new FROM notes_v2_current",)
        undo = ("DROP VIEW IF EXISTS note_titles",)

    rig.fill(user, 3)
    with rig.held(target_url, WithView(), Options(watch_s=0, rehearse=False)) as work:
        life.carry_out(work)
        assert user.execute("SELECT count(*) FROM note_titles WHERE is_new").fetchone() == (3,)
        roll_back(work)
    assert user.execute("SELECT to_regclass('note_titles')").fetchone() == (None,)
    assert life.scaffold(user) == []
