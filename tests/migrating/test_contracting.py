"""The contract: documents take their old place, and readers of the view see the new shape all the while."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from maquette.errors import Conflict
from maquette.migrating import contracting, engine, moving
from maquette.migrating.contracting import contract, contract_plan
from maquette.migrating.models import SCHEMA, Phase, RunStatus
from maquette.migrating.source import Connection
from maquette.migrating.work import Work, begin, find_run
from tests.migrating import life, rig


@pytest.fixture
def soaking(target_url: str, user: Connection) -> Iterator[Work]:
    """Sixty notes, all read in the new shape, and one in quarantine."""
    rig.fill(user, 60)
    rig.add(user, {"bad": 1}, title="bad")
    with rig.held(target_url) as work:
        life.carry_out(work)
        yield work


def approved(work: Work) -> str:
    return contract_plan(work).hash


def bad_note(user: Connection) -> str:
    found = user.execute("SELECT id::text FROM notes WHERE body ? 'bad'").fetchone()
    assert found is not None
    return str(found[0])


def untouched(user: Connection) -> Sequence[object]:
    return user.execute("SELECT id, owner, title, updated_at FROM notes ORDER BY id").fetchall()


def test_the_documents_move_and_all_else_stays(soaking: Work, user: Connection) -> None:
    seen, others, bad = rig.current(user), untouched(user), bad_note(user)
    tags, versions = rig.contents(user, "note_tags"), rig.contents(user, "note_versions")
    report = contract(soaking, approve=approved(soaking))
    assert report.rows == 60
    assert report.detail["left_old"] == [bad]
    assert rig.old(user) == seen
    assert sum(rig.is_new(body) for body in rig.old(user).values()) == 60
    assert rig.old(user)[bad] == {"bad": 1}
    assert untouched(user) == others
    assert (rig.contents(user, "note_tags"), rig.contents(user, "note_versions")) == (tags, versions)
    assert soaking.run.status == RunStatus.COMPLETED
    assert life.scaffold(user) == ["notes_v2_current"]
    assert user.execute("SELECT 1 FROM pg_constraint WHERE conname = 'one_note_by_title'").fetchone() == (1,)


def test_applications_that_read_the_view_go_on(soaking: Work, user: Connection) -> None:
    bad = bad_note(user)
    user.execute("CREATE VIEW notes_titles AS SELECT id, title, is_new FROM notes_v2_current")
    contract(soaking, approve=approved(soaking))
    assert {key: is_new for key, is_new in life.shapes(user).items() if not is_new} == {bad: False}
    note, *_ = [key for key in life.keys(user) if str(key) != bad]
    rig.edit_new(user, note, "written after the contract")
    assert rig.old(user)[str(note)]["text"] == "written after the contract"
    user.execute("DELETE FROM notes_v2_current WHERE id = %s", [note])
    assert user.execute("SELECT count(*) FROM notes_titles").fetchone() == (60,)


def test_it_needs_the_soak_all_reads_and_the_right_hash(soaking: Work, user: Connection) -> None:
    with pytest.raises(Conflict) as wrong:
        contract(soaking, approve="another")
    assert wrong.value.code == "plan_changed"
    assert approved(soaking) in str(wrong.value)

    soaking.run.options = soaking.options.model_copy(update={"soak_s": 3600})
    plan = contract_plan(soaking)
    assert 3500 < plan.soak_left_s <= 3600
    assert plan.refusals == [f"the soak ends in {plan.soak_left_s:.0f} s"]
    with pytest.raises(Conflict, match="the soak ends in") as early:
        contract(soaking, approve=plan.hash)
    assert early.value.code == "migration_not_soaked"

    soaking.run.options = rig.QUICK
    user.execute(f"UPDATE {SCHEMA}.flags SET percent = 10".encode())
    with pytest.raises(Conflict, match="taken back meanwhile"):
        contract(soaking, approve=approved(soaking))
    assert find_run(user, "notes_v2").status == RunStatus.SOAKING
    assert not any(rig.is_new(body) for body in rig.old(user).values())


def test_it_is_not_for_runs_that_have_not_cut_over_or_have_ended(target_url: str, user: Connection) -> None:
    rig.fill(user, 3)
    with rig.held(target_url) as work:
        life.carry_out(work, life.DATABASE[:-1])
        with pytest.raises(Conflict, match="carry it out up to the cut-over first"):
            contract(work, approve="whatever")
        life.carry_out(work)
        report = contract(work, approve=approved(work))
        assert contract(work) == report
        with pytest.raises(Conflict) as ended:
            contract_plan(work)
        assert ended.value.code == "migration_ended"


def test_the_plan_tells_what_it_does_and_changes_nothing(soaking: Work, user: Connection) -> None:
    before = rig.contents(user)
    plan = contract_plan(soaking)
    assert (plan.rows, plan.left_old, plan.left_old_keys) == (60, 1, [bad_note(user)])
    assert plan.statements[0].sql.startswith('UPDATE "public"."notes" s SET "body" = n."body"')
    assert any(each.sql.startswith("CREATE OR REPLACE VIEW") for each in plan.statements)
    assert rig.contents(user) == before
    rig.add(user, title="one more")
    assert approved(soaking) == plan.hash


def test_a_killed_contract_goes_on_and_readers_never_see_the_old_shape(
    target_url: str, user: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.fill(user, 300)
    with begin(target_url, rig.Notes(), plan_hash="approved", options=rig.QUICK, folder=tmp_path) as work:
        life.carry_out(work)
        seen = rig.current(user)
        life.kill_at(monkeypatch, "migrating-mid-contract", module="contracting", after=2)
        plan = approved(work)
        life.killed(lambda: contract(work, approve=plan))
    monkeypatch.undo()
    moved = sum(rig.is_new(body) for body in rig.old(user).values())
    assert 0 < moved < 300
    assert rig.current(user) == seen
    assert life.all_new(user)
    assert find_run(user, "notes_v2").status == RunStatus.CONTRACTING
    with rig.resumed(target_url) as work:
        engine.carry_out(work, Phase.CUT_OVER)
        assert work.run.status == RunStatus.COMPLETED
        report = work.finished(Phase.CONTRACT)
        assert report is not None
        assert report.rows == 300
    assert rig.old(user) == seen


def test_writes_on_both_sides_while_documents_move_are_kept(
    soaking: Work, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write lands between every two batches: before its row was moved, or after."""
    keys = [key for key in life.keys(user) if str(key) != bad_note(user)]
    monkeypatch.setattr(moving, "CAUGHT_UP", 3)
    wrote: dict[UUID, dict[str, object]] = {}
    count = [0]

    def write(point: str) -> None:
        for note in (keys[2], keys[-3]):
            count[0] += 1
            rig.edit_new(user, note, f"new {count[0]}")
            wrote[note] = {"text": f"new {count[0]}"}
        user.execute("UPDATE notes SET title = title || '!' WHERE id = ANY(%s)", [[keys[1], keys[-1]]])
        if rig.is_new(rig.old(user)[str(keys[-2])]):
            return
        rig.edit(user, keys[-2], {"lines": ["an old client"]})
        wrote[keys[-2]] = life.text(["an old client"])

    monkeypatch.setattr(contracting, "crash_point", write)
    soaking.run.options = soaking.options.model_copy(update={"batch_ms": 5.0})
    contract(soaking, approve=approved(soaking))
    bodies = rig.old(user)
    assert len(wrote) == 3
    for note, wanted in wrote.items():
        assert {key: bodies[str(note)][key] for key in wanted} == wanted
    assert user.execute("SELECT count(*) FROM notes WHERE title LIKE '%!'").fetchone() == (2,)
    assert sum(rig.is_new(body) for body in bodies.values()) == 60


def test_people_write_and_read_all_the_while_and_lose_nothing(soaking: Work, user: Connection, target_url: str) -> None:
    """Through the view, before, during and after: it stays, and always shows the new shape."""
    keys = [key for key in life.keys(user) if str(key) != bad_note(user)]
    stop, wrote, old_shapes, refused = threading.Event(), dict[str, str](), list[object](), list[object]()

    def write() -> None:
        with rig.connected(target_url) as writer:
            count = 0
            while not stop.is_set():
                note = keys[count * 7 % len(keys)]
                count += 1
                try:
                    rig.edit_new(writer, note, f"text {count}")
                    wrote[str(note)] = f"text {count}"
                except psycopg.errors.SerializationFailure as error:  # to be tried again, says the view
                    refused.append(error)

    def read() -> None:
        with rig.connected(target_url) as reader:
            while not stop.is_set():
                old_shapes.extend(body for body in rig.current(reader).values() if "lines" in body)

    people = [threading.Thread(target=write), threading.Thread(target=read)]
    for each in people:
        each.start()
    try:
        assert life.eventually(lambda: len(wrote) > 5)
        contract(soaking, approve=approved(soaking))
        count = len(wrote)
        assert life.eventually(lambda: len(wrote) > count or len(wrote) == len(keys))
    finally:
        stop.set()
        for each in people:
            each.join(20)
    assert soaking.run.status == RunStatus.COMPLETED
    assert {key: rig.old(user)[key]["text"] for key in wrote} == wrote
    assert old_shapes == []
    assert len(refused) < len(wrote)


def test_a_row_that_somebody_holds_is_passed_by_and_moved_in_the_end(
    soaking: Work, user: Connection, target_url: str
) -> None:
    note = next(key for key in life.keys(user) if str(key) != bad_note(user))
    plan = approved(soaking)
    done: list[object] = []
    moving_on = threading.Thread(target=lambda: done.append(contract(soaking, approve=plan)))
    with rig.connected(target_url) as writer:
        with writer.transaction():
            writer.execute("SELECT set_config('app.user', %s, true)", [str(rig.SOMEBODY)])
            writer.execute('UPDATE notes SET body = \'{"lines": ["held"]}\' WHERE id = %s', [note])
            moving_on.start()
            assert life.eventually(lambda: sum(rig.is_new(body) for body in rig.old(user).values()) == 59)
            assert not done
        moving_on.join(30)
    assert not moving_on.is_alive()
    assert rig.old(user)[str(note)] == life.text(["held"])


def test_a_write_that_waits_for_the_follower_is_not_overwritten(soaking: Work, user: Connection) -> None:
    note = next(key for key in life.keys(user) if str(key) != bad_note(user))
    rig.edit(user, note, {"lines": ["newer than the document"]})
    with soaking.transaction():
        assert moving.move(soaking, [str(note)], passing_by=True) == 0
    assert rig.old(user)[str(note)] == {"lines": ["newer than the document"]}
    assert moving.catch_up(soaking) == 1
    assert rig.old(user)[str(note)] == life.text(["newer than the document"])


def test_without_the_right_to_silence_triggers_each_row_is_written_as_its_owner(
    soaking: Work, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maquette.migrating.source_writes.may_be_quiet", lambda connection: False)
    contract(soaking, approve=approved(soaking))
    wrong = "SELECT count(*) FROM note_versions v JOIN notes n ON n.id = v.note_id WHERE v.created_by <> n.owner"
    assert user.execute(wrong.encode()).fetchone() == (0,)
    assert user.execute("SELECT count(*) FROM note_versions").fetchone() == (60,)


def test_a_document_without_a_row_in_the_old_table_goes_to_the_archive(soaking: Work, user: Connection) -> None:
    """Straight into the new table, and the old one cannot take it: it has no owner."""
    stray = UUID("00000000-0000-4000-8000-0000000000ff")
    user.execute('INSERT INTO notes_v2_new (id, body) VALUES (%s, \'{"kind": "note", "text": "stray"}\')', [stray])
    report = contract(soaking, approve=approved(soaking))
    assert report.detail["archived"] == 1
    found = user.execute(
        f"SELECT key, row -> 'body' ->> 'text' FROM {SCHEMA}.archive WHERE reason = 'no_old_row'".encode()
    )
    assert found.fetchall() == [(str(stray), "stray")]
