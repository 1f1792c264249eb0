"""Every row that was there is brought over, in batches, whatever happens meanwhile."""

import psycopg
import pytest

from maquette.migrating import expanding
from maquette.migrating.backfill import backfill
from maquette.migrating.following import drain
from maquette.migrating.models import Phase
from maquette.migrating.pacing import LARGEST, SMALLEST, Pace, Throttle
from maquette.migrating.source import Connection
from maquette.migrating.validating import accounting, validate
from tests.migrating import life, rig
from tests.migrating.test_following import Interrupted


def test_every_row_is_brought_over_and_bad_ones_are_set_aside(target_url: str, user: Connection) -> None:
    rig.fill(user, 300)
    odd = [
        rig.add(user, text)
        for text in ("[]", "null", '"text"', "7", '{"a": 1.10}', '{"a": 12345678901234567890123}', "[1.0, true]")
    ]
    big = rig.add(user, {"lines": ["x" * 1_000_000] * 5})
    deep = rig.add(user, "[" * 5_000 + "]" * 5_000)
    bad = rig.add(user, {"bad": 1})
    alike = rig.add(user, {"kind": "note", "text": "a", "legacy": {"lines": ["a"]}})
    user.execute("UPDATE notes SET updated_at = 'infinity' WHERE id = %s", [odd[0]])
    with rig.held(target_url) as work:
        expanding.expand(work)
        report = backfill(work)
        assert report.rows == 311 and report.detail["quarantined"] == 3
        reasons: dict[str, str] = dict(user.execute("SELECT key, reason FROM maquette_migrating.quarantine").fetchall())
        assert reasons.keys() == {str(each) for each in (deep, bad, alike)}
        assert "too deep" in reasons[str(deep)] and "a bad note" in reasons[str(bad)]
        assert "is not the row" in reasons[str(alike)]
        assert {*map(str, odd), str(big)} <= rig.new(user).keys()
        validate(work)
        assert user.execute("SELECT body #>> '{legacy,a}' FROM notes_v2_new WHERE id = %s", [odd[4]]).fetchone() == (
            "1.10",
        )
        assert backfill(work).rows == 311


def test_an_empty_table_is_done_at_once(target_url: str) -> None:
    with rig.held(target_url) as work:
        expanding.expand(work)
        assert backfill(work).rows == validate(work).rows == 0


def test_a_killed_backfill_goes_on_where_it_was(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.fill(user, 200)
    with rig.held(target_url) as work:
        expanding.expand(work)
        life.kill_at(monkeypatch, "migrating-mid-backfill", module="backfill", after=2)
        life.killed(lambda: backfill(work))
        position, _, done = work.position(Phase.BACKFILL)
        assert position and 0 < done < 200
        monkeypatch.undo()
        assert backfill(work).rows == 200
        validate(work)
        assert len(rig.new(user)) == 200


@pytest.mark.parametrize(
    "statement", ["DELETE FROM notes", "TRUNCATE notes CASCADE", 'UPDATE notes SET body = \'{"lines": ["later"]}\'']
)
def test_what_is_written_between_reading_and_writing_a_batch_counts(
    target_url: str, user: Connection, statement: str
) -> None:
    migration = Interrupted()
    rig.add(user, {"lines": ["stop here"]})
    with rig.held(target_url, migration) as work:
        expanding.expand(work)
        user.execute("SELECT set_config('app.user', %s, false)", [str(rig.SOMEBODY)])
        migration.meanwhile = lambda: user.execute(statement.encode())
        backfill(work)
        assert accounting(work).holds
        assert rig.new(user).keys() == rig.old(user).keys()
        assert all(body["text"] == "later" for body in rig.new(user).values())


def test_without_its_look_at_the_old_table_a_truncated_row_comes_back(
    target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = Interrupted()
    rig.add(user, {"lines": ["stop here"]})
    execute = psycopg.Connection.execute

    def unguarded(self: Connection, query: object, *rest: object, **options: object) -> object:
        if isinstance(query, psycopg.sql.Composed) and "ON CONFLICT" in query.as_string():
            query = query.as_string().replace("WHERE EXISTS", "WHERE true OR EXISTS").encode()
        return execute(self, query, *rest, **options)  # type: ignore[call-overload]

    with rig.held(target_url, migration) as work:
        expanding.expand(work)
        migration.meanwhile = lambda: user.execute("TRUNCATE notes CASCADE")
        monkeypatch.setattr(psycopg.Connection, "execute", unguarded)
        backfill(work)
        assert accounting(work).strays == 1


def test_a_row_written_in_the_new_shape_before_its_turn_stays(target_url: str, user: Connection) -> None:
    note = rig.add(user, {"lines": ["a"]})
    with rig.held(target_url) as work:
        expanding.expand(work)
        rig.edit_new(user, note, "mine")
        backfill(work)
        drain(work, within_s=10)
        assert rig.new(user)[str(note)]["text"] == rig.old(user)[str(note)]["text"] == "mine"


def test_batches_are_steered_by_what_they_take() -> None:
    pace = Pace(batch_ms=100, max_lock_ms=40)
    for _ in range(20):
        pace.learn(total_ms=1, lock_ms=0.1)
    assert pace.size == LARGEST
    pace.learn(total_ms=400, lock_ms=1)
    assert pace.size == LARGEST // 4
    pace.learn(total_ms=10, lock_ms=40)
    assert pace.size == LARGEST // 8
    for _ in range(20):
        pace.learn(total_ms=1000, lock_ms=1)
    assert pace.size == SMALLEST


def test_it_waits_for_replicas_and_for_readers_and_follows_meanwhile(target_url: str) -> None:
    lags, probes = iter([9.0, 9.0, 0.0]), iter([1.0, 1.0, 1.0, 90.0, 1.0])
    followed: list[int] = []
    with rig.held(target_url) as work:
        throttle = Throttle(
            work, lag_s=lambda _: next(lags, 0.0), probe_ms=lambda _: next(probes, 1.0), pause=lambda _: None
        )
        throttle.wait(lambda: followed.append(1))
        assert len(followed) == 2
        throttle.wait(lambda: followed.append(2))
        assert followed == [1, 1, 2] and throttle.waited_s > 0
        Throttle(work).wait(lambda: followed.append(3))
        assert 3 not in followed
