"""The unique constraint: built while people write, spoilt by duplicates, taken away again."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from maquette.errors import Conflict, InvalidInput, StaleLease
from maquette.migrating import constraints
from maquette.migrating.constraints import Uniqueness, drop_unique, make_unique, statements, uniqueness
from maquette.migrating.definition import UniqueRule
from maquette.migrating.duplicates import deduplicate, remove_duplicates
from maquette.migrating.expanding import expand
from maquette.migrating.models import SCHEMA, PhaseReport
from maquette.migrating.source import Connection
from maquette.migrating.work import Work
from tests.migrating import rig

OWNER = UUID("00000000-0000-4000-8000-00000000000a")
RULE = UniqueRule(columns=("owner", "title"), constraint="one_note_by_title")


@contextmanager
def expanded(url: str) -> Iterator[Work]:
    with rig.held(url) as work:
        expand(work)
        yield work


def add(user: Connection, title: str = "x", updated_at: str = "2025-01-01 00:00:00+00") -> UUID:
    return rig.add(user, owner=OWNER, title=title, updated_at=updated_at)


def definition(user: Connection, name: str = RULE.constraint) -> str | None:
    found = user.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name]).fetchone()
    return None if found is None else found[0]


def own_indexes(user: Connection) -> list[str]:
    found = user.execute("SELECT relname::text FROM pg_class WHERE relname LIKE 'maquette\\_%\\_unique'")
    return [name for (name,) in found]


def test_duplicates_cannot_come_back(target_url: str, user: Connection) -> None:
    add(user)
    with expanded(target_url) as work:
        report = make_unique(work)
    assert definition(user) == "UNIQUE (owner, title)"
    assert report.detail == {"constraint": RULE.constraint, "added": True, "builds": 1}
    with pytest.raises(psycopg.errors.UniqueViolation):
        add(user)


def test_done_again_it_does_nothing(target_url: str, user: Connection) -> None:
    with expanded(target_url) as work:
        make_unique(work)
        assert make_unique(work).detail == {"constraint": RULE.constraint, "added": True, "builds": 0}


def meanwhile(work: Work, url: str, action: Callable[[], object]) -> PhaseReport:
    """Make unique, and do ``action`` once the index waits for a transaction of the caller's."""
    reports: list[PhaseReport] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            reports.append(make_unique(work))
        except BaseException as error:
            failures.append(error)

    runner = threading.Thread(target=run)
    runner.start()
    with rig.connected(url) as watcher:
        deadline = time.monotonic() + 20
        while not rig.waits_for_lock(watcher, "maquette migration"):
            assert time.monotonic() < deadline
            assert not failures, failures
    action()
    runner.join(30)
    if failures:
        raise failures[0]
    return reports[0]


def test_a_duplicate_that_arrives_while_it_is_built_is_merged_and_it_is_built_again(
    target_url: str, user: Connection
) -> None:
    first = add(user)
    with expanded(target_url) as work:
        user.execute("BEGIN")
        second = add(user, updated_at="2025-02-02 00:00:00+00")
        report = meanwhile(work, target_url, user.commit)
    assert report.detail["builds"] == 2
    assert rig.old(user).keys() == {str(second)}
    assert user.execute(f"SELECT key, survivor FROM {SCHEMA}.archive").fetchall() == [(str(first), str(second))]
    assert definition(user) == "UNIQUE (owner, title)"
    assert own_indexes(user) == []


def test_readers_and_writers_go_on_while_it_is_built(target_url: str, user: Connection) -> None:
    note = add(user)
    with expanded(target_url) as work, rig.connected(target_url) as other:
        other.execute("SET lock_timeout = '1ms'")
        user.execute("BEGIN")
        add(user, "open")

        def write() -> None:
            rig.edit(other, note, {"lines": ["edited"]})
            add(other, "another")
            assert len(rig.old(other)) == 2
            user.commit()

        meanwhile(work, target_url, write)
    assert rig.old(user)[str(note)] == {"lines": ["edited"]}
    assert len(rig.old(user)) == 3


def test_duplicates_without_end_are_given_up(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constraints, "_PAUSE_S", 0.0)

    def merge_and_add(work: Work, rule: UniqueRule) -> None:
        remove_duplicates(work, rule)
        add(user)
        add(user)

    monkeypatch.setattr(constraints, "remove_duplicates", merge_and_add)
    with expanded(target_url) as work, pytest.raises(Conflict, match="5 times"):
        make_unique(work)
    assert definition(user) is None
    assert own_indexes(user) == []


def test_an_old_transaction_that_never_ends_is_told(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constraints, "_PATIENCE_S", 0.1)
    with expanded(target_url) as work:
        with user.transaction():
            add(user)
            with pytest.raises(Conflict, match="pg_stat_activity"):
                make_unique(work)
        monkeypatch.setattr(constraints, "_PATIENCE_S", 60)
        # What the first try left is spoilt: it is dropped and built again.
        assert own_indexes(user) != []
        make_unique(work)
    assert definition(user) == "UNIQUE (owner, title)"


class Killed(BaseException):
    pass


def kill(name: str) -> None:
    assert name == "migrating-after-index"
    raise Killed


def test_killed_between_index_and_attachment_it_attaches_that_index(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with expanded(target_url) as work:
        with monkeypatch.context() as patch:
            patch.setattr(constraints, "crash_point", kill)
            with pytest.raises(Killed):
                make_unique(work)
        assert own_indexes(user) != []
        report = make_unique(work)
        assert report.detail["builds"] == 0
        drop_unique(work)
    assert definition(user) is None


def test_killed_there_and_rolled_back_it_leaves_no_index(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constraints, "crash_point", kill)
    with expanded(target_url) as work:
        with pytest.raises(Killed):
            make_unique(work)
        drop_unique(work)
    assert own_indexes(user) == []


def test_the_way_back_is_valid_sql_and_may_be_gone_twice(target_url: str, user: Connection) -> None:
    """Trap (d): ``DROP CONSTRAINT`` without ``ALTER TABLE`` is no statement."""
    add(user)
    with expanded(target_url) as work:
        make_unique(work)
        drop_unique(work)
        drop_unique(work)
    assert definition(user) is None
    add(user)


def test_a_constraint_that_was_there_before_stays(target_url: str, user: Connection) -> None:
    user.execute("ALTER TABLE notes ADD CONSTRAINT one_note_by_title UNIQUE (title, owner)")
    with expanded(target_url) as work:
        assert make_unique(work).detail == {"constraint": RULE.constraint, "added": False, "builds": 0}
        drop_unique(work)
    assert definition(user) == "UNIQUE (title, owner)"


def test_what_counts_as_the_rule(target_url: str, user: Connection) -> None:
    with rig.held(target_url) as work:
        for made, expected in {
            "CREATE UNIQUE INDEX other ON notes (title, owner)": Uniqueness.KEPT,
            "CREATE UNIQUE INDEX other ON notes (owner) INCLUDE (title)": Uniqueness.MISSING,
            "CREATE UNIQUE INDEX other ON notes (owner, title) WHERE title <> ''": Uniqueness.MISSING,
            "CREATE UNIQUE INDEX other ON notes (owner, lower(title))": Uniqueness.MISSING,
            "CREATE UNIQUE INDEX other ON notes (owner, title, updated_at)": Uniqueness.MISSING,
            "ALTER TABLE notes ADD CONSTRAINT other UNIQUE (owner, title) DEFERRABLE": Uniqueness.MISSING,
            "ALTER TABLE notes ADD CONSTRAINT one_note_by_title CHECK (title <> '')": Uniqueness.NAME_TAKEN,
            "CREATE TABLE one_note_by_title ()": Uniqueness.NAME_TAKEN,
        }.items():
            with user.transaction(force_rollback=True):
                user.execute(made.encode())
                assert uniqueness(user, work.source, RULE) == expected, made
        user.execute("ALTER TABLE notes ADD CONSTRAINT one_note_by_title UNIQUE (title)")
        with pytest.raises(InvalidInput, match="rename it"):
            make_unique(work)


def test_a_run_that_was_taken_over_builds_nothing(target_url: str, user: Connection) -> None:
    with expanded(target_url) as work:
        user.execute(f"UPDATE {SCHEMA}.runs SET epoch = epoch + 1")
        with pytest.raises(StaleLease):
            make_unique(work)
    assert own_indexes(user) == []


def test_it_executes_what_the_plan_shows_under_the_lock_that_it_names(target_url: str, user: Connection) -> None:
    with expanded(target_url) as work:
        index, attach = statements(work.source, work.migration)
        user.execute(index.sql.encode())
        with user.transaction():
            user.execute(attach.sql.encode())
            held = user.execute(
                "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'notes'::regclass"
            ).fetchall()
        assert attach.lock in {mode for (mode,) in held}
        assert definition(user) == "UNIQUE (owner, title)"


def test_names_that_need_quotes(target_url: str, user: Connection) -> None:
    class Odd(rig.Notes):
        unique = UniqueRule(columns=("Own\"er's", "title"), constraint='One "note" 100%')

    user.execute(sql.SQL("ALTER TABLE notes ADD {} int DEFAULT 1").format(sql.Identifier("Own\"er's")))
    rig.add(user, title="x")
    rig.add(user, title="x", updated_at="infinity")
    with rig.held(target_url, Odd()) as work:
        expand(work)
        assert deduplicate(work).rows == 1
        make_unique(work)
        assert definition(user, 'One "note" 100%') is not None
        drop_unique(work)
        assert definition(user, 'One "note" 100%') is None
