"""Sizes, default ratios, seeds, names and tags of pictures."""

from typing import Literal, get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.images.rules import SIZES, default_ratio, image_public_id, item_seed, slide_public_id, tags_of
from maquette.providers.images.port import Ratio

BRAND = UUID("7d3f1c9e-0000-4000-8000-000000000001")
ORDER = UUID("7d3f1c9e-0000-4000-8000-000000000002")


def test_sizes_of_the_contract() -> None:
    assert SIZES == {
        "1:1": (1024, 1024),
        "4:5": (1080, 1350),
        "9:16": (1080, 1920),
        "16:9": (1920, 1080),
        "2:3": (1080, 1620),
        "yt-thumb": (1280, 720),
    }
    assert set(SIZES) == set(get_args(Ratio))


@pytest.mark.parametrize("ratio", [ratio for ratio in SIZES if ":" in ratio])
def test_sizes_have_their_ratio(ratio: Ratio) -> None:
    width, height = SIZES[ratio]
    across, down = map(int, ratio.split(":"))
    assert width * down == height * across


@pytest.mark.parametrize(
    ("platform", "kind", "ratio"),
    [
        ("instagram", "carousel", "4:5"),
        ("instagram", "image", "1:1"),
        ("tiktok", "image", "9:16"),
        ("tiktok", "carousel", "9:16"),
        ("pinterest", "image", "2:3"),
        ("linkedin", "carousel", "1:1"),
        ("youtube", "image", "16:9"),
        ("", "carousel", "1:1"),
        ("elsewhere", "image", "1:1"),
    ],
)
def test_default_ratios(platform: str, kind: Literal["image", "carousel"], ratio: str) -> None:
    assert default_ratio(platform, kind) == ratio


def test_seeds_stay_what_they_were() -> None:
    assert item_seed(0, "Un chat sur une plage", 1) == 970740911


@settings(deadline=None)
@given(st.integers(0, 2**31 - 1), st.text(max_size=20), st.integers(1, 80))
def test_seeds_are_31_bits_and_differ(seed: int, topic: str, number: int) -> None:
    found = item_seed(seed, topic, number)
    assert 0 <= found < 2**31
    assert found != item_seed(seed, topic, number + 1)
    assert found != item_seed(seed + 1, topic, number)
    assert found != item_seed(seed, topic + "x", number)


def test_public_ids() -> None:
    assert image_public_id(BRAND, ORDER, at_ms=1_738_000_000_123) == f"alfie/{BRAND}/{ORDER}/image-1738000000123"
    assert slide_public_id(BRAND, ORDER, index=0) == f"alfie/{BRAND}/{ORDER}/slide-0"


def test_tags() -> None:
    assert tags_of(brand_id=BRAND, order_id=ORDER, kind="image", ratio="1:1") == [
        f"brand:{BRAND}",
        f"order:{ORDER}",
        "type:image",
        "ratio:1:1",
    ]
