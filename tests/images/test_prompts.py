"""The prompt of a picture: the contract's order, the brand in words, and nothing that does not belong there."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.brands.models import BrandKit
from maquette.errors import InvalidInput
from maquette.images.prompts import image_prompt, visual_styles

KIT = BrandKit(
    palette=["#ff6f61", "#0a1f44", "#d9c3a0", "#00a86b"],
    voice="Chaleureuse et experte.",
    niche="coaching",
    visual_types=["Photo de studio"],
    visual_mood=["lumineux"],
    avoid_in_visuals=["sang", "armes", "sang"],
)


def test_the_order_of_the_contract() -> None:
    prompt = image_prompt("Un chat sur une plage", KIT, style="quiet product photography")
    assert prompt.text == (
        "Un chat sur une plage. quiet product photography. Industry: coaching. "
        "Color palette with coral, navy and sand. Tone: Chaleureuse et experte. "
        "High quality, professional. No text overlays."
    )
    assert prompt.palette == ("#ff6f61", "#0a1f44", "#d9c3a0", "#00a86b")
    assert prompt.avoid == ("sang", "armes", "texte", "lettres", "filigrane")


def test_without_the_brand_nothing_of_it_is_left() -> None:
    neutral = image_prompt("Un chat", KIT, use_brand_kit=False)
    assert neutral == image_prompt("Un chat", None) == image_prompt("Un chat", BrandKit())
    assert neutral.text == "Un chat. Clean, neutral style. High quality, professional. No text overlays."
    assert neutral.palette == () and neutral.avoid == ("texte", "lettres", "filigrane")


def test_the_brands_pictures_are_the_style_unless_one_is_asked_for() -> None:
    assert "Photo de studio, lumineux." in image_prompt("Un chat", KIT).text
    assert "Photo de studio" not in image_prompt("Un chat", KIT, style="flat").text


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("Aquarelle", "watercolor"),
        ("réaliste", "photo"),
        ("MINIMALISTA", "minimal"),
        ("Rendu 3D", "3d"),
        ("vector", "flat"),
    ],
)
def test_styles_go_by_several_names(alias: str, name: str) -> None:
    assert image_prompt("Un chat", None, style=alias) == image_prompt("Un chat", None, style=name)


def test_seven_styles_differ() -> None:
    assert len({image_prompt("Un chat", None, style=style).text for style in visual_styles()}) == 7


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("color_mode", ["", "vibrant", "pastel", "neutral"]),
        ("category", ["", "background", "character", "product"]),
        ("goal", ["", "education", "vente", "lead", "engagement", "notoriete"]),
        ("background_only", [False, True]),
        ("tone", ["", "premium", "drôle"]),
    ],
)
def test_every_choice_tells(field: str, values: list[str]) -> None:
    texts = {image_prompt("Un chat", KIT, **{field: value}).text for value in values}  # type: ignore[arg-type]  # by name
    assert len(texts) == len(values)


def test_a_tone_comes_before_the_voice() -> None:
    assert "Tone: premium, Chaleureuse et experte." in image_prompt("Un chat", KIT, tone="premium.").text


@pytest.mark.parametrize(
    ("topic", "starts"),
    [
        ("Un chat.", "Un chat. Clean"),
        ("Qui suis-je ?", "Qui suis-je ? Clean"),
        ("Un chat,", "Un chat. Clean"),
        ("Un\nchat\x00\u202e noir", "Un chat noir. Clean"),
        ("Fond #FF0000 et #0a1f44cc", "Fond red et navy. Clean"),
        ("Le #café du coin, #1 de #Paris", "Le café du coin, 1 de #Paris. Clean"),
        ("Un # fff", "Un # fff. Clean"),
        ("👩‍🚀 dans l'espace", "👩‍🚀 dans l'espace. Clean"),
    ],
)
def test_content_is_cleaned(topic: str, starts: str) -> None:
    assert image_prompt(topic, None).text.startswith(starts)


@pytest.mark.parametrize("topic", ["", " \n", "\u200b\u202e", "\x00"])
def test_nothing_to_show_is_refused(topic: str) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        image_prompt(topic, KIT)


@pytest.mark.parametrize(("language", "word"), [("fr", "texte"), ("en", "text"), ("es", "texto")])
def test_text_is_avoided_in_the_requests_language(language: str, word: str) -> None:
    prompt = image_prompt("Un chat", None, language=language)  # type: ignore[arg-type]  # one of the three
    assert word in prompt.avoid


_hexes = st.from_regex(r"[#＃]{0,2}[0-9a-fA-F]{3,8}", fullmatch=True)
_texts = st.lists(
    st.text(max_size=6) | _hexes | st.sampled_from(["\n", "\x1b", "\u200b", "\u2028", "#", " "]), max_size=6
).map("".join)


@settings(deadline=None, max_examples=80)
@given(
    topic=_texts,
    style=_texts,
    tone=_texts,
    voice=_texts,
    niche=_texts,
    avoid=st.lists(_texts, max_size=3),
    palette=st.lists(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True), max_size=4),
)
def test_no_hex_and_no_control_character_gets_through(
    topic: str, style: str, tone: str, voice: str, niche: str, avoid: list[str], palette: list[str]
) -> None:
    kit = BrandKit(voice=voice, niche=niche, avoid_in_visuals=avoid, visual_types=[style], palette=palette)
    try:
        prompt = image_prompt(topic, kit, tone=tone)
    except InvalidInput:
        assert not any(character.isalnum() for character in topic)
        return
    for text in (prompt.text, *prompt.avoid):
        assert not re.search(r"[#＃][0-9a-fA-F]", text)
        assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)
        assert not set(text) & set("\u200b\u202e\u2066")
        assert text == " ".join(text.split())
    assert prompt.text.endswith("High quality, professional. No text overlays.")
    assert set(prompt.avoid) >= {"texte", "lettres", "filigrane"} and "" not in prompt.avoid
    assert prompt.palette == tuple(palette)
