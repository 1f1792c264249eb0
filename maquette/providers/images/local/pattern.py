"""Compositions of repeated shapes: a mosaic of tiles, and motifs adrift in depth."""

import math
import random
from typing import Final

import numpy as np
from PIL import Image

from maquette.providers.clips.local.paint import RGB, Point, mix, rgb
from maquette.providers.images.local.canvas import Canvas, coverage
from maquette.providers.images.local.colours import against, ramp
from maquette.providers.images.local.look import Look

_TILES: Final = ("quarter", "quarter", "leaf", "half", "ring", "plain", "dots")
_CAST: Final = 12  # motifs adrift, some of which find no room


def mosaic(c: Canvas, k: Look, dice: random.Random) -> Point:
    """Tiles of quarter discs and leaves, calm above, richer below, one with the motif."""
    columns = 8 if c.wide else 5
    side = c.w / columns
    rows = math.ceil(c.h / side)
    _, middle, low = (rgb(one) for one in k.palette.sky)
    card, ink = rgb(k.palette.card), rgb(k.palette.ink)
    pale = mix(middle, low, 0.5)
    c.mesh([[mix(middle, low, 0.4), mix(middle, low, 0.7)], [pale, middle], [middle, rgb(k.palette.far)]])
    left, top = 1 if k.flipped else columns - 3, max(1, rows - (3 if c.wide else 4))
    spare = list(k.others)
    for row in range(rows):
        for column in range(columns):
            if k.hero and 0 <= row - top <= 1 and 0 <= column - left <= 1:
                continue
            depth = (row + 0.5) / rows
            weight = 0.95 - abs(column - left - 0.5) / columns * 1.5 if c.wide else (depth - 0.3) * 1.9
            if dice.random() > weight:
                continue
            x, y = column * side, row * side
            shade = ramp(k.palette, min(0.9, max(0.05, (depth - 0.2) * dice.uniform(0.5, 1.05))))
            if dice.random() < 0.22:
                shade = mix(shade, k.accents[dice.randrange(2)], 0.75)
            _tile(c, dice, x, y, side, shade, mix(shade, rgb(k.palette.glow), 0.3))
            if spare and weight > 0.6 and row + 1 < rows and dice.random() < 0.35:
                ground = mix(shade, card, 0.75)
                c.box(x, y, x + side, y + side, ground)
                fill = against(mix(k.accents[1], ink, 0.1), ground)
                c.motif(spare.pop(), x + side / 2, y + side / 2, side * 0.66, fill, shadow=0.15)
    if k.hero:
        x, y, big = left * side, top * side, side * 2
        base = ramp(k.palette, 0.75)
        disc = mix(base, rgb(k.palette.glow), 0.4)
        c.box(x, y, x + big, y + big, mix(base, disc, 0.3), base, shadow=0.3)
        c.disc(x + side, y + side, big * 0.43, mix(disc, rgb(k.palette.glow), 0.25), mix(base, disc, 0.6))
        fill = against(k.accents[0], disc)
        plate = mix(ramp(k.palette, 0.98), fill, 0.3)
        c.motif(k.hero, x + side, y + side, big * 0.66, fill, plate=plate)
    return (0.15 if k.flipped else 0.85), 0.1


def _tile(c: Canvas, dice: random.Random, x: float, y: float, side: float, dark: RGB, pale: RGB) -> None:
    n = round(side) + 1
    axis = np.arange(n, dtype=np.float32) + 0.5
    across, down = axis[None, :], axis[:, None]
    if dice.random() < 0.5:
        across = n - across
    if dice.random() < 0.5:
        down = n - down
    kind = dice.choice(_TILES)
    far = np.sqrt(across**2 + down**2)
    match kind:
        case "quarter":
            inside = n - far
        case "leaf":
            inside = np.minimum(n - far, n - np.sqrt((n - across) ** 2 + (n - down) ** 2))
        case "half":
            inside = n / 2 - np.sqrt((across - n / 2) ** 2 + down**2)
        case "ring":
            inside = np.minimum(n - far, far - n * 0.55)
        case "dots":
            step = n / 4
            inside = step * 0.2 - np.sqrt((across % step - step / 2) ** 2 + (down % step - step / 2) ** 2)
        case _:
            c.tint(Image.new("L", (n, n), 255), x, y, pale, dark)
            return
    if kind != "dots":
        c.box(x, y, x + n, y + n, mix(dark, pale, 0.55), alpha=0.55)
    c.tint(coverage(inside), x, y, pale, dark)


def drift(c: Canvas, k: Look, dice: random.Random) -> Point:
    """Motifs adrift in the air: far ones pale, one in focus, near ones large and blurred."""
    top, middle, low = (rgb(one) for one in k.palette.sky)
    glow, ink = rgb(k.palette.glow), rgb(k.palette.ink)
    x = c.w * ((0.3 if k.flipped else 0.7) if c.wide else (0.42 if k.flipped else 0.58))
    y = c.h * (0.55 if c.wide else 0.66)
    bright = mix(middle, low, 0.5)
    c.mesh([[top, mix(top, middle, 0.6)], [middle, bright], [bright, low], [middle, rgb(k.palette.far)]])
    c.glow(x, y, c.u * 65, mix(low, glow, 0.6), strength=0.8)
    icons = [k.hero or "circle", *k.others]
    taken = [(x, y, c.u * 26)]
    for i in range(_CAST):
        depth = i / _CAST
        size = c.u * (7 + 9 * depth)
        px, py = dice.random() * c.w, (0.30 + 0.66 * dice.random() ** 0.8) * c.h
        turn = dice.uniform(-35, 35)
        if any(math.hypot(px - ox, py - oy) < reach + size * 0.75 for ox, oy, reach in taken):
            continue
        taken.append((px, py, size * 0.75))
        fill = mix(mix(low, k.accents[i % 2], 0.25 + 0.45 * depth), glow, 0.15)
        blur, alpha = (1 - depth) * c.u * 0.35, 0.55 + 0.35 * depth
        c.motif(icons[i % len(icons)], px, py, size, fill, angle=turn, shadow=0.12, blur=blur, alpha=alpha)
    if k.hero:
        fill = against(k.accents[0], mix(low, glow, 0.3))
        plate = mix(ramp(k.palette, 0.92), fill, 0.35)
        c.motif(k.hero, x, y, c.u * 46, fill, angle=dice.uniform(-12, 12), plate=plate, shadow=0.45)
    for i, (nx, ny) in enumerate(((0.02, 0.98), (0.97, 0.92))):
        near = mix(mix(ramp(k.palette, 0.8), k.accents[i], 0.4), ink, 0.15)
        size, turn = c.u * dice.uniform(34, 46), dice.uniform(-40, 40)
        icon = icons[-1 - i % len(icons)]
        c.motif(icon, nx * c.w, ny * c.h, size, near, angle=turn, shadow=0.0, blur=c.u * 1.7, alpha=0.8)
    return (0.2 if k.flipped else 0.8), 0.15
