"""Names and values that clients use for the same thing, as data in ``requests.yaml``."""

import math
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from maquette.images.rules import SIZES
from maquette.providers.images.port import Ratio

_SEPARATORS: Final = re.compile(r"[\s_\-]+")
_SIDES: Final = re.compile(r"(\d{1,5})\s*[:/x×]\s*(\d{1,5})(?:\s*px)?", re.ASCII)


def fold(text: str) -> str:
    """``text`` in small letters without accents; dashes, underscores and spaces are one space."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return _SEPARATORS.sub(" ", plain).strip()


@lru_cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("requests.yaml").read_text("utf-8"))
    return loaded


def names_of(field: str) -> tuple[str, ...]:
    """The names of a request's field, today's first."""
    return tuple(_data()["fields"][field])


@lru_cache
def _values(table: str) -> Mapping[str, str]:
    return {fold(word): value for value, words in _data()["values"][table].items() for word in words}


def value_named(table: str, text: object) -> str | None:
    """The value of ``table`` that ``text`` means, ``None`` when it is none of them."""
    return _values(table).get(fold(text)) if isinstance(text, str) else None


def ratio_named(text: object, *, for_video: bool = False) -> Ratio | None:
    """The ratio that ``text`` means: ``4:5``, ``4/5``, ``1080x1350``, ``portrait`` (9:16 for a video), ``story``.

    1280×720 is a YouTube thumbnail, and 16:9 for a video.
    """
    if not isinstance(text, str):
        return None
    plain = fold(text)
    if for_video and plain in ("portrait", "retrato"):
        return "9:16"
    sides = _SIDES.fullmatch(plain)
    if sides is None:
        named = value_named("ratio", plain)
        return next((ratio for ratio in SIZES if ratio == named), None)
    width, height = int(sides[1]), int(sides[2])
    if (width, height) == SIZES["yt-thumb"] and not for_video:
        return "yt-thumb"
    common = math.gcd(width, height) or 1
    return next((ratio for ratio in SIZES if ratio == f"{width // common}:{height // common}"), None)
