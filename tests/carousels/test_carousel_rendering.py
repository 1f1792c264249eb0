"""Words that have no room: a writer's go, the client's stay; every plan fits every ratio."""

from typing import get_args

import pytest

from maquette.brands.models import BrandKit
from maquette.carousels.briefs import CarouselBrief
from maquette.carousels.models import SlideText
from maquette.carousels.rendering import drawn, look_of, made_to_fit, style_of_kit
from maquette.carousels.rules import parse_plan
from maquette.errors import InvalidInput
from maquette.media.slides import SlideStyle
from maquette.providers.images.port import Ratio
from maquette.providers.text.local import LocalWriter
from maquette.providers.text.port import CarouselRequest

FULL = SlideText(
    title="Un titre de quarante caractères environ.",
    subtitle="Un sous-titre qui dit en soixante caractères ce qui suit.",
    body="Un corps de texte qui explique la chose en cent caractères, pour qui la lit jusqu'au bout, sans hâte.",
    bullets=["Un point de quarante-quatre caractères ou à"] * 4,
    note="Une note de cent quarante caractères au plus, qui précise ce que le reste ne dit pas, et que l'on lit peu.",
    cta="En savoir plus",
    badge="Mode d'emploi",
)


def brief(ratio: Ratio) -> CarouselBrief:
    return CarouselBrief(topic="Le café", ratio=ratio)


@pytest.mark.parametrize("ratio", get_args(Ratio))
def test_every_plan_of_the_local_writer_fits(ratio: Ratio) -> None:
    style = style_of_kit(look_of(BrandKit(), brief(ratio)))
    for topic in ("5 conseils pour entrepreneurs", "Pourquoi les chats ronronnent", "Le sommeil"):
        text = LocalWriter().plan_carousel(CarouselRequest(topic=topic, slides=6)).text
        for slide in parse_plan(text, slides=6, language="fr").slides:
            fitted, left_out = made_to_fit(slide.text, given=(), style=style, brief=brief(ratio))
            assert fitted.title == slide.text.title
            assert set(left_out) <= {"note", "body", "badge", "bullets", "subtitle"}


@pytest.mark.parametrize("ratio", get_args(Ratio))
def test_a_full_slide_gives_up_what_matters_least(ratio: Ratio) -> None:
    fitted, left_out = made_to_fit(FULL, given=(), style=SlideStyle(), brief=brief(ratio))
    assert (fitted.title, fitted.cta) == (FULL.title, FULL.cta)
    assert left_out == [field for field in ("note", "body", "badge", "bullets", "subtitle") if field in left_out]
    if left_out:
        assert left_out[0] == "note"
    assert made_to_fit(fitted, given=(), style=SlideStyle(), brief=brief(ratio)) == (fitted, [])


def test_the_clients_words_stay_or_are_refused() -> None:
    fitted, _ = made_to_fit(FULL, given={"note", "title"}, style=SlideStyle(), brief=brief("yt-thumb"))
    assert fitted.note == FULL.note
    with pytest.raises(InvalidInput) as refused:
        made_to_fit(FULL, given=set(SlideText.model_fields), style=SlideStyle(), brief=brief("yt-thumb"))
    assert refused.value.code == "text_does_not_fit"


def test_a_carousel_has_one_palette_and_the_brands_own_where_there_is_one() -> None:
    kit = BrandKit(palette=["#102030"])
    assert look_of(kit, brief("4:5")).palette == ["#102030"]
    neutral = look_of(kit, brief("4:5").model_copy(update={"use_brand_kit": False}))
    assert neutral.palette == look_of(BrandKit(), brief("4:5")).palette
    assert len(neutral.palette) == 4
    seeds = {tuple(look_of(BrandKit(), brief("4:5").model_copy(update={"seed": seed})).palette) for seed in range(20)}
    assert len(seeds) > 3


def test_all_words_that_are_drawn_are_asked_for_their_fonts() -> None:
    for field in ("title", "subtitle", "body", "cta", "badge", "note", "author"):
        assert "字" in drawn(SlideText(**{field: "字"}))
    assert "字" in drawn(SlideText(bullets=["字"]))
