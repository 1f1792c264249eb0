"""Text fitting: words into balanced lines, at the largest size that the room allows; nothing is cut."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Final

from maquette.errors import InvalidInput
from maquette.media.captions import tokens
from maquette.media.fonts import Font
from maquette.media.lettering import Direction
from maquette.media.slides.bidi import levels, visual_order
from maquette.media.slides.typefaces import Typeface, face, measured

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels

STEP: Final = 0.96  # of the size, each time that a text does not fit
_SPLIT_ABOVE: Final = 1.35  # times the room that a word would take, from which on it may break at a hyphen
_ASCENT: Final = 0.93  # Roboto's, in units of the size, as is its descent
_DESCENT: Final = 0.24
_TALL: Final = 1.2
_WIDTH_MARGIN: Final = 0.997  # of the room: advances are not exactly proportional to the size
_HYPHENS: Final = re.compile(r"(?<=[\w][-‐–—/_.@?&=])(?=\w)")
_IDEOGRAPHS: Final = re.compile(
    r"(?<=[\u3001\u3002\u300d\u3041-\u30ff\u3400-\u9fff\uff01\uff1f])(?=[\u300c\u3041-\u30fa\u3400-\u9fff])"
)
_TIED_SPACES: Final = (("\u00a0", "\ue0a0"), ("\u202f", "\ue0af"))


@dataclass(frozen=True)
class Type:
    """How a text is set: sizes in pixels, ``leading`` in units of the size."""

    typeface: Typeface
    size: float
    smallest: float
    leading: float
    most_lines: int = 99


@dataclass(frozen=True)
class Run:
    """Text that one font draws in one direction, from ``x`` on the baseline ``y``; lengths in pixels."""

    text: str
    font: Font
    weight: int
    size: float
    direction: Direction
    width: float  # to where the next run begins
    extent: Box  # holds all that is drawn, from the start of the baseline
    x: float = 0
    y: float = 0

    @property
    def box(self) -> Box:
        """A box that holds all that is drawn."""
        left, top, right, bottom = self.extent
        return self.x + left, self.y + top, self.x + right, self.y + bottom


@dataclass(frozen=True)
class Line:
    """A line of runs, from left to right."""

    runs: tuple[Run, ...]
    text: str


@dataclass(frozen=True)
class _Unit:
    """What stays together on one line; ``spaced`` when a space parts it from the unit before it on its line."""

    text: str
    advance: float
    spaced: bool


def _words(text: str) -> list[str]:
    """The words of ``text`` with what is tied to them: punctuation that stands alone, and what no-break spaces tie."""
    for space, stand_in in _TIED_SPACES:
        text = text.replace(space, stand_in)
    words = tokens("".join(char for char in text if unicodedata.category(char) != "Cc" or char.isspace()))
    for space, stand_in in _TIED_SPACES:
        words = [word.replace(stand_in, space) for word in words]
    return words


def _parts(word: str, typeface: Typeface, *, widest: float) -> Iterator[str]:
    """``word``, broken only where its script breaks (ideographs) or, when it is too wide, after its hyphens."""
    for part in _IDEOGRAPHS.split(word):
        yield from _HYPHENS.split(part) if measured(part, typeface).advance > widest else (part,)


@lru_cache(maxsize=1024)
def _units(text: str, typeface: Typeface, widest: float) -> tuple[_Unit, ...]:
    return tuple(
        _Unit(part, measured(part, typeface).advance, index == 0)
        for word in _words(text)
        for index, part in enumerate(_parts(word, typeface, widest=widest))
    )


@lru_cache(maxsize=64)
def _space(typeface: Typeface) -> float:
    return measured("\u00a0", typeface).advance


def _greedy(units: Sequence[_Unit], room: float, space: float) -> list[int]:
    """Ends of the lines, each as full as ``room`` allows; a unit that is wider has a line to itself."""
    ends: list[int] = []
    used = 0.0
    for index, unit in enumerate(units):
        wider = used + unit.advance + (space if unit.spaced else 0)
        if index and wider > room:
            ends.append(index)
            wider = unit.advance
        elif not index:
            wider = unit.advance
        used = wider
    return [*ends, len(units)]


def _balanced(units: Sequence[_Unit], room: float, space: float) -> list[int]:
    """Ends of as few lines as ``room`` allows, the longest of them as short as can be."""
    best = _greedy(units, room, space)
    if len(best) == 1:
        return best
    narrow, wide = max(unit.advance for unit in units), room
    while wide - narrow > 0.05:
        middle = (narrow + wide) / 2
        ends = _greedy(units, middle, space)
        if len(ends) == len(best):
            best, wide = ends, middle
        else:
            narrow = middle
    return best


@dataclass(frozen=True)
class Fitted:
    """A text at its size with its lines, not placed yet."""

    lines: tuple[str, ...]
    typeface: Typeface
    size: float
    above: float  # of the ink of the tallest word, from the baseline, in pixels
    ascent: float
    descent: float
    pitch: float  # from baseline to baseline, in pixels
    widest: float

    @property
    def height(self) -> float:
        """Pixels from the top of the first line to the bottom of the last."""
        return self.ascent + self.descent + self.pitch * (len(self.lines) - 1)


def fit(text: str, type_: Type, *, room: float, field: str) -> Fitted:
    """``text`` in lines of at most ``room`` pixels, at the size of ``type_`` or, step by step, below.

    It shrinks while a word is too wide or there are more lines than ``most_lines``, the latter down to 60 % of the
    size at most. Raises ``InvalidInput`` for a word that is too wide at the smallest size (``field`` says where), or
    that no font draws.
    """
    typeface = type_.typeface
    units = _units(text, typeface, round(room / type_.size * _SPLIT_ABOVE, 2))
    space = _space(typeface)
    widest_unit = max(unit.advance for unit in units)
    size = type_.size
    ends: list[int] = []
    while True:
        usable = room / size * _WIDTH_MARGIN
        if widest_unit <= usable:
            ends = _greedy(units, usable, space)
            if len(ends) <= type_.most_lines or size * STEP < max(type_.smallest, 0.6 * type_.size):
                break
        if size <= type_.smallest:
            word = max(units, key=lambda unit: unit.advance).text
            raise InvalidInput(
                f"{field}: {word!r} is too long for one line of the slide at a legible size; shorten or divide it",
                code="text_does_not_fit",
                field=field,
            )
        size = max(size * STEP, type_.smallest)
    ends = _balanced(units, usable, space)
    lines = [units[start:end] for start, end in pairwise([0, *ends])]
    words = [measured(unit.text, typeface) for unit in units]
    above, below = max(word.above for word in words), max(word.below for word in words)
    # Scripts with tall marks get the room that they take; the rest keeps its rhythm.
    leading = max(type_.leading, above + below if above + below > _TALL else 0)
    return Fitted(
        lines=tuple(_joined(line) for line in lines),
        typeface=typeface,
        size=round(size, 1),
        above=above * size,
        ascent=max(above, _ASCENT) * size,
        descent=max(below, _DESCENT) * size,
        pitch=leading * size,
        widest=max(_advance(line, space) for line in lines) * size,
    )


def _joined(line: Sequence[_Unit]) -> str:
    return "".join((" " if index and unit.spaced else "") + unit.text for index, unit in enumerate(line))


def _advance(line: Sequence[_Unit], space: float) -> float:
    return sum(unit.advance + (space if index and unit.spaced else 0) for index, unit in enumerate(line))


def placed(fitted: Fitted, *, left: float, top: float, room: float, align: float, base: Direction) -> tuple[Line, ...]:
    """The lines of ``fitted`` between ``left`` and ``left + room``; ``align`` is 0 for left, 0.5 centre, 1 right."""
    result = []
    for index, text in enumerate(fitted.lines):
        runs = _runs(text, fitted, base=base)
        width = sum(run.width for run in runs)
        # Some letters reach beyond where they begin and end: never out of the room.
        first, last = max(0.0, -runs[0].extent[0]), max(0.0, runs[-1].extent[2] - runs[-1].width)
        x = max(left + first, min(left + (room - width) * align, left + room - width - last))
        baseline = top + fitted.ascent + index * fitted.pitch
        moved = []
        for run in runs:
            moved.append(replace(run, x=x, y=baseline))
            x += run.width
        result.append(Line(tuple(moved), text))
    return tuple(result)


def _runs(text: str, fitted: Fitted, *, base: Direction) -> list[Run]:
    """``text`` cut where the font or the level changes, in visual order."""
    weight = fitted.typeface.weight
    own = fitted.typeface.fonts[0]
    chars: list[tuple[str, Font]] = []
    for index, word in enumerate(text.split(" ")):
        chars += [(" ", own)] if index else []
        choices = measured(word, fitted.typeface).choices
        chars += [(char, choice.font) for choice in choices for char in choice.text]
    at = levels("".join(char for char, _ in chars), base=base)
    pieces: list[tuple[str, Font, int]] = []
    for (char, font), level in zip(chars, at, strict=True):
        if pieces and pieces[-1][1:] == (font, level):
            pieces[-1] = (pieces[-1][0] + char, font, level)
        else:
            pieces.append((char, font, level))
    runs = []
    for index in visual_order([level for _, _, level in pieces]):
        piece, font, level = pieces[index]
        way: Direction = "rtl" if level % 2 else "ltr"
        opened, scale = face(font, fitted.size, weight)
        left, top, right, bottom = (edge * scale for edge in opened.getbbox(piece, direction=way, anchor="ls"))
        width = opened.getlength(piece, direction=way) * scale
        runs.append(Run(piece, font, weight, fitted.size, way, width, (left, top, right, bottom)))
    return runs
