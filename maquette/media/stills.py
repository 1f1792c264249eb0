"""Pictures and a small copy of films: poster, contact sheet, preview."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.video.frame import VideoFrame
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from maquette.errors import InvalidInput, MediaError
from maquette.media import ffmpeg
from maquette.media.fonts import available, choose, clusters, roboto, uncovered
from maquette.media.lettering import load

_PAPER: Final = (17, 18, 24)
_SHADE: Final = (8, 8, 12)
_EDGE: Final = (58, 61, 74)
_TEXT: Final = (240, 241, 245)
_MUTED: Final = (152, 156, 170)
_ACCENT: Final = (255, 214, 64)
_TILE: Final = 300
_GAP: Final = 28
_PICTURES: Final = {".png", ".jpg", ".jpeg", ".webp"}


def poster(film: Path, destination: Path, *, at_s: float | None = None) -> None:
    """Write one picture of ``film`` as JPEG: the frame at ``at_s``, or the richest of its key frames, never a black one
    if there is another. Raises ``MediaError`` for a file that is no video, ``StorageError`` when it cannot be kept.
    """
    if at_s is not None:
        chosen = still(film, at_s=at_s)
    else:
        chosen = max(_key_frames(film, at_most=12), key=_richness, default=None) or still(film, at_s=0)
    with ffmpeg.written(destination) as partial:
        chosen.save(partial, "JPEG", quality=90, optimize=True, progressive=True)


def still(film: Path, *, at_s: float) -> Image.Image:
    """The frame of ``film`` that is seen at ``at_s`` (its last one, where that is past the end)."""
    picture = None
    try:
        with av.open(film) as container:
            stream = container.streams.video[0]
            container.seek(int(max(0.0, at_s) * av.time_base))
            for picture in container.decode(stream):
                if picture.time is not None and picture.time + 1e-3 >= at_s:
                    break
    except (av.FFmpegError, IndexError) as error:
        raise MediaError(f"{film.name} is no readable video") from error
    if picture is None:
        raise MediaError(f"{film.name} has no picture at {at_s:g} s")
    return _image(picture)


def contact_sheet(
    clips_or_film: Sequence[Path] | Path,
    destination: Path,
    *,
    title: str = "",
    columns: int | None = None,
    labels: Sequence[str] = (),
    count: int = 6,
) -> None:
    """Write a PNG of stills with their numbers and ``labels`` (two lines at most, shortened to fit).

    One still from the middle of each clip (pictures are taken as they are: a storyboard), or ``count`` of one film at
    equal distances. Raises ``MediaError`` for a file that is no video, ``InvalidInput`` for no clips.
    """
    tiles = list(_tiles(clips_or_film, count))
    if not tiles:
        raise InvalidInput("a contact sheet needs at least one clip")
    columns = min(len(tiles), columns or (3 if len(tiles) in (5, 6, 9) else 4 if len(tiles) != 10 else 5))
    height = round(_TILE * tiles[0].height / tiles[0].width)
    text_height = 78 if any(labels) else 0
    margin, head = 44, 96 if title else 0
    rows = math.ceil(len(tiles) / columns)
    width = max(2 * margin + columns * _TILE + (columns - 1) * _GAP, 480)
    sheet = Image.new("RGB", (width, 2 * margin + head + rows * (height + text_height) + (rows - 1) * _GAP), _PAPER)
    if title:
        _write(sheet, (margin, margin + 30), title, size=40, weight="Bold", fill=_TEXT, room=width - 2 * margin)
        ImageDraw.Draw(sheet).rounded_rectangle((margin, margin + 52, margin + 64, margin + 57), 2, fill=_ACCENT)
    for index, tile in enumerate(tiles):
        x = margin + index % columns * (_TILE + _GAP)
        y = margin + head + index // columns * (height + text_height + _GAP)
        _place(sheet, tile, (x, y), (_TILE, height), number=index + 1)
        if index < len(labels):
            for line, words in enumerate(_wrapped(labels[index], size=20, weight="Medium", room=_TILE)):
                at = (x, y + height + 32 + 27 * line)
                _write(sheet, at, words, size=20, weight="Medium", fill=_MUTED, room=_TILE)
    with ffmpeg.written(destination) as partial:
        sheet.save(partial, "PNG")  # optimising takes twice the time for a hundredth of the size


def preview(film: Path, destination: Path) -> None:
    """Write ``film`` as a small MP4 for streaming: 360 pixels on its short side, the sound copied."""
    with ffmpeg.written(destination) as partial:
        ffmpeg.run(
            [
                "-loglevel", "error", "-threads", "2", "-skip_loop_filter", "noref", "-i", str(film),
                "-vf", "scale='if(gt(iw,ih),-2,360)':'if(gt(iw,ih),360,-2)':flags=fast_bilinear",
                "-c:v", "libx264", "-preset", "veryfast", "-crf", "28", "-g", "60", "-threads", "2",
                "-c:a", "copy", "-movflags", "+faststart", str(partial),
            ],
            timeout_s=1800,
        )  # fmt: skip


def _tiles(source: Sequence[Path] | Path, count: int) -> Iterator[Image.Image]:
    if isinstance(source, Path):
        length_s = _length_s(source)
        for index in range(count):
            yield still(source, at_s=(index + 0.5) / count * length_s)
        return
    for path in source:
        if path.suffix.lower() in _PICTURES:
            with Image.open(path) as picture:
                yield picture.convert("RGB")
        else:
            yield still(path, at_s=_length_s(path) / 2)


def _length_s(film: Path) -> float:
    try:
        with av.open(film) as container:
            return (container.duration or 0) / av.time_base
    except av.FFmpegError as error:
        raise MediaError(f"{film.name} is no readable video") from error


def _key_frames(film: Path, *, at_most: int) -> Iterator[Image.Image]:
    """Key frames spread over ``film``, the very first and last left out where there are others."""
    try:
        with av.open(film) as container:
            stream = container.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            length_s = (container.duration or 0) / av.time_base
            for index in range(at_most):
                container.seek(int((index + 0.7) / at_most * length_s * av.time_base))
                picture = next(container.decode(stream), None)
                if picture is not None:
                    yield _image(picture)
    except (av.FFmpegError, IndexError) as error:
        raise MediaError(f"{film.name} is no readable video") from error


def _image(picture: VideoFrame) -> Image.Image:
    return Image.fromarray(picture.to_ndarray(format="rgb24"))


def _richness(picture: Image.Image) -> float:
    """How much there is to see: contrast, colour and detail, of a picture that is neither dark nor burnt out."""
    small = np.asarray(picture.resize((90, 160)), np.float32) / 255
    grey = small.mean(axis=2)
    detail = float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())
    exposure = 1 - abs(float(grey.mean()) - 0.45)
    return exposure * (float(grey.std()) + 0.5 * float(small.std(axis=2).mean()) + 2 * detail)


def _place(
    sheet: Image.Image, picture: Image.Image, at: tuple[int, int], size: tuple[int, int], *, number: int
) -> None:
    x, y = at
    scale = max(size[0] / picture.width, size[1] / picture.height)
    cover = (math.ceil(picture.width * scale), math.ceil(picture.height * scale))
    grown = picture.resize(cover, Image.Resampling.LANCZOS)
    left, top = (grown.width - size[0]) // 2, (grown.height - size[1]) // 2
    cut = grown.crop((left, top, left + size[0], top + size[1]))
    # Drawn at four times the size: Pillow's rounded corners are not smooth by themselves.
    mask = Image.new("L", (size[0] * 4, size[1] * 4))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), 72, fill=255)
    mask = mask.resize(size, Image.Resampling.LANCZOS)
    shadow = Image.new("L", (size[0] + 48, size[1] + 48))
    shadow.paste(mask.point(lambda level: level // 2), (24, 24))
    shadow = shadow.filter(ImageFilter.GaussianBlur(10))
    sheet.paste(Image.new("RGB", shadow.size, _SHADE), (x - 24, y - 16), shadow)
    sheet.paste(Image.new("RGB", size, _EDGE), at, mask)
    inner = mask.resize((size[0] - 2, size[1] - 2), Image.Resampling.LANCZOS)
    sheet.paste(cut.crop((1, 1, size[0] - 1, size[1] - 1)), (x + 1, y + 1), inner)
    badge = Image.new("RGBA", (176, 176))
    ImageDraw.Draw(badge).ellipse((0, 0, 175, 175), fill=(*_PAPER, 225))
    badge = badge.resize((44, 44), Image.Resampling.LANCZOS)
    sheet.paste(badge, (x + 12, y + 12), badge)
    face, _ = load(roboto("Bold"), 22)
    ImageDraw.Draw(sheet).text((x + 34, y + 34), str(number), font=face, fill=_ACCENT, anchor="mm")


def _runs(text: str, *, size: int, weight: str) -> list[tuple[str, ImageFont.FreeTypeFont, float]]:
    """``text`` with the face and length of each run; what no font draws is left out, for a label is no caption."""
    drawable = "".join(piece for piece in clusters(" ".join(text.split())) if not uncovered(piece))
    fonts = (roboto(weight), *available())
    faces = [(choice.text, load(choice.font, size)[0]) for choice in choose(drawable, fonts=fonts)]
    return [(words, face, face.getlength(words)) for words, face in faces]


def _fits(text: str, *, size: int, weight: str, room: float) -> bool:
    return sum(length for _, _, length in _runs(text, size=size, weight=weight)) <= room


def _wrapped(text: str, *, size: int, weight: str, room: float) -> list[str]:
    """``text`` in one line or two; the second may still be too long."""
    words = text.split()
    taken = len(words)
    while taken > 1 and not _fits(" ".join(words[:taken]), size=size, weight=weight, room=room):
        taken -= 1
    return [line for line in (" ".join(words[:taken]), " ".join(words[taken:])) if line]


def _write(
    sheet: Image.Image,
    at: tuple[float, float],
    text: str,
    *,
    size: int,
    weight: str,
    fill: tuple[int, int, int],
    room: float,
) -> None:
    """One line with its baseline at ``at``, shortened with an ellipsis to ``room`` pixels."""
    while len(text) > 1 and not _fits(text, size=size, weight=weight, room=room):
        text = text.removesuffix("…")[:-1].rstrip(" ,;:.") + "…"
    x, y = at
    for words, face, length in _runs(text, size=size, weight=weight):
        ImageDraw.Draw(sheet).text((x, y), words, font=face, fill=fill, anchor="ls")
        x += length
