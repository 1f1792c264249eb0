from pathlib import Path

import pytest

from maquette.errors import MediaError
from maquette.media import ffmpeg
from maquette.media.probe import probe
from tests.media.makers import MakeSource


def test_the_facts_of_a_clip(source: MakeSource) -> None:
    facts = probe(source(duration_s=1.0))
    assert (facts.width, facts.height, facts.fps, facts.frame_count) == (108, 192, 30, 30)
    assert (facts.video_codec, facts.audio_codec, facts.sample_rate, facts.pix_fmt) == (
        "h264",
        "aac",
        44_100,
        "yuv420p",
    )
    assert facts.video_duration_s == pytest.approx(1.0)
    assert facts.audio_duration_s == pytest.approx(1.0, abs=0.03)
    assert facts.has_audio


def test_a_clip_without_sound_says_so(source: MakeSource) -> None:
    facts = probe(source(audio=None))
    assert not facts.has_audio
    assert facts.audio_codec is facts.sample_rate is facts.audio_duration_s is None


def test_a_turned_clip_has_the_size_that_is_seen(source: MakeSource, tmp_path: Path) -> None:
    turned = tmp_path / "turned.mp4"
    ffmpeg.run(["-display_rotation", "90", "-i", str(source()), "-c", "copy", str(turned)], timeout_s=20)
    facts = probe(turned)
    assert (facts.width, facts.height) == (192, 108)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"<html>no video</html>" * 40, "no readable video"), (b"\0" * 4096, "no readable")],
)
def test_what_is_no_video_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=reason) as caught:
        probe(path)
    assert caught.value.code == "bad_clip"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no file none\.mp4"):
        probe(tmp_path / "none.mp4")


def test_sound_alone_is_no_video(source: MakeSource) -> None:
    with pytest.raises(MediaError, match="no video"):
        probe(source(video=None))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
@pytest.mark.parametrize("layout", ["index last", "index first", "matroska"])
def test_a_file_that_was_cut_short_is_refused(source: MakeSource, layout: str, share: float, tmp_path: Path) -> None:
    whole = tmp_path / ("whole.mkv" if layout == "matroska" else "whole.mp4")
    flags = ["-movflags", "+faststart"] if layout == "index first" else []
    ffmpeg.run(["-i", str(source(duration_s=4.0)), "-c", "copy", *flags, str(whole)], timeout_s=20)
    probe(whole)
    cut = tmp_path / f"cut{whole.suffix}"
    content = whole.read_bytes()
    cut.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(MediaError, match="cut short"):
        probe(cut)
