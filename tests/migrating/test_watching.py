"""What makes a watch call a migration back, by rule and by what the database has seen."""

from collections.abc import Iterator

import psycopg
import pytest

from maquette.migrating import engine
from maquette.migrating.cutting_over import switch
from maquette.migrating.definition import Invariant
from maquette.migrating.models import SCHEMA, Options, Phase
from maquette.migrating.source import Connection
from maquette.migrating.watching import MIN_OBSERVED, Watch, Window, broken_invariant, judge, read_windows
from maquette.migrating.work import Work
from tests.migrating import rig


def window(requests: int, *, failed: int = 0, latency_s: float = 0.01, source: str = "application") -> Window:
    return Window(source=source, requests=requests, failed=failed, latency_s=latency_s)


def test_rates_above_the_limits_breach_and_the_limits_themselves_do_not() -> None:
    options = Options()
    assert judge([window(100, failed=5, latency_s=5.0)], options) is None
    failing = judge([window(100, failed=6)], options)
    assert failing is not None
    assert failing.trigger == "error_rate"
    assert "6 of 100 requests (application)" in failing.message
    slow = judge([window(100, latency_s=5.1)], options)
    assert slow is not None
    assert slow.trigger == "latency"


def test_a_single_failure_never_breaches_however_few_requests_there_are() -> None:
    for requests in range(1, 200):
        assert judge([window(requests, failed=1)], Options()) is None
    assert judge([window(MIN_OBSERVED - 1, failed=MIN_OBSERVED - 1, latency_s=60)], Options()) is None
    assert judge([window(MIN_OBSERVED, failed=2)], Options()) is not None


def test_good_probes_do_not_hide_an_application_that_fails() -> None:
    found = judge([window(30, failed=15), window(10_000, source="probe")], Options())
    assert found is not None
    assert "15 of 30" in found.message


@pytest.fixture
def work(target_url: str, user: Connection) -> Iterator[Work]:
    """Thirty notes, brought over and validated; all reads are old."""
    rig.fill(user, 30)
    with rig.held(target_url) as work:
        for phase in (Phase.EXPAND, Phase.BACKFILL, Phase.VALIDATE):
            engine.carry_out(work, phase)
        yield work


def observe(user: Connection, times: int, *, ok: bool = True, latency_ms: float = 3.0) -> None:
    for _ in range(times):
        user.execute("SELECT maquette_migrating.observe('notes_v2', %s, %s)", [ok, latency_ms])


def test_only_what_was_observed_since_the_reads_changed_counts(work: Work, user: Connection) -> None:
    observe(user, 25, ok=False)
    switch(work, 100, seen=0)
    assert read_windows(work.connection, "notes_v2", window_s=60) == []
    observe(user, 20, latency_ms=10)
    observe(user, 5, ok=False, latency_ms=2000)
    (seen,) = read_windows(work.connection, "notes_v2", window_s=60)
    assert (seen.source, seen.requests, seen.failed) == ("application", 25, 5)
    assert seen.latency_s > 1.5
    breach = Watch(work).look()
    assert breach is not None
    assert breach.trigger == "error_rate"


def test_the_window_slides_and_old_outcomes_are_pruned(work: Work, user: Connection) -> None:
    switch(work, 100, seen=0)
    user.execute(f"UPDATE {SCHEMA}.flags SET updated_at = updated_at - interval '1 day'".encode())
    observe(user, 30, ok=False)
    user.execute(f"UPDATE {SCHEMA}.outcomes SET at = at - interval '5 seconds'".encode())
    assert read_windows(work.connection, "notes_v2", window_s=1) == []
    assert read_windows(work.connection, "notes_v2", window_s=60)[0].failed == 30
    assert Watch(work).look() is None
    user.execute(f"UPDATE {SCHEMA}.outcomes SET at = at - interval '5 minutes'".encode())
    assert Watch(work).look() is None
    kept = user.execute(f"SELECT DISTINCT source FROM {SCHEMA}.outcomes".encode()).fetchall()
    assert kept == [("probe",)]


def test_probes_read_rows_in_turn_and_count_by_name(work: Work, user: Connection) -> None:
    switch(work, 100, seen=0)
    watch = Watch(work)
    for _ in range(7):
        assert watch.look() is None
    (seen,) = read_windows(work.connection, "notes_v2", window_s=60)
    assert (seen.source, seen.failed) == ("probe", 0)
    assert seen.requests == 30  # each row once, and then round again
    assert watch.looks == 7


def test_a_document_that_readers_cannot_use_is_a_failed_read(work: Work, user: Connection) -> None:
    switch(work, 100, seen=0)
    with user.transaction():
        user.execute("SELECT set_config('maquette_migrating.applying', 'notes_v2', true)")
        user.execute("UPDATE notes_v2_new SET body = '{\"kind\": 7}'")
    watch = Watch(work)
    breaches = [watch.look() for _ in range(5)]
    assert breaches[0] is None
    assert breaches[-1] is not None
    assert breaches[-1].trigger == "error_rate"


def test_a_view_that_cannot_be_read_in_time_is_a_failed_read(work: Work, user: Connection) -> None:
    switch(work, 100, seen=0)
    work.run.options = work.options.model_copy(update={"max_latency_s": 0.02})
    watch = Watch(work)
    keys = [key for (key,) in user.execute("SELECT id::text FROM notes ORDER BY id LIMIT 5")]
    assert watch._reads_well(keys[0])
    with user.transaction():
        user.execute("LOCK TABLE notes_v2_new IN ACCESS EXCLUSIVE MODE")
        assert not watch._reads_well(keys[0])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT count(*) FROM {current} WHERE body ->> 'kind' = 'note'", "30 rows break it"),
        ("SELECT 1 / 0 FROM {current}", "could not be checked: division by zero"),
        ("SELECT 1 WHERE false", "no answer"),
    ],
)
def test_an_invariant_breaks_at_once(work: Work, query: str, message: str) -> None:
    switch(work, 100, seen=0)
    assert broken_invariant(work) is None
    work.migration.invariants = (Invariant("a rule", query),)  # type: ignore[misc]  # of this one object
    breach = Watch(work).look()
    assert breach is not None
    assert breach.trigger == "invariant"
    assert message in breach.message


def test_a_row_that_is_in_neither_shape_breaks_the_accounting(work: Work, user: Connection) -> None:
    switch(work, 100, seen=0)
    with user.transaction():
        user.execute("SELECT set_config('maquette_migrating.applying', 'notes_v2', true)")
        user.execute("DELETE FROM notes_v2_new WHERE id IN (SELECT id FROM notes_v2_new LIMIT 2)")
    breach = Watch(work).look()
    assert breach is not None
    assert "do not add up" in breach.message


def test_the_application_may_report_without_rights_on_the_books(work: Work, user: Connection) -> None:
    user.execute("CREATE ROLE reporter_of_outcomes")
    try:
        user.execute("SET ROLE reporter_of_outcomes")
        observe(user, 1)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            user.execute(f"SELECT * FROM {SCHEMA}.outcomes".encode())
    finally:
        user.execute("RESET ROLE")
        user.execute("DROP OWNED BY reporter_of_outcomes")
        user.execute("DROP ROLE reporter_of_outcomes")
