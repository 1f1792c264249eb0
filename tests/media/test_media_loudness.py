import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.media import ffmpeg
from maquette.media.loudness import (
    CEILING_DBTP,
    SILENT_LUFS,
    Sound,
    energies,
    integrated,
    levels,
    limiter,
    mastered,
    measure,
    true_peak,
)
from maquette.media.sound import decoded, encoded, master


def noise(seed: int, *, seconds: float, level_db: float, bursts: int = 0) -> Sound:
    random = np.random.default_rng(seed)
    sound = random.normal(0, 10 ** (level_db / 20), (2, int(seconds * 48_000)))
    sound = np.cumsum(sound - sound.mean(axis=1, keepdims=True), axis=1) * 0.05 + sound * 0.3
    sound *= 10 ** (level_db / 20) / max(1e-9, float(np.sqrt(np.mean(sound**2))))
    for _ in range(bursts):
        at = int(random.integers(0, sound.shape[1] - 400))
        sound[:, at : at + 400] += random.normal(0, 0.5, (2, 400))
    return sound.astype(np.float32)


def ebur128(sound: Sound, folder: Path) -> tuple[float, float]:
    """Loudness and true peak as ffmpeg's filter has them, which shares no code with ours."""
    raw = folder / "sound.f32"
    raw.write_bytes(np.ascontiguousarray(sound.T).tobytes())
    said = ffmpeg.run(
        [
            "-f",
            "f32le",
            "-ar",
            "48000",
            "-ac",
            "2",
            "-i",
            str(raw),
            "-af",
            "ebur128=peak=true:framelog=quiet",
            "-f",
            "null",
            "-",
        ],
        timeout_s=60,
    )
    loudness, peak = re.search(r"I:\s+(-?[\d.]+|-inf) LUFS", said), re.search(r"Peak:\s+(-?[\d.]+|-inf) dBFS", said)
    assert loudness is not None
    assert peak is not None
    return float(loudness[1]), float(peak[1])


@pytest.mark.parametrize(
    ("level_db", "bursts", "seconds"), [(-20, 0, 6.3), (-6, 3, 3.0), (-45, 10, 11.7), (-30, 1, 5.0)]
)
def test_loudness_and_peak_agree_with_ffmpeg(level_db: float, bursts: int, seconds: float, tmp_path: Path) -> None:
    sound = noise(7, seconds=seconds, level_db=level_db, bursts=bursts)
    ours = measure(sound)
    loudness, peak = ebur128(sound, tmp_path)
    assert ours.integrated_lufs == pytest.approx(loudness, abs=0.11)
    assert ours.true_peak_dbtp == pytest.approx(peak, abs=0.25)


def test_pauses_do_not_count(tmp_path: Path) -> None:
    speech = noise(1, seconds=3, level_db=-20)
    paused = np.concatenate([speech, np.zeros((2, 48_000 * 9), np.float32)], axis=1)
    before, after = integrated(energies(speech)), integrated(energies(paused))
    assert before is not None
    assert after == pytest.approx(before, abs=0.3)


def test_a_peak_between_samples_is_found() -> None:
    # A quarter of the sample rate, 45° off: every sample is at 0.707 of the peak (BS.1770-4, annex 2).
    t = np.arange(48_000)
    sine = np.sin(np.pi / 2 * t + np.pi / 4).astype(np.float32)
    assert true_peak(np.stack([sine, sine])) == pytest.approx(1.0, abs=0.03)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-3, 30), st.floats(-12, -1))
def test_the_limiter_holds_the_ceiling(seed: int, gain_db: float, ceiling_db: float) -> None:
    sound = noise(seed, seconds=0.5, level_db=-15, bursts=3)
    level = levels(sound, above=10 ** ((ceiling_db - gain_db) / 20))
    gain = limiter(level, gain_db=gain_db, ceiling_db=ceiling_db)
    assert true_peak(sound * gain) <= 10 ** ((ceiling_db + 0.15) / 20)
    assert gain.max() <= 10 ** (gain_db / 20) * (1 + 1e-6)


def test_below_the_ceiling_the_limiter_only_raises() -> None:
    sound = noise(3, seconds=0.5, level_db=-40)
    gain = limiter(levels(sound, above=1), gain_db=6, ceiling_db=-1)
    np.testing.assert_allclose(gain, 10 ** (6 / 20), rtol=1e-5)


@pytest.mark.parametrize(
    ("level_db", "bursts"),
    [(-3, 0), (-8, 20), (-14, 0), (-30, 2), (-44, 1)],
    ids=["hot", "loud", "right", "low", "quiet"],
)
def test_encoded_sound_is_within_limits(level_db: float, bursts: int, tmp_path: Path) -> None:
    sound = noise(11, seconds=4, level_db=level_db, bursts=bursts)
    buffer, said = master(sound)
    loudness, peak = ebur128(decoded(buffer), tmp_path)
    assert loudness == pytest.approx(-14, abs=1)
    assert peak <= CEILING_DBTP + 0.1
    assert said.integrated_lufs == pytest.approx(loudness, abs=0.15)


@pytest.mark.parametrize("level_db", [-200, SILENT_LUFS - 25])
def test_silence_is_not_raised(level_db: float) -> None:
    sound = noise(5, seconds=2, level_db=level_db)
    assert mastered(sound) is sound


def test_encoded_sound_keeps_its_samples_in_place() -> None:
    sound = np.zeros((2, 48_000 + 37), np.float32)
    sound[:, 20_000:20_480] = np.sin(np.arange(480) * 0.3) * 0.5
    back = decoded(encoded(sound))
    assert back.shape == sound.shape
    shift = np.argmax(np.correlate(back[0, 19_000:21_500], sound[0, 20_000:20_480], "valid"))
    assert shift == 1000
