"""The gate that a film passes before anyone is told that it is finished."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from maquette.errors import MediaError
from maquette.media.frame import FPS, SAMPLE_RATE, Frame
from maquette.media.loudness import CEILING_DBTP, SILENT_LUFS, TARGET_LUFS, Sound, measure
from maquette.media.probe import probe
from maquette.media.sound import decoded

Stretch = tuple[float, float]  # from, to, in seconds of the film

_DURATION_S: Final = 0.05
_LOUDNESS_LU: Final = 1.0
_BLACK_S: Final = 1.0  # a key frame each second finds every stretch of this length
_SILENT_S: Final = 2.0  # speech pauses for less
_SILENT_LEVEL: Final = 10 ** (SILENT_LUFS / 20)
_WINDOW: Final = SAMPLE_RATE // 20
# Luma of video black is 16; as ffmpeg's blackdetect has it, a picture is black when 98 % of it is about that dark.
_BLACK_LUMA: Final = 30
_BLACK_SHARE: Final = 0.98


class QualityReport(BaseModel):
    """What was found in a film; ``problems`` is empty when it may be shown."""

    model_config = ConfigDict(frozen=True)

    problems: tuple[str, ...]
    duration_s: float
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    black: tuple[Stretch, ...]
    silent: tuple[Stretch, ...]

    def require(self) -> None:
        """Raise ``MediaError`` (``assembly_failed``) that names every problem, if there is one."""
        if self.problems:
            raise MediaError("the film fails the quality gate: " + "; ".join(self.problems), code="assembly_failed")


def check(
    film: Path,
    *,
    duration_s: float,
    frame: Frame,
    allow_silent: Sequence[Stretch] = (),
    allow_black: Sequence[Stretch] = (),
) -> QualityReport:
    """Examine ``film``: streams, duration (±50 ms), loudness (−14 LUFS ± 1), true peak (−1 dBTP), black and silence.

    ``allow_silent`` and ``allow_black`` are the stretches that the script asks for. Black is looked for at the key
    frames, and at every frame around those that are black, outside the captions: no stretch of a second or more
    is missed as long as there is a key frame each second, and where there is not, every frame is looked at.
    Silence counts from two seconds. Raises ``MediaError`` for a file that is no video.
    """
    facts = probe(film)
    problems = []
    if (facts.video_codec, facts.width, facts.height, facts.pix_fmt) != ("h264", frame.width, frame.height, "yuv420p"):
        problems.append(
            f"the picture is {facts.video_codec} {facts.pix_fmt} {facts.width}×{facts.height}, "
            f"not h264 yuv420p {frame.width}×{frame.height}"
        )
    if abs(facts.fps - FPS) > 0.01:
        problems.append(f"it runs at {facts.fps:.2f} frames a second, not {FPS}")
    if not facts.is_bt709:
        problems.append("its colours are not tagged as BT.709")
    if (facts.audio_codec, facts.sample_rate, facts.channels) != ("aac", SAMPLE_RATE, 2):
        problems.append(f"the sound is {facts.audio_codec} at {facts.sample_rate} Hz, not stereo aac at {SAMPLE_RATE}")
    for name, length_s in (("picture", facts.video_duration_s), ("sound", facts.audio_duration_s)):
        if length_s is not None and abs(length_s - duration_s) > _DURATION_S:
            problems.append(f"the {name} lasts {length_s:.2f} s, not {duration_s:.2f} s")
    sound = decoded(film)
    loudness = measure(sound)
    silent = tuple(_without(_silences(sound), allow_silent, at_least_s=_SILENT_S))
    black = tuple(_without(_blacks(film, frame), allow_black, at_least_s=_BLACK_S))
    problems += [f"silent from {a:.1f} to {b:.1f} s" for a, b in silent]
    problems += [f"black from {a:.1f} to {b:.1f} s" for a, b in black]
    heard = loudness.integrated_lufs is not None and loudness.integrated_lufs >= SILENT_LUFS
    if heard and abs((loudness.integrated_lufs or 0) - TARGET_LUFS) > _LOUDNESS_LU:
        problems.append(f"loudness is {loudness.integrated_lufs:.1f} LUFS, not {TARGET_LUFS:g} ± {_LOUDNESS_LU:g}")
    if loudness.true_peak_dbtp is not None and loudness.true_peak_dbtp > CEILING_DBTP + 0.05:
        problems.append(f"the true peak is {loudness.true_peak_dbtp:.1f} dBTP, above {CEILING_DBTP:g}")
    return QualityReport(
        problems=tuple(problems),
        duration_s=facts.duration_s,
        loudness_lufs=loudness.integrated_lufs,
        true_peak_dbtp=loudness.true_peak_dbtp,
        black=black,
        silent=silent,
    )


def _without(found: Sequence[Stretch], allowed: Sequence[Stretch], *, at_least_s: float) -> Iterator[Stretch]:
    """What is left of ``found`` outside ``allowed``, where it lasts ``at_least_s``."""
    for start, end in found:
        pieces = [(start, end)]
        for low, high in allowed:
            pieces = [p for a, b in pieces for p in ((a, min(b, low)), (max(a, high), b)) if p[1] > p[0]]
        yield from ((a, b) for a, b in pieces if b - a >= at_least_s - 1e-6)


def _stretches(flags: Sequence[bool] | NDArray[np.bool_], step_s: float) -> list[Stretch]:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(flags, np.int8), [0]))))
    return [(float(a) * step_s, float(b) * step_s) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _silences(sound: Sound) -> list[Stretch]:
    usable = sound[:, : sound.shape[1] // _WINDOW * _WINDOW]
    levels = np.sqrt(np.square(usable).reshape(2, -1, _WINDOW).mean(axis=2).max(axis=0))
    return _stretches(levels < _SILENT_LEVEL, _WINDOW / SAMPLE_RATE)


def _blacks(film: Path, frame: Frame) -> list[Stretch]:
    with av.open(film) as container:
        stream = container.streams.video[0]
        times = [p for p in container.demux(stream) if p.pts is not None and p.time_base is not None]
        count = len(times)
        keys = sorted(round(float((p.pts or 0) * (p.time_base or 0)) * FPS) for p in times if p.is_keyframe)
        dark = np.zeros(count, np.bool_)
        if any(b - a > FPS * _BLACK_S for a, b in zip(keys, [*keys[1:], count], strict=True)):
            return _stretches(_dark_frames(film, frame, dark, [(0, count)]), 1 / FPS)
        container.seek(0)
        stream.codec_context.skip_frame = "NONKEY"
        seen = [_is_black(picture, frame) for picture in container.decode(stream)]
    # The frames of every group that starts or ends with a black key frame.
    bounds = [*keys, count]
    groups = [(bounds[i], bounds[i + 1]) for i in range(len(keys)) if any(seen[i : i + 2])]
    return _stretches(_dark_frames(film, frame, dark, groups), 1 / FPS)


def _dark_frames(
    film: Path, frame: Frame, dark: NDArray[np.bool_], groups: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Mark in ``dark`` which frames of ``groups`` (each from a key frame on) are black."""
    with av.open(film) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for first, last in groups:
            container.seek(int(first / FPS / float(stream.time_base or 1)), stream=stream)
            for picture in container.decode(stream):
                index = round((picture.time or 0) * FPS)
                if index >= last:
                    break
                if index >= first and index < len(dark):
                    dark[index] = _is_black(picture, frame)
    return dark


def _is_black(picture: VideoFrame, frame: Frame) -> bool:
    """Whether the picture is black outside the rows that captions stand in."""
    plane = picture.planes[0]
    luma = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[::4, : plane.width : 4]
    top, bottom = (row * plane.height // frame.height // 4 for row in frame.text_band)
    share = (np.count_nonzero(luma[:top] <= _BLACK_LUMA) + np.count_nonzero(luma[bottom + 1 :] <= _BLACK_LUMA)) / max(
        1, luma[:top].size + luma[bottom + 1 :].size
    )
    return bool(share >= _BLACK_SHARE)
