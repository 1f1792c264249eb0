"""Turns: one holder for each subject, given back however it ends, and no end of the pool."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from maquette.db.engine import Database
from maquette.db.turns import turn
from maquette.errors import Conflict, StaleLease

HOLDERS = 30  # the pool has 25 connections


def take(database: Database, subject: str = "farm", *, seed: int = 1) -> None:
    with turn(database, subject, seed=seed, busy=f"{subject} is taken", lost="gone"):
        pass


def holders(database: Database) -> list[str]:
    """What the connections with a turn do."""
    held = "SELECT state FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' "
    with database.begin() as session:
        return list(session.execute(sa.text(held + "AND datname = current_database()")).scalars())


def test_a_turn_is_held_by_one_at_a_time(database: Database) -> None:
    with turn(database, "farm", seed=1, busy="taken", lost="gone") as held:
        held.require()
        with pytest.raises(Conflict, match="farm is taken") as caught:
            take(database)
        assert caught.value.code == "busy"
        take(database, "ocean")
        take(database, seed=2)
        assert held.held()
    take(database)


def test_a_turn_is_given_back_when_its_work_breaks_off(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt), turn(database, "farm", seed=1, busy="taken", lost="gone"):
            raise KeyboardInterrupt
    assert holders(database) == []


def test_who_holds_a_turn_is_in_no_transaction(database: Database) -> None:
    with turn(database, "farm", seed=1, busy="taken", lost="gone"):
        assert holders(database) == ["idle"]


def test_a_lost_connection_is_a_lost_turn(database: Database) -> None:
    with turn(database, "farm", seed=1, busy="taken", lost="publish again") as held:
        with database.begin() as session:
            cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            cut += "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            assert session.execute(sa.text(cut)).scalars().all() == [True]
        for _ in range(2):
            assert not held.held()
            with pytest.raises(StaleLease, match="publish again"):
                held.require()
        take(database)


def test_a_turn_takes_no_connection_of_the_pool(database: Database) -> None:
    together = threading.Barrier(HOLDERS)

    def work(number: int) -> int:
        with turn(database, f"farm {number}", seed=1, busy="taken", lost="gone") as held:
            together.wait(20)
            with database.begin() as session:
                found = session.execute(sa.text("SELECT CAST(:number AS int)"), {"number": number}).scalar_one()
            together.wait(20)
            assert held.held()
            return int(found)

    with ThreadPoolExecutor(HOLDERS) as pool:
        assert list(pool.map(work, range(HOLDERS))) == list(range(HOLDERS))
    assert holders(database) == []
