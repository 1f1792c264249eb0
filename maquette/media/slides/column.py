"""The column of a slide: its texts in their order, at sizes of type that shrink together until all fits."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from maquette.errors import InvalidInput
from maquette.media.fonts import markless
from maquette.media.lettering import Direction
from maquette.media.slides.content import SlideContent, SlideStyle
from maquette.media.slides.elements import Bar, Bullet, Element, Figure, Pill, QuotationMark, Text, Tone
from maquette.media.slides.typefaces import Typeface
from maquette.media.slides.typeset import STEP, Fitted, Type, fit
from maquette.media.slides.zones import Zones

Placing = tuple[float, Element]  # an element, and the gap above it in pixels

_DASHES: Final = ("—", "–", "-")
_MOST_STEPS: Final = 32
_BESIDE: Final = 0.54  # of the column, for figures with their labels beside them


@dataclass(frozen=True)
class Role:
    """A kind of text: sizes in pixels at 1080 × 1350, ``leading`` in units of the size."""

    size: float
    smallest: float
    weight: int
    leading: float
    most_lines: int = 99
    heading: bool = False


HERO_TITLE: Final = Role(92, 48, 900, 1.12, 5, heading=True)
TITLE: Final = Role(86, 44, 900, 1.12, 4, heading=True)
QUOTE: Final = Role(72, 40, 700, 1.2, 7, heading=True)
SUBTITLE: Final = Role(48, 28, 500, 1.24, 4)
BODY: Final = Role(40, 24, 400, 1.36)
BULLET: Final = Role(42, 24, 400, 1.28)
CTA: Final = Role(52, 30, 700, 1.15, 2)
SMALL_CTA: Final = Role(40, 26, 700, 1.15, 2)
BADGE: Final = Role(30, 24, 700, 1.15, 1)
AUTHOR: Final = Role(38, 26, 700, 1.25)
NOTE: Final = Role(30, 24, 400, 1.36)
LABEL: Final = Role(40, 26, 500, 1.24)
DELTA: Final = Role(132, 64, 900, 1.05, 1, heading=True)
MARK: Final = Role(300, 150, 900, 1, heading=True)


def _shows(text: str) -> bool:
    """Whether anything of ``text`` is seen."""
    return not all(map(markless, text))


def height_of(elements: list[Placing]) -> float:
    """Pixels that ``elements`` take with their gaps."""
    return sum(gap + element.height for gap, element in elements)


class Column:
    """Builds the column of a slide at a scale of its type."""

    def __init__(self, content: SlideContent, style: SlideStyle, room: Zones, way: Direction) -> None:
        self._content = content
        self._style = style
        self._zones = room
        self._way = way
        self.align = 0.5 if content.type == "cta" and not room.wide else 0.0
        self._room = room.column[2] - room.column[0]
        self._scale = 1.0

    def fitted(self) -> list[Placing]:
        """The elements at the largest scale at which they fit the column's height.

        Raises ``InvalidInput`` when they do not fit at the smallest; ``field`` is then the longest text.
        """
        available = self._zones.column[3] - self._zones.column[1]
        found = self._built(0)
        if height_of(found) <= available:
            return found
        fits, too_big = _MOST_STEPS, 0
        found = self._built(fits)
        if height_of(found) > available:
            raise self._too_much(found)
        while fits - too_big > 1:
            middle = (fits + too_big) // 2
            tried = self._built(middle)
            if height_of(tried) <= available:
                fits, found = middle, tried
            else:
                too_big = middle
        return found

    def _too_much(self, elements: list[Placing]) -> InvalidInput:
        texts = [element for _, element in elements if isinstance(element, Text | Bullet | Pill | Figure)]
        field = max(texts, key=lambda text: text.height).source
        width, height = self._zones.size
        return InvalidInput(
            f"the texts do not fit a slide of {width}×{height} at a legible size; shorten {field} first, "
            "or spread them over more slides",
            code="text_does_not_fit",
            field=field,
        )

    def _built(self, steps: int) -> list[Placing]:
        self._scale = STEP**steps
        content = self._content
        parts: list[Placing] = []
        if _shows(content.badge):
            parts.append((0, self._pill("badge", content.badge, BADGE, (0.8, 0.52), "on_ink", "ink")))
        if content.type == "citation" and _shows(content.title):
            mark = "”" if self._way == "rtl" else "“"
            parts.append((40, QuotationMark(self._fit("quotation mark", mark, MARK))))
            parts.append((32, self._text("title", content.title, QUOTE)))
        elif _shows(content.title):
            parts.append((36, Bar(self._px(88), self._px(10))))
            role = HERO_TITLE if content.type in {"hero", "cta"} else TITLE
            parts.append((26, self._text("title", content.title, role)))
        for source, text, role, gap in (
            ("subtitle", content.subtitle, SUBTITLE, 20),
            ("body", content.body, BODY, 26),
        ):
            if _shows(text):
                parts.append((gap, self._text(source, text, role)))
        parts += self._figures()
        parts += self._bullets()
        if _shows(content.author):
            author = content.author.strip()
            signed = author if author.startswith(_DASHES) else f"— {author}"
            parts.append((30, self._text("author", signed, AUTHOR, tone="figure")))
        if _shows(content.cta):
            role = CTA if content.type in {"hero", "cta"} else SMALL_CTA
            parts.append((40, self._pill("cta", content.cta, role, (0.95, 0.62), "on_accent", "accent")))
        if _shows(content.note):
            parts.append((28, self._text("note", content.note, NOTE)))
        return [(self._px(gap) * bool(index), element) for index, (gap, element) in enumerate(parts)]

    def _px(self, length: float) -> float:
        return length * self._zones.unit * max(self._scale, 0.55)

    def _type(self, role: Role) -> Type:
        smallest = max(role.smallest * self._zones.unit, self._zones.smallest_text)
        family = self._style.title_font if role.heading else self._style.body_font
        return Type(
            typeface=Typeface(family, role.weight),
            size=max(role.size * self._zones.unit * self._scale, smallest),
            smallest=smallest,
            leading=role.leading,
            most_lines=role.most_lines,
        )

    def _fit(self, source: str, text: str, role: Role, *, room: float | None = None) -> Fitted:
        return fit(text, self._type(role), room=self._room if room is None else room, field=source)

    def _text(self, source: str, text: str, role: Role, *, tone: Tone = "ink") -> Text:
        return Text(source, self._fit(source, text, role), tone)

    def _pill(
        self, source: str, text: str, role: Role, pad: tuple[float, float], tone: Tone, ground: Literal["accent", "ink"]
    ) -> Pill:
        size = self._type(role).size
        fitted = self._fit(source, text, role, room=self._room - 2 * pad[0] * size)
        return Pill(source, fitted, (pad[0] * fitted.size, pad[1] * fitted.size), tone, ground)

    def _bullets(self) -> list[Placing]:
        points = [(index, text) for index, text in enumerate(self._content.bullets) if _shows(text)]
        indent = self._type(BULLET).size * 0.85
        fitted = [
            (f"bullets[{index}]", self._fit(f"bullets[{index}]", text, BULLET, room=self._room - indent))
            for index, text in points
        ]
        return [(32 if index == 0 else 20, Bullet(source, each, indent)) for index, (source, each) in enumerate(fitted)]

    def _figures(self) -> list[Placing]:
        rows = [
            (index, kpi.delta if _shows(kpi.delta) else "", kpi.label if _shows(kpi.label) else "")
            for index, kpi in enumerate(self._content.kpis)
        ]
        given = {index: delta for index, delta, _ in rows if delta}
        try:
            deltas = self._deltas(given, room=self._room * _BESIDE)
        except InvalidInput:  # no legible size is narrow enough
            deltas = {}
        column = max((delta.widest for delta in deltas.values()), default=0) + self._px(40)
        if given and (not deltas or any(len(delta.lines) > 1 for delta in deltas.values())):
            deltas, column = self._deltas(given, room=self._room), 0.0  # labels go below
        parts: list[Placing] = []
        for index, delta, label in rows:
            source, room = f"kpis[{index}].label", self._room - column if delta else self._room
            words = self._fit(source, label, LABEL, room=room) if label else None
            if delta:
                figure = Figure(index, deltas[index], words, column, ruled=bool(parts), pad=self._px(22))
                parts.append((0 if parts else 18, figure))
            elif words:
                parts.append((20, Text(source, words)))
        return parts

    def _deltas(self, given: dict[int, str], *, room: float) -> dict[int, Fitted]:
        """The figures by their numbers, all at the size of the one that needs the smallest."""
        own = self._type(DELTA)
        while True:
            found = {index: fit(text, own, room=room, field=f"kpis[{index}].delta") for index, text in given.items()}
            smallest = min((fitted.size for fitted in found.values()), default=own.size)
            if all(fitted.size == smallest for fitted in found.values()):
                return found
            own = replace(own, size=smallest)
