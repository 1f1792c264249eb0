"""Contrast of text against the pixels beneath it, and the scrim that guarantees it.

Relative luminance and contrast ratio are those of WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[int, int, int]

WHITE: Final[Colour] = (255, 255, 255)
BLACK: Final[Colour] = (0, 0, 0)
LEAST: Final = 4.5  # for text, success criterion 1.4.3 (AA)
AIM: Final = 4.7  # rounding to 8 bits takes up to 0.1 away again
_COMFORT: Final = 7.0  # success criterion 1.4.6 (AAA)
_COMFORTABLE_VEIL: Final = 0.62
_LIGHTEST_VEIL: Final = 0.34  # even a calm picture is veiled a little, so that the slides of a carousel look alike

_CODES: Final = np.arange(256) / 255
_LINEAR: Final[NDArray[np.float32]] = np.where(
    _CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4
).astype(np.float32)
_WEIGHTS: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)


def from_hex(value: str) -> Colour:
    """``#rrggbb`` as a colour."""
    red, green, blue = bytes.fromhex(value[1:])
    return red, green, blue


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """``colour`` with ``share`` (0 to 1) of ``other``, as a translucent layer mixes them."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def luminances(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Relative luminance, 0 to 1, of sRGB ``pixels`` of shape (…, 3)."""
    return _LINEAR[pixels] @ _WEIGHTS


def luminance(colour: Colour) -> float:
    """Relative luminance, 0 to 1."""
    return float(luminances(np.array(colour, np.uint8)))


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    return _ratio(luminance(one), luminance(other))


def _ratio(one: float, other: float) -> float:
    dark, light = sorted((one, other))
    return (light + 0.05) / (dark + 0.05)


def measured_contrast(
    picture: Image.Image, box: tuple[float, float, float, float], colour: Colour, *, block: int = 2
) -> float:
    """The contrast of ``colour`` with that block of ``block`` × ``block`` pixels inside ``box`` where it is least."""
    left, top, right, bottom = box
    inside = picture.crop((int(left), int(top), int(-(-right // 1)), int(-(-bottom // 1)))).convert("RGB")
    beneath = luminances(np.asarray(inside.reduce(block)))
    own = luminance(colour)
    return min(_ratio(own, float(beneath.min())), _ratio(own, float(beneath.max())))


def scrim_opacity(pixels: NDArray[np.uint8], inks: Sequence[Colour], scrim: Colour) -> float:
    """The opacity of a layer of ``scrim`` over ``pixels`` (shape (n, 3)) that carries all ``inks`` at ``AIM``.

    More than that, for comfort, while it leaves enough of the picture to be seen. At 1 the contrast is that of the
    inks with ``scrim`` itself.
    """
    comfortable = min(_least_opacity(pixels, inks, scrim, _COMFORT), _COMFORTABLE_VEIL)
    return max(_least_opacity(pixels, inks, scrim, AIM), comfortable, _LIGHTEST_VEIL)


def _least_opacity(pixels: NDArray[np.uint8], inks: Sequence[Colour], scrim: Colour, aim: float) -> float:
    enough, too_little = 1.0, 0.0
    while enough - too_little > 0.005:
        middle = (enough + too_little) / 2
        veiled = pixels + (np.array(scrim, np.float32) - pixels) * np.float32(middle)
        beneath = luminances(np.rint(veiled).astype(np.uint8))
        ends = (float(beneath.min()), float(beneath.max()))
        if all(_ratio(luminance(ink), end) >= aim for ink in inks for end in ends):
            enough = middle
        else:
            too_little = middle
    return enough
