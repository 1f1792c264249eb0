"""From the notes to the file: the mix, its room, its loudness, and an MP3."""

import hashlib
import io
from functools import lru_cache
from itertools import count
from typing import Final

import av
import numpy as np

from maquette.providers.clips.local.music import RATE, Samples
from maquette.providers.clips.local.music import add as add_voice
from maquette.providers.music.local.arrangement import Arrangement, arrange
from maquette.providers.music.local.instruments import DRUMS, LEVELS, VARIANTS, note, stroke
from maquette.providers.music.local.mastering import mastered
from maquette.providers.music.port import MusicRequest

SAMPLE_RATE: Final = 44_100  # of the file, as the existing clients ask for
BIT_RATE: Final = 256_000
_TONE_RATE: Final = 8000  # of a placeholder: coding takes as long as there are samples
_SAID: Final = "Synthesised on this machine by rule; no model made it and nobody sings."
# Half the time of the encoder's default; at this rate nobody hears a difference.
_ENCODER: Final = {"compression_level": "7"}
_DRY: Final = frozenset({"kick", "bass", "shaker"})
_FFT: Final = 1 << 17
_ROOM_S: Final = 1.5
_FADE_S: Final = 2.5


def song(request: MusicRequest) -> bytes:
    """The MP3 of a request: stereo, 44.1 kHz, 256 kbit/s, exactly its seconds long."""
    arrangement = arrange(request)
    sound = mastered(mix(arrangement, seconds=request.seconds))
    return encoded(
        sound, title=f"{arrangement.style.name.capitalize()} ({request.language})", rate=SAMPLE_RATE, bit_rate=BIT_RATE
    )


def placeholder(request: MusicRequest) -> bytes:
    """A small MP3 of the right length: one tone, by the request's hash; for benches and tests."""
    told = hashlib.sha256(f"{request.lyrics}|{request.prompt}|{request.language}|{request.seed}".encode()).digest()
    pitch = 220 + int.from_bytes(told[:4]) % 8800 / 20
    t = np.arange(request.seconds * _TONE_RATE, dtype=np.float32) / _TONE_RATE
    tone = (0.2 * np.sin(np.float32(2 * np.pi * pitch) * t)).astype(np.float32)[:, None]
    return encoded(tone, title=f"Tone ({request.language})", rate=_TONE_RATE, bit_rate=16_000, source_rate=_TONE_RATE)


def mix(arrangement: Arrangement, *, seconds: int) -> Samples:
    """All voices in stereo at 48 kHz, shape (samples, 2), at no particular level; faded at its end."""
    total = seconds * RATE
    dry = np.zeros((total, 2), np.float32)
    wet = np.zeros((total, 2), np.float32)
    played: dict[tuple[str, int, float], Samples] = {}
    strokes = count()
    for event in arrangement.events:
        if event.pitch is None:
            variant = next(strokes) % VARIANTS
            key = event.voice, variant, 0.0
            level = DRUMS[event.voice][1]
        else:
            key = event.voice, event.pitch, round(event.length_s, 2)
            level = LEVELS[event.voice]
        if key not in played:
            played[key] = stroke(*key[:2]) if event.pitch is None else note(*key)
        add_voice(dry, played[key], event.at_s, pan=event.pan, gain=event.gain * level)
        if event.voice not in _DRY:
            add_voice(wet, played[key], event.at_s, pan=event.pan, gain=event.gain * level)
    if arrangement.style.sea:
        dry += _sea(total, wave_s=2 * arrangement.bar_s)
    dry += _room(wet.sum(axis=1)) * np.float32(arrangement.style.room)
    fade = min(round(_FADE_S * RATE), total // 4)
    dry[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32))[:, None] ** 2
    return dry


@lru_cache
def _echoes() -> Samples:
    """Two different rooms' answers to a clap, one for each ear, of unit energy; darker as they die."""
    size = round(_ROOM_S * RATE)
    noise = np.random.default_rng(11).normal(0, 1, (2, size))
    t = np.arange(size) / RATE
    dull = np.stack([np.convolve(one, np.ones(9) / 9, mode="same") for one in noise])
    share = np.exp(-6 * t)
    answer = (noise * share + dull * 2.2 * (1 - share)) * np.exp(-3.6 * t) * np.minimum(1, t / 0.02)
    answer /= np.sqrt(np.square(answer).sum(axis=1, keepdims=True))
    late: Samples = np.roll(answer, round(0.018 * RATE), axis=1).astype(np.float32)
    return late


def _room(sound: Samples) -> Samples:
    """What a room gives back of mono ``sound``, in stereo."""
    answer = np.fft.rfft(_echoes(), _FFT)
    back = np.zeros((len(sound) + _FFT, 2), np.float32)
    step = _FFT - _echoes().shape[1]
    for start in range(0, len(sound), step):
        part = np.fft.rfft(sound[start : start + step], _FFT)
        for ear in (0, 1):
            back[start : start + _FFT, ear] += np.fft.irfft(part * answer[ear], _FFT)
    ears = back.std(axis=0) + np.float32(1e-9)  # held tones find one ear's echoes stronger than the other's
    even: Samples = back[: len(sound)] * (ears.mean() / ears)
    return even


def _sea(total: int, *, wave_s: float) -> Samples:
    """Waves that come and go: noise without its highs, breathing."""
    size = 8 * RATE
    spectrum = np.fft.rfft(np.random.default_rng(23).normal(0, 1, (2, size)), axis=1)
    hz = np.fft.rfftfreq(size, 1 / RATE)
    spectrum *= hz / 90 / (1 + (hz / 420) ** 2) * (hz > 60)
    noise = np.fft.irfft(spectrum, size, axis=1).T
    noise /= np.sqrt(np.mean(noise**2))
    t = np.arange(total) / RATE
    breath = 0.25 + 0.75 * np.stack([np.sin(np.pi * (t / wave_s + late)) ** 2 for late in (0, 0.12)], axis=1)
    whole = np.tile(noise, (-(-total // size), 1))[:total]
    sea: Samples = (whole * breath * 0.014).astype(np.float32)
    return sea


def encoded(sound: Samples, *, title: str, rate: int, bit_rate: int, source_rate: int = RATE) -> bytes:
    """``sound`` of shape (samples, channels) at ``source_rate`` as an MP3 at ``rate``, with what it is in its ID3 tag.

    The encoder notes its own delay, so that a player cuts the file to the exact length.
    """
    layout = "stereo" if sound.shape[1] == 2 else "mono"
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3") as container:
        container.metadata.update({"title": title, "artist": "Maquette (local synthesiser)", "comment": _SAID})
        stream = container.add_stream("libmp3lame", rate=rate, layout=layout, options=_ENCODER)
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T), format="fltp", layout=layout)
        frame.sample_rate = source_rate
        resampler = av.AudioResampler("fltp", layout, rate)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return buffer.getvalue()
