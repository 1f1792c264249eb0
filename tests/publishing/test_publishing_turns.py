"""One at a time: crowds, lost connections, and what happens without each guard."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from maquette.db.engine import Database
from maquette.errors import Conflict, MaquetteError, StaleLease, StorageError
from maquette.publishing import service
from maquette.publishing.files import Shelf
from maquette.publishing.models import Universe, UniverseFile
from maquette.publishing.reading import read_universe
from maquette.publishing.service import Publisher
from maquette.publishing.tables import Publication, PublicationState
from maquette.publishing.target import Production
from maquette.storage.buckets.folder import FolderBucket
from tests.publishing.rig import (
    FailingBucket,
    a_universe,
    an_asset,
    contents,
    expected,
    files_of,
    publications,
    publish,
    rows_of,
    values_of,
)

Made = tuple[Universe, list[UniverseFile]]


def a_variant(number: int, folder: Path) -> Made:
    assets = tuple(an_asset(place, display_name=f"{number} {place}") for place in range(1 + number % 4))
    universe = a_universe(assets=assets, name=f"Variant {number}")
    return universe, files_of(universe, folder / "made", take=f"take {number}")


def whole(production: Production, bucket: FolderBucket, made: Made) -> bool:
    universe, files = made
    with production.transaction() as connection:
        return read_universe(connection, universe.slug) == universe and contents(bucket) == expected(universe, files)


def test_a_crowd_publishes_one_after_the_other(
    database: Database, production: Production, bucket: FolderBucket, tmp_path: Path
) -> None:
    variants = [a_variant(number, tmp_path) for number in range(8)]
    together = threading.Barrier(len(variants))
    refusals: list[str] = []

    def one(made: Made) -> int:
        publisher = Publisher(database, production, bucket, files_at_once=2)
        patience = threading.Event()
        together.wait()
        while True:
            try:
                return publish(publisher, *made).univers_id
            except Conflict as error:
                refusals.append(error.code)
                patience.wait(0.01)

    with ThreadPoolExecutor(len(variants)) as pool:
        ids = set(pool.map(one, variants))
    assert len(ids) == 1 and set(refusals) == {"busy"}
    found = publications(database)
    assert [each.state for each in found] == [PublicationState.PUBLISHED] * len(variants)
    last = max(found, key=lambda each: str(each.finished_at))
    assert [whole(production, bucket, made) for made in variants].count(True) == 1
    assert whole(production, bucket, next(made for made in variants if made[0].name == last.universe["name"]))


def test_two_universes_do_not_wait_for_each_other(
    database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    universe, files = a_variant(1, tmp_path)
    with standing(
        monkeypatch, "publish-before-commit", lambda: publish(Publisher(database, production, bucket), universe, files)
    ):
        other = universe.model_copy(update={"slug": "ocean"})
        publish(Publisher(database, production, bucket), other, files)
    with production.transaction() as connection:
        assert {*connection.execute(sa.text("SELECT slug FROM univers")).scalars()} == {"jungle", "ocean"}


@contextmanager
def standing(monkeypatch: pytest.MonkeyPatch, point: str, work: Callable[[], Any]) -> Iterator[list[BaseException]]:
    """``work`` in a thread that stands at the crash point while the block runs; what it raised, after that."""
    reached, go_on = threading.Event(), threading.Event()
    raised: list[BaseException] = []
    main = threading.main_thread()

    def stand(name: str) -> None:
        if name == point and threading.current_thread() is not main and not reached.is_set():
            reached.set()
            assert go_on.wait(30)

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    monkeypatch.setattr(service, "crash_point", stand)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert reached.wait(30), raised
        yield raised
    finally:
        go_on.set()
        thread.join()


def cut_turn(database: Database) -> None:
    """End the connection that holds a turn, as a network does, or a server that is started again."""
    with database.engine.connect() as connection:
        holder = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        holder += "WHERE locktype = 'advisory' AND datname = current_database() AND pid <> pg_backend_pid()"
        assert connection.execute(sa.text(holder)).scalars().all() == [True]
        connection.rollback()


@pytest.mark.parametrize("stands_at", ["publish-after-backup", "publish-between-files"])
def test_who_lost_his_turn_writes_nothing_more(
    database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    stands_at: str,
) -> None:  # fmt: skip
    first, second, third = (a_variant(number, tmp_path) for number in (3, 2, 1))
    publisher = Publisher(database, production, bucket, files_at_once=1)
    publish(publisher, *first)
    with standing(monkeypatch, stands_at, lambda: publish(publisher, *second)) as raised:
        cut_turn(database)
        publish(publisher, *third)  # it undoes the second, which stands still
        assert whole(production, bucket, third)
        before = rows_of(production.engine)
    assert [type(error) for error in raised] == [StaleLease]
    assert rows_of(production.engine) == before
    assert whole(production, bucket, third)
    assert [each.state for each in publications(database)] == ["published", "undone", "published"]


def test_a_commit_under_way_is_waited_for(
    database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (a_variant(number, tmp_path) for number in (3, 2))
    publisher = Publisher(database, production, bucket)
    publish(publisher, *first)
    found: list[PublicationState | None] = []
    with standing(monkeypatch, "publish-before-commit", lambda: publish(publisher, *second)) as raised:
        cut_turn(database)
        recovering = threading.Thread(target=lambda: found.append(publisher.recover("jungle")))
        recovering.start()
        waiting = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        patience = threading.Event()
        while True:
            with production.transaction() as connection:
                if connection.scalar(waiting):
                    break
            patience.wait(0.01)
        assert found == []
    recovering.join()
    assert (raised, found) == ([], [PublicationState.PUBLISHED])
    assert whole(production, bucket, second)
    assert publications(database)[-1].error_code is None


# Each guard taken away, something above would fail. What follows shows it for those that nothing else would notice.


@contextmanager
def no_turn(*_: object) -> Iterator[Any]:
    class Always:
        def held(self) -> bool:
            return True

        def require(self) -> None:
            pass

    yield Always()


def test_without_turns_two_publications_mix(
    database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (a_variant(number, tmp_path) for number in (3, 2, 1))
    publisher = Publisher(database, production, bucket, files_at_once=1)
    publish(publisher, *first)
    monkeypatch.setattr(service, "turn", no_turn)
    with standing(monkeypatch, "publish-between-files", lambda: publish(publisher, *second)):
        publish(publisher, *third)
    assert not any(whole(production, bucket, made) for made in (first, second, third))


def _broken(database: Database, production: Production, bucket: FolderBucket, made: Made, *, fails_at: int) -> None:
    failing = FailingBucket(bucket, fails_at=fails_at, for_good=True)
    with pytest.raises(StorageError):
        publish(Publisher(database, production, failing, files_at_once=1), *made)


def test_without_the_record_before_the_first_file_nothing_goes_back(
    database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = a_variant(3, tmp_path)
    publish(Publisher(database, production, bucket), *first)
    monkeypatch.setattr(Publisher, "_switch", lambda *_: None)
    second = first[0], files_of(first[0], tmp_path / "made", take="second")
    _broken(database, production, bucket, second, fails_at=6 + 12 + 4)
    Publisher(database, production, bucket).recover("jungle")
    assert not whole(production, bucket, first)


def test_without_copies_there_is_no_way_back(
    database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = a_variant(3, tmp_path)
    publish(Publisher(database, production, bucket), *first)
    with monkeypatch.context() as patched:
        patched.setattr(Shelf, "back_up", lambda self, replaced, _: replaced)
        second = first[0], files_of(first[0], tmp_path / "made", take="second")
        _broken(database, production, bucket, second, fails_at=6 + 4)
    publisher = Publisher(database, production, bucket)
    with pytest.raises(StorageError, match="cannot be put back"):
        publisher.recover("jungle")
    assert publisher.unfinished() == ["jungle"]  # it is said again until somebody puts the file there
    for file in first[1]:
        bucket.put(f"jungle/{file.name}", file.path, media_type=file.media_type)
    assert publisher.recover("jungle") == PublicationState.UNDONE
    assert whole(production, bucket, first)


class Killed(BaseException):
    """Stands for the end of the process."""


def test_without_the_record_before_the_commit_the_files_would_leave_their_rows(
    database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (a_variant(number, tmp_path) for number in (3, 2))
    publisher = Publisher(database, production, bucket)
    publish(publisher, *first)

    def kill(name: str) -> None:
        if name == "publish-after-commit":
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(service, "crash_point", kill)
        with pytest.raises(Killed):
            publish(publisher, *second)
    with database.begin() as session:
        session.execute(sa.update(Publication).values(univers_id=None))
    assert publisher.recover("jungle") == PublicationState.UNDONE
    assert not any(whole(production, bucket, made) for made in (first, second))


def test_a_lost_answer_to_the_commit_is_looked_up(
    database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (a_variant(number, tmp_path) for number in (3, 2))
    publisher = Publisher(database, production, bucket)
    publish(publisher, *first)
    before = values_of(production.engine)
    inner = production.transaction

    @contextmanager
    def losing(*, read_only: bool = False) -> Iterator[sa.Connection]:
        with inner(read_only=read_only) as connection:
            yield connection
        raise MaquetteError("the answer to the commit was lost")

    with monkeypatch.context() as patched:
        patched.setattr(production, "transaction", losing)
        with pytest.raises(MaquetteError, match="lost"):
            publish(publisher, *second)
    # Nobody could be asked then: it stays open, and is not undone.
    assert publications(database)[-1].state == PublicationState.SWITCHING
    assert publisher.recover("jungle") == PublicationState.PUBLISHED
    assert whole(production, bucket, second) and values_of(production.engine) != before
