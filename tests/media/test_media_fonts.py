from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maquette.errors import InvalidInput
from maquette.media import fonts, lettering
from maquette.media.fonts import Font, available, choose, clusters, packaged, require_drawable, roboto, uncovered
from maquette.media.frame import Frame
from maquette.media.lettering import caption


def square(path: Path, chars: str, *, colour: int | None = None) -> Font:
    """A font that draws a square for each of ``chars``; in blue (COLR of version ``colour``) where that is given."""
    pen = TTGlyphPen(None)
    for point in ((100, 0), (100, 700), (800, 700), (800, 0)):
        (pen.moveTo if point == (100, 0) else pen.lineTo)(point)
    pen.closePath()
    glyph = pen.glyph()
    names = [".notdef", "box", "layer"]
    builder = FontBuilder(1000)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(char): "box" for char in chars})
    builder.setupGlyf(dict.fromkeys(names, glyph))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (900, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Square", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    if colour == 0:
        builder.setupCPAL([[(0, 0, 1, 1)]])
        builder.setupCOLR({"box": [("layer", 0)]}, version=0)
    if colour == 1:
        builder.setupCPAL([[(0, 0, 1, 1)]])
        solid = {"Format": 2, "PaletteIndex": 0, "Alpha": 1.0}
        builder.setupCOLR({"box": {"Format": 10, "Glyph": "layer", "Paint": solid}}, version=1)
    builder.save(path)
    return Font(path)


def test_roboto_draws_the_languages_of_the_scripts() -> None:
    text = "Où ça ? L’été, « dès Noël », œuvre… ¿Qué pasó, señor? Über straße, naïve – €"
    assert {choice.font for choice in choose(text, fonts=packaged())} == {roboto("Black")}


def test_a_script_without_a_font_is_refused_by_its_characters() -> None:
    only_roboto = [roboto("Black")]
    assert uncovered("Bonjour क्षेत्र", fonts=only_roboto).startswith("क")
    with pytest.raises(InvalidInput) as caught:
        require_drawable("Bonjour ෴", fonts=only_roboto)
    assert caught.value.code == "script_not_drawable"
    assert caught.value.values["characters"] == "෴"
    assert "෴" in caught.value.text("fr")


def test_arabic_and_hebrew_are_refused_without_a_font_and_drawn_with_one(tmp_path: Path) -> None:
    for text in ("مرحبا", "שלום"):
        assert set(uncovered(text, fonts=[roboto("Black")])) == set(text)
        own = square(tmp_path / f"{ord(text[0])}.ttf", text)
        assert choose(text, fonts=[roboto("Black"), own])[0].font == own


def test_what_leaves_no_mark_needs_no_font() -> None:
    assert uncovered("a\u200d\ufe0f\u200e\n\t\u00a0\u202f\ufeff", fonts=[roboto("Black")]) == ""


def test_a_decomposed_accent_counts_as_its_letter() -> None:
    assert uncovered("e\u0301te\u0301", fonts=[roboto("Black")]) == ""


def test_an_emoji_takes_the_colour_font_even_when_another_draws_it(tmp_path: Path) -> None:
    plain = square(tmp_path / "plain.ttf", "😀")
    colour = square(tmp_path / "colour.ttf", "😀2", colour=0)
    runs = choose("2 😀", fonts=[roboto("Black"), plain, colour])
    assert [(run.text, run.font) for run in runs] == [("2 ", roboto("Black")), ("😀", colour)]


def test_gradient_emoji_that_would_come_out_empty_do_not_count(tmp_path: Path) -> None:
    assert square(tmp_path / "v1.ttf", "😀", colour=1).coverage == frozenset()


def test_an_emoji_without_a_font_becomes_a_pictogram() -> None:
    runs = choose("Fête 🎉👍🏽❤️", fonts=[roboto("Black")])
    assert "".join(run.text for run in runs[:1]) == "Fête "
    assert {run.font.path.name for run in runs[1:]} == {"materialdesignicons-webfont.ttf"}
    assert all(ord(char) in run.font.coverage for run in runs[1:] for char in run.text)


def test_joined_emoji_that_no_font_has_are_refused_whole() -> None:
    family = "👨\u200d👩\u200d👧"
    assert list(clusters(family + "🇫🇷a")) == [family, "🇫🇷", "a"]
    assert uncovered(family, fonts=[roboto("Black")])


def test_an_unreadable_font_covers_nothing(tmp_path: Path) -> None:
    path = tmp_path / "broken.ttf"
    path.write_bytes(b"not a font")
    assert Font(path).coverage == frozenset()


@given(st.text(max_size=40))
def test_either_some_characters_are_named_or_every_run_is_drawn_by_its_font(text: str) -> None:
    chosen = [roboto("Black")]
    missing = uncovered(text, fonts=chosen)
    if missing:
        with pytest.raises(InvalidInput):
            choose(text, fonts=chosen)
    else:
        for run in choose(text, fonts=chosen):
            assert all(fonts.markless(c) or ord(c) in run.font.coverage for c in run.text)


def ink(strip: Image.Image) -> tuple[int, int, int, int]:
    box = strip.getchannel("A").point(lambda level: 255 if level > 200 else 0).getbbox()
    assert box is not None
    return box


@pytest.mark.parametrize(
    "text",
    [
        "Le saviez-vous ?",
        "anticonstitutionnellement extraordinairement rhinocéros gastro-entérologue",
        "W" * 90,
        "a b c d",
        "🎉 Fête",
    ],
)
@pytest.mark.parametrize("aspect", ["9:16", "16:9"])
def test_a_caption_is_never_cut_and_keeps_its_margins(text: str, aspect: str) -> None:
    frame = Frame.of(aspect)
    strip = caption(text, frame=frame)
    left, top, right, bottom = ink(strip)
    room = (frame.width - frame.text_width) / 2 - 12  # the outline may reach over by its width
    assert left >= room
    assert right <= frame.width - room
    assert 0 < top < bottom < strip.height


def test_a_caption_is_big_enough_for_a_phone() -> None:
    _, top, _, bottom = ink(caption("Hg", frame=Frame.of("9:16")))
    assert bottom - top > 70


def test_the_longest_word_is_stressed_in_colour() -> None:
    assert lettering.keyword(["Les", "abeilles", "dansent"]) == 1
    assert lettering.keyword(["Et", "puis"]) is None
    assert lettering.keyword(["Magnifique"]) is None


def test_a_colour_emoji_keeps_its_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colour = square(tmp_path / "colour.ttf", "😀", colour=0)
    monkeypatch.setattr(fonts, "available", lambda: (roboto("Black"), colour))
    strip = caption("oh 😀", frame=Frame.of("9:16"))
    assert (0, 0, 255, 255) in {pixel for _, pixel in strip.getcolors(1 << 20) or []}


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (["one", "two"], ["one", "two"]),
        (["שלום", "עולם"], ["עולם", "שלום"]),
        (["il", "dit", "שלום", "עולם", "fort"], ["il", "dit", "עולם", "שלום", "fort"]),
        (["שלום", "Paris", "ok", "עולם"], ["עולם", "Paris", "ok", "שלום"]),
        (["שנת", "2026", "טובה"], ["טובה", "2026", "שנת"]),
    ],
)
def test_right_to_left_words_are_placed_as_they_are_read(words: list[str], seen: list[str]) -> None:
    base = lettering.direction(" ".join(words))
    assert [words[index] for index in lettering._seen(words, base=base)] == seen


def test_a_right_to_left_caption_is_shaped() -> None:
    if uncovered("مرحبا", fonts=available()):
        pytest.skip("no Arabic font is installed here")
    joined = ink(caption("مرحبا", frame=Frame.of("9:16")))
    apart = ink(caption("م\u200cر\u200cح\u200cب\u200cا", frame=Frame.of("9:16")))
    assert joined[2] - joined[0] < apart[2] - apart[0]  # joined forms are narrower than isolated ones
