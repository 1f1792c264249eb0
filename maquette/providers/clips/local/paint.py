"""Drawing of still layers with Pillow: soft-edged shapes with gradient fills, glows and pictograms."""

import colorsys
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import fonticon_mdi7
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

RGB = tuple[int, int, int]
Point = tuple[float, float]
_SMOOTH: Final = 2  # shapes are drawn twice as large and reduced, for soft edges


def rgb(colour: str, *, hue: float = 0.0) -> RGB:
    """``#rrggbb`` as numbers, its hue turned by ``hue`` (1.0 is a full turn)."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    if not hue:
        return r, g, b
    h, light, s = colorsys.rgb_to_hls(r / 255, g / 255, b / 255)
    r2, g2, b2 = colorsys.hls_to_rgb((h + hue) % 1, light, s)
    return round(r2 * 255), round(g2 * 255), round(b2 * 255)


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """``a`` with ``share`` of ``b``."""
    return (
        round(a[0] + (b[0] - a[0]) * share), round(a[1] + (b[1] - a[1]) * share), round(a[2] + (b[2] - a[2]) * share)
    )  # fmt: skip


def gradient(size: tuple[int, int], stops: Sequence[RGB]) -> Image.Image:
    """A vertical gradient through ``stops``, evenly spaced, dithered so that it does not band after encoding."""
    width, height = size
    at = np.linspace(0, len(stops) - 1, max(height, 1))
    columns = [np.interp(at, range(len(stops)), [stop[c] for stop in stops]) for c in range(3)]
    rows = np.stack(columns, axis=-1).astype(np.float32)[:, None, :]
    noise = np.random.default_rng(7).random((height, width, 1), dtype=np.float32) * 2 - 0.5
    return Image.fromarray((rows + noise).clip(0, 255).astype(np.uint8))


@lru_cache
def _codepoints() -> dict[str, str]:
    # The package stores "mdi7.<character>" under the name with underscores.
    table = {name: str(key).removeprefix("mdi7.") for name, key in vars(fonticon_mdi7.MDI7).items()}
    return {name.replace("_", "-"): char for name, char in table.items() if len(char) == 1}


def has_pictogram(icon: str) -> bool:
    """Whether the icon font carries ``icon``."""
    return icon in _codepoints()


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(fonticon_mdi7.MDI7.__font_file__, size)


def pictogram(icon: str, size: int) -> Image.Image:
    """The mask of a pictogram, ``size`` pixels square."""
    mask = Image.new("L", (size * _SMOOTH, size * _SMOOTH))
    ImageDraw.Draw(mask).text(
        (size * _SMOOTH / 2, size * _SMOOTH / 2), _codepoints()[icon], 255, _font(size * _SMOOTH), anchor="mm"
    )
    return mask.reduce(_SMOOTH)


def sticker(icon: str, size: int, *, fill: tuple[RGB, RGB], rim: RGB, shadow: RGB) -> Image.Image:
    """A pictogram as a die-cut sticker: gradient fill, light from above, rim, soft shadow. RGBA, with a margin."""
    margin = max(8, round(size * 0.16))
    whole = size + 2 * margin
    glyph = Image.new("L", (whole, whole))
    glyph.paste(pictogram(icon, size), (margin, margin))
    body = ImageChops.lighter(_grown(glyph, size * 0.035), _closed(glyph))
    picture = Image.new("RGBA", (whole, whole), (*shadow, 0))
    fallen = ImageChops.offset(body, 0, round(size * 0.045)).filter(ImageFilter.GaussianBlur(size * 0.04))
    picture.putalpha(fallen.point(lambda v: round(v * 0.42)))
    picture.alpha_composite(_coloured(gradient((whole, whole), [rim, mix(rim, shadow, 0.10)]), body))
    picture.alpha_composite(_coloured(gradient((whole, whole), [fill[0], fill[0], fill[1], fill[1]]), glyph))
    # A thin bright edge above and a dark one below round the flat glyph off.
    step = max(1, round(size * 0.014))
    edge = ImageChops.subtract(glyph, ImageChops.offset(glyph, 0, step)).point(lambda v: round(v * 0.55))
    under = ImageChops.subtract(glyph, ImageChops.offset(glyph, 0, -step)).point(lambda v: round(v * 0.22))
    picture.alpha_composite(_coloured(Image.new("RGB", (whole, whole), (255, 255, 255)), edge))
    picture.alpha_composite(_coloured(Image.new("RGB", (whole, whole), shadow), under))
    # Cut evenly on all sides, so that the middle stays the middle: fewer pixels to move.
    left, top, right, bottom = picture.getbbox() or (0, 0, whole, whole)
    trim_x, trim_y = max(0, min(left, whole - right) - 2) & ~1, max(0, min(top, whole - bottom) - 2) & ~1
    return picture.crop((trim_x, trim_y, whole - trim_x, whole - trim_y))


def _coloured(colour: Image.Image, mask: Image.Image) -> Image.Image:
    whole = colour.convert("RGBA")
    whole.putalpha(mask)
    return whole


def _grown(mask: Image.Image, by: float) -> Image.Image:
    """The mask grown by about ``by`` pixels, round and soft-edged."""
    soft = mask.filter(ImageFilter.GaussianBlur(by))
    return soft.point(lambda v: min(255, max(0, (v - 14) * 12)))


def _closed(mask: Image.Image) -> Image.Image:
    """The mask with its inner holes filled, so that a sticker is not seen through."""
    small = mask.reduce(4)
    walls = small.point(lambda v: 255 if v > 90 else 0)
    padded = Image.new("L", (walls.width + 2, walls.height + 2))
    padded.paste(walls, (1, 1))
    ImageDraw.floodfill(padded, (0, 0), 128)
    inner = padded.point(lambda v: 0 if v == 128 else 255).crop((1, 1, walls.width + 1, walls.height + 1))
    return inner.resize(mask.size, Image.Resampling.BILINEAR)


class Painting:
    """An RGBA picture that shapes are laid on. Coordinates in pixels; parts outside are clipped."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.image = Image.new("RGBA", size)
        self.width, self.height = size

    def wash(self, stops: Sequence[RGB]) -> None:
        """Cover everything with a vertical gradient."""
        self.image = gradient((self.width, self.height), stops).convert("RGBA")

    def polygon(self, points: Sequence[Point], *colours: RGB, alpha: float = 1.0) -> None:
        """A filled polygon; one colour, or more from its top to its bottom."""
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        self._shape((min(xs), min(ys), max(xs), max(ys)), "polygon", points, colours, alpha, 0)

    def ellipse(self, x: float, y: float, rx: float, ry: float, *colours: RGB, alpha: float = 1.0) -> None:
        """A filled ellipse around (x, y)."""
        self._shape((x - rx, y - ry, x + rx, y + ry), "ellipse", (), colours, alpha, 0)

    def box(
        self, x0: float, y0: float, x1: float, y1: float, *colours: RGB, radius: float = 0, alpha: float = 1.0
    ) -> None:
        """A filled rectangle with round corners."""
        self._shape((x0, y0, x1, y1), "box", (), colours, alpha, radius)

    def glow(self, x: float, y: float, radius: float, colour: RGB, *, strength: float) -> None:
        """Light around (x, y) that falls off softly."""
        side = 64
        axis = np.linspace(-1, 1, side)
        fall = np.clip(1 - np.hypot(axis[:, None], axis[None, :]), 0, 1) ** 1.8
        tile = Image.fromarray((fall * 255 * strength).astype(np.uint8))
        whole = round(radius * 2)
        self.lay(tile.resize((whole, whole), Image.Resampling.BICUBIC), round(x - radius), round(y - radius), (colour,))

    def picture(self, icon: str, x: float, y: float, size: float, *colours: RGB, alpha: float = 1.0) -> None:
        """A pictogram around (x, y)."""
        mask = pictogram(icon, round(size))
        if alpha < 1:
            mask = mask.point(lambda v: round(v * alpha))
        self.lay(mask, round(x - size / 2), round(y - size / 2), colours)

    def _shape(
        self,
        bounds: tuple[float, float, float, float],
        kind: str,
        points: Sequence[Point],
        colours: Sequence[RGB],
        alpha: float,
        radius: float,
    ) -> None:
        x0, y0 = int(np.floor(bounds[0])) - 1, int(np.floor(bounds[1])) - 1
        size = (int(np.ceil(bounds[2])) + 1 - x0, int(np.ceil(bounds[3])) + 1 - y0)
        mask = Image.new("L", (size[0] * _SMOOTH, size[1] * _SMOOTH))
        draw, ink = ImageDraw.Draw(mask), round(255 * alpha)
        inner = tuple((v - o) * _SMOOTH for v, o in zip(bounds, (x0, y0, x0, y0), strict=True))
        if kind == "polygon":
            draw.polygon([((x - x0) * _SMOOTH, (y - y0) * _SMOOTH) for x, y in points], fill=ink)
        elif kind == "ellipse":
            draw.ellipse(inner, fill=ink)
        else:
            draw.rounded_rectangle(inner, radius * _SMOOTH, fill=ink)
        self.lay(mask.reduce(_SMOOTH), x0, y0, colours)

    def lay(self, mask: Image.Image, x: int, y: int, colours: Sequence[RGB]) -> None:
        """Colour through a mask whose corner is at (x, y)."""
        fill = (
            gradient(mask.size, colours) if len(colours) > 1 else Image.new("RGB", mask.size, colours[0])
        )  # a gradient spans the shape, not the canvas
        tile = _coloured(fill, mask)
        left, top = max(0, -x), max(0, -y)
        right, bottom = min(mask.width, self.width - x), min(mask.height, self.height - y)
        if right > left and bottom > top:
            self.image.alpha_composite(tile.crop((left, top, right, bottom)), (x + left, y + top))
