"""Draws a slide: the picture, veiled and blurred where text stands, then shapes, text and logo over it."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from maquette.media.slides.content import SlideContent, SlideStyle
from maquette.media.slides.contrast import Colour, luminances, scrim_opacity
from maquette.media.slides.elements import Plate, Stroke
from maquette.media.slides.layout import Layout, layout_slide
from maquette.media.slides.look import Look, look_of
from maquette.media.slides.shapes import fade, polyline, rounded
from maquette.media.slides.typefaces import face
from maquette.media.slides.typeset import Box, Run

_BLOCK: Final = 8  # pixels that become one in the blurred copy, at 1080 × 1350
_BLUR: Final = 2.0  # of such blocks
_VIBRANCE: Final = 1.5  # of the colours beneath the veil, which would look dull without it
_VISIBLE: Final = 3.0  # contrast that a logo needs, as graphics do (WCAG 2.2, success criterion 1.4.11)


def render_slide(
    background: Image.Image,
    content: SlideContent,
    *,
    style: SlideStyle,
    number: int,
    total: int,
    logo: Image.Image | None = None,
) -> Image.Image:
    """Slide ``number`` of ``total``: ``content`` over ``background``, an RGB picture of the same size.

    Every text has a contrast of 4.5:1 or more with the pixels beneath it. Equal input gives an equal picture on one
    installation. Raises ``InvalidInput`` as ``layout_slide`` does.
    """
    layout = layout_slide(content, style=style, size=background.size, number=number, total=total, logo=logo is not None)
    look = look_of(style)
    canvas = backdrop(background, layout, look)
    if logo is not None:
        _draw_logo(canvas, logo, layout.zones.logo)
    pen = ImageDraw.Draw(canvas)
    for block in layout.blocks:
        colour: Colour = getattr(look, block.tone)
        for line in block.lines:
            for run in line.runs:
                _draw_run(canvas, pen, run, colour)
    return canvas


def backdrop(background: Image.Image, layout: Layout, look: Look) -> Image.Image:
    """All that text stands on: ``background`` with its veil, plates and strokes."""
    canvas = background.copy() if background.mode == "RGB" else background.convert("RGB")
    _veil(canvas, layout, look)
    for plate in layout.plates:
        _fill(canvas, plate, getattr(look, plate.tone))
    for stroke in layout.strokes:
        _stroke(canvas, stroke, getattr(look, stroke.tone))
    return canvas


def _veil(canvas: Image.Image, layout: Layout, look: Look) -> None:
    on_veil = [block for block in layout.blocks if block.ground == "veil"]
    if not on_veil:
        return
    block = max(1, round(_BLOCK * layout.zones.unit))
    small = canvas.reduce(block).filter(ImageFilter.GaussianBlur(_BLUR))
    small = ImageEnhance.Color(small).enhance(_VIBRANCE)
    pixels = np.concatenate([_beneath(small, each.box, block) for each in on_veil])
    opacity = scrim_opacity(pixels, sorted({getattr(look, each.tone) for each in on_veil}), look.scrim)
    veiled = Image.blend(small, Image.new("RGB", small.size, look.scrim), opacity)
    left, top, right, bottom = layout.veil.box
    length = layout.veil.fade
    match layout.veil.towards:
        case "top":
            length = min(length, top)
            top -= length
        case "left":
            length = min(length, left)
            left -= length
        case "right":
            length = min(length, canvas.width - right)
            right += length
    source = (left / block, top / block, right / block, bottom / block)
    layer = veiled.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=source)
    canvas.paste(layer, (left, top), fade(layer.size, length=length, towards=layout.veil.towards))


def _beneath(small: Image.Image, box: Box, block: int) -> NDArray[np.uint8]:
    """Pixels of ``small``, of shape (n, 3), that lie under ``box`` of the picture of which it is a ``block``-th."""
    left, top, right, bottom = box
    # A pixel of the picture lies between those of the small one: its neighbours count as well.
    first = max(0, int(left / block) - 1), max(0, int(top / block) - 1)
    last = min(small.width, int(right / block) + 2), min(small.height, int(bottom / block) + 2)
    inside = small.crop((*first, *last))
    return np.asarray(inside).reshape(-1, 3)


def _fill(canvas: Image.Image, plate: Plate, colour: Colour) -> None:
    left, top, right, bottom = plate.box
    x, y = math.floor(left), math.floor(top)
    mask = rounded(
        round(right - left, 2), round(bottom - top, 2), plate.radius, (round(left - x, 2), round(top - y, 2))
    )
    if plate.opacity < 1:
        mask = mask.point(lambda level: int(level * plate.opacity))
    canvas.paste(colour, (x, y, x + mask.width, y + mask.height), mask)


def _stroke(canvas: Image.Image, stroke: Stroke, colour: Colour) -> None:
    columns, rows = zip(*stroke.points, strict=True)
    x, y = math.floor(min(columns) - stroke.width), math.floor(min(rows) - stroke.width)
    size = math.ceil(max(columns) + stroke.width) - x, math.ceil(max(rows) + stroke.width) - y
    mask = polyline([(column - x, row - y) for column, row in stroke.points], stroke.width, size)
    canvas.paste(colour, (x, y, x + size[0], y + size[1]), mask)


def _draw_run(canvas: Image.Image, pen: ImageDraw.ImageDraw, run: Run, colour: Colour) -> None:
    opened, scale = face(run.font, run.size, run.weight)
    coloured = run.font.is_colour
    if scale == 1:
        pen.text(
            (run.x, run.y), run.text, font=opened, fill=colour, anchor="ls", direction=run.direction,
            embedded_color=coloured,
        )  # fmt: skip
        return
    left, top, right, bottom = (round(edge) for edge in opened.getbbox(run.text, anchor="ls"))
    picture = Image.new("RGBA", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(picture).text((-left, -top), run.text, font=opened, anchor="ls", embedded_color=True)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    canvas.paste(picture, (round(run.x + left * scale), round(run.y + top * scale)), picture)


def _draw_logo(canvas: Image.Image, logo: Image.Image, zone: Box) -> None:
    """Draw ``logo`` as large as its zone allows, on a plate where it would be lost on the picture."""
    left, top, right, bottom = (round(edge) for edge in zone)
    side = right - left
    beneath = float(luminances(np.asarray(canvas.crop((left, top, right, bottom)).reduce(4))).mean())
    mark = logo if logo.mode == "RGBA" else logo.convert("RGBA")
    seen = _seen(mark)
    if seen is None:
        return
    light, dark = max(seen, beneath) + 0.05, min(seen, beneath) + 0.05
    if light / dark < _VISIBLE:
        white = seen < 0.4
        plate = Plate((left, top, right, bottom), side * 0.22, "ink")
        _fill(canvas, plate, (255, 255, 255) if white else (20, 20, 24))
        inset = round(side * 0.14)
        left, top, side = left + inset, top + inset, side - 2 * inset
    scale = min(side / mark.width, side / mark.height)
    size = max(1, round(mark.width * scale)), max(1, round(mark.height * scale))
    shown = mark.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    canvas.paste(shown, (left + (side - size[0]) // 2, top + (side - size[1]) // 2), shown)


def _seen(mark: Image.Image) -> float | None:
    """Mean luminance of the visible part of ``mark``; ``None`` when all is transparent."""
    small = np.asarray(mark.resize((48, 48), Image.Resampling.BOX))
    weight = small[..., 3].astype(np.float64)
    if not weight.any():
        return None
    return float((luminances(small[..., :3]) * weight).sum() / weight.sum())
