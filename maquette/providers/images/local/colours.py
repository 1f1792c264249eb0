"""Colours of a picture: a whole palette from a brand's few colours, from a mood, or from a reference picture.

Reckoned in OKLab, where equal steps look equal (Björn Ottosson, "A perceptual color space for image processing",
2020: https://bottosson.github.io/posts/oklab/).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from maquette.errors import Invalid
from maquette.providers.clips.local.paint import RGB, mix, rgb
from maquette.providers.clips.local.shot import Palette

_TO_LMS: Final = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
_TO_LAB: Final = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip
_FROM_LAB, _FROM_LMS = np.linalg.inv(_TO_LAB), np.linalg.inv(_TO_LMS)
_MAX_REFERENCE_PIXELS: Final = 50_000_000
_STANDS_OUT: Final = 0.2  # as `apart` measures
_LEAN: Final = 0.8  # radians
_YELLOW: Final = (1.25, 2.1)  # radians
_VIVID: Final = 0.05  # chroma from which a colour has a hue worth keeping


class Tone(NamedTuple):
    """A colour by lightness (0..1), chroma (0..0.35 or so) and hue in radians."""

    light: float
    chroma: float
    hue: float


class Inks(NamedTuple):
    """What a picture is painted with: the palette of its set, and the fills of its motifs."""

    palette: Palette
    accents: tuple[RGB, ...]


def tone(colour: RGB) -> Tone:
    """``colour`` in OKLCh."""
    part = np.array(colour) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    light, a, b = _TO_LAB @ np.cbrt(_TO_LMS @ linear)
    return Tone(float(light), math.hypot(a, b), math.atan2(b, a))


def colour(light: float, chroma: float, hue: float) -> RGB:
    """An OKLCh colour in sRGB, with as much of its chroma as fits."""
    light = min(1.0, max(0.0, light))
    for share in (1.0, 0.85, 0.7, 0.55, 0.4, 0.25, 0.1, 0.0):
        lab = np.array([light, chroma * share * math.cos(hue), chroma * share * math.sin(hue)])
        linear = _FROM_LMS @ (_FROM_LAB @ lab) ** 3
        if share == 0.0 or (linear.min() > -0.002 and linear.max() < 1.002):
            break
    linear = linear.clip(0, 1)
    part = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    r, g, b = (round(float(v) * 255) for v in part)
    return r, g, b


def of_reference(path: Path) -> tuple[str, ...]:
    """The up to four colours that a picture is made of, the most important first, as ``#rrggbb``.

    Raises ``Invalid`` for a file that is no picture, or one of too many pixels.
    """
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MAX_REFERENCE_PIXELS:
                raise Invalid(f"the reference picture {path.name} is too large: use one below 50 megapixels")
            picture.draft("RGB", (96, 96))
            small = ImageOps.contain(picture.convert("RGB"), (96, 96))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Invalid(f"the reference {path.name} is no picture that can be read: use a PNG, JPEG or WebP") from error
    counted = small.quantize(8, method=Image.Quantize.MEDIANCUT)
    table = counted.getpalette() or []
    weighed: list[tuple[float, RGB]] = []
    for count, index in counted.getcolors() or []:
        r, g, b = table[int(index) * 3 : int(index) * 3 + 3]  # type: ignore[arg-type]  # of a palette picture
        # A small vivid part says more of a picture's colours than a large grey one.
        weighed.append((count / (small.width * small.height) * (0.02 + tone((r, g, b)).chroma), (r, g, b)))
    chosen = [found for _, found in sorted(weighed, reverse=True)][:4]
    return tuple("#{:02x}{:02x}{:02x}".format(*found) for found in chosen)


def of_brand(colours: Sequence[str], *, turn: int, dark: bool, vivid: float) -> Inks:
    """A palette around a brand's colours.

    ``turn`` walks through what leads and what is the accent, so that variants differ; ``dark`` sets the picture at
    night; ``vivid`` scales the chroma (1 keeps the brand's own).
    """
    tones = [tone(rgb(one)) for one in colours]
    hued = [one for one in tones if one.chroma > _VIVID] or tones
    # Set in the dark, the deepest colour leads: a bright one would turn to mud.
    lead = min(hued, key=lambda one: one.light) if dark else hued[turn % len(hued)]
    others = [one for one in hued if one is not lead and abs(_way(one.hue, lead.hue)) > 0.35]
    # One colour alone is answered by its neighbour or by its opposite.
    second = others[turn // len(hued) % len(others)] if others else None
    turned = lead.hue + (0.6, -0.6, 2.6)[turn % 3]
    # Light leans to the second colour, but not half round the wheel: between blue and yellow lies an acid green.
    hue = lead.hue
    end = hue + min(_LEAN, max(-_LEAN, _way(hue, second.hue if second else turned)))
    # A yellow in the shade turns olive, unless it leans to orange.
    shade = hue - 0.45 if _YELLOW[0] < hue < _YELLOW[1] else hue
    grey = lead.chroma <= _VIVID
    c = (0.012 if grey else min(0.17, max(0.06, lead.chroma))) * vivid
    if dark:
        steps = (0.27, 0.35, 0.52), 0.42, 0.31, (0.27, 0.18), 0.88
        c = min(c, 0.11)
    else:
        base = 0.70 + 0.3 * max(-0.1, lead.light - 0.55)
        steps = (base, base + 0.13, 0.95), base + 0.02, base - 0.16, (base - 0.26, base - 0.44), 0.985
    sky, far, near, ground, glow = steps
    # The horizon leans to the second colour, as light does over a distance.
    lean = _between(hue, end, 0.45)
    palette = Palette(
        sky=(
            _hex(sky[0], c, hue),
            _hex(sky[1], c * 0.8, _between(hue, end, 0.2)),
            _hex(sky[2], c * (0.7 if dark else 0.4), lean),
        ),
        far=_hex(far, c * 0.85, _between(hue, end, 0.15)),
        near=_hex(near, c, _between(hue, shade, 0.6)),
        ground=(_hex(ground[0], c * 0.95, shade), _hex(ground[1], c * 0.7, shade)),
        glow=_hex(glow, 0.05 * vivid if not grey else 0.01, lean),
        card=_hex(0.975, 0.012, lean),
        ink=_hex(0.12 if dark else 0.24, c * 0.5, shade),
    )
    accent = second or Tone(0.68, max(lead.chroma, 0.13) if not grey else 0.02, turned)
    third = others[(turn // len(hued) + 1) % len(others)] if len(others) > 1 else lead
    return Inks(palette, (_fill(accent, vivid, dark=dark), _fill(third, vivid, dark=dark)))


def washed(palette: Palette, vivid: float) -> Palette:
    """``palette`` with ``vivid`` times its chroma."""

    def wash(one: str) -> str:
        light, chroma, hue = tone(rgb(one))
        return _hex(light, chroma * vivid, hue)

    shades = {name: wash(one) if isinstance(one, str) else tuple(map(wash, one)) for name, one in palette}
    return Palette.model_validate(shades)


def turned(palette: Palette, by: float) -> Palette:
    """``palette`` with its hues turned by ``by`` radians, those of the ground by half as much."""

    def turn(one: str, share: float) -> str:
        light, chroma, hue = tone(rgb(one))
        return _hex(light, chroma, hue + by * share)

    shares = {"sky": 1.0, "glow": 1.0, "far": 0.7}
    shades = {
        name: turn(one, shares.get(name, 0.5))
        if isinstance(one, str)
        else tuple(turn(each, shares.get(name, 0.5)) for each in one)
        for name, one in palette
    }
    return Palette.model_validate(shades)


def apart(one: Tone, other: Tone) -> float:
    """How far two colours are from each other in OKLab."""
    across = complex(one.chroma * math.cos(one.hue), one.chroma * math.sin(one.hue))
    across -= complex(other.chroma * math.cos(other.hue), other.chroma * math.sin(other.hue))
    return math.hypot(one.light - other.light, abs(across))


def against(fill: RGB, ground: RGB) -> RGB:
    """``fill``, made lighter or darker where it would not stand out from ``ground``."""
    one, other = tone(fill), tone(ground)
    if apart(one, other) >= _STANDS_OUT:
        return fill
    away = 1 if (one.light >= other.light or other.light < 0.45) and other.light < 0.72 else -1
    return colour(other.light + away * _STANDS_OUT, one.chroma, one.hue)


def ramp(palette: Palette, at: float) -> RGB:
    """From what is far and in the light (0) to what is near and in the shade (1)."""
    stops = [mix(rgb(palette.sky[2]), rgb(palette.far), 0.25), rgb(palette.far), rgb(palette.near),
             rgb(palette.ground[0]), rgb(palette.ground[1])]  # fmt: skip
    place = min(1.0, max(0.0, at)) * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    return mix(stops[low], stops[low + 1], place - low)


def _fill(one: Tone, vivid: float, *, dark: bool) -> RGB:
    light = min(0.86, max(0.72 if dark else 0.60, one.light))
    return colour(light, min(0.2, one.chroma * max(0.6, vivid)), one.hue)


def _hex(light: float, chroma: float, hue: float) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour(light, chroma, hue))


def _way(a: float, b: float) -> float:
    """From hue ``a`` to ``b`` the short way round, in radians."""
    return (b - a + math.pi) % math.tau - math.pi


def _between(a: float, b: float, share: float) -> float:
    return a + _way(a, b) * share
