"""The new table, its triggers and the view go up and come down, and the view shows what was written last."""

import threading

import psycopg
import pytest

from maquette.errors import Conflict, InvalidInput
from maquette.migrating import ddl, expanding
from maquette.migrating.models import Phase
from maquette.migrating.source import Connection
from tests.migrating import rig
from tests.rehearsing import until


def test_up_and_down_leaves_nothing(target_url: str, user: Connection) -> None:
    rig.fill(user, 3)
    before = rig.contents(user)
    made = "SELECT count(*) FROM pg_class WHERE relname LIKE 'notes_v2%'"
    functions = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'notes_v2%'"
    triggers = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'maquette%'"
    with rig.held(target_url) as work:
        for _ in range(2):
            assert expanding.expand(work).phase == Phase.EXPAND
        assert expanding.is_expanded(work)
        assert user.execute(triggers).fetchone() == (4,)
        for _ in range(2):
            expanding.withdraw(work)
        assert [user.execute(each).fetchone() for each in (made, functions, triggers)] == [(0,)] * 3
    assert rig.contents(user) == before


def test_the_plan_tells_what_is_executed(target_url: str, user: Connection) -> None:
    with rig.held(target_url) as work:
        told = expanding.statements(work.source, work.migration, 180000)
        with work.connection.transaction():
            for statement in told:
                work.connection.execute(statement.sql.encode())
        assert expanding.is_expanded(work)
        assert "security_invoker" not in str(expanding.statements(work.source, work.migration, 140000))


def test_names_of_the_engine_are_not_taken(target_url: str, user: Connection) -> None:
    user.execute("ALTER TABLE notes ADD COLUMN is_new boolean")
    with rig.held(target_url) as work, pytest.raises(InvalidInput, match="is_new"):
        expanding.expand(work)


def test_a_writer_under_way_is_waited_for_and_never_blocks_others_for_long(target_url: str, user: Connection) -> None:
    """The lock is given up and asked for again until the writer ended; then its row is there to be read."""
    with rig.connected(target_url) as writer, rig.held(target_url) as work:
        with writer.transaction():
            note = rig.add(writer)
            expansion = threading.Thread(target=expanding.expand, args=[work])
            expansion.start()
            until(lambda: rig.waits_for_lock(user, "maquette migration"), what="the expansion waits")
            until(lambda: not rig.waits_for_lock(user, "maquette migration"), what="it lets others pass")
            rig.add(user)
            assert expansion.is_alive()
        expansion.join(30)
        assert not expansion.is_alive() and expanding.is_expanded(work)
        assert str(note) in rig.current(user)
        assert work.longest_lock_ms < 1000


def test_a_lock_that_is_never_free_tells_who_holds_it(target_url: str, user: Connection) -> None:
    with rig.held(target_url) as work, user.transaction():
        user.execute("LOCK TABLE notes IN SHARE MODE")
        with pytest.raises(Conflict, match=r"in [1-9]\d* tries; it is held by pid \d+ \(a test,"):
            ddl.with_short_lock(work, ["SELECT 1"], within_s=0.2)


def test_the_view_shows_what_was_written_last_whatever_the_flag(target_url: str, user: Connection) -> None:
    note = rig.add(user, {"lines": ["a"]})
    with rig.held(target_url) as work:
        expanding.expand(work)
        assert rig.current(user) == {str(note): {"lines": ["a"]}}
        rig.edit_new(user, note, "b")
        assert rig.current(user)[str(note)]["text"] == "b"
        assert rig.old(user) == {str(note): {"lines": ["a"]}}
        rig.edit(user, note, {"lines": ["c"]})
        assert rig.current(user) == {str(note): {"lines": ["c"]}}
        rig.edit_new(user, note, "d")
        user.execute("UPDATE notes SET title = 'another column' WHERE id = %s", [note])
        assert rig.current(user)[str(note)]["text"] == "d"
        user.execute("DELETE FROM notes_v2_current WHERE id = %s", [note])
        assert rig.old(user) == rig.new(user) == rig.current(user) == {}


def test_a_row_is_inserted_through_the_view_with_the_tables_defaults(target_url: str, user: Connection) -> None:
    with rig.held(target_url) as work:
        expanding.expand(work)
        found = user.execute(
            'INSERT INTO notes_v2_current (owner, body) VALUES (%s, \'{"kind": "note", "text": "x"}\') '
            "RETURNING id, updated_at IS NOT NULL, is_new",
            [rig.SOMEBODY],
        ).fetchone()
        assert found is not None and found[1]
        assert list(rig.old(user)) == list(rig.new(user)) == [str(found[0])]


def test_the_applications_own_triggers_see_writes_through_the_view(target_url: str, user: Connection) -> None:
    note = rig.add(user)
    before = user.execute("SELECT updated_at FROM notes").fetchone()
    with rig.held(target_url) as work:
        expanding.expand(work)
        rig.edit_new(user, note, "x")
    assert user.execute("SELECT updated_at FROM notes").fetchone() != before


def test_a_write_reckoned_from_a_row_that_is_no_longer_so_is_refused(target_url: str, user: Connection) -> None:
    """A view's UPDATE would overwrite in silence what a table's looks at again."""
    note = rig.add(user, {"kind": "note", "text": "a"})
    with rig.held(target_url) as work, rig.connected(target_url) as other:
        expanding.expand(work)
        refused: list[psycopg.Error] = []

        def append() -> None:
            try:
                other.execute(
                    "UPDATE notes_v2_current SET body = jsonb_set(body, '{text}', to_jsonb(body->>'text' || 'c')) "
                    "WHERE id = %s",
                    [note],
                )
            except psycopg.Error as error:
                refused.append(error)

        appending = threading.Thread(target=append)
        with user.transaction():
            rig.edit_new(user, note, "ab")
            appending.start()
            until(lambda: rig.waits_for_lock(work.connection, "a test"), what="the second writer waits")
        appending.join(30)
        assert [type(error) for error in refused] == [psycopg.errors.SerializationFailure]
        append()
        assert rig.current(user)[str(note)]["text"] == "abc"


def test_the_table_emptied_empties_both(target_url: str, user: Connection) -> None:
    note = rig.add(user)
    with rig.held(target_url) as work:
        expanding.expand(work)
        rig.edit_new(user, note, "x")
        user.execute("TRUNCATE notes CASCADE")
        assert rig.new(user) == rig.current(user) == {}


def test_row_security_and_grants_are_those_of_the_table(target_url: str, user: Connection) -> None:
    mine, theirs = rig.add(user, owner=rig.SOMEBODY), rig.add(user)
    role = f"reader_{mine.hex}"
    user.execute(f"CREATE ROLE {role}".encode())
    try:
        user.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO {role}".encode())
        user.execute("ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
        user.execute("CREATE POLICY own ON notes USING (owner = current_setting('app.user')::uuid)")
        with rig.held(target_url) as work:
            expanding.expand(work)
            for note in (mine, theirs):
                rig.edit_new(user, note, "x")
            user.execute("SELECT set_config('app.user', %s, false)", [str(rig.SOMEBODY)])
            user.execute(f"SET ROLE {role}".encode())
            assert list(rig.current(user)) == list(rig.new(user)) == [str(mine)]
            rig.edit_new(user, mine, "y")
            assert user.execute("UPDATE notes_v2_current SET title = 'x' WHERE id = %s", [theirs]).rowcount == 0
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                user.execute("TRUNCATE notes_v2_new")
            user.execute("RESET ROLE")
            assert {key: body["text"] for key, body in rig.new(user).items()} == {str(mine): "y", str(theirs): "x"}
            expanding.withdraw(work)
    finally:
        user.execute("RESET ROLE")
        user.execute(f"DROP OWNED BY {role}".encode())
        user.execute(f"DROP ROLE {role}".encode())
