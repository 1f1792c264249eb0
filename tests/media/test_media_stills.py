from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maquette.errors import InvalidInput, MediaError
from maquette.media.assemble import assemble
from maquette.media.frame import Frame
from maquette.media.probe import probe
from maquette.media.stills import contact_sheet, poster, preview, still
from tests.media.makers import MakeBlock, MakeSource


def test_the_poster_is_a_picture_not_the_dark_start(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    clips = [block(duration_s=2, video="color=black:s=108x192:r=30"), block(duration_s=2)]
    assemble(clips, tmp_path / "f.mp4", durations_s=[2, 2], frame=small)
    poster(tmp_path / "f.mp4", tmp_path / "poster.jpg")
    with Image.open(tmp_path / "poster.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (108, 192))
        assert np.asarray(picture).mean() > 60


def test_a_poster_can_be_asked_for_by_time(block: MakeBlock, small: Frame, tmp_path: Path) -> None:
    clips = [block(video="color=red:s=108x192:r=30"), block(video="color=blue:s=108x192:r=30")]
    assemble(clips, tmp_path / "f.mp4", durations_s=[1, 1], frame=small)
    for at_s, channel in ((0.5, 0), (0.96, 0), (1.0, 2), (9, 2)):
        poster(tmp_path / "f.mp4", tmp_path / "poster.jpg", at_s=at_s)
        with Image.open(tmp_path / "poster.jpg") as picture:
            assert np.asarray(picture).mean(axis=(0, 1)).argmax() == channel


def test_what_is_no_film_has_no_poster(tmp_path: Path, source: MakeSource) -> None:
    (tmp_path / "f.mp4").write_bytes(b"nothing" * 100)
    for film in (tmp_path / "f.mp4", source(video=None)):
        with pytest.raises(MediaError):
            poster(film, tmp_path / "poster.jpg")
        with pytest.raises(MediaError):
            still(film, at_s=0)
    assert not (tmp_path / "poster.jpg").exists()


def test_a_contact_sheet_has_a_tile_for_each_clip(block: MakeBlock, tmp_path: Path) -> None:
    colours = ("red", "lime", "blue", "white")
    clips = [block(video=f"color={c}:s=108x192:r=30") for c in colours]
    labels = [
        "Un",
        "Une étiquette bien trop longue pour tenir dans la largeur d'une vignette, même sur deux lignes",
        "𐎀",
        "🎉",
    ]
    contact_sheet(clips, tmp_path / "s.png", title="La danse des abeilles", columns=2, labels=labels)
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.format == "PNG"
        shown = np.asarray(sheet.convert("RGB"), np.int16).reshape(-1, 3)
    for wanted in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)):
        assert np.count_nonzero(np.abs(shown - np.array(wanted)).max(axis=1) < 40) > 10_000


def test_a_storyboard_of_pictures_and_a_sheet_of_one_film(block: MakeBlock, tmp_path: Path) -> None:
    Image.new("RGB", (90, 160), "orange").save(tmp_path / "a.png")
    contact_sheet([tmp_path / "a.png"] * 3, tmp_path / "board.png")
    contact_sheet(block(), tmp_path / "film.png", count=4, columns=4)
    with Image.open(tmp_path / "board.png") as board, Image.open(tmp_path / "film.png") as film:
        assert film.width > board.width > 900
        assert board.height < film.height + 40


def test_no_clips_are_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        contact_sheet([], tmp_path / "s.png")


def test_a_preview_is_small_and_starts_at_once(block: MakeBlock, tmp_path: Path) -> None:
    preview(block(), tmp_path / "p.mp4")
    facts = probe(tmp_path / "p.mp4")
    assert (facts.width, facts.height, facts.frame_count, facts.audio_codec) == (360, 640, 30, "aac")
    content = (tmp_path / "p.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
