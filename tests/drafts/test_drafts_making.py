"""What is made anew of a draft and what it takes of a budget, without an engine around it."""

import pytest

from maquette.brands import service as brands
from maquette.drafts.models import Making, Regeneration
from maquette.errors import Conflict
from maquette.library import service as library
from maquette.orders.documents import order_document
from maquette.quota import rules
from maquette.quota import service as quota
from tests.drafts.house import House


def hashes(house: House, draft_id: str) -> dict[str, tuple[str | None, str | None]]:
    return {asset.id: (asset.image_sha256, asset.video_sha256) for asset in house.drafts.assets(draft_id)}


def test_one_asset_is_made_anew_and_can_be_brought_back(house: House) -> None:
    draft_id = house.finished()
    before, old = hashes(house, draft_id), house.drafts.asset(draft_id, 1)

    accepted = house.intake.regenerate_draft_asset(draft_id, 1, Regeneration())
    with pytest.raises(Conflict, match="is being made"):
        house.intake.regenerate_draft_asset(draft_id, 0, Regeneration())
    assert house.drafts.asset(draft_id, 1).image_sha256 == old.image_sha256  # it stays until the new one is there
    house.make(accepted)
    after = hashes(house, draft_id)
    assert [key for key in after if after[key] != before[key]] == ["01"]
    assert after["01"][0] != before["01"][0] and after["01"][1] != before["01"][1]
    assert house.drafts.asset(draft_id, 1).image_prompt == old.image_prompt  # the same words, another seed

    wanted = Regeneration(new_image_prompt="A blue {concept} in {theme}", regenerate_video=False)
    house.make(house.intake.regenerate_draft_asset(draft_id, 1, wanted))
    now = house.drafts.asset(draft_id, 1)
    assert now.image_prompt == f"A blue {now.display_name} in farm"
    assert now.video_sha256 == after["01"][1]

    versions = house.drafts.versions(draft_id, 1)
    first = next(each for each in versions if (each.image_sha256, each.video_sha256) == before["01"])
    restored = house.drafts.restore(draft_id, 1, first.version)
    assert (restored.image_sha256, restored.video_sha256) == before["01"]
    assert restored.image_prompt == old.image_prompt
    assert hashes(house, draft_id) == before
    with house.database.begin() as session:
        files = library.of_kind(session, f"draft_{draft_id}", "draft_image")
    kept = next(asset for asset in files if asset.sha256 == before["01"][0])
    shown = house.drafts.folder_of(draft_id) / "assets" / str(restored.image_file)
    assert shown.samefile(house.drafts.store.path(kept.key))


def test_all_is_made_anew_on_demand(house: House) -> None:
    making = Making(num_assets=2, languages=("fr",))
    draft_id = house.finished(making=making)
    before = hashes(house, draft_id)
    house.generate(draft_id, making.model_copy(update={"force_regenerate": True}))
    after = hashes(house, draft_id)
    assert all(after[key][part] != before[key][part] for key in before for part in (0, 1))
    assert all(house.drafts.versions(draft_id, number) for number in range(2))
    assert house.status(draft_id).status == "completed"


def test_a_draft_of_a_brand_takes_its_budget_and_others_none(house: House) -> None:
    with house.database.begin() as session:
        brand = brands.create(session, brands.NewBrand(name="Studio", plan="studio"))
    draft_id = house.new(brand_id=str(brand.id))
    making = Making(num_assets=3, languages=("fr",))
    accepted = house.generate(draft_id, making, refused={"01"})
    house.finished("Sans marque")
    assert accepted.order_id is not None
    with house.database.begin() as session:
        document = order_document(session, accepted.order_id)
        period = rules.period_of(document.created_at)
        month = quota.document(session, brand_id=brand.id, plan=rules.plan("studio"), period=period)
        default = brands.get(session, None)
        other = quota.document(session, brand_id=default.id, plan=rules.plan(default.plan), period=period)
    assert (document.status, document.completed, document.expected) == ("partial", 5, 7)
    # Two pictures, their two loops and a song: what failed was given back.
    assert (month.images.used, month.woofs.used, month.images.reserved, month.woofs.reserved) == (2, 3, 0, 0)
    assert (other.images.used, other.woofs.used) == (0, 0)
    assert house.books() == []
