"""Names of colours."""

import re
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.brands.colours import colour_name, named_colours, oklab, without_hex
from maquette.errors import InvalidInput

_hexes = st.from_regex(r"#[0-9a-fA-F]{6}", fullmatch=True)


@pytest.mark.parametrize("language", ["en", "fr", "es"])
def test_every_named_colour_is_its_own_name(language: Literal["en", "fr", "es"]) -> None:
    names = [getattr(named, language) for named in named_colours()]
    assert [colour_name(named.hex, language) for named in named_colours()] == names
    assert len(set(names)) == len(names) >= 60


@settings(deadline=None, max_examples=100)
@given(_hexes, st.sampled_from(["en", "fr", "es"]))
def test_every_colour_has_a_name(value: str, language: Literal["en", "fr", "es"]) -> None:
    assert colour_name(value, language) in {getattr(named, language) for named in named_colours()}
    assert colour_name(value.upper()) == colour_name(value.lower()) == colour_name(value[1:])


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("#ff0000", "red"),
        ("#f00", "red"),
        ("#008000", "green"),
        ("#0000ff", "blue"),
        ("#ffff00", "yellow"),
        ("#ffa500", "orange"),
        ("#7f7f7f", "grey"),
        ("#333", "charcoal"),
        ("#000080", "dark blue"),
        ("#2c3e50", "dark slate blue"),
        ("#ff6b6b", "coral"),
        ("#1abc9c", "jade"),
        ("#fefefe", "white"),
        ("#010101", "black"),
    ],
)
def test_colours_are_called_as_people_call_them(value: str, name: str) -> None:
    assert colour_name(value) == name


@pytest.mark.parametrize("value", ["", "red", "#12", "#gggggg", "#12345", "#1234567"])
def test_what_is_no_hex_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match="#rrggbb"):
        colour_name(value)


@pytest.mark.parametrize(
    ("value", "lab"),
    # Ottosson's reference: https://bottosson.github.io/posts/oklab/; red as CSS Color 4 gives it.
    [
        ("#ffffff", (1.0, 0.0, 0.0)),
        ("#000000", (0.0, 0.0, 0.0)),
        ("#ff0000", (0.628, 0.2249, 0.1258)),
    ],
)
def test_oklab_of_known_colours(value: str, lab: tuple[float, float, float]) -> None:
    assert oklab(value) == pytest.approx(lab, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fond #ff0000, texte #FFF", "fond red, texte white"),
        ("fond ##ff0000", "fond red"),
        ("#ff0000cc et #f00c", "red et red"),
        ("#cafe et #abc", "cafe et blue grey"),
        ("#Paris #1 # 3", "#Paris 1 # 3"),
    ],
)
def test_hex_values_in_a_text_become_words(text: str, words: str) -> None:
    assert without_hex(text) == words


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="#＃abcdefABCDEF0123456789 xyz\u200d", max_size=30))
def test_no_hex_is_left_in_a_text(text: str) -> None:
    assert not re.search(r"[#＃][0-9a-fA-F]", without_hex(text))
