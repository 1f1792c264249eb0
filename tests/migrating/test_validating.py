"""The validation finds what is wrong, on grounds of its own."""

import pytest

from maquette.errors import Conflict
from maquette.migrating import expanding
from maquette.migrating.backfill import backfill
from maquette.migrating.source import Connection
from maquette.migrating.validating import accounting, validate
from maquette.migrating.work import Work
from tests.migrating import life, rig

_FAULTS = {
    "inverse(new) is not old": "UPDATE notes_v2_new SET body = jsonb_set(body, '{text}', '\"other\"')",
    "model: body.text": 'UPDATE notes_v2_new SET body = \'{"kind": "note"}\'',
    "title, updated_at changed without a note": "UPDATE notes SET title = 'other'",
    "1 rows are missing": "DELETE FROM notes_v2_new",
    "1 are there without an old row": "DELETE FROM notes",
}


def _behind_our_back(user: Connection, statement: str) -> None:
    with user.transaction():
        user.execute("SET LOCAL session_replication_role = replica")
        user.execute(statement.encode())


def _ready(work: Work) -> None:
    expanding.expand(work)
    backfill(work)


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_fault_is_found_and_told(target_url: str, user: Connection, fault: str) -> None:
    note = rig.add(user)
    with rig.held(target_url) as work:
        _ready(work)
        validate(work)
        user.execute("DELETE FROM maquette_migrating.cursors WHERE phase = 'validate'")
        _behind_our_back(user, _FAULTS[fault])
        with pytest.raises(Conflict) as told:
            validate(work)
        assert told.value.code == "migration_invalid"
        assert fault in str(told.value)
        assert str(note) in str(told.value) or "rows are missing" in str(told.value)
        # Put right, it is checked anew and passes.
        user.execute("TRUNCATE notes CASCADE")
        assert validate(work).rows == 0


def test_writes_that_wait_are_followed_and_checked(target_url: str, user: Connection) -> None:
    notes = [rig.add(user) for _ in range(5)]
    with rig.held(target_url) as work:
        _ready(work)
        rig.edit(user, notes[0], {"lines": ["edited"]})
        rig.edit_new(user, notes[1], "edited")
        report = validate(work)
        assert report.rows == 5 and report.detail["moving"] == 0 and report.detail["pending"] == 0


def test_a_killed_validation_goes_on(target_url: str, user: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.fill(user, 120)
    with rig.held(target_url) as work:
        _ready(work)
        life.kill_at(monkeypatch, "migrating-mid-validate", module="validating")
        life.killed(lambda: validate(work))
        monkeypatch.undo()
        assert validate(work).rows == 120


def test_each_row_is_counted_where_it_is(target_url: str, user: Connection) -> None:
    rig.fill(user, 4)
    rig.add(user, {"bad": 1})
    with rig.held(target_url) as work:
        _ready(work)
        rig.add(user)
        found = accounting(work)
        assert (found.rows, found.new, found.quarantined, found.pending) == (6, 4, 1, 1)
        assert found.holds
