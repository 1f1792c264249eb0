"""A set being painted: its colours, its two layers and the things that several sets share."""

import math
import random
from typing import Final

from maquette.providers.clips.local.paint import RGB, Painting, Point, mix, rgb
from maquette.providers.clips.local.shot import Shot

HORIZON: Final = 0.64  # of the world's height: where the ground begins
GROUND_FROM: Final = 0.74  # of the frame's height: below, the near layer hides the far one wherever the camera is
WHITE: Final = (255, 255, 255)


class Scenery:
    """A world being painted: two layers of one size, larger than the frame by the camera's margin."""

    def __init__(self, shot: Shot, size: tuple[int, int]) -> None:
        self.w, self.h = size
        self.u = min(size) / 100
        self.dice = random.Random(shot.seed)
        self.shot = shot
        colours = shot.palette
        self.sky: tuple[RGB, ...] = tuple(self._rgb(c) for c in colours.sky)
        self.far_colour, self.near_colour = self._rgb(colours.far), self._rgb(colours.near)
        self.ground: tuple[RGB, ...] = tuple(self._rgb(c) for c in colours.ground)
        self.light, self.card, self.ink = rgb(colours.glow), rgb(colours.card), rgb(colours.ink)
        self.far, self.near = Painting(size), Painting(size)
        self.far.wash([*self.sky, self.sky[-1]])
        self.y = HORIZON * self.h
        # Light and landmarks stand on one side, by the seed.
        self.side = 0.24 if shot.flipped else 0.76

    def _rgb(self, colour: str) -> RGB:
        return rgb(colour, hue=self.shot.hue_shift)

    def stand(self, x: float, y: float, size: float) -> None:
        """What a hero of ``size`` pixels at (x, y) is set against: a disc, an arch, a tile or a halo."""
        light, deep = mix(self.card, self.light, 0.3), mix(self.light, self.far_colour, 0.35)
        u, far = size / 100, self.far
        match self.shot.layout:
            case "disc":
                far.ellipse(x, y, u * 92, u * 92, self.card, alpha=0.16)
                far.ellipse(x, y, u * 80, u * 80, self.card, alpha=0.28)
                far.ellipse(x, y, u * 67, u * 67, light, deep)
            case "arch":
                far.box(x - u * 68, y - u * 82, x + u * 68, self.h, self.card, deep, radius=u * 68, alpha=0.5)
                far.box(x - u * 56, y - u * 68, x + u * 56, self.h, light, deep, radius=u * 56, alpha=0.95)
            case "tiles":
                far.glow(x, y + u * 10, u * 105, self.ink, strength=0.4)
                far.box(
                    x - u * 67, y - u * 67, x + u * 67, y + u * 67, self.card, mix(self.card, deep, 0.5), radius=u * 31
                )
                top, low = mix(self.far_colour, self.light, 0.3), mix(self.near_colour, self.far_colour, 0.35)
                far.box(x - u * 61, y - u * 61, x + u * 61, y + u * 61, top, low, radius=u * 26)
            case "ground":
                for radius, alpha in ((98, 0.18), (80, 0.22), (62, 0.3)):
                    far.ellipse(x, y, u * radius, u * radius, self.light, alpha=alpha)

    def ridge(self, base: float, height: float, *, bumps: float, rough: float = 0.3) -> list[Point]:
        """A rolling line across the world, closed at its bottom; sums of sines from the seed."""
        a, b = self.dice.uniform(0, 6.28), self.dice.uniform(0, 6.28)
        points: list[Point] = []
        for i in range(65):
            s = i / 64 * math.tau
            wave = math.sin(s * bumps * 0.5 + a) * (1 - rough) + math.sin(s * bumps * 1.3 + b) * rough
            points.append((i / 64 * self.w, base - height * (0.5 + 0.5 * wave)))
        return [*points, (self.w, self.h), (0, self.h)]

    def floor(self, *, lip: float = 0.0) -> None:
        """Flat ground from the horizon down; with ``lip`` it has a bright front edge, like a table."""
        top = mix(self.ground[0], self.light, 0.18)
        self.near.box(-9, self.y, self.w + 9, self.h + 9, top, self.ground[0], *self.ground[1:])
        pool = mix(self.ground[0], self.light, 0.5)
        self.near.ellipse(self.w / 2, self.y + self.h * 0.075, self.w * 0.44, self.h * 0.05, pool, alpha=0.10)
        self.near.ellipse(self.w / 2, self.y + self.h * 0.07, self.w * 0.3, self.h * 0.032, pool, alpha=0.12)
        if lip:
            edge = self.y + lip
            self.near.box(-9, self.y, self.w + 9, edge, mix(top, self.light, 0.35), mix(top, self.light, 0.12))
            self.near.box(-9, edge, self.w + 9, edge + self.u * 1.6, self.ink, alpha=0.16)

    def sun(self, y: float = 0.3, size: float = 9) -> None:
        """A disc with its light; at night it is the moon."""
        x, at = self.side * self.w, y * self.h
        for radius, strength in ((60, 0.35), (34, 0.5), (20, 0.6)):
            self.far.glow(x, at, self.u * radius, self.light, strength=strength)
        self.far.ellipse(x, at, self.u * size, self.u * size, WHITE, self.light, alpha=0.95)

    def clouds(self, count: int, *, alpha: float = 0.5) -> None:
        """Flat-bottomed clouds, each one shape."""
        for i in range(count):
            size = self.u * self.dice.uniform(4, 7.5)
            x, y = (i + self.dice.random()) / count * self.w, self.dice.uniform(0.09, 0.3) * self.h
            sheet = Painting((round(size * 6), round(size * 3)))
            for dx, dy, r in ((-1.3, 0.25, 0.6), (-0.35, -0.2, 1.0), (0.75, 0.0, 0.8), (1.5, 0.35, 0.5)):
                sheet.ellipse((3 + dx) * size, (1.6 + dy) * size, r * size, r * size, WHITE)
            sheet.box(1.0 * size, 1.75 * size, 5.1 * size, 2.45 * size, WHITE, radius=0.35 * size)
            shade = sheet.image.getchannel("A").point(lambda v: round(v * alpha))
            self.far.lay(shade, round(x - 3 * size), round(y - 1.5 * size), (WHITE, mix(WHITE, self.sky[1], 0.6)))

    def stars(self, count: int) -> None:
        """Small lights in the upper part."""
        for _ in range(count):
            x, y = self.dice.uniform(0, self.w), self.dice.uniform(0, HORIZON) * self.h
            r = self.u * self.dice.choice([0.12, 0.16, 0.22, 0.34])
            self.far.ellipse(x, y, r, r, WHITE, alpha=self.dice.uniform(0.3, 0.95))

    def tone(self, share: float) -> RGB:
        """A wall's own colour, a little darker or lighter: for things that should stay in the background."""
        return mix(self.sky[1], self.far_colour, share)


def skyline(s: Scenery, base: float, height: float, colour: RGB, *, windows: float) -> None:
    x = -s.u * s.dice.uniform(0, 8)
    lit = mix(s.light, (255, 214, 140), 0.5)
    while x < s.w:
        wide = s.u * s.dice.uniform(8, 17)
        tall = height * s.dice.uniform(0.35, 1.0)
        top = base - tall
        s.far.box(x, top, x + wide, base + s.u * 8, mix(colour, s.sky[2], 0.18), colour, radius=s.u * 0.6)
        if s.dice.random() < 0.3:
            s.far.box(x + wide * 0.46, top - s.u * 5, x + wide * 0.54, top, colour)
        if windows:
            columns = max(2, int(wide / (s.u * 3)))
            step = wide / (columns + 0.4)
            for row in range(int(tall / (s.u * 4))):
                for column in range(columns):
                    if s.dice.random() < windows:
                        wx, wy = x + step * (column + 0.45), top + s.u * (2.4 + row * 4)
                        s.far.box(wx, wy, wx + step * 0.5, wy + s.u * 1.8, lit, alpha=s.dice.uniform(0.35, 0.9))
        x += wide + s.u * s.dice.uniform(0.4, 2)


def rays(s: Scenery) -> None:
    """Slanted light from a window outside of the picture."""
    reach = s.w * 0.55
    start = 0.0 if s.shot.flipped else s.w
    way = 1 if s.shot.flipped else -1
    for offset, wide in ((0.05, 0.16), (0.27, 0.09), (0.42, 0.2)):
        top, low = s.h * (offset - 0.2), s.h * (offset + 0.28)
        s.far.polygon(
            [
                (start, top),
                (start, top + s.h * wide),
                (start + way * reach * 2, low + s.h * (wide + 0.3)),
                (start + way * reach * 2, low + s.h * 0.22),
            ],
            s.light,
            alpha=0.16,
        )
