"""Names of colours: models of pictures understand words, and draw the digits of a hex value as text."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from maquette.brands.rules import clean_hex
from maquette.errors import InvalidInput

Lab = tuple[float, float, float]

# Written in running text: all lengths that CSS knows, four and eight digits having opacity.
_HEX_IN_TEXT: Final = re.compile(r"[#＃]+([0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})(?!\w)")
_SIGN_IN_TEXT: Final = re.compile(r"[#＃]+(?=[0-9a-fA-F])")


class NamedColour(BaseModel):
    """A colour with its name in each language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hex: str
    en: str
    fr: str
    es: str


@lru_cache
def named_colours() -> tuple[NamedColour, ...]:
    """All colours that have a name here."""
    rows = yaml.safe_load(Path(__file__).with_name("colours.yaml").read_text("utf-8"))
    return tuple(NamedColour.model_validate(row) for row in rows)


@lru_cache(maxsize=1024)
def oklab(value: str) -> Lab:
    """``#rrggbb`` in OKLab (B. Ottosson 2020, https://bottosson.github.io/posts/oklab/), of sRGB as IEC 61966-2-1."""
    channels = (int(value[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _difference(one: Lab, other: Lab) -> float:
    """Squared ΔEOK2: a and b count double, which fits data of perceived differences better (Color.js, deltaEOK2)."""
    return (one[0] - other[0]) ** 2 + 4 * (one[1] - other[1]) ** 2 + 4 * (one[2] - other[2]) ** 2


@lru_cache(maxsize=1024)
def colour_name(value: str, language: Literal["en", "fr", "es"] = "en") -> str:
    """The name of the named colour that looks most like ``value``, a hex value in any usual spelling.

    Raises ``InvalidInput`` for what is no hex value.
    """
    try:
        lab = oklab(clean_hex(value))
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    nearest = min(named_colours(), key=lambda named: _difference(lab, oklab(named.hex)))
    name: str = getattr(nearest, language)
    return name


def without_hex(text: str) -> str:
    """``text`` with its hex values in English words; no ``#`` before a hexadecimal digit is left.

    Four and eight letters without a figure (``#cafe``) are a hashtag, and lose their sign.
    """

    def worded(match: re.Match[str]) -> str:
        digits = match[1]
        if len(digits) in (4, 8):
            if digits.isalpha():
                return digits
            digits = digits[: 3 * len(digits) // 4]
        return colour_name(digits)

    return _SIGN_IN_TEXT.sub("", _HEX_IN_TEXT.sub(worded, text))
