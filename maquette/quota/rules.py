"""What an order costs of a brand's month, and what its plan allows. Pure functions; plans are data."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from maquette.errors import BudgetExceeded, InvalidInput

UNITS: Final = ("images", "reels", "woofs")
Unit = Literal["images", "reels", "woofs"]
Priority = Literal["premium", "free"]


class Amounts(BaseModel):
    """Units of a month's budget: pictures and slides, films, and woofs."""

    model_config = ConfigDict(frozen=True)

    images: int = Field(0, ge=0)
    reels: int = Field(0, ge=0)
    woofs: int = Field(0, ge=0)

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            images=self.images + other.images, reels=self.reels + other.reels, woofs=self.woofs + other.woofs
        )

    def of(self, unit: Unit) -> int:
        """How many of one unit."""
        return int(getattr(self, unit))


class Plan(BaseModel):
    """What a brand may use in a calendar month. ``None`` is without limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    images: int | None
    reels: int | None
    woofs: int | None
    durations_s: tuple[int, ...] | None
    price_eur: int
    priority: Priority

    def limit(self, unit: Unit) -> int | None:
        """What the plan gives of ``unit``."""
        limit: int | None = getattr(self, unit)
        return limit

    def hard_stop(self, unit: Unit) -> int | None:
        """Where ``unit`` ends: 110 % of the limit, rounded down."""
        limit = self.limit(unit)
        return None if limit is None else limit * _file().hard_stop_percent // 100

    def alert_at(self, unit: Unit) -> int | None:
        """From where on a brand is warned: 80 % of the limit, rounded up."""
        limit = self.limit(unit)
        return None if limit is None else -(-limit * _file().alert_percent // 100)

    def allows_s(self, duration_s: int) -> bool:
        """May a film last so long? The plan's durations are steps, as those of the price: 10 s is the step of 15."""
        return self.durations_s is None or duration_s <= max(self.durations_s)


class _Step(BaseModel):
    up_to_s: int
    woofs: int


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    alert_percent: int
    hard_stop_percent: int
    woofs_by_duration: list[_Step]
    plans: list[Plan]


@lru_cache
def _file() -> _File:
    return _File.model_validate(yaml.safe_load(Path(__file__).with_name("plans.yaml").read_text("utf-8")))


def plans() -> Sequence[Plan]:
    """All plans, the smallest first."""
    return _file().plans


def plan(name: str) -> Plan:
    """The plan. Raises ``InvalidInput`` naming those there are."""
    found = next((each for each in plans() if each.name == name), None)
    if found is None:
        raise InvalidInput(f"no plan {name!r}: choose {', '.join(each.name for each in plans())}")
    return found


def calculate_woofs_cost(duration_s: float) -> int:
    """Woofs of a film: up to 8 s 1, up to 15 s 2, up to 30 s 4, longer 8 (the database function of that name)."""
    steps = _file().woofs_by_duration
    return next((step.woofs for step in steps if duration_s <= step.up_to_s), steps[-1].woofs)


def duration_refusal(plan: Plan, duration_s: int) -> BudgetExceeded:
    """The error of a film that is longer than the plan allows."""
    limit = max(plan.durations_s or (0,))
    return BudgetExceeded(
        f"the plan {plan.name} allows films of {limit} s at most, not {duration_s} s: shorten it or take a larger plan",
        code="duration_not_allowed",
        limit=limit,
    )


def period_of(moment: datetime) -> int:
    """The calendar month of ``moment`` in UTC, as ``202501``."""
    utc = moment.astimezone(UTC)
    return utc.year * 100 + utc.month


def reset_date(period: int) -> datetime:
    """The first moment after ``period``."""
    year, month = divmod(period, 100)
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
