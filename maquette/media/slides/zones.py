"""Where things may stand on a slide. Sizes and zones are given for 1080 × 1350 and scaled to any other size."""

from dataclasses import dataclass
from typing import Final

from maquette.errors import InvalidInput
from maquette.media.slides.typeset import Box

_WIDTH: Final = 1080
_HEIGHT: Final = 1350
_TOP, _BOTTOM, _SIDE = 80, 120, 60  # free edges
_LOGO: Final = 120
_LOGO_BOTTOM: Final = 30  # from the zone (900, 1200) of 120 × 120
_SMALLEST_TEXT: Final = 24
_TALL: Final = 1.6  # height over width from which on players draw their controls over the picture
_TALL_TOP, _TALL_BOTTOM = 0.12, 0.22
_WIDE: Final = 1.25  # width over height from which on text has one side to itself
_WIDE_COLUMN: Final = 0.56
_FOOTER: Final = 64
_FOOTER_GAP: Final = 44
_SHORTEST_SIDE: Final = 64


@dataclass(frozen=True)
class Zones:
    """Boxes in pixels. ``unit`` scales sizes of type: 1 at 1080 × 1350, with the square root of the area."""

    size: tuple[int, int]
    unit: float
    smallest_text: float  # as 24 pixels are on a phone that shows 1080 across
    safe: Box
    logo: Box
    column: Box
    footer: Box
    wide: bool


def zones(size: tuple[int, int], *, logo: bool, mirrored: bool, beside: bool = True) -> Zones:
    """The zones of a picture of ``size``; ``mirrored`` for scripts that run from right to left.

    Text has a column ``beside`` the picture's subject where the picture is wide, or else all of the width. The logo's
    zone stays at the lower right; with a ``logo`` nothing else reaches into it. Raises ``InvalidInput``
    for a side below 64 pixels.
    """
    width, height = size
    if min(size) < _SHORTEST_SIDE:
        raise InvalidInput(f"a slide needs {_SHORTEST_SIDE} pixels or more on each side, not {width}×{height}")
    across, down = width / _WIDTH, height / _HEIGHT
    unit = (across * down) ** 0.5
    tall = height > _TALL * width
    top = height * _TALL_TOP if tall else _TOP * down
    bottom = height * (1 - _TALL_BOTTOM) if tall else height - _BOTTOM * down
    left, right = _SIDE * across, width - _SIDE * across
    side = _LOGO * unit
    lowest = bottom if tall else height - _LOGO_BOTTOM * down
    mark = (right - side, lowest - side, right, lowest)
    footer = (left, bottom - _FOOTER * unit, mark[0] - 24 * unit if logo else right, bottom)
    column_right, column_left = right, left
    wide = width > _WIDE * height
    if wide and beside:
        column_width = (right - left) * _WIDE_COLUMN
        column_left, column_right = (right - column_width, right) if mirrored else (left, left + column_width)
    floor = footer[1]
    if logo and column_right > mark[0]:
        floor = min(floor, mark[1])
    return Zones(
        size=size,
        unit=unit,
        smallest_text=_SMALLEST_TEXT * across,
        safe=(left, top, right, bottom),
        logo=mark,
        column=(column_left, top, column_right, floor - _FOOTER_GAP * unit),
        footer=footer,
        wide=wide,
    )
