"""Duplicates: the newest stays, nothing is lost, and the way back is exact."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.errors import Conflict, StaleLease
from maquette.migrating import duplicates
from maquette.migrating.constraints import make_unique
from maquette.migrating.duplicates import deduplicate, restore
from maquette.migrating.expanding import expand
from maquette.migrating.following import follow
from maquette.migrating.models import SCHEMA, Options
from maquette.migrating.source import Connection
from maquette.migrating.source_writes import may_be_quiet
from maquette.migrating.work import Work
from tests.migrating import rig

OWNER = UUID("00000000-0000-4000-8000-00000000000a")
LATE = "2025-03-01 00:00:00+00"
EARLY = "2025-01-01 00:00:00+00"


@contextmanager
def expanded(url: str, migration: rig.Notes | None = None, options: Options = rig.QUICK) -> Iterator[Work]:
    """A held run with the scaffold up, as phase 5 finds it."""
    with rig.held(url, migration, options) as work:
        expand(work)
        yield work


def twins(user: Connection, *stamps: object, title: str = "same", keys: Sequence[UUID] = ()) -> list[UUID]:
    """Notes that are duplicates of each other, of these times."""
    given = keys or [uuid4() for _ in stamps]
    return [
        rig.add(user, owner=OWNER, title=title, updated_at=at, key=key) for at, key in zip(stamps, given, strict=True)
    ]


def keys_of(user: Connection) -> set[UUID]:
    return {key for (key,) in user.execute("SELECT id FROM notes")}


def archive(user: Connection) -> dict[UUID, dict[str, Any]]:
    found = user.execute(f"SELECT key, row, reason, survivor, hash, lacking, children FROM {SCHEMA}.archive").fetchall()
    names = ("row", "reason", "survivor", "hash", "lacking", "children")
    return {UUID(key): dict(zip(names, values, strict=True)) for key, *values in found}


def everything(user: Connection) -> list[list[str]]:
    return [rig.contents(user, table) for table in ("notes", "note_tags", "note_versions")]


def test_the_newest_stays_and_the_others_are_archived_whole(target_url: str, user: Connection) -> None:
    first, newest, second = twins(user, EARLY, LATE, "2025-02-01 10:11:12.123456+00")
    other = rig.add(user, owner=OWNER, title="another")
    with expanded(target_url) as work:
        report = deduplicate(work)
    assert keys_of(user) == {newest, other}
    kept = archive(user)
    assert kept.keys() == {first, second}
    assert {row["reason"] for row in kept.values()} == {"duplicate"}
    assert {row["survivor"] for row in kept.values()} == {str(newest)}
    assert kept[second]["row"]["updated_at"] == "2025-02-01T10:11:12.123456+00:00"
    assert report.rows == 2
    assert report.detail["groups"] == 1


def test_null_timestamps_are_the_oldest(target_url: str, user: Connection) -> None:
    """Trap (b): ``ORDER BY updated_at DESC`` alone would put NULL first and keep that row."""
    null, dated, infinite = twins(user, None, EARLY, "-infinity")
    with expanded(target_url) as work:
        deduplicate(work)
    assert keys_of(user) == {dated}
    assert archive(user).keys() == {null, infinite}


@pytest.mark.parametrize("stamp", [EARLY, None])
def test_equal_timestamps_are_decided_by_the_key(target_url: str, user: Connection, stamp: str | None) -> None:
    keys = sorted(uuid4() for _ in range(3))
    twins(user, stamp, stamp, stamp, keys=keys)
    with expanded(target_url) as work:
        deduplicate(work)
    assert keys_of(user) == {keys[-1]}


@pytest.mark.parametrize("kind", ["text", "timestamp"])
def test_times_of_another_type_count_as_sql_orders_them(target_url: str, user: Connection, kind: str) -> None:
    user.execute(f"ALTER TABLE notes ALTER updated_at DROP DEFAULT, ALTER updated_at TYPE {kind}".encode())
    old, new, none = twins(user, "2025-01-09 12:00:00", "2025-01-10 11:00:00", None)
    with expanded(target_url) as work:
        deduplicate(work)
    assert keys_of(user) == {new}
    assert archive(user).keys() == {old, none}


def test_null_in_the_rule_makes_no_duplicate(target_url: str, user: Connection) -> None:
    notes = {rig.add(user, owner=OWNER, title=None) for _ in range(3)}
    with expanded(target_url) as work:
        assert deduplicate(work).rows == 0
        make_unique(work)
    assert keys_of(user) == notes


def test_what_only_a_loser_holds_is_told(target_url: str, user: Connection) -> None:
    same = {"lines": ["a"]}
    rich = rig.add(user, {"lines": ["a", "only here"]}, owner=OWNER, title="x", updated_at=EARLY)
    poor = rig.add(user, same, owner=OWNER, title="x", updated_at=EARLY, key=UUID(int=0))
    stays = rig.add(user, same, owner=OWNER, title="x", updated_at=LATE)
    with expanded(target_url) as work:
        report = deduplicate(work)
    kept = archive(user)
    assert kept[rich]["lacking"] == ["only here"]
    assert kept[poor]["lacking"] == []
    assert kept[rich]["row"]["body"] == {"lines": ["a", "only here"]}
    assert report.detail["archived_lacking"] == 1
    assert keys_of(user) == {stays}


def test_a_migration_that_cannot_compare_stops_nothing(target_url: str, user: Connection) -> None:
    class Picky(rig.Notes):
        def lacks(self, survivor: Any, loser: Any) -> Sequence[str]:
            raise KeyError("chapters")

    loser, _ = twins(user, EARLY, LATE)
    with expanded(target_url, Picky()) as work:
        deduplicate(work)
    assert "KeyError" in archive(user)[loser]["lacking"][0]


def test_a_document_too_deep_for_python_is_archived_whole(target_url: str, user: Connection) -> None:
    deep = "[" * 5_000 + "]" * 5_000
    loser = rig.add(user, deep, owner=OWNER, title="x", updated_at=EARLY)
    rig.add(user, owner=OWNER, title="x", updated_at=LATE)
    before = everything(user)
    with expanded(target_url) as work:
        deduplicate(work)
        found = user.execute(f"SELECT row ->> 'body' FROM {SCHEMA}.archive WHERE key = %s", [str(loser)]).fetchone()
        assert found == (deep,)
        restore(work)
    assert everything(user) == before


def test_children_move_to_the_row_that_stays_and_back(target_url: str, user: Connection) -> None:
    """Trap (c): deleting a duplicate took its versions along by cascade."""
    loser = rig.add(user, owner=OWNER, title="x", updated_at=EARLY, tags=["a", "b"])
    stays = rig.add(user, owner=OWNER, title="x", updated_at=LATE, tags=["c"])
    rig.edit(user, loser, {"lines": ["edited"]})
    user.execute("ALTER TABLE notes DISABLE TRIGGER USER")
    user.execute("UPDATE notes SET updated_at = %s WHERE id = %s", [EARLY, loser])
    user.execute("ALTER TABLE notes ENABLE TRIGGER USER")
    before = everything(user)
    with expanded(target_url) as work:
        report = deduplicate(work)
        tags = user.execute("SELECT note_id, tag FROM note_tags ORDER BY tag").fetchall()
        assert tags == [(stays, "a"), (stays, "b"), (stays, "c")]
        assert user.execute("SELECT note_id FROM note_versions").fetchall() == [(stays,)]
        assert report.detail["children_moved"] == 3
        assert restore(work) == 1
    assert everything(user) == before


def test_a_child_that_the_survivor_has_already_is_archived(target_url: str, user: Connection) -> None:
    user.execute("CREATE TABLE tag_marks (tag_id bigint REFERENCES note_tags ON DELETE CASCADE, mark text)")
    rig.add(user, owner=OWNER, title="x", updated_at=EARLY, tags=["a", "b"])
    stays = rig.add(user, owner=OWNER, title="x", updated_at=LATE, tags=["a"])
    user.execute("INSERT INTO tag_marks SELECT id, note_id::text || tag FROM note_tags")
    before = [*everything(user), rig.contents(user, "tag_marks")]
    with expanded(target_url) as work:
        report = deduplicate(work)
        assert user.execute("SELECT note_id, tag FROM note_tags ORDER BY tag").fetchall() == [
            (stays, "a"),
            (stays, "b"),
        ]
        # Its mark goes with it: nothing may point at what is gone.
        assert report.detail["children_archived"] == 2
        assert len(rig.contents(user, "tag_marks")) == 2
        assert restore(work) == 1
    assert [*everything(user), rig.contents(user, "tag_marks")] == before


def test_children_without_a_primary_key_come_back_one_for_one(target_url: str, user: Connection) -> None:
    user.execute("CREATE TABLE note_reads (note_id uuid REFERENCES notes ON DELETE CASCADE, at date, raw json)")
    for note in twins(user, EARLY, LATE):
        # The same children on both, and doubled keys, which jsonb would lose.
        user.execute(
            "INSERT INTO note_reads SELECT %s, '2025-01-01', '{\"a\": 1, \"a\":  2}' FROM generate_series(1, 2)", [note]
        )
    before = [*everything(user), rig.contents(user, "note_reads")]
    with expanded(target_url) as work:
        deduplicate(work)
        assert len({row.split(",")[0] for row in rig.contents(user, "note_reads")}) == 1
        restore(work)
    assert [*everything(user), rig.contents(user, "note_reads")] == before


def test_columns_of_every_kind_come_back_as_they_were(target_url: str, user: Connection) -> None:
    user.execute(
        "ALTER TABLE notes ADD serial bigint GENERATED ALWAYS AS IDENTITY, ADD price numeric DEFAULT 1.10, "
        'ADD raw json DEFAULT \'{"b":1,  "a": "\\u0000"}\', ADD half double precision DEFAULT 0.1, '
        "ADD bytes bytea DEFAULT '\\x00ff', ADD words text[] DEFAULT '{a,NULL,\"b c\"}', "
        "ADD span tstzrange DEFAULT '[2025-01-01,infinity)', "
        "ADD shout text GENERATED ALWAYS AS (upper(title)) STORED, ADD more jsonb"
    )
    null, _, _ = twins(user, EARLY, LATE, "infinity")
    user.execute("ALTER TABLE notes DISABLE TRIGGER USER")
    user.execute("UPDATE notes SET more = 'null', body = 'null' WHERE id = %s", [null])
    user.execute("ALTER TABLE notes ENABLE TRIGGER USER")
    before = everything(user)
    with expanded(target_url) as work:
        deduplicate(work)
        assert len(keys_of(user)) == 1
        assert restore(work) == 2
        assert everything(user) == before
        assert restore(work) == 0


def test_a_row_comes_back_only_to_a_free_place_with_its_parents(target_url: str, user: Connection) -> None:
    user.execute("CREATE TABLE owners (id uuid PRIMARY KEY)")
    user.execute("INSERT INTO owners SELECT %s", [OWNER])
    user.execute("ALTER TABLE notes ADD FOREIGN KEY (owner) REFERENCES owners ON DELETE CASCADE")
    taken, _ = twins(user, EARLY, LATE)
    twins(user, EARLY, LATE, title="orphan")
    with expanded(target_url) as work:
        deduplicate(work)
        assert restore(work) == 2
        deduplicate(work)
        user.execute("INSERT INTO notes (id, owner, body, title) VALUES (%s, %s, '1', 'mine now')", [taken, OWNER])
        assert restore(work) == 1
        deduplicate(work)
        user.execute("DELETE FROM owners")
        assert restore(work) == 0
    assert keys_of(user) == set()


def test_restoring_needs_the_constraint_gone(target_url: str, user: Connection) -> None:
    twins(user, EARLY, LATE)
    with expanded(target_url) as work:
        deduplicate(work)
        make_unique(work)
        with pytest.raises(Conflict, match="one_note_by_title"):
            restore(work)


def test_no_loser_is_left_in_the_new_table(target_url: str, user: Connection) -> None:
    loser, stays = twins(user, EARLY, LATE)
    with expanded(target_url) as work:
        with work.transaction() as connection:
            connection.execute("INSERT INTO notes_v2_new (id, body) SELECT id, '{}' FROM notes")
        deduplicate(work)
    assert rig.new(user).keys() == {str(stays)}
    assert str(loser) not in rig.current(user)


def while_held(work: Work, user: Connection, held: UUID, action: Callable[[], object]) -> None:
    """Deduplicate while another transaction holds a row and, once that was noticed, does ``action`` and commits."""
    noticed = threading.Event()

    def notice(work: Work) -> Any:
        noticed.set()
        return follow(work)

    failures: list[BaseException] = []

    def run() -> None:
        try:
            deduplicate(work)
        except BaseException as error:
            failures.append(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "follow", notice)
        runner = threading.Thread(target=run)
        with user.transaction():
            user.execute("SELECT 1 FROM notes WHERE id = %s FOR UPDATE", [held])
            runner.start()
            assert noticed.wait(20)
            action()
        runner.join(20)
    assert not runner.is_alive()
    if failures:
        raise failures[0]


def test_an_edit_that_arrives_before_the_group_is_held_wins(target_url: str, user: Connection) -> None:
    loser, stays = twins(user, EARLY, LATE)

    def edit() -> None:
        rig.edit(user, loser, {"lines": ["edited meanwhile"]})

    with expanded(target_url) as work:
        while_held(work, user, loser, edit)
    assert rig.old(user) == {str(loser): {"lines": ["edited meanwhile"]}}
    assert archive(user).keys() == {stays}


def test_without_the_lock_that_edit_would_be_lost(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard removed: the row goes as it was read before, and its edit goes to nowhere."""
    monkeypatch.setattr(duplicates, "_HOLD", "")
    loser, stays = twins(user, EARLY, LATE)
    patient = rig.QUICK.model_copy(update={"max_lock_ms": 80_000})  # which makes the delete wait for the edit
    with expanded(target_url, options=patient) as work, rig.connected(target_url) as watcher:
        runner = threading.Thread(target=deduplicate, args=[work])
        with user.transaction():
            user.execute("SELECT set_config('app.user', %s, true)", [str(rig.SOMEBODY)])
            user.execute('UPDATE notes SET body = \'{"lines": ["edited"]}\' WHERE id = %s', [loser])
            runner.start()
            deadline = time.monotonic() + 20
            while not rig.waits_for_lock(watcher, "maquette migration"):
                assert time.monotonic() < deadline
        runner.join(20)
    assert rig.old(user).keys() == {str(stays)}
    assert "edited" not in str(archive(user)[loser]["row"])


def test_a_held_group_keeps_no_other_from_being_merged(target_url: str, user: Connection) -> None:
    held, _ = twins(user, EARLY, LATE)
    free, _ = twins(user, EARLY, LATE, title="free")
    with expanded(target_url) as work:
        while_held(work, user, held, lambda: None)
        assert work.longest_lock_ms < 1_000
    assert archive(user).keys() == {held, free}


def test_rows_that_are_never_let_go_end_it_with_words(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_PATIENCE_S", 0.0)
    held, _ = twins(user, EARLY, LATE)
    with expanded(target_url) as work, user.transaction():
        user.execute("SELECT 1 FROM notes WHERE id = %s FOR UPDATE", [held])
        with pytest.raises(Conflict, match="end the transactions") as caught:
            deduplicate(work)
    assert caught.value.code == "busy"
    assert archive(user) == {}


def test_a_child_that_is_being_written_puts_its_group_off(target_url: str, user: Connection) -> None:
    loser = rig.add(user, owner=OWNER, title="x", updated_at=EARLY, tags=["a"])
    stays = rig.add(user, owner=OWNER, title="x", updated_at=LATE)
    with expanded(target_url) as work:
        # Whoever adds a child holds its parent: the child is seen, or the group waits.
        while_held(
            work, user, loser, lambda: [user.execute("INSERT INTO note_tags (note_id, tag) VALUES (%s, 'b')", [loser])]
        )
    assert user.execute("SELECT note_id, tag FROM note_tags ORDER BY tag").fetchall() == [(stays, "a"), (stays, "b")]


def test_a_run_that_was_taken_over_archives_nothing(target_url: str, user: Connection) -> None:
    twins(user, EARLY, LATE)
    with expanded(target_url) as work:
        user.execute(f"UPDATE {SCHEMA}.runs SET epoch = epoch + 1")
        with pytest.raises(StaleLease):
            deduplicate(work)
    assert archive(user) == {}
    assert len(keys_of(user)) == 2


def test_it_goes_on_where_it_was_killed(target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def kill(name: str) -> None:
        assert name == "migrating-mid-deduplicate"
        raise Killed

    for number in range(5):
        twins(user, EARLY, LATE, title=str(number))
    with expanded(target_url) as work:
        with monkeypatch.context() as patch:
            patch.setattr(duplicates, "crash_point", kill)
            with pytest.raises(Killed):
                deduplicate(work)
        assert len(archive(user)) == 1
        assert deduplicate(work).rows == 5
        assert deduplicate(work).rows == 5
    assert len(keys_of(user)) == 5


def test_where_triggers_cannot_be_quiet_the_owner_of_each_row_writes(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role without the right to switch triggers off: they fire, with the settings that they need."""
    user.execute(
        "CREATE TABLE farewells (said_by text); "
        "CREATE FUNCTION bid_farewell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO farewells VALUES (current_setting('app.user')); RETURN OLD; END $$; "
        "CREATE TRIGGER bid_farewell BEFORE DELETE ON notes FOR EACH ROW EXECUTE FUNCTION bid_farewell()"
    )
    loser = rig.add(user, owner=OWNER, title="x", updated_at=EARLY, tags=["a"])
    stays = rig.add(user, owner=OWNER, title="x", updated_at=LATE)
    before = everything(user)
    role, password = f"plain_{uuid4().hex[:12]}", uuid4().hex
    user.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'".encode())
    try:
        user.execute(f"GRANT CREATE ON DATABASE {user.info.dbname} TO {role}".encode())
        user.execute(f"GRANT ALL ON SCHEMA public TO {role}".encode())
        for table in ("notes", "note_tags", "note_versions", "farewells"):
            user.execute(f"ALTER TABLE {table} OWNER TO {role}".encode())
        plain = sa.make_url(target_url).set(username=role, password=password).render_as_string(hide_password=False)
        with expanded(plain) as work:
            assert not may_be_quiet(work.connection)
            deduplicate(work)
            assert user.execute("SELECT said_by FROM farewells").fetchall() == [(str(OWNER),)]
            assert user.execute("SELECT note_id FROM note_tags").fetchall() == [(stays,)]
            assert restore(work) == 1
        assert everything(user) == before
        assert loser in keys_of(user)
    finally:
        user.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER".encode())
        user.execute(f"DROP OWNED BY {role}".encode())
        user.execute(f"DROP ROLE {role}".encode())


stamps = st.sampled_from([None, "-infinity", EARLY, LATE, "infinity"])
notes = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["x", "y", None]), stamps), max_size=12)


def test_survivors_and_archive_are_all_rows(target_url: str, user: Connection) -> None:
    """For any groups: the newest of each stays, all others are in the archive, and all come back as they were."""
    with expanded(target_url) as work:

        @settings(max_examples=25, deadline=None)
        @given(notes)
        def holds(given: list[tuple[int, str | None, str | None]]) -> None:
            user.execute("TRUNCATE notes CASCADE")
            user.execute(f"TRUNCATE {SCHEMA}.archive")
            groups: dict[tuple[int, str | None], list[tuple[int, UUID]]] = {}
            order = [None, "-infinity", EARLY, LATE, "infinity"]
            for owner, title, stamp in given:
                key = rig.add(user, owner=UUID(int=owner), title=title, updated_at=stamp, tags=["a"])
                groups.setdefault((owner, title), []).append((order.index(stamp), key))
            before = everything(user)
            newest = {max(rows)[1] for (_, title), rows in groups.items() if title is not None}
            newest |= {key for (_, title), rows in groups.items() if title is None for _, key in rows}
            deduplicate(work)
            assert keys_of(user) == newest
            assert archive(user).keys() | newest == {key for rows in groups.values() for _, key in rows}
            assert not archive(user).keys() & newest
            restore(work)
            assert everything(user) == before

        holds()


def test_a_write_in_the_new_shape_is_followed_before_its_row_goes(target_url: str, user: Connection) -> None:
    loser, stays = twins(user, EARLY, "infinity")
    with expanded(target_url) as work:
        rig.edit_new(user, loser, "written in the new shape")
        deduplicate(work)
    gone = archive(user)[loser]["row"]["body"]
    assert "written in the new shape" in str(gone)
    assert rig.new(user).keys() <= {str(stays)}


def test_what_outlived_one_group_and_not_the_next_comes_back_too(target_url: str, user: Connection) -> None:
    oldest = rig.add(user, owner=OWNER, title="x", updated_at=EARLY, tags=["a"])
    older = rig.add(user, owner=OWNER, title="x", updated_at=LATE, tags=["b"])
    before = everything(user)
    with expanded(target_url) as work:
        deduplicate(work)
        newest = rig.add(user, owner=OWNER, title="x", updated_at="infinity")
        deduplicate(work)
        assert archive(user).keys() == {oldest, older}
        assert {note for (note,) in user.execute("SELECT note_id FROM note_tags")} == {newest}
        assert restore(work) == 2
    user.execute("DELETE FROM notes WHERE id = %s", [newest])
    assert everything(user) == before


def test_rows_of_the_table_itself_are_never_taken_for_children(target_url: str, user: Connection) -> None:
    """A duplicate whose followers cannot move is left for people, with all that it has."""
    user.execute("ALTER TABLE notes ADD above uuid REFERENCES notes, ADD slug text, ADD UNIQUE (above, slug)")
    for parent in twins(user, EARLY, LATE):
        child = rig.add(user, owner=OWNER, title=str(parent))
        user.execute("UPDATE notes SET above = %s, slug = 'same' WHERE id = %s", [parent, child])
    before = everything(user)
    with expanded(target_url) as work, pytest.raises(Conflict, match="by hand"):
        deduplicate(work)
    assert everything(user) == before
    assert archive(user) == {}


def test_a_new_document_without_an_old_shape_is_archived_with_its_row(target_url: str, user: Connection) -> None:
    loser, _ = twins(user, EARLY, "infinity")
    with expanded(target_url) as work:
        user.execute("UPDATE notes_v2_current SET body = '{\"kind\": 5}' WHERE id = %s", [loser])
        deduplicate(work)
    found = user.execute(f"SELECT reason, row -> 'body' FROM {SCHEMA}.archive WHERE key = %s", [str(loser)]).fetchall()
    assert sorted(found, key=str)[1] == ("not_invertible", {"kind": 5})
    assert sorted(found, key=str)[0][0] == "duplicate"
    assert str(loser) not in rig.new(user)


def test_an_edit_between_reading_and_holding_wins(target_url: str, user: Connection) -> None:
    loser, stays = twins(user, EARLY, LATE)
    edits = iter([{"lines": ["edited in between"]}])

    class Slow(rig.Notes):
        def lacks(self, survivor: Any, loser: Any) -> Sequence[str]:
            for body in edits:
                rig.edit(user, UUID(loser["id"]), body)
            return []

    with expanded(target_url, Slow()) as work:
        deduplicate(work)
    assert rig.old(user) == {str(loser): {"lines": ["edited in between"]}}
    assert archive(user).keys() == {stays}
