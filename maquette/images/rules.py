"""Rules of images and slides: sizes, default ratios, seeds, names and tags in the store."""

import hashlib
import json
from typing import Final, Literal
from uuid import UUID

from maquette.providers.images.port import Ratio

# The ratios that the product knows, in pixels (width, height).
SIZES: Final[dict[Ratio, tuple[int, int]]] = {
    "1:1": (1024, 1024),
    "4:5": (1080, 1350),
    "9:16": (1080, 1920),
    "16:9": (1920, 1080),
    "2:3": (1080, 1620),
    "yt-thumb": (1280, 720),
}

_BY_PLATFORM: Final[dict[str, Ratio]] = {"tiktok": "9:16", "pinterest": "2:3", "linkedin": "1:1", "youtube": "16:9"}


def default_ratio(platform: str, kind: Literal["image", "carousel"] = "image") -> Ratio:
    """The ratio of a picture that names none: the platform's own, 4:5 for Instagram's carousels, else 1:1."""
    if platform == "instagram" and kind == "carousel":
        return "4:5"
    return _BY_PLATFORM.get(platform, "1:1")


def item_seed(seed: int, topic: str, number: int) -> int:
    """The seed of an order's item, 0..2^31-1: the same on every machine, another for each seed, topic and number."""
    digest = hashlib.sha256(json.dumps([seed, topic, number]).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def image_public_id(brand_id: UUID, order_id: UUID, *, at_ms: int) -> str:
    """``alfie/{brand}/{order}/image-{ms}``; ``at_ms`` since 1970, and no two images of an order share it."""
    return f"alfie/{brand_id}/{order_id}/image-{at_ms}"


def slide_public_id(brand_id: UUID, order_id: UUID, *, index: int) -> str:
    """``alfie/{brand}/{order}/slide-{index}``; ``index`` counts from 0."""
    return f"alfie/{brand_id}/{order_id}/slide-{index}"


def tags_of(*, brand_id: UUID, order_id: UUID, kind: str, ratio: Ratio) -> list[str]:
    """The tags that a stored picture bears: ``brand:…``, ``order:…``, ``type:…``, ``ratio:…``."""
    return [f"brand:{brand_id}", f"order:{order_id}", f"type:{kind}", f"ratio:{ratio}"]
