import pytest

from maquette.errors import InvalidInput
from maquette.media.frame import SIZES, Frame, frames, samples


def test_the_frames_of_the_four_aspect_ratios() -> None:
    assert [(Frame.of(a).width, Frame.of(a).height) for a in ("9:16", "1:1", "16:9", "4:5")] == [
        (1080, 1920), (1080, 1080), (1920, 1080), (1080, 1350),
    ]  # fmt: skip


def test_another_ratio_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(InvalidInput, match="9:16, 1:1, 16:9, 4:5"):
        Frame.of("3:2")


def test_odd_sides_are_refused() -> None:
    with pytest.raises(InvalidInput, match="even"):
        Frame(107, 192)


def test_picture_and_sound_count_the_same_time() -> None:
    for duration_s in (7, 8, 0.7, 1.23):
        assert samples(duration_s) == frames(duration_s) * 1600


@pytest.mark.parametrize("aspect", SIZES)
def test_the_text_band_lies_inside_the_frame_and_starts_on_even_rows(aspect: str) -> None:
    frame = Frame.of(aspect)
    top, bottom = frame.text_band
    assert 0 < top < bottom < frame.height
    assert top % 2 == bottom % 2 == 0
    if aspect == "9:16":
        assert bottom <= frame.height * 0.78
