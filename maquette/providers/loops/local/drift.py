"""Small things that drift through a loop: bubbles, stars, leaves. Each lives a whole number of times per loop, and is
not to be seen where its life begins and ends, so the loop has no seam.
"""

import math
import random
from typing import Final, NamedTuple

import numpy as np
from PIL import Image

from maquette.providers.clips.local.paint import pictogram, rgb
from maquette.providers.loops.local.motion import Drift, Motion
from maquette.providers.loops.local.stage import Planes

_YUV: Final = tuple[int, int, int]
_LEVELS: Final = 32  # of fading, told apart
_SOFT: Final = 0.03  # share of the picture's shorter side from which things are near, and out of focus


class _Grain(NamedTuple):
    mask: Image.Image
    yuv: tuple[int, int, int]
    x: float
    y: float
    way: tuple[float, float]
    sway: float
    phase: float
    begins: float
    lives: int
    spin: float
    alpha: float


class Air:
    """What drifts through the frames of ``size``."""

    def __init__(self, motion: Motion, size: tuple[int, int], dice: random.Random) -> None:
        short = min(size)
        self._fades = [[round(v * i / _LEVELS) for v in range(256)] for i in range(_LEVELS + 1)]
        share = 1 if len(motion.drifts) < 2 else 0.6
        self._grains = [
            _grain(drift, motion.lives, size, short, dice)
            for drift in motion.drifts
            for _ in range(max(1, round(drift.count * share)))
        ]

    def lay(self, planes: Planes, share: float) -> None:
        """Draw what is in the air at ``share`` of the loop onto ``planes``."""
        luma, blue, red = planes
        for grain in self._grains:
            life = (share * grain.lives + grain.begins) % 1
            level = round(grain.alpha * min(1.0, 1.4 * math.sin(math.pi * life) ** 1.5) * _LEVELS)
            if not level:
                continue
            sway = grain.sway * math.sin(math.tau * (2 * life) + grain.phase)
            x = grain.x + grain.way[0] * (life - 0.5) + sway
            y = grain.y + grain.way[1] * (life - 0.5)
            # The corner on even pixels, for the half-size planes; the rest of the way within the mask.
            half = grain.mask.width / 2
            left, top = math.floor((x - half) / 2) * 2, math.floor((y - half) / 2) * 2
            turned = _turned(grain.mask, x - half - left, y - half - top, math.tau * grain.spin * (life - 0.5))
            mask = turned.point(self._fades[level])
            small = mask.reduce(2)
            luma.paste(grain.yuv[0], (left, top), mask)
            blue.paste(grain.yuv[1], (left // 2, top // 2), small)
            red.paste(grain.yuv[2], (left // 2, top // 2), small)


def _grain(drift: Drift, lives: int, size: tuple[int, int], short: int, dice: random.Random) -> _Grain:
    # Many small things, few large ones.
    share = drift.size[0] + (drift.size[1] - drift.size[0]) * dice.random() ** 2.2
    shape, colour = dice.choice(drift.shape), rgb(dice.choice(drift.colours))
    near = share / drift.size[1]
    way = (drift.way[0] * short * (0.5 + near), drift.way[1] * short * (0.5 + near))
    side = max(3, round(share * short * (1.7 if shape == "disc" else 2)))
    return _Grain(
        mask=_mask(shape, side),
        yuv=_bt709(colour),
        x=dice.random() * size[0],
        y=dice.random() * size[1],
        way=way,
        sway=drift.sway * short * dice.uniform(0.6, 1.2),
        phase=dice.uniform(0, math.tau),
        begins=dice.random(),
        lives=lives * dice.choice((1, 1, 2)),
        spin=drift.spin * dice.uniform(-1, 1),
        alpha=drift.alpha * dice.uniform(0.75, 1.0),
    )


def _mask(shape: str, side: int) -> Image.Image:
    """The shape in the middle of a square with room to turn."""
    room = math.ceil(side * 0.22) + 2
    whole = Image.new("L", ((side + 2 * room + 1) // 2 * 2,) * 2)
    if shape in ("disc", "bubble"):
        axis = np.linspace(-1, 1, side)
        far = np.hypot(axis[:, None], axis[None, :])
        if shape == "disc":
            body = np.clip((1 - far) * 1.6, 0, 1) ** 1.3
        else:
            edge = np.clip((1 - far) * side / 3, 0, 1)
            glint = np.exp(-((axis[None, :] + 0.38) ** 2 + (axis[:, None] + 0.42) ** 2) / 0.03)
            body = edge * np.clip(0.16 + 0.75 * far**5 + 0.9 * glint, 0, 1)
        drawn = Image.fromarray((body * 255).astype(np.uint8))
    else:
        drawn = pictogram(shape, side)
    whole.paste(drawn, ((whole.width - side) // 2,) * 2)
    return whole


def _turned(mask: Image.Image, dx: float, dy: float, angle: float) -> Image.Image:
    cos, sin, middle = math.cos(angle), math.sin(angle), mask.width / 2
    back_x, back_y = middle + dx, middle + dy
    return mask.transform(
        mask.size,
        Image.Transform.AFFINE,
        (cos, sin, middle - cos * back_x - sin * back_y, -sin, cos, middle + sin * back_x - cos * back_y),
        Image.Resampling.BILINEAR,
    )


def _bt709(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """An RGB colour as Y, Cb, Cr of ITU-R BT.709, limited range."""
    r, g, b = (part / 255 for part in colour)
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return round(16 + 219 * luma), round(128 + 224 * (b - luma) / 1.8556), round(128 + 224 * (r - luma) / 1.5748)
