"""The tune of a section: a note for each syllable, on the strong beats first, led by a contour over its chords."""

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from maquette.providers.music.local.lyrics import Kind, Phrase

# Chords by the step of the scale that they stand on, one for each bar; the last bar is the cadence's.
_PROGRESSIONS: Final[dict[str, dict[str, tuple[tuple[int, ...], ...]]]] = {
    "major": {
        "verse": ((0, 5, 3, 4), (0, 0, 3, 4), (0, 3, 0, 4), (0, 2, 3, 4)),
        "chorus": ((0, 4, 5, 3), (3, 4, 0, 5), (0, 3, 4, 0), (0, 4, 0, 3)),
        "bridge": ((5, 3, 0, 4), (3, 0, 1, 4), (5, 2, 3, 4)),
    },
    "dorian": {
        "verse": ((0, 3, 0, 6), (0, 6, 3, 0), (0, 2, 3, 6)),
        "chorus": ((0, 6, 2, 3), (2, 6, 0, 3), (0, 3, 6, 2)),
        "bridge": ((2, 3, 6, 0), (3, 0, 6, 2)),
    },
}
_LOWEST, _HIGHEST = -3, 9  # the compass of the tune, in steps of the scale
_FORM: Final = "abac"  # which contour each phrase of a section follows
# How strongly the eighths of two bars ask for a syllable.
_WEIGHTS: Final = {
    8: (9, 2.0, 6, 3.0, 8, 2.5, 6.5, 3.5, 9, 2.2, 6, 3.0, 7.5, 1.0, 0, 0),
    6: (9, 3.0, 4.5, 8, 3.2, 5.0, 9, 3.0, 4.4, 7, 0.5, 0),
}


class Tone(NamedTuple):
    """A note of the tune: eighths from the section's start, length in eighths, step of the scale."""

    at: int
    length: int
    degree: int


def most_syllables(slots: int) -> int:
    """What one phrase of two bars holds."""
    return sum(1 for weight in _WEIGHTS[slots] if weight)


def _role(kind: Kind) -> str:
    """Whose chords and tune a section has: what has no words of its own plays those of the chorus."""
    return kind if kind in ("verse", "bridge") else "chorus"


def chords(kind: Kind, bars: int, *, mode: str, seed: str, last: bool) -> list[int]:
    """The chord of each bar. A verse and a bridge end open, the others at home; so does the ``last`` section."""
    role = _role(kind)
    circle = Random(f"{seed}|{role}|chords").choice(_PROGRESSIONS[mode][role])
    steps = [circle[bar % len(circle)] for bar in range(bars)]
    open_end = 4 if mode == "major" else 6
    steps[-1] = 0 if last or role == "chorus" else open_end
    if steps[-1] == 0 and bars > 2 and steps[-2] == 0:
        steps[-2] = open_end
    return steps


def rhythm(count: int, *, slots: int, dice: Random) -> list[int]:
    """The eighths of two bars on which ``count`` syllables begin; the strongest, with a breath at the end."""
    asking = [slot for slot, weight in enumerate(_WEIGHTS[slots]) if weight]
    ranked = sorted(asking, key=lambda slot: -_WEIGHTS[slots][slot] - dice.uniform(0, 1.6))
    return sorted(ranked[:count])


def tune(kind: Kind, phrases: Sequence[Phrase], chord_of: Sequence[int], *, slots: int, seed: str) -> list[Tone]:
    """The tune over ``chord_of``, a chord for each bar; two bars for each phrase.

    The contours belong to the kind of section, so that a chorus comes back as itself; the words move the details.
    """
    role = _role(kind)
    tones: list[Tone] = []
    sung = [2, 4 if role == "chorus" else 2]
    for number, phrase in enumerate(phrases):
        label = _FORM[number % len(_FORM)]
        starts = rhythm(phrase.syllables, slots=slots, dice=Random(f"{seed}|{role}|rhythm"))
        contour = _contour(role, Random(f"{seed}|{role}|{label}"))
        dice = Random(f"{seed}|{role}|{label}|{phrase.text}")
        ends = [*starts[1:], 2 * slots - (1 if starts[-1] >= 2 * slots - 4 else 2)]
        for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
            chord = chord_of[2 * number + start // slots]
            at_end = index == len(starts) - 1
            aim = contour[round(start / (2 * slots) * (len(contour) - 1))]
            step = _next(sung[-2:], aim, chord, strong=at_end or start % (slots // 2) == 0, close=at_end, dice=dice)
            # A long note lets go, so that the next phrase is heard to begin.
            tones.append(Tone(2 * slots * number + start, min(end - start, slots - 2), step))
            sung.append(step)
    return tones


def _contour(role: str, dice: Random) -> list[float]:
    """Nine heights across a phrase, in steps of the scale: from, over or under, and to."""
    middle = {"verse": 2.0, "chorus": 4.2, "bridge": 3.0}[role]
    start, end = middle + dice.uniform(-2, 1.5), middle + dice.uniform(-2.5, 1)
    bow = dice.choice((-3.2, 2.6, 3.4, 4.2))
    turn = dice.uniform(0.35, 0.7)
    heights = []
    for i in range(9):
        u = i / 8
        arch = u / turn if u < turn else (1 - u) / (1 - turn)
        heights.append(start + (end - start) * u + bow * arch)
    return heights


def _next(sung: Sequence[int], aim: float, chord: int, *, strong: bool, close: bool, dice: Random) -> int:
    """The step that costs least: near the contour and the last note, of the chord where the beat is strong."""
    earlier, before = sung

    def cost(step: int) -> float:
        leap = abs(step - before)
        of_chord = (step - chord) % 7 in (0, 2, 4)
        return (
            abs(step - aim)
            + 0.35 * leap
            + (1.6 * (leap - 4) if leap > 4 else 0)
            + (1.3 if leap == 0 else 0)
            + (2.6 if step == before == earlier else 0)
            + (0 if of_chord else 3.5 if strong else 0.5)
            + (0.5 if step % 7 in (3, 6) else 0)  # the sharp corners of the scale
            + (1.2 if close and (step - chord) % 7 != 0 else 0)
            + dice.uniform(0, 1.3)
        )

    return min(range(_LOWEST, _HIGHEST + 1), key=cost)
