"""Writes on either side reach the other, and none is lost on the way."""

import random
import threading
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest

from maquette.errors import StaleLease
from maquette.migrating import bringing_over, exact, expanding, source_writes
from maquette.migrating.backfill import backfill
from maquette.migrating.definition import Row
from maquette.migrating.following import drain, follow, pending
from maquette.migrating.source import Connection
from maquette.migrating.validating import accounting, validate
from maquette.migrating.work import Work
from tests.migrating import rig


class Interrupted(rig.Notes):
    """Somebody writes at the very moment that a document with the word is reckoned: after it was read, before it is
    written."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] | None = None

    def transform(self, row: Row) -> Row:
        self._strike(row)
        return super().transform(row)

    def inverse(self, row: Row) -> Row:
        self._strike(row)
        return super().inverse(row)

    def _strike(self, row: Row) -> None:
        if self.meanwhile and "stop here" in str(row["body"]):
            strike, self.meanwhile = self.meanwhile, None
            strike()


def archived(user: Connection) -> list[tuple[str, object]]:
    return user.execute(
        "SELECT table_name, row -> 'body' FROM maquette_migrating.archive WHERE reason = 'conflict' ORDER BY id"
    ).fetchall()


def text_of(body: dict[str, object]) -> object:
    return rig.Notes().transform({"body": body})["body"]["text"]


def test_an_old_write_reaches_the_new_shape(target_url: str, user: Connection) -> None:
    with rig.held(target_url) as work:
        expanding.expand(work)
        kept, gone, moved = (rig.add(user) for _ in range(3))
        assert follow(work).to_new == 3
        rig.edit(user, kept, {"lines": ["a", "b"]})
        user.execute("DELETE FROM notes WHERE id = %s", [gone])
        fresh = uuid4()
        user.execute("UPDATE notes SET id = %s WHERE id = %s", [fresh, moved])
        drain(work, within_s=10)
        assert set(rig.new(user)) == {str(kept), str(fresh)}
        assert rig.new(user)[str(kept)] == {"kind": "note", "text": "a\nb", "legacy": {"lines": ["a", "b"]}}
        assert pending(work) == 0 and accounting(work).holds and follow(work) == bringing_over.Followed()


def test_a_new_write_reaches_the_old_shape_and_no_trigger_of_the_users_fires(target_url: str, user: Connection) -> None:
    note = rig.add(user, {"lines": ["a"]})
    with rig.held(target_url) as work:
        expanding.expand(work)
        backfill(work)
        body = {**rig.new(user)[str(note)], "text": "a\nb"}
        user.execute("UPDATE notes_v2_new SET body = %s::jsonb WHERE id = %s", [exact.dumps(body), note])
        before = user.execute("SELECT updated_at FROM notes").fetchone()
        assert follow(work).to_old == 1
        assert rig.old(user) == {str(note): {"lines": ["a", "b"]}}
        assert rig.new(user) == {str(note): body}
        assert user.execute("SELECT updated_at FROM notes").fetchone() == before
        assert user.execute("SELECT count(*) FROM note_versions").fetchone() == (0,)
        validate(work)


def test_a_new_write_goes_along_when_the_key_changes(target_url: str, user: Connection) -> None:
    note, fresh = rig.add(user), uuid4()
    with rig.held(target_url) as work:
        expanding.expand(work)
        backfill(work)
        rig.edit_new(user, note, "mine")
        user.execute("UPDATE notes SET id = %s WHERE id = %s", [fresh, note])
        assert {key: text_of(body) for key, body in rig.current(user).items()} == {str(fresh): "mine"}
        drain(work, within_s=10)
        assert {text_of(side[str(fresh)]) for side in (rig.old(user), rig.new(user))} == {"mine"}
        validate(work)


def test_a_role_that_may_not_silence_triggers_writes_as_the_rows_owner(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contract's trap: the versions trigger refuses a write by nobody."""
    monkeypatch.setattr(source_writes, "may_be_quiet", lambda connection: False)
    note = rig.add(user, {"lines": ["a"]}, owner=rig.SOMEBODY)
    with rig.held(target_url) as work:
        expanding.expand(work)
        rig.edit_new(user, note, "b")
        drain(work, within_s=10)
        assert user.execute("SELECT created_by FROM note_versions").fetchall() == [(rig.SOMEBODY,)]
        assert pending(work) == 0
        validate(work)


def test_of_two_writes_the_last_stands_and_the_other_is_archived(target_url: str, user: Connection) -> None:
    first, second = rig.add(user, {"lines": ["a"]}), rig.add(user, {"lines": ["a"]})
    with rig.held(target_url) as work:
        expanding.expand(work)
        backfill(work)
        rig.edit(user, first, {"lines": ["old side"]})
        rig.edit_new(user, first, "new side, last")
        rig.edit_new(user, second, "new side")
        rig.edit(user, second, {"lines": ["old side, last"]})
        shown = {key: text_of(body) for key, body in rig.current(user).items()}
        drain(work, within_s=10)
        assert shown == {str(first): "new side, last", str(second): "old side, last"}
        for side in (rig.old(user), rig.new(user), rig.current(user)):
            assert {key: text_of(body) for key, body in side.items()} == shown
        bodies = dict(archived(user))
        assert set(bodies) == {"public.notes", "public.notes_v2_new"}
        assert bodies["public.notes"] == {"lines": ["old side"]}
        assert text_of(bodies["public.notes_v2_new"]) == "new side"  # type: ignore[arg-type]
        validate(work)


@pytest.mark.parametrize("written", ["old", "new"])
def test_a_write_at_the_worst_moment_is_followed_next(target_url: str, user: Connection, written: str) -> None:
    """After the follower read the row and before it writes."""
    migration = Interrupted()
    note = rig.add(user)
    with rig.held(target_url, migration) as work:
        expanding.expand(work)
        backfill(work)
        if written == "old":
            rig.edit(user, note, {"lines": ["stop here"]})
            migration.meanwhile = lambda: rig.edit_new(user, note, "the last word")
        else:
            rig.edit_new(user, note, "stop here")
            migration.meanwhile = lambda: rig.edit(user, note, {"lines": ["the last word"]})
        assert follow(work).put_off == 1
        drain(work, within_s=10)
        assert {text_of(side[str(note)]) for side in (rig.old(user), rig.new(user))} == {"the last word"}


def test_without_the_version_guard_that_write_is_lost(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = Interrupted()
    note = rig.add(user)
    execute = psycopg.Connection.execute

    def unguarded(self: Connection, query: object, *rest: object, **options: object) -> object:
        if isinstance(query, psycopg.sql.Composed):
            query = query.as_string().replace("n.xmin::text = v.version", "v.version IS NOT NULL").encode()
        return execute(self, query, *rest, **options)  # type: ignore[call-overload]

    with rig.held(target_url, migration) as work:
        expanding.expand(work)
        backfill(work)
        rig.edit(user, note, {"lines": ["stop here"]})
        migration.meanwhile = lambda: rig.edit_new(user, note, "the last word")
        monkeypatch.setattr(psycopg.Connection, "execute", unguarded)
        drain(work, within_s=10)
        assert text_of(rig.new(user)[str(note)]) == "stop here"


def test_a_document_that_breaks_the_model_stays_and_is_shown(target_url: str, user: Connection) -> None:
    note = rig.add(user, {"lines": ["a"]})
    with rig.held(target_url) as work:
        expanding.expand(work)
        backfill(work)
        user.execute("UPDATE notes_v2_current SET body = '{\"kind\": 7}' WHERE id = %s", [note])
        assert follow(work).quarantined == 1
        assert rig.old(user) == {str(note): {"lines": ["a"]}}
        assert rig.current(user) == {str(note): {"kind": 7}}
        reasons = "SELECT reason FROM maquette_migrating.quarantine"
        assert "model: body.kind" in str(user.execute(reasons).fetchall())
        assert accounting(work).holds and accounting(work).quarantined == 1
        validate(work)
        rig.edit_new(user, note, "well again")
        assert follow(work).to_old == 1
        assert user.execute(reasons).fetchall() == []
        assert text_of(rig.old(user)[str(note)]) == "well again"


def test_a_bad_old_write_takes_the_new_row_away_and_reads_stay_old(target_url: str, user: Connection) -> None:
    note = rig.add(user)
    with rig.held(target_url) as work:
        expanding.expand(work)
        backfill(work)
        rig.edit(user, note, {"bad": "a"})
        assert follow(work).quarantined == 1
        assert rig.new(user) == {} and rig.current(user) == {str(note): {"bad": "a"}}
        rig.edit(user, note, {"lines": ["good"]})
        assert follow(work).to_new == 1
        assert accounting(work).quarantined == 0


def test_a_row_made_in_the_new_table_gets_its_old_row_or_says_why_not(target_url: str, user: Connection) -> None:
    note = uuid4()
    with rig.held(target_url) as work:
        expanding.expand(work)
        user.execute('INSERT INTO notes_v2_new (id, body) VALUES (%s, \'{"kind": "note", "text": "x"}\')', [note])
        assert follow(work).quarantined == 1  # the owner is NOT NULL and has no default
        assert list(rig.new(user)) == [str(note)] and rig.old(user) == {} and accounting(work).holds
        user.execute("ALTER TABLE notes ALTER owner SET DEFAULT gen_random_uuid()")
        user.execute("UPDATE notes_v2_new SET body = body")
        assert follow(work).to_old == 1
        assert list(rig.old(user)) == [str(note)] and accounting(work).quarantined == 0


def test_other_columns_leave_a_new_document_alone(target_url: str, user: Connection) -> None:
    note = rig.add(user)
    with rig.held(target_url) as work:
        expanding.expand(work)
        rig.edit_new(user, note, "mine")
        drain(work, within_s=10)
        user.execute("UPDATE notes SET title = 'renamed'")
        drain(work, within_s=10)
        assert rig.new(user)[str(note)]["text"] == "mine"
        validate(work)


def test_a_runner_that_was_overtaken_follows_nothing(target_url: str, user: Connection) -> None:
    with rig.held(target_url) as work:
        expanding.expand(work)
        note = rig.add(user)
        user.execute("UPDATE maquette_migrating.runs SET epoch = epoch + 1")
        with pytest.raises(StaleLease):
            follow(work)
        assert rig.new(user) == {} and pending(work) == 1
        assert list(rig.current(user)) == [str(note)]


def _writer(url: str, keys: list[UUID], seed: int, lost: list[str], stop: threading.Event) -> None:
    try:
        _write(url, keys, seed, lost, stop)
    except Exception as error:  # a request that fails counts as lost
        lost.append(f"{seed}: {error!r}")


def _write(url: str, keys: list[UUID], seed: int, lost: list[str], stop: threading.Event) -> None:
    """Insert, edit on both sides and delete rows of one's own; each must read what it wrote last."""
    dice = random.Random(seed)
    mine: dict[UUID, str] = dict.fromkeys(keys, "")
    with rig.connected(url) as own:
        for turn in range(10_000):
            if stop.is_set():
                break
            word = f"{seed} {turn}"
            action = dice.random()
            if action < 0.2 or not mine:
                mine[rig.add(own, {"lines": [word]})] = word
                continue
            note = dice.choice(list(mine))
            if action < 0.3:
                own.execute("DELETE FROM notes WHERE id = %s", [note])
                del mine[note]
                continue
            if action < 0.4:
                fresh = uuid4()
                own.execute("UPDATE notes SET id = %s WHERE id = %s", [fresh, note])
                mine[fresh] = mine.pop(note)
                continue
            if action < 0.7:
                rig.edit(own, note, {"lines": [word]})
            else:
                rig.edit_new(own, note, word)
            mine[note] = word
        shown = {UUID(key): text_of(body) for key, body in rig.current(own).items()}
        lost += [
            f"{key}: {text!r}, not {shown.get(key)!r}" for key, text in mine.items() if text and shown.get(key) != text
        ]


def _settled(work: Work, user: Connection) -> None:
    drain(work, within_s=30)
    validate(work)
    old, new = rig.old(user), rig.new(user)
    assert old.keys() == new.keys()
    assert {key: text_of(body) for key, body in old.items()} == {key: text_of(body) for key, body in new.items()}


def test_many_writers_on_both_sides_lose_nothing(target_url: str, user: Connection) -> None:
    user.execute("ALTER TABLE note_versions DROP CONSTRAINT note_versions_note_id_fkey")  # keys change here
    keys = [[rig.add(user) for _ in range(20)] for _ in range(4)]
    rig.fill(user, 500)
    lost: list[str] = []
    stop = threading.Event()
    writers = [threading.Thread(target=_writer, args=[target_url, each, i, lost, stop]) for i, each in enumerate(keys)]
    with rig.held(target_url) as work:
        expanding.expand(work)
        for writer in writers:
            writer.start()
        try:
            backfill(work)
            seen = 0
            while seen < 150 and not lost:
                seen += follow(work).keys
        finally:
            stop.set()
            for writer in writers:
                writer.join(60)
        _settled(work, user)
    assert lost == []
