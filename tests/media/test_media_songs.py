from pathlib import Path

import pytest

from maquette.errors import MediaError
from maquette.media import ffmpeg
from maquette.media.songs import check_song
from tests.media.makers import MakeSource


def made(path: Path, *, seconds: float, sound: str = "sine=440:r=44100", more: tuple[str, ...] = ()) -> Path:
    args = ["-loglevel", "error", "-f", "lavfi", "-i", sound, "-t", str(seconds), *more, str(path)]
    ffmpeg.run(args, timeout_s=60)
    return path


def test_the_facts_of_a_song(tmp_path: Path) -> None:
    song = made(tmp_path / "song.mp3", seconds=3, more=("-ac", "2", "-b:a", "256k"))
    facts = check_song(song)
    assert (facts.sample_rate, facts.channels, facts.bit_rate) == (44_100, 2, 256_000)
    assert facts.duration_s == pytest.approx(3, abs=0.01)
    # lavfi's sine is at an eighth of full scale, and 3 dB lower on either side of the two.
    assert facts.loudness_lufs == pytest.approx(-21.8, abs=0.3)


@pytest.mark.parametrize("suffix", [".wav", ".m4a", ".ogg"])
def test_other_files_of_sound_are_songs_as_well(tmp_path: Path, suffix: str) -> None:
    facts = check_song(made(tmp_path / f"song{suffix}", seconds=2))
    assert facts.duration_s == pytest.approx(2, abs=0.05)
    assert (facts.sample_rate, facts.channels) == (44_100, 1)


@pytest.mark.parametrize("content", [b"", b"<html>expired</html>" * 40, b"ID3\x04\0\0\0\0\0\0 nothing", b"\0" * 4096])
def test_what_is_no_audio_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"no readable song|only 0"):
        check_song(path)


def test_a_missing_file_and_a_film_without_sound_are_refused(tmp_path: Path, source: MakeSource) -> None:
    with pytest.raises(MediaError, match=r"no file none\.mp3"):
        check_song(tmp_path / "none.mp3")
    with pytest.raises(MediaError, match="no sound"):
        check_song(source(audio=None))


@pytest.mark.parametrize("sound", ["anullsrc=r=44100", "sine=440:r=44100,volume=-60dB"])
def test_silence_is_refused(tmp_path: Path, sound: str) -> None:
    with pytest.raises(MediaError, match="silent"):
        check_song(made(tmp_path / "song.mp3", seconds=2, sound=sound))


def test_what_is_too_long_or_too_short_is_refused(tmp_path: Path) -> None:
    cheap = ("-ar", "8000", "-ac", "1", "-c:a", "pcm_u8")
    with pytest.raises(MediaError, match="over 10 minutes"):
        check_song(made(tmp_path / "long.wav", seconds=601, sound="sine=440:r=8000", more=cheap))
    with pytest.raises(MediaError, match=r"only 0\.5 s"):
        check_song(made(tmp_path / "short.mp3", seconds=0.5))


def test_what_was_cut_short_is_refused_where_the_file_says_its_length(tmp_path: Path) -> None:
    whole = made(tmp_path / "song.mp3", seconds=6).read_bytes()
    cut = tmp_path / "cut.mp3"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"cut short: [23]\.\d s of 6\.0 s"):
        check_song(cut)


def test_a_length_that_is_only_guessed_refuses_nothing(tmp_path: Path) -> None:
    """Without a header an MP3's length is guessed from its first frame: of a quiet start, several times too long."""
    late = "sine=440:r=44100,volume='if(lt(t,1),0,1)':eval=frame"
    song = made(tmp_path / "song.mp3", seconds=6, sound=late, more=("-q:a", "0", "-write_xing", "0"))
    assert check_song(song).duration_s == pytest.approx(6, abs=0.1)
