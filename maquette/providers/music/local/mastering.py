"""The loudness of a song: about -16 LUFS, with no peak above -1 dBTP after the encoder.

Providers stand beside ``media`` and do not use it, so this is a meter of its own: K-weighting by the analogue
filters behind ITU-R BS.1770-4, and its gates on blocks that do not overlap. The tests hold it to ``media.loudness``.
"""

from typing import Final

import numpy as np

from maquette.providers.clips.local.music import RATE, Samples

TARGET_LUFS: Final = -16.0
_CEILING: Final = 10 ** (-2.2 / 20)  # what the encoder adds to a peak stays below the rest
_BLOCK: Final = RATE * 2 // 5
_STEP: Final = RATE // 1000  # the limiter moves by the millisecond
_ATTACK: Final = 8  # steps that it looks ahead and back


def loudness(sound: Samples) -> float:
    """Gated loudness in LUFS of ``sound``, shape (samples, 2); -70 where it is silent."""
    size = len(sound) + RATE // 2  # what the filters make of an abrupt end does not come round to the start
    s = 2j * np.pi * np.fft.rfftfreq(size, 1 / RATE)
    shelf, low = 2 * np.pi * 1681.97, 2 * np.pi * 38.135
    high_shelf = (1.5849 * s**2 + 1.2587 * s * shelf / 0.70718 + shelf**2) / (s**2 + s * shelf / 0.70718 + shelf**2)
    weights = (high_shelf * s**2 / (s**2 + s * low / 0.50033 + low**2)).astype(np.complex64)
    power = np.zeros(len(sound) // _BLOCK)
    for channel in sound.T:
        weighted = np.fft.irfft(np.fft.rfft(channel, size) * weights, size)
        power += np.square(weighted[: len(power) * _BLOCK]).reshape(-1, _BLOCK).mean(axis=1)
    power = power[power > 10 ** ((-70 + 0.691) / 10)]
    if not len(power):
        return -70.0
    return float(-0.691 + 10 * np.log10(power[power > power.mean() / 10].mean()))


def mastered(sound: Samples) -> Samples:
    """``sound`` at the target; its peaks are turned down smoothly, not cut. Silence stays as it is."""
    heard = loudness(sound)
    if heard <= -70:
        return sound
    raised = sound * np.float32(10 ** ((TARGET_LUFS - heard) / 20))
    return _limited(raised)


def _limited(sound: Samples) -> Samples:
    steps = -(-len(sound) // _STEP)
    peaks = np.zeros(steps * _STEP, np.float32)
    peaks[: len(sound)] = np.abs(sound).max(axis=1)
    need = np.minimum(1, _CEILING / np.maximum(peaks.reshape(steps, _STEP).max(axis=1), 1e-9))
    if need.min() >= 1:
        return sound
    # The smallest of a window twice as wide as the mean that follows: no peak gets more than it may.
    span = 2 * _ATTACK + 1
    padded = np.pad(need, 2 * _ATTACK, constant_values=1)
    held = np.lib.stride_tricks.sliding_window_view(padded, span).min(axis=1)
    smooth = np.convolve(held, np.ones(span) / span, mode="valid")
    at = (np.arange(steps) + 0.5) * _STEP
    gain = np.interp(np.arange(len(sound)), at, smooth).astype(np.float32)
    return sound * gain[:, None]
