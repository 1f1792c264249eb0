"""What orders do to a draft: retries, cancellations, failures, consents; and that nothing is made or lost twice."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError
from sqlmodel import select

from maquette.brands import service as brands
from maquette.drafts import production, repository, texts
from maquette.drafts.models import AssetChange, Making, NewDraft, Regeneration, SongChange
from maquette.drafts.tables import DraftAsset
from maquette.errors import BudgetExceeded, Conflict, InvalidInput, MaquetteError, NotFound
from maquette.events import service as events
from maquette.journal.costs import costs
from maquette.journal.models import CallState, ProviderCall
from maquette.library import service as library
from maquette.orders import service as orders
from maquette.quota import service as quota
from maquette.quota.rules import Amounts
from tests.drafts.house import PICTURES, TWO, House


def metadata(house: House, draft_id: str) -> dict[str, Any]:
    """What the folder says."""
    found: dict[str, Any] = json.loads((house.drafts.folder_of(draft_id) / "metadata.json").read_text("utf-8"))
    return found


def kept_calls(house: House) -> int:
    with house.database.begin() as session:
        return len(session.exec(select(ProviderCall.id)).all())


@contextmanager
def row(house: House, draft_id: str, number: int) -> Iterator[DraftAsset]:
    """The asset's row, to be changed as an import does."""
    with house.drafts.changing(draft_id) as (session, draft):
        draft.source_hash = "imported"
        yield repository.get_asset(session, draft_id, number)


def test_a_retry_is_told_and_written(house: House) -> None:
    draft_id = house.new()
    ordered = house.generate(draft_id, refused=["01"])
    assert ordered.order_id is not None
    assert house.status(draft_id).status == metadata(house, draft_id)["status"] == "failed"
    with house.database.begin() as session:
        seq = events.last_seq(session, f"draft_{draft_id}")
    house.intake.retry(ordered.order_id)
    assert house.status(draft_id).status == metadata(house, draft_id)["status"] == "generating"
    with house.database.begin() as session:
        (told,) = events.since(session, f"draft_{draft_id}", seq=seq)
    assert told.data["status"] == "generating"


def test_a_cancelled_order_frees_the_draft_and_its_folder_says_so_at_once(house: House) -> None:
    draft_id = house.new()
    ordered = house.intake.generate_draft(draft_id, TWO)
    assert ordered.order_id is not None
    house.intake.cancel(ordered.order_id)
    assert house.status(draft_id).status == metadata(house, draft_id)["status"] == "failed"


def test_a_retry_makes_nothing_that_another_order_has_made_since(house: House) -> None:
    draft_id = house.new()
    first = house.generate(draft_id, refused=["01"])
    assert house.generate(draft_id).items == 2
    assert first.order_id is not None
    house.generate(draft_id, TWO.model_copy(update={"force_regenerate": True}))
    before, calls = house.drafts.assets(draft_id), kept_calls(house)
    with pytest.raises(Conflict) as caught:
        house.intake.retry(first.order_id)
    assert caught.value.code == "nothing_to_retry"
    assert (house.drafts.assets(draft_id), kept_calls(house)) == (before, calls)


def test_a_retry_makes_only_what_is_still_missing(house: House) -> None:
    draft_id = house.new()
    first = house.generate(draft_id, Making(num_assets=3, parts=frozenset({"image"})), refused=["01", "02"])
    assert first.order_id is not None
    house.generate(draft_id, Making(num_assets=2, parts=frozenset({"image"})))
    again = house.intake.retry(first.order_id)
    with house.database.begin() as session:
        assert [item.brief["part"] for item in orders.order_items(session, again.order_id)] == ["02"]
    house.make(again)
    assert house.status(draft_id).status == "completed"


def test_a_failed_loop_is_not_mended_by_another_picture(house: House) -> None:
    draft_id = house.new()
    house.generate(draft_id, refused=["01 video"])
    house.make(house.intake.regenerate_draft_asset(draft_id, 1, Regeneration(regenerate_video=False)))
    status = house.status(draft_id)
    assert (status.status, [(f.asset, f.part) for f in status.failures]) == ("failed", [("01", "video")])
    house.generate(draft_id)
    assert house.status(draft_id).status == "completed"


def test_a_failed_regeneration_is_mended_by_an_earlier_version(house: House) -> None:
    draft_id = house.finished()
    house.make(house.intake.regenerate_draft_asset(draft_id, 1, Regeneration()), refused=["01"])
    assert house.status(draft_id).status == "failed"
    house.drafts.restore(draft_id, 1, 1)
    assert (house.status(draft_id).status, house.status(draft_id).failures) == ("completed", [])


def test_after_a_restore_another_take_is_a_new_picture(house: House) -> None:
    draft_id = house.finished(making=PICTURES)
    seen = {house.drafts.asset(draft_id, 1).image_sha256}
    only = Regeneration(regenerate_video=False)
    house.make(house.intake.regenerate_draft_asset(draft_id, 1, only))
    seen.add(house.drafts.asset(draft_id, 1).image_sha256)
    house.drafts.restore(draft_id, 1, 1)
    house.make(house.intake.regenerate_draft_asset(draft_id, 1, only))
    seen.add(house.drafts.asset(draft_id, 1).image_sha256)
    assert len(seen) == 3  # not the one again that was not wanted


def test_a_lost_text_is_asked_for_again_by_the_next_order(house: House) -> None:
    draft_id = house.finished()
    song = Making(parts=frozenset({"music"}), languages=("fr",))
    accepted = house.intake.generate_draft(draft_id, song)
    assert accepted.job_id is not None
    work = house.worker.workshop
    # A writer that is paid, and whose answer was lost on the way.
    work.writer.profile = work.writer.profile.model_copy(update={"local": False})
    lease, _ = house.worker.claim(accepted.job_id)
    (item,) = production.open_parts(work, lease)
    assert texts.write_song(work, lease, "fr").lyrics
    with house.drafts.database.begin() as session:
        found = repository.get_song(session, draft_id, "fr")
        assert found is not None
        found.lyrics = ""
        asked = session.exec(select(ProviderCall).where(ProviderCall.step == "lyrics-fr")).one()
        asked.state = CallState.SENDING
    with pytest.raises(MaquetteError) as caught:
        production.submit(work, lease, item)
    assert caught.value.code == "outcome_unknown"
    assert production.judge(work, lease, item, caught.value, failures=0, random=Random(0)).ended
    assert house.status(draft_id).failures[0].code == "outcome_unknown"
    house.generate(draft_id, song)  # the order is the person's consent
    assert house.status(draft_id).status == "completed"


def test_a_brace_that_was_meant_is_a_brace(house: House) -> None:
    draft_id = house.new()
    house.generate(draft_id, refused=["00", "01"])
    house.drafts.change_asset(draft_id, 0, AssetChange(image_prompt="A {{magic}} {concept}", video_prompt="{{wave}}"))
    name = house.drafts.asset(draft_id, 0).display_name
    house.generate(draft_id)
    asset = house.drafts.asset(draft_id, 0)
    assert (asset.image_prompt, asset.video_prompt) == (f"A {{magic}} {name}", "{wave}")
    house.make(house.intake.regenerate_draft_asset(draft_id, 0, Regeneration()))
    assert house.drafts.asset(draft_id, 0).image_prompt == f"A {{magic}} {name}"


def test_an_imported_template_is_filled_whenever_its_part_is_made(house: House) -> None:
    draft_id = house.new()
    house.generate(draft_id, refused=["00", "01"])
    with row(house, draft_id, 0) as asset:
        asset.image_prompt, asset.video_prompt = "A drawn {concept}", "The {concept} waves"
    name = house.drafts.asset(draft_id, 0).display_name
    house.generate(draft_id, PICTURES)
    house.generate(draft_id)
    asset_ = house.drafts.asset(draft_id, 0)
    assert (asset_.image_prompt, asset_.video_prompt) == (f"A drawn {name}", f"The {name} waves")


def test_a_template_that_cannot_be_filled_fails_its_part_alone(house: House) -> None:
    draft_id = house.new()
    house.generate(draft_id, refused=["00", "01"])
    with row(house, draft_id, 1) as asset:
        asset.video_prompt = "The {creature} waves"
    for _ in range(2):
        house.generate(draft_id)
        status = house.status(draft_id)
        assert [(f.asset, f.part, f.code) for f in status.failures] == [("01", "video", "unknown_variable")]
        assert (status.status, status.generated_assets) == ("failed", 1)
    assert house.books() == []
    wanted = Regeneration(regenerate_image=False, new_video_prompt="The {concept} waves")
    house.make(house.intake.regenerate_draft_asset(draft_id, 1, wanted))
    assert house.status(draft_id).status == "completed"


def test_a_prompt_that_grows_beyond_measure_is_refused(house: House) -> None:
    draft_id = house.finished(making=PICTURES, description="x" * 2000)
    with pytest.raises(InvalidInput, match="characters"):
        house.drafts.change_asset(draft_id, 0, AssetChange(image_prompt="{theme_description}" * 100))


def test_a_picture_that_the_store_lost_fails_its_loop_alone(house: House) -> None:
    draft_id = house.finished(making=PICTURES)
    with house.database.begin() as session:
        lost = repository.get_asset(session, draft_id, 0).image_id
        assert lost is not None
        key = library.get(session, lost).key
    house.drafts.store.delete(key)
    house.generate(draft_id)
    status = house.status(draft_id)
    assert [(f.asset, f.part, f.code) for f in status.failures] == [("00", "video", "picture_missing")]


def test_a_language_that_is_named_twice_is_sung_once(house: House) -> None:
    draft_id = house.new()
    wanted = Making(num_assets=1, parts=frozenset({"music"}), languages=("fr", "fr"))
    assert house.intake.generate_draft(draft_id, wanted).items == 1


@pytest.mark.parametrize("number", [-1, 100])
def test_only_numbers_that_files_can_have_are_ordered(number: int) -> None:
    with pytest.raises(ValidationError):
        Making(assets=frozenset({number}))


def test_titles_have_an_end(house: House) -> None:
    with pytest.raises(ValidationError):
        AssetChange(titles={"fr": "x" * 10_000})


def test_one_source_is_one_draft_however_many_ask_at_once(house: House) -> None:
    gate, source = Barrier(6), f"prefect:{uuid4()}"

    def ask(_: int) -> str:
        gate.wait()
        return house.drafts.create(NewDraft(name="F", theme="farm"), source=source).draft_id

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(ask, range(6)))) == 1


@pytest.mark.parametrize("draft_id", ["../../../tmp/x", "/etc", "a\0b", "..", "", "x" * 200, "ＡＢ", "a b"])
def test_no_id_leads_out_of_the_folders(house: House, draft_id: str, tmp_path: Path) -> None:
    before = sorted(path for path in tmp_path.rglob("*"))
    for call in (
        lambda: house.drafts.get(draft_id),
        lambda: house.drafts.rewrite(draft_id),
        lambda: house.drafts.delete(draft_id),
        lambda: house.drafts.folder_of(draft_id),
        lambda: house.intake.generate_draft(draft_id, TWO),
    ):
        with pytest.raises(NotFound):
            call()
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_fifty_assets_and_as_many_names(house: House) -> None:
    draft_id = house.new()
    accepted = house.intake.generate_draft(draft_id, Making(num_assets=50))
    assert (accepted.items, accepted.job_id is None) == (50 + 50 + 5, False)
    assert accepted.job_id is not None
    lease, _ = house.worker.claim(accepted.job_id)
    assert texts.write_concepts(house.worker.workshop, lease) == 50
    parts = production.open_parts(house.worker.workshop, lease)
    assert len({(item.kind, item.part) for item in parts}) == len(parts) == 50 + 50 + 5
    assets = house.drafts.assets(draft_id)
    assert len({asset.display_name for asset in assets}) == len({asset.image_file for asset in assets}) == 50
    assert len(house.status(draft_id).model_dump_json()) < 1000


def test_forty_may_create_at_once_each_under_a_key(house: House) -> None:
    gate = Barrier(40)

    def ask(index: int) -> str:
        gate.wait()
        return house.drafts.create(NewDraft(name="F", theme="farm"), key=f"key {index}").draft_id

    with ThreadPoolExecutor(40) as pool:
        made = list(pool.map(ask, range(40)))
    assert len(set(made)) == 40  # nobody waits for a connection while holding another
    assert house.drafts.create(NewDraft(name="F", theme="farm"), key="key 7").draft_id == made[7]
    with pytest.raises(Conflict) as caught:
        house.drafts.create(NewDraft(name="G", theme="farm"), key="key 7")
    assert caught.value.code == "idempotency_key"


def test_a_song_is_asked_for_without_variables(house: House) -> None:
    draft_id = house.new()
    song = Making(num_assets=1, parts=frozenset({"music"}), languages=("fr",))
    told = house.drafts.change_song(draft_id, "fr", SongChange(prompt="A lullaby of {theme}"))
    assert told.prompt == "A lullaby of {theme}"  # a template until it is sung
    with house.drafts.changing(draft_id) as (session, _):  # as older clients leave it
        found = repository.get_song(session, draft_id, "fr")
        assert found is not None
        found.prompt = "A march of {theme} with {a brace}"
    house.generate(draft_id, song)
    assert house.status(draft_id).failures[0].code == "unknown_variable"
    with house.drafts.changing(draft_id) as (session, _):
        found = repository.get_song(session, draft_id, "fr")
        assert found is not None
        found.prompt = "A march of {theme}"
    house.generate(draft_id, song)
    assert [song.prompt for song in house.drafts.songs(draft_id)] == ["A march of farm"]
    with house.database.begin() as session:
        asked = session.exec(select(ProviderCall).where(ProviderCall.step == "music-1")).one()
    assert asked.request["prompt"] == "A march of farm"


def test_a_new_prompt_that_cannot_be_filled_is_refused_before_anything_is_ordered(house: House) -> None:
    draft_id = house.finished(making=PICTURES)
    with pytest.raises(InvalidInput, match="creature"):
        house.intake.regenerate_draft_asset(draft_id, 0, Regeneration(new_image_prompt="A {creature}"))
    assert (house.status(draft_id).status, house.drafts.versions(draft_id, 0)) == ("completed", [])


def test_what_was_not_replaced_is_kept_once(house: House) -> None:
    draft_id = house.finished(making=PICTURES)
    for _ in range(3):
        house.make(house.intake.regenerate_draft_asset(draft_id, 0, Regeneration()), refused=["00"])
    assert [version.version for version in house.drafts.versions(draft_id, 0)] == [1]


def test_new_names_are_in_the_words_of_an_import(house: House) -> None:
    draft_id = house.finished(making=PICTURES)
    with house.drafts.changing(draft_id) as (_, draft):
        draft.words = {"theme": "farm", "words": ["a", "b"], "translations": {"fr": ["a", "b"]}, "univers_name": "F"}
    assert house.drafts.words(draft_id)["words"] == ["a", "b"]  # as it came
    house.drafts.change_asset(draft_id, 0, AssetChange(display_name="goat", titles={"fr": "chèvre"}))
    words = house.drafts.words(draft_id)
    other = house.drafts.asset(draft_id, 1)
    assert (words["univers_name"], words["words"]) == ("F", ["goat", other.display_name])
    assert words["translations"]["fr"] == ["chèvre", other.titles["fr"]]  # type: ignore[call-overload,index]
    house.generate(draft_id, PICTURES.model_copy(update={"num_assets": 3}))
    words = house.drafts.words(draft_id)
    assert (words["univers_name"], len(words["words"])) == ("F", 3)  # type: ignore[arg-type]


def test_an_estimate_is_what_is_then_held_and_paid(house: House) -> None:
    with house.database.begin() as session:
        brand = brands.create(session, brands.NewBrand(name="Studio", plan="studio"))
    draft_id = house.new(brand_id=brand.id)
    making = Making(num_assets=2, languages=("fr", "de"))
    estimate = house.intake.estimate_draft(draft_id, making)
    assert (estimate.brand_id, estimate.allowed) == (brand.id, True)
    assert (estimate.amounts.images, estimate.amounts.woofs) == (2, 2 + 2)
    assert estimate.cost_micros == 2 * 3000 + 2 * 5000 + 2 * 7000
    assert house.drafts.get(draft_id).status == "draft"  # nothing was ordered
    accepted = house.generate(draft_id, making)
    assert accepted.order_id is not None
    with house.database.begin() as session:
        items = orders.order_items(session, accepted.order_id)
        held = quota.held(session, [item.id for item in items])
        assert costs(session, by="provider").cost_micros == estimate.cost_micros
    assert sum(held.values(), Amounts()) == estimate.amounts
    assert house.intake.estimate_draft(draft_id, making).cost_micros == 0
    again = making.model_copy(update={"force_regenerate": True})
    assert house.intake.estimate_draft(draft_id, again).cost_micros == estimate.cost_micros
    assert [asset.version for asset in house.drafts.assets(draft_id)] == [1, 1]
    assert house.intake.estimate_draft(house.new(), making).amounts == Amounts()  # nobody's budget


def test_an_estimate_tells_why_it_would_be_refused(house: House) -> None:
    with house.database.begin() as session:
        brand = brands.create(session, brands.NewBrand(name="Petit", plan="starter"))
    draft_id = house.new(brand_id=brand.id)
    making = Making(num_assets=50, parts=frozenset({"image"}))
    while (estimate := house.intake.estimate_draft(draft_id, making)).allowed:
        other = house.new(brand_id=brand.id)
        house.intake.generate_draft(other, making)
    assert estimate.code == "budget_exceeded" and estimate.reason
    with pytest.raises(BudgetExceeded):
        house.intake.generate_draft(draft_id, making)
    assert house.drafts.get(draft_id).status == "draft"
