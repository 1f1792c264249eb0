from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageStat

from maquette.errors import InvalidInput
from maquette.media.fonts import Font, markless, packaged, roboto
from maquette.media.lettering import Direction
from maquette.media.slides import (
    Layout,
    SlideContent,
    SlideKpi,
    SlideStyle,
    layout_slide,
    require_fits,
    typefaces,
    typeset,
)
from maquette.media.slides.bidi import levels, visual_order
from maquette.media.slides.elements import Block
from maquette.media.slides.typefaces import Typeface, face
from maquette.media.slides.typeset import Box, Type, fit
from tests.media.test_media_fonts import square

SIZES = [(1080, 1350), (1080, 1080), (1080, 1920), (1920, 1080), (1080, 1620), (1280, 720), (1024, 1024), (540, 675)]
STYLE = SlideStyle(palette=("#5b2be0", "#ff5a5f"))
HEBREW = next(font for font in packaged() if "Hebrew" in font.path.name)

WORDS = st.one_of(
    st.sampled_from(
        ["Où", "ça", "?", "«", "L’été", "œuvre", "10\u00a0000", "€", "🎉", "rendez-vous", "2026", "%", "–"]
    ),
    st.sampled_from(["مرحبا", "شرائحك", "שלום", "(2026)", "كل", "الألوان،"]),
    st.text("abcdefgijpqÀÉÇy", min_size=1, max_size=16),
)
TEXTS = st.lists(WORDS, max_size=9).map(" ".join)
DELTAS = st.sampled_from(["+35 %", "×2,4", "", "12 000", "de 3 à 12 jours", "deux fois plus"])
CONTENTS = st.builds(
    SlideContent,
    type=st.sampled_from(["hero", "problem", "solution", "impact", "content", "citation", "cta"]),
    title=TEXTS,
    subtitle=TEXTS,
    body=TEXTS,
    bullets=st.lists(TEXTS, max_size=4).map(tuple),
    cta=st.lists(WORDS, max_size=3).map(" ".join),
    badge=st.lists(WORDS, max_size=2).map(" ".join),
    note=TEXTS,
    author=st.lists(WORDS, max_size=2).map(" ".join),
    kpis=st.lists(st.builds(SlideKpi, label=TEXTS, delta=DELTAS), max_size=3).map(tuple),
)


def laid_out(content: SlideContent, size: tuple[int, int] = (1080, 1350), *, logo: bool = False) -> Layout:
    return layout_slide(content, style=STYLE, size=size, number=2, total=7, logo=logo)


def block(layout: Layout, field: str) -> Block:
    (found,) = [each for each in layout.blocks if each.field == field]
    return found


def ink(each: Block) -> Box:
    """The box of the pixels that are drawn of a text."""
    boxes = []
    for run in (run for line in each.lines for run in line.runs):
        opened, scale = face(run.font, run.size, run.weight)
        start = (run.x % 1, run.y % 1)
        assert scale == 1
        mask, offset = opened.getmask2(run.text, "L", direction=run.direction, anchor="ls", start=start)
        found = mask.getbbox()
        if found:
            x, y = offset[0] + run.x // 1, offset[1] + run.y // 1
            boxes.append((found[0] + x, found[1] + y, found[2] + x, found[3] + y))
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def inside(inner: Box, outer: Box, *, slack: float) -> bool:
    starts = all(inner[index] >= outer[index] - slack for index in (0, 1))
    return starts and all(inner[index] <= outer[index] + slack for index in (2, 3))


def overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def said(content: SlideContent) -> dict[str, str]:
    """What must be read, by field, without white space."""
    fields = {name: str(getattr(content, name)) for name in ("title", "subtitle", "body", "cta", "badge", "note")}
    if not all(map(markless, content.author)):
        fields["author"] = content.author if content.author.strip().startswith("–") else f"—{content.author}"
    fields |= {f"bullets[{index}]": text for index, text in enumerate(content.bullets)}
    for index, kpi in enumerate(content.kpis):
        fields |= {f"kpis[{index}].label": kpi.label, f"kpis[{index}].delta": kpi.delta}
    seen = {name: "".join(char for char in text if not markless(char)) for name, text in fields.items()}
    return {name: text for name, text in seen.items() if text}


@settings(max_examples=25, deadline=None)
@given(CONTENTS, st.sampled_from(SIZES), st.booleans())
def test_all_that_is_said_is_drawn_whole_in_its_place_or_refused(
    content: SlideContent, size: tuple[int, int], logo: bool
) -> None:
    try:
        layout = laid_out(content, size, logo=logo)
    except InvalidInput:
        return
    read = {each.field: "".join(char for char in each.text if not markless(char)) for each in layout.blocks}
    expected = said(content)
    assert {name: read.get(name) for name in expected} == expected
    zone = layout.zones
    for each in layout.blocks:
        assert inside(ink(each), zone.safe, slack=1), each.field
        assert inside(ink(each), each.box, slack=1), each.field
        assert each.size >= zone.smallest_text - 0.1
        assert not (logo and overlap(ink(each), zone.logo)), each.field
    for one, other in combinations(layout.blocks, 2):
        assert not overlap(ink(one), ink(other)), (one.field, other.field)
    for plate in layout.plates:
        assert inside(plate.box, zone.safe, slack=0.5)
        assert not (logo and overlap(plate.box, zone.logo))


def test_sizes_and_zones_are_those_of_the_contract() -> None:
    layout = laid_out(SlideContent(type="hero", title="Un titre", subtitle="Dessous", cta="Lire"), logo=True)
    assert [block(layout, name).size for name in ("title", "subtitle", "cta")] == [92, 48, 52]
    content = SlideContent(title="Un titre", subtitle="Dessous", body="Un texte", bullets=("Un point",))
    layout = laid_out(content)
    assert [block(layout, name).size for name in ("title", "subtitle", "body", "bullets[0]")] == [86, 48, 40, 42]
    assert block(laid_out(SlideContent(type="citation", title="Rien")), "title").size == 72
    assert (layout.zones.safe, layout.zones.logo) == ((60, 80, 1020, 1230), (900, 1200, 1020, 1320))


def test_tall_pictures_leave_the_players_controls_free() -> None:
    layout = laid_out(SlideContent(title="mot " * 40, body="mot " * 60), (1080, 1920), logo=True)
    assert min(each.box[1] for each in layout.blocks) >= 0.12 * 1920
    assert max(each.box[3] for each in layout.blocks) <= 0.78 * 1920
    assert layout.zones.logo[3] <= 0.78 * 1920


def test_wide_pictures_keep_one_side_free_while_the_text_is_short() -> None:
    short = laid_out(SlideContent(title="Une idée par slide", body="Un message, un seul."), (1920, 1080))
    assert max(each.box[2] for each in short.blocks) < 1150
    word = laid_out(SlideContent(title="a" * 44), (1920, 1080))
    assert block(word, "title").box[2] > 1150
    long = SlideContent(title="mot " * 20, bullets=("mot " * 12,) * 4, note="mot " * 15)
    assert max(each.box[2] for each in laid_out(long, (1920, 1080)).blocks) > 1300


def test_text_shrinks_only_as_far_as_it_must() -> None:
    sizes = [block(laid_out(SlideContent(title="Titre", body="mot " * count)), "body").size for count in (5, 190, 320)]
    assert sizes[0] == 40
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < 40


def test_lines_of_a_title_are_balanced() -> None:
    lines = block(laid_out(SlideContent(title="Cinq erreurs qui ruinent tous vos beaux carrousels")), "title").lines
    widths = [sum(run.width for run in line.runs) for line in lines]
    assert len(lines) > 1
    assert min(widths) > 0.6 * max(widths)


def test_what_is_tied_stays_on_one_line() -> None:
    typeface = Typeface("Roboto", 700)
    fitted = fit("Vraiment ? « Oui » 10\u00a0000\u202f€", Type(typeface, 40, 24, 1.2), room=260, field="title")
    assert " ".join(fitted.lines) == "Vraiment\u00a0? «\u00a0Oui\u00a0» 10\u00a0000\u202f€"
    assert all(line.strip("\u00a0") == line for line in fitted.lines)
    assert len(fitted.lines) > 1


def test_a_compound_breaks_at_its_hyphens_before_it_is_refused() -> None:
    compound = "Donaudampfschifffahrts-Elektrizitäten-Hauptbetriebswerk-Bauunterbeamten-Gesellschaft"
    fitted = fit(compound, Type(Typeface("Roboto", 700), 86, 44, 1.2), room=960, field="title")
    assert "".join(fitted.lines) == compound
    assert all(line.endswith("-") for line in fitted.lines[:-1])


def test_ideographs_break_anywhere_but_before_their_punctuation(tmp_path: Path, only: "Only") -> None:
    text = "漢字仮名交文漢字。仮名交文漢字仮名交文、漢字"
    only(roboto("Black"), square(tmp_path / "han.ttf", text))
    fitted = fit(text, Type(Typeface("Roboto", 700), 80, 40, 1.2), room=400, field="title")
    assert "".join(fitted.lines) == text
    assert len(fitted.lines) > 2
    assert not any(line[0] in "。、" for line in fitted.lines)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (SlideContent(title="a" * 120), "title"),
        (SlideContent(bullets=("court", "b" * 200)), "bullets[1]"),
        (SlideContent(type="impact", kpis=(SlideKpi(label="part", delta="9" * 90),)), "kpis[0].delta"),
        (SlideContent(title="Titre", body="mot " * 900), "body"),
        (SlideContent(cta="c" * 90), "cta"),
    ],
)
def test_what_cannot_be_laid_out_is_refused_by_its_field(content: SlideContent, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        require_fits(content, style=STYLE, size=(1080, 1350))
    assert caught.value.values["field"] == field
    assert field in str(caught.value)
    assert "shorten" in str(caught.value)


def test_a_script_without_a_font_is_refused_not_boxed() -> None:
    with pytest.raises(InvalidInput) as caught:
        require_fits(SlideContent(title="Bonjour ෴"), style=STYLE, size=(1080, 1350))
    assert caught.value.code == "script_not_drawable"


@pytest.mark.parametrize(("number", "total", "size"), [(0, 3, (1080, 1350)), (4, 3, (1080, 1350)), (1, 3, (1080, 40))])
def test_impossible_slides_are_refused(number: int, total: int, size: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput):
        layout_slide(SlideContent(title="T"), style=STYLE, size=size, number=number, total=total)


def test_right_to_left_slides_are_mirrored() -> None:
    content = SlideContent(title="لا أحد يقرأ شرائحك", bullets=("عناوين لا تعد بشيء", "Instagram"), badge="دليل")
    layout = laid_out(content)
    _, _, right, _ = layout.zones.safe
    assert layout.way == "rtl"
    assert block(layout, "title").box[2] == pytest.approx(right, abs=8)
    first, second = block(layout, "bullets[0]").box, block(layout, "bullets[1]").box
    assert first[2] == pytest.approx(second[2], abs=8)
    dots = [plate for plate in layout.plates if plate.tone == "figure" and plate.box[0] > first[2]]
    assert len([dot for dot in dots if first[1] < dot.box[1] < second[3]]) == 2
    assert all(point[0] < 200 for stroke in layout.strokes for point in stroke.points)
    wide = laid_out(content, (1920, 1080))
    assert min(each.box[0] for each in wide.blocks if each.field != "progress") > 700


def test_hanging_indents_are_aligned() -> None:
    layout = laid_out(SlideContent(bullets=("I " * 90, "I", "I")))
    starts = {round(line.runs[0].x, 3) for each in layout.blocks if "bullets" in each.field for line in each.lines}
    assert len(starts) == 1
    assert starts.pop() > layout.zones.safe[0] + 20


def test_a_figure_reads_from_left_to_right_in_any_language() -> None:
    layout = laid_out(SlideContent(type="impact", title="ما الذي", kpis=(SlideKpi(label="من", delta="+35 %"),)))
    runs = block(layout, "kpis[0].delta").lines[0].runs
    assert "".join(run.text for run in runs) == "+35\u00a0%"
    assert {run.direction for run in runs} == {"ltr"}


def test_a_figure_that_leaves_no_room_has_its_label_below() -> None:
    kpis = (SlideKpi(label="de portée", delta="+35 %"), SlideKpi(label="par jour", delta="anticonstitutionnel"))
    beside, below = (laid_out(SlideContent(type="impact", kpis=each)) for each in (kpis[:1], kpis))
    assert block(beside, "kpis[0].label").box[0] > block(beside, "kpis[0].delta").box[2]
    assert block(below, "kpis[0].delta").size == block(below, "kpis[1].delta").size
    for index in (0, 1):
        assert block(below, f"kpis[{index}].label").box[1] > block(below, f"kpis[{index}].delta").box[3]


def test_the_last_slide_and_the_only_one_ask_for_no_swipe() -> None:
    content = SlideContent(title="Fin")
    strokes = {
        (number, total): len(layout_slide(content, style=STYLE, size=(1080, 1350), number=number, total=total).strokes)
        for number, total in ((1, 3), (3, 3), (1, 1))
    }
    assert strokes[1, 3] > 0
    assert strokes[3, 3] == strokes[1, 1] == 0


def test_a_brand_font_is_used_where_it_is_installed() -> None:
    style = SlideStyle(title_font="noto sans hebrew", body_font="No Such Font")
    layout = layout_slide(SlideContent(title="Logo", body="Texte"), style=style, size=(1080, 1350), number=1, total=1)
    assert block(layout, "title").lines[0].runs[0].font == HEBREW
    assert block(layout, "body").lines[0].runs[0].font == roboto("Regular")


def test_the_weight_of_a_variable_font_is_chosen() -> None:
    thin, bold = (face(HEBREW, 100, weight)[0].getmask("ש").getbbox() for weight in (100, 900))
    assert thin != bold


class Only:
    """Lets a test say which fonts there are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, *fonts: Font) -> None:
        self._monkeypatch.setattr(typefaces, "available", lambda: fonts)
        forget()


def forget() -> None:
    for cached in (typefaces._chain, typefaces._families, typefaces.measured, typeset._units, typeset._space):
        cached.cache_clear()


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Iterator[Only]:
    yield Only(monkeypatch)
    monkeypatch.undo()
    forget()


LETTERS = "אבגשabcABC123 ()[]+-,.%/!?"


def drawn(pieces: list[tuple[str, Direction]]) -> Image.Image:
    opened, _ = face(HEBREW, 40, 400)
    picture = Image.new("L", (900, 60))
    pen, x = ImageDraw.Draw(picture), 5.0
    for text, way in pieces:
        pen.text((x, 45), text, font=opened, fill=255, anchor="ls", direction=way, features=["-kern"])
        x += opened.getlength(text, direction=way, features=["-kern"])
    return picture


@example("א a(b)", "rtl")
@example("א [a] ב", "ltr")
@example("א 1,2", "rtl")
@example("א 3% 4-5", "rtl")
@example("a 1,2 (ב) 3/4", "ltr")
@settings(max_examples=100, deadline=None)
@given(st.text(LETTERS, min_size=1, max_size=24).map(str.strip).filter(bool), st.sampled_from(["ltr", "rtl"]))
def test_pieces_stand_where_fribidi_puts_them(text: str, base: Direction) -> None:
    at = levels(text, base=base)
    pieces: list[tuple[str, int]] = []
    for char, level in zip(text, at, strict=True):
        if pieces and pieces[-1][1] == level:
            pieces[-1] = (pieces[-1][0] + char, level)
        else:
            pieces.append((char, level))
    order = visual_order([level for _, level in pieces])
    ours = drawn([(pieces[index][0], "rtl" if pieces[index][1] % 2 else "ltr") for index in order])
    whole = drawn([(text, base)])
    # Fractions of a pixel are rounded otherwise: letters in other places differ by far more.
    difference = ImageStat.Stat(ImageChops.difference(ours.reduce(6), whole.reduce(6))).sum[0]
    assert difference <= 0.2 * ImageStat.Stat(whole.reduce(6)).sum[0]
