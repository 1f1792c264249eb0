"""Smooth masks of simple shapes, from their signed distances: Pillow's own have jagged edges."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from PIL import Image


@lru_cache(maxsize=128)
def rounded(width: float, height: float, radius: float, offset: tuple[float, float] = (0, 0)) -> Image.Image:
    """The mask of a box of ``width`` × ``height`` pixels that begins ``offset`` (below 1) inside of its picture."""
    columns = np.arange(int(np.ceil(width + offset[0]))) + 0.5 - offset[0] - width / 2
    rows = np.arange(int(np.ceil(height + offset[1]))) + 0.5 - offset[1] - height / 2
    radius = min(radius, width / 2, height / 2)
    across = np.abs(columns) - width / 2 + radius
    down = np.abs(rows)[:, None] - height / 2 + radius
    distance = np.hypot(np.maximum(across, 0), np.maximum(down, 0)) + np.minimum(np.maximum(across, down), 0) - radius
    return _mask(distance)


def polyline(points: Sequence[tuple[float, float]], thickness: float, size: tuple[int, int]) -> Image.Image:
    """The mask of ``size`` of a line through ``points`` with round ends and corners."""
    columns = np.arange(size[0]) + 0.5
    rows = (np.arange(size[1]) + 0.5)[:, None]
    nearest = np.full(size[::-1], np.inf)
    for (x, y), (to_x, to_y) in pairwise(points):
        along_x, along_y = to_x - x, to_y - y
        share = ((columns - x) * along_x + (rows - y) * along_y) / (along_x**2 + along_y**2)
        share = np.clip(share, 0, 1)
        nearest = np.minimum(nearest, np.hypot(columns - x - share * along_x, rows - y - share * along_y))
    return _mask(nearest - thickness / 2)


def _mask(distance: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Image.Image:
    return Image.fromarray((np.clip(0.5 - distance, 0, 1) * 255 + 0.5).astype(np.uint8))


def fade(size: tuple[int, int], *, length: int, towards: str) -> Image.Image:
    """A mask of ``size``, full but for ``length`` pixels over which it fades softly ``towards`` a side."""
    across = towards != "top"
    count = size[0] if across else size[1]
    share = np.clip((np.arange(count) + 0.5) / length, 0, 1) if length else np.ones(count)
    ramp = (share * share * (3 - 2 * share) * 255 + 0.5).astype(np.uint8)
    if towards == "right":
        ramp = ramp[::-1]
    line = np.ascontiguousarray(ramp[None, :] if across else ramp[:, None])
    return Image.fromarray(line).resize(size, Image.Resampling.NEAREST)
