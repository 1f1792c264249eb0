"""A picture being painted: meshes of light, sheets of paper with shadows, motifs, bokeh, and the finish.

Everything works on the pixels that it touches, in 8 bits, with Pillow's own loops where there is one: a picture is
to cost a fraction of a second. Shapes are given as distances (negative inside), which gives soft edges at full size
from arithmetic at a half.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageFilter

from maquette.providers.clips.local.paint import RGB, mix
from maquette.providers.images.local import figures

Plane = npt.NDArray[np.float32]
_BICUBIC, _BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR
_SHADE: Final = 8  # shadows are reckoned at an eighth
_FINE: Final = 16
_WHITE: Final = (255, 255, 255)


class Canvas:
    """An RGB picture of ``size`` pixels. ``u`` is a hundredth of its shorter side; ``ink`` colours the shadows.

    ``wide``: things go beside each other, else below.
    """

    def __init__(self, size: tuple[int, int], *, ink: RGB) -> None:
        self.w, self.h = size
        self.u = min(size) / 100
        self.wide = self.w > self.h * 1.2
        self.ink = ink
        self.image = Image.new("RGB", size)

    def mesh(self, rows: Sequence[Sequence[RGB]]) -> None:
        """Fill with colours that flow into each other from a grid of them."""
        self.image = Image.fromarray(np.array(rows, dtype=np.uint8)).resize((self.w, self.h), _BICUBIC)

    def tint(self, mask: Image.Image, x: float, y: float, *colours: RGB, alpha: float = 1.0) -> None:
        """Colour through ``mask``, its corner at (x, y); several colours go from its top to its bottom."""
        if alpha < 1:
            mask = mask.point([round(v * alpha) for v in range(256)])
        self.image.paste(_column(colours, mask.size), (round(x), round(y)), mask)

    def glow(self, x: float, y: float, radius: float, colour: RGB, *, strength: float) -> None:
        """Light around (x, y) that falls off softly."""
        side = max(2, round(radius * 2))
        self.tint(_fall().resize((side, side), _BICUBIC), x - radius, y - radius, colour, alpha=strength)

    def disc(self, x: float, y: float, radius: float, *colours: RGB, alpha: float = 1.0, soft: float = 0.0) -> None:
        """A disc; ``soft`` is the share of its radius over which its edge fades, as out of focus."""
        side = max(4, round(radius * 2 + 4))
        axis = np.arange(side, dtype=np.float32) - (side - 1) / 2
        far = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
        mask = coverage((radius - far) / max(1.0, radius * soft))
        self.tint(mask, x - side / 2, y - side / 2, *colours, alpha=alpha)

    def ring(self, x: float, y: float, radius: float, width: float, colour: RGB, *, alpha: float) -> None:
        """The line of a circle."""
        rows = slice(max(0, int(y - radius - width)), min(self.h, int(y + radius + width) + 1))
        columns = slice(max(0, int(x - radius - width)), min(self.w, int(x + radius + width) + 1))
        down, along = np.ogrid[rows, columns]
        if down.size and along.size:
            far = np.sqrt((down - y).astype(np.float32) ** 2 + (along - x).astype(np.float32) ** 2)
            self.tint(coverage(width / 2 + 0.5 - abs(far - radius)), columns.start, rows.start, colour, alpha=alpha)

    def box(
        self, x0: float, y0: float, x1: float, y1: float, *colours: RGB, radius: float = 0, alpha: float = 1.0,
        shadow: float = 0.0,
    ) -> None:  # fmt: skip
        """A rectangle with round corners, and the strength of the shadow that it throws."""
        left, top, right, bottom = (round(v) for v in (x0, y0, x1, y1))
        size = (right - left, bottom - top)
        mask = rounded(*size, radius) if radius else Image.new("L", size, 255)
        if shadow:
            self.shadow(mask, left, top, reach=2.2 * self.u, strength=shadow)
        self.tint(mask, left, top, *colours, alpha=alpha)

    def shadow(self, mask: Image.Image, x: float, y: float, *, reach: float, strength: float) -> None:
        """What ``mask`` at (x, y) throws on what is there: softer and further below with ``reach`` in pixels."""
        pad = max(1, round(reach * 2.2 / _SHADE)) * _SHADE
        whole = Image.new("L", (mask.width + 2 * pad, mask.height + 2 * pad))
        whole.paste(mask, (pad, pad))
        small = whole.reduce(_SHADE).filter(ImageFilter.GaussianBlur(max(0.6, reach / _SHADE)))
        self.tint(small.resize(whole.size, _BILINEAR), x - pad, y - pad + reach * 0.75, self.ink, alpha=strength)

    def hill(self, line: Plane, *colours: RGB, lit: RGB, shadow: float = 0.3, reach: float = 3.0) -> None:
        """A sheet from ``line`` (one height in pixels for each column) to the bottom, with its lit edge."""
        top, low = max(0, int(line.min()) - 2), min(self.h, int(line.max()) + 3)
        if top >= self.h:
            return
        if shadow:
            self._cast(line, reach * self.u, shadow)
        inside = np.arange(top, low, dtype=np.float32)[:, None] - line[None, :] + 0.5
        mask = Image.new("L", (self.w, self.h - top), 255)
        mask.paste(coverage(inside), (0, 0))
        self.tint(mask, 0, top, *colours)
        wide = 0.22 * self.u
        self.tint(coverage(1 - abs(inside - wide) / wide), 0, top, lit, alpha=0.4)

    def _cast(self, line: Plane, reach: float, strength: float) -> None:
        # On the sheet behind, above the edge.
        part = line[:: _SHADE // 2] / (_SHADE // 2)
        first = max(0, int(part.min() - reach))
        last = min(self.h // (_SHADE // 2) + 1, int(part.max()) + 2)
        if last <= first:
            return
        over = part[None, :] - np.arange(first, last, dtype=np.float32)[:, None]
        dark = np.exp(-np.maximum(over, 0) * (_SHADE // 2) / reach)
        size = (self.w, (last - first) * (_SHADE // 2))
        shade = Image.fromarray((dark * 255 * strength).astype(np.uint8)).resize(size, _BILINEAR)
        self.tint(shade, 0, first * (_SHADE // 2), self.ink)

    def sheet(
        self, outside: Plane, *colours: RGB, lit: RGB, corner: tuple[int, int] = (0, 0), shadow: float = 0.32,
        reach: float = 3.0,
    ) -> None:  # fmt: skip
        """A sheet with a hole: ``outside`` is the distance from the hole's edge in pixels, at half the size.

        ``corner`` is where that part of the picture begins, in its own pixels.
        """
        size = (outside.shape[1] * 2, outside.shape[0] * 2)
        # A row lower than the edge, as light from above has it.
        lower = np.pad(outside[::4, ::4], ((1, 0), (0, 0)), mode="edge")[:-1]
        fall = np.exp(np.minimum(lower, 0) / (reach * self.u))
        shade = Image.fromarray((fall * 255 * shadow).astype(np.uint8)).resize(size, _BILINEAR)
        self.tint(shade, *corner, self.ink)
        # Near the edge a sixteenth of a pixel is told apart, which is enough for a smooth one.
        near = Image.fromarray((128 + outside * _FINE).clip(0, 255).astype(np.uint8)).resize(size, _BILINEAR)
        away = (np.arange(256) - 128) / _FINE
        self.tint(near.point(_levels(away + 0.5)), *corner, *colours)
        wide = 0.25 * self.u
        self.tint(near.point(_levels(1 - abs(away - wide) / wide)), *corner, lit, alpha=0.35)

    def motif(
        self, icon: str, x: float, y: float, size: float, fill: RGB, *, angle: float = 0.0, shadow: float = 0.35,
        blur: float = 0.0, alpha: float = 1.0, plate: RGB | None = None, stands: bool = False,
    ) -> None:  # fmt: skip
        """A pictogram or figure around (x, y), cut from paper, lit from above; ``blur`` puts it out of focus.

        ``plate`` is seen through its holes. What ``stands`` has its foot at (x, y).
        """
        mask = figures.mask(icon, max(8, round(size)))
        if angle:
            mask = mask.rotate(angle, _BICUBIC)
        if stands:
            y += mask.height / 2 - (mask.getbbox() or (0, 0, 0, mask.height))[3]
        mask = _padded(mask, round(blur * 3 + 2))
        if blur:
            mask = mask.reduce(4).filter(ImageFilter.GaussianBlur(blur / 4)).resize(mask.size, _BILINEAR)
        left, top = x - mask.width / 2, y - mask.height / 2
        back = filled(mask) if plate else mask
        if shadow:
            self.shadow(back, left, top, reach=max(2.0, size * 0.028), strength=shadow * alpha)
        if plate:
            self.tint(back, left, top, plate, mix(plate, self.ink, 0.25), alpha=alpha)
            # The front sheet lies a little above the one behind it.
            self.shadow(mask, left, top, reach=max(1.5, size * 0.012), strength=0.22)
        self.tint(mask, left, top, mix(fill, _WHITE, 0.28), fill, mix(fill, self.ink, 0.16), alpha=alpha)
        if not blur:
            step = max(1, round(size * 0.007))
            edge = ImageChops.subtract(mask, ImageChops.offset(mask, 0, step))
            self.tint(edge, left, top, _WHITE, alpha=0.45 * alpha)

    def finish(self, *, seed: int, light: tuple[float, float]) -> Image.Image:
        """The picture with light from ``light`` (shares of width and height), darker corners, and grain."""
        lamp = _lamp(self.image.size, round(light[0], 1), round(light[1], 1))
        lit = ImageChops.overlay(self.image, lamp)
        grain = _grain(self.image.size)
        return ImageChops.add(lit, ImageChops.offset(grain, seed * 131 % self.w, seed * 57 % self.h), 1, -128)


def _levels(inside: npt.NDArray[np.floating]) -> list[int]:
    return [round(v * 255) for v in inside.clip(0, 1).tolist()]


def rounded(width: int, height: int, radius: float) -> Image.Image:
    """The mask of a rectangle with round corners."""
    wide, tall = width / 2, height / 2
    radius = min(radius, wide, tall)
    down, along = np.ogrid[:height, :width]
    dx = np.maximum(abs(along + 0.5 - wide) - (wide - radius), 0).astype(np.float32)
    dy = np.maximum(abs(down + 0.5 - tall) - (tall - radius), 0).astype(np.float32)
    return coverage(radius - np.sqrt(dx**2 + dy**2) + 0.5)


def coverage(inside: npt.NDArray[np.floating]) -> Image.Image:
    """How much of each pixel is inside, from the distance to the edge in pixels."""
    return Image.fromarray((inside.clip(0, 1) * 255).astype(np.uint8))


def _column(colours: Sequence[RGB], size: tuple[int, int]) -> Image.Image | RGB:
    if len(colours) == 1:
        return colours[0]
    at = np.linspace(0, len(colours) - 1, size[1])
    line = np.stack([np.interp(at, range(len(colours)), [c[k] for c in colours]) for k in range(3)], axis=-1)
    column = Image.fromarray(line.round().astype(np.uint8)[:, None, :])
    return column.resize(size, Image.Resampling.NEAREST)


@lru_cache
def _fall() -> Image.Image:
    axis = np.linspace(-1, 1, 64)
    fall = np.clip(1 - np.hypot(axis[:, None], axis[None, :]), 0, 1) ** 1.8
    return Image.fromarray((fall * 255).astype(np.uint8))


def _padded(mask: Image.Image, by: int) -> Image.Image:
    whole = Image.new("L", (mask.width + 2 * by, mask.height + 2 * by))
    whole.paste(mask, (by, by))
    return whole


def filled(mask: Image.Image) -> Image.Image:
    """``mask`` with its inner holes filled: what cannot be reached from outside."""
    side = 96
    ink = np.asarray(mask.resize((side, side), _BILINEAR)) > 70
    reached = np.zeros((side + 2, side + 2), dtype=bool)
    reached[0], reached[-1], reached[:, 0], reached[:, -1] = True, True, True, True
    free = np.pad(~ink, 1, constant_values=True)
    while True:
        spread = reached.copy()
        spread[1:] |= reached[:-1]
        spread[:-1] |= reached[1:]
        spread[:, 1:] |= reached[:, :-1]
        spread[:, :-1] |= reached[:, 1:]
        spread &= free
        if (spread == reached).all():
            break
        reached = spread
    hole = Image.fromarray(((~reached & free)[1:-1, 1:-1] * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(3))
    return ImageChops.lighter(mask, hole.resize(mask.size, _BILINEAR))


@lru_cache(maxsize=24)
def _lamp(size: tuple[int, int], x: float, y: float) -> Image.Image:
    small = (size[0] // 16 + 1, size[1] // 16 + 1)
    across, down = np.linspace(0, 1, small[0])[None, :] - x, np.linspace(0, 1, small[1])[:, None] - y
    far = np.sqrt(across**2 + down**2)
    fall = np.asarray(Image.fromarray((142 - 46 * far.clip(0, 1.1)).astype(np.float32)).resize(size, _BICUBIC))
    # Dithered, or the steps of the light would show as bands.
    noise = np.random.default_rng(5).random(fall.shape, dtype=np.float32) * 2 - 0.5
    plane = Image.fromarray((fall + noise).astype(np.uint8))
    return Image.merge("RGB", (plane, plane, plane))


@lru_cache(maxsize=8)
def _grain(size: tuple[int, int]) -> Image.Image:
    rng = np.random.default_rng(11)
    plane = Image.fromarray((128 + rng.normal(0, 3.2, (size[1], size[0]))).round().clip(0, 255).astype(np.uint8))
    return Image.merge("RGB", (plane, plane, plane))
