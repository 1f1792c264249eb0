"""A shot in motion: the set, the pictograms and the particles, frame by frame."""

import math
import random
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from maquette.providers.clips.local.backdrops import painted
from maquette.providers.clips.local.canvas import Dot, Frame, Layer
from maquette.providers.clips.local.paint import Painting, mix, pictogram, rgb, sticker
from maquette.providers.clips.local.scenery import GROUND_FROM, HORIZON
from maquette.providers.clips.local.shot import Shot, tint

FPS: Final = 30
_MARGIN: Final = 1.16  # the world is larger than the frame, for the camera to travel in
_ENTER_S: Final = 0.6


def ease(t: float) -> float:
    """Slow, fast, slow; clamped to 0..1."""
    t = min(1.0, max(0.0, t))
    return t * t * (3 - 2 * t)


def _arrive(t: float) -> float:
    """0..1 with a small overshoot, as things have that come to rest."""
    t = min(1.0, max(0.0, t)) - 1
    return 1 + t * t * (2.4 * t + 1.4)


class Companion:
    """A smaller pictogram: where it rests (around the hero, in hero sizes), and how it moves there."""

    def __init__(
        self, layer: Layer, x: float, y: float, *, depth: float, phase: float, delay_s: float, orbit: bool
    ) -> None:
        self.layer, self.x, self.y = layer, x, y
        self.depth, self.phase, self.delay_s, self.orbit = depth, phase, delay_s, orbit


class Scene:
    """All layers of a shot, drawn once; ``frames`` composes them."""

    def __init__(self, shot: Shot, size: tuple[int, int], *, seconds: int) -> None:
        self.shot, self.size, self.seconds = shot, size, seconds
        self.dice = random.Random(shot.seed + 1)
        width, height = size
        world = (round(width * _MARGIN) & ~1, round(height * _MARGIN) & ~1)
        self.scenery = painted(shot, world)
        self.world = world
        self.hero_px = round(min(width * 0.54, height * 0.32)) & ~3
        self.ground_y = height * (0.5 + (HORIZON - 0.5) * _MARGIN)
        standing = shot.layout in ("ground", "arch")
        self.x = width * 0.5
        self.y = self.ground_y - self.hero_px * 0.44 if standing else height * 0.395
        # The near layer's first row that anything stands on, less what the camera may move it.
        first = (self.scenery.near.image.getbbox() or (0, 0, 0, 0))[1] / world[1]
        self.near_top = round(height * ((first - 0.5) * _MARGIN + 0.5 - 0.055)) & ~1
        self.hero = self._sticker(shot.hero.icon, shot.hero.tint, self.hero_px)
        centre = (world[0] - width) / 2, (world[1] - height) / 2
        self.scenery.stand(self.x + centre[0], self.y + centre[1], self.hero_px)
        self.far, self.near = Layer(self.scenery.far.image, opaque=True), Layer(self.scenery.near.image)
        self.shadow = Layer(self._contact()) if standing else None
        self.companions = self._companions()
        self.particles = _Particles(shot, size)
        self.vignette = _vignette(size)

    def _sticker(self, icon: str, colour: str, size: int) -> Layer:
        top, low = (rgb(c) for c in tint(colour))
        pale = colour in ("white",)
        rim = mix(self.scenery.near_colour, self.scenery.ink, 0.25) if pale else self.scenery.card
        return Layer(sticker(icon, size, fill=(top, low), rim=rim, shadow=self.scenery.ink))

    def _contact(self) -> Image.Image:
        wide, tall = round(self.hero_px * 1.1) & ~3, round(self.hero_px * 0.2) & ~3
        shade = Painting((wide, tall))
        shade.ellipse(wide / 2, tall / 2, wide * 0.34, tall * 0.22, self.scenery.ink, alpha=0.55)
        return shade.image.filter(ImageFilter.GaussianBlur(tall * 0.1))

    def _companions(self) -> list[Companion]:
        cast, found = self.shot.companions, []
        count = len(cast)
        same = count >= 2 and len({c.icon for c in cast}) == 1
        layers: dict[tuple[str, int], Layer] = {}
        grounded = self.shot.layout in ("ground", "arch")
        size = round(self.hero_px * (0.3 if count > 5 else 0.36 if grounded and count <= 2 else 0.42)) & ~3
        wide = 0.70 if self.size[0] <= self.size[1] else 1.05
        for i, concept in enumerate(cast):
            own = size if same or i % 2 == 0 else round(size * 0.84) & ~3
            key = (concept.icon, own)
            if key not in layers:
                layers[key] = self._sticker(concept.icon, concept.tint, own)
            if grounded and count <= 2:
                x, y = (-0.71 if (i == 0) != self.shot.flipped else 0.71), 0.44 - own / self.hero_px * 0.47
                orbit = False
            else:
                # On an arc over the hero; a full ring where there are many.
                spread = (
                    math.tau * (count - 1) / count
                    if count > 4 and not grounded
                    else math.pi * (0.76 if count == 3 else min(1.0, 0.24 * count))
                )
                step = spread / max(1, count - 1)
                turn = -math.pi / 2 + (i * step - spread / 2 if count > 1 else (0.7 if self.shot.flipped else -0.7))
                x, y = math.cos(turn) * wide, math.sin(turn) * (0.86 if self.size[1] > self.size[0] else 0.7)
                orbit = True
            found.append(
                Companion(
                    layers[key],
                    x,
                    y,
                    depth=1.12 + 0.12 * (i % 3),
                    phase=self.dice.uniform(0, math.tau),
                    delay_s=0.10 + 0.07 * i,
                    orbit=orbit,
                )
            )
        return found

    def view(self, t: float) -> tuple[float, float, float]:
        """Where the camera is at ``t`` seconds: zoom (1 is the frame) and shift in pixels."""
        p = ease(t / self.seconds) * 0.75 + 0.25 * t / self.seconds  # never quite at rest
        reach = 0.6 if self.shot.slow else 1.0
        way = -1 if self.shot.flipped else 1
        width, height = self.size
        match self.shot.camera:
            case "push":
                return 1.0 + 0.10 * reach * p, way * width * 0.012 * (p - 0.5), -height * 0.012 * p
            case "pull":
                return 1.10 - 0.10 * reach * p, -way * width * 0.012 * (p - 0.5), -height * 0.012 * (1 - p)
            case "track":
                return 1.03, way * width * 0.10 * reach * (p - 0.5), 0.0
            case "rise":
                return 1.02 + 0.03 * p, way * width * 0.01 * (p - 0.5), height * 0.045 * reach * (0.5 - p)

    def frames(self) -> Iterator[bytes]:
        """All frames in order, yuv420p."""
        frame = Frame(self.size)
        for number in range(self.seconds * FPS):
            self._compose(frame, number / FPS)
            yield frame.data()

    def _window(self, depth: float, t: float) -> tuple[float, float, float, float]:
        zoom, dx, dy = self.view(t)
        zoom = 1 + (zoom - 1) * depth
        width, height = self.size[0] / zoom, self.size[1] / zoom
        x, y = self.world[0] / 2 + dx * depth, self.world[1] / 2 + dy * depth
        x = min(max(x, width / 2), self.world[0] - width / 2)
        y = min(max(y, height / 2), self.world[1] - height / 2)
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2

    def _compose(self, frame: Frame, t: float) -> None:
        width, height = self.size
        seam = round(height * GROUND_FROM) & ~1
        frame.backdrop(self.far, view=self._window(0.55, t), rows=(0, seam))
        near = self._window(0.9, t)
        frame.backdrop(self.near, view=near, rows=(self.near_top, seam))
        frame.backdrop(self.near, view=near, rows=(seam, height), solid=True)
        zoom, dx, dy = self.view(t)
        pace = 0.6 if self.shot.slow else 1.0
        arrived = _arrive((t + 0.2) / (_ENTER_S + 0.2))
        settle = 0.86 + 0.14 * arrived

        def spot(x: float, y: float, depth: float) -> tuple[float, float]:
            scale = 1 + (zoom - 1) * depth
            return (
                width / 2 + (x - width / 2 - dx * depth) * scale,
                height * 0.5 + (y - height * 0.5 - dy * depth) * scale,
            )

        standing = self.shadow is not None
        self.particles.lay(frame, t * pace, behind=True)
        bob = 0.0 if standing else math.sin(t * 1.7 * pace) * self.hero_px * 0.018
        if self.shadow is not None:
            sx, sy = spot(self.x, self.ground_y + self.hero_px * 0.02, 1.0)
            frame.place(self.shadow, sx, sy, scale=zoom * settle)
        hx, hy = spot(self.x, self.y + bob, 1.0)
        hy += (1 - settle) * self.hero_px * 0.4 if standing else 0
        frame.place(self.hero, hx, hy, scale=zoom * settle * (1 + 0.012 * math.sin(t * 1.4 * pace)))
        for one in self.companions:
            here = _arrive((t - one.delay_s + 0.25) / _ENTER_S)
            reach = self.hero_px * (0.75 + 0.25 * here)
            drift = math.sin(t * 1.3 * pace + one.phase)
            turn = 0.10 * math.sin(t * 0.5 * pace) if one.orbit else 0.0
            ox = one.x * math.cos(turn) - one.y * math.sin(turn)
            oy = one.x * math.sin(turn) + one.y * math.cos(turn)
            px, py = spot(
                self.x + ox * reach, self.y + oy * reach + (drift * self.hero_px * 0.03 if one.orbit else 0), one.depth
            )
            frame.place(
                one.layer,
                px,
                py,
                scale=zoom * (0.55 + 0.45 * here),
                angle=drift * 0.09 if one.orbit else 0.0,
                opacity=min(1.0, 0.3 + 0.7 * here),
            )
        self.particles.lay(frame, t * pace, behind=False)
        frame.y = ImageChops.multiply(frame.y, self.vignette)


def _vignette(size: tuple[int, int]) -> Image.Image:
    x, y = np.linspace(-1, 1, size[0])[None, :], np.linspace(-1, 1, size[1])[:, None]
    fall = np.clip(1.06 - 0.16 * (x**2 + y**2) ** 1.2, 0, 1)
    grain = np.random.default_rng(11).normal(0, 0.006, (size[1], size[0]))
    return Image.fromarray(((fall + grain) * 255).clip(0, 255).astype(np.uint8))


class _Particles:
    """What hangs in the air, by the mood. All of it is a function of time and the seed."""

    def __init__(self, shot: Shot, size: tuple[int, int]) -> None:
        self.kind, self.size = shot.particles, size
        self.unit = min(size) / 100
        dice = random.Random(shot.seed + 2)
        light, card = rgb(shot.palette.glow), rgb(shot.palette.card)
        gay = [rgb(tint(name)[0]) for name in ("yellow", "pink", "teal", "orange", "violet")]
        count = {"stars": 16, "bokeh": 12, "snow": 26, "confetti": 22, "leaves": 9, "bubbles": 14, "mist": 5}.get(
            self.kind, 14
        )
        self.dots: list[tuple[Dot, float, float, float, float]] = []
        shapes = {
            "bokeh": _ball(round(self.unit * 9) & ~1, soft=0.22),
            "mist": _ball(round(self.unit * 44) & ~1, soft=1.0),
            "bubbles": _ring(round(self.unit * 5) & ~1),
            "stars": pictogram("star-four-points", round(self.unit * 4) & ~1),
            "leaves": pictogram("leaf", round(self.unit * 6) & ~1),
            "snow": _ball(round(self.unit * 3) & ~1, soft=0.5),
            "data": pictogram("plus", round(self.unit * 3) & ~1),
            "embers": _ball(round(self.unit * 2.4) & ~1, soft=0.6),
            "confetti": pictogram("square-rounded", round(self.unit * 3.4) & ~1),
        }
        palette = {
            "confetti": gay,
            "leaves": [rgb(tint("green")[0]), rgb(tint("green")[1]), rgb(tint("yellow")[0])],
            "embers": [rgb(tint("orange")[0])],
        }.get(self.kind, [light, card])
        made = [Dot(shapes[self.kind], colour) for colour in palette]
        for _ in range(count):
            self.dots.append(
                (dice.choice(made), dice.random(), dice.random(), dice.uniform(0.5, 1.0), dice.uniform(0, math.tau))
            )

    def lay(self, frame: Frame, t: float, *, behind: bool) -> None:
        """Half of them hang behind the hero, half before."""
        width, height = self.size
        rise = {"snow": 0.05, "leaves": 0.05, "confetti": 0.06, "stars": 0.0, "mist": 0.0}.get(self.kind, -0.03)
        strength = {"bokeh": 0.34, "mist": 0.12, "data": 0.5, "bubbles": 0.7}.get(self.kind, 0.85)
        for i, (dot, x, y, size, phase) in enumerate(self.dots):
            if (i % 2 == 0) != behind and self.kind != "mist":
                continue
            # The lower third belongs to the captions: nothing moves there.
            px = (x + (0.02 * t if self.kind == "mist" else 0.015 * math.sin(t * 0.8 + phase))) % 1.0 * width
            level = (y + rise * t * (0.5 + size)) % 1.0
            fade = min(1.0, level * 8, (1 - level) * 5)
            if self.kind == "bokeh" and not behind:
                fade *= 0.5
            beat = 0.6 + 0.4 * math.sin(t * 2.1 + phase) if self.kind in ("stars", "embers", "data") else 1.0
            frame.dab(dot, px, level * height * 0.64, scale=size, opacity=max(0.0, strength * fade * beat))


def _ball(side: int, *, soft: float) -> Image.Image:
    axis = np.linspace(-1, 1, side)
    far = np.hypot(axis[:, None], axis[None, :])
    return Image.fromarray((np.clip((1 - far) / max(soft, 0.01), 0, 1) * 255).astype(np.uint8))


def _ring(side: int) -> Image.Image:
    big = Image.new("L", (side * 4, side * 4))
    draw = ImageDraw.Draw(big)
    draw.ellipse((4, 4, side * 4 - 5, side * 4 - 5), outline=220, width=max(3, side // 3), fill=60)
    draw.ellipse((side * 0.9, side * 0.8, side * 1.7, side * 1.6), fill=255)
    return big.reduce(4)
