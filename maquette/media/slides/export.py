"""Files: backgrounds and logos as they are read, slides as JPEG, PNG and PDF as they are written."""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from maquette.errors import InvalidInput, MediaError
from maquette.media import ffmpeg

MOST_PIXELS: Final = 64_000_000  # 8000 × 8000, some 200 MB when opened
_ORIENTATION: Final = 0x0112  # EXIF
_POINTS_PER_PIXEL: Final = 0.75  # as in CSS: 96 pixels an inch
# What Pillow's decoders raise for files that are cut, broken or made to harm.
_UNREADABLE: Final = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error, MemoryError,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


def fit_background(path: Path, width: int, height: int) -> Image.Image:
    """The picture of ``path`` turned as its EXIF says, cut to cover ``width`` × ``height`` exactly, RGB in sRGB.

    Transparent parts become white. Raises ``MediaError`` for a file that is no readable picture, or of more than 64
    million pixels.
    """
    try:
        with _opened(path) as picture:
            if picture.getexif().get(_ORIENTATION, 1) >= 5:
                picture.draft("RGB", (height, width))
            else:
                picture.draft("RGB", (width, height))
            ImageOps.exif_transpose(picture, in_place=True)
            plain = _opaque(_in_srgb(picture))
            if plain.size == (width, height):
                plain.load()
                return plain
            return ImageOps.fit(plain, (width, height), method=Image.Resampling.LANCZOS)
    except _UNREADABLE as error:
        raise _unreadable(path) from error


def open_logo(path: Path) -> Image.Image:
    """The logo of ``path``, RGBA, turned as its EXIF says. Raises ``MediaError`` as ``fit_background`` does."""
    try:
        with _opened(path) as picture:
            return ImageOps.exif_transpose(picture).convert("RGBA")
    except _UNREADABLE as error:
        raise _unreadable(path) from error


def save_image(image: Image.Image, path: Path, *, quality: int = 92) -> None:
    """Write ``image`` as JPEG or PNG, by the suffix of ``path``; equal pictures give equal bytes.

    JPEG is written with full colour resolution, for halved chroma frays the edges of coloured text. Raises
    ``InvalidInput`` for another suffix, ``StorageError`` when the file cannot be kept.
    """
    match path.suffix.lower():
        case ".jpg" | ".jpeg":
            with ffmpeg.written(path) as partial:
                _opaque(image).save(partial, "JPEG", quality=quality, subsampling="4:4:4")
        case ".png":
            facts = PngInfo()
            facts.add(b"sRGB", b"\x00")  # perceptual intent
            with ffmpeg.written(path) as partial:
                image.save(partial, "PNG", pnginfo=facts)
        case suffix:
            raise InvalidInput(
                f"a slide is kept as .jpg or .png, not {suffix or 'without a suffix'}; change {path.name}"
            )


def save_pdf(pictures: Sequence[Path], path: Path, *, title: str = "") -> None:
    """Write ``pictures`` as a PDF, one a page of the picture's size at 96 pixels an inch; equal input, equal bytes.

    The PDF is written here: it holds the bytes of JPEG files as they are (DCTDecode of ISO 32000), where Pillow would
    encode them once more and stamp the time; img2pdf does the same under LGPL. Other pictures are packed without
    loss. Raises ``InvalidInput`` for no pictures, ``MediaError`` for a file that is none, ``StorageError`` when the
    file cannot be kept.
    """
    if not pictures:
        raise InvalidInput("a PDF needs at least one picture")
    with ffmpeg.written(path) as partial, partial.open("wb") as out:
        offsets: list[int] = []
        out.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")

        def put(body: bytes) -> None:
            offsets.append(out.tell())
            out.write(b"%d 0 obj\n%s\nendobj\n" % (len(offsets), body))

        first = 4  # after catalogue, pages and facts; each page takes three objects
        kids = b" ".join(b"%d 0 R" % (first + 3 * index) for index in range(len(pictures)))
        put(b"<< /Type /Catalog /Pages 2 0 R >>")
        put(b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pictures)))
        put(b"<< /Title <%s> /Producer (Maquette) >>" % ("\ufeff" + title).encode("utf-16-be").hex().encode())
        for index, picture in enumerate(pictures):
            size, encoding, content = _packed(picture)
            page = first + 3 * index
            box = b"%g %g" % (size[0] * _POINTS_PER_PIXEL, size[1] * _POINTS_PER_PIXEL)
            put(
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %s] /Contents %d 0 R "
                b"/Resources << /XObject << /Slide %d 0 R >> >> >>" % (box, page + 1, page + 2)
            )
            put(_stream(b"", b"q %s 0 0 cm /Slide Do Q" % box.replace(b" ", b" 0 0 ")))
            put(
                _stream(
                    b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB "
                    b"/BitsPerComponent 8 /Filter /%s " % (*size, encoding),
                    content,
                )
            )
        start = out.tell()
        entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
        out.write(b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(offsets) + 1, entries))
        out.write(
            b"trailer\n<< /Size %d /Root 1 0 R /Info 3 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(offsets) + 1, start)
        )


def _stream(facts: bytes, content: bytes) -> bytes:
    return b"<< %s/Length %d >>\nstream\n%s\nendstream" % (facts, len(content), content)


def _packed(path: Path) -> tuple[tuple[int, int], bytes, bytes]:
    """Size, filter and bytes of a picture: a plain RGB JPEG as it is."""
    try:
        content = path.read_bytes()
        with _opened(io.BytesIO(content), name=path.name) as picture:
            plain = picture.format == "JPEG" and picture.mode == "RGB"
            if plain and picture.getexif().get(_ORIENTATION, 1) == 1:
                picture.load()
                return picture.size, b"DCTDecode", content
            pixels = _opaque(_in_srgb(ImageOps.exif_transpose(picture)))
            return pixels.size, b"FlateDecode", zlib.compress(pixels.tobytes(), 6)
    except _UNREADABLE as error:
        raise _unreadable(path) from error


def _opened(source: Path | io.BytesIO, *, name: str = "") -> Image.Image:
    picture = Image.open(source)
    if picture.width * picture.height > MOST_PIXELS:
        picture.close()
        raise MediaError(
            f"{name or getattr(source, 'name', 'the picture')} has {picture.width}×{picture.height} pixels; "
            f"make it smaller, {MOST_PIXELS // 1_000_000} million pixels at most"
        )
    return picture


def _unreadable(path: Path) -> MediaError:
    return MediaError(f"{path.name} is no readable picture; send a JPEG, PNG or WebP file")


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    page = Image.new("RGB", layer.size, "white")
    page.paste(layer, mask=layer)
    return page


def _in_srgb(picture: Image.Image) -> Image.Image:
    """``picture`` in sRGB where it brings another profile for its colours; a profile that is broken is left out."""
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in {"RGB", "CMYK"}:
        return picture
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(own):
            return picture
        turned = ImageCms.profileToProfile(picture, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return picture
    return turned or picture
