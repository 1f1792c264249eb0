"""The local writer: its sentences, its scenes, and what holds of a script on any theme."""

import re
from itertools import chain

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maquette.providers.text.local import LocalWriter, outline, scenes, speakable, theme_of, word_count
from maquette.providers.text.port import Language, ScriptRequest, ScriptWriter, Style
from maquette.videos.script import ParsedBlock, parse_script
from tests.providers.text_contract import TextContract

LANGUAGES: tuple[Language, ...] = ("fr", "en", "es")
STYLES: tuple[Style, ...] = ("informative", "humorous", "dramatic", "inspiring")
FILM = (8, *[7] * 9)

THEMES = [
    "Les risques du sucre",
    "pourquoi les chats ronronnent",
    "Pourquoi les chats ronronnent-ils ?",
    "Coffee in 1900",
    "La historia de Roma",
    "¿Por qué ronronean los gatos?",
    "sucre",
    "L'eau",
    "How do planes fly?",
    "🍕",
    "فوائد الماء",
    "水の大切さ",
    "Star Wars : la saga",
    'BLOC 2 (7s): DIALOGUE: "x" VISUEL: y',
    "ماء el » visuel:",
    "Film (2) visuel : x",
    "**gras** et « guillemets »",
    '"',
    "?",
    "mot " * 125,
    "x" * 500,
]

themes = st.sampled_from(THEMES) | st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=120)
requests = st.builds(
    ScriptRequest,
    theme=themes,
    durations_s=st.integers(1, 10).map(lambda count: FILM[:count]),
    style=st.sampled_from(STYLES),
    language=st.sampled_from(LANGUAGES),
    seed=st.integers(0, 2**31),
)


def write(request: ScriptRequest) -> list[ParsedBlock]:
    return parse_script(LocalWriter().write_script(request).text)


class TestContract(TextContract):
    @pytest.fixture
    def writer(self) -> ScriptWriter:
        return LocalWriter()


@settings(deadline=None)
@given(requests)
@example(ScriptRequest(theme="x" * 500, durations_s=(8, 7), language="fr"))
def test_any_theme_makes_a_sayable_film_without_repetition(request: ScriptRequest) -> None:
    blocks = write(request)
    assert [block.number for block in blocks] == list(range(1, len(request.durations_s) + 1))
    assert len({block.dialogue for block in blocks}) == len({block.visual for block in blocks}) == len(blocks)
    for block, duration_s in zip(blocks, request.durations_s, strict=True):
        assert speakable(block.dialogue, duration_s=duration_s), block.dialogue
        assert word_count(block.dialogue) >= 8, block.dialogue
        assert not re.search(r"\{\w+\}", block.dialogue + block.visual.replace(request.theme, ""))
    theme = theme_of(request)
    for block in (blocks[0], blocks[-1]):
        assert any(_words(form) <= _words(block.dialogue) for form in (theme.inside, theme.de, theme.a) if form)
        assert _words(theme.inside) <= _words(block.visual)


def _words(text: str) -> set[str]:
    return {word.casefold() for word in re.findall(r"\w+", text)}


@settings(deadline=None)
@given(requests)
def test_one_request_is_one_script(request: ScriptRequest) -> None:
    writer = LocalWriter()
    written = writer.write_script(request)
    assert written == writer.write_script(request)
    assert written.model == "outline-1" and writer.profile.local
    assert written.cost_micros == written.tokens_in == written.tokens_out == 0


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_seeds_vary_the_film(language: Language, style: Style) -> None:
    request = ScriptRequest(theme="Les chats", durations_s=FILM[:5], language=language, style=style)
    films = {LocalWriter().write_script(request.model_copy(update={"seed": seed})).text for seed in range(20)}
    assert len(films) == 20


def test_styles_differ() -> None:
    request = ScriptRequest(theme="Les chats", durations_s=FILM)
    said = [{b.dialogue for b in write(request.model_copy(update={"style": style}))} for style in STYLES]
    assert all(len(one & other) <= 4 for one in said for other in said if one is not other)


@pytest.mark.parametrize(
    ("theme", "language", "kind", "forms"),
    [
        ("Les risques du sucre", "fr", "np", ("les risques du sucre", "des risques du sucre", "aux risques du sucre")),
        ("Le Havre", "fr", "np", ("le Havre", "du Havre", "au Havre")),
        ("L'eau", "fr", "np", ("l'eau", "de l'eau", "à l'eau")),
        ("La lune", "fr", "np", ("la lune", "de la lune", "à la lune")),
        ("Mes vacances", "fr", "np", ("mes vacances", "de mes vacances", "à mes vacances")),
        ("El mar", "es", "np", ("el mar", "del mar", "al mar")),
        ("La historia de Roma", "es", "np", ("la historia de Roma", "de la historia de Roma", "a la historia de Roma")),
        ("Coffee in 1900", "en", "np", ("coffee in 1900", "of coffee in 1900", "to coffee in 1900")),
        ("Paris", "en", "np", ("Paris", "of Paris", "to Paris")),
        ("The Moon", "en", "np", ("the Moon", "of the Moon", "to the Moon")),
    ],
)
def test_noun_phrases_contract(theme: str, language: Language, kind: str, forms: tuple[str, str, str]) -> None:
    spoken = theme_of(ScriptRequest(theme=theme, durations_s=(8,), language=language))
    assert (spoken.kind, (spoken.inside, spoken.de, spoken.a)) == (kind, forms)


@pytest.mark.parametrize(
    ("theme", "language", "kind", "start"),
    [
        ("pourquoi les chats ronronnent", "fr", "indirect", "Pourquoi les chats ronronnent"),
        ("Pourquoi les chats ronronnent-ils ?", "fr", "question", "Pourquoi les chats ronronnent-ils ?"),
        ("Qu'est-ce que l'amour", "fr", "question", "Qu'est-ce que l'amour ?"),
        ("Why cats purr", "en", "indirect", "Why cats purr"),
        ("Why do cats purr", "en", "question", "Why do cats purr?"),
        ("Is sugar bad?", "en", "question", "Is sugar bad?"),
        ("¿Por qué ronronean los gatos?", "es", "indirect", "Por qué ronronean los gatos"),
        ("¿Es malo el azúcar?", "es", "question", "¿Es malo el azúcar?"),
        ("Les chats ronronnent", "fr", "bare", "« Les chats ronronnent »"),
        ("Le sucre est partout", "fr", "bare", "« Le sucre est partout »"),
        ("The sugar that we eat", "en", "np", "The sugar that we eat"),
        ("Cats purr", "en", "bare", "Cats purr"),
        ("sucre", "fr", "bare", "Sucre"),
        ("Une journée en mer", "fr", "bare", "Une journée en mer"),
        ("Star Wars : la saga", "fr", "bare", "Star Wars – la saga"),
        (
            "Le sucre que nous mangeons chaque jour sans jamais le savoir",
            "fr",
            "bare",
            "« Le sucre que nous mangeons chaque jour… »",
        ),
        ('"', "fr", "np", "Ce sujet"),
    ],
)
def test_kinds_of_themes(theme: str, language: Language, kind: str, start: str) -> None:
    spoken = theme_of(ScriptRequest(theme=theme, durations_s=(8,), language=language))
    assert (spoken.kind, spoken.start) == (kind, start)


@pytest.mark.parametrize(
    ("theme", "language", "seen"),
    [
        ("Les risques du sucre", "fr", "sucre"),
        ("The moon", "en", "moon"),
        ("El mar", "es", "playa"),
        ("The moon", "fr", "lune"),
        ("🍕", "es", "pizza"),
        ("Le thé", "fr", "théière"),
        ("The pain of love", "en", "hands"),
    ],
)
def test_the_first_picture_is_of_the_theme(theme: str, language: Language, seen: str) -> None:
    assert seen in write(ScriptRequest(theme=theme, durations_s=FILM[:3], language=language))[0].visual


def test_french_is_typeset() -> None:
    text = LocalWriter().write_script(ScriptRequest(theme="L'eau", durations_s=FILM)).text
    said = " ".join(block.dialogue for block in parse_script(text))
    assert re.search(r"\u00a0[?:]", said)
    assert not re.search(r" [?!:;»]|« | de (?:le|les) | à (?:le|les) |de l' ", said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sentences_keep_their_rules(language: Language) -> None:
    rules = outline(language)
    lines = [
        *chain.from_iterable(chain.from_iterable(by_style.values()) for by_style in rules.beats.values()),
        *chain.from_iterable(rules.domains.values()),
    ]
    assert len(lines) == len(set(lines))
    for line in lines:
        assert word_count(line) >= 8 and speakable(line, duration_s=7), line
        assert not re.search(r"\d|\{", line), line
    assert all(
        list(by_style) == list(STYLES) for by_style in (*rules.beats.values(), rules.open_tail, rules.close_tail)
    )
    assert {*rules.open, *rules.middle, *rules.close} == {"np", "indirect", "question", "bare"}
    slots = {"np": r"\{(t|de|a)\}", "indirect": r"\{t\}", "question": r"\{[tT]\}", "bare": r"\{T\}"}
    for kind, slot in slots.items():
        assert all(re.search(slot, line) for part in (rules.open, rules.middle, rules.close) for line in part[kind])  # type: ignore[index]
    assert min(len(rules.shots), len(rules.lights), len(rules.moves)) >= 10
    if language == "es":
        assert all(line.count("¿") == line.count("?") and line.count("¡") == line.count("!") for line in lines)


def test_the_languages_tell_the_same_story() -> None:
    shapes = [
        {
            name: {style: len(lines) for style, lines in by_style.items()}
            for name, by_style in outline(lang).beats.items()
        }
        for lang in LANGUAGES
    ]
    assert shapes[0] == shapes[1] == shapes[2]
    assert set(outline("fr").domains) == set(outline("en").domains) == set(outline("es").domains)


def test_every_domain_has_scenes_and_sentences() -> None:
    domains = {scene.domain for scene in scenes()}
    assert domains == {*outline("fr").domains, "any"}
    assert len([scene for scene in scenes() if scene.domain == "any"]) >= 10
    for language in LANGUAGES:
        texts = [scene.texts[language] for scene in scenes()]
        assert len(set(texts)) == len(texts)
        assert all(text[0].islower() and not text.endswith(".") for text in texts)
