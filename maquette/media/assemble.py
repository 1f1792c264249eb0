"""Joins normalised clips to a film: pictures are copied, sound is rebuilt on the sample clock and levelled."""

import heapq
import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from pydantic import BaseModel, ConfigDict

from maquette.errors import InvalidInput, MediaError
from maquette.media import ffmpeg
from maquette.media.frame import FPS, SAMPLE_RATE, Frame, frames
from maquette.media.normalise import ENCODING, GOP, TAGGED, TICKS
from maquette.media.sound import joined, master

_TICK = TICKS // FPS
# The film's own clock counts samples: on the default one, of milliseconds, its length would be rounded.
_MUXER = {"movflags": "+faststart", "movie_timescale": str(SAMPLE_RATE)}
_Timed: TypeAlias = "tuple[float, int, Packet[VideoStream] | Packet[AudioStream]]"  # no generics at run time


class Assembly(BaseModel):
    """Facts of a film; loudness and peak are those of the encoded sound, ``None`` when it is silent."""

    model_config = ConfigDict(frozen=True)

    duration_s: float
    size_bytes: int
    loudness_lufs: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True)
class _Part:
    """Frames [first, last) of a file: from a key frame to its end, or to the key frame that it is ``cut`` at."""

    path: Path
    first: int
    last: int
    cut: bool = False


def assemble(
    clips: Sequence[Path],
    destination: Path,
    *,
    durations_s: Sequence[float],
    frame: Frame,
    crossfade_s: float = 0.0,
) -> Assembly:
    """Write the film of ``clips`` (from ``normalise``, with the same frame) to ``destination``, an MP4 for streaming.

    Frame k of a clip lies exactly where the durations before it end: nothing drifts. The sound is at −14 LUFS
    under −1 dBTP; a silent film stays silent. With ``crossfade_s`` the two clips of each join are blended over
    that time, centred on the join, the last picture of the one and the first of the other being held: the film
    keeps its duration, and only the seconds around the joins are encoded again.

    Raises ``MediaError`` (``assembly_failed``) for clips that do not fit, ``InvalidInput`` for a cross-fade that is
    longer than the clips allow, ``StorageError`` when the film cannot be kept. Holds the film's sound in memory:
    0.4 MB a second, a few times over.
    """
    if not clips or len(clips) != len(durations_s):
        raise InvalidInput(f"a film needs clips and a duration for each, not {len(clips)} and {len(durations_s)}")
    with ffmpeg.written(destination) as partial, tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        parts = _parts(clips, durations_s, crossfade_s, Path(folder))
        sound, loudness = master(joined(clips, durations_s=durations_s, crossfade_s=crossfade_s))
        _mux(parts, sound, partial, frame=frame)
        size_bytes = partial.stat().st_size
    return Assembly(
        duration_s=sum(frames(d) for d in durations_s) / FPS,
        size_bytes=size_bytes,
        loudness_lufs=loudness.integrated_lufs,
        true_peak_dbtp=loudness.true_peak_dbtp,
    )


def _parts(clips: Sequence[Path], durations_s: Sequence[float], crossfade_s: float, folder: Path) -> list[_Part]:
    counts = [frames(d) for d in durations_s]
    half = frames(crossfade_s / 2)
    if not half:
        return [_Part(clip, 0, count) for clip, count in zip(clips, counts, strict=True)]
    head = -(-half // GOP) * GOP
    tails = [(count - half) // GOP * GOP for count in counts]
    if min(tails) < head:
        raise InvalidInput(f"a cross-fade of {crossfade_s:g} s needs clips of {2 * head / FPS:g} s or more")
    parts: list[_Part] = []
    for index, clip in enumerate(clips):
        if index:
            blend = folder / f"join{index}.mp4"
            _blend(clips[index - 1], clip, blend, first=tails[index - 1], last=counts[index - 1], head=head, half=half)
            parts.append(_Part(blend, 0, counts[index - 1] - tails[index - 1] + head))
        joins = index + 1 < len(clips)
        parts.append(_Part(clip, head if index else 0, tails[index] if joins else counts[index], cut=joins))
    return [part for part in parts if part.last > part.first]


def _blend(before: Path, after: Path, destination: Path, *, first: int, last: int, head: int, half: int) -> None:
    """Encode frames [first, last) of ``before`` and [0, head) of ``after``, blended over 2 × ``half`` at the join."""
    join = last - first
    total = join + head
    graph = (
        f"[0:v]trim=end_frame={join},setpts=PTS-STARTPTS,tpad=stop_mode=clone:stop={half},settb=1/{FPS}[a];"
        f"[1:v]trim=end_frame={head},setpts=PTS-STARTPTS,tpad=start_mode=clone:start={half},settb=1/{FPS}[b];"
        f"[a][b]xfade=transition=fade:duration={2 * half / FPS}:offset={(join - half) / FPS},"
        f"trim=end_frame={total},{TAGGED}[v]"
    )
    ffmpeg.run(
        [
            "-loglevel", "error", "-ss", f"{first / FPS:.6f}", "-i", str(before), "-i", str(after),
            "-filter_complex", graph, "-map", "[v]", *ENCODING, "-threads", "2",
            "-frames:v", str(total), str(destination),
        ],
        timeout_s=300,
        code="assembly_failed",
    )  # fmt: skip


def _mux(parts: Sequence[_Part], sound: io.BytesIO, destination: Path, *, frame: Frame) -> None:
    with ExitStack() as stack:
        heard = stack.enter_context(av.open(sound, "r"))
        first = stack.enter_context(av.open(parts[0].path))
        film = stack.enter_context(av.open(destination, "w", format="mp4", options=_MUXER))
        header = first.streams.video[0]
        video = film.add_stream_from_template(header)
        video.time_base = Fraction(1, TICKS)
        audio = film.add_stream_from_template(heard.streams.audio[0])
        context = header.codec_context
        if (context.name, context.width, context.height) != ("h264", frame.width, frame.height):
            raise _unfit(parts[0].path, f"is {context.name} {context.width}×{context.height}")
        # In the order of decoding, so that the muxer holds nothing back.
        tone = heard.streams.audio[0]
        tick_s = float(tone.time_base or 0)
        pictures: Iterator[_Timed] = (
            ((p.dts or 0) / TICKS, 0, p) for p in _pictures(parts, bytes(context.extradata or b""))
        )
        sounds: Iterator[_Timed] = ((p.dts * tick_s, 1, p) for p in heard.demux(tone) if p.dts is not None)
        for _, kind, packet in heapq.merge(pictures, sounds, key=lambda entry: entry[:2]):
            packet.stream = audio if kind else video
            film.mux_one(packet)


def _pictures(parts: Sequence[_Part], extradata: bytes) -> "Iterator[Packet[VideoStream]]":
    """The packets of ``parts``, moved to where they belong in the film. Verifies that none is missing."""
    at = 0
    for part in parts:
        with av.open(part.path) as container:
            stream = container.streams.video[0]
            if bytes(stream.codec_context.extradata or b"") != extradata or stream.time_base != Fraction(1, TICKS):
                raise _unfit(part.path, "was encoded with other parameters")
            found = 0
            shift = (at - part.first) * _TICK
            for packet in _window(container, part):
                found += 1
                packet.pts = (packet.pts or 0) + shift
                packet.dts = (packet.dts or 0) + shift
                yield packet
            if found != part.last - part.first:
                raise _unfit(part.path, f"has {found} frames of {part.last - part.first}")
        at += part.last - part.first


def _window(container: InputContainer, part: _Part) -> "Iterator[Packet[VideoStream]]":
    if part.first:
        container.seek(part.first * _TICK, stream=container.streams.video[0])
    for packet in container.demux(container.streams.video[0]):
        if packet.pts is None or packet.dts is None:
            continue
        if packet.pts >= part.last * _TICK:
            if part.cut and packet.is_keyframe:
                return  # groups are closed: nothing of this window follows
            raise _unfit(part.path, f"has more than {part.last} frames")
        if part.first * _TICK <= packet.pts:
            yield packet


def _unfit(path: Path, what: str) -> MediaError:
    return MediaError(f"{path.name} {what}: normalise it again for this film", code="assembly_failed")
