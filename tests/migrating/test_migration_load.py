"""People go on working at 200 requests a second through the whole migration: no request fails and no edit is lost."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from benchmarks.live_load import LiveLoad, Outcome
from benchmarks.migrating import filled, lost_edits
from maquette.db.embedded import ensure_database
from maquette.migrating.models import SCHEMA, Options, RunStatus
from maquette.migrating.service import Migrations
from tests.migrating import life, manga, rig

pytestmark = pytest.mark.slow

ROWS: Final = 3_000
RATE: Final = 200.0
PEOPLE: Final = 4
OPTIONS: Final = Options(watch_s=0.5, window_s=2, soak_s=0, rehearse=False)
_EDIT: Final = """UPDATE manga_scripts_current
SET script_data = jsonb_set(jsonb_set(script_data, '{script,title}', %s), '{metadata,version}', '5') WHERE id = %s"""
_INSERT: Final = "INSERT INTO manga_scripts_current (id, project_id, user_id, script_data) VALUES (%s, %s, %s, %s)"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server of its own with scripts, of which a hundred are duplicates."""
    with filled(tmp_path / "server", rows=ROWS, duplicates=100) as url:
        yield url


class NewShape:
    """People whose application has learned the new shape: they edit, insert and read it through the view."""

    def __init__(self, url: str, *, rate: float) -> None:
        self.outcome = Outcome()
        self._url, self._every = url, PEOPLE / rate
        self._stop, self._lock = threading.Event(), threading.Lock()
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT id, script_data FROM manga_scripts_current WHERE is_new LIMIT 2000")
            rows = found.fetchall()
        self._keys = [key for key, _ in rows]
        self._document = rows[0][1]
        self._threads = [threading.Thread(target=self._work, args=[number]) for number in range(PEOPLE)]

    def __enter__(self) -> "NewShape":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> Outcome:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        return self.outcome

    def _work(self, number: int) -> None:
        """Rows of one's own, so that each one's last mark is known."""
        keys: list[UUID] = self._keys[number::PEOPLE]
        with psycopg.connect(self._url, autocommit=True, application_name="new shape") as connection:
            turn, due = 0, time.monotonic()
            while not self._stop.wait(max(due - time.monotonic(), 0)):
                turn, due = turn + 1, due + self._every
                mark = f"new-{number}-{turn}"
                try:
                    if turn % 5 == 0:
                        key = uuid4()
                        script = {**self._document["script"], "title": mark}
                        connection.execute(_INSERT, [key, uuid4(), key, Jsonb({**self._document, "script": script})])
                        keys.append(key)
                    else:
                        key = keys[turn % len(keys)]
                        assert connection.execute(_EDIT, [Jsonb(mark), key]).rowcount == 1
                except Exception as error:  # whatever it is, a request has failed
                    with self._lock:
                        self.outcome.failed.append(f"{type(error).__name__}: {str(error).strip()[:200]}")
                    continue
                with self._lock:
                    self.outcome.requests += 1
                    self.outcome.edits[str(key)] = mark


def test_nobody_waits_in_vain_and_no_edit_is_lost(url: str, tmp_path: Path) -> None:
    migration = manga.migration()
    use = Migrations(url, migration, home=tmp_path / "home")
    with LiveLoad(url, rate=RATE) as people:
        with use.begin(use.plan(OPTIONS).hash, OPTIONS) as work:
            assert use.run_to_end(work).status == RunStatus.SOAKING
        soaking = people.stop()
    require_served(soaking)
    # Without a follower: readers find what was written last, though nobody has brought it over yet.
    assert lost(url, soaking, after=False) == 0

    back = ensure_database(url, "back", template="filled")
    use = Migrations(back, migration, home=tmp_path / "home")
    with LiveLoad(back, rate=RATE, seed=1) as people:
        assert life.eventually(lambda: use.status().pending > 100)
        assert use.roll_back().status == RunStatus.ROLLED_BACK
        since = people.stop()
    require_served(since)
    assert lost(back, soaking, since, after=True) == 0
    with rig.connected(back) as user:
        assert life.scaffold(user) == []

    use = Migrations(url, migration, home=tmp_path / "home")
    approve = use.contract_plan().hash
    with NewShape(url, rate=RATE / 2) as learned:
        assert life.eventually(lambda: learned.outcome.requests > 50)
        result = use.contract(approve)
        since = learned.stop()
    assert result.status == RunStatus.COMPLETED
    require_served(since)
    assert lost(url, soaking, since, after=True) == 0
    with rig.connected(url) as user:
        left = user.execute("SELECT count(*) FROM manga_scripts WHERE NOT script_data ? 'metadata'").fetchone()
        assert left == (0,)


def require_served(outcome: Outcome) -> None:
    assert outcome.failed == []
    assert outcome.requests > 50
    assert len(outcome.edits) > 50


def lost(url: str, *outcomes: Outcome, after: bool) -> int:
    """Last edits of rows that neither readers find nor the archive, where the older of two duplicates is whole."""
    edits: dict[str, str] = {}
    for outcome in outcomes:
        edits |= outcome.edits
    with rig.connected(url) as user:
        archived = dict(user.execute(f"SELECT key, row::text FROM {SCHEMA}.archive").fetchall())
    standing = {key: mark for key, mark in edits.items() if f'"{mark}"' not in archived.get(key, "")}
    return lost_edits(url, Outcome(edits=standing), is_ours=not after)
