"""What a month gives, what was spent, and what an order would take."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from maquette.api import examples
from maquette.api.bodies import Content, described, json_of, text_of
from maquette.api.chat import brand_of, read_pack
from maquette.api.errors import Refusal, api_errors
from maquette.api.orders import OfBrand, TheIntake
from maquette.api.shapes import example
from maquette.brands import service as brands
from maquette.db.types import now
from maquette.intake.requests import EstimateRequest, parse_estimate
from maquette.intake.service import Estimate
from maquette.journal import costs as journal
from maquette.journal.costs import By, CostReport
from maquette.quota import rules as quota
from maquette.quota import service as budget
from maquette.quota.rules import Plan
from maquette.quota.service import QuotaDocument
from maquette.videos.rules import clean_text

router = APIRouter(prefix="/api", tags=["money"])

# What older clients are told of a plan without limits.
_NO_LIMIT: Final = 1_000_000_000
_PACK: Final = frozenset({"pack", "reply", "assets"})


class OlderQuota(QuotaDocument):
    """The month, with the names that older clients read on top; without limits these say 1,000,000,000."""

    woofs_quota: int
    woofs_used: int
    woofs_remaining: int
    threshold_80: bool


class Estimated(Estimate):
    """What an order would take."""

    ok: Literal[True] = True


class PlanList(BaseModel):
    """All plans, the smallest first. ``null`` is without limit."""

    items: Sequence[Plan]


@router.get(
    "/quota",
    summary="What a brand has left this month",
    responses=example(examples.QUOTA) | api_errors(404, missing="brand_not_found"),
)
def quota_of(
    intake: TheIntake,
    brand_id: Annotated[
        UUID | None, Query(alias="brand", description="Whose; else the default one's.", examples=[examples.BRAND_ID])
    ] = None,
) -> OlderQuota:
    """Used, reserved and left of each unit. Orders end at 110 % of a limit; from 80 % on a brand is warned."""
    with intake.database.begin() as session:
        brand = brands.get(session, brand_id)
        period = quota.period_of(intake.moment or now(session))
        document = budget.document(session, brand_id=brand.id, plan=quota.plan(brand.plan), period=period)
    woofs = document.woofs
    return OlderQuota(
        **document.model_dump(),
        woofs_quota=_NO_LIMIT if woofs.limit is None else woofs.limit,
        woofs_used=woofs.used,
        woofs_remaining=_NO_LIMIT if woofs.remaining is None else woofs.remaining,
        threshold_80=woofs.threshold_80,
    )


@router.get("/costs", summary="What was spent", responses=example(examples.COSTS) | api_errors(400))
def costs(
    intake: TheIntake,
    by: Annotated[By, Query(description="What the lines are.", examples=["provider"])] = "month",
    brand_id: OfBrand = None,
    order_id: Annotated[
        UUID | None, Query(alias="order", description="Of this order alone.", examples=[examples.ORDER_ID])
    ] = None,
    provider: Annotated[
        str | None, Query(max_length=100, description="Of this provider alone.", examples=["replicate"])
    ] = None,
    month: Annotated[
        str | None,
        Query(pattern=r"^[0-9]{4}(0[1-9]|1[0-2])$", description="Of this month (UTC) alone.", examples=["202601"]),
    ] = None,
) -> CostReport:
    """The calls of providers, the dearest lines first. ``saved_micros`` is what answers from the cache have saved."""
    with intake.database.begin() as session:
        return journal.costs(
            session,
            by=by,
            brand_id=brand_id,
            order_id=order_id,
            provider=None if provider is None else clean_text(provider, what="provider"),
            period=None if month is None else int(month),
        )


@router.post(
    "/estimate",
    summary="What an order would take",
    openapi_extra=described(EstimateRequest, examples=examples.MEDIA | examples.PACK, required=[]),
    responses=example(examples.ESTIMATE) | api_errors(400, 404, missing="brand_not_found"),
)
def estimate(content: Content, intake: TheIntake) -> Estimated:
    """Units of the month and the providers' price of what ``generate-media`` or ``packs`` would be sent."""
    document = _request_or_pack(content)
    fields = document if isinstance(document, dict) else {}
    if isinstance(document, list) or fields.keys() & _PACK or _tells_assets(document):
        pack, _ = read_pack(document)
        found = intake.estimate_pack(pack, brand_id=brand_of(fields, pack))
    else:
        found = intake.estimate(parse_estimate(document))
    return Estimated(**found.model_dump())


@router.get("/plans", summary="List plans", responses=example(examples.PLANS))
def plans() -> PlanList:
    """What each plan gives a brand in a calendar month."""
    return PlanList(items=quota.plans())


def _request_or_pack(content: bytes) -> object:
    """The body's JSON value; its text where that tells of a pack. Raises ``Refusal`` (``invalid_json``)."""
    try:
        return json_of(content)
    except Refusal:
        if not _tells_assets(text := text_of(content)):
            raise
        return text


def _tells_assets(document: object) -> bool:
    return isinstance(document, str) and "assets" in document
