"""What becomes of a failed attempt: the table of verdicts, and the delays as properties."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maquette.errors import (
    Filtered,
    Invalid,
    InvalidInput,
    MaquetteError,
    MediaError,
    OutcomeUnknown,
    QuotaExceeded,
    StorageError,
    Transient,
)
from maquette.orders import policy
from maquette.orders.policy import Verdict, is_passing, retry_delay_s, verdict

RANDOMS = st.integers(0, 2**32).map(Random)


def judged(error: BaseException, *, attempts: int = 1, waited_s: float = 0, random: Random | None = None) -> Verdict:
    return verdict(
        error,
        attempts=attempts,
        max_attempts=3,
        waited_s=waited_s,
        patience_s=3600,
        base_s=60,
        random=random or Random(0),
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Transient("503"), "wait"),
        (Transient("429", retry_after_s=5), "wait"),
        (Transient("paused", code="provider_paused", outage=True), "wait"),
        (QuotaExceeded("429"), "wait"),
        (MaquetteError("block 3: 503", code="provider_unavailable", outage="yes"), "wait"),
        (Transient("still running", code="operation_timeout"), "again"),
        (Transient("it broke off", operation_ended=True), "again"),
        (MediaError("no picture"), "again"),
        (StorageError("read error"), "again"),
        (RuntimeError("a defect"), "again"),
        (ConnectionError("no database"), "again"),
        (Invalid("400"), "fail"),
        (Filtered("refused"), "fail"),
        (OutcomeUnknown("lost"), "fail"),
        (InvalidInput("an endless word"), "fail"),
        (StorageError("full", code="storage_full"), "fail"),
        (MaquetteError("a defect of ours"), "fail"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{type(value).__name__}-{value}",
)
def test_the_verdict_on_a_first_attempt(error: BaseException, kind: str) -> None:
    assert judged(error).kind == kind
    assert is_passing(error) == (kind != "fail" and not isinstance(error, QuotaExceeded)) or kind == "wait"


@given(attempts=st.integers(1, 10), random=RANDOMS)
def test_attempts_are_used_up_by_failures_that_may_pass(attempts: int, random: Random) -> None:
    found = judged(MediaError("no picture"), attempts=attempts, random=random)
    assert found.kind == ("again" if attempts < 3 else "fail")


@given(attempts=st.integers(1, 1000), random=RANDOMS)
def test_no_number_of_outages_uses_up_the_attempts(attempts: int, random: Random) -> None:
    assert judged(Transient("503"), attempts=attempts, random=random).kind == "wait"


@given(waited_s=st.floats(0, 10_000), error=st.sampled_from([Transient("503"), QuotaExceeded("429")]))
def test_patience_with_an_outage_ends(waited_s: float, error: MaquetteError) -> None:
    assert judged(error, waited_s=waited_s).kind == ("wait" if waited_s < 3600 else "fail")


@given(attempt=st.integers(0, 20), base_s=st.floats(0, 1000), random=RANDOMS)
def test_the_delay_is_two_to_the_attempt_give_or_take_20_percent(attempt: int, base_s: float, random: Random) -> None:
    delay_s, middle_s = retry_delay_s(attempt, base_s=base_s, random=random), 2**attempt * base_s
    assert middle_s * 0.8 <= delay_s * (1 + 1e-9)
    assert delay_s <= middle_s * 1.2 * (1 + 1e-9)


@given(random=RANDOMS)
def test_attempts_wait_longer_each_time(random: Random) -> None:
    first, second = (judged(MediaError("no"), attempts=n, random=random).delay_s for n in (1, 2))
    assert 96 <= first <= 144 < 192 <= second <= 288


@given(named_s=st.none() | st.floats(0, 10_000), random=RANDOMS)
def test_a_wait_is_never_shorter_than_the_provider_named(named_s: float | None, random: Random) -> None:
    least_s = 60 if named_s is None else named_s
    found = judged(QuotaExceeded("429", retry_after_s=named_s), random=random)
    assert least_s <= found.delay_s <= least_s * 1.2


def test_delays_spread() -> None:
    assert len({judged(MediaError("no"), random=Random(seed)).delay_s for seed in range(20)}) == 20


def test_a_short_pause_is_waited_for_five_times_and_a_long_one_never() -> None:
    throttled = Transient("slow down", retry_after_s=policy.SHORT_PAUSE_S)
    assert [policy.short_pause_s(throttled, failures=n) for n in range(7)] == [policy.SHORT_PAUSE_S] * 5 + [None] * 2
    assert policy.short_pause_s(Transient("slow down", retry_after_s=20.1), failures=0) is None
    assert policy.short_pause_s(Transient("no connection"), failures=0) is None
    assert policy.short_pause_s(Transient("it failed", retry_after_s=1, operation_ended=True), failures=0) is None
