"""Compositions of cut paper: sheets over sheets, with light behind them."""

import math
import random
from typing import Final

import numpy as np

from maquette.providers.clips.local.paint import Point, mix, rgb
from maquette.providers.images.local.canvas import Canvas, Plane
from maquette.providers.images.local.colours import against, ramp
from maquette.providers.images.local.look import Look

_SHEETS: Final = 5  # of a grotto


def sky(c: Canvas, k: Look, dice: random.Random) -> Point:
    """Air with a light in it; where the light is, in shares of the picture."""
    top, middle, low = (rgb(one) for one in k.palette.sky)
    glow = rgb(k.palette.glow)
    x = 0.24 if k.flipped else 0.76
    warm = mix(top, k.accents[0], 0.14)
    edge = [warm, top] if k.flipped else [top, warm]
    c.mesh([edge, [top, mix(top, middle, 0.5)], [middle, middle], [mix(middle, low, 0.7), low], [low, low]])
    y = dice.uniform(0.3, 0.4)
    c.glow(x * c.w, y * c.h, c.u * 70, glow, strength=0.55)
    return x, y


def line(dice: random.Random, width: int, base: float, height: float, *, bumps: float) -> Plane:
    """A rolling line: for each of ``width`` columns how far down it is, around ``base`` by ``height``, in pixels."""
    at = np.linspace(0, math.tau, width, dtype=np.float32)
    long, short, shift = dice.uniform(0, 6.28), dice.uniform(0, 6.28), dice.uniform(0, 6.28)
    wave = 0.62 * np.sin(at * bumps * 0.5 + long) + 0.28 * np.sin(at * bumps + short)
    wave += 0.1 * np.sin(at * bumps * 2.3 + shift)
    edge: Plane = (base - height * wave).astype(np.float32)
    return edge


def valley(c: Canvas, k: Look, dice: random.Random) -> Point:
    """Hills of paper before a low disc of light; the motif stands among them."""
    x, y = sky(c, k, dice)
    glow, lit = rgb(k.palette.glow), rgb(k.palette.card)
    c.disc(x * c.w, y * c.h, c.u * 19, mix(glow, lit, 0.6), mix(glow, rgb(k.palette.sky[2]), 0.4), alpha=0.95)
    sheets, first = 6, 0.56 if c.wide else 0.58
    spot = (1 - x) * c.w if c.wide else c.w * (0.42 if k.flipped else 0.58)
    for i in range(sheets):
        share = i / (sheets - 1)
        base, height = c.h * (first + (0.97 - first) * share**1.05), c.h * (0.075 - 0.03 * share)
        edge = line(dice, c.w, base, height, bumps=dice.uniform(1.6, 2.6) * (c.w / c.h) ** 0.5)
        colour = ramp(k.palette, 0.08 + 0.86 * share)
        if i == 1:
            for other, dx, size in zip(k.others, (-30, 31, -12), (15, 12, 9), strict=False):
                px = spot + dx * c.u
                if 0 < px < c.w:
                    ground = float(edge[int(px)])
                    fill = against(mix(colour, k.accents[-1], 0.35), ramp(k.palette, 0.1))
                    c.motif(other, px, ground + c.u, size * c.u, fill, stands=True)
        if i == 3 and k.hero:
            tall = c.u * (42 if c.wide else 40)
            ground = float(edge[min(c.w - 1, int(spot))])
            fill = against(k.accents[0], ramp(k.palette, 0.35))
            plate = mix(ramp(k.palette, 0.95), fill, 0.3)
            c.motif(k.hero, spot, ground - c.u, tall, fill, plate=plate, stands=True)
        c.hill(edge, mix(colour, glow, 0.16), colour, mix(colour, rgb(k.palette.ink), 0.18), lit=mix(colour, lit, 0.7))
    return x, y


def _opening(number: int) -> float:
    """The mean radius of a sheet's hole, in hundredths of the picture's shorter side."""
    return 31 + 37 * math.pow(number / (_SHEETS - 1), 1.15)


def grotto(c: Canvas, k: Look, dice: random.Random) -> Point:
    """Nested sheets with a hole, the light behind them, the motif in the opening."""
    x = (0.3 if k.flipped else 0.7) if c.wide else 0.5 + (-0.06 if k.flipped else 0.06)
    y = 0.5 if c.wide else 0.56
    glow, lit, low = rgb(k.palette.glow), rgb(k.palette.card), rgb(k.palette.sky[2])
    c.mesh([[low, mix(low, k.accents[0], 0.1)], [low, mix(low, glow, 0.5)], [mix(low, glow, 0.5), low]])
    c.glow(x * c.w, y * c.h, c.u * 62, mix(glow, lit, 0.5), strength=0.85)
    down, along = np.mgrid[0 : (c.h + 1) // 2, 0 : (c.w + 1) // 2].astype(np.float32) * 2
    dx, dy = (along - x * c.w) / c.u, (down - y * c.h) / c.u
    stretch = (c.h / c.w) ** (0.5 if c.wide else 0.35)
    far, turn = np.sqrt(dx**2 + (dy / stretch) ** 2), np.arctan2(dy, dx)
    a, b = dice.uniform(0, 6.28), dice.uniform(0, 6.28)
    around = np.linspace(-math.pi, math.pi, 181, dtype=np.float32)
    for i in range(_SHEETS):
        share, twist = i / (_SHEETS - 1), 0.35 * i
        wave = 0.085 * np.sin(3 * around + a + twist) + 0.05 * np.sin(5 * around + b - twist)
        radius = _opening(i) * (1 + wave + 0.03 * np.sin(2 * around + twist))
        colour = ramp(k.palette, 0.05 + 0.9 * share)
        if i == 2 and k.hero:
            fill = against(k.accents[0], low)
            plate = mix(ramp(k.palette, 0.9), fill, 0.3)
            c.motif(k.hero, x * c.w, y * c.h + c.u * 8, c.u * 40, fill, plate=plate)
            for other, ox, oy in zip(k.others, (-27, 27), (-12, -15), strict=False):
                small = against(mix(colour, k.accents[-1], 0.5), low)
                c.motif(other, x * c.w + ox * c.u, y * c.h + oy * c.u, c.u * 13, small)
        # The next sheet covers what is beyond its own opening.
        reach = (1.2 * _opening(i + 1) + 6) * c.u / 2 if i + 1 < _SHEETS else c.w + c.h
        top, left = max(0, int(y * c.h / 2 - reach * stretch)), max(0, int(x * c.w / 2 - reach))
        part = np.s_[top : int(y * c.h / 2 + reach * stretch), left : int(x * c.w / 2 + reach)]
        outside = (far[part] - np.interp(turn[part], around, radius).astype(np.float32)) * c.u
        shades = mix(colour, glow, 0.12), mix(colour, rgb(k.palette.ink), 0.12)
        c.sheet(outside, *shades, lit=mix(colour, lit, 0.65), corner=(left * 2, top * 2))
    return x, y - 0.2
