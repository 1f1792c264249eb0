"""What a chat needs: what a message asks for, and an order of the pack that a model proposed."""

from collections.abc import Mapping
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from maquette.api import examples
from maquette.api.bodies import AccessCode, Content, IdempotencyKey, described_pack, json_of, require_access, text_of
from maquette.api.errors import Refusal, api_errors
from maquette.api.orders import Reordered, TheIntake, stored_key
from maquette.api.shapes import example
from maquette.intake.intents import Intent, classify
from maquette.intake.packs import Pack, parse_pack

router = APIRouter(prefix="/api", tags=["chat"])

Fields = Mapping[str, Any]


class Packed(Reordered):
    """A pack's order: what it costs in woofs, and what of its JSON was mended, left out or assumed."""

    woofs: int
    remarks: list[str]


class Message(BaseModel):
    """A chat message."""

    user_message: str


@router.post(
    "/packs",
    summary="Order a pack",
    openapi_extra=described_pack(examples=examples.PACK),
    responses=example(examples.PACKED) | api_errors(400, 403, 404, 409, missing="brand_not_found"),
)
def order_pack(
    content: Content,
    intake: TheIntake,
    brand: Annotated[
        UUID | None, Query(description="The brand that pays; else the body says.", examples=[examples.BRAND_ID])
    ] = None,
    idempotency_key: IdempotencyKey = None,
    access_code: AccessCode = None,
) -> Packed:
    """Order all assets of a pack, or none. The pack may come as a chat model wrote it, slips included."""
    document = pack_document(content)
    fields = document if isinstance(document, dict) else {}
    require_access(document, access_code, intake.settings)
    pack, remarks = read_pack(document)
    key = fields.get("idempotencyKey") or fields.get("idempotency_key")
    accepted = intake.pack(
        pack,
        brand_id=brand or brand_of(fields, pack),
        key=stored_key(idempotency_key, key if isinstance(key, str) else None),
    )
    return Packed(
        orderId=accepted.order_id,
        jobId=accepted.job_id,
        jobIds=accepted.jobs,
        woofs=accepted.amounts.woofs,
        remarks=remarks,
    )


def pack_document(content: bytes) -> object:
    """The body's JSON value, or its text where it is none: a reader of packs understands both."""
    try:
        return json_of(content)
    except Refusal:
        return text_of(content)


def read_pack(document: object) -> tuple[Pack, list[str]]:
    """The pack of a body, also of one that has it within a chat's ``reply``. Raises ``InvalidInput``."""
    if isinstance(document, dict) and "reply" in document and not document.keys() & {"pack", "assets"}:
        document = document["reply"]
    return parse_pack(document)


def brand_of(fields: Fields, pack: Pack) -> UUID | None:
    """The brand beside the pack, else the one that its assets name.

    Raises ``Refusal`` for what is no id, and for assets of several brands: an order has one payer.
    """
    beside = fields.get("brandId") or fields.get("brand_id")
    if beside and ("pack" in fields or "reply" in fields):
        if (found := _uuid(beside)) is None:
            raise Refusal("brand_id")
        return found
    named = {found for asset in pack.assets if (found := _uuid(asset.brand_id))}
    if len(named) > 1:
        raise Refusal("pack_brands")
    return named.pop() if named else None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(cast(str, value))
    except (ValueError, TypeError, AttributeError):
        return None


@router.post(
    "/intents",
    summary="What a chat message asks for",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": Message.model_json_schema(),
                    "examples": {"message": {"value": examples.MESSAGE}},
                }
            },
        }
    },
    responses=example(examples.INTENT) | api_errors(400, 415),
)
def classify_intent(request: Request, content: Content) -> Intent:
    """Carousel, video, image, credits, brandkit, open_canva, templates or other, told by the message's words."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal("media_type", code="unsupported_media_type", accepted="application/json")
    document = json_of(content)
    message = document.get("user_message") if isinstance(document, dict) else None
    if not isinstance(message, str) or not message.strip():
        raise Refusal("message_missing")
    return classify(message)
