"""JSON comes back as it was."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.migrating import exact
from maquette.migrating.source import Connection

_NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3)
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(_DOCUMENTS)
def test_what_is_written_is_read_and_written_the_same(document: object) -> None:
    text = exact.dumps(document)
    assert exact.dumps(exact.loads(text)) == text
    assert exact.dumps(exact.loads_json(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "1.10",
        "1.1",
        "-0.0",
        '["2025-01-21T14:32:15.000Z",1.50]',
        '{"at":"14:32:15.9Z","n":[0.10]}',
        "12345678901234567890123",
        "18446744073709551616",
        '"\\ud800"',
        '["\\ud800",1.0]',
        "0",
    ],
)
def test_every_digit_is_kept(text: str) -> None:
    assert exact.dumps(exact.loads(text)) == text


def test_what_python_takes_for_equal_differs() -> None:
    assert len({exact.dumps(each) for each in (1, True, Decimal("1.0"), Decimal("1.00"), "1")}) == 5


def test_what_is_equal_has_one_text() -> None:
    assert exact.dumps({"b": [1], "a": None}) == exact.dumps({"a": None, "b": [1]}) == '{"a":null,"b":[1]}'


@pytest.mark.parametrize("text", ["[" * 10_000 + "]" * 10_000, "1" * 5_000, "{"])
def test_what_cannot_be_read_stands_as_such_and_is_not_written(text: str) -> None:
    found = exact.read(text)
    assert isinstance(found, exact.Unreadable)
    with pytest.raises(TypeError):
        exact.dumps({"within": found})


def test_a_key_that_is_there_twice_is_no_document() -> None:
    assert exact.read_json('{"a": 1, "a": 2}') == exact.Unreadable("cannot be read: the key 'a' is there twice")


def test_a_deep_document_is_not_json_for_us() -> None:
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(TypeError, match="too deep"):
        exact.dumps(deep)


def test_one_unreadable_row_spoils_no_other(user: Connection) -> None:
    rows = user.execute("SELECT '[1]'::jsonb, repeat('[', 6000)::text || repeat(']', 6000)", []).fetchall()
    (good, deep), *_ = rows
    found = user.execute("SELECT %s::jsonb, '{\"a\":1,\"a\":2}'::json, '1.10'::jsonb", [deep]).fetchone()
    assert good == [1] and found is not None
    assert isinstance(found[0], exact.Unreadable) and isinstance(found[1], exact.Unreadable)
    assert exact.dumps(found[2]) == "1.10"
