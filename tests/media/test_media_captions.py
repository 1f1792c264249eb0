from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.media.captions import Cue, cues, grouped, tokens


@dataclass(frozen=True)
class Heard:
    text: str
    start_s: float
    end_s: float


WORDS = st.lists(
    st.one_of(
        st.text(st.characters(categories=("L", "N")), min_size=1, max_size=14),
        st.sampled_from(["?", "!", "«", "»", "—", "C'est", "oui,", "non.", "Où ?", "😀", "…"]),
    ),
    max_size=80,
)
DURATIONS = st.floats(0.5, 60)
TIMES = st.lists(st.floats(0, 80, allow_nan=False), max_size=60)


def check(dialogue: str, duration_s: float, found: list[Cue]) -> None:
    assert " ".join(cue.text for cue in found).split() == dialogue.split()
    assert all(0 <= cue.start_s < cue.end_s <= duration_s for cue in found)
    assert all(a.end_s <= b.start_s for a, b in pairwise(found))
    sizes = [len(cue.text.split(" ")) for cue in found]
    assert all(size <= 4 for size in sizes)
    assert all(size >= 2 for size in sizes) or len(found) == 1


@given(WORDS, DURATIONS)
def test_cues_keep_all_words_in_order_and_never_overlap(words: list[str], duration_s: float) -> None:
    dialogue = " ".join(words)
    check(dialogue, duration_s, cues(dialogue, duration_s=duration_s))


@given(WORDS, DURATIONS, TIMES)
def test_any_times_of_words_give_cues_that_fit(words: list[str], duration_s: float, times: list[float]) -> None:
    dialogue = " ".join(words)
    edges = sorted(times)
    heard = [Heard("mot", a, b) for a, b in pairwise(edges)]
    check(dialogue, duration_s, cues(dialogue, duration_s=duration_s, words=heard))


def test_an_empty_dialogue_has_no_cues() -> None:
    assert cues("", duration_s=8) == cues(" \n ", duration_s=8) == []


def test_a_cue_starts_when_its_first_word_is_heard() -> None:
    heard = [
        Heard(w, i * 0.5 + 1, i * 0.5 + 1.4)
        for i, w in enumerate(["Les", "abeilles", "dansent", "pour", "se", "parler"])
    ]
    found = cues("Les abeilles dansent pour se parler.", duration_s=8, words=heard)
    at = 0
    for cue in found:
        assert cue.start_s == pytest.approx(heard[at].start_s)
        at += len(cue.text.split(" "))
    assert found[-1].end_s < 4.3  # the last word ends at 3.9 s: its cue does not stay for the rest


def test_a_transcript_that_splits_otherwise_still_leads_the_cues() -> None:
    # Eight words written, four heard, all in the last two seconds.
    heard = [Heard(w, 6 + i * 0.5, 6.5 + i * 0.5) for i, w in enumerate(["aujourdhui", "ilfait", "tresbeau", "dehors"])]
    found = cues("Aujourd'hui il fait très beau là dehors ensemble", duration_s=8, words=heard)
    assert found[0].start_s >= 6


def test_times_that_run_backwards_are_not_believed() -> None:
    heard = [Heard("a", 5, 6), Heard("b", 1, 2)]
    assert cues("deux mots", duration_s=8, words=heard) == cues("deux mots", duration_s=8)


def test_a_sentence_ends_its_cue() -> None:
    groups = grouped(tokens("Elles dansent. Puis elles volent vers les fleurs, ensemble !"))
    assert groups[0] == ["Elles", "dansent."]
    assert groups[-1][-1] == "ensemble\u00a0!"


def test_french_punctuation_stays_with_its_word() -> None:
    assert tokens("« Vraiment ? » dit-il") == ["«\u00a0Vraiment\u00a0?\u00a0»", "dit-il"]


def test_a_longer_text_gets_shorter_cues_not_fuller_ones() -> None:
    found = cues("mot " * 400, duration_s=8)
    assert len(found) >= 100
    assert found[-1].end_s <= 8
