import resource
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from maquette.errors import InvalidInput, MediaError, StorageError
from maquette.media import ffmpeg
from maquette.media.frame import Frame
from maquette.media.normalise import GOP, normalise
from maquette.media.probe import probe
from maquette.media.sound import decoded
from tests.media.makers import MakeSource


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("video", "audio"),
    [
        ("testsrc2=s=108x192:r=24", "sine=440:sample_rate=44100"),
        ("testsrc2=s=192x108:r=25", "sine=440:sample_rate=48000"),
        ("testsrc2=s=130x130:r=60", "anoisesrc=sample_rate=22050"),
        ("testsrc2=s=107x193:r=30000/1001,format=yuv444p", None),
    ],
    ids=["slower", "lying", "square", "odd"],
)
@pytest.mark.parametrize("duration_s", [0.7, 0.8])
def test_any_clip_becomes_exactly_its_block(
    source: MakeSource, small: Frame, video: str, audio: str | None, duration_s: float, tmp_path: Path
) -> None:
    clip = source(duration_s=0.8, video=video.replace("s=107x193", "s=106x194"), audio=audio)
    made = normalise(clip, tmp_path / "block.mp4", frame=small, duration_s=duration_s, dialogue="Bonjour à tous")
    assert (made.width, made.height, made.fps, made.frame_count) == (108, 192, 30, round(duration_s * 30))
    assert (made.video_codec, made.pix_fmt, made.audio_codec, made.sample_rate) == ("h264", "yuv420p", "aac", 48_000)
    assert made.is_bt709
    assert decoded(tmp_path / "block.mp4").shape == (2, round(duration_s * 48_000))
    assert [p.name for p in tmp_path.iterdir()] == ["block.mp4"]


def test_blocks_share_one_header_and_closed_groups(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    headers = set()
    for index, video in enumerate(
        ("testsrc2=s=108x192:r=24", "color=red:s=320x240:r=30,noise=alls=40", "testsrc=s=90x160")
    ):
        clip = source(duration_s=1.5, video=video)
        path = tmp_path / f"{index}.mp4"
        normalise(clip, path, frame=small, duration_s=1.5, dialogue="", threads=1 + index % 2)
        with av.open(path) as container:
            stream = container.streams.video[0]
            headers.add((bytes(stream.codec_context.extradata or b""), stream.time_base))
            packets = [p for p in container.demux(stream) if p.pts is not None]
            keys = [i for i, p in enumerate(packets) if p.is_keyframe]
            assert keys == [0, GOP]
            assert min(p.pts or 0 for p in packets[GOP:]) == packets[GOP].pts
    assert len(headers) == 1


def test_a_clip_without_sound_gets_silence(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    normalise(source(audio=None), tmp_path / "b.mp4", frame=small, duration_s=1, dialogue="")
    sound = decoded(tmp_path / "b.mp4")
    assert sound.shape == (2, 48_000)
    assert not sound.any()


def test_sound_stays_with_its_picture(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    click = "aevalsrc='if(between(t,0.5,0.52),sin(5000*t),0)':s=44100"
    normalise(source(audio=click), tmp_path / "b.mp4", frame=small, duration_s=1, dialogue="")
    loud = np.flatnonzero(np.abs(decoded(tmp_path / "b.mp4")[0]) > 0.2)
    assert loud[0] / 48_000 == pytest.approx(0.5, abs=0.005)


def test_a_picture_that_ends_a_little_early_is_held(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    made = normalise(source(duration_s=0.7), tmp_path / "b.mp4", frame=small, duration_s=1.1, dialogue="")
    assert made.frame_count == 33
    shown = pictures(tmp_path / "b.mp4")
    assert np.abs(shown[20].astype(int) - shown[32]).mean() < 3
    assert np.abs(shown[0].astype(int) - shown[20]).mean() > 5


def test_a_clip_that_is_too_short_is_refused(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"the clip is 0\.8 s long, 7 s were ordered"):
        normalise(source(duration_s=0.8), tmp_path / "b.mp4", frame=small, duration_s=7, dialogue="")
    assert not list(tmp_path.iterdir())


def test_a_clip_that_is_no_video_is_refused(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no video"):
        normalise(source(video=None), tmp_path / "b.mp4", frame=small, duration_s=1, dialogue="")


def test_a_dialogue_that_cannot_be_drawn_is_refused_before_any_work(small: Frame, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise(
            tmp_path / "none.mp4", tmp_path / "b.mp4", frame=small, duration_s=1, dialogue="\U000e0fff𐎀\U00016fe5"
        )
    assert caught.value.code == "script_not_drawable"


def test_captions_stand_in_their_band_and_leave_with_the_words(source: MakeSource, tmp_path: Path) -> None:
    frame = Frame(216, 384)
    grey = source(video="color=gray:s=108x192:r=30", audio=None)

    class Said:
        text, start_s, end_s = "Bonjour", 0.4, 0.5

    normalise(grey, tmp_path / "b.mp4", frame=frame, duration_s=1, dialogue="Bonjour", words=[Said()])
    shown = pictures(tmp_path / "b.mp4")
    top, bottom = frame.text_band
    inked = [np.abs(p.astype(int) - 128).max(axis=2) > 60 for p in shown]
    visible = [bool(p[top:bottom].any()) for p in inked]
    assert visible == [12 <= index < 26 for index in range(30)]  # from 0.4 s to 0.35 s after the word
    assert not any(p[:top].any() or p[bottom:].any() for p in inked)


def test_a_wide_clip_stands_whole_on_a_blurred_copy(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    # A white frame around the picture: cropping would lose its left and right sides.
    wide = source(video="color=blue:s=320x180:r=30,drawbox=c=white:t=12", audio=None)
    normalise(wide, tmp_path / "b.mp4", frame=small, duration_s=1, dialogue="")
    middle = pictures(tmp_path / "b.mp4")[10]
    assert (middle[96, :2] > 180).all()
    assert (middle[96, -2:] > 180).all()
    assert middle[4].mean() > 5  # not letterboxed in black


def test_colours_survive(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    normalise(source(video="color=0x2080C0:s=1280x720:r=30,scale=108:192", audio=None), tmp_path / "b.mp4",
              frame=small, duration_s=1, dialogue="")  # fmt: skip
    seen = pictures(tmp_path / "b.mp4")[5].reshape(-1, 3).mean(axis=0)
    assert np.abs(seen - (0x20, 0x80, 0xC0)).max() < 12


def test_progress_rises_to_one(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    seen: list[float] = []
    normalise(source(), tmp_path / "b.mp4", frame=small, duration_s=1, dialogue="", on_progress=seen.append)
    assert seen == sorted(seen)
    assert all(0 <= done <= 1 for done in seen)
    assert seen[-1] > 0.9


LIMITED = """
import resource, sys
from pathlib import Path
from maquette.errors import StorageError
from maquette.media.frame import Frame
from maquette.media.normalise import normalise
from maquette.media.assemble import assemble
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
source, folder = Path(sys.argv[1]), Path(sys.argv[2])
for work in (
    lambda: normalise(source, folder / "b.mp4", frame=Frame(108, 192), duration_s=1, dialogue=""),
    lambda: assemble([Path(sys.argv[3])], folder / "f.mp4", durations_s=[1], frame=Frame(108, 192)),
):
    try:
        work()
    except StorageError as error:
        print(error.code)
"""


def test_without_room_nothing_half_written_stays(source: MakeSource, block: MakeSource, tmp_path: Path) -> None:
    noisy = "testsrc2=s=108x192:r=30,noise=alls=60:allf=t"
    paths = (str(source(video=noisy)), str(tmp_path), str(block(video=noisy)))
    said = subprocess.run([sys.executable, "-c", LIMITED, *paths], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["storage_full", "storage_full"]
    assert not list(tmp_path.iterdir())
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc, which refuses files even to root")
def test_a_folder_that_takes_no_files_is_named(source: MakeSource, small: Frame) -> None:
    with pytest.raises(StorageError, match="make the folder writable"):
        normalise(source(), Path("/proc/self/b.mp4"), frame=small, duration_s=1, dialogue="")


def test_a_broken_clip_leaves_nothing(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    content = bytearray(source(duration_s=1.0).read_bytes())
    broken.write_bytes(content[: len(content) // 2])
    with pytest.raises(MediaError):
        normalise(broken, tmp_path / "b.mp4", frame=small, duration_s=1, dialogue="")
    assert [p.name for p in tmp_path.iterdir()] == ["broken.mp4"]


def test_the_original_is_untouched(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    clip = source()
    before = (clip.stat().st_mtime_ns, clip.read_bytes())
    normalise(clip, tmp_path / "b.mp4", frame=small, duration_s=1, dialogue="")
    assert (clip.stat().st_mtime_ns, clip.read_bytes()) == before


def test_the_player_can_start_before_the_end(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    normalise(source(), tmp_path / "b.mp4", frame=small, duration_s=1, dialogue="")
    content = (tmp_path / "b.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert probe(tmp_path / "b.mp4").has_audio
    assert ffmpeg.run(["-v", "error", "-i", str(tmp_path / "b.mp4"), "-f", "null", "-"], timeout_s=20) == ""
