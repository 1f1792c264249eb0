"""The event log: no gaps, no reordering, and a wake-up for who listens."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg

from maquette.db.engine import Database
from maquette.events import service as events


def test_sequences_have_no_gaps_among_many_writers(database: Database) -> None:
    def append(number: int) -> int:
        with database.begin() as session:
            return events.append(session, "video_a", "block", {"n": number})

    with ThreadPoolExecutor(12) as pool:
        given = list(pool.map(append, range(60)))
    assert sorted(given) == list(range(1, 61))
    with database.begin() as session:
        assert [event.seq for event in events.since(session, "video_a", seq=57)] == [58, 59, 60]
        assert events.last_seq(session, "video_a") == 60
        assert events.last_seq(session, "video_b") == 0


def test_a_reader_never_sees_a_later_event_first(database: Database) -> None:
    written = threading.Event()
    with database.begin() as first:
        assert events.append(first, "video_a", "status", {}) == 1

        def second() -> None:
            with database.begin() as session:
                assert events.append(session, "video_a", "status", {}) == 2
            written.set()

        thread = threading.Thread(target=second)
        thread.start()
        assert not written.wait(0.2)  # it waits for the first to commit
    thread.join()
    assert written.is_set()


def test_listeners_hear_of_it_when_it_commits(database: Database) -> None:
    with psycopg.connect(database.libpq_url, autocommit=True) as connection:
        connection.execute(f"LISTEN {events.CHANNEL}")
        with database.begin() as session:
            events.append(session, "video_a", "status", {})
        heard = next(connection.notifies(timeout=5, stop_after=1))
    assert heard.payload == "video_a"
