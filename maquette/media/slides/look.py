"""The colours of a carousel, from the brand's palette: text, scrim, accent, and what can be read on each."""

import colorsys
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from maquette.media.lettering import ACCENT
from maquette.media.slides.content import SlideStyle
from maquette.media.slides.contrast import AIM, BLACK, LEAST, WHITE, Colour, contrast, from_hex, luminance, mixed

_STRONGEST_VEIL: Final = 0.92  # beyond it hardly anything is seen of the picture
_GREYISH: Final = 0.16  # chroma below which a colour draws no eye
_FIGURE: Final = 0.65  # of the ink's contrast: 3:1 where the ink has 4.6:1, as shapes need
_PALE: Final = 0.55  # mean luminance of a palette whose slides are light, with dark text


@dataclass(frozen=True)
class Look:
    """``ink`` is text over the picture, ``scrim`` the layer between the two; ``accent`` fills pills and bars."""

    ink: Colour
    scrim: Colour
    accent: Colour
    figure: Colour  # the accent as text and small marks over the scrim
    on_accent: Colour
    on_ink: Colour


@lru_cache(maxsize=256)
def look_of(style: SlideStyle) -> Look:
    """The colours of ``style``; they depend on no picture, so that the slides of a carousel are alike.

    The brand's ``text_color`` is kept where a scrim of 92 % carries it over any picture; else white or black takes
    its place.
    """
    palette = [from_hex(value) for value in style.palette]
    wanted = from_hex(style.text_color) if style.text_color else None
    if wanted:
        dark = contrast(wanted, BLACK) >= contrast(wanted, WHITE)
    else:
        dark = not palette or sum(map(luminance, palette)) / len(palette) < _PALE
    scrim = _dark(palette) if dark else _light(palette)
    far, near = (WHITE, BLACK) if dark else (BLACK, WHITE)
    if wanted and contrast(wanted, mixed(far, near, _STRONGEST_VEIL)) >= AIM:
        ink = wanted
        if contrast(ink, mixed(far, scrim, _STRONGEST_VEIL)) < AIM:
            scrim = near
    elif wanted or dark:
        ink = far
    else:
        ink = mixed(_dark(palette), BLACK, 0.3)
    accent = _accent(palette, scrim)
    return Look(
        ink=ink,
        scrim=scrim,
        accent=accent,
        figure=_readable(accent, scrim, at_least=max(AIM, _FIGURE * contrast(ink, scrim))),
        on_accent=_on(accent, scrim),
        on_ink=_on(ink, scrim),
    )


def _chroma(colour: Colour) -> float:
    return (max(colour) - min(colour)) / 255


def _accent(palette: list[Colour], scrim: Colour) -> Colour:
    """The most vivid colour of ``palette``, earlier ones preferred, as strong as shapes on ``scrim`` must be (3:1)."""
    vivid = [colour for colour in palette if _chroma(colour) >= _GREYISH]
    best = max(vivid, key=lambda each: _chroma(each) * 0.9 ** palette.index(each), default=None)
    if best is None:
        best = max(palette, key=lambda each: contrast(each, scrim)) if palette else ACCENT[:3]
    return _readable(best, scrim, at_least=3)


def _readable(colour: Colour, ground: Colour, *, at_least: float) -> Colour:
    """``colour``, made lighter on a dark ``ground`` and darker on a light one, as far as the contrast needs."""
    hue, lightness, saturation = _hls(colour)
    end = 1.0 if luminance(ground) < 0.18 else 0.0
    tones = (_rgb(hue, lightness + (end - lightness) * step / 25, saturation) for step in range(26))
    return next((tone for tone in tones if contrast(tone, ground) >= at_least), WHITE if end else BLACK)


def _on(ground: Colour, scrim: Colour) -> Colour:
    """What is read on ``ground``: white, the dark of the brand, or black."""
    dark = mixed(scrim, BLACK, 0.25) if luminance(scrim) < 0.18 else BLACK
    return next(colour for colour in (WHITE, dark, BLACK) if contrast(colour, ground) >= LEAST or colour == BLACK)


def _dark(palette: list[Colour]) -> Colour:
    """A near-black in the hue of the darkest colour."""
    return _toned(min(palette, key=luminance), 0.13, 0.62) if palette else (12, 13, 18)


def _light(palette: list[Colour]) -> Colour:
    """A near-white in the hue of the lightest colour."""
    return _toned(max(palette, key=luminance), 0.965, 0.7) if palette else WHITE


def _toned(colour: Colour, lightness: float, most_saturated: float) -> Colour:
    hue, _, saturation = _hls(colour)
    return _rgb(hue, lightness, min(saturation, most_saturated))


def _hls(colour: Colour) -> tuple[float, float, float]:
    red, green, blue = colour
    return colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)


def _rgb(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)
