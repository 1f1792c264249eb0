"""SIGKILL at every named point: rows and files are then those of before or of after, never between."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from maquette.db.engine import Database
from maquette.errors import Conflict, StorageError
from maquette.publishing.models import Universe, UniverseFile
from maquette.publishing.service import Publisher
from maquette.publishing.tables import PublicationState
from maquette.publishing.target import Production
from maquette.storage.buckets.folder import FolderBucket
from tests.publishing.child import Task
from tests.publishing.rig import (
    FailingBucket,
    a_universe,
    an_asset,
    contents,
    expected,
    files_of,
    publications,
    publish,
    values_of,
)

pytestmark = pytest.mark.slow

_T = TypeVar("_T")
ROOT = Path(__file__).parents[2]
POINTS = {
    "publish-after-backup": PublicationState.UNDONE,
    "publish-between-files": PublicationState.UNDONE,
    "publish-before-commit": PublicationState.UNDONE,
    "publish-after-commit": PublicationState.PUBLISHED,
}


@pytest.fixture
def first(publisher: Publisher, tmp_path: Path) -> Universe:
    """Published already."""
    universe = a_universe(3)
    publish(publisher, universe, files_of(universe, tmp_path / "made"))
    return universe


def a_second(folder: Path) -> tuple[Universe, list[UniverseFile]]:
    """It replaces, adds and removes rows and files."""
    assets = (an_asset(0, display_name="ape"), an_asset(1, "owl"), an_asset(3))
    universe = a_universe(assets=assets, name="Second jungle", songs=a_universe().songs[:1])
    return universe, files_of(universe, folder / "made", take="second")


@contextmanager
def stopped_at(point: str, task: Task, folder: Path) -> Iterator[None]:
    """A process that publishes and stands at ``point`` while the block runs; it is killed there at its end."""
    told = folder / "task.json"
    told.write_text(task.model_dump_json())
    marker = folder / "home" / "rehearsal" / point
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.publishing.child", str(told)],
        cwd=ROOT,
        env={**os.environ, "MAQUETTE_HOME": str(folder / "home"), "MAQUETTE_CRASH_AT": point},
    )
    try:
        patience = threading.Event()
        while not marker.exists():
            assert process.poll() is None, "it ended before it reached its crash point"
            patience.wait(0.02)
        yield
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def when_free(work: Callable[[], _T]) -> _T:
    """``work`` as soon as the server has noticed that the killed process is gone, and with it its turn."""
    patience = threading.Event()
    while True:
        try:
            return work()
        except Conflict as error:
            if error.code != "busy":
                raise
            patience.wait(0.02)


def task_of(
    database: Database, production: Production, bucket: FolderBucket, universe: Universe, files: list[UniverseFile]
) -> Task:
    return Task(
        database_url=database.libpq_url,
        production_url=production.engine.url.render_as_string(hide_password=False),
        bucket=bucket.root,
        bucket_url="https://files.example/univers",
        universe=universe,
        files=files,
    )


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_before_or_after(
    publisher: Publisher, database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, point: str
) -> None:
    before = values_of(production.engine), contents(bucket)
    universe, files = a_second(tmp_path)
    with stopped_at(point, task_of(database, production, bucket, universe, files), tmp_path):
        assert publisher.unfinished() == ["jungle"]
        with pytest.raises(Conflict) as busy:
            publisher.recover("jungle")
        assert busy.value.code == "busy"
        torn = contents(bucket)
    assert torn != before[1] and torn != expected(universe, files)
    ended = when_free(lambda: publisher.recover("jungle"))
    assert ended == POINTS[point] == publications(database)[-1].state
    if ended == PublicationState.UNDONE:
        assert (values_of(production.engine), contents(bucket)) == before
        assert publications(database)[-1].error_code == "interrupted"
    else:
        assert contents(bucket) == expected(universe, files)
        assert publications(database)[-1].error_code is None
    # Whatever it was, it can be published now, and is whole then.
    publisher.publish(universe, files, subject="draft_child", content_hash="hash")
    assert contents(bucket) == expected(universe, files)
    assert publisher.plan(universe, files) == []
    assert (publisher.unfinished(), publisher.recover("jungle")) == ([], None)


@pytest.mark.usefixtures("first")
def test_the_next_publication_settles_what_broke_off(
    publisher: Publisher, database: Database, production: Production, bucket: FolderBucket, tmp_path: Path
) -> None:
    universe, files = a_second(tmp_path)
    with stopped_at("publish-between-files", task_of(database, production, bucket, universe, files), tmp_path):
        pass
    third = a_universe(2, name="Third jungle")
    third_files = files_of(third, tmp_path / "made", take="third")
    when_free(lambda: publish(publisher, third, third_files))
    assert contents(bucket) == expected(third, third_files)
    assert [each.state for each in publications(database)] == ["published", "undone", "published"]
    assert publisher.plan(third, third_files) == []


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("done", [False, True])
def test_a_recovery_that_breaks_off_may_be_begun_again(
    publisher: Publisher, database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, done: bool
) -> None:
    before = values_of(production.engine), contents(bucket)
    universe, files = a_second(tmp_path)
    # Four digests, one for each of two songs and pictures that go, then copies; it stops after some uploads.
    broken = FailingBucket(bucket, fails_at=16, for_good=True)
    with pytest.raises(StorageError):
        publish(Publisher(database, production, broken, files_at_once=1), universe, files)
    assert contents(bucket) != before[1]
    for number in range(1, 50):
        failing = FailingBucket(bucket, fails_at=number, done=done)
        try:
            ended = Publisher(database, production, failing, files_at_once=1).recover("jungle")
        except StorageError:
            continue
        if ended is not None:  # what tidies up may fail, and is left to the next publication
            break
    assert number > 3
    publish(publisher, a_universe(3), files_of(a_universe(3), tmp_path / "made"))
    assert (values_of(production.engine), contents(bucket)) == before
