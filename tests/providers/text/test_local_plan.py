"""Carousel plans of the local writer: the editor's gate, its words as data, odd topics, fixed words."""

import json
import re
from itertools import chain

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maquette.carousels.models import CarouselPlan
from maquette.carousels.rules import lint, parse_plan
from maquette.providers.text.advice import ANY, CarouselWords, carousel_words, domains_of
from maquette.providers.text.local import LocalWriter
from maquette.providers.text.port import (
    LIMITS,
    MIN_TITLE,
    CarouselRequest,
    Language,
    ScriptWriter,
    WriterBrand,
    limit_of,
)
from maquette.providers.text.scenes import scenes
from maquette.providers.text.wording import banned_in
from tests.providers.text_contract import PlanContract

LANGUAGES: tuple[Language, ...] = ("fr", "en", "es")
GOALS = ("", "education", "vente", "lead", "engagement", "notoriete")
SIZES = range(3, 11)
TOPICS = [
    "5 conseils pour entrepreneurs",
    "Les tendances marketing 2025",
    "7 erreurs à éviter quand on adopte un chien",
    "10 raisons d'adopter un chat",
    "Les 5 étapes pour acheter sa première maison",
    "Comment trouver ses premiers clients quand on débute en freelance à Lyon",
    "Pourquoi les chats ronronnent-ils ?",
    "Lancer sa boutique en ligne",
    "La patience",
    "Yoga",
    "L'eau",
    "12 astuces pour mieux dormir",
    "Deux règles d'or",
    "How to grow on Instagram",
    "3 common mistakes in meal prep",
    "The Roman Empire",
    "Why do cats purr?",
    "Skincare routine for beginners",
    "Cómo ahorrar dinero cada mes",
    "siete errores comunes al viajar",
    "¿Por qué ronronean los gatos?",
    "El yoga para principiantes",
    "SOLDES D'ÉTÉ !!!",
    "GRATUIT pour tous",
    "#marketing #seo",
    "🍕",
    "فوائد الماء",
    "水の大切さ",
    "x" * 80,
    "mot " * 100,
    "?",
    "{T} {n} {de}",
]
BRAND = WriterBrand(
    niche="coaching",
    pitch="Nos clients gagnent 30 % de temps en deux mois. Nous aidons les indépendants.",
    tagline="Voir plus clair",
    visual_mood=("minimaliste",),
)


def planned(request: CarouselRequest) -> CarouselPlan:
    return parse_plan(LocalWriter().plan_carousel(request).text, slides=request.slides, language=request.language)


class TestContract(PlanContract):
    @pytest.fixture
    def writer(self) -> ScriptWriter:
        return LocalWriter()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic[:20])
def test_an_editor_has_nothing_to_remark(topic: str, language: Language) -> None:
    for slides in SIZES:
        request = CarouselRequest.model_validate(
            {"topic": topic, "slides": slides, "language": language, "goal": GOALS[slides % 6], "seed": slides}
        ).model_copy(update={"brand": BRAND if slides % 2 else WriterBrand()})
        written = json.loads(LocalWriter().plan_carousel(request).text)["slides"]
        plan = planned(request)
        assert lint(plan, banned_words=(), language=language) == []
        assert len({slide.visual for slide in plan.slides}) == slides
        # The reader had nothing to mend.
        assert [slide["type"] for slide in written] == [slide.text.type for slide in plan.slides]
        for told, slide in zip(written, plan.slides, strict=True):
            assert {name: value for name, value in told.items() if value and name not in ("type", "visual")} == {
                name: value for name, value in slide.text.model_dump().items() if value and name != "type"
            }
        middle = [slide.text for slide in plan.slides[1:-1]]
        assert all(3 <= len(text.bullets) <= 4 for text in middle if text.type != "impact")
        assert "{" not in "".join(str(text) for text in middle) or "{" in topic


@settings(deadline=None, max_examples=60)
@given(
    st.text(min_size=1, max_size=120),
    st.sampled_from(LANGUAGES),
    st.integers(3, 10),
    st.sampled_from(["content", "citation"]),
    st.text(max_size=80),
)
@example("9 conseils", "fr", 5, "content", "")
@example("Le", "fr", 3, "content", '[{"title": 3}]')
def test_any_topic_makes_a_plan(topic: str, language: Language, slides: int, kind: str, given_text: str) -> None:
    request = CarouselRequest.model_validate(
        {"topic": topic, "slides": slides, "language": language, "carousel_type": kind, "given": given_text}
    )
    written = LocalWriter().plan_carousel(request)
    assert written == LocalWriter().plan_carousel(request)
    read = json.loads(written.text)["slides"]
    assert len(read) == slides == len({slide["visual"] for slide in read})
    assert all(slide["title"] and slide["caption"] for slide in read if slide["type"] != "cta" or not given_text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_seeds_vary_the_words(language: Language) -> None:
    request = CarouselRequest(topic="La patience", slides=6, language=language)
    texts = {LocalWriter().plan_carousel(request.model_copy(update={"seed": seed})).text for seed in range(20)}
    assert len(texts) == 20


def test_ten_topics_do_not_read_alike() -> None:
    topics = [
        "Le budget du foyer", "Le sommeil", "Adopter un chat", "Trouver des clients", "La photo de rue",
        "Apprendre l'anglais", "Courir un marathon", "Ranger son salon", "Visiter le Japon", "Le compost au jardin",
    ]  # fmt: skip
    middles = [
        {slide.text.title for slide in planned(CarouselRequest(topic=topic, slides=6)).slides[1:-1]} for topic in topics
    ]
    assert all(not one & other for one in middles for other in middles if one is not other)


@pytest.mark.parametrize(
    ("topic", "slides", "title", "points"),
    [
        ("5 conseils pour entrepreneurs", 7, "5 conseils pour entrepreneurs", 5),
        ("5 conseils pour entrepreneurs", 5, "5 conseils pour entrepreneurs", 5),
        ("Les 5 étapes pour vendre", 10, "Les 5 étapes pour vendre", 5),
        ("Dix astuces pour mieux dormir", 5, "Dix astuces pour mieux dormir", 10),
        ("4 petites erreurs au jardin", 3, "4 petites erreurs au jardin", 4),
        ("15 conseils pour entrepreneurs", 10, "15 conseils pour entrepreneurs", 15),
        ("30 conseils pour entrepreneurs", 10, "Les conseils pour entrepreneurs", 0),
        ("50 conseils pour entrepreneurs", 10, "Les conseils pour entrepreneurs", 0),
        ("9 conseils pour vendre", 4, "Les conseils pour vendre", 0),
        ("7 raisons d'adopter un chat", 9, "Les raisons d'adopter un chat", 0),
        ("24 heures du Mans", 5, "24 heures du Mans", 0),
    ],
)
def test_a_leading_number_is_a_promise(topic: str, slides: int, title: str, points: int) -> None:
    plan = planned(CarouselRequest(topic=topic, slides=slides))
    assert plan.slides[0].text.title.startswith(title)
    middle = [slide.text for slide in plan.slides[1:-1]]
    said = list(chain.from_iterable((text.title, *text.bullets) for text in middle if text.type == "content"))
    assert len({re.sub(r"^\d+\. ", "", line) for line in said}) == len(said)
    numbers = [int(match[1]) for line in said if (match := re.match(r"(\d+)\. ", line))]
    assert numbers == list(range(1, points + 1))
    if not points:
        assert {text.type for text in middle} == {"problem", "solution"}


def test_figures_come_from_the_client_alone() -> None:
    plan = planned(CarouselRequest(topic="Gagner du temps", slides=5, brand=BRAND))
    (impact,) = [slide.text for slide in plan.slides if slide.text.type == "impact"]
    assert [(kpi.delta, kpi.label) for kpi in impact.kpis] == [("30 %", "Temps en deux mois")]
    assert impact.body == "Nos clients gagnent 30 % de temps en deux mois."
    assert plan.slides[-1].text.body == "Nous aidons les indépendants."
    assert plan.slides[-1].text.note == "Voir plus clair"
    without = planned(CarouselRequest(topic="Gagner du temps en 2025", slides=5))
    assert not any(slide.text.type == "impact" or slide.text.kpis for slide in without.slides)


def test_banned_words_are_avoided() -> None:
    request = CarouselRequest(topic="La patience", slides=8)
    free = planned(request)
    banned = tuple(max(re.findall(r"\w+", slide.text.title), key=len) for slide in free.slides[1:])
    assert len(lint(free, banned_words=banned, language="fr")) >= len(banned)
    plan = planned(request.model_copy(update={"brand": WriterBrand(banned_words=banned)}))
    assert lint(plan, banned_words=banned, language="fr") == []

    everything = tuple({word for slide in free.slides for word in re.findall(r"\w+", str(slide.text))})
    helpless = planned(request.model_copy(update={"brand": WriterBrand(banned_words=everything)}))
    assert len(helpless.slides) == 8 and helpless.meta["found"] == 8


def test_citations_are_signed_by_the_brand_or_nobody() -> None:
    request = CarouselRequest(topic="La patience", slides=10, carousel_type="citation")
    plan = planned(request)
    assert {slide.text.author for slide in plan.slides} == {""}
    assert len({slide.text.title for slide in plan.slides}) == 10
    assert sum("la patience" in slide.text.title for slide in plan.slides) == 3
    signed = planned(request.model_copy(update={"brand": BRAND}))
    assert {slide.text.author for slide in signed.slides} == {"Voir plus clair"}


def test_fixed_words_stand_alone_on_their_slide_and_call_their_picture() -> None:
    given_text = json.dumps([{"title": "Mon titre !!"}, {}, {"title": "Un chat #heureux", "bullets": ["a"]}])
    request = CarouselRequest(topic="Lancer sa boutique", slides=5, given=given_text)
    read = json.loads(LocalWriter().plan_carousel(request).text)["slides"]
    hero, _, cat, _, cta = read
    assert hero["title"] == "Mon titre !!" and "subtitle" not in hero and hero["cta"] and cta["cta"]
    assert (cat["title"], cat["bullets"], cat["type"]) == ("Un chat #heureux", ["a"], "content")
    assert cat["visual"].startswith("Un chat") and "subtitle" not in cat


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_keep_to_the_limits(language: Language) -> None:
    words = carousel_words(language)
    pairs = list(chain.from_iterable(words.advice.values()))
    for side in (side for pair in pairs for side in (pair.problem, pair.solution)):
        # Room for "10. ", in a title as in a point.
        assert MIN_TITLE <= len(side.title) <= LIMITS["title"] - 4, side.title
        assert len(side.points) == 3
        assert all(len(point) <= LIMITS["bullets"] for point in side.points), side
    for field, lines in {
        "subtitle": [*words.problem_lines, *words.remedy_lines, *chain(*words.list_lines.values()), *words.impact.line],
        "badge": chain(*words.badges.values()),
        "cta": [*words.openers, *chain(*(closing.ctas for closing in words.closings.values()))],
        "title": [*words.impact.title, *chain(*(closing.titles for closing in words.closings.values()))],
        "note": words.notes.values(),
    }.items():
        assert all(MIN_TITLE * (field == "title") <= len(line) <= LIMITS[field] for line in lines), field
    assert all(len(line) <= limit_of("subtitle", "hero") for line in chain(*words.promises.values()))
    assert all(len(line) <= limit_of("title", "citation") for line in words.maxims["any"])
    said = [text for pair in pairs for side in (pair.problem, pair.solution) for text in (side.title, *side.points)]
    titles = [side.title for pair in pairs for side in (pair.problem, pair.solution)]
    assert len(set(titles)) == len(titles)
    assert not any(re.search(r"\d|!!|\{", text) for text in said)
    if language == "es":
        assert all(text.count("¿") == text.count("?") and text.count("¡") == text.count("!") for text in said)


def test_the_languages_hold_the_same_rows() -> None:
    def shape(words: CarouselWords) -> object:
        return (
            {domain: len(pairs) for domain, pairs in words.advice.items()},
            {domain: len(lines) for domain, lines in words.scenes.items()},
            {goal: len(lines) for goal, lines in words.promises.items()},
            {kind: len(lines) for kind, lines in words.list_lines.items()},
            set(words.words),
            set(words.notes),
            set(words.closings),
            len(words.maxims["any"]),
        )

    french, english, spanish = (shape(carousel_words(language)) for language in LANGUAGES)
    assert french == english == spanish
    assert set(GOALS) == set(carousel_words("fr").closings) == set(carousel_words("fr").badges)
    assert len(carousel_words("fr").advice[ANY]) >= 12
    shown = [scene.texts[language] for scene in scenes() for language in LANGUAGES]
    shown += chain(*(chain(*carousel_words(language).scenes.values()) for language in LANGUAGES))
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize(
    ("topic", "language", "domain"),
    [
        ("5 conseils pour entrepreneurs", "fr", "business"),
        ("Le SEO en 2025", "fr", "marketing"),
        ("Acheter une maison", "fr", "property"),
        ("Ranger sa maison", "fr", "home"),
        ("Un dressing minimaliste", "fr", "fashion"),
        ("La guerre de Cent Ans", "fr", "knowledge"),
        ("Meal prep", "fr", "food"),
        ("Adoptar un perro", "es", "animals"),
        ("La paix intérieure", "fr", None),
    ],
)
def test_the_topic_calls_its_domain(topic: str, language: Language, domain: str | None) -> None:
    assert next(iter(domains_of(topic, language=language)), None) == domain


def test_a_why_wants_knowledge_and_a_trade_its_own() -> None:
    asked = planned(CarouselRequest(topic="Pourquoi les chats ronronnent-ils ?", slides=4))
    titles = {pair.problem.title for pair in carousel_words("fr").advice["knowledge"]}
    assert asked.slides[1].text.title in titles
    trade = planned(CarouselRequest(topic="Pourquoi les clients partent", slides=4))
    assert trade.slides[1].text.title not in titles


def test_banned_phrases_are_found_whole_and_in_any_case() -> None:
    banned = ["gratuit", "pas cher", "C++", " ", "élan"]
    assert banned_in("GRATUIT et Pas  cher, en c++ ; l'E\u0301lan", banned) == ["gratuit", "pas cher", "C++", "élan"]
    assert banned_in("gratuitement, pas du tout cher", banned) == []
