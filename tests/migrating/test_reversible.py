"""The bookkeeping of documents that can always go back."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from maquette.migrating import exact
from maquette.migrating.reversible import _same_parts, same
from maquette.migrating.times import javascript_time
from tests.migrating import manga


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manga.JSON, manga.JSON)
def test_same_is_what_is_written_alike(one: Any, other: Any) -> None:
    alike = exact.dumps(one) == exact.dumps(other)
    assert same(one, other) == _same_parts(one, other) == alike
    again = exact.loads(exact.dumps([one]))[0]
    assert same(again, exact.loads(exact.dumps([one]))[0])


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (1, True, False),
        (0, False, False),
        (1, Decimal("1.0"), False),
        (Decimal("1.1"), Decimal("1.10"), False),
        (Decimal("1.10"), Decimal("1.10"), True),
        (10**30, 10**30, True),
        (10**30, 10**30 + 1, False),
        ([10**30, 1], [10**30, True], False),
        ({"a": 10**30, "b": 1}, {"b": 1, "a": 10**30}, True),
        ({"a": 10**30}, {"b": 10**30}, False),
        ([10**30], [10**30, 1], False),
    ],
)
def test_numbers_keep_their_kind_and_scale(one: Any, other: Any, alike: bool) -> None:
    assert same(one, other) is alike
    assert _same_parts(one, other) is alike


def test_no_depth_is_too_deep_to_compare() -> None:
    one: Any = 1
    other: Any = True
    for _ in range(5000):
        one, other = [one], [other]
    assert not same(one, other)


def test_an_approval_is_for_every_file_that_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(manga.migration())
    before = kind.digest()
    assert before == type(manga.migration()).digest()
    monkeypatch.setattr(kind, "made_with", ())
    assert kind.digest() != before


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2025-01-21 14:32:15+00", "2025-01-21T14:32:15.000Z"),
        ("2025-01-21T14:32:15.9999Z", "2025-01-21T14:32:15.999Z"),
        ("2025-01-21 14:32:15.5-03:30", "2025-01-21T18:02:15.500Z"),
        ("0001-01-01 00:00:00+01", None),
        ("infinity", None),
        ("0044-03-15 12:00:00+00 BC", None),
        ("", None),
        (17, None),
        (None, None),
    ],
)
def test_times_as_browsers_write_them(text: object, shown: str | None) -> None:
    assert javascript_time(text) == shown
