"""What every writer of scripts does. An adapter's test module subclasses ``TextContract`` and builds its writer."""

import json

import pytest

from maquette.carousels.rules import parse_plan
from maquette.drafts.concepts import parse_concepts
from maquette.providers.text.port import (
    UNIVERSE_LANGUAGES,
    CarouselRequest,
    CarouselType,
    ConceptsRequest,
    Language,
    LyricsRequest,
    ScriptRequest,
    ScriptWriter,
    Style,
    TranslationRequest,
    UniverseLanguage,
)
from maquette.videos.script import parse_script

SHAPES = [(8,), (8, 7), (8, 7, 7, 7, 7), (8, *[7] * 9)]


class TextContract:
    """Subclasses override the fixture ``writer``."""

    @pytest.fixture
    def writer(self) -> ScriptWriter:
        raise NotImplementedError

    def test_the_profile_is_a_row_of_the_catalogue(self, writer: ScriptWriter) -> None:
        assert writer.profile.kind == "text"
        assert writer.profile.source

    @pytest.mark.parametrize("durations_s", SHAPES, ids=len)
    @pytest.mark.parametrize("language", ["fr", "en", "es"])
    @pytest.mark.parametrize("style", ["informative", "humorous", "dramatic", "inspiring"])
    def test_the_answer_reads_as_the_blocks_asked_for(
        self, writer: ScriptWriter, durations_s: tuple[int, ...], language: Language, style: Style
    ) -> None:
        written = writer.write_script(
            ScriptRequest(theme="Le sucre", durations_s=durations_s, language=language, style=style, seed=3)
        )
        blocks = parse_script(written.text)
        assert [block.number for block in blocks] == list(range(1, len(durations_s) + 1))
        assert all(block.dialogue for block in blocks)
        for number, duration_s in enumerate(durations_s, start=1):
            assert f"BLOC {number} ({duration_s}s):" in written.text

    def test_what_it_says_of_itself(self, writer: ScriptWriter) -> None:
        written = writer.write_script(ScriptRequest(theme="Le sucre", durations_s=(8,)))
        assert written.model
        assert min(written.cost_micros, written.tokens_in, written.tokens_out) >= 0
        assert writer.profile.local is (written.tokens_out == 0)


class PlanContract:
    """What every writer of carousels does. Subclasses override the fixture ``writer``."""

    @pytest.fixture
    def writer(self) -> ScriptWriter:
        raise NotImplementedError

    @pytest.mark.parametrize("slides", [3, 5, 10])
    @pytest.mark.parametrize("language", ["fr", "en", "es"])
    def test_the_answer_holds_every_slide(self, writer: ScriptWriter, slides: int, language: Language) -> None:
        written = writer.plan_carousel(CarouselRequest(topic="Le sucre", slides=slides, language=language))
        plan = parse_plan(written.text, slides=slides, language=language)
        assert plan.meta["found"] == slides
        assert [slide.number for slide in plan.slides] == list(range(1, slides + 1))
        assert (plan.slides[0].text.type, plan.slides[-1].text.type) == ("hero", "cta")
        assert all(slide.visual and slide.text.title and slide.text.alt for slide in plan.slides)

    @pytest.mark.parametrize("carousel_type", ["content", "citation"])
    def test_the_type_is_the_one_asked_for(self, writer: ScriptWriter, carousel_type: CarouselType) -> None:
        written = writer.plan_carousel(CarouselRequest(topic="Le sucre", slides=4, carousel_type=carousel_type))
        types = [slide.text.type for slide in parse_plan(written.text, slides=4, language="fr").slides]
        assert (types == ["citation"] * 4) is (carousel_type == "citation")

    def test_given_words_are_kept(self, writer: ScriptWriter) -> None:
        given = {
            "slides": [{"title": "Du sucre ? Non !", "cta": "Lire"}, {"title": "À nous", "bullets": ["un", "deux"]}]
        }
        request = CarouselRequest(topic="Le sucre", slides=4, given=json.dumps(given))
        first, second, *_ = parse_plan(writer.plan_carousel(request).text, slides=4, language="fr").slides
        assert (first.text.title, first.text.cta) == ("Du sucre ? Non !", "Lire")
        assert (second.text.title, second.text.bullets) == ("À nous", ["un", "deux"])

    def test_what_a_plan_says_of_itself(self, writer: ScriptWriter) -> None:
        written = writer.plan_carousel(CarouselRequest(topic="Le sucre"))
        assert written.model
        assert min(written.cost_micros, written.tokens_in, written.tokens_out) >= 0
        assert writer.profile.local is (written.tokens_out == 0)


TAGS = ("[intro]", "[verse]", "[chorus]", "[bridge]", "[outro]")


class UniverseContract:
    """What every writer of universes does. Subclasses override the fixture ``writer``."""

    @pytest.fixture
    def writer(self) -> ScriptWriter:
        raise NotImplementedError

    @pytest.mark.parametrize("count", [1, 10, 20, 50])
    def test_exactly_as_many_things_as_were_asked_for(self, writer: ScriptWriter, count: int) -> None:
        taken = ("monkey", "Lion")
        written = writer.list_concepts(ConceptsRequest(theme="jungle", count=count, taken=taken))
        found = parse_concepts(written.text, count=count, taken=taken)
        assert (len(found.concepts), found.missing) == (count, 0)
        assert set(found.theme) == set(UNIVERSE_LANGUAGES)
        for language in UNIVERSE_LANGUAGES:
            names = [concept.names[language].casefold() for concept in found.concepts]
            assert len(set(names)) == count
        assert not {"monkey", "lion"} & {concept.names["en"].casefold() for concept in found.concepts}

    @pytest.mark.parametrize("language", UNIVERSE_LANGUAGES)
    def test_a_song_has_its_parts_and_keeps_to_its_length(
        self, writer: ScriptWriter, language: UniverseLanguage
    ) -> None:
        words = ("singe", "serpent", "perroquet")
        written = writer.write_lyrics(LyricsRequest(theme="jungle", words=words, language=language))
        lines = written.text.splitlines()
        assert [tag for tag in TAGS if tag not in lines] == []
        assert lines[0] == "[intro]"
        assert 100 <= len(written.text) <= 590
        assert "jungle" in written.text.casefold()

    def test_each_name_has_its_translation(self, writer: ScriptWriter) -> None:
        request = TranslationRequest(texts=("monkey", "cement mixer"), targets=("fr", "de"))
        assert json.loads(writer.translate(request).text) == {
            "fr": ["singe", "bétonnière"],
            "de": ["Affe", "Betonmischer"],
        }

    def test_what_a_universe_says_of_itself(self, writer: ScriptWriter) -> None:
        written = writer.list_concepts(ConceptsRequest(theme="farm", count=3))
        assert written.model
        assert min(written.cost_micros, written.tokens_in, written.tokens_out) >= 0
        assert writer.profile.local is (written.tokens_out == 0)
