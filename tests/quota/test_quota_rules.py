"""Prices, limits and months: tables from the contract, and properties at the edges of years."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.errors import InvalidInput
from maquette.quota import rules
from maquette.quota.rules import UNITS, Amounts, Plan, calculate_woofs_cost, period_of, plan, reset_date

MOMENTS = st.datetimes(
    min_value=datetime(1971, 1, 2),
    max_value=datetime(2999, 12, 30),
    timezones=st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)


@pytest.mark.parametrize(
    ("duration_s", "woofs"),
    [(1, 1), (8, 1), (8.01, 2), (9, 2), (15, 2), (16, 4), (30, 4), (31, 8), (60, 8), (61, 8), (3600, 8)],
)
def test_a_film_costs_woofs_by_its_step(duration_s: float, woofs: int) -> None:
    assert calculate_woofs_cost(duration_s) == woofs


@given(st.floats(0, 10_000), st.floats(0, 10_000))
def test_a_longer_film_never_costs_less(one: float, other: float) -> None:
    assert calculate_woofs_cost(min(one, other)) <= calculate_woofs_cost(max(one, other))


@pytest.mark.parametrize(
    ("name", "stops", "alerts"),
    [
        ("starter", (165, 16, 165), (120, 12, 120)),  # 15 films and 110 % are 16.5: the half film is not made
        ("pro", (495, 49, 495), (360, 36, 360)),
        ("studio", (1100, 110, 1100), (800, 80, 800)),
        ("admin", (None, None, None), (None, None, None)),
    ],
)
def test_the_hard_stop_is_rounded_down_and_the_alert_up(
    name: str, stops: tuple[int | None, ...], alerts: tuple[int | None, ...]
) -> None:
    found = plan(name)
    assert tuple(found.hard_stop(unit) for unit in UNITS) == stops
    assert tuple(found.alert_at(unit) for unit in UNITS) == alerts


@given(st.integers(0, 10_000))
def test_stop_and_alert_never_pass_their_share(limit: int) -> None:
    found = Plan(name="a", images=limit, reels=0, woofs=0, durations_s=None, price_eur=0, priority="free")
    stop, alert = found.hard_stop("images"), found.alert_at("images")
    assert stop is not None
    assert alert is not None
    assert stop * 100 <= limit * 110 < (stop + 1) * 100
    assert (alert - 1) * 100 < limit * 80 <= alert * 100


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [("starter", (1, 8, 10, 15), (16, 30)), ("pro", (15, 16, 30), (31, 60)), ("studio", (31, 60), (61,))],
)
def test_durations_go_by_the_plan(name: str, allowed: tuple[int, ...], refused: tuple[int, ...]) -> None:
    found = plan(name)
    assert all(found.allows_s(seconds) for seconds in allowed)
    assert not any(found.allows_s(seconds) for seconds in refused)
    refusal = rules.duration_refusal(found, refused[0])
    assert refusal.code == "duration_not_allowed"
    assert f"max {max(found.durations_s or ())} s" in refusal.text("fr")


def test_the_admin_may_do_anything_and_an_unknown_plan_is_named() -> None:
    assert plan("admin").allows_s(10**6)
    with pytest.raises(InvalidInput, match="choose starter, pro, studio, admin"):
        plan("gold")


@given(MOMENTS)
def test_a_moment_lies_in_its_period_and_before_the_reset(moment: datetime) -> None:
    period = period_of(moment)
    reset = reset_date(period)
    assert moment < reset
    assert period_of(reset) > period
    assert period_of(reset - timedelta(microseconds=1)) == period
    assert (reset.day, reset.hour, reset.minute, reset.tzinfo) == (1, 0, 0, UTC)


@given(MOMENTS, MOMENTS)
def test_periods_are_in_the_order_of_time(one: datetime, other: datetime) -> None:
    assert (period_of(one) <= period_of(other)) or one > other


@pytest.mark.parametrize(
    ("moment", "period", "reset"),
    [
        ("2025-01-31T23:59:59+00:00", 202501, "2025-02-01"),
        ("2025-12-31T23:59:59+00:00", 202512, "2026-01-01"),
        ("2026-01-01T00:30:00+02:00", 202512, "2026-01-01"),  # still December in UTC
        ("2025-12-31T23:30:00-02:00", 202601, "2026-02-01"),
    ],
)
def test_months_are_those_of_utc_even_at_new_year(moment: str, period: int, reset: str) -> None:
    assert period_of(datetime.fromisoformat(moment)) == period
    assert reset_date(period).date().isoformat() == reset


def test_amounts_add_up_and_are_never_negative() -> None:
    total = sum([Amounts(images=1), Amounts(reels=2, woofs=4)], Amounts())
    assert [total.of(unit) for unit in UNITS] == [1, 2, 4]
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Amounts(images=-1)
