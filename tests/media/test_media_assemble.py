from pathlib import Path

import av
import numpy as np
import pytest

from maquette.errors import InvalidInput, MediaError
from maquette.media import ffmpeg
from maquette.media.assemble import assemble
from maquette.media.frame import Frame
from maquette.media.probe import probe
from maquette.media.sound import decoded, joined
from tests.media.makers import MakeBlock

NOISE = "anoisesrc=color=pink:sample_rate=48000:seed=4,volume={}dB"


def payloads(path: Path) -> list[bytes]:
    with av.open(path) as container:
        return [bytes(p) for p in container.demux(video=0) if p.pts is not None]


def test_ten_blocks_of_two_lengths_do_not_drift(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    durations = [0.8, *[0.7] * 4, 0.8, 0.7, 0.7, 0.8, 0.7]
    tones = [f"sine={220 + 60 * index}:sample_rate=44100" for index in range(10)]
    clips = [block(duration_s=d, audio=tone) for d, tone in zip(durations, tones, strict=True)]
    film = tmp_path / "film.mp4"
    made = assemble(clips, film, durations_s=durations, frame=small)
    assert made.duration_s == pytest.approx(7.3)
    facts = probe(film)
    assert facts.frame_count == 219
    assert facts.is_bt709
    assert made.size_bytes == facts.size_bytes == film.stat().st_size
    assert facts.video_duration_s == pytest.approx(7.3, abs=1e-6)
    sound = decoded(film)
    assert sound.shape == (2, 350_400)
    # Each block's tone is the strongest one right from its first to its last twentieth of a second.
    at = 0
    for index, duration_s in enumerate(durations):
        length = round(duration_s * 48_000)
        for start in (at + 600, at + length - 4_200):
            spectrum = np.abs(np.fft.rfft(sound[0, start : start + 3_600] * np.hanning(3_600)))
            assert np.argmax(spectrum) * 48_000 / 3_600 == pytest.approx(220 + 60 * index, abs=14)
        at += length
    assert payloads(film) == [p for clip in clips for p in payloads(clip)]


def test_frames_stand_on_the_clock(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    durations = [0.8, 0.7, 0.8]
    film = tmp_path / "film.mp4"
    assemble([block(duration_s=d) for d in durations], film, durations_s=durations, frame=small)
    with av.open(film) as container:
        packets = [p for p in container.demux(video=0) if p.pts is not None]
        assert sorted(p.pts or 0 for p in packets) == [512 * index for index in range(69)]
        order = [p.dts or 0 for p in packets]
        assert order == sorted(set(order))
        assert [i for i, p in enumerate(packets) if p.is_keyframe] == [0, 24, 45]
    assert ffmpeg.run(["-v", "warning", "-i", str(film), "-f", "null", "-"], timeout_s=20) == ""
    content = film.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_sound_lies_where_its_clip_does(block: MakeBlock) -> None:
    durations = [0.7, 0.8]
    clips = [block(duration_s=d, audio=f"sine={400 * d}") for d in durations]
    whole = joined(clips, durations_s=durations)
    np.testing.assert_array_equal(whole[:, :33_600], decoded(clips[0]))
    np.testing.assert_array_equal(whole[:, 33_600:], decoded(clips[1]))


@pytest.mark.parametrize("level_db", [12, 0, -12, -24], ids=["clipping", "loud", "right", "quiet"])
def test_the_film_is_as_loud_as_it_should_be(block: MakeBlock, small: Frame, level_db: int, tmp_path: Path) -> None:
    clips = [block(duration_s=1.6, audio=NOISE.format(level_db))] * 2
    made = assemble(clips, tmp_path / "film.mp4", durations_s=[1.6, 1.6], frame=small)
    assert made.loudness_lufs == pytest.approx(-14, abs=1)
    assert made.true_peak_dbtp is not None
    assert made.true_peak_dbtp <= -1


def test_a_silent_film_stays_silent(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    made = assemble([block(audio=None)] * 2, tmp_path / "film.mp4", durations_s=[1, 1], frame=small)
    assert made.loudness_lufs is None
    assert np.abs(decoded(tmp_path / "film.mp4")).max() < 1e-4


def test_one_silent_block_is_fine(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    made = assemble([block(audio=None), block()], tmp_path / "film.mp4", durations_s=[1, 1], frame=small)
    assert made.loudness_lufs == pytest.approx(-14, abs=1)


def test_a_cross_fade_keeps_the_duration_and_copies_the_rest(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    clips = [block(duration_s=3, video=f"color={c}:s=108x192:r=30") for c in ("red", "blue", "green")]
    film = tmp_path / "film.mp4"
    made = assemble(clips, film, durations_s=[3, 3, 3], frame=small, crossfade_s=0.4)
    assert made.duration_s == 9
    assert probe(film).frame_count == 270
    assert decoded(film).shape == (2, 432_000)
    copied = payloads(film)
    assert copied[:60] == payloads(clips[0])[:60]
    assert copied[120:150] == payloads(clips[1])[30:60]
    with av.open(film) as container:
        shown = [f.to_ndarray(format="rgb24").reshape(-1, 3).mean(axis=0) for f in container.decode(video=0)]
    assert shown[80][0] > 200
    assert shown[80][2] < 40
    assert 60 < shown[90][0] < 200  # half red,
    assert 60 < shown[90][2] < 200  # half blue
    assert shown[100][2] > 200
    assert shown[100][0] < 40
    assert ffmpeg.run(["-v", "warning", "-i", str(film), "-f", "null", "-"], timeout_s=20) == ""
    assert [p.name for p in tmp_path.iterdir()] == ["film.mp4"]


def test_a_cross_fade_longer_than_the_clips_is_refused(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="needs clips of 2 s or more"):
        assemble([block()] * 3, tmp_path / "film.mp4", durations_s=[1] * 3, frame=small, crossfade_s=0.5)


@pytest.mark.parametrize(
    ("durations", "width", "reason"),
    [
        ([1.0, 0.9], 108, "has more than 27 frames"),
        ([1.0, 1.0], 128, r"is h264 108×192"),
        ([1.5, 1.0], 108, "30 frames of 45"),
    ],
)
def test_clips_that_do_not_fit_are_refused(
    block: MakeBlock, durations: list[float], width: int, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(MediaError, match=reason) as caught:
        assemble([block(), block()], tmp_path / "film.mp4", durations_s=durations, frame=Frame(width, 192))
    assert caught.value.code == "assembly_failed"
    assert not list(tmp_path.iterdir())


def test_a_foreign_clip_is_refused(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.mp4"
    baseline = ["-c:v", "libx264", "-profile:v", "baseline", "-g", "30", "-video_track_timescale", "15360"]
    ffmpeg.run(["-i", str(block()), *baseline, str(foreign)], timeout_s=30)
    with pytest.raises(MediaError, match=r"foreign\.mp4 was encoded with other parameters"):
        assemble([block(), foreign], tmp_path / "film.mp4", durations_s=[1, 1], frame=small)


def test_no_clips_are_no_film(small: Frame, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        assemble([], tmp_path / "film.mp4", durations_s=[], frame=small)
