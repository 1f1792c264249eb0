"""The rules of a video: figures and texts that clients rely on, and properties of each rule."""

import math
import unicodedata
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.errors import InvalidInput
from maquette.videos import rules
from maquette.videos.rules import VideoStatus

ADVANCE = [
    VideoStatus.QUEUED,
    VideoStatus.SCRIPT_GENERATED,
    VideoStatus.GENERATING_PARALLEL,
    VideoStatus.READY_FOR_ASSEMBLY,
    VideoStatus.COMPLETED,
]


@pytest.mark.parametrize(
    ("target_s", "blocks", "actual_s"),
    [
        (8, 1, 8),
        (9, 2, 15),
        (15, 2, 15),
        (29, 4, 29),
        (36, 5, 36),
        (50, 7, 50),
        (64, 9, 64),
        (71, 10, 71),
        (78, 10, 71),
    ],
)
def test_blocks_of_known_lengths(target_s: int, blocks: int, actual_s: int) -> None:
    durations = rules.block_durations(target_s)
    assert durations == (8, *[7] * (blocks - 1))
    assert rules.actual_duration(target_s) == actual_s


@settings(deadline=None)
@given(st.integers(8, 78))
def test_blocks_cover_the_target_without_a_spare_one(target_s: int) -> None:
    durations = rules.block_durations(target_s)
    assert 1 <= len(durations) <= 10
    assert sum(durations) >= min(target_s, 71)
    assert len(durations) == 1 or sum(durations[:-1]) < target_s


@pytest.mark.parametrize("target_s", [7, 79, 0, -8])
def test_durations_out_of_range_are_refused(target_s: int) -> None:
    with pytest.raises(InvalidInput, match="8 to 78"):
        rules.block_durations(target_s)


@pytest.mark.parametrize(
    ("status", "percent"),
    list(zip(VideoStatus, (0, 10, 42, 95, 100, 0), strict=True)),
    ids=[status.value for status in VideoStatus],
)
def test_percentages_known_to_clients(status: VideoStatus, percent: int) -> None:
    assert rules.progress(status, completed=2, total=5) == percent


@settings(deadline=None)
@given(st.integers(1, 10), st.data())
def test_progress_never_falls_while_a_video_advances(total: int, data: st.DataObject) -> None:
    done = sorted(data.draw(st.lists(st.integers(-1, total + 1), min_size=1, max_size=6)))
    walk = [
        (ADVANCE[0], 0),
        (ADVANCE[1], 0),
        *((ADVANCE[2], n) for n in done),
        (ADVANCE[3], total),
        (ADVANCE[4], total),
    ]
    percents = [rules.progress(status, completed=completed, total=total) for status, completed in walk]
    assert percents == sorted(percents)
    assert all(0 <= percent <= 100 for percent in percents)


def test_progress_without_blocks() -> None:
    assert rules.progress(VideoStatus.GENERATING_PARALLEL, completed=0, total=0) == 10


@pytest.mark.parametrize(
    ("status", "text"),
    list(
        zip(
            VideoStatus,
            (
                "En file d'attente",
                "Script généré, lancement génération...",
                "Génération vidéos (2/5 blocs)",
                "Assemblage en cours...",
                "Vidéo terminée !",
                "Erreur lors de la génération",
            ),
            strict=True,
        )
    ),
    ids=[status.value for status in VideoStatus],
)
def test_french_steps_are_those_of_the_clients(status: VideoStatus, text: str) -> None:
    assert rules.step_text(status, completed=2, total=5) == text
    assert rules.step_text(status, "de", completed=2, total=5) == text
    translated = {rules.step_text(status, language, completed=2, total=5) for language in ("fr", "en", "es")}
    assert len(translated) == 3


def test_list_status_knows_three_words() -> None:
    assert {status: rules.list_status(status) for status in VideoStatus} == {
        VideoStatus.QUEUED: "processing",
        VideoStatus.SCRIPT_GENERATED: "processing",
        VideoStatus.GENERATING_PARALLEL: "processing",
        VideoStatus.READY_FOR_ASSEMBLY: "processing",
        VideoStatus.COMPLETED: "completed",
        VideoStatus.FAILED: "failed",
    }


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  Les risques du sucre\n", "Les risques du sucre"),
        ("un\ttitre\r\nsur deux  lignes", "un titre sur deux lignes"),
        ("cafe\u0301", "café"),
        ("فوائد الماء", "فوائد الماء"),
        ("🍕", "🍕"),
        ("👩‍🚀 dans l'espace", "👩‍🚀 dans l'espace"),
        ("x" * 500, "x" * 500),
    ],
)
def test_theme_is_cleaned(text: str, clean: str) -> None:
    assert rules.clean_theme(text) == clean


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "theme_empty"),
        (" \n\t ", "theme_empty"),
        ("\u200b\u200d", "theme_empty"),
        ("x" * 501, "theme_too_long"),
        ("du\x00sucre", "control_character"),
        ("du\x1bsucre", "control_character"),
        ("du\x7fsucre", "control_character"),
        ("\u202esucre", "control_character"),
        ("sucre\u2069", "control_character"),
        ("sucre\ud800", "control_character"),
    ],
)
def test_wrong_themes_are_refused_by_code(text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.clean_theme(text)
    assert refused.value.code == code
    if code == "control_character":
        assert "U+" in str(refused.value) and "remove it" in str(refused.value)


@settings(deadline=None)
@given(st.text(max_size=600))
def test_a_clean_theme_stays_as_it_is(text: str) -> None:
    try:
        theme = rules.clean_theme(text)
    except InvalidInput:
        return
    assert rules.clean_theme(theme) == theme
    assert 1 <= len(theme) <= 500
    assert unicodedata.is_normalized("NFC", theme)
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in theme)


@settings(deadline=None)
@given(
    st.integers(1, 10_000),
    st.floats(0, 60),
    st.none() | st.floats(allow_nan=False),
    st.integers(),
)
def test_a_delay_honours_the_provider_and_the_caps(
    tries_done: int, base_s: float, retry_after_s: float | None, seed: int
) -> None:
    delay_s = rules.retry_delay_s(tries_done, base_s=base_s, retry_after_s=retry_after_s, random=Random(seed))
    assert 0 <= delay_s <= 900 and math.isfinite(delay_s)
    assert delay_s >= min(900, retry_after_s or 0)
    if retry_after_s is None:
        nominal_s = base_s * 2.0 ** min(60, tries_done - 1)
        assert min(300, 0.8 * nominal_s) - 1e-9 <= delay_s <= min(300, 1.2 * nominal_s) + 1e-9


def test_delays_of_two_blocks_part_ways() -> None:
    delays = {rules.retry_delay_s(3, base_s=2, retry_after_s=None, random=Random(seed)) for seed in range(20)}
    assert len(delays) == 20
