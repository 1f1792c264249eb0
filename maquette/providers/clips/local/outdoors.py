"""Sets under the sky: each draws a far layer and a near one with the ground."""

from maquette.providers.clips.local.paint import mix
from maquette.providers.clips.local.scenery import WHITE, Scenery, skyline


def hills(s: Scenery) -> None:
    """Rolling country with a path."""
    s.sun(0.4 if s.shot.mood == "sunset" else 0.22, 11 if s.shot.mood == "sunset" else 8)
    if s.shot.mood == "night":
        s.stars(70)
    s.clouds(4, alpha=0.2 if s.shot.mood == "night" else 0.55)
    s.far.polygon(
        s.ridge(s.h * 0.56, s.h * 0.1, bumps=3), mix(s.far_colour, s.sky[2], 0.62), mix(s.far_colour, s.sky[2], 0.4)
    )
    s.far.polygon(s.ridge(s.h * 0.6, s.h * 0.08, bumps=4), mix(s.far_colour, s.sky[2], 0.3), s.far_colour)
    for _ in range(9):
        x, size = s.dice.uniform(0, s.w), s.u * s.dice.uniform(9, 17)
        shade = s.dice.uniform(0.1, 0.5)
        s.far.picture(
            s.dice.choice(["tree", "pine-tree", "tree"]),
            x,
            s.h * 0.6 - size * 0.3,
            size,
            mix(s.far_colour, s.light, shade * 0.3),
            mix(s.near_colour, s.far_colour, 0.4),
        )
    s.near.polygon(
        s.ridge(s.h * 0.635, s.h * 0.04, bumps=2.5),
        mix(s.near_colour, s.light, 0.2),
        s.near_colour,
        *s.ground,
        s.ground[-1],
    )
    bend = s.dice.uniform(-0.12, 0.12)
    s.near.polygon(
        [(s.w * (0.49 + bend), s.h * 0.635), (s.w * (0.53 + bend), s.h * 0.635), (s.w * 0.8, s.h), (s.w * 0.2, s.h)],
        mix(s.ground[0], s.light, 0.5),
        mix(s.ground[1], s.light, 0.08),
        s.ground[1],
        alpha=0.55,
    )
    for _ in range(16):
        x, y = s.dice.uniform(0, s.w), s.dice.uniform(0.655, 0.72) * s.h
        if abs(x / s.w - 0.5) > 0.2:
            s.near.picture("grass", x, y, s.u * s.dice.uniform(4, 7), mix(s.near_colour, s.light, 0.25), s.near_colour)


def mountain(s: Scenery) -> None:
    """Peaks with snow, and firs."""
    s.sun(0.22, 7)
    s.clouds(3, alpha=0.4)
    for depth in range(3):
        base, shade = s.h * (0.6 + 0.02 * depth), 0.62 - depth * 0.27
        colour = mix(s.far_colour, s.sky[2], shade)
        x = -s.w * s.dice.uniform(0.1, 0.3)
        while x < s.w:
            wide, tall = s.w * s.dice.uniform(0.5, 0.85), s.h * s.dice.uniform(0.16, 0.3) * (1 - depth * 0.22)
            peak = x + wide * s.dice.uniform(0.42, 0.58)
            s.far.polygon([(x, base), (peak, base - tall), (x + wide, base)], mix(colour, s.light, 0.12), colour)
            s.far.polygon([(peak, base - tall), (x + wide, base), (peak + wide * 0.06, base)], s.ink, alpha=0.12)
            cap = 0.3
            s.far.polygon(
                [
                    (peak - (peak - x) * cap, base - tall * (1 - cap)),
                    (peak, base - tall),
                    (peak + (x + wide - peak) * cap, base - tall * (1 - cap)),
                    (peak + wide * 0.04, base - tall * (1 - cap * 0.62)),
                    (peak - wide * 0.03, base - tall * (1 - cap * 1.25)),
                ],
                WHITE,
                mix(WHITE, colour, 0.15),
                alpha=0.9,
            )
            x += wide * 0.6
    s.near.polygon(
        s.ridge(s.h * 0.64, s.h * 0.03, bumps=3), mix(s.near_colour, s.light, 0.15), s.near_colour, *s.ground
    )
    for _ in range(10):
        x, size = s.dice.uniform(0, s.w), s.u * s.dice.uniform(10, 15)
        if abs(x / s.w - 0.5) > 0.22:
            s.near.picture(
                "pine-tree", x, s.h * 0.645 - size * 0.3, size, mix(s.near_colour, s.ground[0], 0.4), s.ground[1]
            )


def city(s: Scenery) -> None:
    """A skyline behind a street."""
    s.sun(0.25, 8)
    if s.shot.mood == "night":
        s.stars(40)
    s.clouds(3, alpha=0.35)
    glow = 0.55 if s.shot.mood in ("night", "sunset", "drama", "tech") else 0.28
    skyline(s, s.h * 0.6, s.h * 0.36, mix(s.far_colour, s.sky[2], 0.55), windows=0)
    skyline(s, s.h * 0.61, s.h * 0.27, mix(s.far_colour, s.sky[2], 0.2), windows=glow * 0.6)
    skyline(s, s.h * 0.62, s.h * 0.15, mix(s.near_colour, s.far_colour, 0.5), windows=glow)
    s.floor(lip=s.u * 2.4)
    for i in range(-1, 7):
        s.near.polygon(
            [
                (s.w * (0.06 + i * 0.2), s.h * 0.7),
                (s.w * (0.15 + i * 0.2), s.h * 0.7),
                (s.w * (0.14 + i * 0.2), s.h * 0.708),
                (s.w * (0.05 + i * 0.2), s.h * 0.708),
            ],
            s.light,
            alpha=0.28,
        )


def sea(s: Scenery) -> None:
    """Waves under a low sun."""
    s.sun(0.4, 12)
    s.clouds(5, alpha=0.45)
    level = s.h * 0.5
    s.far.box(-9, level, s.w + 9, s.h + 9, mix(s.sky[2], s.far_colour, 0.55), s.far_colour, s.near_colour)
    for i in range(9):
        wide = s.u * (24 - i * 1.8) * s.dice.uniform(0.7, 1.1)
        y = level + s.u * (1.5 + i * 2.4)
        s.far.box(s.side * s.w - wide, y, s.side * s.w + wide, y + s.u * 0.9, s.light, radius=s.u * 0.45, alpha=0.4)
    for i in range(3):
        colour = mix(s.far_colour, s.near_colour, 0.35 + 0.3 * i)
        layer = s.far if i < 2 else s.near
        layer.polygon(
            s.ridge(s.h * (0.585 + 0.03 * i), s.h * 0.018, bumps=9 - i * 2, rough=0.15),
            mix(colour, s.light, 0.4),
            colour,
            *(s.ground if i == 2 else (colour,)),
            s.ground[-1],
        )


def desert(s: Scenery) -> None:
    """Dunes and cactuses."""
    s.sun(0.26, 10)
    sand = mix(s.far_colour, (240, 190, 110), 0.5)
    s.far.polygon(s.ridge(s.h * 0.58, s.h * 0.09, bumps=2), mix(sand, s.sky[2], 0.5), sand)
    s.far.polygon(s.ridge(s.h * 0.61, s.h * 0.07, bumps=3), mix(sand, s.sky[2], 0.2), mix(sand, s.near_colour, 0.4))
    for x in (0.08, 0.9):
        s.far.picture("cactus", s.w * x, s.h * 0.585, s.u * 17, mix(s.near_colour, (70, 150, 90), 0.6), s.near_colour)
    s.near.polygon(
        s.ridge(s.h * 0.635, s.h * 0.035, bumps=2), mix(sand, s.light, 0.3), mix(sand, s.near_colour, 0.5), *s.ground
    )


def space(s: Scenery) -> None:
    """Stars, planets and the ground of one."""
    s.stars(150)
    for _ in range(3):
        s.far.glow(
            s.dice.uniform(0, s.w),
            s.dice.uniform(0.1, 0.5) * s.h,
            s.u * s.dice.uniform(35, 60),
            s.dice.choice([s.sky[2], s.far_colour, s.light]),
            strength=0.35,
        )
    x, y, r = s.side * s.w, s.h * 0.17, s.u * 13
    s.far.glow(x, y, r * 2.2, s.light, strength=0.4)
    s.far.ellipse(x, y, r, r, mix(s.light, s.sky[2], 0.3), mix(s.far_colour, s.light, 0.25), s.far_colour)
    s.far.ellipse(x - r * 0.3, y - r * 0.35, r * 0.22, r * 0.16, WHITE, alpha=0.18)
    s.far.ellipse(x + r * 0.25, y + r * 0.2, r * 0.3, r * 0.2, s.ink, alpha=0.12)
    s.far.ellipse((1 - s.side) * s.w, s.h * 0.34, s.u * 4, s.u * 4, s.light, s.far_colour)
    s.near.ellipse(
        s.w / 2,
        s.h * 1.28,
        max(s.h * 0.92, s.w * 1.6),
        s.h * 0.66,
        mix(s.near_colour, s.light, 0.45),
        s.near_colour,
        *s.ground,
        s.ground[-1],
        s.ground[-1],
    )
    for _ in range(7):
        cx, cy, r = s.dice.uniform(0, s.w), s.dice.uniform(0.69, 0.98) * s.h, s.u * s.dice.uniform(3, 8)
        s.near.ellipse(cx, cy, r, r * 0.36, s.ink, alpha=0.2)
        s.near.ellipse(cx, cy + r * 0.1, r * 0.86, r * 0.26, s.near_colour, alpha=0.3)


def castle(s: Scenery) -> None:
    """Columns, with a castle far away."""
    s.sun(0.25, 9)
    s.clouds(4, alpha=0.4)
    s.far.polygon(s.ridge(s.h * 0.58, s.h * 0.08, bumps=3), mix(s.far_colour, s.sky[2], 0.5), s.far_colour)
    x = s.w * (1 - s.side)
    s.far.picture("castle", x, s.h * 0.5, s.u * 32, mix(s.far_colour, s.sky[2], 0.25), s.far_colour)
    for i in range(4):
        column = s.w * (0.03 + 0.94 * i / 3)
        if i in (0, 3):
            stone, shade = mix(s.card, s.sky[1], 0.3), mix(s.near_colour, s.card, 0.3)
            s.far.box(column - s.u * 6, s.h * 0.06, column + s.u * 6, s.y + 9, stone, shade)
            for k in range(3):
                s.far.box(column - s.u * (4 - k * 3.4), s.h * 0.1, column - s.u * (3 - k * 3.4), s.y, s.ink, alpha=0.12)
            s.far.box(column - s.u * 8, s.h * 0.06, column + s.u * 8, s.h * 0.1, stone, shade, radius=s.u)
    s.floor(lip=s.u * 3)
