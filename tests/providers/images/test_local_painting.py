"""What the local provider paints: words, colours, variants, calm, sizes."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from maquette.brands.models import BrandKit
from maquette.errors import Invalid
from maquette.images.prompts import image_prompt, visual_styles
from maquette.providers.clips.local import lexicon, paint
from maquette.providers.images.local import colours
from maquette.providers.images.local.canvas import Canvas
from maquette.providers.images.local.look import Look, plan
from maquette.providers.images.local.picture import COMPOSITIONS, jpeg, swatch
from maquette.providers.images.local.picture import paint as painted
from maquette.providers.images.port import ImageRequest, Ratio
from tests.providers.image_contract import a_file, a_picture, a_request

SMALL: dict[Ratio, tuple[int, int]] = {
    "1:1": (256, 256), "4:5": (216, 270), "9:16": (216, 384), "16:9": (384, 216), "2:3": (216, 324),
    "yt-thumb": (320, 180),
}  # fmt: skip
TOPICS = [
    ("fr", "Les bienfaits du café le matin pour la concentration"), ("en", "How to save money every month"),
    ("es", "Consejos para proteger el océano y sus peces"), ("fr", "Randonnée en montagne : l'équipement"),
    ("en", "Artificial intelligence for small businesses"), ("es", "Receta de pan casero con trigo"),
    ("fr", "Yoga et sommeil : mieux dormir la nuit"), ("en", "Space exploration: the next rocket to Mars"),
    ("fr", "Rénover son immeuble en ville"), ("es", "Regalos para la fiesta de cumpleaños"),
]  # fmt: skip
hexes = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def _look(prompt: str, **changes: object) -> Look:
    return plan(a_request(prompt=prompt, **changes))


def _small(request: ImageRequest, **more: tuple[str, ...]) -> np.ndarray:
    picture = painted(request, **more).resize((24, 30), Image.Resampling.BOX)
    return np.asarray(picture, dtype=np.float64)


@pytest.mark.parametrize("composition", sorted(COMPOSITIONS))
@pytest.mark.parametrize("ratio", SMALL)
def test_every_composition_fills_every_ratio(
    composition: str, ratio: Ratio, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    look = _look("Une forêt, une tasse de café et un livre", palette=("#0b6e4f", "#f4a259"))
    changed = {"composition": composition, "place": "hills", "flipped": ratio in ("9:16", "16:9")}
    monkeypatch.setattr(
        "maquette.providers.images.local.picture.plan", lambda *_, **__: look.model_copy(update=changed)
    )
    width, height = SMALL[ratio]
    picture = painted(a_request(ratio=ratio, width=width, height=height))
    assert (picture.mode, picture.size) == ("RGB", (width, height))
    pixels = np.asarray(picture)
    for corner in (pixels[:8, :8], pixels[:8, -8:], pixels[-8:, :8], pixels[-8:, -8:]):
        assert corner.max() > 12, "a corner was left black"
    assert len(np.unique(pixels // 16)) > 4


@settings(max_examples=12, deadline=None)
@given(
    st.integers(64, 300),
    st.integers(64, 300),
    st.text(max_size=40),
    st.integers(0, 2**31 - 1),
    st.lists(hexes, max_size=4),
)
def test_any_request_is_painted_in_its_size(
    width: int, height: int, prompt: str, seed: int, palette: list[str]
) -> None:
    request = a_request(prompt=prompt, width=width, height=height, seed=seed, palette=tuple(palette))
    assert painted(request).size == (width, height)


def test_neighbouring_seeds_are_clearly_different_variants() -> None:
    pictures = [_small(a_request(seed=seed, palette=("#1d4ed8", "#facc15"))) for seed in range(6)]
    assert min(abs(a - b).mean() for a, b in itertools.combinations(pictures, 2)) > 12
    assert len({_look(a_request().prompt, seed=seed).composition for seed in range(6)}) == 6


def test_ten_topics_do_not_look_alike_in_the_same_colours() -> None:
    looks = [_look(topic, language=language) for language, topic in TOPICS]
    assert len({(look.composition, look.place, look.hero) for look in looks}) == len(TOPICS)
    pictures = [
        _small(a_request(prompt=topic, language=language, palette=("#1d4ed8", "#facc15"))) for language, topic in TOPICS
    ]
    assert min(abs(a - b).mean() for a, b in itertools.combinations(pictures, 2)) > 6


@pytest.mark.parametrize(("seed", "composition"), list(enumerate(sorted(COMPOSITIONS))))
def test_the_upper_part_is_calm_enough_for_a_text(
    seed: int, composition: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    look = _look("Une forêt, une tasse de café et un livre", seed=seed, palette=("#0b6e4f", "#f4a259"))
    changed = {"composition": composition, "place": "hills"}
    monkeypatch.setattr(
        "maquette.providers.images.local.picture.plan", lambda *_, **__: look.model_copy(update=changed)
    )
    grey = np.asarray(painted(a_request()).convert("L").resize((54, 68), Image.Resampling.BOX), dtype=np.float64)
    steps = abs(np.diff(grey[:24], axis=0)).mean() + abs(np.diff(grey[:24], axis=1)[:, 2:-2]).mean()
    assert steps < 11  # a photograph of a crowd has some 40


@pytest.mark.parametrize("prompt", ["Une tasse de café", "Una taza de café", "A cup of coffee"])
def test_words_are_read_in_the_language_that_they_are_in(prompt: str) -> None:
    look = _look(prompt, language="fr")
    assert {look.hero, *look.others} >= {"coffee"}


def test_an_article_of_one_language_is_no_thing_of_another() -> None:
    assert _look("le thé", language="fr").hero is not None
    assert _look("a quux in the quux", language="en").hero is None


def test_words_about_the_picture_are_no_motif() -> None:
    """Whatever the domain's prompts add to a topic: styles, modes, categories, goals, industry, colours, tone."""
    topic = "Une photo de pain au levain, lumière douce"
    bare = _look(topic)
    assert (bare.hero, bare.others, bare.mood) == ("bread-slice", (), "")
    kit = BrandKit(niche="coffee shop", palette=["#ff8800", "#5a3210", "#e0b0c0"], voice="warm as the sun")
    for style, mode, category, goal in itertools.zip_longest(
        visual_styles(), ("vibrant", "pastel", "neutral"), ("background", "character", "product"),
        ("education", "vente", "lead", "engagement", "notoriete"), fillvalue="",
    ):  # fmt: skip
        prompt = image_prompt(topic, kit, style=style, color_mode=mode, category=category, goal=goal)
        look = _look(prompt.text, avoid=prompt.avoid)
        assert (look.hero, look.others, look.mood) == ("bread-slice", (), ""), prompt.text


def test_a_background_is_painted_without_a_motif() -> None:
    look = _look(image_prompt("Un café à la montagne", None, background_only=True).text)
    assert (look.hero, look.others, look.place) == (None, (), "mountain")


@pytest.mark.parametrize("palette", [(), ("#d01c1c",)])
def test_colour_modes_say_how_colourful_a_picture_is(palette: tuple[str, ...]) -> None:
    def chroma(mode: str) -> float:
        text = image_prompt("Un café", None, color_mode=mode).text
        # Of the same colours: a prompt's hash chooses them.
        shades = [_look(f"{text} {'·' * i}", palette=palette, seed=0).palette for i in range(8)]
        return sum(colours.tone(paint.rgb(each.sky[0])).chroma for each in shades)

    assert chroma("neutral") < chroma("pastel") < chroma("")


def test_what_names_nothing_is_painted_without_a_motif() -> None:
    look = _look("Wxyz qwrt")
    assert (look.hero, look.others, look.place) == (None, (), "nothing")
    trade = image_prompt("Wxyz qwrt", BrandKit(niche="coffee roaster"))
    assert _look(trade.text).hero == "coffee"


def test_what_is_to_be_avoided_is_not_shown() -> None:
    prompt = "Un homme boit un café devant une montagne"
    assert {_look(prompt).hero, *_look(prompt).others} >= {"coffee", "account"}
    look = _look(prompt, avoid=("le café", "people, person"))
    assert not {look.hero, *look.others} & {"coffee", "account"}
    assert _look(prompt, avoid=("montagnes",)).place != "mountain"


def test_no_picture_shows_letters() -> None:
    every = "; ".join(concept.fr.split("/")[0] for concept in lexicon.concepts())
    chunks = [every[i : i + 200] for i in range(0, len(every), 200)]
    shown = {icon for chunk in chunks for icon in (_look(chunk).hero, *_look(chunk).others) if icon}
    assert len(shown) > 20
    assert not shown & {"sleep", "molecule-co2", "bitcoin", "help-circle", "printer-3d", "clipboard-list", "alert"}
    assert all(paint.has_pictogram(icon) for icon in shown)


def _hue(pixels: np.ndarray) -> float:
    red, green, blue = (round(float(v)) for v in pixels.reshape(-1, 3).mean(axis=0))
    return colours.tone((red, green, blue)).hue


@pytest.mark.parametrize("brand", ["#0b6e4f", "#d01c1c", "#1d4ed8", "#7c3aed"])
def test_a_brand_colours_its_pictures(brand: str) -> None:
    for seed in range(3):
        apart = _hue(_small(a_request(seed=seed, palette=(brand,)))) - colours.tone(paint.rgb(brand)).hue
        assert abs(math.remainder(apart, math.tau)) < 0.8


def test_the_colours_of_the_first_reference_take_the_place_of_the_brand(tmp_path: Path) -> None:
    _, path = a_file(tmp_path, a_picture("#c01818"))
    found = colours.of_reference(path)
    with_it = _small(a_request(palette=("#1d4ed8",)), reference_colours=found)
    apart = _hue(with_it) - colours.tone(paint.rgb("#c01818")).hue
    assert abs(math.remainder(apart, math.tau)) < 0.8


def test_the_small_vivid_part_of_a_reference_counts(tmp_path: Path) -> None:
    logo = Image.new("RGB", (60, 60), "#ffffff")
    logo.paste("#e11d48", (20, 20, 40, 40))
    logo.save(tmp_path / "logo.png")
    first = colours.tone(paint.rgb(colours.of_reference(tmp_path / "logo.png")[0]))
    assert first.chroma > 0.1


def test_a_reference_that_only_begins_like_a_picture_is_refused(tmp_path: Path) -> None:
    _, path = a_file(tmp_path, a_picture()[:40])
    with pytest.raises(Invalid, match="PNG, JPEG or WebP"):
        colours.of_reference(path)


@settings(max_examples=50, deadline=None)
@given(hexes)
def test_a_colour_is_found_again_in_oklch(code: str) -> None:
    r, g, b = paint.rgb(code)
    again = colours.colour(*colours.tone((r, g, b)))
    assert max(abs(x - y) for x, y in zip(again, (r, g, b), strict=True)) <= 2


@settings(max_examples=50, deadline=None)
@given(hexes, hexes)
def test_a_motif_stands_out_from_its_ground(fill: str, ground: str) -> None:
    shown = colours.against(paint.rgb(fill), paint.rgb(ground))
    assert colours.apart(colours.tone(shown), colours.tone(paint.rgb(ground))) > 0.17


@settings(max_examples=50, deadline=None)
@given(st.lists(hexes, min_size=1, max_size=6), st.integers(0, 50), st.booleans())
def test_any_brand_has_a_palette_from_light_to_shade(brand: list[str], turn: int, dark: bool) -> None:
    inks = colours.of_brand(brand, turn=turn, dark=dark, vivid=1)
    shades = [colours.tone(colours.ramp(inks.palette, step / 8)).light for step in range(9)]
    assert all(a >= b - 0.03 for a, b in itertools.pairwise(shades))
    assert len(inks.accents) == 2


def test_a_file_is_equal_for_equal_requests_and_small_enough_to_keep() -> None:
    request = a_request(width=1080, height=1350)
    first, second = jpeg(painted(request)), jpeg(painted(request))
    assert first == second
    assert 50_000 < len(first) < 900_000


def test_an_instant_picture_has_its_size_and_differs_by_seed(tmp_path: Path) -> None:
    files = [swatch(a_request(seed=seed, width=1080, height=1350)) for seed in range(5)]
    assert len(set(files)) == 5
    assert max(map(len, files)) < 5000
    (tmp_path / "p.png").write_bytes(files[0])
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.convert("RGB").size == (1080, 1350)


def test_a_blurred_motif_has_no_hard_edge() -> None:
    sharp, soft = Canvas((120, 120), ink=(0, 0, 0)), Canvas((120, 120), ink=(0, 0, 0))
    for canvas, blur in ((sharp, 0.0), (soft, 6.0)):
        canvas.motif("heart", 60, 60, 80, (255, 0, 0), shadow=0, blur=blur)
    steps = [abs(np.diff(np.asarray(c.image, dtype=int)[60, :, 0])).max() for c in (sharp, soft)]
    assert steps[1] < steps[0] / 2
