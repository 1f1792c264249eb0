"""Captions: what is said, cut into cues of two to four words and timed."""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, Protocol

_SENTENCE_END: Final = (".", "!", "?", "…", "؟", "。", ":")
_PAUSE: Final = (",", ";", "،", "—", "–")
_CLOSERS: Final = "»”\"')]\u00a0"
_IDEAL_LETTERS: Final = 15
_LINGER_S: Final = 0.35
_SHORTEST_S: Final = 1 / 30


class Word(Protocol):
    """When one word is heard, in seconds from the clip's start."""

    @property
    def text(self) -> str: ...
    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...


@dataclass(frozen=True)
class Cue:
    """A caption and when it is seen, in seconds from the clip's start."""

    start_s: float
    end_s: float
    text: str


def cues(dialogue: str, *, duration_s: float, words: Sequence[Word] | None = None) -> list[Cue]:
    """The cues of ``dialogue``: all its words in order, two to four each, inside [0, ``duration_s``], none overlapping.

    Timed by ``words`` where the provider tells when they are heard, otherwise by the words' lengths with pauses at
    punctuation. A lone word is a cue of one; an empty dialogue has none.
    """
    spoken = tokens(dialogue)
    if not spoken or duration_s <= 0:
        return []
    groups = grouped(spoken)
    spans = _heard(spoken, words) if words else None
    if spans is None:
        spans = _spread(spoken, duration_s)
    starts, ends = [], []
    at = 0
    for group in groups:
        starts.append(spans[at][0])
        at += len(group)
        ends.append(spans[at - 1][1])
    # Each cue keeps at least a frame, however the times that came in collide.
    gap = min(_SHORTEST_S, duration_s / (len(groups) + 1))
    result: list[Cue] = []
    floor = 0.0
    for index, group in enumerate(groups):
        start = min(max(starts[index], floor), duration_s - gap * (len(groups) - index))
        last = index + 1 == len(groups)
        following = duration_s if last else starts[index + 1]
        end = min(max(min(following, ends[index] + _LINGER_S), start + gap), duration_s)
        if result and result[-1].end_s > start:
            result[-1] = Cue(result[-1].start_s, start, result[-1].text)
        result.append(Cue(start, end, " ".join(group)))
        floor = start + gap
    return result


def tokens(dialogue: str) -> list[str]:
    """The words of ``dialogue``; punctuation that stands alone (``Vraiment ?``) is tied to its word by U+00A0."""
    result: list[str] = []
    opening = ""
    for token in dialogue.split():
        kinds = {unicodedata.category(char) for char in token}
        if kinds <= {"Ps", "Pi"}:
            opening += token + "\u00a0"
        elif result and not opening and all(kind.startswith("P") for kind in kinds):
            result[-1] += "\u00a0" + token
        else:
            result.append(opening + token)
            opening = ""
    if opening:
        result.append(opening.rstrip("\u00a0"))
    return result


def grouped(words: Sequence[str]) -> list[list[str]]:
    """``words`` in groups of two to four, of even length, broken after punctuation rather than across it."""
    count = len(words)
    if count < 2:
        return [list(words)] if words else []
    best: list[tuple[float, int]] = [(0.0, 0)] + [(float("inf"), 0)] * count
    for end in range(2, count + 1):
        for size in (2, 3, 4):
            if size <= end:
                cost = best[end - size][0] + _cost(words[end - size : end])
                if cost < best[end][0]:
                    best[end] = (cost, size)
    groups: list[list[str]] = []
    while count:
        size = best[count][1]
        groups.append(list(words[count - size : count]))
        count -= size
    return groups[::-1]


def _cost(group: Sequence[str]) -> float:
    letters = sum(map(len, group)) + len(group) - 1
    cost = ((letters - _IDEAL_LETTERS) / 6) ** 2 + (0.4 if len(group) == 4 else 0)
    for word in group[:-1]:
        cost += 6 if word.rstrip(_CLOSERS).endswith(_SENTENCE_END) else 2.5 if word.endswith(_PAUSE) else 0
    last = group[-1].rstrip(_CLOSERS)
    return cost - (1 if last.endswith(_SENTENCE_END + _PAUSE) else 0)


def _weight(word: str) -> float:
    bare = word.rstrip(_CLOSERS)
    return len(word) + 2 + (6 if bare.endswith(_SENTENCE_END) else 3 if bare.endswith(_PAUSE) else 0)


def _spread(words: Sequence[str], duration_s: float) -> list[tuple[float, float]]:
    """Spans of ``words`` over the clip, by their weights; a breath is left free at both ends."""
    breath = min(0.12, duration_s / 20)
    edges = list(accumulate((_weight(word) for word in words), initial=0.0))
    scale = (duration_s - 2 * breath) / edges[-1]
    return [(breath + a * scale, breath + b * scale) for a, b in pairwise(edges)]


def _heard(words: Sequence[str], heard: Sequence[Word]) -> list[tuple[float, float]] | None:
    """Spans of ``words`` by what was heard; ``None`` when those times run backwards.

    Transcripts seldom split a text as it is written: unless the counts agree, the share of letters said so far
    is what links the two.
    """
    backwards = any(w.end_s < w.start_s for w in heard) or any(a.start_s > b.start_s for a, b in pairwise(heard))
    if backwards:
        return None
    if len(words) == len(heard):
        return [(w.start_s, w.end_s) for w in heard]
    said = list(accumulate((max(1, len(w.text)) for w in heard), initial=0))
    written = list(accumulate((len(word) for word in words), initial=0))

    def when(letter: int) -> float:
        share = letter / written[-1] * said[-1]
        index = min(bisect_right(said, share) - 1, len(heard) - 1)
        inside = (share - said[index]) / (said[index + 1] - said[index])
        return heard[index].start_s + inside * (heard[index].end_s - heard[index].start_s)

    return [(when(a), when(b)) for a, b in pairwise(written)]
