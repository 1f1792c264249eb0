"""Packs of a chat: reading, price, requests, and what a cut text still holds."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.errors import InvalidInput
from maquette.intake.packs import Pack, asset_woofs, pack_woofs, parse_pack, shares, to_requests
from maquette.intake.requests import MediaRequest

EXAMPLE = Path(__file__).parents[3] / "shared" / "data" / "orders" / "example_pack.json"
BRAND = UUID("7d3f1c9e-0000-4000-8000-000000000001")

SLIDES = [{"title": f"Étape {n}", "subtitle": "", "bullets": ["Un", "Deux"]} for n in range(1, 5)]
PACK: dict[str, Any] = {
    "title": "Rentrée du club",
    "summary": "3 images, un carrousel et un film",
    "assets": [
        {
            "id": "i",
            "brandId": str(BRAND),
            "kind": "image",
            "count": 3,
            "platform": "instagram",
            "ratio": "1:1",
            "title": "Affiche",
            "goal": "notoriete",
            "tone": "chaleureux",
            "prompt": "Un terrain de sport au lever du jour",
            "woofCostType": "image",
        },
        {
            "id": "c",
            "brandId": "brand-123",
            "kind": "carousel",
            "count": 4,
            "platform": "instagram",
            "prompt": "Quatre étapes pour s'inscrire",
            "woofCostType": "carousel",
            "carouselType": "content",
            "generatedTexts": {"slides": SLIDES},
        },
        {
            "id": "v",
            "kind": "video_premium",
            "prompt": "Le club en un film, avec des enfants",
            "ratio": "9:16",
            "durationSeconds": 8,
            "woofCostType": "video_premium",
        },
    ],
}


def test_the_example_costs_37() -> None:
    if not EXAMPLE.exists():
        pytest.skip("the example lies beside a full checkout only")
    text = EXAMPLE.read_text("utf-8")
    pack, remarks = parse_pack(text)
    assert pack_woofs(pack) == 37
    assert [asset.kind for asset in pack.assets] == ["image", "image", "carousel", "video_premium"]
    assert [request.format for request in to_requests(pack)] == ["image", "image", "carousel", "video"]
    assert remarks == ["brandId 'brand-123' is no UUID, and is taken as none"]
    assert parse_pack(json.loads(text)) == (pack, remarks)


def test_a_pack_field_by_field() -> None:
    pack, remarks = parse_pack(PACK)
    assert (pack.title, pack.summary) == ("Rentrée du club", "3 images, un carrousel et un film")
    image, carousel, video = pack.assets
    assert (image.id, image.brand_id, image.count, image.title, image.tone) == (
        "i",
        str(BRAND),
        3,
        "Affiche",
        "chaleureux",
    )
    assert (carousel.brand_id, carousel.count, carousel.ratio) == ("brand-123", 4, "4:5")
    assert carousel.texts == {"slides": SLIDES}
    assert (video.brand_id, video.duration_s, video.count) == (None, 8, 1)
    assert list(map(asset_woofs, pack.assets)) == [3, 10, 25]
    assert pack_woofs(pack) == 38
    assert len(remarks) == 1 and "brand-123" in remarks[0]


def test_requests_of_a_pack() -> None:
    image, carousel, video = to_requests(parse_pack(PACK)[0])
    assert image == MediaRequest(
        format="image",
        count=3,
        topic="Un terrain de sport au lever du jour",
        brand_id=BRAND,
        platform="instagram",
        ratio="1:1",
        goal="notoriete",
        tone="chaleureux",
        campaign_name="Affiche",
    )
    assert (carousel.brand_id, carousel.count, carousel.texts) == (None, 4, {"slides": SLIDES})
    assert carousel.campaign_name == "Quatre étapes pour s'inscrire"
    assert (video.format, video.duration_s, video.ratio) == ("video", 8, "9:16")


@pytest.mark.parametrize(
    "document",
    [
        PACK["assets"],
        {"reply": "Voici", "pack": PACK},
        {"pack": json.dumps(PACK)},
        f"Voici votre pack !\n<alfie-pack>{json.dumps(PACK)}</alfie-pack>",
        f"```json\n{json.dumps(PACK, indent=2)}\n```",
    ],
)
def test_forms_of_a_pack(document: object) -> None:
    assert parse_pack(document)[0].assets == parse_pack(PACK)[0].assets


@pytest.mark.parametrize(
    ("asset", "field", "value", "remark"),
    [
        ({"kind": "reel"}, "kind", "video_premium", None),
        ({"kind": "images"}, "kind", "image", None),
        ({"kind": "carousel", "count": 1}, "count", 5, "one carousel, of 5 slides"),
        ({"kind": "carousel", "count": 1, "generatedTexts": {"slides": SLIDES}}, "count", 4, "of 4 slides"),
        ({"kind": "image", "goal": "fun"}, "goal", "", "goal 'fun' is not known"),
        ({"kind": "image", "platform": "myspace"}, "platform", "", "platform 'myspace' is not known"),
        ({"kind": "image", "prompt": "", "title": "Titre"}, "prompt", "Titre", "from its title"),
        ({"kind": "image", "woofCostType": "video_premium"}, "woof_cost_type", "image", "it costs as image"),
        ({"kind": "video_premium", "woofCostType": "video"}, "woof_cost_type", "video_premium", None),
        ({"kind": "image", "id": None}, "id", "a1", None),
        ({"kind": "image", "id": "a\x00"}, "id", "a1", None),
        ({"kind": "image", "useBrandKit": False}, "use_brand_kit", False, None),
    ],
)
def test_single_assets(asset: dict[str, Any], field: str, value: object, remark: str | None) -> None:
    pack, remarks = parse_pack({"assets": [{"prompt": "Un thème", "id": "x", **asset}]})
    assert getattr(pack.assets[0], field) == value
    assert [remark in each for each in remarks] == [True] if remark else remarks == []


def test_what_the_pack_says_holds_for_its_assets() -> None:
    pack, _ = parse_pack(
        {
            "brandId": str(BRAND),
            "language": "es",
            "assets": [{"kind": "image", "prompt": "a"}, {"kind": "image", "prompt": "b", "language": "en"}],
        }
    )
    assert [(asset.brand_id, asset.language) for asset in pack.assets] == [(str(BRAND), "es"), (str(BRAND), "en")]


def test_ids_become_unique() -> None:
    pack, remarks = parse_pack([{"kind": "image", "prompt": "x", "id": "a"}] * 3)
    assert [asset.id for asset in pack.assets] == ["a", "a-2", "a-3"]
    assert len(remarks) == 2


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"assets": []}, "no whole asset"),
        ({"title": "x"}, "no whole asset"),
        (None, "no whole asset"),
        ("Bonjour", "no JSON"),
        ('{"title": "x", "assets": [{"id": "a", "kind": "image"', "no whole asset"),
        ([{"kind": "image", "prompt": "x"}] * 21, "21 assets: send 20 at most"),
        ([5], "asset 1: it is no object"),
        ([{"id": "z", "prompt": "x"}], "asset 1 ('z'): kind may be"),
        ([{"id": "z", "kind": "gif", "prompt": "x"}], "asset 1 ('z'): kind may be"),
        ([{"id": "z", "kind": "image"}], "asset 1 ('z'): topic is missing"),
        ([{"id": "z", "kind": "video", "prompt": "x", "ratio": "2:3"}], "asset 1 ('z'): ratio is '2:3'"),
        ([{"id": "z", "kind": "carousel", "prompt": "x", "count": 12}], "asset 1 ('z'): count is 12"),
        ({"title": "x" * 201, "assets": [{"kind": "image", "prompt": "x"}]}, "title is"),
    ],
)
def test_wrong_packs_are_refused_naming_the_asset(document: object, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_pack(document)
    assert says in str(refused.value)


def test_all_wrong_assets_are_said_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_pack(
            [{"kind": "image"}, {"kind": "image", "prompt": "x"}, {"kind": "reel", "prompt": "x", "duration": 3}]
        )
    details = refused.value.values["details"]
    assert isinstance(details, list)
    assert [each["field"] for each in details] == ["assets[0].topic", "assets[2].duration"]


SPELLINGS = {
    "plain": json.dumps(PACK, ensure_ascii=False, indent=1),
    "in a reply": f"Voici {{joli}} :\n<alfie-pack>\n{json.dumps(PACK, ensure_ascii=False)}\n</alfie-pack>\nOn y va ?",
    "fenced, loose": "```json\n" + json.dumps(PACK, ensure_ascii=False, indent=1).replace('"\n', '",\n') + "\n```",
    "single quotes": json.dumps(PACK, ensure_ascii=False).replace("'", "’").replace('"', "'"),
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_every_prefix_holds_assets_of_the_whole_or_is_refused(text: str) -> None:
    whole = parse_pack(text)[0]
    kept = []
    for end in range(0, len(text), 3):
        try:
            pack, remarks = parse_pack(text[:end])
        except InvalidInput:
            continue
        assert pack.assets == whole.assets[: len(pack.assets)]
        assert len(pack.assets) == len(whole.assets) or any("left out" in remark for remark in remarks)
        kept.append(len(pack.assets))
    assert kept == sorted(kept) and set(kept) == {1, 2, 3}


def test_every_prefix_of_the_example() -> None:
    if not EXAMPLE.exists():
        pytest.skip("the example lies beside a full checkout only")
    text = EXAMPLE.read_text("utf-8").rstrip()
    whole = parse_pack(text)[0]
    kept = set()
    for end in range(len(text)):
        try:
            pack, remarks = parse_pack(text[:end])
        except InvalidInput:
            continue
        assert all(asset in whole.assets for asset in pack.assets)
        assert any("left out" in remark for remark in remarks)
        kept.add(len(pack.assets))
    assert kept == {1, 2, 3, 4}


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 30) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
_assets = st.fixed_dictionaries(
    {"kind": st.sampled_from(["image", "carousel", "reel"]), "prompt": st.text(max_size=8)},
    optional=dict.fromkeys(
        ("id", "count", "brandId", "goal", "platform", "title", "generatedTexts", "woofCostType"), _values
    ),
)


@settings(deadline=None, max_examples=100)
@given(
    _values | st.fixed_dictionaries({"assets": st.lists(_assets | _values, max_size=3)}, optional={"title": _values})
)
def test_any_value_is_a_pack_or_refused(document: object) -> None:
    try:
        pack, _ = parse_pack(document)
    except InvalidInput:
        return
    assert pack_woofs(pack) > 0
    assert len(to_requests(pack)) == len(pack.assets) == len({asset.id for asset in pack.assets})
    assert Pack.model_validate(pack.model_dump(mode="json")) == pack


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_shares_are_whole_even_and_complete(total: int, n: int) -> None:
    parts = shares(total, n)
    assert len(parts) == n and sum(parts) == total
    assert max(parts) - min(parts) <= 1 and parts == sorted(parts, reverse=True)


@pytest.mark.parametrize(("total", "n"), [(10, 0), (-1, 3)])
def test_nothing_is_shared_by_nobody(total: int, n: int) -> None:
    with pytest.raises(InvalidInput, match="cannot be shared"):
        shares(total, n)
