"""Publishing whole: what arrives, what a second time changes, what goes, and what is refused."""

import hashlib
import logging
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from maquette.db.engine import Database
from maquette.errors import ConfigurationError, Conflict, InvalidInput, MaquetteError, NotFound, StorageError, Transient
from maquette.publishing.connection import connect
from maquette.publishing.models import Universe
from maquette.publishing.reading import read_universe
from maquette.publishing.service import Publisher, publisher_from_settings
from maquette.publishing.tables import PublicationState
from maquette.publishing.target import Production
from maquette.settings import Settings
from maquette.storage.buckets.folder import FolderBucket
from tests.publishing.rig import (
    FailingBucket,
    a_file,
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


def test_rows_and_files_arrive(
    publisher: Publisher, production: Production, bucket: FolderBucket, tmp_path: Path
) -> None:
    universe = a_universe()
    files = files_of(universe, tmp_path / "made")
    planned = publisher.plan(universe, files)
    found = publish(publisher, universe, files)
    assert contents(bucket) == expected(universe, files)
    with production.transaction() as connection:
        assert read_universe(connection, "jungle") == universe
        thumbnail, music = connection.execute(sa.text("SELECT thumbnail_url, background_music FROM univers")).one()
    assert (thumbnail, music) == ("https://files.example/univers/jungle/00_monkey.png", "music_fr.mp3")
    assert (found.slug, found.assets_count, found.files_uploaded) == ("jungle", 3, 5)
    assert found.storage_url == "https://files.example/univers/jungle"
    assert found.changes == planned
    kinds = [(each.kind, each.where) for each in found.changes]
    assert kinds.count(("upload", "files")) == 5
    assert kinds.count(("insert", "univers_assets_translations")) == 15
    assert len(kinds) == 5 + 1 + 5 + 1 + 2 + 3 + 15 + 3


def test_a_second_time_changes_nothing(
    publisher: Publisher, production: Production, bucket: FolderBucket, tmp_path: Path
) -> None:
    universe = a_universe()
    files = files_of(universe, tmp_path / "made")
    first = publish(publisher, universe, files)
    before = rows_of(production.engine)
    modified = {path: path.stat().st_mtime_ns for path in bucket.root.rglob("*")}
    assert publisher.plan(universe, files) == []
    again = publish(publisher, universe, files)
    assert (again.changes, again.files_uploaded, again.univers_id) == ([], 0, first.univers_id)
    assert rows_of(production.engine) == before
    assert {path: path.stat().st_mtime_ns for path in bucket.root.rglob("*")} == modified


def test_only_what_differs_is_touched(
    publisher: Publisher, production: Production, bucket: FolderBucket, tmp_path: Path
) -> None:
    universe = a_universe(3)
    publish(publisher, universe, files_of(universe, tmp_path / "made"))
    before = {name: set(found) for name, found in rows_of(production.engine).items()}
    assets = (an_asset(0), an_asset(1, "owl", names={"fr": "hibou"}))
    changed = universe.model_copy(update={"assets": assets, "songs": universe.songs[:1]})
    files = files_of(changed, tmp_path / "made")
    files[0] = a_file(tmp_path / "made", files[0].name, "another take")
    found = publish(publisher, changed, files)
    after = {name: set(found) for name, found in rows_of(production.engine).items()}
    assert {name: (len(before[name] - after[name]), len(after[name] - before[name])) for name in before} == {
        "univers": (0, 0), "univers_prompts": (0, 0), "univers_translations": (0, 0), "univers_music_prompts": (1, 0),
        "univers_assets": (2, 1), "univers_assets_prompts": (2, 1), "univers_assets_translations": (10, 5),
    }  # fmt: skip
    with production.transaction() as connection:
        names = sa.text("SELECT language, t.display_name FROM univers_assets_translations t JOIN univers_assets a "
                        "ON a.id = asset_id WHERE sort_order = 1 ORDER BY 1")  # fmt: skip
        assert [tuple(row) for row in connection.execute(names)] == [
            ("de", "owl"), ("en", "owl"), ("es", "owl"), ("fr", "hibou"), ("it", "owl"),
        ]  # fmt: skip
        touched = connection.execute(sa.text("SELECT sort_order FROM univers_assets WHERE updated_at IS NOT NULL"))
        assert touched.scalars().all() == [1]
    assert contents(bucket) == expected(changed, files)
    told = {(each.kind, each.key) for each in found.changes if each.where == "files"}
    assert told == {
        ("replace", "00_monkey.png"), ("upload", "01_owl.png"), ("remove", "01_tree.png"), ("remove", "02_bird.png"),
        ("remove", "music_en.mp3"),
    }  # fmt: skip
    update = next(each for each in found.changes if each.where == "univers_assets" and each.kind == "update")
    assert (update.key, update.before, update.after) == (
        "01", {"image_name": "01_tree.png", "display_name": "tree"},
        {"image_name": "01_owl.png", "display_name": "owl"},
    )  # fmt: skip


def test_files_and_columns_of_others_stay(
    publisher: Publisher, production: Production, bucket: FolderBucket, tmp_path: Path
) -> None:
    universe = a_universe(2)
    files = files_of(universe, tmp_path / "made")
    theirs = {"jungle/theirs.png": b"t", "jungle/00_monkey.png": files[0].path.read_bytes(), "ocean/00_fish.png": b"o"}
    for name, data in theirs.items():
        (bucket.root / name).parent.mkdir(parents=True, exist_ok=True)
        (bucket.root / name).write_bytes(data)
    assert publish(publisher, universe, files).files_uploaded == 3  # the first was there already
    owner = uuid4()
    with production.transaction() as connection:
        connection.execute(sa.text("UPDATE univers SET owner_id = :owner"), {"owner": owner})
    (bucket.root / "jungle" / "01_tree.png").write_bytes(b"replaced by somebody")
    none = universe.model_copy(update={"assets": (), "songs": (), "thumbnail_name": None, "name": "Forest"})
    publish(publisher, none, [])
    assert contents(bucket) == {**theirs, "jungle/01_tree.png": b"replaced by somebody"}
    with production.transaction() as connection:
        assert connection.execute(sa.text("SELECT name, owner_id, thumbnail_url FROM univers")).one() == (
            "Forest",
            owner,
            None,
        )
    publish(publisher, none.model_copy(update={"owner_id": (mine := uuid4())}), [])
    with production.transaction() as connection:
        assert connection.scalar(sa.text("SELECT owner_id FROM univers")) == mine


def test_rows_that_are_there_twice_become_one(publisher: Publisher, production: Production, tmp_path: Path) -> None:
    universe = a_universe(2)
    files = files_of(universe, tmp_path / "made")
    publish(publisher, universe, files)
    with production.transaction() as connection:
        connection.execute(sa.text(
            "WITH twin AS (INSERT INTO univers_assets (univers_id, sort_order, image_name, display_name) "
            "SELECT univers_id, sort_order, image_name, 'twin' FROM univers_assets RETURNING id) "
            "INSERT INTO univers_assets_translations (asset_id, language, display_name) "
            "SELECT id, 'fr', 'jumeau' FROM twin"
        ))  # fmt: skip
    found = publish(publisher, universe, files)
    assert {each.kind for each in found.changes} <= {"delete", "update", "insert"}
    with production.transaction() as connection:
        assert read_universe(connection, "jungle") == universe
        assert connection.scalar(sa.text("SELECT count(*) FROM univers_assets")) == 2
        assert connection.scalar(sa.text("SELECT count(*) FROM univers_assets_translations")) == 10


def test_a_plan_changes_nothing_anywhere(database: Database, production_server: str, tmp_path: Path) -> None:
    url = sa.make_url(production_server)
    production = Production(connect(url.set(database="postgres")))  # there, and without our tables
    bucket = FolderBucket(tmp_path / "buckets" / "univers", public_url="")
    publisher = Publisher(database, production, bucket)
    universe = a_universe(1)
    note, *others = publisher.plan(universe, files_of(universe, tmp_path / "made"))
    assert note.kind == "prepare"
    assert "univers_assets" in note.key and "`maquette draft production`" in note.key
    assert {each.kind for each in others} == {"upload", "insert"}
    assert not bucket.root.exists() and publications(database) == []
    with pytest.raises(Conflict, match="run `maquette draft production`"):
        publish(publisher, universe, [])
    assert not bucket.root.exists() and publications(database) == []
    production.dispose()


def test_our_own_production_is_made_by_publishing_and_not_by_planning(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    known = sa.text("SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'production')")
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Of another test: all databases of this process are on one server.
        connection.exec_driver_sql("DROP DATABASE IF EXISTS production WITH (FORCE)")
    publisher = publisher_from_settings(settings, database)
    universe = a_universe(1)
    files = files_of(universe, tmp_path / "made")
    try:
        statements = publisher.production.prepare(dry_run=True)
        assert publisher.plan(universe, files)[0].kind == "prepare"
        with database.begin() as session:
            assert not session.execute(known).scalar()
        assert publish(publisher, universe, files).assets_count == 1
        assert publisher.production.prepare(dry_run=True) == []
        assert statements[0] == "CREATE DATABASE production" and len(statements) > 7
        assert publisher.plan(universe, files) == []
    finally:
        publisher.production.dispose()
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("DROP DATABASE IF EXISTS production WITH (FORCE)")


SECRET = "hunter2secret"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (f"postgresql://me:{SECRET}@127.0.0.1:1/x", Transient),
        (f"postgresql://me:pass@{SECRET}@127.0.0.1:1/x", Transient),
        (f"mysql://me:{SECRET}@127.0.0.1/x", ConfigurationError),
        (f"not a url {SECRET}", ConfigurationError),
        (f"postgresql://me:{SECRET}@127.0.0.1:port/x", ConfigurationError),
    ],
)
def test_a_production_that_cannot_be_reached_is_said_without_its_password(
    database: Database, settings: Settings, tmp_path: Path, url: str, kind: type[MaquetteError],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    told = settings.model_copy(update={"production_url": SecretStr(url)})
    universe = a_universe(1)
    with caplog.at_level(logging.DEBUG), pytest.raises(kind, match="MAQUETTE_PRODUCTION_URL") as caught:
        publish(publisher_from_settings(told, database), universe, files_of(universe, tmp_path / "made"))
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__
    assert SECRET not in caplog.text
    assert publications(database) == []


def test_a_database_that_is_named_like_ours_is_not_taken_for_it(database: Database, settings: Settings) -> None:
    same = Database(database.url.set(database="production").render_as_string(hide_password=False))
    with pytest.raises(ConfigurationError, match="MAQUETTE_PRODUCTION_URL"):
        publisher_from_settings(settings, same)


WRONG: list[tuple[Universe, str]] = [
    (a_universe(1, slug="a/b"), "no slug"),
    (a_universe(1, slug=".hidden"), "no slug"),
    (a_universe(1, slug="../x"), "no name"),
    (a_universe(1, assets=(an_asset(0), an_asset(0))), "place of an asset twice"),
    (a_universe(1, songs=a_universe(1).songs[:1] * 2), "language of a song twice"),
    (a_universe(1, name="Jun\0gle"), "control character"),
    (a_universe(1, name="\ud800"), "no Unicode"),
    (a_universe(1, thumbnail_name="../../x.png"), "no name"),
]


@pytest.mark.parametrize(("universe", "said"), WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_published_is_refused_before_anything_happens(
    publisher: Publisher, database: Database, bucket: FolderBucket, universe: Universe, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        publish(publisher, universe, [])
    assert publications(database) == [] and contents(bucket) == {}


def test_wrong_files_are_refused_before_anything_happens(
    publisher: Publisher, database: Database, tmp_path: Path
) -> None:
    universe = a_universe(1, name="the six characters \\u0000 are fine")
    good = a_file(tmp_path, "a.png", "a")
    for name, said in (("../a.png", "no name"), (".previous/1/a.png", "copies are kept"), ("a\nb", "no name")):
        with pytest.raises(InvalidInput, match=said):
            publish(publisher, universe, [good.model_copy(update={"name": name})])
    with pytest.raises(InvalidInput, match="file twice"):
        publish(publisher, universe, [good, good])
    with pytest.raises(NotFound, match="make it again"):
        publish(publisher, universe, [good.model_copy(update={"path": tmp_path / "none"})])
    assert publications(database) == []
    assert publish(publisher, universe, [good]).files_uploaded == 1


def test_a_file_that_is_not_what_it_is_said_to_be_is_not_published(
    publisher: Publisher, database: Database, production: Production, bucket: FolderBucket, tmp_path: Path
) -> None:
    universe = a_universe(1)
    publish(publisher, universe, files_of(universe, tmp_path / "made"))
    before = rows_of(production.engine), contents(bucket)
    files = [
        file.model_copy(update={"sha256": hashlib.sha256(b"x").hexdigest()}) for file in files_of(universe, tmp_path)
    ]
    with pytest.raises(StorageError, match="not what it was to be"):
        publish(publisher, universe, [*files, a_file(tmp_path, "new.png", "new")])
    assert (rows_of(production.engine), contents(bucket)) == before
    last = publications(database)[-1]
    assert (last.state, last.error_code, last.univers_id) == (PublicationState.FAILED, "storage", None)
    assert last.finished_at is not None and "not what it was to be" in (last.error_message or "")


@pytest.mark.parametrize("done", [False, True])
def test_a_bucket_that_fails_at_any_call_leaves_all_as_it_was(
    database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, done: bool
) -> None:
    universe = a_universe(3)
    publish(Publisher(database, production, bucket), universe, files_of(universe, tmp_path / "made"))
    before = values_of(production.engine), contents(bucket)
    changed = universe.model_copy(update={"assets": (an_asset(0, display_name="ape"), an_asset(1), an_asset(3))})
    files = files_of(changed, tmp_path / "made", take="second")
    after = None
    for number in range(1, 200):
        failing = FailingBucket(bucket, fails_at=number, done=done)
        publisher = Publisher(database, production, failing, files_at_once=1)
        try:
            publish(publisher, changed, files)
        except StorageError:
            assert (values_of(production.engine), contents(bucket)) == before, failing.calls
            assert publications(database)[-1].state == PublicationState.FAILED
            assert publisher.unfinished() == []
            continue
        # Whole: the only calls that may fail then are those that tidy up, and the next publication does that.
        after = values_of(production.engine)
        publish(Publisher(database, production, bucket), changed, files)
        assert contents(bucket) == expected(changed, files)
        assert values_of(production.engine) == after
        break
    assert after is not None and number > 20


def test_a_bucket_that_is_gone_for_good_is_settled_when_it_is_back(
    database: Database, production: Production, bucket: FolderBucket, tmp_path: Path
) -> None:
    universe = a_universe(3)
    publish(Publisher(database, production, bucket), universe, files_of(universe, tmp_path / "made"))
    before = rows_of(production.engine), contents(bucket)
    files = files_of(universe, tmp_path / "made", take="second")
    # Five digests, then for each of five files a copy and its digest, then a put and its digest for two of them.
    failing = FailingBucket(bucket, fails_at=5 + 10 + 4, for_good=True)
    with pytest.raises(StorageError, match="fails"):
        publish(Publisher(database, production, failing, files_at_once=1), universe, files)
    publisher = Publisher(database, production, bucket)
    assert contents(bucket) != before[1]
    assert publisher.unfinished() == ["jungle"]
    assert publications(database)[-1].state == PublicationState.SWITCHING
    assert publisher.recover("jungle") == PublicationState.UNDONE
    assert (rows_of(production.engine), contents(bucket)) == before
    assert (publisher.unfinished(), publisher.recover("jungle")) == ([], None)
    assert publications(database)[-1].error_code == "storage"  # the first reason, not that it was settled late


@pytest.mark.parametrize("table", ["univers_translations", "univers_assets", "univers_assets_prompts"])
def test_a_production_that_refuses_a_row_leaves_all_as_it_was(
    publisher: Publisher, database: Database, production: Production, bucket: FolderBucket, tmp_path: Path, table: str
) -> None:
    universe = a_universe(3)
    publish(publisher, universe, files_of(universe, tmp_path / "made"))
    before = values_of(production.engine), contents(bucket)
    with production.engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$; "
            f"CREATE TRIGGER refuse BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    assets = tuple(an_asset(place, f"new{place}", image_name=f"{place}.png") for place in range(3))
    changed = universe.model_copy(update={"assets": assets, "names": {"fr": "Autre"}})
    try:
        with pytest.raises(Conflict, match="not today"):
            publish(publisher, changed, files_of(changed, tmp_path / "made", take="second"))
        assert (values_of(production.engine), contents(bucket)) == before
        assert publications(database)[-1].state == PublicationState.FAILED
    finally:
        with production.engine.begin() as connection:
            connection.exec_driver_sql("DROP FUNCTION refuse CASCADE")


def test_a_row_that_others_refer_to_is_said(
    publisher: Publisher, production: Production, bucket: FolderBucket, tmp_path: Path
) -> None:
    universe = a_universe(2)
    publish(publisher, universe, files_of(universe, tmp_path / "made"))
    before = rows_of(production.engine), contents(bucket)
    with production.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE favourites AS SELECT id AS asset_id FROM univers_assets")
        connection.exec_driver_sql("ALTER TABLE favourites ADD FOREIGN KEY (asset_id) REFERENCES univers_assets (id)")
    try:
        fewer = universe.model_copy(update={"assets": universe.assets[:1]})
        with pytest.raises(Conflict, match="favourites"):
            publish(publisher, fewer, files_of(fewer, tmp_path / "made"))
        assert (rows_of(production.engine), contents(bucket)) == before
    finally:
        with production.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE favourites")


def test_a_number_that_no_column_holds_is_said(publisher: Publisher, production: Production) -> None:
    with pytest.raises(InvalidInput, match="takes no such value"):
        publish(publisher, a_universe(1, assets=(an_asset(2**40),)), [])
    assert not any(rows_of(production.engine).values())


def test_what_broke_off_at_another_target_is_left_to_it(
    publisher: Publisher, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    universe = a_universe(1)
    files = files_of(universe, tmp_path / "made")
    elsewhere = Publisher(database, publisher.production, FolderBucket(tmp_path / "other", public_url="/elsewhere"))
    # As after a kill: nothing is given up.
    monkeypatch.setattr(elsewhere, "_change_rows", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(elsewhere, "_give_up", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        publish(elsewhere, universe, files)
    assert elsewhere.target != publisher.target
    assert publisher.unfinished() == []
    assert publisher.recover(universe.slug) is None
    assert publish(publisher, universe, files).assets_count == 1
    assert elsewhere.unfinished() == [universe.slug]
    assert elsewhere.recover(universe.slug) == PublicationState.UNDONE
    assert elsewhere.unfinished() == []
