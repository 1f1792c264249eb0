"""A look painted and encoded: JPEG, quality 95 without chroma subsampling; equal requests give equal bytes."""

import hashlib
import io
import random
from collections.abc import Callable, Sequence
from typing import Final

from PIL import Image

from maquette.providers.clips.local.paint import Point, rgb
from maquette.providers.images.local import papercut, pattern, studio, worlds
from maquette.providers.images.local.canvas import Canvas
from maquette.providers.images.local.look import Look, plan
from maquette.providers.images.port import ImageRequest

Composition = Callable[[Canvas, Look, random.Random], Point]
COMPOSITIONS: Final[dict[str, Composition]] = {
    "valley": papercut.valley,
    "grotto": papercut.grotto,
    "podium": studio.podium,
    "orbit": studio.orbit,
    "aurora": studio.aurora,
    "land": studio.land,
    "mosaic": pattern.mosaic,
    "drift": pattern.drift,
    "universe": worlds.hero_in_world,
}


def paint(request: ImageRequest, *, reference_colours: Sequence[str] = ()) -> Image.Image:
    """The picture of a request, RGB, ``request.width`` by ``request.height`` pixels."""
    look = plan(request, reference_colours=reference_colours)
    canvas = Canvas((request.width, request.height), ink=rgb(look.palette.ink))
    light = COMPOSITIONS[look.composition](canvas, look, random.Random(look.seed))
    return canvas.finish(seed=look.seed, light=light)


def swatch(request: ImageRequest) -> bytes:
    """A PNG of the right size that costs next to nothing: two colours in a pattern, both by the request's hash."""
    told = hashlib.sha256(f"{request.prompt}|{request.seed}|{request.palette}".encode()).digest()
    cells = Image.frombytes("P", (8, 8), bytes(told[i // 8] >> i % 8 & 1 for i in range(64)))
    whole = cells.resize((request.width, request.height), Image.Resampling.NEAREST)
    whole.putpalette(told[8:14])
    out = io.BytesIO()
    whole.save(out, "PNG", bits=1)
    return out.getvalue()


def jpeg(picture: Image.Image) -> bytes:
    """The file of a picture."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()
