"""Loops as they are delivered, the thumbnails of pictures, and that what the local provider draws has no seam."""

import hashlib
import itertools
import random
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from maquette.errors import MediaError, StorageError
from maquette.media import ffmpeg
from maquette.media.loops import normalise_loop, thumbnail
from maquette.media.probe import probe
from maquette.providers.images.local.picture import jpeg, paint
from maquette.providers.images.port import ImageRequest
from maquette.providers.loops.local import render
from maquette.providers.loops.local.drift import Air
from maquette.providers.loops.local.motion import plan
from maquette.providers.loops.local.stage import Stage
from maquette.providers.loops.port import LoopRequest
from tests.media.makers import MakeSource


def _frames(loop: Path) -> list[np.ndarray]:
    with av.open(loop) as container:
        return [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)]


def _made(folder: Path, *args: str, name: str = "source.mp4") -> Path:
    ffmpeg.run(["-loglevel", "error", *args, str(folder / name)], timeout_s=60)
    return folder / name


def _stream_md5(path: Path) -> str:
    with av.open(path) as container:
        packets = [bytes(packet) for packet in container.demux(video=0)]
    return hashlib.md5(b"".join(packets)).hexdigest()


def _box_order(mp4: Path) -> list[bytes]:
    data, at, found = mp4.read_bytes(), 0, []
    while at < len(data):
        found.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4])
    return found


def test_a_clip_becomes_two_silent_files_of_one_length(source: MakeSource, tmp_path: Path) -> None:
    clip = source(duration_s=1.0)
    facts = normalise_loop(clip, webm=tmp_path / "loop.webm", mp4=tmp_path / "loop.mp4")
    assert (facts.width, facts.height, facts.fps, facts.frames) == (108, 192, 30, 30)
    assert facts.duration_s == pytest.approx(1.0, abs=0.001)
    webm, mp4 = probe(tmp_path / "loop.webm"), probe(tmp_path / "loop.mp4")
    assert (webm.video_codec, mp4.video_codec) == ("vp9", "h264")
    assert (webm.frame_count, mp4.frame_count) == (30, 30)
    assert not webm.has_audio
    assert not mp4.has_audio
    assert mp4.pix_fmt == "yuv420p"
    boxes = _box_order(tmp_path / "loop.mp4")
    assert boxes.index(b"moov") < boxes.index(b"mdat")
    shown = [abs(a - b).mean() for a, b in zip(*map(_frames, tmp_path.glob("loop.*")), strict=True)]
    assert max(shown) < 6, "the two files show something else"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loop.mp4", "loop.webm"]


def test_what_is_such_an_mp4_already_has_its_pictures_copied(source: MakeSource, tmp_path: Path) -> None:
    clip = source(duration_s=1.0)
    normalise_loop(clip, webm=tmp_path / "a.webm", mp4=tmp_path / "a.mp4", fps=30)
    assert _stream_md5(tmp_path / "a.mp4") == _stream_md5(clip)
    facts = normalise_loop(clip, webm=tmp_path / "b.webm", mp4=tmp_path / "b.mp4", fps=15)
    assert (facts.fps, facts.frames) == (15, 15)


@pytest.mark.parametrize(
    ("name", "args", "size"),
    [
        ("odd.webm", ["-f", "lavfi", "-i", "testsrc2=s=61x45:r=12", "-t", "1", "-c:v", "libvpx"], (60, 44)),
        ("still.gif", ["-f", "lavfi", "-i", "testsrc2=s=61x45:r=10", "-t", "1"], (60, 44)),
        (
            "wide.mp4",
            ["-f", "lavfi", "-i", "testsrc2=s=40x60:r=10", "-t", "1", "-vf", "setsar=2", "-c:v", "libx264",
             "-pix_fmt", "yuv420p"],
            (80, 60),
        ),
        (
            "full.mkv",
            ["-f", "lavfi", "-i", "testsrc2=s=40x60:r=10", "-t", "1", "-c:v", "libx264", "-pix_fmt", "yuv444p"],
            (40, 60),
        ),
    ],
)  # fmt: skip
def test_any_codec_and_size_comes_out_even_and_square(
    tmp_path: Path, name: str, args: list[str], size: tuple[int, int]
) -> None:
    clip = _made(tmp_path, *args, name=name)
    facts = normalise_loop(clip, webm=tmp_path / "l.webm", mp4=tmp_path / "l.mp4")
    assert (facts.width, facts.height) == size
    assert probe(tmp_path / "l.mp4").pix_fmt == "yuv420p"
    assert probe(tmp_path / "l.mp4").is_bt709


def test_a_turned_clip_comes_out_upright(source: MakeSource, tmp_path: Path) -> None:
    clip = source(duration_s=1.0, audio=None)
    turned = _made(tmp_path, "-display_rotation", "90", "-i", str(clip), "-c", "copy", name="turned.mp4")
    facts = normalise_loop(turned, webm=tmp_path / "l.webm", mp4=tmp_path / "l.mp4")
    assert (facts.width, facts.height) == (192, 108)
    with av.open(tmp_path / "l.mp4") as container:
        assert next(container.decode(video=0)).rotation == 0


def test_equal_clips_give_equal_bytes(source: MakeSource, tmp_path: Path) -> None:
    clip = source(duration_s=1.0)
    for name in "ab":
        normalise_loop(clip, webm=tmp_path / f"{name}.webm", mp4=tmp_path / f"{name}.mp4", fps=20)
    for suffix in ("webm", "mp4"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def _bad(folder: Path) -> dict[str, Path]:
    Image.new("RGB", (64, 64), "red").save(folder / "picture.png")
    (folder / "text.mp4").write_text("This is no video.")
    (folder / "empty.mp4").write_bytes(b"")
    return {
        "a picture": folder / "picture.png",
        "a text": folder / "text.mp4",
        "nothing": folder / "empty.mp4",
        "no file": folder / "nowhere.mp4",
        "sound": _made(folder, "-f", "lavfi", "-i", "sine", "-t", "1", name="sound.m4a"),
        "too long": _made(folder, "-f", "lavfi", "-i", "color=s=16x16:r=2:d=31", name="long.mp4"),
        "too large": _made(folder, "-f", "lavfi", "-i", "color=s=4112x16:r=2:d=1", name="large.mkv"),
    }


def test_what_is_no_loop_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for what, clip in _bad(tmp_path).items():
        with pytest.raises(MediaError) as refusal:
            normalise_loop(clip, webm=made / "l.webm", mp4=made / "l.mp4")
        assert refusal.value.code == "bad_clip", what
        assert not list(made.iterdir()), what


def test_a_folder_that_is_not_there_is_a_storage_error(source: MakeSource, tmp_path: Path) -> None:
    with pytest.raises((StorageError, MediaError)):
        normalise_loop(source(duration_s=1.0), webm=tmp_path / "no" / "l.webm", mp4=tmp_path / "no" / "l.mp4")


def test_a_thumbnail_is_small_upright_and_tells_nothing(tmp_path: Path) -> None:
    picture = Image.new("RGB", (80, 40), "#20a040")
    picture.paste("#c02020", (0, 0, 40, 40))
    exif = picture.getexif()
    exif[0x0112], exif[0x010F] = 6, "A camera"  # turned by a quarter; its make
    picture.save(tmp_path / "p.jpg", exif=exif, quality=95)
    for name, form in (("t.jpg", "JPEG"), ("t.webp", "WEBP")):
        thumbnail(tmp_path / "p.jpg", tmp_path / name, side=32)
        with Image.open(tmp_path / name) as small:
            assert (small.format, small.size, dict(small.getexif())) == (form, (16, 32), {})
            top, bottom = small.convert("RGB").getpixel((8, 4)), small.convert("RGB").getpixel((8, 28))
        assert isinstance(top, tuple)
        assert isinstance(bottom, tuple)
        assert top[0] > top[1]
        assert bottom[0] < bottom[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.jpg", "t.jpg", "t.webp"]


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(tmp_path / "p.png")
    thumbnail(tmp_path / "p.png", tmp_path / "t.jpg")
    with Image.open(tmp_path / "t.jpg") as small:
        assert small.size == (40, 40), "a small picture is not blown up"
        assert min(np.asarray(small).ravel()) > 250


def test_what_is_no_picture_has_no_thumbnail(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    with pytest.raises(MediaError, match="no picture that can be read"):
        thumbnail(tmp_path / "p.png", tmp_path / "t.jpg")
    assert not (tmp_path / "t.jpg").exists()


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """How much two frames differ, by means of 4 by 4 pixels."""
    gap = one - other
    rows, columns = gap.shape[0] // 4, gap.shape[1] // 4
    return float(abs(gap[: rows * 4, : columns * 4].reshape(rows, 4, columns, 4, 3).mean(axis=(1, 3))).mean())


SCENES = [
    ("monkey in a lush jungle", "Animated monkey moving through a magical jungle with swaying trees"),
    ("dolphin under water", "Animated dolphin swimming gracefully with bubbles and sparkles"),
    ("excavator on a construction site", "Une pelleteuse travaille sur le chantier, zoom arrière, poussière"),
    ("rocket in space", "A rocket floating and spinning among shooting stars, the camera follows it"),
    ("snowman", "Wxyz qwrt"),
]


@pytest.mark.parametrize(("shown", "moved"), SCENES)
@pytest.mark.parametrize("size", [(128, 128), (90, 160)])
def test_a_drawn_loop_moves_has_no_seam_and_fills_its_frame(
    tmp_path: Path, shown: str, moved: str, size: tuple[int, int]
) -> None:
    picture = paint(ImageRequest(prompt=shown, width=256, height=256, language="en"))
    (tmp_path / "p.jpg").write_bytes(jpeg(picture))
    request = LoopRequest(
        prompt=moved, image_sha256="0" * 64, frames=48, fps=12, width=size[0], height=size[1], seed=3
    )  # fmt: skip
    told: list[float] = []
    render.draw(request, tmp_path / "p.jpg", tmp_path / "loop.mp4", progress=told.append)
    found = probe(tmp_path / "loop.mp4")
    assert (found.frame_count, found.fps, found.width, found.height) == (48, 12, *size)
    assert (found.pix_fmt, found.has_audio, found.is_bt709) == ("yuv420p", False, True)
    assert told == sorted(told)
    frames = _frames(tmp_path / "loop.mp4")
    steps = [_apart(one, other) for one, other in itertools.pairwise(frames)]
    # The first frame is a key frame, finer than those after it, which shows at this size.
    assert _apart(frames[-1], frames[0]) <= 2 * max(steps) + 0.2, "the loop has a seam"
    assert max(_apart(frames[0], frame) for frame in frames) > 1, "nothing moves"
    still = np.asarray(picture.crop((56, 0, 200, 256) if size[0] < size[1] else (0, 0, 256, 256)).resize(size), float)
    assert abs(frames[0] - still).mean() < 22, "the loop does not show its picture"
    for frame in frames[:: len(frames) // 6]:
        for edge in (frame[:2], frame[-2:], frame[:, :2], frame[:, -2:]):
            assert edge.max() > 16, "a border is black"


@pytest.mark.parametrize("moved", [moved for _, moved in SCENES])
def test_before_it_is_encoded_the_last_frame_flows_into_the_first(moved: str) -> None:
    picture = paint(ImageRequest(prompt="rocket", width=128, height=128, language="en"))
    motion = plan(moved, seconds=4)
    air = Air(motion, picture.size, random.Random(5))
    frames = []
    for number, planes in enumerate(Stage(picture, motion, frames=48)):
        air.lay(planes, number / 48)
        frames.append(np.asarray(planes[0], dtype=float))
    steps = [abs(one - other).mean() for one, other in itertools.pairwise(frames)]
    assert abs(frames[-1] - frames[0]).mean() <= 1.1 * max(steps)
    assert abs(frames[-1] - frames[0]).mean() >= 0.5 * min(steps), "the loop stands still at its seam"


def test_a_loop_of_any_length_closes(tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(jpeg(paint(ImageRequest(prompt="car", width=128, height=128, language="en"))))
    for frames, fps in ((9, 60), (9, 8), (100, 10)):
        request = LoopRequest(prompt="hop", image_sha256="0" * 64, frames=frames, fps=fps, width=64, height=65)
        render.draw(request, tmp_path / "p.jpg", tmp_path / "loop.mp4", progress=lambda _: None)
        shown = _frames(tmp_path / "loop.mp4")
        assert len(shown) == frames
        assert shown[0].shape[:2] == (64, 64)
        steps = [_apart(one, other) for one, other in itertools.pairwise(shown)]
        assert _apart(shown[-1], shown[0]) <= 1.5 * max(steps) + 0.5
