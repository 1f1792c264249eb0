"""Loudness and peaks of decoded sound, measured and set as ITU-R BS.1770-4 and EBU R 128 define them.

Sound is a float32 array of shape (2, samples) at 48 kHz, full scale 1.0.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maquette.media.frame import SAMPLE_RATE

Sound = NDArray[np.float32]
Series = NDArray[np.float64]

TARGET_LUFS: Final = -14.0
CEILING_DBTP: Final = -1.0
# Below this nothing is heard on a phone: such a film counts as silent and is not raised, for that would be noise.
SILENT_LUFS: Final = -50.0
_GRAIN: Final = SAMPLE_RATE // 1000  # energies are kept for each millisecond, finer than the limiter moves
_HOP: Final = 100  # grains: gating blocks of 400 ms move by 100 ms
_LEAD: Final = 4096  # after which the filter's memory (a pole at 38 Hz) is below float32
_STEP: Final = 26 * _HOP * _GRAIN
_FFT: Final = 1 << 17
_TAPS: Final = 24
_ATTACK: Final = 480  # the limiter looks 10 ms ahead and lets go as slowly


@dataclass(frozen=True)
class Loudness:
    """Integrated loudness in LUFS (``None`` when silent) and true peak in dBTP (``None`` for digital silence)."""

    integrated_lufs: float | None
    true_peak_dbtp: float | None


def measure(sound: Sound) -> Loudness:
    """Loudness and true peak of ``sound``."""
    peak = true_peak(sound)
    return Loudness(integrated(energies(sound)), 20 * math.log10(peak) if peak > 0 else None)


@lru_cache
def _k_weighting() -> NDArray[np.complex64]:
    """Response of the two filters of BS.1770-4 (table 1 and 2, for 48 kHz) at the bins of the transform."""
    z = np.exp(-2j * np.pi * np.arange(_FFT // 2 + 1) / _FFT)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high_pass = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    response: NDArray[np.complex64] = (shelf * high_pass).astype(np.complex64)
    return response


@lru_cache
def _high_pass() -> NDArray[np.complex64]:
    """Response of two Butterworth filters of second order at 100 Hz."""
    z = np.exp(-2j * np.pi * np.arange(_FFT // 2 + 1) / _FFT)
    k = math.tan(math.pi * 100 / SAMPLE_RATE)
    norm = 1 + math.sqrt(2) * k + k * k
    one = (1 - 2 * z + z**2) / (norm + 2 * (k * k - 1) * z + (1 - math.sqrt(2) * k + k * k) * z**2)
    response: NDArray[np.complex64] = (one * one).astype(np.complex64)
    return response


def _filtered(sound: Sound, response: NDArray[np.complex64]) -> Iterator[tuple[int, Sound]]:
    """``sound`` through a filter, in stretches of at most ``_STEP`` samples with the place where each begins."""
    count = sound.shape[1]
    for start in range(0, count, _STEP):
        # Overlap-save: what wraps around the transform falls into the lead, which is thrown away.
        first = max(0, start - _LEAD)
        chunk = sound[:, first : start + _STEP]
        result = np.fft.irfft(np.fft.rfft(chunk, _FFT) * response, _FFT).astype(np.float32, copy=False)
        yield start, result[:, start - first :][:, : min(_STEP, count - start)]


def energies(sound: Sound) -> Series:
    """Sum over the channels of the mean square of the K-weighted sound, for each millisecond."""
    result = np.zeros(-(-sound.shape[1] // _GRAIN))
    for start, weighted in _filtered(sound, _k_weighting()):
        squares = np.square(weighted).sum(axis=0, dtype=np.float64)
        sums = np.add.reduceat(squares, np.arange(0, len(squares), _GRAIN))
        result[start // _GRAIN : start // _GRAIN + len(sums)] = sums / _GRAIN
    return result


def integrated(grains: Series) -> float | None:
    """Gated loudness in LUFS from ``energies``; ``None`` when nothing passes the absolute gate.

    A tail that fills no hop is left out, as the standard has it; sound under 400 ms is one block.
    """
    hops = grains[: len(grains) // _HOP * _HOP].reshape(-1, _HOP).mean(axis=1)
    blocks = np.convolve(hops, np.full(4, 0.25), mode="valid") if len(hops) >= 4 else grains.mean(keepdims=True)
    blocks = blocks[blocks > 10 ** ((-70 + 0.691) / 10)]
    if not len(blocks):
        return None
    blocks = blocks[blocks > blocks.mean() / 10]
    return float(-0.691 + 10 * np.log10(blocks.mean()))


@lru_cache
def _phases() -> NDArray[np.float32]:
    """Windowed sincs that give the sound at 1/4, 1/2 and 3/4 between two samples, one column each."""
    at = np.arange(_TAPS)[:, None] - (_TAPS // 2 - 1) - np.array([0.25, 0.5, 0.75])[None, :]
    window = np.i0(6 * np.sqrt(np.clip(1 - (at / (_TAPS / 2)) ** 2, 0, None))) / np.i0(6)
    phases: NDArray[np.float32] = (np.sinc(at) * window).astype(np.float32)
    return phases


def _between(channel: NDArray[np.float32], threshold: float) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Indices with a neighbour above ``threshold``, and the largest level between each and its right neighbour."""
    level = np.abs(channel)
    where = np.flatnonzero(np.maximum(level[:-1], level[1:]) > threshold)
    padded = np.pad(channel, _TAPS // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _TAPS)
    # Window i + 1 starts TAPS/2 - 1 samples before sample i.
    peaks = np.empty(len(where), np.float32)
    for start in range(0, len(where), 1 << 16):
        part = where[start : start + (1 << 16)]
        peaks[start : start + len(part)] = np.abs(windows[part + 1] @ _phases()).max(axis=1)
    return where, peaks


def true_peak(sound: Sound) -> float:
    """Largest level of the sound at four times its rate, as a factor of full scale.

    Only places with a sample above 70 % of the sample peak are interpolated: elsewhere no peak hides.
    """
    peak = float(np.abs(sound).max(initial=0))
    best = peak
    if peak:
        for channel in sound:
            best = max(best, float(_between(channel, 0.7 * peak)[1].max(initial=0)))
    return best


def levels(sound: Sound, *, above: float) -> NDArray[np.float32]:
    """The level that each sample stands for, of both channels and between samples; the latter only near ``above``."""
    level: NDArray[np.float32] = np.abs(sound).max(axis=0)
    for channel in sound:
        where, peaks = _between(channel, 0.7 * above)
        level[where] = np.maximum(level[where], peaks)
        level[where + 1] = np.maximum(level[where + 1], peaks)
    return level


def limiter(level: NDArray[np.float32], *, gain_db: float, ceiling_db: float) -> NDArray[np.float32]:
    """The factor for each sample that raises sound of ``level`` by ``gain_db`` and keeps it under ``ceiling_db``."""
    raised = np.float32(10 ** (gain_db / 20))
    ceiling = np.float32(10 ** (ceiling_db / 20)) / raised
    if not (level > ceiling).any():
        return np.full(len(level), raised)
    need = ceiling / np.maximum(level, ceiling)
    # The smallest factor of a window, then two means over half of it: never above what any peak needs.
    held = np.pad(need, _ATTACK, constant_values=1)
    span = 1
    while span * 2 <= 2 * _ATTACK + 1:
        held = np.minimum(held[:-span], held[span:])
        span *= 2
    rest = 2 * _ATTACK + 1 - span
    held = np.minimum(held[: len(held) - rest], held[rest:])
    gain: NDArray[np.float32] = (_mean(_mean(held, _ATTACK), _ATTACK) * raised).astype(np.float32)
    return gain


def _mean(values: NDArray[np.floating], width: int) -> Series:
    """Centred mean over ``width`` + 1 values, the ends held."""
    sums = np.cumsum(np.pad(values, (width // 2 + 1, width // 2), mode="edge"), dtype=np.float64)
    return (sums[width + 1 :] - sums[: -width - 1]) / (width + 1)


def mastered(sound: Sound, *, aim_lufs: float = TARGET_LUFS, ceiling_db: float = CEILING_DBTP - 0.8) -> Sound:
    """``sound`` at ``aim_lufs`` under ``ceiling_db`` dBTP; unchanged when it is silent.

    The default ceiling leaves room for what the AAC encoder adds (EBU R 128 s1 advises as much).
    """
    grains = energies(sound)
    loudness = integrated(grains)
    if loudness is None or loudness < SILENT_LUFS:
        return sound
    result, missing_db = _raised(sound, grains, aim_lufs=aim_lufs, ceiling_db=ceiling_db)
    if missing_db > 0.7:
        # Rumble takes the room: without what a phone cannot play anyway, the rest can be as loud as it should.
        lean = np.concatenate([part for _, part in _filtered(sound, _high_pass())], axis=1)
        result, _ = _raised(lean, energies(lean), aim_lufs=aim_lufs, ceiling_db=ceiling_db)
    return result


def _raised(sound: Sound, grains: Series, *, aim_lufs: float, ceiling_db: float) -> tuple[Sound, float]:
    """``sound`` raised and limited until it is as loud as ``aim_lufs``, and by how much it is not."""
    by_db = aim_lufs - (integrated(grains) or aim_lufs)
    level = levels(sound, above=10 ** ((ceiling_db - by_db - 6) / 20))
    for _ in range(12):
        gain = limiter(level, gain_db=by_db, ceiling_db=ceiling_db)
        # The gain moves slowly, so that it scales the energies: no second filtering of the sound.
        squares = np.pad(np.square(gain), (0, len(grains) * _GRAIN - len(gain)), mode="edge")
        reached = integrated(grains * squares.reshape(-1, _GRAIN).mean(axis=1, dtype=np.float64))
        missing_db = aim_lufs - (aim_lufs if reached is None else reached)
        if abs(missing_db) < 0.3:
            break
        by_db += missing_db * 1.3
    return np.multiply(sound, gain), missing_db
