"""Sets with a floor: each draws a far layer and a near one with the ground."""

import math

from maquette.providers.clips.local.paint import Painting, mix
from maquette.providers.clips.local.scenery import WHITE, Scenery, rays, skyline


def studio(s: Scenery) -> None:
    """A cyclorama with large circles."""
    x = s.w * s.dice.uniform(0.42, 0.58)
    for radius, alpha in ((78, 0.16), (60, 0.18), (43, 0.24)):
        s.far.ellipse(x, s.h * 0.42, s.u * radius, s.u * radius, s.light, alpha=alpha)
    s.far.glow(x, s.h * 0.4, s.u * 60, s.light, strength=0.5)
    corner = 0.12 if s.shot.flipped else 0.88
    for i in range(6):
        for j in range(6):
            s.far.ellipse(
                s.w * corner + (i - 2.5) * s.u * 3.4,
                s.h * 0.16 + j * s.u * 3.4,
                s.u * 0.5,
                s.u * 0.5,
                WHITE,
                alpha=0.4,
            )
    s.far.ellipse(s.w * (1 - corner), s.h * 0.55, s.u * 15, s.u * 15, s.far_colour, s.near_colour, alpha=0.55)
    s.far.ellipse(s.w * corner, s.h * 0.6, s.u * 9, s.u * 9, s.near_colour, alpha=0.35)
    s.near.ellipse(
        s.w / 2, s.y + s.h * 0.3, s.w * 1.3, s.h * 0.3, mix(s.ground[0], s.light, 0.25), *s.ground, s.ground[-1]
    )


def table(s: Scenery) -> None:
    """A room with a window, a shelf and a table."""
    s.far.glow(s.side * s.w, s.h * 0.24, s.u * 85, s.light, strength=0.8)
    pane = mix(s.sky[2], WHITE, 0.45)
    x, y, wide, tall = s.side * s.w, s.h * 0.27, s.u * 25, s.u * 40
    s.far.box(
        x - wide - s.u * 2,
        y - tall - s.u * 2,
        x + wide + s.u * 2,
        y + tall + s.u * 2,
        mix(s.tone(0.4), s.ink, 0.12),
        radius=s.u * 3,
    )
    s.far.box(x - wide, y - tall, x + wide, y + tall, mix(s.sky[0], pane, 0.55), pane, s.light, radius=s.u * 2)
    s.far.ellipse(x - wide * 0.2, y + tall * 0.35, s.u * 6, s.u * 6, WHITE, s.light, alpha=0.8)
    bar = mix(s.tone(0.4), s.ink, 0.12)
    s.far.box(x - s.u * 0.8, y - tall, x + s.u * 0.8, y + tall, bar)
    s.far.box(x - wide, y - s.u * 0.8, x + wide, y + s.u * 0.8, bar)
    rays(s)
    shelf = s.w * (1 - s.side)
    level = s.h * 0.24
    s.far.box(shelf - s.u * 27, level, shelf + s.u * 27, level + s.u * 2.2, mix(s.tone(0.9), s.ink, 0.1), radius=s.u)
    s.far.box(shelf - s.u * 25, level + s.u * 2.2, shelf + s.u * 25, level + s.u * 4.4, s.ink, alpha=0.08)
    for icon, dx, size in (("bottle-tonic", -17, 15), ("kettle", -1, 14), ("flower-tulip", 16, 18)):
        s.far.picture(
            icon,
            shelf + dx * s.u,
            level - size * s.u * 0.43,
            size * s.u,
            mix(s.tone(0.6), s.light, 0.1),
            mix(s.tone(0.9), s.ink, 0.06),
        )
    s.floor(lip=s.u * 3.2)


def office(s: Scenery) -> None:
    """A desk before a large window over the city."""
    frame = mix(s.tone(0.5), s.ink, 0.15)
    x0, x1, y0, y1 = s.w * 0.1, s.w * 0.9, s.h * 0.09, s.h * 0.54
    s.far.wash([mix(s.sky[1], s.sky[2], 0.3), s.sky[1], mix(s.sky[1], s.far_colour, 0.4)])
    inside = Painting((s.w, s.h))
    wall, s.far = s.far, inside
    inside.wash([*s.sky, s.sky[2]])
    s.sun(0.24, 7)
    skyline(s, s.h * 0.56, s.h * 0.26, mix(s.far_colour, s.sky[2], 0.45), windows=0)
    skyline(s, s.h * 0.56, s.h * 0.18, s.far_colour, windows=0.22)
    view = inside.image.crop((round(x0), round(y0), round(x1), round(y1)))
    s.far = wall
    s.far.box(x0 - s.u * 1.6, y0 - s.u * 1.6, x1 + s.u * 1.6, y1 + s.u * 1.6, frame, radius=s.u * 1.5)
    s.far.image.alpha_composite(view, (round(x0), round(y0)))
    for share in (1 / 3, 2 / 3):
        x = x0 + (x1 - x0) * share
        s.far.box(x - s.u * 0.7, y0, x + s.u * 0.7, y1, frame)
    plant = s.w * (0.9 if s.shot.flipped else 0.1)
    s.far.picture("sprout", plant, s.y - s.u * 16, s.u * 26, mix(s.near_colour, (60, 160, 110), 0.5), s.near_colour)
    rays(s)
    s.floor(lip=s.u * 3)


def grid(s: Scenery) -> None:
    """A digital plain of light."""
    s.far.glow(s.w / 2, s.y, s.u * 80, s.light, strength=0.75)
    s.far.glow(s.w * s.side, s.h * 0.2, s.u * 45, s.sky[2], strength=0.5)
    for _ in range(16):
        x, y = s.w * s.dice.random(), s.h * s.dice.uniform(0.06, 0.55)
        long, drop = s.u * s.dice.uniform(8, 22), s.u * s.dice.choice([-9, 9, 0])
        s.far.polygon([(x, y), (x + long, y), (x + long, y + s.u * 0.4), (x, y + s.u * 0.4)], s.light, alpha=0.3)
        s.far.ellipse(x, y + s.u * 0.2, s.u * 0.9, s.u * 0.9, s.light, alpha=0.55)
        end = y + drop
        s.far.box(x + long - s.u * 0.4, min(y, end), x + long, max(y, end), s.light, alpha=0.3)
    s.floor(lip=s.u * 0.7)
    for i in range(-9, 10):
        x0, x1 = s.w / 2 + i * s.u * 9, s.w / 2 + i * s.u * 34
        s.near.polygon(
            [(x0, s.y), (x0 + s.u * 0.3, s.y), (x1 + s.u * 0.8, s.h), (x1, s.h)], s.light, s.light, alpha=0.22
        )
    for i in range(1, 8):
        y = s.y + (s.h - s.y) * (i / 8) ** 1.9
        s.near.box(-9, y, s.w + 9, y + s.u * (0.15 + 0.06 * i), s.light, alpha=0.2)


def lab(s: Scenery) -> None:
    """A bench under a shelf of glassware."""
    s.far.glow(s.side * s.w, s.h * 0.25, s.u * 75, s.light, strength=0.65)
    for _ in range(14):
        x, y, r = s.w * s.dice.random(), s.h * s.dice.uniform(0.05, 0.52), s.u * s.dice.uniform(4, 11)
        s.far.polygon(
            [(x + r * math.cos(k * math.pi / 3), y + r * math.sin(k * math.pi / 3)) for k in range(6)],
            s.dice.choice([s.light, s.far_colour]),
            alpha=s.dice.uniform(0.1, 0.3),
        )
    shelf = s.h * 0.22
    s.far.box(s.w * 0.06, shelf, s.w * 0.94, shelf + s.u * 1.8, s.tone(0.8), radius=s.u * 0.9)
    for i, icon in enumerate(["flask-round-bottom", "test-tube", "beaker", "bottle-tonic-plus", "flask"]):
        size = s.u * (14 + 2 * (i % 2))
        s.far.picture(
            icon, s.w * (0.15 + 0.175 * i), shelf - size * 0.42, size, mix(s.tone(0.6), s.light, 0.25), s.tone(0.9)
        )
    s.floor(lip=s.u * 2.6)


def stage(s: Scenery) -> None:
    """Curtains and spotlights."""
    s.far.wash([mix(s.sky[0], s.ink, 0.35), s.sky[0], s.sky[1]])
    for x, lean in ((0.12, 0.3), (0.5, 0.0), (0.88, -0.3)):
        top, foot = s.w * x, s.w * (x + lean)
        for wide, alpha in ((24, 0.13), (15, 0.16)):
            s.far.polygon(
                [
                    (top - s.u * 1.5, 0),
                    (top + s.u * 1.5, 0),
                    (foot + s.u * wide, s.y + s.u * 4),
                    (foot - s.u * wide, s.y + s.u * 4),
                ],
                s.light,
                alpha=alpha,
            )
        s.far.ellipse(top, s.u * 5, s.u * 2.6, s.u * 2.6, WHITE, s.light)
        s.far.glow(top, s.u * 5, s.u * 16, s.light, strength=0.8)
    for edge, way in ((0.0, 1), (float(s.w), -1)):
        for i in range(3):
            x = edge + way * s.u * (i * 5 - 2)
            s.far.polygon(
                [(x, 0), (x + way * s.u * 6, 0), (x + way * s.u * (4.5 - i * 0.4), s.y), (x, s.y)],
                mix(s.near_colour, s.light, 0.16 - i * 0.04),
                s.near_colour,
            )
    s.floor(lip=s.u * 1.6)
    s.near.ellipse(s.w / 2, s.y + s.h * 0.06, s.w * 0.42, s.h * 0.045, s.light, alpha=0.32)
