"""Compositions of a studio: a podium before an arch, a disc with its rings, tiles of glass, a place out of doors."""

import math
import random

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from maquette.providers.clips.local import lexicon
from maquette.providers.clips.local.backdrops import painted
from maquette.providers.clips.local.paint import RGB, Point, mix, rgb
from maquette.providers.clips.local.shot import Shot
from maquette.providers.images.local.canvas import Canvas, Plane, coverage, rounded
from maquette.providers.images.local.colours import against, ramp
from maquette.providers.images.local.look import Look
from maquette.providers.images.local.papercut import line


def podium(c: Canvas, k: Look, dice: random.Random) -> Point:
    """The motif on a round podium before an arch, in light from a window."""
    top, middle, low = (rgb(one) for one in k.palette.sky)
    glow, card, ink, near = (rgb(one) for one in (k.palette.glow, k.palette.card, k.palette.ink, k.palette.near))
    x = c.w * ((0.3 if k.flipped else 0.7) if c.wide else (0.42 if k.flipped else 0.58))
    floor = c.h * 0.79
    light = 0.15 if k.flipped else 0.85
    wall = [mix(middle, low, 0.5), mix(top, middle, 0.6)]
    foot = mix(middle, low, 0.6)
    c.mesh([wall if k.flipped else wall[::-1], [middle, middle], [foot, foot]])
    reach, high = c.u * 37, floor - c.u * (70 if c.wide else dice.uniform(72, 82))
    deep, pale = mix(middle, rgb(k.palette.far), 0.75), mix(low, glow, 0.5)
    frame = reach + c.u * 4
    rim = mix(pale, card, 0.4), mix(pale, middle, 0.6)
    c.box(x - frame, high - c.u * 4, x + frame, floor + frame, *rim, radius=frame, alpha=0.45)
    c.box(x - reach, high, x + reach, floor + reach, deep, mix(deep, pale, 0.45), radius=reach)
    c.glow(x, floor - c.u * 22, c.u * 42, pale, strength=0.75)
    _slats(c, mix(glow, card, 0.5), from_left=k.flipped)
    ground = np.full(c.w, floor, dtype=np.float32)
    c.hill(ground, mix(near, glow, 0.32), near, mix(near, rgb(k.palette.ground[0]), 0.7), lit=card, shadow=0.18)
    way = 1 if k.flipped else -1
    if k.others:
        # A second, lower podium.
        _drum(c, k, (x + way * c.u * 37, floor + c.u * 7), (c.u * 13, c.u * 8), k.others[0], c.u * 19, k.accents[-1])
    _drum(c, k, (x, floor + c.u * 3), (c.u * 25, c.u * 9), k.hero, c.u * 43, k.accents[0])
    ball = k.accents[-1]
    c.disc(x - way * c.u * 36, floor + c.u * 10.5, c.u * 5, mix(ball, card, 0.45), mix(ball, ink, 0.3))
    return light, 0.1


def _drum(
    c: Canvas, k: Look, at: Point, shape: Point, icon: str | None, size: float, fill: RGB
) -> None:  # fmt: skip
    """A low cylinder of ``shape`` (radius, height) with the middle of its upper disc ``at``, and what stands on it."""
    (x, y), (radius, height) = at, shape
    glow, card, ink = rgb(k.palette.glow), rgb(k.palette.card), rgb(k.palette.ink)
    body, bow = ramp(k.palette, 0.38), radius * 0.24
    left, top = x - radius, y - bow
    across, down = np.meshgrid(np.linspace(-1, 1, 2 * round(radius)), np.arange(round(height + 2 * bow)))
    arc = np.sqrt(np.clip(1 - across**2, 0, 1)) * bow
    inside = np.minimum(down - bow + arc, bow + height + arc - down) + 0.5
    mask = coverage(inside)
    c.shadow(mask, left, top, reach=c.u * 2.4, strength=0.4)
    c.tint(mask, left, top, mix(body, glow, 0.25), mix(body, ink, 0.28))
    turned = np.clip(np.abs(across + (0.35 if k.flipped else -0.35)) - 0.2, 0, 1) * np.clip(inside, 0, 1)
    c.tint(coverage(turned), left, top, ink, alpha=0.43)
    c.tint(coverage(arc - np.abs(down - bow) + 0.5), left, top, mix(body, card, 0.75), mix(body, glow, 0.4))
    if icon:
        spot = Image.new("L", (round(size * 0.62), max(4, round(bow * 0.4))), 255)
        c.shadow(spot, x - size * 0.31, y - bow * 0.3, reach=c.u * 0.9, strength=0.5)
        fill = against(fill, mix(rgb(k.palette.sky[1]), rgb(k.palette.far), 0.6))
        c.motif(icon, x, y, size, fill, plate=mix(ramp(k.palette, 0.92), fill, 0.35), shadow=0.25, stands=True)


def _slats(c: Canvas, colour: RGB, *, from_left: bool) -> None:
    """Slanted stripes of light, as through a blind, fading with the distance."""
    wide, tall = c.w / c.u, c.h / c.u
    across, down = np.meshgrid(np.linspace(0, wide, max(8, c.w // 8)), np.linspace(0, tall, max(8, c.h // 8)))
    slope = 0.55 * across + down if from_left else 0.55 * (wide - across) + down
    band = np.clip(1.4 * np.sin(slope * math.tau / 34), 0, 1) * np.clip(1.15 - np.abs(slope - 58) / 46, 0, 1)
    c.tint(coverage(band).resize((c.w, c.h), Image.Resampling.BICUBIC), 0, 0, colour, alpha=0.3)


def orbit(c: Canvas, k: Look, dice: random.Random) -> Point:
    """A great disc out of the lower edge, rings around it, the motif before it."""
    top, middle, low = (rgb(one) for one in k.palette.sky)
    glow, card, ink = rgb(k.palette.glow), rgb(k.palette.card), rgb(k.palette.ink)
    x = c.w * ((0.27 if k.flipped else 0.73) if c.wide else (0.4 if k.flipped else 0.6))
    y = c.h * (0.62 if c.wide else 0.74)
    c.mesh([[mix(top, ink, 0.12), top], [top, mix(middle, top, 0.4)], [middle, mix(middle, low, 0.5)]])
    radius = c.u * 45
    c.glow(x, y, radius * 2.1, mix(low, glow, 0.5), strength=0.55)
    for step, alpha in ((13, 0.3), (27, 0.2), (43, 0.13), (61, 0.08)):
        c.ring(x, y, radius + step * c.u, 0.3 * c.u, mix(card, glow, 0.5), alpha=alpha)
    for i, (step, angle) in enumerate(((13, 4.2), (27, 5.5), (43, 3.65))):
        turn = angle + dice.uniform(-0.35, 0.35)
        px, py = x + math.cos(turn) * (radius + step * c.u), y + math.sin(turn) * (radius + step * c.u)
        own = k.accents[i % 2]
        if i < len(k.others) and 0.08 * c.w < px < 0.92 * c.w and py > 0.1 * c.h:
            c.disc(px, py, c.u * 8.5, mix(card, glow, 0.2), mix(card, low, 0.7))
            c.motif(k.others[i], px, py, c.u * 10, against(mix(own, ink, 0.12), card), shadow=0.12)
        else:
            c.disc(px, py, c.u * (2.4 - 0.5 * i), mix(own, card, 0.4), own, mix(own, ink, 0.45))
    base = mix(rgb(k.palette.far), k.accents[-1], 0.25)
    c.disc(x, y, radius, mix(base, glow, 0.55), base, mix(base, ink, 0.35))
    c.disc(x, y + radius * 0.06, radius * 0.8, mix(base, glow, 0.7), mix(base, glow, 0.05), alpha=0.35)
    if k.hero:
        fill = against(k.accents[0], mix(base, glow, 0.25))
        c.motif(k.hero, x, y, c.u * 48, fill, plate=mix(ramp(k.palette, 0.95), fill, 0.25), shadow=0.5)
    _bokeh(c, k, dice, 6)
    return (0.2 if k.flipped else 0.8), 0.15


def _bokeh(c: Canvas, k: Look, dice: random.Random, count: int) -> None:
    light = mix(rgb(k.palette.glow), rgb(k.palette.card), 0.4)
    for _ in range(count):
        x, y = dice.random() * c.w, dice.uniform(0.35, 1.0) * c.h
        c.disc(x, y, c.u * dice.uniform(1.5, 6), light, alpha=dice.uniform(0.06, 0.16), soft=0.25)


def aurora(c: Canvas, k: Look, dice: random.Random) -> Point:
    """Flowing coloured light with veils, and tiles of frosted glass with the motifs."""
    top, middle, low = (rgb(one) for one in k.palette.sky)
    glow, card, ink, far = (rgb(one) for one in (k.palette.glow, k.palette.card, k.palette.ink, k.palette.far))
    warm, cool = mix(far, k.accents[0], 0.45), mix(middle, k.accents[-1], 0.4)
    rows = [[top, middle, low, cool], [top, middle, low, far], [top, middle, low, far, warm, cool], [far, warm, cool],
            [mix(one, ink, 0.18) for one in (far, warm, cool)]]  # fmt: skip
    c.mesh([[dice.choice(row) for _ in range(3)] for row in rows])
    for i in range(5):
        edge = line(dice, c.w, c.h * (0.5 + 0.11 * i), c.h * 0.1, bumps=1.3 + 0.25 * i)
        _veil(c, edge, mix(k.accents[1], glow, 0.45) if i % 2 else glow)
    if k.hero:
        x = c.w * ((0.28 if k.flipped else 0.72) if c.wide else (0.4 if k.flipped else 0.6))
        y, way = c.h * (0.53 if c.wide else 0.67), 1 if k.flipped else -1
        _glass(c, x, y, c.u * 25, k.hero, card)
        for other, ox, oy, half in zip(k.others, (37, 35), (17, -2), (10, 7.5), strict=False):
            _glass(c, x + way * ox * c.u, y + oy * c.u, half * c.u, other, card)
    _bokeh(c, k, dice, 7)
    return (0.2 if k.flipped else 0.8), 0.1


def _veil(c: Canvas, edge: Plane, colour: RGB) -> None:
    """A curtain of light that hangs from ``edge``."""
    over = np.arange((c.h + 3) // 4, dtype=np.float32)[:, None] - edge[None, ::4] / 4
    fall = np.exp(-np.maximum(over, 0) / (c.h * 0.055)) * np.clip(over / 1.5, 0, 1)
    c.tint(coverage(fall).resize((c.w, c.h), Image.Resampling.BICUBIC), 0, 0, colour, alpha=0.34)


def _glass(c: Canvas, x: float, y: float, half: float, icon: str, card: RGB) -> None:
    """A rounded tile of frosted glass (what is behind it, blurred and lighter, with a bright edge) and its motif."""
    left, top, side = round(x - half), round(y - half), round(2 * half)
    behind = c.image.crop((left, top, left + side, top + side))
    frost = behind.reduce(4).filter(ImageFilter.GaussianBlur(half / 24)).resize(behind.size, Image.Resampling.BILINEAR)
    mask = rounded(side, side, half * 0.42)
    c.shadow(mask, left, top, reach=2.2 * c.u, strength=0.35)
    c.image.paste(Image.blend(frost, Image.new("RGB", frost.size, card), 0.3), (left, top), mask)
    rim = ImageChops.subtract(mask, ImageChops.offset(mask, 0, max(1, round(c.u * 0.3))))
    c.tint(rim, left, top, card, alpha=0.9)
    c.motif(icon, x, y, half * 1.35, card, shadow=0.35)


def land(c: Canvas, k: Look, dice: random.Random) -> Point:
    """The place itself, soft with the distance, and the motif before it."""
    anything = lexicon.concepts()[0]  # a shot has a hero; the set is painted without it
    shot = Shot(
        set=k.place, mood=k.mood, palette=k.palette, hue_shift=0, camera="push", slow=False, layout="ground",
        particles="bokeh", hero=anything, companions=[], flipped=k.flipped, seed=k.seed,
    )  # fmt: skip
    scenery = painted(shot, (c.w * 6 // 10, c.h * 6 // 10))
    place = scenery.far.image
    place.alpha_composite(scenery.near.image)
    c.image = place.convert("RGB").resize((c.w, c.h), Image.Resampling.BICUBIC)
    if k.hero:
        # On the other side than the sun.
        x = c.w * ((0.72 if k.flipped else 0.28) if c.wide else (0.62 if k.flipped else 0.38))
        foot, size = c.h * dice.uniform(0.79, 0.85), c.u * 43
        spot = Image.new("L", (round(size * 0.62), round(size * 0.05)), 255)
        c.shadow(spot, x - size * 0.31, foot - size * 0.03, reach=c.u * 1.3, strength=0.55)
        fill = against(k.accents[0], rgb(k.palette.near))
        c.motif(k.hero, x, foot, size, fill, plate=mix(ramp(k.palette, 0.95), fill, 0.3), shadow=0.3, stands=True)
    return scenery.side, 0.25
