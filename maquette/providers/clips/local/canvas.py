"""Moving layers over each other, in the planes that the encoder takes.

Frames are kept as separate Y, U and V planes (4:2:0, BT.709, limited range): half the samples of RGB and no
conversion per frame, which is what makes the drawing affordable on one core.
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

_BILINEAR: Final = Image.Resampling.BILINEAR
# Rec. ITU-R BT.709, 8 bit, limited range.
_MATRIX: Final = np.array(
    [[0.1826, 0.6142, 0.0620], [-0.1006, -0.3386, 0.4392], [0.4392, -0.3989, -0.0403]], dtype=np.float32
)
_OFFSET: Final = np.array([16, 128, 128], dtype=np.float32)


class Layer:
    """A still picture as planes, with its transparency at both sizes."""

    def __init__(self, picture: Image.Image, *, opaque: bool = False) -> None:
        even = ((picture.width + 1) & ~1, (picture.height + 1) & ~1)
        if picture.size != even:
            whole = Image.new("RGBA", even)
            whole.paste(picture)
            picture = whole
        self.width, self.height = even
        colours = picture.convert("RGB") if opaque else _bled(picture)
        yuv = np.asarray(colours, dtype=np.float32) @ _MATRIX.T + _OFFSET
        planes = [Image.fromarray((yuv[:, :, i] + 0.5).clip(0, 255).astype(np.uint8)) for i in range(3)]
        self.y, self.u, self.v = planes[0], planes[1].reduce(2), planes[2].reduce(2)
        self.alpha = None if opaque else picture.getchannel("A")
        self.half_alpha = None if self.alpha is None else self.alpha.reduce(2)


def _bled(picture: Image.Image) -> Image.Image:
    """The colours, carried over the edge of what is opaque, so that scaling draws no dark rim."""
    alpha = np.asarray(picture.getchannel("A"), dtype=np.float32)[:, :, None] / 255
    weighted = np.asarray(picture.convert("RGB"), dtype=np.float32) * alpha
    blurred = [
        np.asarray(Image.fromarray(plane).filter(ImageFilter.BoxBlur(4)), dtype=np.float32)
        for plane in (
            *(weighted.clip(0, 255).astype(np.uint8).transpose(2, 0, 1)),
            (alpha[:, :, 0] * 255).astype(np.uint8),
        )
    ]
    around = np.stack(blurred[:3], axis=-1) * 255 / np.maximum(blurred[3], 1)[:, :, None]
    own = np.asarray(picture.convert("RGB"), dtype=np.float32)
    return Image.fromarray(np.where(alpha > 0.02, own, around).clip(0, 255).astype(np.uint8))


class Dot:
    """A shape of one colour: a particle."""

    def __init__(self, mask: Image.Image, colour: tuple[int, int, int]) -> None:
        self.mask, self.half = mask, mask.reduce(2)
        y, u, v = np.array(colour, dtype=np.float32) @ _MATRIX.T + _OFFSET
        self.y, self.u, self.v = round(float(y)), round(float(u)), round(float(v))


class Frame:
    """One picture being composed; ``data()`` is what ffmpeg reads as yuv420p."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.width, self.height = size
        half = (size[0] // 2, size[1] // 2)
        self.y, self.u, self.v = Image.new("L", size, 16), Image.new("L", half, 128), Image.new("L", half, 128)

    def backdrop(
        self, layer: Layer, *, view: tuple[float, float, float, float], rows: tuple[int, int], solid: bool = False
    ) -> None:
        """Fill ``rows`` (even numbers) with what the frame sees of ``layer`` through ``view`` (x0, y0, x1, y1).

        ``solid``: nothing shines through in these rows, so the transparency is not looked at.
        """
        top, bottom = rows
        scale = (view[3] - view[1]) / self.height
        box = (view[0], view[1] + top * scale, view[2], view[1] + bottom * scale)
        half = (box[0] / 2, box[1] / 2, box[2] / 2, box[3] / 2)
        size, small = (self.width, bottom - top), (self.width // 2, (bottom - top) // 2)
        mask = layer.alpha.resize(size, _BILINEAR, box) if layer.alpha and not solid else None
        small_mask = layer.half_alpha.resize(small, _BILINEAR, half) if layer.half_alpha and not solid else None
        self.y.paste(layer.y.resize(size, _BILINEAR, box), (0, top), mask)
        self.u.paste(layer.u.resize(small, _BILINEAR, half), (0, top // 2), small_mask)
        self.v.paste(layer.v.resize(small, _BILINEAR, half), (0, top // 2), small_mask)

    def place(
        self, layer: Layer, x: float, y: float, *, scale: float = 1.0, angle: float = 0.0, opacity: float = 1.0
    ) -> None:
        """Lay ``layer`` with its middle at (x, y), to a fraction of a pixel; ``angle`` in radians."""
        if layer.alpha is None or layer.half_alpha is None:
            raise ValueError("only a layer with transparency can be placed")
        spot = _Spot((layer.width, layer.height), (self.width, self.height), x, y, scale=scale, angle=angle)
        if spot.empty:
            return
        mask, small_mask = (
            _faded(spot.take(layer.alpha), opacity),
            _faded(spot.take(layer.half_alpha, half=True), opacity),
        )
        self.y.paste(spot.take(layer.y), (spot.x0, spot.y0), mask)
        self.u.paste(spot.take(layer.u, half=True), (spot.x0 // 2, spot.y0 // 2), small_mask)
        self.v.paste(spot.take(layer.v, half=True), (spot.x0 // 2, spot.y0 // 2), small_mask)

    def dab(self, dot: Dot, x: float, y: float, *, scale: float = 1.0, opacity: float = 1.0) -> None:
        """Lay a particle with its middle at (x, y)."""
        spot = _Spot(dot.mask.size, (self.width, self.height), x, y, scale=scale)
        if spot.empty:
            return
        mask, small_mask = _faded(spot.take(dot.mask), opacity), _faded(spot.take(dot.half, half=True), opacity)
        self.y.paste(dot.y, (spot.x0, spot.y0), mask)
        self.u.paste(dot.u, (spot.x0 // 2, spot.y0 // 2), small_mask)
        self.v.paste(dot.v, (spot.x0 // 2, spot.y0 // 2), small_mask)

    def data(self) -> bytes:
        """The frame as yuv420p: all of Y, then U, then V."""
        return self.y.tobytes() + self.u.tobytes() + self.v.tobytes()


class _Spot:
    """Where a picture falls on the frame, and how its planes are read for it."""

    def __init__(
        self, size: tuple[int, int], frame: tuple[int, int], x: float, y: float, *, scale: float, angle: float = 0.0
    ) -> None:
        width, height = size
        cos, sin = math.cos(angle), math.sin(angle)
        reach_x = (abs(cos) * width + abs(sin) * height) * scale / 2
        reach_y = (abs(sin) * width + abs(cos) * height) * scale / 2
        # Rounded inwards to even pixels: pictures carry an empty margin, and chroma has half the pixels.
        self.x0, self.y0 = max(0, math.ceil((x - reach_x) / 2) * 2), max(0, math.ceil((y - reach_y) / 2) * 2)
        self.x1 = min(frame[0], math.floor((x + reach_x) / 2) * 2)
        self.y1 = min(frame[1], math.floor((y + reach_y) / 2) * 2)
        self.empty = self.x1 <= self.x0 or self.y1 <= self.y0
        cos, sin = cos / scale, sin / scale
        left = cos * (self.x0 - x) + sin * (self.y0 - y) + width / 2
        top = -sin * (self.x0 - x) + cos * (self.y0 - y) + height / 2
        self._turned = angle != 0.0
        self._move = (cos, sin, left, -sin, cos, top)

    def take(self, plane: Image.Image, *, half: bool = False) -> Image.Image:
        """The pixels of ``plane`` (with ``half``, of a plane of half the size) under the spot."""
        by = 2 if half else 1
        size = ((self.x1 - self.x0) // by, (self.y1 - self.y0) // by)
        a, b, c, d, e, f = self._move
        if self._turned:
            return plane.transform(size, Image.Transform.AFFINE, (a, b, c / by, d, e, f / by), _BILINEAR)
        # Without a turn, resizing does the same in a third of the time.
        x0, y0 = max(0.0, c / by), max(0.0, f / by)
        box = (x0, y0, min(plane.width, x0 + a * size[0]), min(plane.height, y0 + e * size[1]))
        return plane.resize(size, _BILINEAR, box)


def _faded(mask: Image.Image, opacity: float) -> Image.Image:
    return mask if opacity >= 0.99 else mask.point(_fade_table(round(opacity * 64)))


@lru_cache
def _fade_table(steps: int) -> list[int]:
    return [v * steps // 64 for v in range(256)]
