from pathlib import Path

import pytest

from maquette.errors import MediaError
from maquette.media import ffmpeg
from maquette.media.assemble import assemble
from maquette.media.frame import Frame
from maquette.media.normalise import normalise
from maquette.media.quality import check
from tests.media.makers import MakeBlock, MakeSource

NOISE = "anoisesrc=color=pink:sample_rate=48000:seed=4"
BLACK = "color=black:s=108x192:r=30"


def film_of(clips: list[Path], destination: Path, *, frame: Frame, each_s: float) -> Path:
    assemble(clips, destination, durations_s=[each_s] * len(clips), frame=frame)
    return destination


def test_a_good_film_passes(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    film = film_of([block(duration_s=1.6, audio=NOISE)] * 3, tmp_path / "f.mp4", frame=small, each_s=1.6)
    report = check(film, duration_s=4.8, frame=small)
    assert report.problems == ()
    assert report.loudness_lufs == pytest.approx(-14, abs=1)
    report.require()


def test_a_black_stretch_fails_unless_it_was_asked_for(
    source: MakeSource, block: MakeBlock, small: Frame, tmp_path: Path
) -> None:
    # Captions over a black picture do not make it a picture.
    dark = tmp_path / "dark.mp4"
    normalise(
        source(duration_s=1.6, video=BLACK, audio=NOISE),
        dark,
        frame=small,
        duration_s=1.6,
        dialogue="Dans la nuit noire",
    )
    good = block(duration_s=1.6, audio=NOISE)
    film = film_of([good, dark, good], tmp_path / "f.mp4", frame=small, each_s=1.6)
    report = check(film, duration_s=4.8, frame=small)
    assert [edge for stretch in report.black for edge in stretch] == pytest.approx([1.6, 3.2], abs=0.07)
    assert check(film, duration_s=4.8, frame=small, allow_black=[(1.5, 3.3)]).problems == ()
    with pytest.raises(MediaError, match=r"black from 1\.6 to 3\.2 s") as caught:
        report.require()
    assert caught.value.code == "assembly_failed"


@pytest.mark.parametrize("shift_s", [0.0, 0.3, 0.5, 0.9])
def test_a_second_of_black_is_found_wherever_it_lies(
    source: MakeSource, small: Frame, shift_s: float, tmp_path: Path
) -> None:
    hole = f"testsrc2=s=108x192:r=30,drawbox=c=black:t=fill:enable='between(t,{1 + shift_s},{1.99 + shift_s})'"
    path = tmp_path / "f.mp4"
    normalise(source(duration_s=4, video=hole, audio=NOISE), path, frame=small, duration_s=4, dialogue="")
    (stretch,) = check(path, duration_s=4, frame=small).black
    assert stretch == (pytest.approx(1 + shift_s, abs=0.07), pytest.approx(2 + shift_s, abs=0.07))


def test_a_film_with_few_key_frames_is_looked_at_frame_by_frame(source: MakeSource, small: Frame) -> None:
    hole = "testsrc2=s=108x192:r=30,drawbox=c=black:t=fill:enable='between(t,1.3,2.5)'"
    assert len(check(source(duration_s=4, video=hole, audio=NOISE), duration_s=4, frame=small).black) == 1


def test_a_short_blink_of_black_passes(source: MakeSource, small: Frame, tmp_path: Path) -> None:
    hole = "testsrc2=s=108x192:r=30,drawbox=c=black:t=fill:enable='between(t,0.9,1.4)'"
    path = tmp_path / "f.mp4"
    normalise(source(duration_s=3, video=hole, audio=NOISE), path, frame=small, duration_s=3, dialogue="")
    assert check(path, duration_s=3, frame=small).black == ()


def test_a_silent_stretch_fails_unless_it_was_asked_for(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    clips = [block(duration_s=2.2, audio=NOISE), block(duration_s=2.2, audio=None)]
    film = film_of(clips, tmp_path / "f.mp4", frame=small, each_s=2.2)
    with pytest.raises(MediaError, match=r"silent from 2\.2 to 4\.4 s"):
        check(film, duration_s=4.4, frame=small).require()
    assert check(film, duration_s=4.4, frame=small, allow_silent=[(2.2, 4.4)]).problems == ()


def test_a_wholly_silent_film_passes_where_silence_was_asked_for(
    block: MakeBlock, small: Frame, tmp_path: Path
) -> None:
    film = film_of([block(duration_s=2.2, audio=None)] * 2, tmp_path / "f.mp4", frame=small, each_s=2.2)
    assert check(film, duration_s=4.4, frame=small, allow_silent=[(0, 4.4)]).problems == ()
    assert check(film, duration_s=4.4, frame=small).silent == ((0.0, pytest.approx(4.4, abs=0.06)),)


@pytest.mark.parametrize(
    ("duration_s", "width", "problem"),
    [(1.1, 108, "lasts 1.00 s, not 1.10 s"), (1.0, 128, "108×192, not h264 yuv420p 128×192")],
)
def test_a_film_of_another_length_or_size_fails(block: MakeBlock, duration_s: float, width: int, problem: str) -> None:
    report = check(block(audio=NOISE), duration_s=duration_s, frame=Frame(width, 192))
    assert any(problem in said for said in report.problems)


def test_a_film_of_other_codecs_fails(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    film = tmp_path / "f.mp4"
    ffmpeg.run(
        ["-i", str(block(audio=NOISE)), "-r", "25", "-c:v", "mpeg4", "-c:a", "libmp3lame", "-ac", "1", str(film)],
        timeout_s=30,
    )
    said = " ".join(check(film, duration_s=1, frame=small).problems)
    for word in ("mpeg4", "25.00 frames", "mp3"):
        assert word in said


def test_a_film_without_colour_tags_fails(source: MakeSource, small: Frame) -> None:
    assert "its colours are not tagged as BT.709" in check(source(audio=NOISE), duration_s=1, frame=small).problems


def test_sound_out_of_limits_fails(block: MakeBlock, small: Frame) -> None:
    said = " ".join(check(block(audio=f"{NOISE},volume=12dB"), duration_s=1, frame=small).problems)
    assert "LUFS" in said
    assert "dBTP" in said
