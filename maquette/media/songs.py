"""What a song is, found by decoding all of it: a file that was cut short, or holds nothing to hear, is no song."""

from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.frame import AudioFrame
from pydantic import BaseModel, ConfigDict

from maquette.errors import MediaError
from maquette.media.frame import SAMPLE_RATE
from maquette.media.loudness import SILENT_LUFS, energies, integrated

LONGEST_S: Final = 600
_SHORTEST_S: Final = 1.0
# A header may announce this much more than the file holds; a missing tail is longer.
_SLACK_S: Final = 0.5
_HEADER_BYTES: Final = 1 << 16


class SongFacts(BaseModel):
    """Facts of one song. ``bit_rate`` is in bits per second, 0 where the file does not say."""

    model_config = ConfigDict(frozen=True)

    duration_s: float
    sample_rate: int
    channels: int
    bit_rate: int
    loudness_lufs: float


def check_song(source: Path) -> SongFacts:
    """Decode ``source`` to its end; a minute of music takes about half a second.

    Raises ``MediaError`` for what is no audio, is cut short, is silent, or lasts under 1 s or over 10 min.
    """
    if not source.is_file():
        raise MediaError(f"there is no file {source.name}")
    try:
        return _read(source)
    except av.FFmpegError as error:
        raise MediaError(f"the file is no readable song ({error.strerror}): generate it again") from error


def _read(source: Path) -> SongFacts:
    with av.open(source) as container:
        if not container.streams.audio:
            raise MediaError("the file has no sound: generate the song again")
        stream = container.streams.audio[0]
        context = stream.codec_context
        resampler = av.AudioResampler("fltp", "stereo", SAMPLE_RATE)
        parts: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
        count = 0

        def keep(frames: list[AudioFrame]) -> None:
            nonlocal count
            for frame in frames:
                parts.append(frame.to_ndarray().astype(np.float32, copy=False))
                count += frame.samples
            if count > LONGEST_S * SAMPLE_RATE:
                raise MediaError(f"the song lasts over {LONGEST_S // 60} minutes: ask for a shorter one")

        for frame in container.decode(stream):
            keep(resampler.resample(frame))
        keep(resampler.resample(None))
        duration_s = count / SAMPLE_RATE
        if duration_s < _SHORTEST_S:
            raise MediaError(f"the song lasts only {duration_s:.1f} s: generate it again")
        announced_s = (container.duration or 0) / av.time_base
        if duration_s < announced_s - _SLACK_S and (container.format.name != "mp3" or _is_counted(source)):
            raise MediaError(
                f"the song is cut short: {duration_s:.1f} s of {announced_s:.1f} s arrived; download it again"
            )
        loudness_lufs = integrated(energies(np.concatenate(parts, axis=1)))
        if loudness_lufs is None or loudness_lufs < SILENT_LUFS:
            raise MediaError("the song is silent: generate it again")
        return SongFacts(
            duration_s=duration_s,
            sample_rate=context.sample_rate,
            channels=context.channels,
            bit_rate=stream.bit_rate or container.bit_rate or 0,
            loudness_lufs=loudness_lufs,
        )


def _is_counted(source: Path) -> bool:
    """Whether an MP3 says itself how long it is: elsewhere its length is guessed from its first frame's bit rate."""
    with source.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    return b"Xing" in head or b"Info" in head
