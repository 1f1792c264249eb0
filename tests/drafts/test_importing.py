"""Folders of drafts become drafts again, wherever they come from."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue
from sqlmodel import select

from maquette.db.engine import Database
from maquette.drafts import repository
from maquette.drafts.arrivals import ImportReport
from maquette.drafts.documents import Whole, whole
from maquette.drafts.importing import import_folder
from maquette.drafts.models import AssetChange, DraftChange, Making, NewDraft
from maquette.drafts.service import Drafts
from maquette.drafts.tables import Draft
from maquette.errors import Conflict, InvalidInput
from maquette.intake.service import Intake
from maquette.settings import Settings
from maquette.storage.port import Store
from tests.drafts import universes as made

DATA = Path(__file__).parents[3] / "shared" / "data" / "drafts"
Bring = Callable[..., ImportReport]


@pytest.fixture
def bring(database: Database, store: Store, settings: Settings) -> Bring:
    def run(source: Path, *, dry_run: bool = False) -> ImportReport:
        return import_folder(database, store, settings, source, dry_run=dry_run)

    return run


@pytest.fixture
def drafts(database: Database, store: Store, settings: Settings) -> Drafts:
    return Drafts(database, store, settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made.drafts_era(tmp_path / "elsewhere")


def read(database: Database, draft_id: str | None) -> Whole:
    assert draft_id is not None
    with database.begin() as session:
        return whole(session, repository.get_draft(session, draft_id))


def change(path: Path, **values: JsonValue) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def document(path: Path) -> JsonValue:
    found: JsonValue = json.loads(path.read_text("utf-8"))
    return found


def test_a_folder_of_the_drafts_era_becomes_a_draft(
    folder: Path, bring: Bring, database: Database, drafts: Drafts, tmp_path: Path
) -> None:
    before = made.traces(folder)
    report = bring(folder)
    assert made.traces(folder) == before
    assert (report.state, report.draft_id, report.items, report.media, report.missing) == (
        "created", "1a2b3c4d", 2, 5, 0,
    )  # fmt: skip
    found = read(database, report.draft_id)
    draft = found.draft
    assert (draft.name, draft.theme, draft.slug, draft.status) == ("Océan", "ocean", "ocean", "completed")
    assert (draft.default_image_prompt, draft.background_color) == ("A {object} in the sea.", "#112233")
    assert {song.language: song.lyrics for song in found.songs} == {"fr": "La mer", "en": "The sea"}
    assert [bool(song.audio_id) for song in found.songs] == [True, False]
    kinds = sorted(file.kind for file in found.files.values())
    assert kinds == ["draft_image"] * 2 + ["draft_song"] + ["draft_thumbnail"] * 2 + ["draft_video"] * 2
    assert {file.subject for file in found.files.values()} == {"draft_1a2b3c4d"}
    (picture, _) = (found.files[asset.image_id] for asset in found.assets if asset.image_id)
    assert (picture.title, picture.width, picture.height) == ("whale", 12, 8)

    own = drafts.folder_of("1a2b3c4d")
    assert own.name == "ocean-1a2b3c4d"
    # All that the folder said is said by ours, keys that nobody here knows and moments included.
    theirs = document(folder / "metadata.json")
    assert isinstance(theirs, dict)
    assert document(own / "metadata.json") == theirs | {"folder": "ocean-1a2b3c4d"}
    assert document(own / "assets_metadata.json") == document(folder / "assets_metadata.json")
    for source in (folder / "assets").iterdir():
        assert (own / "assets" / source.name).read_bytes() == source.read_bytes()


def test_again_is_unchanged(folder: Path, bring: Bring, database: Database) -> None:
    first = bring(folder)
    before = read(database, first.draft_id)
    again = bring(folder)
    assert (again.state, again.draft_id) == ("unchanged", first.draft_id)
    assert read(database, first.draft_id) == before


def test_a_trial_writes_nothing(folder: Path, bring: Bring, database: Database, tmp_path: Path) -> None:
    before = made.traces(tmp_path)
    assert bring(folder, dry_run=True).state == "created"
    assert made.traces(tmp_path) == before
    with database.begin() as session:
        assert session.exec(select(Draft)).all() == []
    bring(folder)
    assert bring(folder, dry_run=True).state == "unchanged"
    change(folder / "metadata.json", name="Sea")
    assert bring(folder, dry_run=True).state == "updated"
    assert read(database, "1a2b3c4d").draft.name == "Océan"


def test_a_changed_folder_updates_a_draft_that_nobody_changed(folder: Path, bring: Bring, database: Database) -> None:
    bring(folder)
    before = read(database, "1a2b3c4d")
    change(folder / "metadata.json", name="Sea", music_lyrics={"fr": "La mer", "de": "Das Meer"})
    (folder / "assets" / "01_crab.png").write_bytes(made.png(77))
    report = bring(folder)
    assert (report.state, report.draft_id) == ("updated", "1a2b3c4d")
    found = read(database, "1a2b3c4d")
    assert (found.draft.name, found.draft.folder) == ("Sea", before.draft.folder)
    assert found.draft.version > before.draft.version
    assert [song.language for song in found.songs] == ["fr", "de"]
    assert found.songs[0].audio_id == before.songs[0].audio_id
    assert found.assets[0] == before.assets[0]
    assert found.assets[1].image_id != before.assets[1].image_id
    assert found.assets[1].thumbnail_id != before.assets[1].thumbnail_id
    with database.begin() as session:
        (version,) = repository.versions_of(session, "1a2b3c4d", 1)
    assert version.asset["image_id"] == str(before.assets[1].image_id)
    assert bring(folder).state == "unchanged"


def test_changes_on_both_sides_are_told(folder: Path, bring: Bring, drafts: Drafts) -> None:
    bring(folder)
    drafts.change("1a2b3c4d", DraftChange(name="Mine"))
    assert bring(folder).state == "unchanged"
    change(folder / "metadata.json", name="Theirs")
    with pytest.raises(Conflict, match="both changed since"):
        bring(folder)
    assert drafts.get("1a2b3c4d").name == "Mine"


def test_the_same_change_on_both_sides_is_no_conflict(folder: Path, bring: Bring, drafts: Drafts) -> None:
    bring(folder)
    drafts.change_asset("1a2b3c4d", 0, AssetChange(display_name="orca"))
    entries = document(folder / "assets_metadata.json")
    assert isinstance(entries, list) and isinstance(entries[0], dict)
    entries[0]["display_name"] = "orca"
    (folder / "assets_metadata.json").write_text(json.dumps(entries))
    assert bring(folder).state == "unchanged"


def test_a_draft_that_is_being_made_is_not_changed(
    folder: Path, bring: Bring, database: Database, store: Store, settings: Settings
) -> None:
    bring(folder)
    Intake(database, store, settings).generate_draft("1a2b3c4d", Making(num_assets=3))
    change(folder / "metadata.json", background_color="#000000")
    with pytest.raises(Conflict) as caught:
        bring(folder)
    assert caught.value.code == "busy"


def test_a_taken_id_is_replaced_by_a_new_one(folder: Path, bring: Bring, database: Database, drafts: Drafts) -> None:
    with database.begin() as session:
        session.add(Draft(id="1a2b3c4d", name="Other", theme="x", slug="other", folder="other-1a2b3c4d"))
    report = bring(folder)
    assert report.state == "created"
    assert report.draft_id not in (None, "1a2b3c4d")
    assert (bring(folder).state, bring(folder).draft_id) == ("unchanged", report.draft_id)
    found = read(database, report.draft_id)
    assert found.draft.folder == f"ocean-{report.draft_id}"
    assert drafts.get("1a2b3c4d").name == "Other"


@pytest.mark.parametrize("zone", ["", "Z", "+01:00"])
def test_moments_are_kept_with_or_without_a_zone(zone: str, tmp_path: Path, bring: Bring, database: Database) -> None:
    bring(made.drafts_era(tmp_path / "elsewhere", zone=zone))
    found = read(database, "1a2b3c4d")
    hour = 13 if zone == "+01:00" else 14
    assert found.draft.created_at.isoformat() == f"2025-12-11T{hour}:42:08.528075+00:00"
    assert found.draft.updated_at.isoformat() == f"2025-12-13T{hour + 1}:25:01.812709+00:00"
    assert found.assets[1].generated_at is not None
    assert found.assets[1].generated_at.isoformat() == f"2025-12-11T{hour}:42:08.531101+00:00"


def test_files_may_lie_in_the_folder_itself(folder: Path, bring: Bring, database: Database) -> None:
    for path in (folder / "assets").iterdir():
        path.rename(folder / path.name)
    (folder / "assets").rmdir()
    assert bring(folder).media == 5


def test_a_file_in_both_places_counts_from_assets(folder: Path, bring: Bring, database: Database) -> None:
    (folder / "00_whale.png").write_bytes(made.png(200))
    report = bring(folder)
    found = read(database, report.draft_id)
    assert found.files[found.assets[0].image_id].size_bytes == len(made.png(0))  # type: ignore[index]
    assert any(remark.startswith("00_whale.png is left where it is") for remark in report.remarks)


def test_missing_and_broken_media_leave_their_names(folder: Path, bring: Bring, database: Database) -> None:
    (folder / "assets" / "00_whale.png").unlink()
    (folder / "assets" / "01_crab_silent.webm").write_bytes(b"no clip at all")
    (folder / "assets" / "music_fr.mp3").write_bytes(made.png())
    report = bring(folder)
    found = read(database, report.draft_id)
    assert [(asset.image_file, bool(asset.image_id)) for asset in found.assets] == [
        ("00_whale.png", False), ("01_crab.png", True),
    ]  # fmt: skip
    assert [(asset.video_file, bool(asset.video_id)) for asset in found.assets] == [
        ("00_whale_silent.webm", True), ("01_crab_silent.webm", False),
    ]  # fmt: skip
    assert (report.media, report.missing) == (2, 3)
    told = " ".join(report.remarks)
    assert "3 media files are missing: 00_whale.png" in told
    assert "01_crab_silent.webm is left where it is: its video cannot be decoded" in told
    assert "music_fr.mp3 is left where it is" in told


def test_a_picture_that_unpacks_to_too_much_is_kept_out(folder: Path, bring: Bring) -> None:
    huge = bytearray(made.png())
    huge[16:24] = (60_000).to_bytes(4) + (60_000).to_bytes(4)  # width and height of IHDR
    (folder / "assets" / "00_whale.png").write_bytes(huge)
    report = bring(folder)
    assert any("00_whale.png is left where it is" in remark for remark in report.remarks)


def test_odd_metadata_is_read_with_care(folder: Path, bring: Bring, database: Database) -> None:
    change(
        folder / "metadata.json", slug="../../etc", draft_id="not hexadecimal", status="generating", num_assets=9,
        created_at="yesterday", background_color="red",
    )  # fmt: skip
    report = bring(folder)
    found = read(database, report.draft_id)
    assert (found.draft.slug, found.draft.status) == ("ocean", "completed")
    assert found.draft.extra["metadata"]["slug"] == "../../etc"
    assert found.draft.background_color is None
    assert found.draft.folder == f"ocean-{report.draft_id}"
    assert "metadata.json counts 9 assets, 2 are there" in report.remarks


def test_entries_without_usable_ids_are_numbered_by_position(folder: Path, bring: Bring, database: Database) -> None:
    entries = document(folder / "assets_metadata.json")
    assert isinstance(entries, list)
    for entry, id_ in zip(entries, ("a7", "a7"), strict=True):
        assert isinstance(entry, dict)
        entry["id"] = id_
    (folder / "assets_metadata.json").write_text(json.dumps(entries))
    found = read(database, bring(folder).draft_id)
    assert [(asset.number, asset.display_name) for asset in found.assets] == [(0, "whale"), (1, "crab")]
    assert found.draft.extra["assets"]["01"] == {"id": "a7", "reviewed": True}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("metadata.json", b'{"name": ', "metadata.json: line 1, column 10"),
        ("metadata.json", b'{"theme": "x"}', "metadata.json: name: field required"),
        ("assets_metadata.json", b"{}", "it should be a list"),
        ("assets_metadata.json", b'[{"sort_order": "x"}]', r"entries\[0\].sort_order: input should be a valid integer"),
        ("assets_metadata.json", b'[{"image_file": "../x.png"}]', "is refused"),
        ("maquette.json", b'{"format": 2}', "maquette.json: format: input should be 1"),
    ],
)
def test_bad_documents_are_refused(name: str, content: bytes, said: str, folder: Path, bring: Bring) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=said):
        bring(folder)


def test_an_export_cannot_smuggle_names_of_files(folder: Path, bring: Bring, database: Database) -> None:
    own: dict[str, JsonValue] = {
        "format": 1, "draft_id": "1a2b3c4d", "content_hash": "",
        "extra": {"texts": {"../../evil": "x"}, "documents": {"/evil": 1}, "imported": {"fingerprint": "x"}},
    }  # fmt: skip
    (folder / "maquette.json").write_text(json.dumps(own))
    found = read(database, bring(folder).draft_id)
    assert found.draft.extra.keys() == {"metadata", "assets", "imported"}
    assert found.draft.extra["imported"]["fingerprint"] != "x"
    own["songs"] = {"fr": {"audio_file": "../../evil"}}
    (folder / "maquette.json").write_text(json.dumps(own))
    with pytest.raises(InvalidInput, match=r"songs\.fr\.audio_file"):
        bring(folder)


def test_what_is_no_draft_folder_is_refused(tmp_path: Path, bring: Bring, folder: Path) -> None:
    with pytest.raises(InvalidInput, match="needs migrating instead"):
        bring(made.v1(tmp_path / "univers"))
    with pytest.raises(InvalidInput, match="nowhere cannot be read"):
        bring(tmp_path / "nowhere")
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    with pytest.raises(InvalidInput, match="link is a symbolic link"):
        bring(tmp_path / "link")


def test_our_own_folder_is_the_draft_itself(
    database: Database, store: Store, settings: Settings, drafts: Drafts, bring: Bring, folder: Path, tmp_path: Path
) -> None:
    bring(folder)
    copy = tmp_path / "copy"
    shutil.copytree(drafts.folder_of("1a2b3c4d"), copy)
    before = read(database, "1a2b3c4d")
    assert bring(copy).state == "unchanged"
    assert read(database, "1a2b3c4d").assets == before.assets
    made_here = drafts.create(NewDraft(name="Here", theme="farm")).draft_id
    assert (bring(drafts.folder_of(made_here)).state, bring(drafts.folder_of(made_here)).draft_id) == (
        "unchanged", made_here,
    )  # fmt: skip


@pytest.mark.skipif(not DATA.is_dir(), reason="the real example is not here")
def test_the_real_example_is_imported(bring: Bring, database: Database, drafts: Drafts) -> None:
    source = DATA / "migrated-example-vehicules-de-chantier"
    report = bring(source)
    assert (report.state, report.items, report.missing) == ("created", 10, 20)
    assert report.draft_id is not None
    own = drafts.folder_of(report.draft_id)
    for name in ("assets_metadata.json", "words.json"):
        assert document(own / name) == document(source / name)
    ours, theirs = document(own / "metadata.json"), document(source / "metadata.json")
    assert isinstance(ours, dict) and isinstance(theirs, dict)
    assert {key for key in theirs if ours[key] != theirs[key]} == {"folder", "thumbnail_url", "music_lyrics"}
    assert bring(source).state == "unchanged"
