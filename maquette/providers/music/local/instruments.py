"""The instruments: each plays one note as mono samples at 48 kHz, about ±1. Soft ones; nobody sings."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maquette.providers.clips.local.music import RATE, Samples, frequency, pad, pluck, thump, tick

Instrument = Callable[[float, float], Samples]  # frequency in Hz, length in seconds
_Partials = tuple[tuple[float, float, float], ...]  # multiple of the frequency, level, decay in 1/s
_HIGHEST_HZ: Final = 16_000


def _samples(wave: NDArray[np.floating]) -> Samples:
    voice: Samples = wave.astype(np.float32, copy=False)
    return voice


def _time(seconds: float) -> Samples:
    return np.arange(round(seconds * RATE), dtype=np.float32) / np.float32(RATE)


def _sine(hz: float, t: Samples) -> Samples:
    wave: Samples = np.sin(np.float32(2 * np.pi * hz) * t)
    return wave


def _struck(partials: _Partials, seconds: float, *, attack_s: float = 0.002) -> Instrument:
    """Bars, bells and strings: partials that die away on their own, whatever length the note has."""

    def play(hz: float, length_s: float) -> Samples:
        t = _time(seconds)
        wave = np.zeros(len(t), np.float32)
        for multiple, level, decay in partials:
            if hz * multiple < _HIGHEST_HZ:
                wave += np.float32(level) * _sine(hz * multiple, t) * np.exp(np.float32(-decay) * t)
        wave *= np.minimum(1, t / np.float32(attack_s))
        return wave

    return play


def _string(*, bright: float, decay: float, seconds: float, at: float) -> Instrument:
    """A plucked string: harmonics as the place ``at`` of the finger leaves them, the high ones dying first."""
    partials = tuple(
        (float(k), float(np.sin(np.pi * k * at)) / k**bright, decay * (1 + 0.35 * (k - 1))) for k in range(1, 11)
    )
    return _struck(partials, seconds, attack_s=0.004)


def _recorder(hz: float, length_s: float) -> Samples:
    """A flute of wood: few harmonics, a little breath, vibrato on what is held."""
    release = 0.09
    t = _time(length_s + release)
    sway = np.minimum(1, np.maximum(0, t - 0.22) / 0.4) * np.sin(2 * np.pi * 5.1 * t) * (0.0035 * hz / 5.1)
    phase = 2 * np.pi * hz * t + sway
    wave = sum(level * np.sin(k * phase) for k, level in ((1, 1.0), (2, 0.14), (3, 0.2), (4, 0.03), (5, 0.04)))
    breath = np.random.default_rng(round(hz)).normal(0, 1, len(t))
    wave += 0.016 * np.convolve(breath, (0.25, 0.0, -0.5, 0.0, 0.25), mode="same")
    shape = np.minimum(1, t / 0.045) * np.minimum(1, (length_s + release - t) / release)
    shape *= 0.8 + 0.2 * np.exp(-6 * t)
    return _samples(wave * shape * 0.62)


def _synth_lead(hz: float, length_s: float) -> Samples:
    """A rounded square, for machines."""
    release = 0.06
    t = _time(length_s + release)
    wave = np.zeros(len(t), np.float32)
    for k, level in ((1, 1.0), (3, 0.28), (5, 0.11), (7, 0.05)):
        if hz * k < _HIGHEST_HZ:
            wave += np.float32(level) * _sine(hz * k * (1 + 0.0006 * k), t) * np.exp(np.float32(-1.2 * k) * t)
    shape = np.minimum(1, t / 0.008) * np.minimum(1, (length_s + release - t) / release)
    return _samples(wave * shape * 0.6)


def _bell(hz: float, length_s: float) -> Samples:
    """A bell of glass, by frequency modulation."""
    t = _time(2.4)
    wave = np.sin(2 * np.pi * hz * t + 1.5 * np.exp(-3 * t) * np.sin(2 * np.pi * 3.5 * hz * t))
    shimmer = 0.3 * np.sin(2 * np.pi * 1.002 * hz * t)
    return _samples((wave + shimmer) * np.exp(-2.1 * t) * np.minimum(1, t / 0.004) * 0.8)


def _bass(hz: float, length_s: float) -> Samples:
    """A soft bass, with enough of its octave to be heard from a phone."""
    release = 0.08
    t = _time(length_s + release)
    wave = _sine(hz, t) + 0.45 * _sine(2 * hz, t) * np.exp(-3 * t) + 0.16 * _sine(3 * hz, t) * np.exp(-5 * t)
    shape = np.exp(-1.5 * t) * np.minimum(1, t / 0.008) * np.minimum(1, (length_s + release - t) / release)
    return _samples(wave * shape * 0.75)


INSTRUMENTS: Final[dict[str, Instrument]] = {
    "glockenspiel": _struck(((1, 1.0, 2.8), (2.76, 0.3, 5.5), (5.4, 0.14, 10), (8.9, 0.05, 16)), 1.7),
    "xylophone": _struck(((1, 1.0, 6.5), (3, 0.4, 13), (6, 0.16, 28)), 0.75, attack_s=0.001),
    "marimba": _struck(((1, 1.0, 4.6), (3.98, 0.26, 13), (9.8, 0.05, 32)), 1.0, attack_s=0.003),
    "music_box": _struck(((1, 1.0, 3.0), (2, 0.2, 4.5), (3.01, 0.1, 6), (5.2, 0.1, 12)), 1.7, attack_s=0.001),
    "steel_pan": _struck(((1, 1.0, 3.6), (2.0, 0.5, 4.5), (3.01, 0.22, 7), (4.1, 0.1, 10)), 1.1, attack_s=0.006),
    "guitar": _string(bright=1.15, decay=2.6, seconds=1.5, at=0.21),
    "ukulele": _string(bright=1.3, decay=4.2, seconds=0.9, at=0.3),
    "harp": _string(bright=1.6, decay=2.2, seconds=1.8, at=0.38),
    "synth": pluck,
    "recorder": _recorder,
    "synth_lead": _synth_lead,
    "bell": _bell,
    "bass": _bass,
    "pad": pad,
}
# As loud as their neighbours in the mix.
LEVELS: Final = {
    "glockenspiel": 0.3, "xylophone": 0.4, "marimba": 0.42, "music_box": 0.32, "steel_pan": 0.32, "guitar": 0.4,
    "ukulele": 0.4, "harp": 0.36, "synth": 0.3, "recorder": 0.3, "synth_lead": 0.26, "bell": 0.3, "bass": 0.34,
    "pad": 0.1,
}  # fmt: skip


def _noise(seconds: float, *, seed: int) -> Samples:
    noise: Samples = np.random.default_rng(seed).normal(0, 0.4, round(seconds * RATE)).astype(np.float32)
    return noise


def _clap(seed: int) -> Samples:
    t = _time(0.2)
    noise = np.diff(_noise(0.2, seed=seed), prepend=np.float32(0))
    claps = ((0, 190), (0.011, 190), (0.022, 32))  # from when, and how fast it dies
    hands = sum(np.where(t >= late, np.exp(-fall * (t - late)), 0) for late, fall in claps)
    body = np.convolve(noise, np.ones(12, np.float32) / 6, mode="same")
    return _samples(body * hands * 1.3)


def _snare(seed: int) -> Samples:
    t = _time(0.18)
    return _samples(_noise(0.18, seed=seed) * np.exp(-24 * t) * 0.8 + _sine(190, t) * np.exp(-30 * t) * 0.5)


def _brush(seed: int) -> Samples:
    t = _time(0.14)
    noise = np.convolve(_noise(0.14, seed=seed), np.ones(3, np.float32) / 2, mode="same")
    return _samples(noise * np.minimum(1, t / 0.012) * np.exp(-26 * t))


def _tambourine(seed: int) -> Samples:
    t = _time(0.16)
    noise = np.diff(np.diff(_noise(0.16, seed=seed), prepend=np.float32(0)), prepend=np.float32(0))
    return _samples(noise * np.exp(-30 * t) * (0.7 + 0.3 * np.sin(2 * np.pi * 31 * t)) * 0.5)


def _conga(seed: int) -> Samples:
    t = _time(0.26)
    low, high = (178, 60) if seed % 2 else (238, 80)
    wave = np.sin(2 * np.pi * (low * t + high / 40 * (1 - np.exp(-40 * t))))
    return _samples(wave * np.exp(-15 * t) * np.minimum(1, t / 0.002))


def _woodblock(seed: int) -> Samples:
    t = _time(0.09)
    hz = 760 if seed % 2 else 940
    return _samples((_sine(hz, t) + 0.5 * _sine(hz * 2.4, t)) * np.exp(-55 * t) * np.minimum(1, t / 0.001))


def _triangle(seed: int) -> Samples:
    return _struck(((1, 1.0, 3.2), (2.4, 0.7, 4), (3.9, 0.4, 5.5)), 1.2)(2650, 0)


# Each stroke of a drum is one of a few that differ a little.
DRUMS: Final[dict[str, tuple[Callable[[int], Samples], float]]] = {
    "kick": (lambda _: thump(), 0.5),
    "snare": (_snare, 0.24),
    "clap": (_clap, 0.3),
    "brush": (_brush, 0.3),
    "shaker": (tick, 0.075),
    "tambourine": (_tambourine, 0.2),
    "conga": (_conga, 0.26),
    "woodblock": (_woodblock, 0.13),
    "triangle": (_triangle, 0.05),
}
VARIANTS: Final = 4


def note(instrument: str, midi: float, length_s: float) -> Samples:
    """One note of ``instrument``, which ends without a click."""
    return _ended(INSTRUMENTS[instrument](frequency(midi), length_s))


def stroke(drum: str, variant: int) -> Samples:
    """One stroke of ``drum``; ``variant`` from 0 to ``VARIANTS`` - 1."""
    return _ended(DRUMS[drum][0](variant))


def _ended(voice: Samples) -> Samples:
    edge = min(len(voice), RATE // 100)
    voice[len(voice) - edge :] *= np.linspace(1, 0, edge, dtype=np.float32)
    return voice
