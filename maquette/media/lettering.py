"""Draws text for phones: big, bold, outlined, in any script that a font covers, never cut and never boxed."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from maquette.media.fonts import Font, choose
from maquette.media.frame import Frame

Direction = Literal["ltr", "rtl"]
Colour = tuple[int, int, int, int]

WHITE: Final[Colour] = (255, 255, 255, 255)
ACCENT: Final[Colour] = (255, 214, 64, 255)
INK: Final[Colour] = (14, 14, 18, 255)
_STRIKES: Final = (109, 136, 128, 160, 96, 64)  # bitmap emoji fonts know one size each
_LONG_WORD: Final = 6
_SPACE: Final = 0.25  # of the size, as in Roboto
_LEADING: Final = 1.14
_STROKE: Final = 0.085


@dataclass(frozen=True)
class _Run:
    """Text that one font draws in one direction; lengths are in units of the size."""

    text: str
    font: Font
    direction: Direction
    advance: float
    accent: bool


@dataclass(frozen=True)
class _Word:
    runs: tuple[_Run, ...]  # as seen, from left to right

    @property
    def advance(self) -> float:
        return sum(run.advance for run in self.runs)


@lru_cache(maxsize=128)
def load(font: Font, size: float) -> tuple[ImageFont.FreeTypeFont, float]:
    """``font`` ready to draw, and the factor that its pictures must be scaled by to be ``size`` pixels."""
    for strike in (size, *_STRIKES):
        try:
            face = ImageFont.truetype(str(font.path), strike, index=font.index, layout_engine=ImageFont.Layout.RAQM)
        except OSError:  # a bitmap font without this size
            continue
        if font.is_variable:
            axes = [axis["default"] if b"eight" not in axis["name"] else min(800, axis["maximum"] or 800)
                    for axis in face.get_variation_axes()]  # fmt: skip
            face.set_variation_by_axes([float(value or 0) for value in axes])
        return face, size / strike
    raise OSError(f"{font.path} has no size that can be drawn")


def direction(text: str, *, default: Direction = "ltr") -> Direction:
    """The direction of the first character that has one (rules P2 and P3 of Unicode's UAX #9)."""
    for char in text:
        kind = unicodedata.bidirectional(char)
        if kind in {"R", "AL"}:
            return "rtl"
        if kind == "L":
            return "ltr"
    return default


def _word(text: str, *, base: Direction, accent: bool) -> _Word:
    way = direction(text, default=base)
    runs = []
    for choice in choose("".join(c for c in text if unicodedata.category(c) != "Cc")):
        face, scale = load(choice.font, 100)
        advance = face.getlength(choice.text, direction=way) * scale / 100
        runs.append(_Run(choice.text, choice.font, way, advance, accent))
    return _Word(tuple(runs if way == "ltr" else reversed(runs)))


def _seen(words: Sequence[str], *, base: Direction) -> list[int]:
    """Indices of ``words`` from left to right: UAX #9's reordering, on whole words and two levels."""
    ways = [direction(word, default=base) for word in words]
    order: list[int] = []
    for index, way in enumerate(ways):  # a run against the base direction turns round within the line
        if way != base and index and ways[index - 1] == way:
            start = len(order)
            while start and ways[order[start - 1]] == way:
                start -= 1
            order.insert(start, index)
        else:
            order.append(index)
    return order if base == "ltr" else order[::-1]


def keyword(words: Sequence[str]) -> int | None:
    """Index of the word to stress: the longest, where it is long enough to matter and not alone."""
    lengths = [sum(map(str.isalpha, word)) for word in words]
    longest = max(lengths, default=0)
    return lengths.index(longest) if longest >= _LONG_WORD and len(words) > 1 else None


def _splits(count: int, lines: int) -> Iterator[tuple[int, ...]]:
    """Ends of ``lines`` lines of ``count`` words."""
    if lines == 1:
        yield (count,)
        return
    for end in range(1, count - lines + 2):
        for rest in _splits(count - end, lines - 1):
            yield (end, *(end + value for value in rest))


def _lines(widths: Sequence[float], *, room: float) -> tuple[tuple[int, ...], float]:
    """The best ends of lines for words of ``widths``, and the factor (at most 1) that makes them fit ``room``."""
    best: tuple[tuple[int, ...], float] = ((len(widths),), 0.0)
    for lines in range(1, min(3, len(widths)) + 1):
        balanced = min(_splits(len(widths), lines), key=lambda ends: _widest(widths, ends))
        scale = min(1.0, room / _widest(widths, balanced))
        if scale > best[1]:
            best = (balanced, scale)
        if scale >= 0.85:  # slightly smaller reads better than one line more
            break
    return best


def _widest(widths: Sequence[float], ends: Sequence[int]) -> float:
    starts = (0, *ends)
    return max(sum(widths[a:b]) + _SPACE * (b - a - 1) for a, b in zip(starts, ends, strict=False)) + 2 * _STROKE


def caption(text: str, *, frame: Frame) -> Image.Image:
    """``text`` as a transparent strip of the frame's width and the height of its text band.

    At most three centred lines, shrunk until they fit. Raises ``InvalidInput`` (``script_not_drawable``) for
    characters that no font covers.
    """
    top, bottom = frame.text_band
    words = text.split(" ")
    base = direction(text)
    stressed = keyword(words)
    built = [_word(word, base=base, accent=index == stressed) for index, word in enumerate(words)]
    size = min(frame.width, frame.height) * 0.078
    ends, scale = _lines([word.advance for word in built], room=frame.text_width / size)
    size *= min(scale, (bottom - top) / (size * scale * (_LEADING * len(ends) + 0.3)) * scale)
    strip = Image.new("RGBA", (frame.width, bottom - top))
    line_height = size * _LEADING
    baseline = (strip.height - line_height * len(ends)) / 2 + size * 0.93
    placed: list[tuple[_Run, float, float]] = []
    start = 0
    for end in ends:
        order = [start + index for index in _seen(words[start:end], base=base)]
        width = sum(built[index].advance for index in order) + _SPACE * (len(order) - 1)
        x = (strip.width - width * size) / 2
        for index in order:
            for run in built[index].runs:
                placed.append((run, x, baseline))
                x += run.advance * size
            x += _SPACE * size
        baseline += line_height
        start = end
    outline = Image.new("RGBA", strip.size)
    for run, x, y in placed:
        _draw(outline, run, x, y, size=size, fill=INK, stroke=round(size * _STROKE))
    shadow = outline.getchannel("A").filter(ImageFilter.GaussianBlur(size * 0.07)).point(lambda level: int(level * 0.6))
    strip.paste(Image.new("RGBA", strip.size, INK), (0, max(1, round(size * 0.05))), shadow)
    strip.alpha_composite(outline)
    for run, x, y in placed:
        _draw(strip, run, x, y, size=size, fill=ACCENT if run.accent else WHITE, stroke=0)
    return strip


def _draw(canvas: Image.Image, run: _Run, x: float, y: float, *, size: float, fill: Colour, stroke: int) -> None:
    if run.font.is_colour and stroke:  # emoji bring their own edges
        return
    face, scale = load(run.font, round(size, 2))
    if scale == 1:
        ImageDraw.Draw(canvas).text(
            (x, y), run.text, font=face, fill=fill, anchor="ls", direction=run.direction,
            stroke_width=stroke, stroke_fill=fill, embedded_color=run.font.is_colour,
        )  # fmt: skip
        return
    strike = size / scale
    picture = Image.new("RGBA", (max(1, round(run.advance * strike)), round(strike * 1.4)))
    ImageDraw.Draw(picture).text(
        (0, strike), run.text, font=face, anchor="ls", direction=run.direction, embedded_color=True
    )
    picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    canvas.alpha_composite(picture, (max(0, round(x)), max(0, round(y - size))))
