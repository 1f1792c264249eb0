"""Drafts as rows and as folders: what is changed, counted, told, approved and forgotten."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import ValidationError

from maquette.db.engine import Database
from maquette.drafts import repository
from maquette.drafts.changes import touch
from maquette.drafts.folder import rewrite_stale
from maquette.drafts.models import Approval, AssetChange, CustomPrompts, DraftChange, Making, NewDraft, SongChange
from maquette.drafts.service import Drafts
from maquette.drafts.tables import Draft, DraftAsset
from maquette.errors import Conflict, InvalidInput, NotFound
from maquette.events import service as events
from maquette.intake.service import Intake
from maquette.orders import service as orders
from maquette.settings import Settings
from maquette.storage.port import Store

# The fields of the existing clients, in their order.
METADATA = [
    "draft_id", "folder", "name", "theme", "slug", "status", "created_at", "updated_at", "background_color",
    "thumbnail_url", "default_prompts", "num_assets", "music_lyrics",
]  # fmt: skip
ASSET = [
    "id", "display_name", "sort_order", "image_prompt", "video_prompt", "generated_at", "image_file", "video_file",
]  # fmt: skip


@pytest.fixture
def drafts(database: Database, store: Store, settings: Settings) -> Drafts:
    return Drafts(database, store, settings)


@pytest.fixture
def intake(database: Database, store: Store, settings: Settings) -> Intake:
    return Intake(database, store, settings)


def with_assets(drafts: Drafts, number: int = 2) -> str:
    """A draft with assets that have names and no files."""
    draft_id = drafts.create(NewDraft(name="Été à la ferme", theme="farm")).draft_id
    with drafts.changing(draft_id) as (session, _):
        for index in range(number):
            session.add(
                DraftAsset(
                    draft_id=draft_id,
                    number=index,
                    display_name=f"cow {index}",
                    titles={"en": f"cow {index}", "fr": f"vache {index}"},
                    image_file=f"{index:02d}_cow.png",
                    video_file=f"{index:02d}_cow_silent.webm",
                )
            )
    return draft_id


def folder_of(drafts: Drafts, draft_id: str) -> Path:
    return drafts.settings.home / "drafts" / drafts.get(draft_id).folder


def read(path: Path) -> object:
    return json.loads(path.read_text("utf-8"))


def test_a_draft_has_a_folder_in_the_shape_of_the_existing_tools(drafts: Drafts) -> None:
    draft_id = with_assets(drafts)
    folder = folder_of(drafts, draft_id)
    assert folder.name == f"ete-a-la-ferme-{draft_id}"
    metadata = read(folder / "metadata.json")
    assert isinstance(metadata, dict)
    assert list(metadata) == METADATA
    assert metadata["created_at"].count("+") == 0 and "T" in metadata["created_at"]
    assert metadata["default_prompts"]["image"].count("{") == 1
    assets = read(folder / "assets_metadata.json")
    assert isinstance(assets, list)
    assert [list(entry) for entry in assets] == [ASSET, ASSET]
    assert [entry["id"] for entry in assets] == ["00", "01"]
    words = read(folder / "words.json")
    assert isinstance(words, dict)
    assert words["translations"]["fr"] == ["vache 0", "vache 1"]
    assert words["translations"]["de"] == ["cow 0", "cow 1"]  # what nobody translated keeps its name
    assert "Été à la ferme" in (folder / "metadata.json").read_text("utf-8")  # not escaped


def test_each_change_is_counted_told_and_written(drafts: Drafts, database: Database) -> None:
    draft_id = with_assets(drafts)
    seq = _seq(database, draft_id)
    changed = drafts.change(
        draft_id,
        DraftChange(
            name="La ferme", background_color="#aabbcc", titles={"fr": "Ferme"},
            custom_prompts=CustomPrompts(image="A drawing of {concept}"),
        ),
    )  # fmt: skip
    assert (changed.name, changed.background_color, changed.titles) == ("La ferme", "#aabbcc", {"fr": "Ferme"})
    assert changed.slug == "ete-a-la-ferme"  # addresses stay
    asset = drafts.change_asset(draft_id, 1, AssetChange(display_name="goat", titles={"de": "Ziege"}))
    assert asset.titles == {"en": "cow 1", "fr": "vache 1", "de": "Ziege"}
    song = drafts.change_song(draft_id, "fr", SongChange(lyrics="[verse]\nla la", prompt="soft"))
    assert (song.lyrics, song.audio_path) == ("[verse]\nla la", None)
    assert _seq(database, draft_id) == seq + 3
    folder = folder_of(drafts, draft_id)
    metadata, assets = read(folder / "metadata.json"), read(folder / "assets_metadata.json")
    assert isinstance(metadata, dict) and isinstance(assets, list)
    assert (metadata["name"], metadata["music_lyrics"]) == ("La ferme", {"fr": "[verse]\nla la"})
    assert assets[1]["display_name"] == "goat"


def _seq(database: Database, draft_id: str) -> int:
    with database.begin() as session:
        return events.last_seq(session, f"draft_{draft_id}")


def test_two_drafts_of_one_name_are_two(drafts: Drafts) -> None:
    new = NewDraft(name="Jungle", theme="jungle")
    first, second = drafts.create(new), drafts.create(new)
    assert first.draft_id != second.draft_id
    assert first.slug == second.slug == "jungle"
    assert [line.draft_id for line in drafts.list()] == [second.draft_id, first.draft_id]
    drafts.change(first.draft_id, DraftChange(description="x"))
    assert [line.draft_id for line in drafts.list()] == [first.draft_id, second.draft_id]


@pytest.mark.parametrize("name", ["", "   ", "a\0b", "a\u202eb", "x" * 121])
def test_names_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises((ValidationError, InvalidInput)):
        NewDraft(name=name, theme="farm")


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "..", "C:\\x", "....//", "⁄⁄", "日本語"])
def test_no_name_leads_out_of_the_folder(drafts: Drafts, name: str) -> None:
    draft = drafts.create(NewDraft(name=name, theme=name))
    root = (drafts.settings.home / "drafts").resolve()
    assert (root / draft.folder).resolve().parent == root
    assert (root / draft.folder / "metadata.json").exists()


def test_unknown_variables_are_an_error_and_no_text_in_a_picture(drafts: Drafts) -> None:
    with pytest.raises(InvalidInput, match="objet"):
        drafts.create(NewDraft(name="F", theme="farm", custom_prompts=CustomPrompts(image="a {objet}")))
    draft_id = with_assets(drafts)
    with pytest.raises(InvalidInput, match="wort"):
        drafts.change_asset(draft_id, 0, AssetChange(image_prompt="a {wort}"))
    assert drafts.list()[0].draft_id == draft_id


def test_an_approval_is_bound_to_what_was_seen(drafts: Drafts, database: Database) -> None:
    draft_id = with_assets(drafts)
    drafts.change(draft_id, DraftChange(require_approval=True))
    seen = drafts.get(draft_id)
    assert (seen.require_approval, seen.approved) == (True, False)
    assert drafts.approve(draft_id, Approval(content_hash=seen.content_hash)).approved
    assert drafts.get(draft_id).content_hash == seen.content_hash  # to look at it changes nothing of it
    for change in (
        lambda: drafts.change(draft_id, DraftChange(titles={"fr": "Autre"})),
        lambda: drafts.change_asset(draft_id, 0, AssetChange(titles={"es": "vaca"})),
        lambda: drafts.change_song(draft_id, "fr", SongChange(lyrics="other words")),
    ):
        change()
        now = drafts.get(draft_id)
        assert not now.approved
        with pytest.raises(Conflict) as caught:
            drafts.approve(draft_id, Approval(content_hash=seen.content_hash))
        assert caught.value.code == "approval_stale"
        seen = drafts.approve(draft_id, Approval(content_hash=now.content_hash))
        assert seen.approved
    assert not drafts.approve(draft_id, Approval(content_hash=seen.content_hash, approved=False, note="no")).approved


def test_nothing_is_changed_while_it_is_being_made(drafts: Drafts, intake: Intake) -> None:
    draft_id = with_assets(drafts)
    accepted = intake.generate_draft(draft_id, Making(num_assets=2))
    assert accepted.items == 2 + 2 + 5
    for change in (
        lambda: drafts.change(draft_id, DraftChange(name="x")),
        lambda: drafts.restore(draft_id, 0, 1),
        lambda: drafts.delete(draft_id),
        lambda: intake.generate_draft(draft_id, Making()),
    ):
        with pytest.raises(Conflict) as caught:
            change()
        assert caught.value.code == "busy"
    assert accepted.order_id is not None
    intake.cancel(accepted.order_id)
    status = drafts.status(draft_id)
    assert (status.status, status.failed_assets) == ("failed", 2)
    assert {failure.code for failure in status.failures} == {"cancelled"}
    again = intake.retry(accepted.order_id)
    assert (drafts.status(draft_id).status, again.subjects) == ("generating", [f"draft_{draft_id}"])


def test_of_many_requests_at_once_one_is_taken(drafts: Drafts, intake: Intake, database: Database) -> None:
    draft_id = with_assets(drafts)
    gate = threading.Barrier(8)

    def ask(_: int) -> str:
        gate.wait()
        try:
            return str(intake.generate_draft(draft_id, Making(num_assets=2)).job_id)
        except Conflict as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert answers.count("busy") == 7
    with database.begin() as session:
        job = orders.latest_job(session, f"draft_{draft_id}")
    assert job is not None and str(job.id) in answers


def test_one_key_is_one_order(drafts: Drafts, intake: Intake) -> None:
    draft_id = with_assets(drafts)
    first = intake.generate_draft(draft_id, Making(num_assets=2), key="k")
    assert intake.generate_draft(draft_id, Making(num_assets=2), key="k") == first
    with pytest.raises(Conflict, match="key"):
        intake.generate_draft(draft_id, Making(num_assets=3), key="k")


def test_a_deleted_draft_is_gone_with_its_folder(drafts: Drafts, database: Database) -> None:
    draft_id = with_assets(drafts)
    folder = folder_of(drafts, draft_id)
    drafts.delete(draft_id)
    assert not folder.exists()
    with pytest.raises(NotFound, match=draft_id):
        drafts.get(draft_id)
    with database.begin() as session:
        assert session.get(Draft, draft_id) is None
        assert repository.assets_of(session, draft_id) == []
    assert _seq(database, draft_id) == 0


def test_a_folder_that_fell_behind_is_rewritten(drafts: Drafts, settings: Settings) -> None:
    draft_id = with_assets(drafts)
    place = folder_of(drafts, draft_id) / "metadata.json"
    before = drafts.get(draft_id)
    place.unlink()
    assert rewrite_stale(drafts.database, drafts.store, settings) == 0  # it is what the row says it is
    with drafts.database.begin() as session:  # a change whose process died before it could write the folder
        touch(session, repository.get_draft(session, draft_id, lock=True))
    assert rewrite_stale(drafts.database, drafts.store, settings) == 1
    assert read(place)["draft_id"] == draft_id  # type: ignore[index]
    assert drafts.get(draft_id).updated_at - before.updated_at < timedelta(seconds=60)
    assert [path for path in place.parent.iterdir() if path.name.endswith(".part")] == []


def test_writers_of_one_folder_take_turns(drafts: Drafts) -> None:
    draft_id = with_assets(drafts)

    def change(number: int) -> None:
        for _ in range(3):
            drafts.change_asset(draft_id, number, AssetChange(titles={"it": f"vacca {uuid4().hex}"}))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(change, range(2)))
    words = read(folder_of(drafts, draft_id) / "words.json")
    assert isinstance(words, dict)
    assert words["translations"]["it"] == [asset.titles["it"] for asset in drafts.assets(draft_id)]
