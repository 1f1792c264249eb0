"""Bodies that clients of every age send: read as they come, for readers that understand them."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from pydantic import BaseModel

from maquette.api.errors import Refusal
from maquette.api.security import require_access_code
from maquette.intake.words import names_of
from maquette.settings import Settings
from maquette.videos.rules import clean_text


async def _content(request: Request) -> bytes:
    return await request.body()


Content = Annotated[bytes, Depends(_content)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        description="Send it again after a lost answer: the same key and body give the first order once more.",
        examples=["3f6d0f0e-order-1"],
    ),
]
AccessCode = Annotated[
    str | None,
    Header(
        alias="X-Access-Code",
        description="The access code, where the service asks for one; in the body it is access_code.",
        examples=["K7M2P9QX"],
    ),
]


def text_of(content: bytes) -> str:
    """The body's text. Raises ``Refusal`` (``invalid_json``) for what is no UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refusal("unreadable", code="invalid_json") from None


def json_of(content: bytes) -> object:
    """The body's JSON value. Raises ``Refusal`` (``invalid_json``)."""
    text = text_of(content)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refusal("not_json", code="invalid_json", position=getattr(error, "pos", 0)) from None


def require_access(document: object, header: str | None, settings: Settings) -> None:
    """Raises ``AccessDenied`` (``access_code``) unless header or body have the code, where one is set."""
    fields: Mapping[str, Any] = document if isinstance(document, dict) else {}
    given = header or fields.get("access_code") or fields.get("accessCode")
    require_access_code(given if isinstance(given, str) else None, settings.access_code)


async def _clean(request: Request) -> None:
    """Raises ``InvalidInput`` for control characters anywhere in the body's texts, which no database would keep."""
    left = [json_of(await request.body())]
    while left:
        each = left.pop()
        if isinstance(each, str):
            clean_text(each)
        elif isinstance(each, dict):
            left += [*each, *each.values()]
        elif isinstance(each, list):
            left += each


# For calls whose body FastAPI reads itself.
CleanBody = Depends(_clean)


def described(shape: type[BaseModel], *, examples: Mapping[str, object], required: list[str]) -> dict[str, Any]:
    """What OpenAPI says of a body that is read tolerantly: the fields of ``shape`` by the names that clients use."""
    fields = shape.model_json_schema()["properties"]
    fields.pop("envelope", None)
    # Any JSON: a reference into pydantic's own definitions would lead nowhere here.
    fields["texts"] = {"anyOf": [{"type": "object"}, {"type": "array"}], "description": fields["texts"]["description"]}
    schema = {
        "type": "object",
        "title": shape.__name__,
        "properties": {names_of(name)[0]: field for name, field in fields.items()},
        "required": required,
    }
    return _body({"application/json": schema}, examples)


def described_pack(*, examples: Mapping[str, object]) -> dict[str, Any]:
    """The same of a pack, which may come as a chat model wrote it."""
    schema = {
        "type": "object",
        "title": "Pack",
        "properties": {
            "pack": {"type": "object", "description": "The pack, where it is not the body itself."},
            "reply": {"type": "string", "description": "A chat model's text with the pack in it."},
            "brandId": {"type": "string", "format": "uuid", "description": "The brand; else the assets' own."},
            "title": {"type": "string"},
            "summary": {"type": "string"},
            "assets": {"type": "array", "items": {"type": "object"}, "maxItems": 20},
        },
    }
    text = {"type": "string", "description": "A chat model's text with the pack in it."}
    return _body({"application/json": schema, "text/plain": text}, examples)


def _body(schemas: Mapping[str, object], examples: Mapping[str, object]) -> dict[str, Any]:
    content: dict[str, Any] = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
    content["application/json"]["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"requestBody": {"required": True, "content": content}}
