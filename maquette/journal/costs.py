"""What the calls of providers cost, by brand, order, provider and month. Integer micro-dollars."""

from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import Session, col

from maquette.journal.models import ProviderCall

By = Literal["brand", "order", "provider", "month"]


class CostLine(BaseModel):
    """Sums over the calls of one group; ``key`` is its brand, order, ``provider/model`` or month (``202501``)."""

    key: str | None
    calls: int
    cost_micros: int
    saved_micros: int


class CostReport(BaseModel):
    """Costs by one dimension, the dearest first, with their sum."""

    by: By
    lines: list[CostLine]
    calls: int
    cost_micros: int
    saved_micros: int


def costs(
    session: Session,
    *,
    by: By,
    brand_id: UUID | None = None,
    order_id: UUID | None = None,
    provider: str | None = None,
    period: int | None = None,
) -> CostReport:
    """The costs of all calls that fit; failed calls cost what was booked, cached ones nothing. Months are UTC's."""
    month = sa.cast(sa.func.to_char(sa.func.timezone("UTC", col(ProviderCall.created_at)), "YYYYMM"), sa.Integer)
    groups: dict[By, sa.ColumnElement[Any]] = {
        "brand": sa.cast(col(ProviderCall.brand_id), sa.Text),
        "order": sa.cast(col(ProviderCall.order_id), sa.Text),
        "provider": col(ProviderCall.provider) + "/" + col(ProviderCall.model),
        "month": sa.cast(month, sa.Text),
    }
    group = groups[by].label("key")
    found = sa.select(
        group,
        sa.func.count().label("calls"),
        sa.func.coalesce(sa.func.sum(col(ProviderCall.cost_micros)), 0).label("cost_micros"),
        sa.func.coalesce(sa.func.sum(col(ProviderCall.saved_micros)), 0).label("saved_micros"),
    ).group_by(group)
    for column, wanted in (
        (col(ProviderCall.brand_id), brand_id),
        (col(ProviderCall.order_id), order_id),
        (col(ProviderCall.provider), provider),
        (month, period),
    ):
        if wanted is not None:
            found = found.where(column == wanted)
    rows = session.execute(found.order_by(sa.desc("cost_micros"), sa.asc("key"))).mappings()
    lines = [CostLine.model_validate(dict(row)) for row in rows]
    return CostReport(
        by=by,
        lines=lines,
        calls=sum(line.calls for line in lines),
        cost_micros=sum(line.cost_micros for line in lines),
        saved_micros=sum(line.saved_micros for line in lines),
    )
