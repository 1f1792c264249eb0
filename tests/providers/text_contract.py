"""What every writer of scripts does. An adapter's test module subclasses ``TextContract`` and builds its writer."""

import pytest

from maquette.providers.text.port import Language, ScriptRequest, ScriptWriter, Style
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
