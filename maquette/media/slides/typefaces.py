"""Which font file a family's name and weight mean here, and how wide a word is in it."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from PIL import ImageFont

from maquette.media.fonts import Font, FontChoice, available, choose, roboto
from maquette.media.lettering import direction, load

_ROBOTO: Final = {400: "Regular", 500: "Medium", 700: "Bold", 900: "Black"}
# Usual names of the weights of OpenType's OS/2 table.
_WEIGHTS: Final = (
    ("thin", 100), ("extralight", 200), ("ultralight", 200), ("light", 300), ("medium", 500), ("semibold", 600),
    ("demibold", 600), ("extrabold", 800), ("ultrabold", 800), ("bold", 700), ("black", 900), ("heavy", 900),
)  # fmt: skip
_REFERENCE: Final = 100  # pixels
_SLANTED: Final = ("italic", "oblique", "condensed", "narrow")


@dataclass(frozen=True)
class Typeface:
    """A family, or "" for Roboto, at a weight of 400, 500, 700 or 900."""

    family: str
    weight: int

    @property
    def fonts(self) -> tuple[Font, ...]:
        """Fonts in the order in which they are asked: the family's, Roboto's of that weight, then all others."""
        return _chain(self)


@dataclass(frozen=True)
class Measured:
    """A piece of text with its fonts; lengths are in units of the size, those of its ink from the baseline."""

    choices: tuple[FontChoice, ...]
    advance: float
    above: float
    below: float


@lru_cache(maxsize=64)
def _chain(typeface: Typeface) -> tuple[Font, ...]:
    own = _nearest(typeface) if typeface.family else None
    return (*([own] if own else ()), roboto(_ROBOTO[typeface.weight]), *available())


def _nearest(typeface: Typeface) -> Font | None:
    """The member of the family that is as heavy as asked, or nearly; ``None`` when none is installed."""
    members = [each for each in _families().get(_plain(typeface.family), ()) if each[1].coverage]
    # Of two that are as near, the heavier: text over pictures can be too thin, hardly too bold.
    near = min(
        members,
        key=lambda each: (0 if each[1].is_variable else abs(each[0] - typeface.weight), -each[0]),
        default=None,
    )
    return near[1] if near else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


@lru_cache(maxsize=1)
def _families() -> dict[str, list[tuple[int, Font]]]:
    found: dict[str, list[tuple[int, Font]]] = {}
    for font in available():
        try:
            family, style = ImageFont.truetype(str(font.path), 20, index=font.index).getname()
        except OSError:  # a bitmap font, or none
            continue
        style = _plain(style or "")
        if family and not any(word in style for word in _SLANTED):
            weight = next((value for name, value in _WEIGHTS if name in style), 400)
            found.setdefault(_plain(family), []).append((weight, font))
    return found


@lru_cache(maxsize=256)
def face(font: Font, size: float, weight: int) -> tuple[ImageFont.FreeTypeFont, float]:
    """``font`` at ``size`` pixels and, where it can be chosen, at ``weight``; the factor is that of ``load``."""
    if not font.is_variable or font.is_colour:
        return load(font, size)
    opened = ImageFont.truetype(str(font.path), size, index=font.index, layout_engine=ImageFont.Layout.RAQM)
    opened.set_variation_by_axes(
        [
            float(min(max(weight, axis["minimum"] or 0), axis["maximum"] or 0) if b"eight" in axis["name"]
                  else axis["default"] or 0)
            for axis in opened.get_variation_axes()
        ]
    )  # fmt: skip
    return opened, 1.0


@lru_cache(maxsize=8192)
def measured(text: str, typeface: Typeface) -> Measured:
    """``text`` (a word) in the fonts that draw it. Raises ``InvalidInput`` (``script_not_drawable``)."""
    choices = choose(text, fonts=typeface.fonts)
    way = direction(text)
    advance = above = below = 0.0
    for choice in choices:
        opened, scale = face(choice.font, _REFERENCE, typeface.weight)
        unit = scale / _REFERENCE
        _, top, _, bottom = opened.getbbox(choice.text, direction=way, anchor="ls")
        advance += opened.getlength(choice.text, direction=way) * unit
        above, below = max(above, -top * unit), max(below, bottom * unit)
    return Measured(choices, advance, above, below)
