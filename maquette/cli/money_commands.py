"""``maquette quota`` and ``costs``: what is left of a brand's month, and what providers were paid."""

from typing import Annotated, Literal
from uuid import UUID

import typer

from maquette.cli import options
from maquette.cli.output import ExitCode, Json, console, print_json

ByName = Literal["brand", "order", "provider", "month"]


def quota(*, brand: options.Brand = None, as_json: Json = False) -> int:
    """What a brand has used of its month, and what is left."""
    from maquette.cli.money_reports import print_quota
    from maquette.cli.opening import reading
    from maquette.db.types import now
    from maquette.quota import rules
    from maquette.quota import service as budget
    from maquette.settings import get_settings

    with reading(get_settings()) as opened:
        payer = opened.brand(brand)
        with opened.database.begin() as session:
            found = budget.document(
                session, brand_id=payer.id, plan=rules.plan(payer.plan), period=rules.period_of(now(session))
            )
    if as_json:
        print_json(found)
    else:
        print_quota(found, payer.name, console())
    return ExitCode.OK


def costs(
    *,
    by: Annotated[ByName, typer.Option(help="What a line is to be of.")] = "provider",
    brand: options.OfBrand = None,
    order: Annotated[UUID | None, typer.Option(metavar="ID", help="Only this order's calls.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider's calls, such as replicate.")] = None,
    month: Annotated[
        int | None, typer.Option(metavar="YYYYMM", min=200001, max=999912, help="Only this month's calls, in UTC.")
    ] = None,
    as_json: Json = False,
) -> int:
    """What the calls of providers have cost, and what answers that were there have saved."""
    from maquette.brands import service as brands
    from maquette.cli.money_reports import print_costs
    from maquette.cli.opening import reading
    from maquette.errors import InvalidInput
    from maquette.journal import costs as journal
    from maquette.settings import get_settings

    if month is not None and not 1 <= month % 100 <= 12:
        raise InvalidInput(f"--month {month} is no month: write November 2026 as 202611")
    with reading(get_settings()) as opened:
        brand_id = opened.brand_id(brand)
        with opened.database.begin() as session:
            found = journal.costs(session, by=by, brand_id=brand_id, order_id=order, provider=provider, period=month)
            names = {str(each.id): each.name for each in brands.all_brands(session)}
    if as_json:
        print_json(found)
    else:
        print_costs(found, names, console())
    return ExitCode.OK
