"""What a slide is made of: texts, pills, bars and figures, each with its height, then placed."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

from maquette.media.lettering import Direction, direction
from maquette.media.slides.typeset import Box, Fitted, Line, placed

Tone = Literal["ink", "figure", "accent", "on_accent", "on_ink"]


@dataclass(frozen=True)
class Block:
    """A text that was placed: ``field`` names where it came from (``title``, ``bullets[0]``, ``kpis[1].delta``).

    ``ground`` is what it stands on: the veiled picture, or a plate of a colour of the look.
    """

    field: str
    lines: tuple[Line, ...]
    size: float
    tone: Tone
    ground: Literal["veil", "accent", "ink"] = "veil"

    @property
    def box(self) -> Box:
        """A box that holds all that is drawn of it, in pixels."""
        lefts, tops, rights, bottoms = zip(*(run.box for line in self.lines for run in line.runs), strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)

    @property
    def text(self) -> str:
        """What is read."""
        return " ".join(line.text for line in self.lines)


@dataclass(frozen=True)
class Plate:
    """A filled box with round corners of ``radius`` pixels."""

    box: Box
    radius: float
    tone: Tone
    opacity: float = 1.0


@dataclass(frozen=True)
class Stroke:
    """A line through ``points``, ``width`` pixels thick, with round ends."""

    points: tuple[tuple[float, float], ...]
    width: float
    tone: Tone


@dataclass
class Drawing:
    """Collects what was placed."""

    way: Direction
    blocks: list[Block] = field(default_factory=list)
    plates: list[Plate] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)


@dataclass(frozen=True)
class Span:
    """The horizontal room of an element: mirrored where the slide runs from right to left."""

    left: float
    right: float
    align: float  # 0 start, 0.5 centre

    @property
    def room(self) -> float:
        return self.right - self.left

    def physical(self, way: Direction) -> float:
        """``align`` as 0 for left, 0.5 for the centre, 1 for right."""
        return 1 - self.align if way == "rtl" else self.align

    def slice(self, start: float, length: float, way: Direction) -> "Span":
        """The part of ``length`` pixels that begins ``start`` pixels after where lines begin."""
        left = self.right - start - length if way == "rtl" else self.left + start
        return Span(left, left + length, self.align)


class Element(Protocol):
    """A part of the column."""

    @property
    def height(self) -> float:
        """Pixels that it takes."""
        ...

    def place(self, drawing: Drawing, span: Span, top: float) -> None:
        """Put it into ``drawing``."""
        ...


@dataclass(frozen=True)
class Text:
    """A text; ``source`` is the field that it comes from."""

    source: str
    fitted: Fitted
    tone: Tone = "ink"
    default: Direction | None = None

    @property
    def height(self) -> float:
        return self.fitted.height

    def place(self, drawing: Drawing, span: Span, top: float) -> None:
        base = direction(" ".join(self.fitted.lines), default=self.default or drawing.way)
        lines = placed(
            self.fitted, left=span.left, top=top, room=span.room, align=span.physical(drawing.way), base=base
        )
        drawing.blocks.append(Block(self.source, lines, self.fitted.size, self.tone))


@dataclass(frozen=True)
class Bullet:
    """A point of a list, its lines aligned behind its dot."""

    source: str
    fitted: Fitted
    indent: float

    @property
    def height(self) -> float:
        return self.fitted.height

    def place(self, drawing: Drawing, span: Span, top: float) -> None:
        inner = Span(span.left, span.right, 0).slice(self.indent, span.room - self.indent, drawing.way)
        Text(self.source, self.fitted).place(drawing, inner, top)
        radius = self.fitted.size * 0.15
        middle = top + self.fitted.ascent - self.fitted.size * 0.36
        x = span.right - radius if drawing.way == "rtl" else span.left + radius
        drawing.plates.append(Plate((x - radius, middle - radius, x + radius, middle + radius), radius, "figure"))


@dataclass(frozen=True)
class Pill:
    """A text on a plate with round ends."""

    source: str
    fitted: Fitted
    pad: tuple[float, float]  # across, down
    tone: Tone
    ground: Literal["accent", "ink"]

    @property
    def height(self) -> float:
        return self._letters + 2 * self.pad[1]

    @property
    def _letters(self) -> float:
        # From the height of the capitals to the last baseline: what the eye centres.
        return self.fitted.size * 0.71 + self.fitted.pitch * (len(self.fitted.lines) - 1)

    def place(self, drawing: Drawing, span: Span, top: float) -> None:
        width = self.fitted.widest + 2 * self.pad[0]
        left = span.left + (span.room - width) * span.physical(drawing.way)
        line = self.fitted.size * 0.71 + 2 * self.pad[1]
        drawing.plates.append(Plate((left, top, left + width, top + self.height), line / 2, self.ground))
        lines = placed(
            self.fitted,
            left=left + self.pad[0],
            top=top + self.pad[1] + self.fitted.size * 0.71 - self.fitted.ascent,
            room=self.fitted.widest,
            align=0.5,
            base=direction(" ".join(self.fitted.lines), default=drawing.way),
        )
        drawing.blocks.append(Block(self.source, lines, self.fitted.size, self.tone, self.ground))


@dataclass(frozen=True)
class Bar:
    """A short bar of the accent, the mark that all slides of a carousel share."""

    width: float
    height: float

    def place(self, drawing: Drawing, span: Span, top: float) -> None:
        left = span.left + (span.room - self.width) * span.physical(drawing.way)
        box = (left, top, left + self.width, top + self.height)
        drawing.plates.append(Plate(box, self.height / 2, "figure"))


@dataclass(frozen=True)
class QuotationMark:
    """A big opening mark; only its ink counts as height."""

    fitted: Fitted

    @property
    def height(self) -> float:
        return self.fitted.size * 0.3

    def place(self, drawing: Drawing, span: Span, top: float) -> None:
        # The mark has some air at its side, and hangs far above its baseline.
        aside = self.fitted.size * (0.045 if drawing.way == "rtl" else -0.045)
        moved = Span(span.left + aside, span.right + aside, span.align)
        y = top + self.fitted.above - self.fitted.ascent
        Text("quotation mark", self.fitted, "figure").place(drawing, moved, y)


@dataclass(frozen=True)
class Figure:
    """A figure with its label: beside it where the figure leaves room, else below."""

    number: int
    delta: Fitted
    label: Fitted | None
    column: float  # width of the figures' column; 0 when labels stand below
    ruled: bool
    pad: float

    @property
    def source(self) -> str:
        """The field that most of it comes from."""
        return f"kpis[{self.number}].label"

    @property
    def _figure_height(self) -> float:
        return self.delta.height - (self.delta.ascent - self.delta.size * 0.72)

    @property
    def height(self) -> float:
        label = self.label.height if self.label else 0
        figure = self._figure_height
        return (max(label, figure) if self.column else figure + label) + 2 * self.pad

    def place(self, drawing: Drawing, span: Span, top: float) -> None:
        if self.ruled:
            drawing.plates.append(Plate((span.left, top - 1, span.right, top + 1), 0, "ink", 0.28))
        inner = self.height - 2 * self.pad
        beside = self.column > 0
        above = self.delta.ascent - self.delta.size * 0.72
        shift = (inner - self._figure_height) / 2 if beside else 0
        own = span.slice(0, self.column, drawing.way) if beside else span
        Text(f"kpis[{self.number}].delta", self.delta, "figure", "ltr").place(
            drawing, own, top + self.pad + shift - above
        )
        if self.label is not None:
            room = span.slice(self.column, span.room - self.column, drawing.way) if beside else span
            y = top + self.pad + ((inner - self.label.height) / 2 if beside else self._figure_height)
            Text(f"kpis[{self.number}].label", self.label).place(drawing, room, y)
