"""Orders of every kind: place them, follow them, cancel them, order again what failed."""

from typing import Annotated, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, BeforeValidator
from starlette.requests import HTTPConnection

from maquette.api import examples
from maquette.api.bodies import AccessCode, Content, IdempotencyKey, described, json_of, require_access
from maquette.api.errors import api_errors
from maquette.api.shapes import example
from maquette.drafts.universe_jobs import OlderJob, begins, is_short, older_job
from maquette.intake.requests import MediaRequest, parse_request
from maquette.intake.service import Accepted, Intake
from maquette.library.listing import MAX_LIMIT, Cursor, cursor_of
from maquette.orders import service as orders
from maquette.orders.documents import JobDocument, ListedOrder, OrderDocument, job_document, list_orders, order_document
from maquette.orders.models import OrderStatus

router = APIRouter(prefix="/api", tags=["orders"])


def intake_of(connection: HTTPConnection) -> Intake:
    """The use cases that ``create_app`` was given."""
    return cast(Intake, connection.app.state.intake)


TheIntake = Annotated[Intake, Depends(intake_of)]
OrderId = Annotated[UUID, Path(description="The order's id.", examples=[examples.ORDER_ID])]
JobId = Annotated[UUID, Path(description="The job's id.", examples=[examples.JOB_ID])]
JobName = Annotated[
    UUID,
    Path(description="The job's id; of a universe's job also its first eight digits.", examples=[examples.JOB_ID]),
    BeforeValidator(lambda text: begins(text) if isinstance(text, str) and len(text) == 8 else text),
]
OfBrand = Annotated[UUID | None, Query(alias="brand", description="Of this brand alone.", examples=[examples.BRAND_ID])]
AtCursor = Annotated[
    str | None,
    Query(max_length=500, description="The next of the page before; none begins.", examples=[examples.CURSOR]),
]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.", examples=[50])]


class OrderRef(BaseModel):
    """An order's id, in the envelope of older clients."""

    orderId: UUID  # noqa: N815  # the clients' own names


class Generated(BaseModel):
    """An accepted order and its first job; ``data`` is for clients that sent an ``intent``."""

    ok: Literal[True] = True
    orderId: UUID  # noqa: N815
    jobId: UUID  # noqa: N815
    data: OrderRef | None = None


class Reordered(BaseModel):
    """An accepted order with all its jobs."""

    ok: Literal[True] = True
    orderId: UUID  # noqa: N815
    jobId: UUID  # noqa: N815
    jobIds: list[UUID]  # noqa: N815


class OrderPage(BaseModel):
    """Orders, the newest first. ``next`` is the cursor of the page that follows, absent on the last one."""

    items: list[ListedOrder]
    next: str | None


def stored_key(*given: str | None) -> str | None:
    """The first idempotency key that was given, in the namespace of this face."""
    return next((f"api:{key}" for key in given if key), None)


def reordered(accepted: Accepted) -> Reordered:
    """The answer to an order that was placed anew."""
    return Reordered(orderId=accepted.order_id, jobId=accepted.job_id, jobIds=accepted.jobs)


@router.post(
    "/generate-media",
    summary="Order images, a carousel or a video",
    response_model_exclude_none=True,
    openapi_extra=described(MediaRequest, examples=examples.MEDIA, required=["topic"]),
    responses=example(examples.GENERATED) | api_errors(400, 403, 404, 409, missing="brand_not_found"),
)
def generate_media(
    content: Content,
    intake: TheIntake,
    idempotency_key: IdempotencyKey = None,
    access_code: AccessCode = None,
) -> Generated:
    """Accept an order; workers make it. Names, values and envelopes of older clients are understood."""
    document = json_of(content)
    require_access(document, access_code, intake.settings)
    request = parse_request(document)
    accepted = intake.order(request, key=stored_key(idempotency_key, request.idempotency_key))
    data = OrderRef(orderId=accepted.order_id) if request.envelope == "intent" else None
    return Generated(orderId=accepted.order_id, jobId=accepted.job_id, data=data)


@router.get("/orders", summary="List orders", responses=example(examples.ORDERS) | api_errors(400))
def list_all(
    intake: TheIntake,
    brand_id: OfBrand = None,
    status: Annotated[
        OrderStatus | None, Query(description="In this state alone.", examples=[OrderStatus.COMPLETED])
    ] = None,
    cursor: AtCursor = None,
    limit: Limit = 50,
) -> OrderPage:
    """The newest orders first, page by page."""
    place = cursor_of(cursor) if cursor else None
    after = (place.created_at, place.id) if place else None
    with intake.database.begin() as session:
        found = list_orders(session, brand_id=brand_id, status=status, after=after, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return OrderPage(items=found[:limit], next=Cursor(last.created_at, last.id).encoded() if last else None)


@router.get("/orders/{order_id}", summary="Read an order", responses=example(examples.ORDER) | api_errors(404))
def read(order_id: OrderId, intake: TheIntake) -> OrderDocument:
    """The order with its items, its jobs and its costs. Always the truth, for clients that poll."""
    with intake.database.begin() as session:
        return order_document(session, order_id)


@router.post(
    "/orders/{order_id}/cancel",
    summary="Cancel an order",
    responses=example(examples.ORDER | {"status": "cancelled"}) | api_errors(404, 409),
)
def cancel(order_id: OrderId, intake: TheIntake) -> OrderDocument:
    """End what is still open, at once; it is refunded. What was delivered stays and is paid."""
    intake.cancel(order_id)
    with intake.database.begin() as session:
        return order_document(session, order_id)


@router.post(
    "/orders/{order_id}/retry",
    summary="Order again what failed",
    responses=example(examples.REORDERED) | api_errors(403, 404, 409),
)
def retry(order_id: OrderId, intake: TheIntake) -> Reordered:
    """A new order of what an ended one did not deliver; once."""
    return reordered(intake.retry(order_id))


@router.get(
    "/jobs/{job_id}", summary="Read a job", responses=example(examples.JOB) | api_errors(404, missing="job_not_found")
)
def read_job(job_id: JobName, intake: TheIntake) -> JobDocument | OlderJob:
    """One place in the queue. Eight digits are a job of a universe, in the form of the clients that know it so."""
    with intake.database.begin() as session:
        return older_job(session, job_id) if is_short(job_id) else job_document(orders.get_job(session, job_id))


@router.post(
    "/jobs/{job_id}/requeue",
    summary="Order a failed job again",
    responses=example(examples.REORDERED) | api_errors(403, 404, 409, missing="job_not_found"),
)
def requeue(job_id: JobId, intake: TheIntake) -> Reordered:
    """The same as a retry of the job's order."""
    with intake.database.begin() as session:
        order_id = orders.get_job(session, job_id).order_id
    return reordered(intake.retry(order_id))
