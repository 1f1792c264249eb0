"""Tables of budgets: reservations, the ledger that they are written in, and its projection by month."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from maquette.db.types import created_at, moment
from maquette.quota.rules import Amounts


class ReservationState(StrEnum):
    """``reserved`` ends once: ``settled`` when the item was delivered, ``refunded`` when it was not."""

    RESERVED = "reserved"
    SETTLED = "settled"
    REFUNDED = "refunded"


class Reservation(SQLModel, table=True):
    """What one item holds of a brand's month. It belongs to the month in which it was made."""

    __tablename__ = "reservations"
    __table_args__ = (
        sa.Index("ix_reservations_open", "item_id", postgresql_where=sa.text("state = 'reserved'")),
        sa.Index(None, "brand_id", "period_yyyymm"),
    )

    item_id: UUID = Field(foreign_key="order_items.id", primary_key=True)
    brand_id: UUID = Field(foreign_key="brands.id")
    period_yyyymm: int
    images: int = 0
    reels: int = 0
    woofs: int = 0
    state: str = ReservationState.RESERVED
    ended_at: datetime | None = moment()
    created_at: datetime = created_at()

    def amounts(self) -> Amounts:
        """What is held."""
        return Amounts(images=self.images, reels=self.reels, woofs=self.woofs)


class LedgerLine(SQLModel, table=True):
    """One line of the books, never changed (a trigger refuses it). The lines of each posting sum to zero.

    A unit moves between three accounts: ``available`` → ``reserved`` → ``used``, or back to ``available``.
    """

    __tablename__ = "quota_ledger"
    __table_args__ = (
        sa.UniqueConstraint("item_id", "unit", "account", "reason"),
        sa.Index(None, "brand_id", "period_yyyymm"),
    )

    id: int | None = Field(default=None, sa_type=sa.BigInteger, primary_key=True)
    item_id: UUID = Field(foreign_key="reservations.item_id")
    brand_id: UUID
    period_yyyymm: int
    unit: str
    account: str
    amount: int
    reason: str
    created_at: datetime = created_at()


class MonthlyCounters(SQLModel, table=True):
    """What a brand has used and holds reserved in a month: the ledger's projection, written with it."""

    __tablename__ = "counters_monthly"
    __table_args__ = tuple(
        sa.CheckConstraint(f"{unit}_{what} >= 0", name=f"{unit}_{what}")
        for unit in ("images", "reels", "woofs")
        for what in ("used", "reserved")
    )

    brand_id: UUID = Field(foreign_key="brands.id", primary_key=True)
    period_yyyymm: int = Field(primary_key=True)
    images_used: int = 0
    reels_used: int = 0
    woofs_used: int = 0
    images_reserved: int = 0
    reels_reserved: int = 0
    woofs_reserved: int = 0
