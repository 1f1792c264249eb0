"""Brings a clip to its place in the film: the frame's size and rate, exact length, captions burned in.

All normalised clips of one frame share their codec's parameters, so that a film copies their pictures as they are.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from maquette.errors import InvalidInput, MediaError
from maquette.media import ffmpeg
from maquette.media.captions import Cue, Word, cues
from maquette.media.fonts import require_drawable
from maquette.media.frame import FPS, SAMPLE_RATE, Frame, frames, samples
from maquette.media.lettering import caption
from maquette.media.probe import Probe, probe

GOP: Final = 30  # a key frame each second: films are cut and cross-faded there
TICKS: Final = 15_360  # of the video track, per second: 512 a frame
_MISSING_S: Final = 0.5
_COVER: Final = 1.25  # aspects that differ by less are cropped, others stand on a blurred copy

# One set for every clip: a film's header must fit them all.
ENCODING: Final = (
    "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-profile:v", "high", "-pix_fmt", "yuv420p",
    "-g", str(GOP), "-keyint_min", str(GOP), "-sc_threshold", "0", "-bf", "2", "-flags", "+cgop",
    "-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
    "-video_track_timescale", str(TICKS),
)  # fmt: skip
TAGGED: Final = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"


def normalise(
    source: Path,
    destination: Path,
    *,
    frame: Frame,
    duration_s: float,
    dialogue: str,
    words: Sequence[Word] | None = None,
    threads: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> Probe:
    """Write ``source`` to ``destination`` (MP4) as a block of ``duration_s``, with ``dialogue`` as captions.

    The result has exactly ``duration_s`` × 30 frames (H.264, BT.709) and as many samples as they last (AAC,
    48 kHz stereo; silence where the source has no sound). A picture up to 0.5 s short is held; a longer source
    is cut. ``on_progress`` gets 0 to 1. ``destination`` appears only when done.

    Raises ``MediaError`` for a source that is no video, cut short, or too short; ``InvalidInput``
    (``script_not_drawable``) for a dialogue that no font covers; ``StorageError`` when it cannot be kept.
    """
    if frames(duration_s) < 1:
        raise InvalidInput(f"a block lasts a thirtieth of a second or more, not {duration_s:g} s")
    require_drawable(dialogue)
    found = probe(source)
    if found.video_duration_s < duration_s - _MISSING_S - 1 / FPS:
        raise MediaError(f"the clip is {found.video_duration_s:.1f} s long, {duration_s:g} s were ordered")
    spoken = cues(dialogue, duration_s=duration_s, words=words)

    def report(done_s: float) -> None:
        if on_progress:
            on_progress(min(1.0, done_s / duration_s))

    with ffmpeg.written(destination) as partial, tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        inputs = ["-threads", str(threads), "-i", str(source)]
        overlay = None
        if spoken:
            listing = strips(spoken, Path(folder), frame=frame, duration_s=duration_s)
            inputs += ["-f", "concat", "-safe", "0", "-i", str(listing)]
            overlay = "1:v"
        seen = picture(found, frame=frame, duration_s=duration_s, overlay=overlay)
        graph = f"{seen}[v];{hearing(found, duration_s=duration_s)}[a]"
        ffmpeg.run(
            [
                "-loglevel", "error", "-filter_threads", str(threads), "-filter_complex_threads", str(threads),
                *inputs, "-filter_complex", graph, "-map", "[v]", "-map", "[a]",
                *ENCODING, "-threads", str(threads), "-frames:v", str(frames(duration_s)),
                "-c:a", "aac", "-aac_coder", "fast", "-b:a", "256k", "-map_metadata", "-1", "-map_chapters", "-1",
                "-movflags", "+faststart", "-movie_timescale", str(SAMPLE_RATE), str(partial),
            ],
            timeout_s=120 + 60 * duration_s,
            on_progress=report,
        )  # fmt: skip
        made = probe(partial)
        if (made.frame_count, made.width, made.height) != (frames(duration_s), frame.width, frame.height):
            raise MediaError(
                f"the clip gave {made.frame_count} frames of {made.width}×{made.height}, "
                f"{frames(duration_s)} of {frame.width}×{frame.height} are needed"
            )
    return made


def strips(spoken: Sequence[Cue], folder: Path, *, frame: Frame, duration_s: float) -> Path:
    """Draw the captions into ``folder`` and return the list that ffmpeg's concat demuxer plays them from."""
    empty = folder / "empty.png"
    caption(" ", frame=frame).save(empty, compress_level=1)
    listing = ["ffconcat version 1.0"]
    at = 0
    for number, cue in enumerate(spoken):
        first, last = frames(cue.start_s), frames(cue.end_s)
        if first > at:
            listing += [f"file '{empty.name}'", f"duration {_lasts(at, first):.6f}"]
        strip = folder / f"{number}.png"
        caption(cue.text, frame=frame).save(strip, compress_level=1)
        if last > max(at, first):
            listing += [f"file '{strip.name}'", f"duration {_lasts(max(at, first), last):.6f}"]
        at = max(at, last)
    listing += [f"file '{empty.name}'", f"duration {_lasts(at, frames(duration_s) + FPS):.6f}"]
    path = folder / "captions.txt"
    path.write_text("\n".join(listing) + "\n", "utf-8")
    return path


def _lasts(first: int, last: int) -> float:
    # Half a frame early from the second strip on: rounding of the list's times must not make a cue late.
    return (last - first - (0.5 if first == 0 else 0)) / FPS


def picture(found: Probe, *, frame: Frame, duration_s: float, overlay: str | None, source: str = "0:v:0") -> str:
    """Filters from ``source`` (and the pad ``overlay``) to the block's pictures; the last output is unnamed."""
    # Clips without tags are taken as players take them: by their size.
    guess = "bt709" if min(found.width, found.height) >= 720 else "bt601"
    matrix = "auto" if found.color_space not in (0, 2) else guess
    tags = f"in_color_matrix={matrix}:out_color_matrix=bt709:out_range=tv"
    size = f"{frame.width}:{frame.height}"
    rate = f"fps={FPS}:start_time=0,tpad=stop_mode=clone:stop_duration=1,trim=end_frame={frames(duration_s)}"
    cover = f"scale={size}:force_original_aspect_ratio=increase:{tags},crop={size}"
    square = "scale=trunc(iw*sar/2)*2:ih,setsar=1"
    differs = (found.width / found.height) / (frame.width / frame.height)
    tail = f"format=yuv420p,setsar=1,{TAGGED}"
    mark = "b" + "".join(c for c in source if c.isalnum())  # pads of several blocks in one graph must differ
    if 1 / _COVER <= differs <= _COVER:
        chain = f"[{source}]{rate},{square},{cover},{tail}"
    else:
        small = f"{max(16, frame.width // 8 * 2)}:{max(16, frame.height // 8 * 2)}"
        chain = (
            f"[{source}]{rate},{square},split[{mark}near][{mark}far];"
            f"[{mark}far]scale={small}:force_original_aspect_ratio=increase:{tags},crop={small},"
            f"gblur=sigma=12,eq=brightness=-0.08:saturation=0.9,scale={size},{tail}[{mark}back];"
            f"[{mark}near]scale={size}:force_original_aspect_ratio=decrease:force_divisible_by=2:{tags},{tail}[{mark}front];"
            f"[{mark}back][{mark}front]overlay=(W-w)/2:(H-h)/2:format=yuv420,{TAGGED}"
        )
    if overlay is None:
        return chain
    return (
        f"[{overlay}]scale=out_color_matrix=bt709:out_range=tv,format=yuva420p[{mark}text];{chain}[{mark}clip];"
        f"[{mark}clip][{mark}text]overlay=0:{frame.text_band[0]}:format=yuv420:eof_action=repeat,{TAGGED}"
    )


def hearing(found: Probe, *, duration_s: float, source: str = "0:a:0") -> str:
    """Filters from ``source`` to the block's sound, to the sample; silence where the source has none."""
    length = samples(duration_s)
    if not found.has_audio:
        return f"anullsrc=r={SAMPLE_RATE}:cl=stereo,atrim=end_sample={length}"
    # A cut in mid-sound clicks: a few milliseconds of fade hide it.
    fade = min(0.02, duration_s / 4)
    return (
        f"[{source}]aresample={SAMPLE_RATE}:async=1:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=stereo,"
        f"apad,atrim=end_sample={length},afade=t=in:d={fade / 2:.4f},"
        f"afade=t=out:st={duration_s - fade:.4f}:d={fade:.4f}"
    )
