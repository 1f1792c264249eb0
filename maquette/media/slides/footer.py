"""The foot of a slide: where the reader is, and that there is more."""

from typing import Final

from maquette.media.slides.content import SlideStyle
from maquette.media.slides.elements import Drawing, Plate, Span, Stroke, Text
from maquette.media.slides.typefaces import Typeface
from maquette.media.slides.typeset import Type, fit
from maquette.media.slides.zones import Zones

_MOST_MARKS: Final = 12
_SIZE: Final = 28  # of the figures


def draw_footer(drawing: Drawing, room: Zones, style: SlideStyle, *, number: int, total: int, logo: bool) -> None:
    """Marks of where the reader is and, on all slides but the last, the arrow that asks to swipe on.

    The arrow stands at the edge to which the reader swipes, or behind the marks where the logo is close to that edge.
    """
    if total == 1:
        return
    left, top, right, bottom = room.footer
    unit = room.unit
    span, way = Span(left, right, 0), drawing.way
    middle = (top + bottom) / 2
    at = 0.0
    if total <= _MOST_MARKS:
        for index in range(1, total + 1):
            length = (52 if index == number else 22) * unit
            mark = span.slice(at, length, way)
            thick = 4 * unit
            box = (mark.left, middle - thick, mark.right, middle + thick)
            drawing.plates.append(
                Plate(box, thick, "figure" if index == number else "ink", 1.0 if index == number else 0.42)
            )
            at += length + 10 * unit
        at += 14 * unit
    size = max(_SIZE * unit, room.smallest_text)
    type_ = Type(Typeface(style.body_font, 700), size, room.smallest_text, leading=1)
    progress = fit(f"{number}/{total}", type_, room=right - left, field="progress")
    # Placed so that the figures, as high as capitals, stand in the middle of the marks.
    Text("progress", progress, default="ltr").place(
        drawing, span.slice(at, progress.widest + 1, way), middle + size * 0.355 - progress.ascent
    )
    at += progress.widest + 28 * unit
    if number < total:
        radius = 32 * unit
        _arrow(drawing, span.slice(at if logo else span.room - 2 * radius, 2 * radius, way), middle)


def _arrow(drawing: Drawing, circle: Span, middle: float) -> None:
    radius = circle.room / 2
    drawing.plates.append(Plate((circle.left, middle - radius, circle.right, middle + radius), radius, "accent"))
    x, ahead = (circle.left + circle.right) / 2, -1 if drawing.way == "rtl" else 1
    reach, wing = radius * 0.42 * ahead, radius * 0.34
    tip = (x + reach, middle)
    for points in (
        ((x - reach, middle), tip),
        ((tip[0] - wing * ahead, middle - wing), tip, (tip[0] - wing * ahead, middle + wing)),
    ):
        drawing.strokes.append(Stroke(points, radius * 0.15, "on_accent"))
