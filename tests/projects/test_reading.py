"""Bodies of saves: what is read, and what is refused with the place that is wrong."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.errors import InvalidInput
from maquette.projects.reading import MAX_DEPTH, dump, read, version_named


def refused(body: bytes) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read(body)
    return caught.value


@pytest.mark.parametrize(
    ("body", "pointer", "character"),
    [
        (rb'{"scriptData": {"content": "a\u0000b"}}', "/scriptData/content", "U+0000"),
        (rb'{"a": [1, {"b~/c": "\ud83d"}]}', "/a/1/b~0~1c", "U+D83D"),
        (rb'{"a": {"\u0000": 1}}', "/a", "U+0000"),
        (rb'{"\udc00": 1}', "/", "U+DC00"),
    ],
)
def test_a_character_that_no_database_keeps_is_told_with_its_place(body: bytes, pointer: str, character: str) -> None:
    error = refused(body)
    assert (error.code, error.values["pointer"], error.values["character"]) == (
        "unstorable_character", pointer, character,
    )  # fmt: skip
    assert pointer in error.text("fr") and character in str(error)


def test_the_letters_of_an_escape_are_no_escape() -> None:
    assert read(rb'{"a": "\\u0000"}') == {"a": r"\u0000"}


def test_a_whole_pair_is_a_character() -> None:
    assert read(rb'{"a": "\ud83d\ude00"}') == {"a": "😀"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"3", b"null", b'"text"', b"{'a': 1}", b'{"a": "\xff"}', b'{"a": 1} {}', b"<html>"]
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert refused(body).code == "invalid_json"


def test_numbers_are_those_of_a_browser() -> None:
    assert "/a/0" in str(refused(b'{"a": [1e400]}'))
    assert "/a" in str(refused(b'{"a": NaN}'))
    assert read(b'{"a": 9007199254740993, "b": 18446744073709551616}') == {"a": 9007199254740993, "b": 2.0**64}


def test_of_a_key_that_comes_twice_the_last_one_counts() -> None:
    assert read(b'{"a": 1, "a": 2}') == {"a": 2}


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_what_is_nested_too_deep_to_be_read_is_refused(depth: int) -> None:
    assert str(MAX_DEPTH) in str(refused(b'{"a": ' + b"[" * depth + b"]" * depth + b"}"))


def test_what_is_nested_too_deep_to_be_written_is_refused() -> None:
    assert dump(orjson.loads(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH))
    with pytest.raises(InvalidInput, match="levels deep"):
        dump(orjson.loads(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)))


storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
numbers = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | storable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(storable, inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from("abc"), json_values))
def test_what_was_written_is_read_and_written_the_same(value: dict[str, Any]) -> None:
    once = dump(value)
    assert dump(read(once)) == once


@pytest.mark.parametrize(
    ("body", "if_match", "named"),
    [
        ({}, None, None), ({}, "*", None), ({}, '"3"', 3), ({}, 'W/"3"', 3), ({}, " 3 ", 3), ({}, "0", 0),
        ({"metadata": {"version": 4}}, None, 4), ({"metadata": {"version": "4"}}, None, 4),
        ({"metadata": {"version": 4}}, '"3"', 3), ({"metadata": {"version": 4}, "version": 5}, None, 4),
        ({"version": 5}, None, 5), ({"version": None, "metadata": None}, None, None), ({"metadata": []}, None, None),
    ],
)  # fmt: skip
def test_the_version_is_taken_from_where_clients_put_it(
    body: dict[str, Any], if_match: str | None, named: int | None
) -> None:
    assert version_named(body, if_match) == named


@pytest.mark.parametrize("version", ["x", '"a"', "-1", '"1", "2"', "", "99999999999", True, 1.5, -1, [1], 2**31])
def test_what_is_no_version_is_refused(version: Any) -> None:
    with pytest.raises(InvalidInput, match="ETag"):
        version_named({"metadata": {"version": version}}, None)
