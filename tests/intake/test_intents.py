"""What chat messages ask for, in three languages and many spellings."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.intake.intents import classify

CONFIDENCE = {
    "carousel": 0.9,
    "video": 0.88,
    "image": 0.85,
    "credits": 0.8,
    "brandkit": 0.75,
    "open_canva": 0.7,
    "templates": 0.7,
    "other": 0.2,
}

MESSAGES = {
    "carousel": [
        "Crée un carrousel sur le café",
        "CARROUSEL instagram",
        "un caroussel svp",
        "un carousell sur nos offres",
        "a caruosel about tea",
        "Hazme un carrusel sobre el té",
        "un carrousel avec une image de chat",
        "Pas une vidéo, un carrousel",
    ],
    "video": [
        "une vidéo de 15 s pour mon salon",
        "une vidoe pour mon salon",
        "Make a short reel about coffee",
        "quiero un vídeo",
        "pourquoi pas une vidéo ?",
        "why not a video?",
        "une vidéo, pas un carrousel",
        "n'hésite pas à faire une vidéo",
        "utilise mes crédits pour une vidéo",
        "je veux plus de vidéos",
        "not only a video but a great one",
    ],
    "image": [
        "un visuel pour la rentrée",
        "pas de vidéo, plutôt une image",
        "je ne veux pas de vidéo ni de carrousel mais une affiche",
        "don't make a video, make a picture",
        "no quiero un vídeo, sino una imagen",
        "au lieu d'une vidéo, fais une image",
        "an image instead of a carousel",
        "une iamge de chat",
        "story Instagram avec un chat",
        "une miniature youtube pour ma vidéo",
        "crée une image avec mon identité visuelle",
        "a picture of our success story",
    ],
    "credits": [
        "Combien de crédits me reste-t-il pour une vidéo ?",
        "How many woofs left?",
        "¿Cuántos créditos me quedan para un carrusel?",
        "mon quota",
    ],
    "brandkit": [
        "modifier ma charte graphique",
        "mon brand kit",
        "visual identity",
        "identidad visual",
        "update my brand colors",
        "changer mon logo",
    ],
    "open_canva": ["ouvre mon carrousel dans Canva", "open it in canva", "abrir en Canva", "Canva"],
    "templates": ["je cherche un modèle de post", "show me templates", "una plantilla para Navidad"],
    "other": [
        "bonjour",
        "pas de vidéo",
        "surtout pas en vidéo",
        "sans image",
        "sin imágenes",
        "no video",
        "carte de crédit",
        "2025 slides",
        "imaginer",
        "",
        "¿?",
        "سلام",
        "portrait of \uff9e",
        "\ud800",
    ],
}


@pytest.mark.parametrize(
    ("intent", "message"), [(intent, message) for intent, messages in MESSAGES.items() for message in messages]
)
def test_intents(intent: str, message: str) -> None:
    read = classify(message)
    assert (read.intent, read.confidence) == (intent, CONFIDENCE[intent])
    assert bool(read.params.matched) == (intent != "other")


@pytest.mark.parametrize(
    ("message", "slides", "carousels"),
    [
        ("un carrousel de 5 slides", 5, 1),
        ("carrousel de cinq diapos", 5, 1),
        ("3 carrousels de 5 slides", 5, 3),
        ("trois nouveaux carrousels de sept belles pages", 7, 3),
        ("2 carousels with seven slides", 7, 2),
        ("a five-slide carousel", 5, 1),
        ("Hazme dos carruseles de 4 diapositivas", 4, 2),
        ("crée des carrousels", None, 1),
        ("un carrousel : 5 conseils pour entrepreneurs", None, 1),
        ("un carrousel pour 2025", None, 1),
        ("une vidéo de 5 slides", None, None),
        ("bonjour", None, None),
    ],
)
def test_counts(message: str, slides: int | None, carousels: int | None) -> None:
    params = classify(message).params
    assert (params.slides, params.carousels_count) == (slides, carousels)


@pytest.mark.parametrize(
    ("message", "ratio"),
    [
        ("une image carrée", "1:1"),
        ("una imagen cuadrada", "1:1"),
        ("image 1080x1350", "4:5"),
        ("image 4 / 5", "4:5"),
        ("une image au format portrait", "4:5"),
        ("une vidéo portrait de 30 s", "9:16"),
        ("video 9:16", "9:16"),
        ("une story", "9:16"),
        ("quiero un reel vertical", "9:16"),
        ("une image au format paysage", "16:9"),
        ("a banner in landscape", "16:9"),
        ("épingle Pinterest", "2:3"),
        ("miniature YouTube", "yt-thumb"),
        ("une image, pas en carré", None),
        ("un portrait de femme", None),
        ("l'image d'un paysage", None),
        ("rendez-vous à 15:30", None),
        ("a square meter", None),
    ],
)
def test_ratios(message: str, ratio: str | None) -> None:
    assert classify(message).params.aspect_ratio == ratio


@pytest.mark.parametrize(
    "message",
    [
        "ok",
        "Oui, vas-y !",
        "go",
        "C'est parfait",
        "c’est parfait, merci",
        "dale",
        "SÍ, DALE!",
        "ok pour le carrousel !",
        "Yes please, create the carousel",
        "perfecto, adelante, gracias",
        "parfait, lance la création",
        "Let's go",
        "je valide",
    ],
)
def test_approvals(message: str) -> None:
    assert classify(message).params.is_approval


@pytest.mark.parametrize(
    "message",
    [
        "ok ?",
        "ok mais change la couleur",
        "oui, crée un carrousel sur le café",
        "pas ok",
        "c'est pas parfait",
        "ok no",
        "un visuel avec le texte « ok »",
        "merci",
        "une vidéo",
        "",
    ],
)
def test_no_approvals(message: str) -> None:
    assert not classify(message).params.is_approval


@pytest.mark.parametrize(
    ("message", "language"),
    [
        ("Je voudrais un visuel pour ma boulangerie", "fr"),
        ("crée un carrousel de 5 slides", "fr"),
        ("un portrait de femme en photo", "fr"),
        ("I would like a picture of my bakery", "en"),
        ("Make 3 carousels about coffee", "en"),
        ("Quiero una imagen para mi panadería", "es"),
        ("hazme un carrusel", "es"),
        ("¡vídeo!", "es"),
        ("video", "fr"),
        ("", "fr"),
    ],
)
def test_languages(message: str, language: str) -> None:
    assert classify(message).params.language == language


def test_matched_and_keywords_are_the_messages_own_words() -> None:
    params = classify("Crée 2 Carrousels de 5 slides sur la Boulangerie artisanale, en format carré").params
    assert params.matched == ("carrousels",)
    assert params.keywords == ("boulangerie", "artisanale")


@pytest.mark.parametrize("message", ["Crée une vidéo", "un carrousel de cinq diapositives", "¿cuántos créditos?"])
def test_accents_and_capitals_do_not_matter(message: str) -> None:
    plain = message.translate(str.maketrans("éèáí", "eeai"))
    assert classify(message.upper()).intent == classify(plain).intent == classify(message).intent


@settings(deadline=None, max_examples=100)
@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(
            ["pas de", "vidéo", "carrousel", "5", "slides", "ok", "mais", "9:16", "portrait de", "canva", "?", ","]
        ),
        max_size=10,
    ).map(" ".join)
)
def test_any_message_has_one_intent(message: str) -> None:
    read = classify(message)
    assert read == classify(message)
    assert read.confidence == CONFIDENCE[read.intent]
    assert len(read.params.keywords) <= 10
