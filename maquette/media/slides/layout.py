"""The layout of a slide: what stands where, at which size, before any pixel is drawn."""

from dataclasses import dataclass
from typing import Final, Literal

from maquette.errors import InvalidInput
from maquette.media.lettering import Direction, direction
from maquette.media.slides.column import Column, Placing, height_of
from maquette.media.slides.content import SlideContent, SlideStyle
from maquette.media.slides.elements import Block, Drawing, Plate, Span, Stroke
from maquette.media.slides.footer import draw_footer
from maquette.media.slides.typeset import Box
from maquette.media.slides.zones import Zones, zones

_AIR: Final = 56  # veiled around the text
_LEAST_FREE: Final = 0.5  # of the fade: a narrower strip of the bare picture would look like a mistake
_FADE: Final = 0.2  # of the height; of the width beside a column


@dataclass(frozen=True)
class Veil:
    """Where the picture is veiled: wholly inside ``box``, and less and less over ``fade`` pixels beyond its edge."""

    box: tuple[int, int, int, int]
    fade: int
    towards: Literal["top", "left", "right"]


@dataclass(frozen=True)
class Layout:
    """All that is drawn over the picture; boxes and sizes in pixels."""

    zones: Zones
    way: Direction
    blocks: tuple[Block, ...]
    plates: tuple[Plate, ...]
    strokes: tuple[Stroke, ...]
    veil: Veil


def layout_slide(
    content: SlideContent, *, style: SlideStyle, size: tuple[int, int], number: int, total: int, logo: bool = False
) -> Layout:
    """Lay ``content`` out on slide ``number`` of ``total`` of ``size`` (width, height) pixels.

    Sizes of type shrink together, step by step, until all fits. Raises ``InvalidInput``, naming the ``field``, for
    text that does not fit at the smallest legible size, and (``script_not_drawable``) for characters without a font.
    """
    if not 1 <= number <= total:
        raise InvalidInput(f"there is no slide {number} of {total}; number slides from 1 to the total")
    way = _way(content)
    room, align, elements = _fitted(content, style, size, logo=logo, way=way)
    drawing = Drawing(way)
    height = height_of(elements)
    left, top, right, bottom = room.column
    free = bottom - top - height
    y = top + (free / 2 if room.wide else free)
    for gap, element in elements:
        y += gap
        element.place(drawing, Span(left, right, align), y)
        y += element.height
    texts = [block.box for block in drawing.blocks]
    draw_footer(drawing, room, style, number=number, total=total, logo=logo)
    return Layout(
        zones=room,
        way=way,
        blocks=tuple(drawing.blocks),
        plates=tuple(drawing.plates),
        strokes=tuple(drawing.strokes),
        veil=_veil(room, texts, mirrored=way == "rtl"),
    )


def require_fits(
    content: SlideContent, *, style: SlideStyle, size: tuple[int, int], total: int = 10, logo: bool = True
) -> None:
    """Raise ``InvalidInput`` as ``layout_slide`` does unless ``content`` can be drawn at ``size``."""
    layout_slide(content, style=style, size=size, number=1, total=total, logo=logo)


def _fitted(
    content: SlideContent, style: SlideStyle, size: tuple[int, int], *, logo: bool, way: Direction
) -> tuple[Zones, float, list[Placing]]:
    """The zones, the alignment and the elements: beside the picture's subject, or over all of it where they must."""
    room = zones(size, logo=logo, mirrored=way == "rtl")
    try:
        column = Column(content, style, room, way)
        return room, column.align, column.fitted()
    except InvalidInput:
        if not room.wide:
            raise
    room = zones(size, logo=logo, mirrored=way == "rtl", beside=False)
    column = Column(content, style, room, way)
    return room, column.align, column.fitted()


def _way(content: SlideContent) -> Direction:
    """The direction of the first text that has one."""
    texts = [content.title, content.subtitle, content.body, *content.bullets, content.cta, content.badge, content.note]
    texts += [content.author, *(kpi.label for kpi in content.kpis)]
    return direction(" ".join(texts))


def _veil(room: Zones, texts: list[Box], *, mirrored: bool) -> Veil:
    width, height = room.size
    air = _AIR * room.unit
    if room.wide:
        left, _, right, _ = room.column
        fade = round(width * _FADE)
        free = left - air if mirrored else width - right - air
        edge = round(free) if free > fade * _LEAST_FREE else 0
        box = (edge, 0, width, height) if mirrored else (0, 0, width - edge, height)
        return Veil(box, fade, "left" if mirrored else "right")
    fade = round(height * _FADE)
    top = min([box[1] for box in texts], default=room.footer[1]) - air
    return Veil((0, round(top) if top > fade * _LEAST_FREE else 0, width, height), fade, "top")
