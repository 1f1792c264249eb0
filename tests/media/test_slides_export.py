import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from maquette.errors import InvalidInput, MediaError, StorageError
from maquette.media.slides import fit_background, open_logo, save_image, save_pdf


def picture(width: int = 120, height: int = 150) -> Image.Image:
    dice = np.random.default_rng(1)
    soft = Image.fromarray(dice.integers(0, 256, (6, 5, 3), np.uint8))
    return soft.resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("size", [(108, 135), (192, 108), (108, 192), (300, 300), (120, 150)])
def test_a_background_covers_the_size_exactly(size: tuple[int, int], tmp_path: Path) -> None:
    picture().save(tmp_path / "b.png")
    found = fit_background(tmp_path / "b.png", *size)
    assert (found.mode, found.size) == ("RGB", size)
    # Nothing is stretched: what lies in the middle stays there.
    middle = np.asarray(found)[size[1] // 2, size[0] // 2].astype(int)
    assert np.abs(middle - np.asarray(picture())[75, 60].astype(int)).max() < 25


def test_a_background_of_the_right_size_is_kept_as_it_is(tmp_path: Path) -> None:
    picture().save(tmp_path / "b.png")
    assert fit_background(tmp_path / "b.png", 120, 150).tobytes() == picture().tobytes()


def test_a_photograph_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    upright = Image.new("RGB", (400, 800), "blue")
    upright.paste("red", (0, 0, 400, 400))
    facts = Image.Exif()
    facts[0x0112] = 6  # to be turned by a quarter to the right
    upright.rotate(90, expand=True).save(tmp_path / "b.jpg", exif=facts, quality=95)
    found = np.asarray(fit_background(tmp_path / "b.jpg", 100, 200), int)
    assert np.abs(found[20, 50] - [255, 0, 0]).max() < 12
    assert np.abs(found[180, 50] - [0, 0, 255]).max() < 12


def test_transparency_becomes_white(tmp_path: Path) -> None:
    Image.new("RGBA", (80, 80), (255, 0, 0, 0)).save(tmp_path / "b.png")
    assert fit_background(tmp_path / "b.png", 40, 40).getpixel((20, 20)) == (255, 255, 255)
    assert open_logo(tmp_path / "b.png").getpixel((20, 20)) == (255, 0, 0, 0)


def test_other_colour_spaces_become_srgb(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tmp_").replace(b"gXYZ", b"rXYZ").replace(b"tmp_", b"gXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "GRBs".encode("utf-16-be"))
    for name, icc in (("same", profile), ("swapped", swapped), ("broken", b"no profile")):
        Image.new("RGB", (40, 40), (250, 20, 20)).save(tmp_path / f"{name}.png", icc_profile=icc)
    red, green, broken = (
        fit_background(tmp_path / f"{name}.png", 40, 40).getpixel((9, 9)) for name in ("same", "swapped", "broken")
    )
    assert red == broken == (250, 20, 20)
    assert isinstance(green, tuple) and green[1] > 240 > 40 > green[0]


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture at all",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        bomb(9_000, 9_000),
        bomb(10_000, 10_000),
        bomb(200_000, 200_000),
        bomb(300, 300),
    ],
)
def test_broken_and_huge_pictures_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "b.png"
    path.write_bytes(content)
    with pytest.raises(MediaError):
        fit_background(path, 108, 135)
    with pytest.raises(MediaError):
        open_logo(path)
    with pytest.raises(MediaError):
        save_pdf([path], tmp_path / "s.pdf")
    assert [each.name for each in tmp_path.iterdir()] == ["b.png"]


def test_a_cut_off_jpeg_is_refused(tmp_path: Path) -> None:
    picture(600, 600).save(tmp_path / "b.jpg")
    (tmp_path / "b.jpg").write_bytes((tmp_path / "b.jpg").read_bytes()[:4000])
    with pytest.raises(MediaError, match="readable"):
        fit_background(tmp_path / "b.jpg", 600, 600)
    with pytest.raises(MediaError, match=r"b\.jpg"):
        fit_background(tmp_path / "missing" / "b.jpg", 600, 600)


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "JPEG"), (".png", "PNG")])
def test_a_slide_is_written_as_its_suffix_says_and_equal_ones_alike(suffix: str, kind: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_image(picture(), tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    with Image.open(tmp_path / f"a{suffix}") as found:
        assert (found.format, found.mode, found.size) == (kind, "RGB", (120, 150))
        assert np.abs(np.asarray(found, int) - np.asarray(picture(), int)).mean() < 3


def test_colour_keeps_its_full_resolution(tmp_path: Path) -> None:
    stripes = Image.new("RGB", (64, 64), "blue")
    for x in range(0, 64, 2):
        stripes.paste("red", (x, 0, x + 1, 64))
    save_image(stripes, tmp_path / "s.jpg")
    with Image.open(tmp_path / "s.jpg") as found:
        assert np.abs(np.asarray(found, int) - np.asarray(stripes, int)).mean() < 10


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"\.jpg or \.png"):
        save_image(picture(), tmp_path / "s.gif")
    save_image(picture(), tmp_path / "s.png")
    with pytest.raises(StorageError):
        save_image(picture(), tmp_path / "missing" / "s.png")
    with pytest.raises(StorageError):
        save_pdf([tmp_path / "s.png"], tmp_path / "missing" / "s.pdf")


def objects(document: bytes) -> list[bytes]:
    """The objects of a PDF, found by its table of offsets as a reader finds them."""
    start = int(document.rsplit(b"startxref\n", 1)[1].split()[0])
    table = document[start:].split(b"\n")
    assert table[0] == b"xref"
    count = int(table[1].split()[1])
    found = []
    for number, entry in enumerate(table[3 : 2 + count], 1):
        assert len(entry) == 19
        at = int(entry[:10])
        head = b"%d 0 obj\n" % number
        assert document[at:].startswith(head)
        body = document[at + len(head) :]
        length = re.match(rb"<< .*?/Length (\d+) >>\nstream\n", body)
        end = length.end() + int(length[1]) if length else 0
        assert not length or body[end:].startswith(b"\nendstream\nendobj")
        found.append(body[: body.index(b"\nendobj", end)])
    return found


def test_a_pdf_has_a_page_of_the_right_size_for_each_slide(tmp_path: Path) -> None:
    paths = [tmp_path / "1.jpg", tmp_path / "2.png", tmp_path / "3.jpg"]
    for path, size in zip(paths, ((120, 150), (160, 90), (50, 50)), strict=True):
        save_image(picture(*size), path)
    save_pdf(paths, tmp_path / "s.pdf", title="Été à (Paris)")
    document = (tmp_path / "s.pdf").read_bytes()
    assert document.startswith(b"%PDF-1.4\n") and document.endswith(b"%%EOF\n")
    found = objects(document)
    assert b"/Count 3 " in found[1]
    title = re.search(rb"/Title <([0-9a-f]+)>", found[2])
    assert title and bytes.fromhex(title[1].decode()).decode("utf-16") == "Été à (Paris)"
    boxes = [re.search(rb"/MediaBox \[0 0 (\S+) (\S+)\]", page) for page in found[3::3]]
    assert [(float(box[1]), float(box[2])) for box in boxes if box] == [(90, 112.5), (120, 67.5), (37.5, 37.5)]
    first, second, _ = (image.split(b"\nstream\n", 1) for image in found[5::3])
    assert first[1].removesuffix(b"\nendstream") == paths[0].read_bytes()  # not encoded once more
    assert b"/DCTDecode" in first[0] and b"/FlateDecode" in second[0]
    assert zlib.decompress(second[1].removesuffix(b"\nendstream")) == picture(160, 90).tobytes()


def test_a_pdf_of_equal_slides_has_equal_bytes(tmp_path: Path) -> None:
    save_image(picture(), tmp_path / "1.jpg")
    for name in ("a.pdf", "b.pdf"):
        save_pdf([tmp_path / "1.jpg"] * 2, tmp_path / name, title="T")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_odd_jpegs_are_turned_into_what_readers_show(tmp_path: Path) -> None:
    facts = Image.Exif()
    facts[0x0112] = 6
    picture(40, 20).save(tmp_path / "turned.jpg", exif=facts)
    picture(40, 20).convert("L").save(tmp_path / "grey.jpg")
    picture(40, 20).convert("CMYK").save(tmp_path / "cmyk.jpg")
    save_pdf([tmp_path / f"{name}.jpg" for name in ("turned", "grey", "cmyk")], tmp_path / "s.pdf")
    images = objects((tmp_path / "s.pdf").read_bytes())[5::3]
    assert all(b"/FlateDecode" in image for image in images)
    assert [b"/Width 20 /Height 40" in image for image in images] == [True, False, False]


def test_no_slides_are_no_pdf(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        save_pdf([], tmp_path / "s.pdf")
    assert not list(tmp_path.iterdir())
