"""Figures that the icon font lacks, drawn from ``figures.yaml``; every other name is a pictogram of the font."""

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from PIL import Image, ImageDraw

from maquette.providers.clips.local.paint import Point, has_pictogram, pictogram

_SQUARE: Final = 24  # units a side
_SMOOTH: Final = 3  # drawn so much larger and reduced, for soft edges
_STEPS: Final = 10  # between two points of a curve


@lru_cache
def _figures() -> dict[str, list[str]]:
    figures: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("figures.yaml").read_text("utf-8"))
    return figures


def names() -> frozenset[str]:
    """The figures of our own."""
    return frozenset(_figures())


def can_draw(name: str) -> bool:
    """Whether ``name`` is a figure or a pictogram."""
    return name in _figures() or has_pictogram(name)


def mask(name: str, size: int) -> Image.Image:
    """The mask of a figure or pictogram, ``size`` pixels square. Raises ``KeyError`` where it is neither."""
    if name not in _figures():
        return pictogram(name, size)
    side = size * _SMOOTH
    drawn = Image.new("L", (side, side))
    for stroke in _figures()[name]:
        _draw(ImageDraw.Draw(drawn), stroke, side / _SQUARE)
    return drawn.reduce(_SMOOTH)


def _draw(draw: ImageDraw.ImageDraw, stroke: str, unit: float) -> None:
    body = stroke.lstrip("-|")
    ink = 0 if "-" in stroke[: len(stroke) - len(body)] else 255
    shapes = _shapes(body)
    if "|" in stroke[: len(stroke) - len(body)]:
        shapes += [([(_SQUARE - x, y) for x, y in points], width, closed) for points, width, closed in shapes]
    for points, width, closed in shapes:
        placed = [(x * unit, y * unit) for x, y in points]
        if closed:
            draw.polygon(placed, fill=ink)
        if width:
            line = [*placed, placed[0]] if closed else placed
            draw.line(line, fill=ink, width=max(1, round(width * unit)), joint="curve")
            for x, y in placed:
                reach = width * unit / 2
                draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=ink)


def _shapes(body: str) -> list[tuple[list[Point], float, bool]]:
    """The outlines of a stroke: points, width of the line, whether it is filled."""
    kind, *rest = body.split()
    match kind:
        case "c":
            x, y, r = map(float, rest)
            return [(_ellipse(x, y, r, r, 0), 0, True)]
        case "e":
            x, y, rx, ry, *turn = map(float, rest)
            return [(_ellipse(x, y, rx, ry, math.radians(turn[0]) if turn else 0), 0, True)]
        case "o":
            count, x, y, reach, r = map(float, rest)
            turns = [math.tau * i / count - math.pi / 2 for i in range(int(count))]
            return [(_ellipse(x + reach * math.cos(t), y + reach * math.sin(t), r, r, 0), 0, True) for t in turns]
        case "p":
            return [(_points(rest), 0, True)]
        case "q":
            return [(_points(rest[1:]), float(rest[0]), True)]
        case "b":
            return [(_smooth(_points(rest), closed=True), 0, True)]
        case "l":
            return [(_smooth(_points(rest[1:]), closed=False), float(rest[0]), False)]
        case _:
            raise ValueError(f"a figure's stroke begins with c, e, o, p, q, b or l, not {kind}")


def _points(words: Sequence[str]) -> list[Point]:
    return [(float(x), float(y)) for x, y in (word.split(",") for word in words)]


def _ellipse(x: float, y: float, rx: float, ry: float, turn: float) -> list[Point]:
    along = np.linspace(0, math.tau, 64, endpoint=False)
    dx, dy = rx * np.cos(along), ry * np.sin(along)
    cos, sin = math.cos(turn), math.sin(turn)
    return list(zip((x + dx * cos - dy * sin).tolist(), (y + dx * sin + dy * cos).tolist(), strict=True))


def _smooth(points: list[Point], *, closed: bool) -> list[Point]:
    """A Catmull-Rom curve through ``points``."""
    if len(points) < 3:
        return points
    ends = [points[-1], *points, *points[:2]] if closed else [points[0], *points, points[-1]]
    at = np.array(ends)
    share = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    curve: list[Point] = []
    for a, b, c, d in zip(at[:-3], at[1:-2], at[2:-1], at[3:], strict=True):
        part = b + 0.5 * share * (c - a + share * (2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a)))
        curve += [(float(x), float(y)) for x, y in part]
    return curve if closed else [*curve, points[-1]]
