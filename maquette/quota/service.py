"""Budgets that hold: reserve at intake, settle what was delivered, refund what was not, each once.

Every call works in the caller's transaction. The counters' row is the last lock that a transaction takes before
those of the event log: see ``docs/architecture.md``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from maquette.errors import BudgetExceeded
from maquette.events import service as events
from maquette.quota.models import LedgerLine, MonthlyCounters, Reservation, ReservationState
from maquette.quota.rules import UNITS, Amounts, Plan, reset_date

Reason = Literal["reserve", "settle", "refund"]
# From which account to which a unit moves.
_MOVES: Final[dict[Reason, tuple[str, str]]] = {
    "reserve": ("available", "reserved"),
    "settle": ("reserved", "used"),
    "refund": ("reserved", "available"),
}


class UnitState(BaseModel):
    """One unit of a month. ``limit`` and what follows from it are ``None`` where there is none."""

    limit: int | None
    used: int
    reserved: int
    remaining: int | None
    threshold_80: bool
    hard_stop: int | None


class QuotaDocument(BaseModel):
    """What a brand has left this month."""

    brand_id: UUID
    plan: str
    period_yyyymm: int
    images: UnitState
    reels: UnitState
    woofs: UnitState
    durations_s: tuple[int, ...] | None
    is_admin: bool
    reset_date: datetime


def reserve(session: Session, *, brand_id: UUID, plan: Plan, period: int, items: Mapping[UUID, Amounts]) -> None:
    """Hold what ``items`` will cost, all or nothing.

    One guarded update decides: used + reserved + asked must stay within the plan's hard stop. Raises
    ``BudgetExceeded``.
    """
    total = sum(items.values(), Amounts())
    counters = MonthlyCounters.__table__  # type: ignore[attr-defined]  # SQLModel declares it at run time
    take = (
        _guarded(counters, plan, total)
        .where(counters.c.brand_id == brand_id, counters.c.period_yyyymm == period)
        .returning(counters)
    )
    after = session.execute(take).mappings().first()
    if after is None:  # refused, or the month's first
        session.execute(insert(counters).values(brand_id=brand_id, period_yyyymm=period).on_conflict_do_nothing())
        after = session.execute(take).mappings().first()
    if after is None:
        raise _refusal(session, brand_id=brand_id, plan=plan, period=period, total=total)
    session.add_all(
        Reservation(item_id=item_id, brand_id=brand_id, period_yyyymm=period, **amounts.model_dump())
        for item_id, amounts in items.items()
    )
    session.flush()
    _post(session, "reserve", brand_id=brand_id, period=period, items=items)
    _alert(session, brand_id=brand_id, plan=plan, period=period, after=dict(after), added=total)


def settle(session: Session, item_id: UUID) -> bool:
    """The item was delivered: what it held is used. Whether this call ended the reservation."""
    return _end(session, item_id, "settle")


def refund(session: Session, item_id: UUID) -> bool:
    """The item was not delivered: what it held is free again. Whether this call ended the reservation."""
    return _end(session, item_id, "refund")


def held(session: Session, item_ids: Sequence[UUID]) -> dict[UUID, Amounts]:
    """What was reserved for each item, whatever became of it."""
    rows = session.exec(select(Reservation).where(col(Reservation.item_id).in_(item_ids)))
    return {row.item_id: row.amounts() for row in rows}


def document(session: Session, *, brand_id: UUID, plan: Plan, period: int) -> QuotaDocument:
    """The brand's month."""
    counters = session.get(MonthlyCounters, (brand_id, period)) or MonthlyCounters(
        brand_id=brand_id, period_yyyymm=period
    )
    units: dict[str, Any] = {}
    for unit in UNITS:
        used, reserved = getattr(counters, f"{unit}_used"), getattr(counters, f"{unit}_reserved")
        limit, alert = plan.limit(unit), plan.alert_at(unit)
        units[unit] = UnitState(
            limit=limit,
            used=used,
            reserved=reserved,
            remaining=None if limit is None else max(0, limit - used - reserved),
            threshold_80=alert is not None and used + reserved >= alert,
            hard_stop=plan.hard_stop(unit),
        )
    return QuotaDocument(
        brand_id=brand_id,
        plan=plan.name,
        period_yyyymm=period,
        durations_s=plan.durations_s,
        is_admin=all(plan.limit(unit) is None for unit in UNITS),
        reset_date=reset_date(period),
        **units,
    )


def refusal(session: Session, *, brand_id: UUID, plan: Plan, period: int, total: Amounts) -> BudgetExceeded | None:
    """The error that reserving ``total`` would raise now, for an estimate; ``None`` when it would be admitted."""
    counters = session.get(MonthlyCounters, (brand_id, period), populate_existing=True)
    for unit in UNITS:
        stop, asked = plan.hard_stop(unit), total.of(unit)
        taken = getattr(counters, f"{unit}_used") + getattr(counters, f"{unit}_reserved") if counters else 0
        if stop is not None and asked and taken + asked > stop:
            return BudgetExceeded(
                f"the plan {plan.name} gives {plan.limit(unit)} {unit} a month and stops at {stop}: {taken} are taken "
                f"and {asked} asked for; order less, wait for the next month, or take a larger plan",
                unit=unit,
                limit=plan.limit(unit),
                remaining=max(0, stop - taken),
                required=asked,
            )
    return None


def audit(session: Session) -> list[str]:
    """What is wrong in the books; empty when all is well. Each posting sums to zero, and counters equal the ledger."""
    wrong = [
        f"item {row.item_id}: the lines of {row.unit} ({row.reason}) sum to {row.total}"
        for row in session.execute(
            sa.select(
                col(LedgerLine.item_id), col(LedgerLine.unit), col(LedgerLine.reason),
                sa.func.sum(LedgerLine.amount).label("total"),
            )
            .group_by(col(LedgerLine.item_id), col(LedgerLine.unit), col(LedgerLine.reason))
            .having(sa.func.sum(LedgerLine.amount) != 0)
        )
    ]  # fmt: skip
    booked = {
        (row.brand_id, row.period_yyyymm, row.unit, row.account): row.total
        for row in session.execute(
            sa.select(
                col(LedgerLine.brand_id), col(LedgerLine.period_yyyymm), col(LedgerLine.unit), col(LedgerLine.account),
                sa.func.sum(LedgerLine.amount).label("total"),
            )
            .where(col(LedgerLine.account) != "available")
            .group_by(
                col(LedgerLine.brand_id), col(LedgerLine.period_yyyymm), col(LedgerLine.unit), col(LedgerLine.account)
            )
        )
    }  # fmt: skip
    counted = {
        (row.brand_id, row.period_yyyymm, unit, account): getattr(row, f"{unit}_{account}")
        for row in session.exec(select(MonthlyCounters))
        for unit in UNITS
        for account in ("used", "reserved")
    }
    for key in booked.keys() | counted.keys():
        if booked.get(key, 0) != counted.get(key, 0):
            wrong.append(f"{key}: the ledger says {booked.get(key, 0)}, the counters {counted.get(key, 0)}")
    return wrong


def _guarded(counters: sa.Table, plan: Plan, total: Amounts) -> sa.Update:
    change = sa.update(counters).values(
        {f"{unit}_reserved": counters.c[f"{unit}_reserved"] + total.of(unit) for unit in UNITS}
    )
    for unit in UNITS:
        stop = plan.hard_stop(unit)
        if stop is not None and total.of(unit):
            taken = counters.c[f"{unit}_used"] + counters.c[f"{unit}_reserved"]
            change = change.where(taken + total.of(unit) <= stop)
    return change


def _refusal(session: Session, *, brand_id: UUID, plan: Plan, period: int, total: Amounts) -> BudgetExceeded:
    said = refusal(session, brand_id=brand_id, plan=plan, period=period, total=total)
    # Somebody's refund may have come in between: the request was refused all the same, and may be sent again.
    return said or BudgetExceeded("the month's budget was used up at that moment; send the request again")


def _end(session: Session, item_id: UUID, reason: Literal["settle", "refund"]) -> bool:
    state = ReservationState.SETTLED if reason == "settle" else ReservationState.REFUNDED
    held = session.execute(
        sa.update(Reservation)
        .where(col(Reservation.item_id) == item_id, col(Reservation.state) == ReservationState.RESERVED)
        .values(state=state, ended_at=sa.func.clock_timestamp())
        .returning(
            col(Reservation.brand_id), col(Reservation.period_yyyymm),
            col(Reservation.images), col(Reservation.reels), col(Reservation.woofs),
        )
    ).first()  # fmt: skip
    if held is None:
        return False
    amounts = Amounts(images=held.images, reels=held.reels, woofs=held.woofs)
    counters = MonthlyCounters.__table__  # type: ignore[attr-defined]  # as above
    changes = {f"{unit}_reserved": counters.c[f"{unit}_reserved"] - amounts.of(unit) for unit in UNITS}
    if reason == "settle":
        changes |= {f"{unit}_used": counters.c[f"{unit}_used"] + amounts.of(unit) for unit in UNITS}
    session.execute(
        sa.update(counters)
        .where(counters.c.brand_id == held.brand_id, counters.c.period_yyyymm == held.period_yyyymm)
        .values(changes)
    )
    _post(session, reason, brand_id=held.brand_id, period=held.period_yyyymm, items={item_id: amounts})
    return True


def _post(session: Session, reason: Reason, *, brand_id: UUID, period: int, items: Mapping[UUID, Amounts]) -> None:
    lines = [
        {
            "item_id": item_id,
            "brand_id": brand_id,
            "period_yyyymm": period,
            "unit": unit,
            "account": account,
            "amount": sign * amounts.of(unit),
            "reason": reason,
        }
        for item_id, amounts in items.items()
        for unit in UNITS
        if amounts.of(unit)
        for account, sign in zip(_MOVES[reason], (-1, 1), strict=True)
    ]
    if lines:
        session.execute(sa.insert(LedgerLine), lines)


def _alert(
    session: Session, *, brand_id: UUID, plan: Plan, period: int, after: Mapping[str, Any], added: Amounts
) -> None:
    """Tell once, when a reservation crosses the line of 80 %."""
    for unit in UNITS:
        alert = plan.alert_at(unit)
        taken = after[f"{unit}_used"] + after[f"{unit}_reserved"]
        if alert is not None and taken - added.of(unit) < alert <= taken:
            events.append(
                session,
                f"brand:{brand_id}",
                "quota_alert",
                {"unit": unit, "taken": taken, "limit": plan.limit(unit), "period_yyyymm": period},
            )
