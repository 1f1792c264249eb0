"""A request drawn and encoded: MP4 (H.264, yuv420p, BT.709), without sound, its index at the front."""

import hashlib
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from maquette.providers.encoder import encode
from maquette.providers.loops.local.drift import Air
from maquette.providers.loops.local.motion import plan
from maquette.providers.loops.local.stage import Planes, Stage, load, planes_of
from maquette.providers.loops.port import LoopRequest

_BT709: Final = "colour_primaries=1:transfer_characteristics=1:matrix_coefficients=1:video_full_range_flag=0"
_PATTERN: Final = 96  # pixels of the longer side of a pattern
_LOOKS: Final = 10  # how often progress is told


def draw(request: LoopRequest, picture: Path, made: Path, *, progress: Callable[[float], None]) -> None:
    """Draw the loop of ``picture`` to ``made``; ``progress`` hears 0..1.

    Equal requests give equal bytes. Raises ``ValueError`` for a picture that cannot be read and ``OSError`` when the
    loop cannot be written.
    """
    size = (request.width & ~1, request.height & ~1)
    motion = plan(request.prompt, seconds=request.frames / request.fps)
    stage = Stage(load(picture, size), motion, frames=request.frames)
    air = Air(motion, size, random.Random(f"{request.seed}|{request.prompt}|{request.image_sha256}"))

    def frames() -> Iterable[Planes]:
        step = max(1, request.frames // _LOOKS)
        for number, planes in enumerate(stage):
            if number % step == 0:
                progress(number / request.frames)
            air.lay(planes, number / request.frames)
            yield planes

    _encode(frames(), made, size=size, fps=request.fps, preset="veryfast")


def pattern(request: LoopRequest, made: Path) -> None:
    """A small loop of the right length that costs next to nothing: tiles in two colours, by the request's hash."""
    told = hashlib.sha256(f"{request.prompt}|{request.seed}|{request.image_sha256}".encode()).digest()
    scale = _PATTERN / max(request.width, request.height)
    size = (max(16, round(request.width * scale) & ~1), max(16, round(request.height * scale) & ~1))
    cells = Image.frombytes("P", (4, 4), bytes(told[i // 8] >> i % 8 & 1 for i in range(16)))
    cells.putpalette(told[8:14])
    picture = cells.convert("RGB").resize(size, Image.Resampling.NEAREST)
    wide = Image.new("RGB", (size[0] * 2, size[1]))
    wide.paste(picture, (0, 0))
    wide.paste(picture, (size[0], 0))

    luma, *chroma = planes_of(wide)

    def frames() -> Iterable[Planes]:
        for number in range(request.frames):
            left = number * size[0] // request.frames & ~1
            half = (left // 2, 0, (left + size[0]) // 2, size[1] // 2)
            blue, red = (plane.crop(half) for plane in chroma)
            yield luma.crop((left, 0, left + size[0], size[1])), blue, red

    _encode(frames(), made, size=size, fps=request.fps, preset="ultrafast")


def _encode(frames: Iterable[Planes], made: Path, *, size: tuple[int, int], fps: int, preset: str) -> None:
    # One thread: the same bytes on every machine, and one core for each loop.
    order = [
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", f"{size[0]}x{size[1]}", "-framerate", str(fps),
        "-i", "-",
        "-c:v", "libx264", "-preset", preset, "-crf", "18", "-threads", "1", "-pix_fmt", "yuv420p",
        "-bsf:v", f"h264_metadata={_BT709}",
    ]  # fmt: skip
    encode(order, made, (b"".join(np.ascontiguousarray(plane).tobytes() for plane in planes) for planes in frames))
