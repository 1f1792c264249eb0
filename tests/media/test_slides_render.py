from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.tables.sbixGlyph import Glyph
from fontTools.ttLib.tables.sbixStrike import Strike
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from maquette.media.fonts import Font, roboto
from maquette.media.slides import (
    Layout,
    SlideContent,
    SlideKpi,
    SlideStyle,
    backdrop,
    layout_slide,
    look_of,
    measured_contrast,
    render,
    render_slide,
    typefaces,
    typeset,
)  # fmt: skip
from maquette.media.slides.contrast import Colour, contrast, from_hex, luminance
from tests.media.test_media_fonts import square

SIZE = (540, 675)
PLAIN = SlideStyle()
CONTENTS = [
    SlideContent(type="hero", badge="Guide", title="Cinq erreurs", subtitle="Et comment les éviter", cta="Découvrir"),
    SlideContent(type="problem", title="Personne ne lit", bullets=("Trop de texte", "Pas assez d’air"), note="Source"),
    SlideContent(type="impact", title="Ce qui change", kpis=(SlideKpi(label="de portée", delta="+35 %"),)),
    SlideContent(type="citation", title="La simplicité est la sophistication suprême.", author="Léonard de Vinci"),
    SlideContent(type="cta", title="هل أنت مستعد؟", subtitle="حمّل القالب", cta="اعرف المزيد"),
]
HEX = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")
STYLES = st.builds(SlideStyle, text_color=st.none() | HEX, palette=st.lists(HEX, max_size=4).map(tuple))


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8))


def checkerboard(cell: int, one: str, other: str) -> Image.Image:
    cells = Image.fromarray((np.indices((SIZE[1], SIZE[0])) // cell).sum(0).astype(np.uint8) % 2 * 255)
    return Image.composite(Image.new("RGB", SIZE, one), Image.new("RGB", SIZE, other), cells)


def gradient(one: str, other: str) -> Image.Image:
    return Image.composite(
        Image.new("RGB", SIZE, one), Image.new("RGB", SIZE, other), Image.linear_gradient("L").resize(SIZE)
    )


BACKGROUNDS = st.one_of(
    HEX.map(lambda colour: Image.new("RGB", SIZE, colour)),
    st.sampled_from(["white", "black", "yellow", "blue", "lime", "red"]).map(lambda name: Image.new("RGB", SIZE, name)),
    st.builds(noise, st.integers(0, 99)),
    st.builds(checkerboard, st.sampled_from([1, 2, 3, 8, 40, 150]), HEX, HEX),
    st.builds(checkerboard, st.sampled_from([2, 8, 60]), st.just("white"), st.just("black")),
    st.builds(gradient, HEX, HEX),
)


def laid_out(content: SlideContent, style: SlideStyle = PLAIN) -> Layout:
    return layout_slide(content, style=style, size=SIZE, number=2, total=5)


def least_contrasts(background: Image.Image, content: SlideContent, style: SlideStyle) -> dict[str, float]:
    layout, look = laid_out(content, style), look_of(style)
    beneath = backdrop(background, layout, look)
    return {
        each.field: min(
            measured_contrast(beneath, each.box, getattr(look, each.tone), block=block) for block in (2, 4, 8)
        )
        for each in layout.blocks
    }


@settings(max_examples=80, deadline=None)
@given(BACKGROUNDS, st.sampled_from(CONTENTS), STYLES)
def test_every_text_is_legible_over_any_picture(
    background: Image.Image, content: SlideContent, style: SlideStyle
) -> None:
    found = least_contrasts(background, content, style)
    assert set(found) >= {"title", "progress"}
    assert {field: ratio for field, ratio in found.items() if ratio < 4.5} == {}


def test_without_the_scrim_text_would_not_be_legible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "scrim_opacity", lambda *pixels_inks_scrim: 0.0)
    assert least_contrasts(Image.new("RGB", SIZE, "white"), CONTENTS[0], PLAIN)["title"] < 1.1


def test_contrast_is_that_of_the_guidelines_and_of_the_worst_block() -> None:
    assert contrast((255, 255, 255), (0, 0, 0)) == pytest.approx(21)
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.005)  # WebAIM's example of grey
    assert luminance((255, 0, 0)) == pytest.approx(0.2126, abs=1e-6)
    picture = Image.new("RGB", (100, 100))
    ImageDraw.Draw(picture).rectangle((40, 40, 47, 47), fill="white")
    assert measured_contrast(picture, (0, 0, 100, 100), (255, 255, 255), block=8) == pytest.approx(1, abs=1e-6)
    assert measured_contrast(picture, (0, 0, 39, 100), (255, 255, 255)) == pytest.approx(21, abs=1e-3)


@pytest.mark.parametrize(
    ("asked", "kept"), [("#ffd23f", True), ("#ff5722", True), ("#0b1f4b", True), ("#7a7a30", False)]
)
def test_the_brands_colour_of_text_is_kept_where_a_scrim_can_carry_it(asked: str, kept: bool) -> None:
    ink = look_of(SlideStyle(text_color=asked)).ink
    assert (ink == from_hex(asked)) == kept
    assert kept or ink in {(255, 255, 255), (0, 0, 0)}


@given(STYLES)
def test_every_colour_of_a_look_can_be_read_on_its_ground(style: SlideStyle) -> None:
    look = look_of(style)
    pairs = [(look.ink, look.scrim), (look.figure, look.scrim), (look.on_accent, look.accent), (look.on_ink, look.ink)]
    assert all(contrast(text, ground) >= 4.5 for text, ground in pairs)
    assert contrast(look.accent, look.scrim) >= 3


def test_a_darker_picture_takes_a_lighter_scrim() -> None:
    def veiled(grey: int) -> float:
        layout = laid_out(CONTENTS[0])
        beneath = backdrop(Image.new("RGB", SIZE, (grey, grey, grey)), layout, look_of(PLAIN))
        return float(np.asarray(beneath)[-5, 5].mean()) / grey

    assert veiled(60) > veiled(240) + 0.1


def test_pale_palettes_have_dark_text_and_vivid_ones_white() -> None:
    assert luminance(look_of(SlideStyle(palette=("#f7d6e0", "#e8dff5"))).ink) < 0.05
    assert look_of(SlideStyle(palette=("#5b2be0", "#ff5a5f"))).ink == (255, 255, 255)


def test_the_picture_stays_as_it_is_where_there_is_no_text() -> None:
    background = noise(1)
    slide = render_slide(background, CONTENTS[0], style=PLAIN, number=1, total=3)
    assert (slide.mode, slide.size) == ("RGB", SIZE)
    assert np.array_equal(np.asarray(slide)[:60], np.asarray(background)[:60])
    assert not np.array_equal(np.asarray(slide)[-200:], np.asarray(background)[-200:])


def test_a_slide_full_of_text_is_veiled_to_its_edge() -> None:
    content = SlideContent(title="mot " * 12, body="mot " * 130)
    slide = render_slide(Image.new("RGB", SIZE, "white"), content, style=PLAIN, number=1, total=1)
    assert slide.getpixel((3, 0)) == slide.getpixel((3, 40))


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: content.type)
def test_the_words_are_really_drawn(content: SlideContent) -> None:
    background, look = Image.new("RGB", SIZE, "teal"), look_of(PLAIN)
    layout = laid_out(content)
    bare = np.asarray(backdrop(background, layout, look), np.int16)
    slide = np.asarray(render_slide(background, content, style=PLAIN, number=2, total=5), np.int16)
    for each in layout.blocks:
        left, top, right, bottom = (round(edge) for edge in each.box)
        there = (slice(top, bottom), slice(left, right))
        inked = np.abs(slide[there] - np.array(getattr(look, each.tone))).max(axis=2) < 12
        assert inked.mean() > 0.05, each.field
        assert np.abs(slide[there] - bare[there]).max() > 60


def test_equal_input_gives_equal_pixels() -> None:
    slides = []
    for _ in range(2):
        for cached in (typefaces.measured, typefaces.face, typeset._units, look_of):
            cached.cache_clear()
        slides.append(render_slide(noise(2), CONTENTS[1], style=SlideStyle(palette=("#123456",)), number=1, total=9))
    assert slides[0].tobytes() == slides[1].tobytes()


def test_a_slide_without_text_is_the_picture() -> None:
    background = noise(3)
    slide = render_slide(background, SlideContent(), style=PLAIN, number=1, total=1)
    assert slide.tobytes() == background.tobytes()


def mark(colour: Colour) -> Image.Image:
    logo = Image.new("RGBA", (300, 200))
    ImageDraw.Draw(logo).ellipse((0, 0, 299, 199), fill=(*colour, 255))
    return logo


def logo_zone(background: str, logo: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    slide = render_slide(Image.new("RGB", SIZE, background), CONTENTS[1], style=PLAIN, number=1, total=3, logo=logo)
    left, top, right, bottom = (
        round(edge)
        for edge in layout_slide(CONTENTS[1], style=PLAIN, size=SIZE, number=1, total=3, logo=True).zones.logo
    )
    return np.asarray(slide.crop((left, top, right, bottom)))


def test_a_logo_stands_in_its_zone_and_shows_the_picture_through() -> None:
    zone = logo_zone("black", mark((255, 200, 0)))
    assert tuple(zone[30, 30]) == (255, 200, 0)
    assert zone[2, 2].max() < 30


def test_a_logo_that_would_be_lost_gets_a_plate() -> None:
    zone = logo_zone("black", mark((10, 10, 20)))
    assert tuple(zone[30, 30]) == (10, 10, 20)
    assert tuple(zone[3, 30]) == (255, 255, 255)
    assert tuple(logo_zone("black", Image.new("RGBA", (40, 40)))[3, 30]) != (255, 255, 255)


def test_an_emoji_is_drawn_as_its_pictogram() -> None:
    with_emoji, without = (
        render_slide(Image.new("RGB", SIZE), SlideContent(title=title), style=PLAIN, number=1, total=1)
        for title in ("Fête 🎉", "Fête")
    )
    layout = laid_out(SlideContent(title="Fête 🎉"))
    pictogram = layout.blocks[0].lines[0].runs[-1]
    assert pictogram.font.path.name == "materialdesignicons-webfont.ttf"
    left, top, right, bottom = (round(edge) for edge in pictogram.box)
    drawn = [np.asarray(each)[top:bottom, left:right].max() for each in (with_emoji, without)]
    assert drawn[0] > 240 > drawn[1]


def with_bitmap(path: Path, emoji: str, size: int) -> Font:
    """A font whose ``emoji`` is an orange picture of one fixed size, as emoji fonts have them."""
    square(path, emoji)
    picture = path.with_suffix(".png")
    Image.new("RGBA", (size, size), (255, 120, 0, 255)).save(picture)
    with TTFont(path) as font:
        table = newTable("sbix")
        table.version, table.flags, table.numStrikes = 1, 1, 1
        strike = Strike(ppem=size, resolution=72)
        for name in font.getGlyphOrder():
            facts = {"graphicType": "png ", "imageData": picture.read_bytes()} if name == "box" else {}
            strike.glyphs[name] = Glyph(glyphName=name, **facts)
        table.strikes = {size: strike}
        font["sbix"] = table
        font.save(path)
    return Font(path)


@pytest.mark.parametrize("kind", ["layers", "bitmap"])
def test_a_colour_emoji_keeps_its_colour(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "emoji.ttf"
    font = square(path, "😀", colour=0) if kind == "layers" else with_bitmap(path, "😀", 96)
    monkeypatch.setattr(typefaces, "available", lambda: (roboto("Black"), roboto("Regular"), font))
    for cached in (typefaces._chain, typefaces._families, typefaces.measured, typeset._units):
        cached.cache_clear()
    try:
        slide = render_slide(Image.new("RGB", SIZE), SlideContent(title="Oh 😀"), style=PLAIN, number=1, total=1)
    finally:
        monkeypatch.undo()
        for cached in (typefaces._chain, typefaces._families, typefaces.measured, typeset._units):
            cached.cache_clear()
    colour = (0, 0, 255) if kind == "layers" else (255, 120, 0)
    near = np.abs(np.asarray(slide, np.int16) - np.array(colour)).max(axis=2) < 8
    assert near.sum() > 300
