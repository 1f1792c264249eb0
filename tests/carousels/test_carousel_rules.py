"""Rules of carousels: plans of any text, the client's words, limits, warnings, descriptions."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maquette.carousels.models import CarouselPlan, SlidePlan, SlideText
from maquette.carousels.rules import (
    MAX_CHARACTERS,
    MAX_POINTS,
    alt_text,
    given_texts,
    limit_of,
    lint,
    merge_texts,
    parse_plan,
    require_limits,
    shorten,
)
from maquette.errors import InvalidInput
from maquette.providers.text.figures import figures_of
from maquette.providers.text.port import LIMITS
from maquette.providers.text.reading import read_json

PACK = Path(__file__).parents[3] / "shared/data/orders/example_pack.json"
FIELDS = ("type", "title", "punchline", "bullets", "cta_primary", "text", "kpis", "slide_number", "slides", "x", "alt")

words = st.text(max_size=60) | st.sampled_from(
    ["#a ##b #1 c", "hero", "problem", "**x** !!", "\u200b\u202e\x00", "3 %"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=24,
)
garbage = st.text(st.sampled_from("{}[]\",:'“”\\/*# \nabc1é水"), max_size=80)
broken = st.tuples(values, st.integers(0, 200), st.integers(0, 200)).map(
    lambda cut: (text := json.dumps({"slides": cut[0]}))[cut[1] % (len(text) + 1) :] + text[: cut[2] % (len(text) + 1)]
)


def plan_of(slides: list[dict[str, Any]], *, count: int | None = None, **other: Any) -> CarouselPlan:
    return parse_plan(json.dumps({"slides": slides} | other), slides=count or len(slides), language="fr")


def slide_of(number: int = 2, **fields: Any) -> SlidePlan:
    text = SlideText.model_validate({"type": "problem", "title": f"Un titre numéro {number}"} | fields)
    return SlidePlan(number=number, text=text, visual="une table")


@settings(deadline=None, max_examples=150)
@given(
    garbage | broken | values.map(json.dumps) | st.text(), st.integers(3, 10), st.sampled_from(["fr", "en", "es", "?"])
)
@example('{"slides":' * 400, 3, "fr")
@example("[" * 5000, 3, "fr")
@example('{"slides": [{"title": "\\ud800 ' + "mot " * 60 + '"}]}', 3, "fr")
@example('{"slides": [{"title": "##a ##b"}, {"bullets": "• - x"}]}', 3, "fr")
def test_any_text_is_a_plan_that_reads_as_itself(text: str, slides: int, language: str) -> None:
    plan = parse_plan(text, slides=slides, language=language)
    assert [slide.number for slide in plan.slides] == list(range(1, slides + 1))
    cited = {slide.text.type for slide in plan.slides} == {"citation"}
    assert cited or (plan.slides[0].text.type, plan.slides[-1].text.type) == ("hero", "cta")
    for slide in plan.slides:
        assert slide.visual and slide.text.title and slide.text.alt
        assert cited or bool(slide.text.cta) or slide.text.type not in ("hero", "cta")
        for field in ("title", "subtitle", "body", "cta", "badge", "note", "author", "alt", "caption"):
            said = getattr(slide.text, field)
            assert len(said) <= limit_of(field, slide.text.type)
            assert unicodedata.is_normalized("NFC", said)
            assert not any(unicodedata.category(c) in ("Cc", "Cs") or c in "\u200b\u202e" for c in said)
        assert len(slide.text.bullets) <= 4 and all(0 < len(point) <= 44 for point in slide.text.bullets)
    again = parse_plan(plan.model_dump_json(), slides=slides, language=language)
    assert again.slides == plan.slides and again.meta["found"] == slides


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"slides": [{"title": "Le titre d\'essai", "bullets": ["un", "deux",],},]}\n```',
        "Voici le plan : {'slides': [{'title': 'Le titre d\\'essai', 'bullets': ['un', 'deux']}]} Bonne lecture {1}.",
        "{slides: [{title: “Le titre d'essai”, bullets: [“un”, “deux”]}]}",
        '[1] // plan\n{"slides": [{"title": "Le titre\nd\'essai" "bullets": ["un" "deux"]}], "a": None}',
        '{"slides": [{"title": "Le titre d\'essai", "bullets": ["un", "deux"], "body": "Et cela s\'arr',
        '{"plan": {"carousel": {"slides": [{"headline": "Le titre d\'essai", "bullet_points": "- un\\n• deux"}]}}}',
        '[{"text": {"title": "Le titre d\'essai", "bullets": ["un", "deux"]}}]',
    ],
)
def test_what_models_write_is_understood(text: str) -> None:
    plan = parse_plan(text, slides=3, language="fr")
    assert plan.meta["found"] == 1
    assert (plan.slides[0].text.title, plan.slides[0].text.bullets) == ("Le titre d'essai", ["un", "deux"])
    assert plan.slides[0].text.body == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "il dit "oui" et part", "b": 1}', {"a": 'il dit "oui" et part', "b": "1"}),
        ('{"a": 1 "b": -2.5, "c": , "d": }', {"a": "1", "b": "-2.5"}),
        ("/* x */ {'a': 'L'eau, l'air', /* y */ 'b': [True, null]}", {"a": "L'eau, l'air", "b": [True]}),
        ('{"a": "\\ud83c\\udf55 \\u00e9", }', {"a": "🍕 é"}),
        ("rien", None),
        ("{} [] [1, 2]", None),
    ],
)
def test_broken_json_is_read_as_far_as_it_goes(text: str, value: object) -> None:
    assert read_json(text) == value


def test_older_names_and_hashtags() -> None:
    hero, middle, cta = plan_of(
        [
            {"title_on_image": "Le #marketing simple", "text_on_image": "Un texte. #seo #pub", "slide_number": 1},
            {
                "title": "Parlons #SEO",
                "punchline": "Vite #1",
                "cta_secondary": "Voir",
                "slide_number": 3,
                "caption": "#a",
            },
            {"title": "Le second titre", "ctaPrimary": "Lire", "cta_secondary": "Plus tard", "slide_number": 2},
        ],
        prompts=["une rue", "une tasse"],
    ).slides
    assert (hero.text.title, hero.text.body, hero.visual) == ("Le marketing simple", "Un texte.", "une rue")
    assert (middle.text.title, middle.text.cta, middle.text.note) == ("Le second titre", "Lire", "Plus tard")
    assert (cta.text.title, cta.text.subtitle, cta.text.cta, cta.text.caption) == (
        "Parlons SEO",
        "Vite #1",
        "Voir",
        "#a",
    )
    assert cta.visual == "une tasse"


@pytest.mark.parametrize(
    ("given_types", "types"),
    [
        ((None, None, None, None), ["problem", "solution", "problem", "solution"]),
        (("problem", "problem", "solution", "solution"), ["problem", "solution", "problem", "solution"]),
        (("solution", "problem", "hero", "cta"), ["solution", "problem", "solution", "problem"]),
        (("content", "content", "problem", "problem"), ["content", "content", "problem", "solution"]),
        (("problem", "solution", "impact", "solution"), ["problem", "solution", "problem", "solution"]),
    ],
)
def test_mistakes_and_remedies_take_turns(given_types: tuple[str | None, ...], types: list[str]) -> None:
    plan = plan_of([{"title": f"Le titre {n}", "type": kind} for n, kind in enumerate(("x", *given_types, "x"))])
    assert [slide.text.type for slide in plan.slides] == ["hero", *types, "cta"]


def test_figures_make_an_impact_and_stand_nowhere_else() -> None:
    kpis = [{"label": "de marge", "value": "+4 pts"}, "Un gain de 30 %", {"label": "sans"}]
    plan = plan_of([{"kpis": kpis}, {"type": "solution"}, {"kpis": kpis}, {"type": "solution"}, {"kpis": kpis}])
    assert [slide.text.type for slide in plan.slides] == ["hero", "solution", "impact", "solution", "cta"]
    assert [(kpi.delta, kpi.label) for kpi in plan.slides[2].text.kpis] == [("+4 pts", "de marge"), ("30 %", "Un gain")]
    assert not any(slide.text.kpis for slide in plan.slides if slide.text.type != "impact")


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("Nos clients gagnent +35 % de trafic en 3 mois.", [("+35 %", "Trafic en 3 mois")]),
        ("Our clients gain +35% engagement", [("+35 %", "Engagement")]),
        ("Ventes x3 et 12,5 points de marge", [("×3", "Ventes"), ("12,5 pts", "Marge")]),
        ("Depuis 2019, 40 experts et 1200 projets", []),
        ("100 % !", []),
    ],
)
def test_figures_are_read_with_their_label(text: str, figures: list[tuple[str, str]]) -> None:
    read = [(figure.delta, figure.label) for figure in figures_of(text)[1]]
    assert [delta for delta, _ in read] == [delta for delta, _ in figures]
    assert [label for _, label in read][-1:] == [label for _, label in figures][-1:]


@pytest.mark.parametrize(
    ("language", "titles", "buttons"),
    [
        (
            "fr",
            ["À découvrir", "Le problème", "La solution", "Les avantages", "Et maintenant ?"],
            ("Découvrir", "En savoir plus"),
        ),
        (
            "en",
            ["Worth a look", "The problem", "The solution", "The benefits", "What comes next?"],
            ("Discover", "Learn More"),
        ),
        (
            "es",
            ["Para descubrir", "El problema", "La solución", "Las ventajas", "¿Y ahora qué?"],
            ("Descubrir", "Saber más"),
        ),
    ],
)
def test_nothing_is_filled_up_with_the_fallbacks(language: str, titles: list[str], buttons: tuple[str, str]) -> None:
    plan = parse_plan("", slides=5, language=language)
    assert plan.meta["found"] == 0
    assert [slide.text.title for slide in plan.slides] == titles
    assert (plan.slides[0].text.cta, plan.slides[-1].text.cta) == buttons
    full = parse_plan("", slides=10, language=language)
    assert lint(full, banned_words=(), language=language) == []


def test_too_few_and_too_many_slides() -> None:
    few = plan_of([{"title": "La couverture"}, {"title": "Le premier"}, {"title": "La fin", "type": "cta"}], count=5)
    assert [slide.text.title for slide in few.slides][::4] == ["La couverture", "La fin"]
    assert few.slides[1].text.title == "Le premier" and few.meta["found"] == 3
    cut = plan_of([{"title": "La couverture"}, {"title": "Le premier"}], count=4)
    assert [slide.text.title for slide in cut.slides][1] == "Le premier"
    assert cut.slides[-1].text.title == "Et maintenant ?"
    many = plan_of([{"title": f"Le titre {n}"} for n in range(12)], count=4)
    assert [slide.text.title for slide in many.slides] == ["Le titre 0", "Le titre 1", "Le titre 2", "Le titre 11"]


def test_citations_hold_a_sentence_and_an_author() -> None:
    slides = [{"type": "quote", "quote": "Une phrase. " * 20, "author": "La maison", "bullets": ["x"], "cta": "y"}] * 3
    plan = plan_of(slides)
    for slide in plan.slides:
        assert slide.text.type == "citation" and 60 < len(slide.text.title) <= 120
        assert (slide.text.author, slide.text.bullets, slide.text.cta) == ("La maison", [], "")
    forced = parse_plan("{}", slides=3, language="fr", carousel_type="citation")
    assert {slide.text.type for slide in forced.slides} == {"citation"}


spaced = st.sampled_from(["mot", "de", "la", "fin.", "«", "l'eau,", "e\u0301a", "pour", "(x", "¿qué", "long" * 9, "»"])


@settings(deadline=None)
@given(st.lists(spaced, max_size=40).map(" ".join), st.integers(1, 60))
def test_shortening_cuts_no_word(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit and shorten(short, limit) == short
    if len(text) <= limit:
        assert short == text
    else:
        marks = " ,.(«»¿"
        whole = [word.strip(marks) for word in text.split()]
        assert [word for word in (word.strip(marks) for word in short.split()) if word not in whole] == []
        assert not short.endswith((",", " ", " de", " la", " pour", "(", "«", "…"))


@settings(deadline=None)
@given(
    st.text(max_size=120) | st.text(st.sampled_from("水の大切さ👩\u200d🚀e\u0301 "), max_size=80), st.integers(1, 60)
)
def test_shortening_keeps_to_the_limit_in_any_script(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit and shorten(short, limit) == short


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("Gagnez du temps chaque matin, sans changer vos habitudes", 40, "Gagnez du temps chaque matin"),
        ("Comment trouver ses premiers clients quand on débute", 40, "Comment trouver ses premiers clients"),
        ("Une phrase assez longue. Une autre qui la suit", 40, "Une phrase assez longue."),
        ("Le guide complet de la maison et du jardin partagé", 36, "Le guide complet de la maison"),
        ("Lisez « Le petit livre rouge des recettes »", 30, "Lisez Le petit livre rouge"),
        ("¿Sabes cómo ahorrar dinero cada mes del año?", 30, "Sabes cómo ahorrar dinero"),
        ("anticonstitutionnellement", 10, ""),
        ("水の大切さを考える", 5, "水の大切さ"),
        ("Court", 10, "Court"),
    ],
)
def test_a_shorter_text_still_ends_well(text: str, limit: int, short: str) -> None:
    assert shorten(text, limit) == short


def test_the_forms_of_given_texts() -> None:
    plan = plan_of([{"title": f"Le titre {n}", "subtitle": "Ligne"} for n in range(4)])
    listed = merge_texts(plan, [{"title": "  Mon\ttitre!! "}, {}, {"bullets": ["x" * 60]}])
    assert [slide.text.title for slide in listed.slides] == ["Mon titre!!", "Le titre 1", "Le titre 2", "Le titre 3"]
    assert listed.slides[0].text.subtitle == "Ligne" and listed.slides[2].text.bullets == ["x" * 60]
    assert merge_texts(plan, {"slides": [{"title": "Mon titre!!"}, {}, {"bullets": ["x" * 60]}]}) == listed
    single = merge_texts(plan, {"text": {"title": "Seul", "body": "Le corps", "cta": "Lire #1"}})
    assert (single.slides[0].text.title, single.slides[0].text.body) == ("Seul", "Le corps")
    assert [slide.text.cta for slide in single.slides][-1] == "Lire #1"
    placed = merge_texts(plan, {"slides": [{"slide_number": 2, "title": "Deux"}, {"type": "cta", "title": "Fin"}]})
    assert [slide.text.title for slide in placed.slides] == ["Le titre 0", "Deux", "Le titre 2", "Fin"]
    nothings: list[object] = [None, {}, [], {"slides": []}, {"text": {"title": ""}}]
    for nothing in nothings:
        assert merge_texts(plan, nothing) == plan


def test_given_words_stay_as_they_are() -> None:
    said = "  Soldes !!\u200b #été\u202e CAFE\u0301  "
    (text,) = given_texts([{"title": said, "caption": "Un\ntexte"}])
    assert (text.title, text.caption) == ("Soldes !! #été CAFÉ", "Un texte")
    assert text.model_fields_set == {"title", "caption"}
    persian = "می\u200cخواهم 👩\u200d🚀"
    assert given_texts([persian])[0].title == persian


@pytest.mark.parametrize(
    ("texts", "code", "said"),
    [
        ([{"title": "a\x07"}], "control_character", "slide 1: the title holds the control character U\\+0007"),
        ([{}, {"bullets": ["x", "\x00"]}], "control_character", "slide 2: the points"),
        ({"video": {"hook": "x"}}, "invalid_input", "cannot be read"),
        ("un titre", "invalid_input", "cannot be read"),
        ([{"title": "x"}] * 5, "invalid_input", "more slides than the 4"),
        ([{"title": "x", "slide_number": 9}], "invalid_input", "more slides than the 4"),
    ],
)
def test_wrong_given_texts_are_refused(texts: object, code: str, said: str) -> None:
    plan = plan_of([{"title": f"Le titre {n}"} for n in range(4)])
    with pytest.raises(InvalidInput, match=said) as raised:
        merge_texts(plan, texts)
    assert raised.value.code == code


@settings(deadline=None, max_examples=60)
@given(values)
def test_any_given_value_is_texts_or_refused(value: object) -> None:
    try:
        texts = given_texts(value, slides=10)
    except InvalidInput:
        return
    assert len(texts) in (0, 10)


def test_a_description_follows_the_title() -> None:
    plan = plan_of([{"title": "Le titre", "visual": "une table"}, {"title": "b", "alt": "Une rue"}, {"title": "c"}])
    assert plan.slides[0].text.alt == "une table. Texte : « Le titre »."
    merged = merge_texts(plan, [{"title": "Mon titre"}, {"title": "Autre"}])
    assert merged.slides[0].text.alt == "une table. Texte : « Mon titre »."
    assert merged.slides[1].text.alt == "Une rue"


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=300), st.text(max_size=500), st.sampled_from(["fr", "en", "es", "?"]))
def test_descriptions_keep_to_their_limit(title: str, visual: str, language: str) -> None:
    assert len(alt_text(SlideText(title=title), visual=visual, language=language)) <= LIMITS["alt"]


@pytest.mark.parametrize("field", [name for name in MAX_CHARACTERS if name not in ("bullets", "label", "delta")])
def test_hard_limits_name_slide_and_field(field: str) -> None:
    fits = SlideText.model_validate({field: "x" * MAX_CHARACTERS[field]})
    require_limits(fits, number=2)
    with pytest.raises(InvalidInput, match=f"slide 2: the .* shorten it to {MAX_CHARACTERS[field]}"):
        require_limits(fits.model_copy(update={field: "x" * (MAX_CHARACTERS[field] + 1)}), number=2)


@pytest.mark.parametrize(
    "fields",
    [
        {"bullets": ["x" * (MAX_CHARACTERS["bullets"] + 1)]},
        {"bullets": ["x"] * (MAX_POINTS + 1)},
        {"kpis": [{"label": "x", "delta": "9" * 30}]},
    ],
)
def test_hard_limits_of_lists(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="slide 3"):
        require_limits(SlideText.model_validate(fields), number=3)


KPIS = [{"label": "x", "delta": delta} for delta in ("+3 %", "4 pts", "×2", "x3", "12")]
LINTS: list[tuple[str, list[SlidePlan], list[str]]] = [
    ("clean", [slide_of(1, cta="Lire"), slide_of(2, bullets=["a", "b", "c"]), slide_of(3, cta="Agir")], []),
    ("R1", [slide_of(1, title="Vivre mieux"), slide_of(2, subtitle="Mieux vivre !")], ["R1, slide 2, sous-titre"]),
    ("R2", [slide_of(1, cta="Lire"), slide_of(2), slide_of(3, cta="LIRE")], ["R2, slide 3, bouton"]),
    ("R3", [slide_of(2, note="un Miracle", caption="miracle")], ["R3, slide 2, note", "R3, slide 2, légende"]),
    ("R4", [slide_of(2, title="Vite, venez !!", badge="GRATUIT")], ["R4, slide 2, titre", "R4, slide 2, étiquette"]),
    ("R4 initials", [slide_of(2, title="Le SEO et la RGPD", badge="SEO 水 UX")], []),
    ("R5", [slide_of(2, kpis=KPIS)], ["R5, slide 2, chiffres"]),
    ("R6 long", [slide_of(2, title="x" * 41, subtitle="y" * 61)], ["R6, slide 2, titre", "R6, slide 2, sous-titre"]),
    ("R6 cover", [slide_of(1, type="hero", subtitle="y" * 120)], []),
    ("R6 short", [slide_of(2, title="Court")], ["R6, slide 2, titre"]),
    ("R6 points", [slide_of(2, bullets=["a", "b"])], ["R6, slide 2, points"]),
    ("R6 citation", [slide_of(2, type="citation", title="Court")], []),
]  # fmt: skip


@pytest.mark.parametrize(("slides", "heads"), [case[1:] for case in LINTS], ids=[case[0] for case in LINTS])
def test_every_rule_names_itself_the_slide_and_the_field(slides: list[SlidePlan], heads: list[str]) -> None:
    plan = CarouselPlan(slides=slides)
    before = plan.model_dump_json()
    told = lint(plan, banned_words=["miracle"], language="fr")
    assert [remark.split(" : ")[0] for remark in told] == heads
    assert plan.model_dump_json() == before
    for language in ("en", "es"):
        assert len(lint(plan, banned_words=["miracle"], language=language)) == len(heads)
        assert not set(lint(plan, banned_words=["miracle"], language=language)) & set(told)


@pytest.mark.skipif(not PACK.exists(), reason="the example pack lies beside a full checkout only")
def test_the_example_pack_keeps_its_words() -> None:
    pack = json.loads(PACK.read_text("utf-8"))
    texts = next(asset["generatedTexts"] for asset in pack["assets"] if asset["kind"] == "carousel")
    merged = merge_texts(parse_plan("", slides=5, language="fr"), texts)
    assert [slide.text.title for slide in merged.slides] == [slide["title"] for slide in texts["slides"]]
    assert merged.slides[3].text.bullets == ["Détail E", "Détail F"]
    remarks = lint(merged, banned_words=(), language="fr")
    assert remarks and all(remark.startswith("R6") for remark in remarks)
