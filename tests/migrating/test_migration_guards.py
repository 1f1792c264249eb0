"""What each guard is for: with it taken away, a write is lost or a runner that was overtaken writes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from maquette.errors import StaleLease
from maquette.migrating.backfill import backfill
from maquette.migrating.expanding import expand
from maquette.migrating.following import drain, follow, pending
from maquette.migrating.models import SCHEMA
from maquette.migrating.source import Connection
from maquette.migrating.work import Work, fence
from tests.migrating import life, rig
from tests.migrating.test_following import Interrupted

Without = Callable[[str, str], None]


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Without:
    """Takes a guard out of every statement: replaces its words by others."""
    execute = psycopg.Connection.execute

    def take_out(guard: str, instead: str) -> None:
        found: list[str] = []

        def unguarded(self: Connection, query: object, *rest: object, **options: object) -> object:
            text = query.as_string() if isinstance(query, psycopg.sql.Composed) else query
            if isinstance(text, str) and guard in text:
                found.append(text)
                query = text.replace(guard, instead).encode()
            return execute(self, query, *rest, **options)  # type: ignore[call-overload]

        monkeypatch.setattr(psycopg.Connection, "execute", unguarded)

    return take_out


@contextmanager
def migrating(url: str, user: Connection) -> Iterator[tuple[Work, Interrupted]]:
    """Notes of both shapes, and a migration that may be interrupted while it reckons."""
    migration = Interrupted()
    with rig.held(url, migration) as work:
        expand(work)
        backfill(work)
        yield work, migration


def said(side: dict[str, object], note: object) -> object:
    return life.said(side[str(note)])


@pytest.mark.parametrize("is_there", [True, False])
def test_the_epoch_stops_a_runner_that_was_overtaken(
    target_url: str, user: Connection, without: Without, is_there: bool
) -> None:
    note = rig.add(user)
    with migrating(target_url, user) as (work, _):
        rig.edit(user, note, {"lines": ["later"]})
        fence(user, work.run.id)
        if is_there:
            with pytest.raises(StaleLease):
                follow(work)
        else:
            without("WHERE id = %s AND epoch = %s FOR SHARE", "WHERE id = %s AND %s::int > 0")
            follow(work)
        assert pending(work) == (1 if is_there else 0)


@pytest.mark.parametrize("is_there", [True, False])
def test_taking_over_waits_for_a_transaction_under_way(
    target_url: str, user: Connection, without: Without, is_there: bool
) -> None:
    """Otherwise it would commit after somebody else has begun to work."""
    rig.fill(user, 3)
    user.execute("SET lock_timeout = '100ms'")
    with migrating(target_url, user) as (work, _):
        if not is_there:
            without(" FOR SHARE", "")
        with work.transaction() as connection:
            connection.execute("DELETE FROM notes_v2_new")
            if is_there:
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    fence(user, work.run.id)
            else:
                fence(user, work.run.id)
        epoch = user.execute(f"SELECT epoch FROM {SCHEMA}.runs").fetchone()
        assert epoch == (work.run.epoch if is_there else work.run.epoch + 1,)
        assert rig.new(user) == {}


@pytest.mark.parametrize("is_there", [True, False])
def test_a_note_of_each_old_write_brings_it_over(target_url: str, user: Connection, is_there: bool) -> None:
    note = rig.add(user, {"lines": ["earlier"]})
    with migrating(target_url, user) as (work, _):
        life.carry_out(work)
        if not is_there:
            user.execute("ALTER TABLE notes DISABLE TRIGGER maquette_note")
        rig.edit(user, note, {"lines": ["later"]})
        wanted = "later" if is_there else "earlier"
        assert said(rig.current(user), note) == wanted  # before it is followed
        drain(work, within_s=10)
        assert said(rig.current(user), note) == wanted


@pytest.mark.parametrize("is_there", [True, False])
def test_only_notes_that_were_seen_are_removed(
    target_url: str, user: Connection, without: Without, is_there: bool
) -> None:
    """A write that arrives while another one of its row is brought over has a note of its own."""
    note = rig.add(user)
    with migrating(target_url, user) as (work, migration):
        if not is_there:
            without(".changes WHERE seq = ANY (%s)", ".changes WHERE seq > 0 OR seq = ANY (%s)")
        rig.edit(user, note, {"lines": ["stop here"]})
        migration.meanwhile = lambda: rig.edit(user, note, {"lines": ["later"]})
        while pending(work):
            follow(work)
        assert said(rig.old(user), note) == "later"
        assert said(rig.new(user), note) == ("later" if is_there else "stop here")


@pytest.mark.parametrize("is_there", [True, False])
def test_what_the_engine_writes_leaves_no_note(
    target_url: str, user: Connection, without: Without, is_there: bool
) -> None:
    """Without its sign each of its own writes would be followed again, for ever."""
    note = rig.add(user)
    with migrating(target_url, user) as (work, _):
        if not is_there:
            without("SELECT set_config('maquette_migrating.applying', %s, true)", "SELECT set_config('a.b', %s, true)")
        rig.edit(user, note, {"lines": ["later"]})
        follow(work)
        assert (pending(work) == 0) is is_there
