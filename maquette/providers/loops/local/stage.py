"""A picture set in motion: planes of YUV 4:2:0 (BT.709, limited range), warped by a mesh for each frame.

Everything is periodic over the loop, which begins with the picture at rest (but for a camera that pulls back). Worked
on in the encoder's own planes, in Pillow's own loops: a frame of 720 by 720 is to cost about ten milliseconds.
"""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from maquette.providers.loops.local.motion import Motion

Plane = npt.NDArray[np.float64]
Planes = tuple[Image.Image, Image.Image, Image.Image]
_CELLS: Final = 10  # of the mesh, each way
_NEAR: Final = 0.35  # how much further the lower edge goes than the middle
_ATTENTION: Final = 64  # pixels of the small picture that is looked at
_REACH: Final = 0.38, 0.75
_MAX_PIXELS: Final = 50_000_000
_LEAN: Final = 0.15  # of the hero's roll that the whole picture has
_CAMERA_PAN, _CAMERA_ZOOM = 0.05, 0.12
_LIGHT: Final = 0.16  # of the sweep, at its brightest


class Spot(NamedTuple):
    """Where a picture's middle of attention is and how far it reaches, in shares of half its width and height."""

    x: float
    y: float
    wide: float
    tall: float


def load(path: Path, size: tuple[int, int]) -> Image.Image:
    """The picture, upright, cut to fill ``size``. Raises ``ValueError`` where it cannot be read."""
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                raise ValueError("a picture of more than 50 megapixels")
            upright = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data:
                whole = Image.new("RGBA", upright.size, "white")
                whole.alpha_composite(upright.convert("RGBA"))
                upright = whole
            return ImageOps.fit(upright.convert("RGB"), size, Image.Resampling.LANCZOS)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"a picture that cannot be read: {error}") from error


def attention(picture: Image.Image) -> Spot:
    """The part of a picture that stands out from what is around it, looked for around the middle."""
    small = picture.resize((_ATTENTION, _ATTENTION), Image.Resampling.BOX)
    pixels = np.asarray(small.convert("YCbCr"), dtype=np.float64)
    around = np.asarray(small.resize((4, 4), Image.Resampling.BOX).resize(small.size, Image.Resampling.BICUBIC))
    edge = np.concatenate([pixels[:6].reshape(-1, 3), pixels[:, :4].reshape(-1, 3), pixels[:, -4:].reshape(-1, 3)])
    local = np.abs(pixels - np.asarray(Image.fromarray(around).convert("YCbCr"), dtype=np.float64)).sum(axis=2)
    strange = local + np.abs(pixels - np.median(edge, axis=0)).sum(axis=2) * 0.5
    axis = np.linspace(-1, 1, _ATTENTION)
    central = np.exp(-((axis[None, :] / 0.6) ** 2) - ((axis[:, None] - 0.1) / 0.6) ** 2)
    weight = (strange * central) ** 2
    weight /= weight.sum() + 1e-9
    x, y = float((weight * axis[None, :]).sum()), float((weight * axis[:, None]).sum())
    wide = math.sqrt(float((weight * (axis[None, :] - x) ** 2).sum()))
    tall = math.sqrt(float((weight * (axis[:, None] - y) ** 2).sum()))
    return Spot(x, y, *(min(_REACH[1], max(_REACH[0], spread * 2.2)) for spread in (wide, tall)))


def planes_of(picture: Image.Image) -> Planes:
    """Luma at full size, chroma at half; the picture's sides are even."""
    frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24").reformat(
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
    )
    whole = frame.to_ndarray()
    width, height = picture.size
    luma, chroma = whole[:height], whole[height:].reshape(2, height // 2, width // 2)
    return Image.fromarray(luma), Image.fromarray(chroma[0]), Image.fromarray(chroma[1])


class Stage:
    """The frames of a picture that moves; ``picture`` has the frames' size, both sides even."""

    def __init__(self, picture: Image.Image, motion: Motion, *, frames: int) -> None:
        self.size = picture.size
        self._planes = planes_of(picture)
        self._motion, self._frames = motion, frames
        self._spot = attention(picture)
        width, height = self.size
        short = min(width, height)
        # Mesh corners on even pixels, so that the half-size planes have them as well.
        self._across = (np.linspace(0, width / 2, _CELLS + 1).round() * 2).astype(int)
        self._down = (np.linspace(0, height / 2, _CELLS + 1).round() * 2).astype(int)
        # In shares of the shorter half, from the middle: circles stay circles.
        self._x = np.broadcast_to((self._across - width / 2) / (short / 2), (_CELLS + 1, _CELLS + 1)).astype(float)
        self._y = np.broadcast_to(((self._down - height / 2) / (short / 2))[:, None], self._x.shape).astype(float)
        self._half = short / 2
        at = (self._spot.x * width / short, self._spot.y * height / short)
        self._hero = at
        off_x = (self._x - at[0]) / (self._spot.wide * width / short)
        off_y = (self._y - at[1]) / (self._spot.tall * height / short)
        inside = (1 - (self._x / (width / short)) ** 2) * (1 - (self._y / (height / short)) ** 2)
        # Nothing of the hero's own motion reaches the edges.
        self._pull = np.exp(-(np.hypot(off_x, off_y) ** 3)) * np.clip(inside * 3, 0, 1)
        self._inner = 1 / (1 + _margin(motion, long=max(self.size) / short))
        self._light = _beam(self.size) if motion.sweep else None

    def __iter__(self) -> Iterator[Planes]:
        for number in range(self._frames):
            share = number / self._frames
            corners_x, corners_y = self._source(share)
            whole = self._warped(corners_x, corners_y)
            if self._light is not None:
                self._sweep(whole[0], share)
            yield whole

    def _source(self, share: float) -> tuple[Plane, Plane]:
        """Where in the picture each corner of the mesh is taken from, in pixels."""
        gait, turn = self._motion.gait, math.tau * share
        once, beat = math.sin(turn), (1 - math.cos(turn * self._motion.beats)) / 2
        ease = (1 - math.cos(turn)) / 2
        zoom = gait.zoom * ease
        pan_x, pan_y = gait.pan[0] * once, gait.pan[1] * math.sin(2 * turn)
        match self._motion.camera:
            case "push":
                zoom += _CAMERA_ZOOM * ease
            case "pull":
                # It begins near, and is back there at the end.
                zoom += _CAMERA_ZOOM * (1 - ease)
            case "pan":
                pan_x += _CAMERA_PAN * once
            case "tilt":
                pan_y += _CAMERA_PAN * once
        x, y = self._x, self._y
        depth = 1 + _NEAR * y
        to_x, to_y = x - pan_x * depth, y - pan_y * depth
        lean = gait.roll * _LEAN * once
        to_x, to_y = to_x + lean * y, to_y - lean * x
        # The hero: up by a beat and to the side, leaning, swelling.
        hero_x, hero_y = self._hero
        off_x, off_y = x - hero_x, y - hero_y
        roll = gait.roll * math.sin(turn * max(1, self._motion.beats // 2))
        swell = gait.breath * beat
        to_x = to_x - self._pull * (gait.hero[0] * once + swell * off_x - roll * off_y)
        to_y = to_y - self._pull * (-gait.hero[1] * beat + swell * off_y + roll * off_x)
        if gait.wave:
            # Less its own beginning, so that the first frame is at rest.
            to_x = to_x + gait.wave * (np.sin(4.2 * y - turn * 2) - (1 - ease) * np.sin(4.2 * y))
            to_y = to_y + gait.wave * (np.sin(3.4 * x - turn * 2) - (1 - ease) * np.sin(3.4 * x))
        # Nearer to the hero; then nearer to the middle, by the margin.
        near, width, height = 1 / (1 + zoom), *self.size
        pixels_x = (hero_x * (1 - near) + to_x * near) * self._inner * self._half + width / 2
        pixels_y = (hero_y * (1 - near) + to_y * near) * self._inner * self._half + height / 2
        return pixels_x.clip(0, width), pixels_y.clip(0, height)

    def _warped(self, x: Plane, y: Plane) -> Planes:
        at = np.stack([x, y], axis=-1)
        # As Pillow has it: upper left, lower left, lower right, upper right.
        quads = np.concatenate([at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]], axis=-1).tolist()
        cells = [
            ((left, top, right, bottom), quads[i][j])
            for i, (top, bottom) in enumerate(itertools.pairwise(self._down.tolist()))
            for j, (left, right) in enumerate(itertools.pairwise(self._across.tolist()))
        ]
        halves = [((a // 2, b // 2, c // 2, d // 2), [v / 2 for v in quad]) for (a, b, c, d), quad in cells]
        mesh, bilinear = Image.Transform.MESH, Image.Resampling.BILINEAR
        luma, blue, red = self._planes
        return (
            luma.transform(luma.size, mesh, cells, bilinear),
            blue.transform(blue.size, mesh, halves, bilinear),
            red.transform(red.size, mesh, halves, bilinear),
        )

    def _sweep(self, luma: Image.Image, share: float) -> None:
        """A soft band of light that crosses the picture from the left once in the loop."""
        assert self._light is not None
        width, height = self.size
        left = round((1 - share) * (self._light.width - width))
        luma.paste(235, (0, 0), self._light.crop((left, 0, left + width, height)))


def _margin(motion: Motion, *, long: float) -> float:
    """How much nearer than it is the picture is shown, so that its motion never shows what is beyond its edges."""
    gait = motion.gait
    pan = max(gait.pan) + (_CAMERA_PAN if motion.camera in ("pan", "tilt") else 0)
    return pan * (1 + _NEAR * long) + _LEAN * gait.roll * long + gait.wave * 2 + 0.004


def _beam(size: tuple[int, int]) -> Image.Image:
    """The mask of a slanted band of light, three pictures wide: one before it, one after it."""
    width, height = size
    along = np.linspace(-1.5, 1.5, 3 * width // 4)[None, :] + np.linspace(-0.2, 0.2, height // 4 + 1)[:, None]
    band = np.exp(-((along / 0.16) ** 2)) * 255 * _LIGHT
    return Image.fromarray(band.astype(np.uint8)).resize((3 * width, height), Image.Resampling.BICUBIC)
