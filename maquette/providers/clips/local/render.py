"""A request drawn, sounded and encoded: one MP4 (H.264, AAC 48 kHz stereo), written atomically."""

import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from maquette.providers.clips.local import music, speech
from maquette.providers.clips.local.music import RATE, Samples
from maquette.providers.clips.local.scene import FPS, Scene
from maquette.providers.clips.local.shot import plan
from maquette.providers.clips.port import ClipRequest, SpokenWord
from maquette.providers.encoder import encode

SIZES: Final = {"9:16": (720, 1280), "1:1": (720, 720), "16:9": (1280, 720), "4:5": (720, 900)}
_SMALL: Final = {"9:16": (180, 320), "1:1": (180, 180), "16:9": (320, 180), "4:5": (180, 226)}
_BT709: Final = "colour_primaries=1:transfer_characteristics=1:matrix_coefficients=1:video_full_range_flag=0"
_SPEECH_STARTS_S: Final = 0.35
_SPEECH_TAIL_S: Final = 0.25


def frame_size(request: ClipRequest) -> tuple[int, int]:
    """Width and height in pixels; both even."""
    width, height = SIZES[request.aspect_ratio]
    return (width, height) if request.resolution == "720p" else (width * 3 // 2, height * 3 // 2)


def soundtrack(request: ClipRequest) -> tuple[Samples, list[SpokenWord]]:
    """The clip's sound (stereo, 48 kHz, exactly its length) and its words' times."""
    shot = plan(request)
    sound = music.bed(mood=shot.mood, seed=shot.seed, seconds=request.seconds)
    room = request.seconds - _SPEECH_STARTS_S - _SPEECH_TAIL_S
    spoken = speech.speak(request.dialogue, language=request.language, seconds=room)
    if spoken is None:
        return sound, []
    begin = round(_SPEECH_STARTS_S * RATE)
    voice = np.zeros(len(sound), dtype=np.float32)
    heard = spoken.samples[: len(voice) - begin]
    voice[begin : begin + len(heard)] = heard * (0.11 / max(0.01, float(np.sqrt(np.mean(heard**2)))))
    # The music steps back while somebody speaks, over a third of a second.
    talking = (np.abs(voice) > 0.01).astype(np.float32)
    width = RATE // 3
    total = np.concatenate([np.zeros(1), np.cumsum(np.pad(talking, width))])
    near = ((total[2 * width :] - total[: -2 * width])[: len(voice)] / (2 * width)).clip(0, 0.25) * 4
    mixed = sound * (1 - 0.68 * near)[:, None].astype(np.float32) + voice[:, None]
    words = [
        SpokenWord(text=w.text, start_s=w.start_s + _SPEECH_STARTS_S, end_s=w.end_s + _SPEECH_STARTS_S)
        for w in spoken.words
    ]
    # Soft, not hard: the loudest syllables stay below -1 dBFS after encoding.
    return (0.8 * np.tanh(mixed / 0.8)).astype(np.float32), words


def draw_clip(request: ClipRequest, destination: Path, *, progress: Callable[[float], None]) -> list[SpokenWord]:
    """Draw ``request`` to ``destination``; ``progress`` hears 0..1. Raises ``OSError`` when it cannot be written."""
    sound_file = destination.with_suffix(".wav")
    sound, words = soundtrack(request)
    with wave.open(str(sound_file), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((sound * 32767).astype("<i2").tobytes())
    size = frame_size(request)
    scene = Scene(plan(request), size, seconds=request.seconds)
    order = [
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", f"{size[0]}x{size[1]}", "-framerate", str(FPS),
        "-i", "-",
        "-i", str(sound_file), "-map", "0:v", "-map", "1:a",
        "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-threads", "1", "-pix_fmt", "yuv420p",
        "-bsf:v", f"h264_metadata={_BT709}",
        "-c:a", "aac", "-b:a", "160k", "-t", str(request.seconds),
    ]  # fmt: skip

    def frames() -> Iterator[bytes]:
        for number, data in enumerate(scene.frames()):
            yield data
            if number % (FPS // 2) == 0:
                progress(number / (request.seconds * FPS))

    encode(order, destination, frames())
    sound_file.unlink(missing_ok=True)
    return words


def prepared_clip(request: ClipRequest, destination: Path) -> None:
    """A small test picture with a tone, another one for each number; for benches. Raises ``OSError``."""
    width, height = _SMALL[request.aspect_ratio]
    picture = f"testsrc2=size={width}x{height}:rate={FPS}:duration={request.seconds},hue=h={request.number * 47 % 360}"
    tone = f"sine=frequency={220 + 30 * (request.number % 16)}:sample_rate={RATE}:duration={request.seconds}"
    order = [
        "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-c:v", "libx264", "-preset", "ultrafast",
        "-pix_fmt", "yuv420p", "-threads", "1", "-c:a", "aac", "-ac", "2", "-t", str(request.seconds),
    ]  # fmt: skip
    encode(order, destination)
