"""The composition of a universe: one hero, large and in the middle, in the world of its theme."""

import math
import random
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from maquette.providers.clips.local.paint import RGB, Point, mix, rgb
from maquette.providers.images.local import figures, universe
from maquette.providers.images.local.canvas import Canvas, coverage, filled
from maquette.providers.images.local.colours import against, tone
from maquette.providers.images.local.look import Look
from maquette.providers.images.local.papercut import line
from maquette.providers.images.local.universe import World

_HERO: Final = 60  # hundredths of the shorter side
# Heroes that stand in the sky themselves.
_LIGHTS: Final = ("white-balance-sunny", "moon-waning-crescent", "weather-night-partly-cloudy")
_BICUBIC: Final = Image.Resampling.BICUBIC


def hero_in_world(c: Canvas, k: Look, dice: random.Random) -> Point:
    """The hero of ``k`` in its world; where there is none, the world alone."""
    world = universe.world(k.world)
    top, middle, low = (rgb(one) for one in k.palette.sky)
    c.mesh([[top, mix(top, middle, 0.25)], [mix(top, middle, 0.6), middle], [middle, low], [low, low]])
    x = 0.24 if k.flipped else 0.76
    light = _air(c, k, world, dice, x)
    floating = world.floor in ("deep", "void") or (k.hero is not None and universe.floats(k.hero))
    spot = c.w * (0.5 + dice.uniform(-0.07, 0.07))
    match world.floor:
        case "void":
            _void(c, k, dice)
            _hero(c, k, (spot, c.h * 0.52))
        case "room" | "ring":
            _room(c, k, world, dice)
            _hero(c, k, (spot, c.h * (0.5 if floating else 0.83)), stands=not floating)
            _front(c, k, world, dice)
        case "hills" | "sea" | "deep":
            _land(c, k, world, dice)
            _hero(c, k, (spot, c.h * (0.5 if floating else 0.86)), stands=not floating)
            _nearest(c, k, world, dice)
    return light


def _air(c: Canvas, k: Look, world: World, dice: random.Random, x: float) -> Point:
    glow, card, top = rgb(k.palette.glow), rgb(k.palette.card), rgb(k.palette.sky[0])
    y = dice.uniform(0.16, 0.22)
    match world.air:
        case "sun":
            c.glow(x * c.w, y * c.h, c.u * 60, glow, strength=0.8)
            if world.floor not in ("room", "ring"):
                if k.hero not in _LIGHTS:
                    c.disc(x * c.w, y * c.h, c.u * 9, mix(glow, card, 0.6), glow)
                for _ in range(3):
                    at = (dice.random() * c.w, dice.uniform(0.08, 0.36) * c.h)
                    c.motif("cloud", *at, c.u * dice.uniform(12, 22), mix(card, top, 0.12), shadow=0.08, alpha=0.9)
        case "moon":
            c.glow(x * c.w, y * c.h, c.u * 50, glow, strength=0.5)
            if k.hero not in _LIGHTS:
                c.motif("moon-waning-crescent", x * c.w, y * c.h, c.u * 22, mix(glow, card, 0.3), angle=-20, shadow=0.2)
            _stars(c, dice, 70)
            for _ in range(3):
                at = (dice.random() * c.w, dice.uniform(0.2, 0.45) * c.h)
                c.motif("cloud", *at, c.u * dice.uniform(14, 24), mix(card, top, 0.55), shadow=0.1, alpha=0.8)
        case "stars":
            _stars(c, dice, 130)
            c.glow(x * c.w, 0.3 * c.h, c.u * 60, rgb(k.palette.sky[2]), strength=0.9)
            c.glow((1 - x) * c.w, 0.75 * c.h, c.u * 55, rgb(k.palette.far), strength=0.8)
        case "rays":
            c.glow(x * c.w, 0, c.u * 80, glow, strength=0.85)
            _rays(c, (x * c.w, -0.15 * c.h), glow, dice)
        case "lights":
            c.glow(c.w / 2, 0.45 * c.h, c.u * 65, glow, strength=0.75)
            if world.floor == "hills":
                for _ in range(26):
                    at = (dice.random() * c.w, dice.uniform(0.05, 0.7) * c.h)
                    c.disc(*at, c.u * dice.uniform(0.6, 2.2), mix(glow, card, 0.5), alpha=0.75, soft=0.8)
    return x, y


def _stars(c: Canvas, dice: random.Random, count: int) -> None:
    for i in range(count):
        at = (dice.random() * c.w, dice.random() * c.h * 0.9)
        if i % 9 == 0:
            c.motif("star-four-points", *at, c.u * dice.uniform(2, 5), (255, 250, 225), shadow=0, alpha=0.9)
        else:
            c.disc(*at, c.u * dice.uniform(0.2, 0.55), (255, 255, 255), alpha=dice.uniform(0.35, 0.95))


def _rays(c: Canvas, source: Point, colour: RGB, dice: random.Random) -> None:
    """Shafts of light from ``source`` outside the picture."""
    down, along = np.mgrid[0 : (c.h + 3) // 4, 0 : (c.w + 3) // 4].astype(np.float32) * 4
    turn = np.arctan2(along - source[0], down - source[1])
    shaft = np.sin(turn * 15 + dice.uniform(0, 6.28)) + 0.6 * np.sin(turn * 27 + dice.uniform(0, 6.28))
    fade = np.clip(1.05 - down / (c.h * 0.85), 0, 1)
    c.tint(coverage(np.clip(shaft, 0, 1) * fade * 0.3).resize((c.w, c.h), _BICUBIC), 0, 0, colour)


def _land(c: Canvas, k: Look, world: World, dice: random.Random) -> None:
    """Two sheets far behind with what stands on them, and the ground of the hero."""
    far, near, ground = rgb(k.palette.far), rgb(k.palette.near), rgb(k.palette.ground[0])
    card, ink = rgb(k.palette.card), rgb(k.palette.ink)
    flat = 0.008 if world.floor == "sea" else 0.035
    for colour, base, size, count in ((far, 0.6, 13, 4), (near, 0.69, 20, 2)):
        edge = line(dice, c.w, c.h * base, c.h * flat, bumps=2.2)
        if world.back:
            for i in range(count):
                # Beside the hero, who would hide it.
                x = c.w * _beside(dice, i, count, 0.24)
                icon = world.back[dice.randrange(len(world.back))]
                tinted = mix(mix(colour, ink, 0.22), k.accents[1], 0.18)
                foot = float(edge[min(c.w - 1, max(0, round(x)))])
                c.motif(icon, x, foot + c.u, c.u * size * dice.uniform(0.85, 1.25), tinted, shadow=0.12, stands=True)
        c.hill(edge, mix(colour, card, 0.2), colour, mix(colour, ink, 0.12), lit=mix(colour, card, 0.6), shadow=0.16)
    edge = line(dice, c.w, c.h * 0.79, c.h * 0.025, bumps=1.8)
    c.hill(edge, mix(ground, card, 0.22), ground, mix(ground, ink, 0.2), lit=mix(ground, card, 0.6), shadow=0.25)
    if world.floor == "deep":
        for _ in range(16):
            c.ring(
                dice.random() * c.w, dice.random() * c.h * 0.8, c.u * dice.uniform(0.7, 2.6), c.u * 0.3, card, alpha=0.6
            )


def _nearest(c: Canvas, k: Look, world: World, dice: random.Random) -> None:
    """The sheet in front of the hero and what grows on it, in the corners."""
    ground, card, ink = rgb(k.palette.ground[1]), rgb(k.palette.card), rgb(k.palette.ink)
    edge = line(dice, c.w, c.h * 0.945, c.h * 0.02, bumps=2.4)
    _front(c, k, world, dice, foot=0.97)
    c.hill(edge, mix(ground, card, 0.12), ground, mix(ground, ink, 0.25), lit=mix(ground, card, 0.45), shadow=0.25)


def _front(c: Canvas, k: Look, world: World, dice: random.Random, *, foot: float = 0.98) -> None:
    ground, ink = rgb(k.palette.ground[1]), rgb(k.palette.ink)
    for i in range(4 if world.front else 0):
        icon = world.front[dice.randrange(len(world.front))]
        x = c.w * _beside(dice, i, 4, 0.3)
        fill = mix((ground, k.accents[1], mix(ground, ink, 0.3))[i % 3], rgb(k.palette.glow), 0.12)
        size = c.u * dice.uniform(15, 23)
        c.motif(icon, x, c.h * foot, size, against(fill, rgb(k.palette.ground[0])), shadow=0.2, stands=True)


def _beside(dice: random.Random, number: int, count: int, gap: float) -> float:
    """A place across the picture for one of ``count``: left and right in turns, with a gap in the middle."""
    share = 0.02 + (0.5 - gap) * (number // 2 + dice.uniform(0.1, 0.6)) / -(-count // 2)
    return share if number % 2 else 1 - share


def _void(c: Canvas, k: Look, dice: random.Random) -> None:
    """Planets of paper around, a great one below."""
    far, near, card, ink = rgb(k.palette.far), rgb(k.palette.near), rgb(k.palette.card), rgb(k.palette.ink)
    base = mix(near, k.accents[1], 0.35)
    c.disc(c.w * 0.5, c.h * 1.42, c.h * 0.6, mix(base, card, 0.35), base, mix(base, ink, 0.3))
    for i, (x, y, size) in enumerate(((0.15, 0.2, 8), (0.86, 0.3, 11), (0.12, 0.68, 5), (0.88, 0.72, 6.5))):
        own = mix((k.accents[1], far, near)[i % 3], card, 0.15)
        at = ((x + dice.uniform(-0.03, 0.03)) * c.w, (y + dice.uniform(-0.04, 0.04)) * c.h)
        c.disc(*at, size * c.u, mix(own, card, 0.4), own, mix(own, ink, 0.4))
        c.disc(at[0] - size * 0.3 * c.u, at[1] - size * 0.2 * c.u, size * 0.2 * c.u, mix(own, ink, 0.2), alpha=0.5)


def _room(c: Canvas, k: Look, world: World, dice: random.Random) -> None:
    """A wall and a floor; rays of stripes in the ring of a circus."""
    card, ink, far, ground = rgb(k.palette.card), rgb(k.palette.ink), rgb(k.palette.far), rgb(k.palette.ground[0])
    top, middle = rgb(k.palette.sky[0]), rgb(k.palette.sky[1])
    if world.floor == "ring":
        down, along = np.mgrid[0 : c.h, 0 : c.w].astype(np.float32)
        turn = np.arctan2(down - c.h * 0.5, along - c.w * 0.5) + dice.uniform(0, 0.3)
        far_off = np.hypot(down - c.h * 0.5, along - c.w * 0.5)
        c.tint(coverage(np.sin(turn * 10) * far_off / 10 + 0.5), 0, 0, mix(top, card, 0.05), top)
        c.glow(c.w / 2, c.h * 0.5, c.u * 55, rgb(k.palette.glow), strength=0.75)
    else:
        for i in range(6 if world.back else 0):
            icon = world.back[dice.randrange(len(world.back))]
            at = (c.w * _beside(dice, i, 6, 0.22), c.h * dice.uniform(0.08, 0.56))
            tinted = mix(mix(middle, far, 0.6), k.accents[1], 0.25)
            c.motif(icon, *at, c.u * dice.uniform(9, 15), tinted, angle=dice.uniform(-14, 14), shadow=0.12, alpha=0.85)
        if world.air == "lights":
            for x in (0.12, 0.88):
                _rays(c, (x * c.w, -0.3 * c.h), rgb(k.palette.glow), dice)
    floor = np.full(c.w, c.h * 0.74, dtype=np.float32)
    c.hill(floor, mix(ground, card, 0.3), ground, mix(ground, ink, 0.25), lit=mix(ground, card, 0.6), shadow=0.22)
    along_x = np.linspace(-1, 1, c.w, dtype=np.float32)
    rug = c.h * (0.86 - 0.06 * np.sqrt(np.clip(1 - (along_x / 0.86) ** 2, 0, 1))) + (np.abs(along_x) > 0.86) * c.h
    low = mix(far, card, 0.35)
    mask = coverage(np.minimum(np.arange(c.h, dtype=np.float32)[:, None] - rug[None, :], 1.72 * c.h - np.arange(
        c.h, dtype=np.float32)[:, None] - rug[None, :]))  # fmt: skip
    c.tint(mask, 0, 0, low, mix(low, ink, 0.12), alpha=0.85)


def _hero(c: Canvas, k: Look, at: Point, *, stands: bool = False) -> None:
    """The hero like a cut-out with a pale rim, its shadow on the ground where it stands."""
    card, ink = rgb(k.palette.card), rgb(k.palette.ink)
    if k.hero is None:
        for dx, dy, size in ((0, -14, 22), (-17, -2, 11), (15, 1, 8)):
            spark = (at[0] + dx * c.u, c.h * 0.5 + dy * c.u)
            c.glow(*spark, c.u * size, rgb(k.palette.glow), strength=0.7)
            c.motif("star-four-points", *spark, c.u * size, mix(rgb(k.palette.glow), card, 0.4), shadow=0.15)
        return
    dice = random.Random(k.seed)
    size = round(c.u * _HERO * dice.uniform(0.92, 1.05))
    rim = max(3, round(c.u * 0.9))
    mask = figures.mask(k.hero, size)
    if k.flipped:
        mask = mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mask = mask.rotate(dice.uniform(-4, 4) if stands else dice.uniform(-11, 11), _BICUBIC)
    whole = Image.new("L", (size + 4 * rim, size + 4 * rim))
    whole.paste(mask, (2 * rim, 2 * rim))
    left, top, right, bottom = mask.getbbox() or (0, 0, size, size)
    # Its own middle in the middle, or its foot on the ground.
    x = at[0] + size / 2 - (left + right) / 2
    y = at[1] + (size / 2 - bottom if stands else size / 2 - (top + bottom) / 2)
    c.glow(at[0], y, c.u * 46, rgb(k.palette.glow), strength=0.5)
    body = filled(whole)
    back = body.filter(ImageFilter.GaussianBlur(rim * 0.75)).point(
        [min(255, max(0, (v - 12) * 10)) for v in range(256)]
    )
    if stands:
        wide = (right - left) * 0.9
        spot = Image.new("L", (max(4, round(wide)), max(4, round(c.u * 3))), 255)
        c.shadow(spot, at[0] - wide / 2, at[1] - c.u * 2, reach=c.u * 1.6, strength=0.5)
    corner = (x - whole.width / 2, y - whole.height / 2)
    c.shadow(back, *corner, reach=c.u * 1.6, strength=0.35)
    c.tint(back, *corner, card, mix(card, ink, 0.06))
    fill = against(k.accents[0], card)
    inner = mix(ink, fill, 0.12) if tone(fill).light > 0.66 else mix(card, fill, 0.1)
    c.tint(body, *corner, inner, mix(inner, ink, 0.15))
    c.tint(whole, *corner, mix(fill, (255, 255, 255), 0.28), fill, mix(fill, ink, 0.16))
    edge = ImageChops.subtract(whole, ImageChops.offset(whole, 0, max(1, round(size * 0.007))))
    c.tint(edge, *corner, (255, 255, 255), alpha=0.45)
    # Light from above, rounding it off.
    shade = Image.linear_gradient("L").resize(whole.size)
    c.tint(Image.composite(shade, Image.new("L", whole.size), whole), *corner, mix(fill, ink, 0.5), alpha=0.28)
    fall = math.hypot(right - left, bottom - top) * 0.3
    glint = Image.new("L", whole.size)
    glint.paste(
        _soft(round(fall * 2)), (round(2 * rim + left + (right - left) * 0.3 - fall), round(2 * rim + top - fall * 0.6))
    )
    c.tint(Image.composite(glint, Image.new("L", whole.size), whole), *corner, (255, 255, 255), alpha=0.3)


def _soft(side: int) -> Image.Image:
    axis = np.linspace(-1, 1, 48)
    fall = np.clip(1 - np.hypot(axis[:, None], axis[None, :]), 0, 1) ** 1.4
    return Image.fromarray((fall * 255).astype(np.uint8)).resize((max(2, side), max(2, side)), _BICUBIC)
