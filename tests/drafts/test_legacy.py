"""Universes of every age become drafts: whole, once, and with nothing lost; what is bad is told, and stops no other."""

import json
import os
import signal
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import JsonValue
from sqlmodel import select

from maquette.db.engine import Database
from maquette.drafts import repository
from maquette.drafts.documents import Whole, asset_metadata, metadata, whole
from maquette.drafts.legacy import MigrationReport, migrate_legacy, read_universe
from maquette.drafts.legacy_mapping import arrival_of, moment_of, title_of
from maquette.drafts.legacy_remarks import is_chatter
from maquette.drafts.models import AssetChange, DraftChange
from maquette.drafts.service import Drafts
from maquette.drafts.sources import leaves, name_problem
from maquette.drafts.tables import Draft
from maquette.errors import InvalidInput
from maquette.library import service as library
from maquette.settings import Settings
from maquette.storage.port import Store
from tests.drafts import universes as made

DATA = Path(__file__).parents[3] / "shared" / "data" / "drafts"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real universes are not here")
Migrate = Callable[..., MigrationReport]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "storage" / "univers"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def migrate(database: Database, store: Store, settings: Settings, root: Path) -> Migrate:
    def run(source: Path = root, *, dry_run: bool = False, resume: bool = True) -> MigrationReport:
        return migrate_legacy(database, store, settings, source, dry_run=dry_run, resume=resume)

    return run


@pytest.fixture
def drafts(database: Database, store: Store, settings: Settings) -> Drafts:
    return Drafts(database, store, settings)


def read(database: Database, draft_id: str | None) -> Whole:
    assert draft_id is not None
    with database.begin() as session:
        return whole(session, repository.get_draft(session, draft_id))


def all_drafts(database: Database) -> Sequence[Draft]:
    with database.begin() as session:
        return session.exec(select(Draft)).all()


def said_by(found: Whole) -> set[str]:
    """All values in the draft's rows, and what the documents make of them: ids with two digits, moments."""
    rows = [row.model_dump(mode="json") for row in (found.draft, *found.assets, *found.songs)]
    rows += [asset_metadata(asset).model_dump(mode="json") for asset in found.assets]
    return {repr(value) for row in rows for _, value in leaves(row)}


def lost(documents: dict[str, JsonValue], found: Whole) -> list[str]:
    """The values of the sources that are nowhere in the rows."""
    kept = said_by(found)
    if "metadata.json" in documents:
        kept |= {repr(value) for _, value in leaves(metadata(found).model_dump(mode="json"))}
    empty = ("None", "''", "{}", "[]")
    return [f"{name}: {where}" for name, document in documents.items() for where, value in leaves(document)
            if repr(value) not in kept and repr(value) not in empty]  # fmt: skip


def documents_of(folder: Path) -> dict[str, JsonValue]:
    return {path.name: json.loads(path.read_text("utf-8-sig")) for path in folder.glob("*.json")}


@pytest.mark.parametrize("build", [made.v0, made.v1, made.v2])
def test_every_age_becomes_a_draft_and_loses_nothing(
    build: Callable[[Path], Path], root: Path, migrate: Migrate, database: Database, store: Store, settings: Settings
) -> None:
    folder = build(root)
    before = made.traces(root)
    report = migrate()
    assert made.traces(root) == before
    (each,) = report.universes
    assert (each.state, each.variant, each.items, each.missing) == ("created", build.__name__, 2, 0), each.remarks
    found = read(database, each.draft_id)
    assert lost(documents_of(folder), found) == []
    draft = found.draft
    assert (draft.name, draft.theme, draft.slug, draft.status) == ("Ocean", "ocean", "ocean", "completed")
    assert [asset.display_name for asset in found.assets] == ["whale", "crab"]
    assert all(asset.image_id and asset.video_id and asset.thumbnail_id for asset in found.assets)
    own = settings.home / "drafts" / draft.folder
    for asset in found.assets:
        for name in (asset.image_file, asset.video_file):
            assert name is not None
            source = folder / name if (folder / name).exists() else folder / "assets" / name
            assert (own / "assets" / name).read_bytes() == source.read_bytes()
    assert {path.name for path in (own / "thumbnails").iterdir()} == {"00_whale.jpg", "01_crab.jpg"}
    assert all(store.exists(file.key) for file in found.files.values())


def test_what_the_older_migration_lost_is_kept(root: Path, migrate: Migrate, database: Database) -> None:
    made.v1(root)
    found = read(database, migrate().universes[0].draft_id)
    assert found.draft.titles == {language: f"ocean {language}" for language in made.LANGUAGES}
    assert found.assets[1].titles == {language: f"crab {language}" for language in made.LANGUAGES}
    assert {song.language: (song.lyrics, song.prompt) for song in found.songs} == {
        language: (f"La la {language}", f"Style {language}") for language in made.LANGUAGES
    }
    assert all(song.audio_id and song.audio_file == f"music_{song.language}.mp3" for song in found.songs)
    assert (found.draft.description, found.draft.music_prompt) == ("A deep blue sea.", "A calm song of the sea.")
    assert found.draft.default_image_prompt == "A drawing of whale."
    assert found.draft.extra["texts"]["prompts.yaml"].startswith("themes:")
    assert found.draft.extra["prompts"] == {"lyrics": "La mer, la mer,\ntoujours recommencée."}
    assert found.draft.words == documents_of(root / "ocean")["words.json"]


def test_the_first_age_has_a_song_without_a_language(root: Path, migrate: Migrate, database: Database) -> None:
    made.v0(root)
    found = read(database, migrate().universes[0].draft_id)
    (song,) = found.songs
    assert (song.language, song.audio_file, song.lyrics[:6]) == ("fr", "music.mp3", "La mer")
    assert song.audio_id is not None


def test_the_last_age_keeps_both_loops_and_what_it_says_besides(
    root: Path, migrate: Migrate, database: Database, drafts: Drafts
) -> None:
    made.v2(root)
    each = migrate().universes[0]
    found = read(database, each.draft_id)
    assert all(asset.video_id and asset.mp4_id for asset in found.assets)
    assert (found.draft.background_color, found.draft.description) == ("#0a1b2c", "Deep and blue")
    # The words say the same things as the pictures here, so their translations are titles.
    assert found.assets[0].titles == {language: f"whale {language}" for language in made.LANGUAGES} | {"en": "whale"}
    assert [asset.image_prompt for asset in found.assets] == ["A drawing of whale.", None]
    assert found.assets[0].video_prompt == "{concept} swims"
    assert any("images says 1 of 2" in remark for remark in each.remarks)
    assert any("default image prompt names one concept" in remark for remark in each.remarks)
    data = drafts.data(found.draft.id)
    assert data["viewer"] == {"zoom": 1.5}
    assert isinstance(data["items"], list)
    assert [item["rating"] for item in data["items"] if isinstance(item, dict)] == [0, 1]


def test_words_that_were_never_drawn_become_items(root: Path, migrate: Migrate, database: Database) -> None:
    made.write(
        root / "sky", {"prompts.json": made.prompts(3, images=["", ""], videos=[]), "words.json": {"theme": "x"}}
    )
    (each,) = migrate().universes
    found = read(database, each.draft_id)
    assert (each.variant, found.draft.status, found.draft.default_image_prompt) == ("words", "draft", None)
    assert [asset.display_name for asset in found.assets] == ["whale", "crab", "coral"]
    assert [asset.image_prompt for asset in found.assets] == [None] * 3


def test_the_drafts_era_is_migrated_too(root: Path, migrate: Migrate, database: Database) -> None:
    folder = made.drafts_era(root, "ocean")
    (each,) = migrate().universes
    found = read(database, each.draft_id)
    assert (each.variant, found.draft.name, each.draft_id) == ("metadata", "Océan", "1a2b3c4d")
    assert lost(documents_of(folder), found) == []


def test_again_is_unchanged_and_a_change_of_the_source_is_brought_in(
    root: Path, migrate: Migrate, database: Database
) -> None:
    folder = made.v1(root)
    first = migrate().universes[0]
    before = read(database, first.draft_id)
    again = migrate().universes[0]
    assert (again.state, again.draft_id) == ("unchanged", first.draft_id)
    assert read(database, first.draft_id) == before

    data = json.loads((folder / "data.json").read_text())
    data["items"][0]["title"] = "orca"
    del data["items"][1]
    (folder / "data.json").write_text(json.dumps(data))
    (folder / "00_whale.png").write_bytes(made.png(99))
    updated = migrate().universes[0]
    assert (updated.state, updated.draft_id, updated.items) == ("updated", first.draft_id, 1)
    found = read(database, first.draft_id)
    assert [asset.display_name for asset in found.assets] == ["orca"]
    assert found.assets[0].image_id != before.assets[0].image_id
    assert found.assets[0].video_id == before.assets[0].video_id
    with database.begin() as session:
        (kept,) = repository.versions_of(session, found.draft.id, 0)
    assert kept.asset["display_name"] == "whale"
    assert migrate().universes[0].state == "unchanged"


def test_what_was_changed_on_both_sides_is_told(
    root: Path, migrate: Migrate, drafts: Drafts, database: Database
) -> None:
    folder = made.v1(root)
    draft_id = migrate().universes[0].draft_id
    assert draft_id is not None
    drafts.change_asset(draft_id, 0, AssetChange(display_name="narwhal"))
    assert migrate().universes[0].state == "unchanged"  # the source is as it was: nothing to do
    (folder / "words.json").write_text('{"theme": "ocean", "words": []}')
    (each,) = migrate().universes
    assert each.state == "failed"
    assert each.reason is not None and "both changed" in each.reason and draft_id in each.reason
    assert read(database, draft_id).assets[0].display_name == "narwhal"


def test_a_copy_of_the_root_elsewhere_is_known_again(root: Path, migrate: Migrate, tmp_path: Path) -> None:
    made.v1(root)
    first = migrate().universes[0]
    other = tmp_path / "backup"
    made.v1(other)
    assert migrate(other).universes[0].state == "unchanged"
    assert migrate(other).universes[0].draft_id == first.draft_id
    made.v1(other, "sea")  # the same files under another name are another universe
    assert [each.state for each in migrate(other).universes] == ["unchanged", "created"]


def test_a_trial_writes_nothing_anywhere(
    root: Path, migrate: Migrate, database: Database, tmp_path: Path, settings: Settings
) -> None:
    made.v1(root)
    made.write(root / "broken", {}, {"data.json": b"{"})
    before = made.traces(tmp_path)
    report = migrate(dry_run=True)
    assert [(each.folder, each.state, each.draft_id) for each in report.universes] == [
        ("broken", "failed", None),
        ("ocean", "created", None),
    ]
    assert report.universes[1].media == 9
    assert made.traces(tmp_path) == before
    assert not settings.home.exists()
    assert all_drafts(database) == []


@pytest.mark.parametrize("below", [".", "univers", "univers/ocean"])
def test_the_root_may_be_above_or_one_universe(root: Path, migrate: Migrate, below: str) -> None:
    made.v0(root)
    made.write(root, {"index.json": [{"name": "Ocean", "folder": "ocean"}]})
    report = migrate(root.parent / below)
    assert [(each.folder, each.state) for each in report.universes] == [("ocean", "created")]
    assert report.not_found == []


def test_index_is_compared_and_its_name_kept(root: Path, migrate: Migrate, database: Database) -> None:
    made.v0(root, "vehicules_de_chantier")
    entries: list[JsonValue] = [
        {"name": "Véhicules de chantier", "folder": "vehicules-de-chantier", "rank": 3},
        {"name": "Gone", "folder": "gone"},
        "odd",
    ]
    made.write(root, {"index.json": entries})
    report = migrate()
    assert report.not_found == ["gone"]
    assert any("without a folder" in remark for remark in report.remarks)
    found = read(database, report.universes[0].draft_id)
    assert found.draft.name == "Vehicules De Chantier"
    assert found.draft.extra["index"] == entries[0]
    (root / "index.json").write_text("[")
    again = migrate()
    assert again.universes[0].state == "unchanged"
    assert any("index.json is left aside: index.json: line 1, column 2" in remark for remark in again.remarks)


def test_the_report_reads_as_a_table_and_as_json(root: Path, migrate: Migrate) -> None:
    made.v1(root)
    made.write(root / "broken", {}, {"data.json": b'{"items": [\n  {,}]}'})
    made.write(root, {}, {"notes.txt": b"x"})
    report = migrate()
    lines = report.text().splitlines()
    assert lines[0].split() == ["universe", "state", "draft", "form", "items", "media", "missing", "MB", "languages"]
    assert "1 created, 0 updated, 0 unchanged, 1 failed" in report.text()
    assert "  failed: data.json: line 2, column 4" in report.text()
    assert "notes.txt is left where it is" in report.text()
    told = json.loads(report.model_dump_json())
    assert told["counts"] == {
        "created": 1, "updated": 0, "unchanged": 0, "failed": 1,
        "items": 2, "media": 9, "missing": 0, "size_bytes": told["universes"][1]["size_bytes"],
    }  # fmt: skip
    assert told["counts"]["size_bytes"] > 1000


def test_each_universe_is_told_as_it_ends(root: Path, database: Database, store: Store, settings: Settings) -> None:
    made.v0(root, "a")
    made.v0(root, "b")
    told: list[str] = []
    migrate_legacy(database, store, settings, root, on_universe=lambda each: told.append(f"{each.folder} {each.state}"))
    assert told == ["a created", "b created"]


def test_missing_and_broken_media_leave_their_names(root: Path, migrate: Migrate, database: Database) -> None:
    folder = made.v1(root, count=3)
    (folder / "00_whale.png").unlink()
    (folder / "01_crab.png").write_bytes(b"no picture")
    (folder / "02_coral_silent.mp4").write_bytes(made.clip()[:40])
    (folder / "music_de.mp3").write_bytes(b"ffconcat version 1.0\nfile 'music_fr.mp3'\n")
    (each,) = migrate().universes
    found = read(database, each.draft_id)
    assert [(asset.image_file, bool(asset.image_id), bool(asset.video_id)) for asset in found.assets] == [
        ("00_whale.png", False, True), ("01_crab.png", False, True), ("02_coral.png", True, False),
    ]  # fmt: skip
    assert [bool(song.audio_id) for song in found.songs] == [True, True, True, True, False]
    assert each.missing == 4
    for name in ("01_crab.png", "02_coral_silent.mp4", "music_de.mp3"):
        assert any(f"{name} is left where it is" in remark for remark in each.remarks)


def test_files_that_no_document_names_are_kept_beside(root: Path, migrate: Migrate, database: Database) -> None:
    made.write(
        made.v0(root), {"notes.json": {"by": 7}}, {"thumbnail.png": made.png(7), "notes.txt": b"x", "old/a.png": b"x"}
    )
    (each,) = migrate().universes
    with database.begin() as session:
        (other,) = library.of_kind(session, f"draft_{each.draft_id}", "draft_file")
    assert other.title == "thumbnail.png"
    assert read(database, each.draft_id).draft.extra["documents"] == {"notes.json": {"by": 7}}
    assert any("notes.txt is left where it is" in remark for remark in each.remarks)
    assert any("the folder old is left where it is" in remark for remark in each.remarks)


def test_without_resuming_lost_files_come_back(root: Path, migrate: Migrate, database: Database, store: Store) -> None:
    made.v0(root)
    each = migrate().universes[0]
    for file in read(database, each.draft_id).files.values():
        if file.kind != "draft_thumbnail":
            store.delete(file.key)
    assert migrate(resume=False).universes[0].state == "unchanged"
    assert all(store.exists(file.key) for file in read(database, each.draft_id).files.values())


def test_many_items_none_and_odd_titles_are_told(root: Path, migrate: Migrate, database: Database) -> None:
    many: list[JsonValue] = [{"title": f"thing {n}", "image": None, "video": None} for n in range(73)]
    made.write(root / "many", {"data.json": {"items": many}})
    made.write(root / "none", {"data.json": {"items": []}})
    odd: list[JsonValue] = [
        {"title": "sure", "image": None},
        {"title": "Here are ten simple words:\n\nlion", "image": None},
        {"title": "1. digger", "image": "03_truck.png"},
        {"image": "04_lorry.png", "title": ""},
    ]
    made.write(root / "odd", {"data.json": {"items": odd}, "words.json": {"words": ["---french---", "camion"]}})
    many_, none, odd_ = migrate().universes
    assert (many_.items, none.items) == (73, 0)
    assert any("73 items, more than the 50" in remark for remark in many_.remarks)
    assert any("no items" in remark for remark in none.remarks)
    assert any("3 names look like a writer's chatter" in remark for remark in odd_.remarks)
    assert any("1 name looks like numbered lists" in remark for remark in odd_.remarks)
    assert [asset.display_name for asset in read(database, odd_.draft_id).assets][3] == "04_lorry"


def _data(**item: JsonValue) -> bytes:
    return json.dumps({"items": [{"title": "x", "image": None, "video": None, **item}]}).encode()


BAD: dict[str, tuple[bytes, str]] = {
    "cut": (b'{"items": [', "data.json: line 1, column 12"),
    "empty": (b"", "data.json: line 1, column 1"),
    "latin": ('{"theme": "\n\xe9"}'.encode("latin-1"), "data.json: line 2 is not UTF-8"),
    "a-list": (b"[]", "data.json: the whole: input should be"),
    "items-an-object": (b'{"items": {}}', "data.json: items: input should be a valid list"),
    "title-a-number": (_data(title=7), "data.json: items[0].title: input should be a valid string"),
    "titles-a-list": (_data(title_translations=["a"]), "data.json: items[0].title_translations: input should be"),
    "twice": (b'{"theme": "a", "theme": "b"}', "the key 'theme' comes twice"),
    "nul": (b'{"theme": "a\\u0000b"}', "data.json: theme holds U+0000"),
    "surrogate": (b'{"theme": "\\ud800"}', "data.json: theme holds U+D800"),
    "infinite": (b'{"n": 1e999}', "data.json: n is a number without bounds"),
    "nan": (b'{"n": NaN}', "data.json: n is a number without bounds"),
    "deep": (b'{"n": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
    "deepish": (b'{"n": ' + b"[" * 200 + b"]" * 200 + b"}", "nested too deeply"),
    "digits": (b'{"n": ' + b"9" * 5000 + b"}", "data.json: Exceeds the limit"),
    "huge": (b" " * (21 * 2**20), "data.json has 21 MB"),
    "parent": (_data(image="../a.png"), "items[0].image: the file '../a.png' is refused"),
    "absolute": (_data(video="/etc/passwd"), "items[0].video: the file '/etc/passwd' is refused"),
    "backslash": (_data(image="a\\b.png"), "is refused"),
    "control": (_data(image="a\x1bb.png"), "U+001B"),
    "fraction-slash": (_data(image="a\u2044b.png"), "U+2044"),
    "division-slash": (_data(image="a\u2215b.png"), "U+2215"),
    "wide-slash": (_data(image="a\uff0fb.png"), "reads as the path 'a/b.png'"),
    "care-of": (_data(image="a\u2105b.png"), "reads as the path"),
    "right-to-left": (_data(image="a\u202egnp.exe"), "U+202E"),
    "zero-width": (_data(image="a\u200bb.png"), "U+200B"),
    "hidden": (_data(image=".png"), "begins with a dot"),
    "long": (_data(image="é" * 200), "more than 240 bytes"),
    "case": (
        json.dumps({"items": [{"image": "a.png"}, {"image": "A.png"}]}).encode(), "differ only by case or Unicode form",
    ),
    "forms": (
        json.dumps({"items": [{"image": "e\u0301.png"}, {"image": "\u00e9.png"}]}).encode(), "differ only by case",
    ),
}  # fmt: skip


def test_bad_documents_are_told_one_by_one_and_stop_no_other(root: Path, migrate: Migrate, database: Database) -> None:
    made.v0(root, "zz-good")
    for name, (content, _) in BAD.items():
        made.write(root / name, {}, {"data.json": content})
    reports = {each.folder: each for each in migrate().universes}
    assert reports.pop("zz-good").state == "created"
    told = {name: (each.state, each.reason) for name, each in reports.items()}
    wrong = {name: told[name] for name, (_, part) in BAD.items() if part not in (told[name][1] or "")}
    assert wrong == {}
    assert {state for state, _ in told.values()} == {"failed"}
    assert len(all_drafts(database)) == 1


def test_bad_folders_are_told_one_by_one(root: Path, migrate: Migrate, tmp_path: Path) -> None:
    elsewhere = made.v0(tmp_path, "elsewhere")
    (root / "link").symlink_to(elsewhere, target_is_directory=True)
    (root / "file").write_text("x")
    (root / "bare").mkdir()
    linked = made.v0(root, "linked")
    (linked / "00_whale.png").unlink()
    (linked / "00_whale.png").symlink_to(elsewhere / "00_whale.png")
    deep = made.v0(root, "deep")
    (deep / "assets").symlink_to(elsewhere, target_is_directory=True)
    os.mkfifo(made.v0(root, "pipe") / "02_coral.png")
    made.v0(root, "bi\u202edi")
    made.v0(root, "good")
    report = migrate()
    told = {each.folder: each.reason for each in report.universes}
    assert told.pop("good") is None
    expected = {
        "link": "link is a symbolic link",
        "file": "file is a file where a folder is expected",
        "bare": "bare holds none of metadata.json",
        "linked": "linked/00_whale.png is a symbolic link",
        "deep": "deep/assets is a symbolic link",
        "pipe": "pipe/02_coral.png is neither a file nor a folder",
        "bi\u202edi": "U+202E",
    }
    assert told.keys() == expected.keys()
    assert {name: part for name, part in expected.items() if part not in (told[name] or "")} == {}
    assert "\u202e" not in report.text()


def test_a_root_that_is_no_folder_is_refused(migrate: Migrate, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is no folder"):
        migrate(tmp_path / "nowhere")


def test_two_universes_of_one_name_are_told_and_the_older_keeps_it(root: Path, migrate: Migrate) -> None:
    made.v0(root, "véhicules")
    assert migrate().counts["created"] == 1
    made.v0(root, "Vehicules", count=3)
    made.v0(root, "sea")
    made.v0(root, "Sea")
    told = {each.folder: (each.state, each.reason or "") for each in migrate().universes}
    assert told["véhicules"] == ("unchanged", "")
    assert told["Vehicules"][0] == "failed" and "published as vehicules, and so would véhicules" in told["Vehicules"][1]
    assert {told["sea"][0], told["Sea"][0]} == {"failed"}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_in_names_are_one_in_either_form(
    form: Literal["NFC", "NFD"], root: Path, migrate: Migrate, database: Database, settings: Settings
) -> None:
    other: Literal["NFC", "NFD"] = "NFD" if form == "NFC" else "NFC"
    name = unicodedata.normalize(form, "véhicules_de_chantier")
    named, there = (unicodedata.normalize(which, "00_éléphant.png") for which in (form, other))
    made.write(root / name, {"data.json": {"items": [{"title": "éléphant", "image": named}]}}, {there: made.png()})
    (each,) = migrate().universes
    found = read(database, each.draft_id)
    assert (found.draft.theme, found.draft.slug) == ("véhicules_de_chantier", "vehicules-de-chantier")
    assert found.draft.name == "Véhicules De Chantier"
    assert found.assets[0].image_file == named and found.assets[0].image_id
    assert (settings.home / "drafts" / found.draft.folder / "assets" / named).read_bytes() == made.png()
    assert any("was found as" in remark for remark in each.remarks)


def test_a_name_that_may_mean_two_files_is_told(root: Path, migrate: Migrate) -> None:
    files = {"00_A.png": made.png(1), "00_a.png": made.png(2)}
    made.write(root / "ocean", {"data.json": {"items": [{"image": "00_a.PNG"}]}}, files)
    (each,) = migrate().universes
    assert each.state == "failed"
    assert each.reason is not None and "may be any of 00_A.png, 00_a.png" in each.reason


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
def test_what_may_not_be_read_is_told() -> None:
    with TemporaryDirectory() as name:
        folder = made.v0(Path(name))
        Path(name).chmod(0o755)
        (folder / "data.json").chmod(0)
        locked = made.v0(Path(name), "locked")
        locked.chmod(0)
        os.seteuid(65534)
        try:
            with pytest.raises(InvalidInput, match=r"data.json cannot be read \(Permission denied\): make it readable"):
                read_universe(folder)
            with pytest.raises(InvalidInput, match="locked cannot be read"):
                read_universe(locked)
        finally:
            os.seteuid(0)


CHILD = """
import sys
from pathlib import Path
from maquette.db.engine import database_from_settings
from maquette.drafts.legacy import migrate_legacy
from maquette.settings import get_settings
from maquette.storage import store_from_settings
settings = get_settings()
migrate_legacy(database_from_settings(settings), store_from_settings(settings), settings, Path(sys.argv[1]))
"""


def _until(condition: Callable[[], object]) -> None:
    patience = threading.Event()
    for _ in range(1200):
        if condition():
            return
        patience.wait(0.05)
    raise AssertionError("not met in a minute")


@pytest.fixture
def child(root: Path, settings: Settings, database_url: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A migration of the root that stops in the midst of each universe."""
    for name in ("a", "b", "c"):
        made.v1(root, name)
    environment = os.environ | {
        "MAQUETTE_HOME": str(settings.home),
        "MAQUETTE_DATABASE_URL": database_url,
        "MAQUETTE_CRASH_AT": "during-migration",
    }
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(root)], env=environment)
    yield process
    process.kill()
    process.wait()


def test_a_kill_in_the_midst_leaves_no_half_universe_and_no_double(
    child: "subprocess.Popen[bytes]", root: Path, migrate: Migrate, database: Database, settings: Settings
) -> None:
    marker = settings.home / "rehearsal" / "during-migration"
    _until(lambda: marker.exists() or child.poll() is not None)
    assert all_drafts(database) == []  # all rows of the first are written, none is visible
    marker.unlink()
    _until(lambda: marker.exists() or child.poll() is not None)
    assert [draft.theme for draft in all_drafts(database)] == ["a"]
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    before = read(database, all_drafts(database)[0].id)
    report = migrate()
    assert [(each.folder, each.state) for each in report.universes] == [
        ("a", "unchanged"), ("b", "created"), ("c", "created"),
    ]  # fmt: skip
    assert read(database, before.draft.id) == before
    assert sorted(draft.theme for draft in all_drafts(database)) == ["a", "b", "c"]
    assert all(draft.written_version == draft.version for draft in all_drafts(database))
    folders = {path.name for path in (settings.home / "drafts").iterdir() if not path.name.startswith(".")}
    assert folders == {draft.folder for draft in all_drafts(database)}


def test_a_folder_that_a_crash_left_unwritten_is_written(
    root: Path, migrate: Migrate, database: Database, settings: Settings, drafts: Drafts
) -> None:
    made.v0(root)
    draft_id = migrate().universes[0].draft_id
    assert draft_id is not None
    with database.begin() as session:
        repository.get_draft(session, draft_id).written_version = -1
    (drafts.folder_of(draft_id) / "metadata.json").unlink()
    assert migrate().universes[0].state == "unchanged"
    assert (drafts.folder_of(draft_id) / "metadata.json").exists()


def test_two_migrations_at_once_make_each_draft_once(root: Path, migrate: Migrate, database: Database) -> None:
    for name in ("a", "b", "c"):
        made.v0(root, name)
    reports: list[MigrationReport] = []
    threads = [threading.Thread(target=lambda: reports.append(migrate())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.counts["failed"] for report in reports] == [0, 0]
    assert sum(report.counts["created"] for report in reports) == 3
    assert sorted(draft.theme for draft in all_drafts(database)) == ["a", "b", "c"]


_text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)
_some = st.none() | _text
_scalar = _some | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
_unknown = st.dictionaries(
    st.sampled_from(["rating", "tags", "näme", ""]),
    _scalar | st.lists(_scalar, max_size=3) | st.dictionaries(_text, _scalar, max_size=2),
)
_titles = st.none() | st.dictionaries(st.sampled_from([*made.LANGUAGES, "pt", ""]), _some, max_size=4)
_lists = st.none() | st.dictionaries(st.sampled_from([*made.LANGUAGES, "pt"]), st.lists(_some, max_size=4), max_size=3)
_file = st.none() | st.sampled_from(["", "00_a.png", "01_b.png", "00_a_silent.mp4", "01_b.webm"])


def _object(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[JsonValue]:
    return st.builds(lambda some, more: {**more, **some}, st.fixed_dictionaries({}, optional=known), _unknown)


_item = _object(title=_some, image=_file, video=_file, title_translations=_titles)
_songs = st.none() | st.dictionaries(
    st.sampled_from(["fr", "de", "pt"]), _object(lyrics=_some, prompt=_some), max_size=3
)
_documents: st.SearchStrategy[dict[str, JsonValue]] = st.fixed_dictionaries(
    {"data.json": _object(
        items=st.lists(_item, max_size=4), translations=_lists, theme=_some, theme_translations=_titles,
        music_translations=_songs, description=_some, background_color=_some | st.just("#aabbcc"), thumbnail=_some,
    )},
    optional={
        "words.json": _object(
            theme=_some, words=st.lists(_some, max_size=4), translations=_lists, words_translations=_lists,
        ),
        "prompts.json": _object(
            theme=_some, description=_some, words=st.lists(_some, max_size=4), images=st.lists(_some, max_size=5),
            videos=st.lists(_some, max_size=5), music=_some, lyrics=_some,
        ),
        "notes.json": _scalar,
        "metadata.json": _object(
            name=_text, theme=_some, slug=_some, status=_some, created_at=_some | st.just("2025-12-11T14:42:08Z"),
            updated_at=_some, background_color=_some, thumbnail_url=_some, num_assets=st.none() | st.integers(0, 9),
            default_prompts=st.none() | _object(image=_some, video=_some), music_lyrics=_titles,
        ).map(lambda document: {"name": "n", **document} if isinstance(document, dict) else document),
    },
)  # fmt: skip


@hypothesis_settings(max_examples=80, deadline=None)
@given(documents=_documents)
def test_no_value_of_any_document_is_lost(documents: dict[str, JsonValue]) -> None:
    with TemporaryDirectory() as name:
        folder = made.write(Path(name) / "ocean", documents)
        universe = read_universe(folder)
        arrival = arrival_of(universe, source="legacy:/x", source_hash="")
        arrival.settle_in("0a1b2c3d")
    assert lost(documents, Whole(arrival.draft, arrival.assets, arrival.songs, {})) == []


@pytest.mark.parametrize(
    ("folder", "title"),
    [
        ("vehicules_de_chantier", "Vehicules De Chantier"), ("sous-la-mer", "Sous La Mer"), ("jungle", "Jungle"),
        ("été", "Été"), ("__", "__"),
    ],
)  # fmt: skip
def test_folders_have_titles(folder: str, title: str) -> None:
    assert title_of(folder) == title


def test_moments_are_read_with_and_without_a_zone() -> None:
    said = ("2025-12-11T14:42:08.528075", "2025-12-11T14:42:08.528075Z", "2025-12-11T15:42:08.528075+01:00")
    assert {moment_of(text) for text in said} == {moment_of(said[0])}
    assert moment_of(said[0]) is not None
    assert [moment_of(text) for text in (None, "", "yesterday", "0001-01-01T00:00:00+14:00")] == [None] * 4


@pytest.mark.parametrize(
    "text", ["sure", "Bien sûr !", "Voici dix mots:", "hier sind zehn", "---french---", "a\nb", "x" * 61]
)
def test_chatter_is_told_from_names(text: str) -> None:
    assert is_chatter(text)
    assert not is_chatter("cement mixer")
    assert not is_chatter("Hiérarchie")


@pytest.mark.parametrize(
    "name", ["00_monkey.png", "09_cement_mixer_silent.webm", "00_éléphant (1).png", "été à la mer.mp3"]
)
def test_plain_names_are_names(name: str) -> None:
    assert name_problem(name) is None


def test_a_changed_name_stays_with_its_draft(root: Path, migrate: Migrate, drafts: Drafts) -> None:
    made.v0(root)
    draft_id = migrate().universes[0].draft_id
    assert draft_id is not None
    drafts.change(draft_id, DraftChange(name="The Sea"))
    assert migrate().universes[0].state == "unchanged"
    assert drafts.get(draft_id).name == "The Sea"


@needs_data
def test_the_real_pair_differs_only_in_what_the_older_migration_lost(
    migrate: Migrate, database: Database, settings: Settings
) -> None:
    report = migrate(DATA / "legacy-v1")
    each = next(each for each in report.universes if each.folder == "vehicules_de_chantier")
    own = documents_of(settings.home / "drafts" / read(database, each.draft_id).draft.folder)
    old = documents_of(DATA / "migrated-example-vehicules-de-chantier")
    prompts = documents_of(DATA / "legacy-v1" / "vehicules_de_chantier")["prompts.json"]
    data = documents_of(DATA / "legacy-v1" / "vehicules_de_chantier")["data.json"]
    assert isinstance(prompts, dict) and isinstance(data, dict) and isinstance(data["items"], list)

    assert own["words.json"] == old["words.json"]
    assert _differing(own["metadata.json"], old["metadata.json"]) == {
        ".draft_id", ".folder", ".created_at", ".updated_at", ".thumbnail_url",  # of the draft itself
        ".music_lyrics",  # lost: the song of prompts.json
    }  # fmt: skip
    assert _differing(own["assets_metadata.json"], old["assets_metadata.json"]) == {
        f"[{index}].generated_at" for index in range(10)  # the older migration wrote its own time
    }  # fmt: skip
    assert _differing(own["data.json"], old["data.json"]) == {
        *(f".items[{index}].title_translations" for index in range(10)),  # lost
        ".translations",  # lost
        ".description",  # lost: the one of prompts.json; the name stood in
        ".music_translations.fr",  # lost: its words
        ".thumbnail", ".theme", ".theme_translations",  # not said at all
    }  # fmt: skip
    mine = own["data.json"]
    assert isinstance(mine, dict) and isinstance(mine["items"], list)
    assert [item["title_translations"] for item in mine["items"] if isinstance(item, dict)] == [
        item["title_translations"] for item in data["items"] if isinstance(item, dict)
    ]
    assert mine["description"] == prompts["description"]
    assert own["metadata.json"]["music_lyrics"] == {"fr": prompts["lyrics"]}  # type: ignore[index,call-overload]


def _differing(own: JsonValue, old: JsonValue, where: str = "") -> set[str]:
    """The places at which two documents differ, down to where both have an object or a list of one length."""
    deep = where.endswith(("title_translations", "translations", "lyrics")) and not where.endswith("music_translations")
    is_song = where.startswith(".music_translations.")
    if isinstance(own, dict) and isinstance(old, dict) and not deep and not is_song:
        keys = own.keys() | old.keys()
        return {place for key in keys for place in _differing(own.get(key), old.get(key), f"{where}.{key}")}
    if isinstance(own, list) and isinstance(old, list) and len(own) == len(old):
        return {
            place
            for index, pair in enumerate(zip(own, old, strict=True))
            for place in _differing(*pair, f"{where}[{index}]")
        }
    return set() if own == old else {where}


@needs_data
@pytest.mark.parametrize("name", ["legacy-v1", "legacy-v1-early", "migrated-example-vehicules-de-chantier"])
def test_the_real_universes_lose_nothing(name: str, migrate: Migrate, database: Database) -> None:
    before = made.traces(DATA / name)
    report = migrate(DATA / name)
    assert made.traces(DATA / name) == before
    assert report.counts["failed"] == 0
    for each in report.universes:
        assert lost(documents_of(Path(each.source)), read(database, each.draft_id)) == []
    if name == "legacy-v1-early":
        jungle, vehicles = ("\n".join(each.remarks) for each in report.universes)
        assert "10 names look like a writer's chatter: 00 fr 'bien sûr'" in jungle
        assert "the lyrics in fr begin with what a writer said" in jungle
        assert "words.json 0 '---french---'" in vehicles
        assert "50 names look like numbered lists" in vehicles
