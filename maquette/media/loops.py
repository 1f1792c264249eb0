"""Loops as they are delivered: a short clip without sound as WebM (VP9) and MP4 (H.264); thumbnails of pictures."""

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from PIL import Image, ImageOps
from pydantic import BaseModel, ConfigDict

from maquette.errors import MediaError
from maquette.media import ffmpeg
from maquette.media.normalise import TAGGED
from maquette.media.probe import Probe, probe

MAX_S: Final = 30.0
MAX_SIDE: Final = 4096
_MAX_FPS: Final = 60
_MAX_PIXELS: Final = 80_000_000
# Realtime costs a fifth of the good deadline here, for a file half as large again: 1.1 CPU s for a painted loop of
# 121 frames of 720 by 720.
_VP9: Final = (
    "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "5", "-row-mt", "1", "-crf", "30", "-b:v", "0",
    "-g", "240", "-an",
)  # fmt: skip
_H264: Final = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", "-an")
_CONTAINER: Final = ("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact")
_BITEXACT: Final = ("-flags:v", "+bitexact")


class LoopFacts(BaseModel):
    """What both files of a loop are: sides in pixels, both even; no sound."""

    model_config = ConfigDict(frozen=True)

    width: int
    height: int
    fps: float
    frames: int
    duration_s: float


def normalise_loop(source: Path, *, webm: Path, mp4: Path, fps: int | None = None, threads: int = 1) -> LoopFacts:
    """Write ``source``, a provider's clip of any codec, as ``webm`` and ``mp4``; what they are.

    ``fps`` None keeps the clip's own rate. A source that is such an MP4 already has its pictures copied. Both files
    appear only when done. With one thread, the same source gives the same bytes. Raises ``MediaError``
    (``bad_clip``) for what is no video, has fewer than two frames, is longer than 30 s or larger than 4096 pixels,
    and ``StorageError`` where the files cannot be kept.
    """
    found = probe(source)
    _check(found)
    rate = Fraction(fps) if fps else Fraction(min(_MAX_FPS, found.fps or 24)).limit_denominator(1001)
    copied = (fps is None or abs(found.fps - fps) < 0.01) and _is_deliverable(source, found)
    pace = "null" if copied else f"fps={rate}"
    shape = "scale=max(2\\,trunc(iw*sar/2)*2):max(2\\,trunc(ih/2)*2):out_color_matrix=bt709:out_range=tv,setsar=1"
    graph = f"[0:v:0]{pace},{shape},format=yuv420p,{TAGGED}"
    shown = ("-map", "0:v:0", "-c:v", "copy", "-an") if copied else ("-map", "[w]", *_H264, *_BITEXACT)
    common = ("-threads", str(threads), "-fps_mode", "passthrough", *_CONTAINER)
    with ffmpeg.written(mp4) as mp4_part, ffmpeg.written(webm) as webm_part:
        ffmpeg.run(
            [
                "-loglevel", "error", "-threads", str(threads), "-i", str(source), "-filter_threads", "1",
                "-filter_complex", f"{graph}[v]" if copied else f"{graph},split[v][w]",
                "-map", "[v]", *_VP9, *_BITEXACT, *common, "-f", "webm", str(webm_part),
                *shown, *common, "-movflags", "+faststart", "-f", "mp4", str(mp4_part),
            ],
            timeout_s=600,
        )  # fmt: skip
        return _agreed(probe(mp4_part), probe(webm_part))


def thumbnail(picture: Path, made: Path, *, side: int = 320) -> None:
    """Write ``picture`` upright, at most ``side`` pixels each way, as JPEG, or as WebP where ``made`` is so called.

    Nothing of the picture's metadata goes along; what is transparent becomes white. Raises ``MediaError`` for a file
    that is no picture, and ``StorageError`` when it cannot be kept.
    """
    try:
        with Image.open(picture) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                raise MediaError(f"{picture.name} has more than {_MAX_PIXELS} pixels: use a smaller one")
            opened.draft("RGB", (side * 2, side * 2))
            upright = ImageOps.exif_transpose(opened)
            if upright.has_transparency_data:
                white = Image.new("RGBA", upright.size, "white")
                white.alpha_composite(upright.convert("RGBA"))
                upright = white
            small = upright.convert("RGB")
            small.thumbnail((side, side), Image.Resampling.LANCZOS)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(f"{picture.name} is no picture that can be read: use a PNG, JPEG or WebP") from error
    small.info.clear()
    with ffmpeg.written(made) as partial:
        if made.suffix == ".webp":
            small.save(partial, "WEBP", quality=82, method=4)
        else:
            small.save(partial, "JPEG", quality=85, optimize=True, progressive=True)


def _check(found: Probe) -> None:
    if found.frame_count < 2:
        raise MediaError("the clip has a single picture: nothing moves")
    if found.video_duration_s > MAX_S + 0.05:
        raise MediaError(f"the clip is {found.video_duration_s:.1f} s long, {MAX_S:g} s at most are a loop")
    if max(found.width, found.height) > MAX_SIDE:
        raise MediaError(f"the clip is {found.width}×{found.height}, {MAX_SIDE} pixels a side at most can be delivered")


def _is_deliverable(source: Path, found: Probe) -> bool:
    """Whether the video stream can be delivered as it is: H.264 4:2:0 in MP4, even, upright, of square pixels."""
    if found.video_codec != "h264" or found.pix_fmt != "yuv420p" or found.width % 2 or found.height % 2:
        return False
    with av.open(source) as container:
        video = container.streams.video[0]
        first = next(container.decode(video))
        square = not video.sample_aspect_ratio or video.sample_aspect_ratio == 1
        return "mp4" in container.format.name and square and not round(first.rotation) % 360


def _agreed(mp4: Probe, webm: Probe) -> LoopFacts:
    """The facts of both files. Raises ``MediaError`` where they are not one loop."""
    one_frame_s = 1 / mp4.fps if mp4.fps else 0.1
    if mp4.has_audio or webm.has_audio:
        raise MediaError("sound was left in the loop")
    if (mp4.width, mp4.height) != (webm.width, webm.height) or abs(mp4.frame_count - webm.frame_count) > 1:
        raise MediaError(
            f"the loop's files differ: {mp4.width}×{mp4.height} with {mp4.frame_count} frames as MP4, "
            f"{webm.width}×{webm.height} with {webm.frame_count} as WebM"
        )
    if abs(mp4.video_duration_s - webm.video_duration_s) > one_frame_s + 0.002:  # WebM counts in milliseconds
        raise MediaError(
            f"the loop lasts {mp4.video_duration_s:.2f} s as MP4 and {webm.video_duration_s:.2f} s as WebM"
        )
    return LoopFacts(
        width=mp4.width, height=mp4.height, fps=mp4.fps, frames=mp4.frame_count, duration_s=mp4.video_duration_s
    )
