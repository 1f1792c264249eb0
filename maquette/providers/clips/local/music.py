"""The music bed: chords, a soft pad, plucks and a light beat, synthesised from mood and seed.

Its voices are played by the local songs as well (``providers/music/local``).
"""

import random
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 48_000
Samples = NDArray[np.float32]  # shape (n, 2) for stereo, (n,) for one voice; 1.0 is full scale

_MAJOR: Final = ((0, 4, 7, 11), (9, 12, 16, 19), (5, 9, 12, 16), (7, 11, 14, 17))  # I vi IV V, in semitones
_MINOR: Final = ((0, 3, 7, 10), (8, 12, 15, 19), (3, 7, 10, 14), (10, 14, 17, 20))  # i VI III VII
_MOODS: Final[dict[str, tuple[Sequence[Sequence[int]], int, int]]] = {  # chords, beats a minute, root (MIDI)
    "night": (_MINOR, 72, 57), "grey": (_MINOR, 66, 55), "drama": (_MINOR, 84, 52), "tech": (_MINOR, 104, 57),
    "sunset": (_MAJOR, 80, 55), "morning": (_MAJOR, 84, 60), "fresh": (_MAJOR, 108, 60), "joy": (_MAJOR, 112, 62),
    "green": (_MAJOR, 88, 57), "clear": (_MAJOR, 92, 59), "snow": (_MAJOR, 70, 61),
}  # fmt: skip
# A rough stand-in for -20 LUFS on this kind of material: measured with loudnorm, see the tests.
_TARGET_RMS: Final = 0.085


def frequency(note: float) -> float:
    """Hertz of a MIDI note."""
    return float(440.0 * 2 ** ((note - 69) / 12))


def bed(*, mood: str, seed: int, seconds: int) -> Samples:
    """``seconds`` of music, stereo at 48 kHz, faded at both ends, at about -20 LUFS."""
    chords, tempo, root = _MOODS.get(mood, _MOODS["clear"])
    dice = random.Random(seed)
    root += dice.randrange(-2, 3)
    start = dice.randrange(len(chords))
    beat = 60 / tempo
    total = seconds * RATE
    mix = np.zeros((total, 2), dtype=np.float32)
    at = 0
    while at * 4 * beat < seconds:
        chord, begin = chords[(start + at) % len(chords)], at * 4 * beat
        for i, note in enumerate(chord):
            add(mix, pad(frequency(root + note - 12), 4 * beat + 0.8), begin - 0.2, pan=0.3 + 0.4 * (i % 2), gain=0.16)
        add(mix, pad(frequency(root + chord[0] - 24), 4 * beat + 0.3), begin - 0.1, pan=0.5, gain=0.26)
        for step in range(8):
            if dice.random() < 0.78:
                note = chord[dice.randrange(len(chord))] + dice.choice([0, 0, 12])
                add(mix, pluck(frequency(root + note), 1.3), begin + step * beat / 2, pan=dice.uniform(0.25, 0.75),
                     gain=0.20 if step % 2 == 0 else 0.13)  # fmt: skip
        for step in range(4):
            if step % 2 == 0:
                add(mix, thump(), begin + step * beat, pan=0.5, gain=0.32)
            add(mix, tick(dice.randrange(2**16)), begin + (step + 0.5) * beat, pan=0.6, gain=0.05)
        at += 1
    echo = round(beat * 0.75 * RATE)
    if echo < total:
        mix[echo:] += 0.22 * mix[:-echo, ::-1]
    edge = RATE // 3
    ramp = np.linspace(0, 1, edge, dtype=np.float32)[:, None]
    mix[:edge] *= ramp
    mix[-edge:] *= ramp[::-1]
    loud = float(np.sqrt(np.mean(mix**2))) or 1.0
    level: Samples = np.tanh(mix * (_TARGET_RMS / loud) * 1.05).astype(np.float32)
    return level


def add(mix: Samples, voice: Samples, start_s: float, *, pan: float, gain: float) -> None:
    """Mix one voice into stereo at ``start_s``, cut where the mix ends; ``pan`` 0 is left, 1 right."""
    begin = round(start_s * RATE)
    if begin < 0:
        voice, begin = voice[-begin:], 0
    voice = voice[: max(0, len(mix) - begin)] * gain
    mix[begin : begin + len(voice), 0] += voice * (1 - pan)
    mix[begin : begin + len(voice), 1] += voice * pan


def pad(hz: float, seconds: float) -> Samples:
    """A soft chord tone that swells and goes, ``seconds`` long."""
    t = np.arange(round(seconds * RATE), dtype=np.float32) / RATE
    wave = np.sin(2 * np.pi * hz * t) + 0.5 * np.sin(2 * np.pi * hz * 1.004 * t) + 0.18 * np.sin(4 * np.pi * hz * t)
    shape = np.minimum(1, t / 0.5) * np.minimum(1, (seconds - t) / 0.7)
    voice: Samples = (wave * shape * 0.5).astype(np.float32)
    return voice


def pluck(hz: float, seconds: float) -> Samples:
    """A plucked tone with a bright start."""
    t = np.arange(round(seconds * RATE), dtype=np.float32) / RATE
    wave = np.sin(2 * np.pi * hz * t + 0.8 * np.exp(-9 * t) * np.sin(4 * np.pi * hz * t))
    return (wave * np.exp(-4.2 * t) * np.minimum(1, t / 0.004)).astype(np.float32)


def thump() -> Samples:
    """A soft bass drum."""
    t = np.arange(round(0.28 * RATE), dtype=np.float32) / RATE
    return (np.sin(2 * np.pi * (46 * t + 3.2 * (1 - np.exp(-28 * t)))) * np.exp(-13 * t)).astype(np.float32)


def tick(seed: int) -> Samples:
    """A stroke of a shaker; each seed is another one."""
    t = np.arange(round(0.06 * RATE), dtype=np.float32) / RATE
    noise = np.random.default_rng(seed).normal(0, 1, len(t))
    return (np.diff(noise, prepend=0) * np.exp(-70 * t)).astype(np.float32)
