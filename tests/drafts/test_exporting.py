"""A draft leaves as a folder and comes back as it was."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from maquette.db.embedded import ensure_database
from maquette.db.engine import Database
from maquette.drafts import repository
from maquette.drafts.documents import Whole, whole
from maquette.drafts.exporting import export_folder
from maquette.drafts.importing import import_folder
from maquette.drafts.legacy import migrate_legacy
from maquette.drafts.models import AssetChange, CustomPrompts, DraftChange, NewDraft, SongChange
from maquette.drafts.service import Drafts
from maquette.drafts.tables import Draft, DraftAsset
from maquette.errors import Conflict, NotFound, StorageError
from maquette.settings import Settings
from maquette.storage import store_from_settings
from tests.drafts import universes as made


class Machine:
    """A database and a home."""

    def __init__(self, url: str, home: Path) -> None:
        self.settings = Settings(home=home)
        self.database = Database(url)
        self.store = store_from_settings(self.settings)
        self.drafts = Drafts(self.database, self.store, self.settings)

    def bring(self, source: Path) -> str:
        draft_id = import_folder(self.database, self.store, self.settings, source).draft_id
        assert draft_id is not None
        return draft_id

    def export(self, draft_id: str, target: Path, *, overwrite: bool = False) -> Path:
        return export_folder(self.database, self.store, self.settings, draft_id, target, overwrite=overwrite)

    def read(self, draft_id: str) -> Whole:
        with self.database.begin() as session:
            return whole(session, repository.get_draft(session, draft_id))


@pytest.fixture
def here(database_url: str, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(database_url, tmp_path / "here")
    yield machine
    machine.database.dispose()


@pytest.fixture
def there(postgres: str, database_url: str, tmp_path: Path) -> Iterator[Machine]:
    """Another machine, with nothing on it."""
    url = ensure_database(postgres, f"{database_url.rpartition('/')[2].partition('?')[0]}_b", template="template")
    machine = Machine(url, tmp_path / "there")
    yield machine
    machine.database.dispose()


def documents(folder: Path) -> dict[str, JsonValue]:
    return {path.name: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".json"
    }


def drawn(machine: Machine, folder: Path) -> str:
    """A draft with all that a draft can have."""
    draft_id = machine.bring(made.drafts_era(folder))
    machine.drafts.change(
        draft_id,
        DraftChange(
            description="Deep", titles={"de": "Meer", "fr": "Mer"}, require_approval=True,
            custom_prompts=CustomPrompts(music="A song of {theme}", objects="Ten things of the {theme}"),
        ),
    )  # fmt: skip
    machine.drafts.change_asset(draft_id, 1, AssetChange(titles={"de": "Krebs", "en": "crab"}))
    machine.drafts.change_song(draft_id, "it", SongChange(lyrics="Il mare", prompt="Calm"))
    return draft_id


def test_an_export_comes_back_as_the_same_draft(here: Machine, there: Machine, tmp_path: Path) -> None:
    draft_id = drawn(here, tmp_path / "elsewhere")
    first = here.export(draft_id, tmp_path / "first")
    assert there.bring(first) == draft_id
    second = there.export(draft_id, tmp_path / "second")
    assert documents(second) == documents(first)
    assert hashes(second) == hashes(first)
    mine, other = here.read(draft_id), there.read(draft_id)
    same = (
        "name", "theme", "slug", "folder", "status", "description", "titles", "objects_prompt", "music_prompt", "words",
        "seed", "require_approval", "created_at", "updated_at", "background_color", "default_image_prompt",
    )  # fmt: skip
    assert {name: getattr(other.draft, name) for name in same} == {name: getattr(mine.draft, name) for name in same}
    assert here.bring(first) == draft_id  # here it is known, and nothing changed


def test_a_migrated_universe_travels_with_what_no_column_holds(here: Machine, there: Machine, tmp_path: Path) -> None:
    folder = made.write(made.v1(tmp_path / "univers"), {"notes.json": {"by": 7}}, {"thumbnail.png": made.png(3)})
    report = migrate_legacy(here.database, here.store, here.settings, folder.parent)
    draft_id = report.universes[0].draft_id
    assert draft_id is not None
    first = here.export(draft_id, tmp_path / "first")
    assert (first / "prompts.yaml").read_bytes() == (folder / "prompts.yaml").read_bytes()
    assert (first / "assets" / "thumbnail.png").read_bytes() == made.png(3)
    assert there.bring(first) == draft_id
    second = there.export(draft_id, tmp_path / "second")
    assert documents(second) == documents(first)
    assert hashes(second) == hashes(first)
    mine, other = here.read(draft_id).draft, there.read(draft_id).draft
    assert other.words == mine.words
    assert other.extra["prompts"] == mine.extra["prompts"] != {}


def test_an_export_holds_copies(here: Machine, tmp_path: Path) -> None:
    draft_id = here.bring(made.drafts_era(tmp_path / "elsewhere"))
    target = here.export(draft_id, tmp_path / "out")
    own = here.drafts.folder_of(draft_id)
    assert {path.name for path in target.iterdir()} == {path.name for path in own.iterdir()} | {"maquette.json"}
    picture = target / "assets" / "00_whale.png"
    assert picture.stat().st_nlink == 1 and not picture.is_symlink()
    picture.write_bytes(b"changed")
    assert (own / "assets" / "00_whale.png").read_bytes() == made.png(0)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_only_an_earlier_export_of_the_draft_is_replaced(here: Machine, tmp_path: Path) -> None:
    draft_id = here.bring(made.drafts_era(tmp_path / "elsewhere"))
    target = here.export(draft_id, tmp_path / "out")
    with pytest.raises(Conflict, match="is there already"):
        here.export(draft_id, target)
    here.drafts.change(draft_id, DraftChange(name="Sea"))
    (target / "stray.txt").write_text("x")
    here.export(draft_id, target, overwrite=True)
    assert json.loads((target / "metadata.json").read_text())["name"] == "Sea"
    assert not (target / "stray.txt").exists()

    other = here.drafts.create(NewDraft(name="Other", theme="farm")).draft_id
    precious = tmp_path / "precious"
    precious.mkdir()
    link = tmp_path / "link"
    link.symlink_to(target, target_is_directory=True)
    for id_, place in ((other, target), (draft_id, precious), (draft_id, link)):
        with pytest.raises(Conflict, match="no earlier export"):
            here.export(id_, place, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"elsewhere", "here", "out", "precious", "link"}


def test_an_export_that_fails_leaves_nothing_and_what_was_there(here: Machine, tmp_path: Path) -> None:
    draft_id = here.bring(made.drafts_era(tmp_path / "elsewhere"))
    target = here.export(draft_id, tmp_path / "out")
    before = made.traces(target)
    found = here.read(draft_id)
    file = found.files[found.assets[0].image_id]  # type: ignore[index]
    here.store.path(file.key).write_bytes(b"damaged")
    with pytest.raises(StorageError, match=r"00_whale.png of draft 1a2b3c4d is damaged"):
        here.export(draft_id, target, overwrite=True)
    here.store.delete(file.key)
    with pytest.raises(NotFound):
        here.export(draft_id, target, overwrite=True)
    with pytest.raises(NotFound, match="Draft 00000000 not found"):
        here.export("00000000", tmp_path / "nothing")
    blocked = tmp_path / "elsewhere" / "a file"
    blocked.touch()
    with pytest.raises(StorageError, match="choose another place"):
        here.export(here.drafts.create(NewDraft(name="x", theme="y")).draft_id, blocked / "out")
    assert made.traces(target) == before
    assert {path.name for path in tmp_path.iterdir()} == {"elsewhere", "here", "out"}


def test_an_empty_draft_travels(here: Machine, there: Machine, tmp_path: Path) -> None:
    draft_id = here.drafts.create(NewDraft(name="Été", theme="farm", seed=42)).draft_id
    first = here.export(draft_id, tmp_path / "first")
    assert there.bring(first) == draft_id
    assert documents(there.export(draft_id, tmp_path / "second")) == documents(first)
    assert there.read(draft_id).draft.seed == 42


def test_a_copy_on_a_machine_that_has_another_draft_of_that_id(here: Machine, there: Machine, tmp_path: Path) -> None:
    draft_id = drawn(here, tmp_path / "elsewhere")
    first = here.export(draft_id, tmp_path / "first")
    with there.database.begin() as session:
        session.add(Draft(id=draft_id, name="Other", theme="x", slug="other", folder=f"other-{draft_id}"))
        session.flush()
        session.add(DraftAsset(draft_id=draft_id, number=0, display_name="other"))
    new_id = there.bring(first)
    assert new_id != draft_id
    second = there.export(new_id, tmp_path / "second")
    expected = json.loads(json.dumps(documents(first)).replace(draft_id, new_id))
    said = documents(second)
    for name in ("metadata.json", "assets_metadata.json", "words.json", "data.json"):
        assert said[name] == expected[name]
    assert hashes(second) == hashes(first)
