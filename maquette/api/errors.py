"""The one place where errors become answers: a status, and always ``{"detail": "text", "code": "…"}``.

Clients show ``detail`` as it is, so it is a text in every answer, 422 included, in the language that
``Accept-Language`` asks for. Nothing of a traceback, a setting or the request's own values gets into it.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maquette import errors
from maquette.api.texts import language_of, say
from maquette.errors import MaquetteError
from maquette.videos.models import BlockEdit, VideoBrief

log = logging.getLogger(__name__)

# The nearest class in an error's ancestry counts.
STATUSES: Final[dict[type[MaquetteError], int]] = {
    MaquetteError: 500,
    errors.InvalidInput: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.AccessDenied: 401,
    errors.ConfigurationError: 500,
    errors.StackError: 503,
    errors.LeaseHeld: 409,
    errors.StaleLease: 409,
    errors.StorageError: 500,
    errors.MediaError: 500,
    errors.ProviderError: 502,
    errors.Transient: 503,
    errors.QuotaExceeded: 503,
}
# What is known more exactly by its code; 400 for the access code is what existing clients expect.
STATUSES_BY_CODE: Final = {"access_code": 400, "body_too_large": 413, "storage_full": 507}

DATABASE_OUTAGES: Final = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)

_EXAMPLES: Final = {
    400: ("theme_empty", "Le thème ne peut pas être vide"),
    401: ("unauthorized", "Jeton d'API absent ou invalide."),
    404: ("video_not_found", "Vidéo non trouvée"),
    409: ("video_busy", "La vidéo est en cours de génération. Réessayez quand elle sera terminée."),
    413: ("body_too_large", "La demande est trop volumineuse (max 1000000 octets)"),
    416: ("range_not_satisfiable", "La plage demandée est hors du fichier (4200000 octets)"),
    422: ("invalid_input", "target_duration : de 8 à 78"),
    500: ("internal", "Une erreur est survenue. Veuillez réessayer."),
    503: ("stack", "Le service ne répond pas. Réessayez dans quelques minutes."),
}

_EXPECTED: Final = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "string_type": "text",
    "string_unicode": "text",
    "int_type": "whole",
    "int_parsing": "whole",
    "int_parsing_size": "whole",
    "int_from_float": "whole",
    "float_type": "number",
    "float_parsing": "number",
    "finite_number": "number",
    "bool_type": "truth",
    "bool_parsing": "truth",
}
_FIELDS: Final = BlockEdit.model_fields | VideoBrief.model_fields
_SHOWN = 5


class ErrorBody(BaseModel):
    """The body of every answer from 400 on. ``detail`` is for people, ``code`` for programs."""

    detail: str
    code: str


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of answers with these statuses."""
    documented: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        code, detail = _EXAMPLES[status]
        example = {"detail": detail, "code": code}
        documented[status] = {"model": ErrorBody, "content": {"application/json": {"example": example}}}
    return documented


def answer(status: int, *, detail: str, code: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error's answer."""
    return JSONResponse({"detail": detail, "code": code}, status_code=status, headers=headers)


def answer_to(error: MaquetteError, language: str) -> JSONResponse:
    """The answer to one of our own errors."""
    status = STATUSES_BY_CODE.get(error.code) or next(STATUSES[kind] for kind in type(error).mro() if kind in STATUSES)
    if status >= 500:
        log.error("%s: %s", type(error).__name__, error)
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}.get(status)
    return answer(status, detail=error.text(language), code=error.code, headers=headers)


def install(app: FastAPI) -> None:
    """Let ``app`` answer every error in the one form."""
    app.add_exception_handler(MaquetteError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    for outage in DATABASE_OUTAGES:
        app.add_exception_handler(outage, _outage)
    app.add_middleware(LastResort)


class LastResort:
    """Answers 500 to what nobody foresaw. The log gets the traceback; the client learns nothing of it.

    The framework's own handler stands outside of CORS, where browsers cannot read the answer, and raises
    again, which makes the server drop the connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, note)
        except Exception:
            if started or scope["type"] != "http":
                raise
            log.exception("%s %s failed", scope["method"], scope["path"])
            said = language_of(Headers(scope=scope).get("accept-language"))
            await answer(500, detail=say("internal", said), code="internal")(scope, receive, send)


def language(connection: HTTPConnection) -> str:
    """The language to answer in: fr, en or es."""
    return language_of(connection.headers.get("accept-language"))


async def _ours(request: Request, error: Exception) -> JSONResponse:
    return answer_to(cast(MaquetteError, error), language(request))


async def _outage(request: Request, error: Exception) -> JSONResponse:
    reason = str(error).partition("\n")[0]
    return answer_to(errors.StackError(f"the database does not answer: {reason}"), language(request))


async def _http(request: Request, error: Exception) -> JSONResponse:
    status = cast(HTTPException, error).status_code
    headers = cast(HTTPException, error).headers
    said = {
        400: ("unreadable", "invalid_input"),
        404: ("not_found", "not_found"),
        405: ("method_not_allowed", "method_not_allowed"),
    }
    text, code = said.get(status, ("internal", "internal"))
    return answer(status, detail=say(text, language(request)), code=code, headers=headers)


async def _validation(request: Request, error: Exception) -> JSONResponse:
    found = cast(RequestValidationError, error).errors()
    return answer(422, detail=describe(found, language(request)), code="invalid_input")


def describe(found: Sequence[Mapping[str, Any]], language: str) -> str:
    """pydantic's errors as a text that names each field and what it may be."""
    reasons = dict.fromkeys(_describe_one(each, language) for each in found)
    return " ; ".join(list(reasons)[:_SHOWN])


def _describe_one(error: Mapping[str, Any], language: str) -> str:
    kind, place = error["type"], error["loc"]
    if kind == "json_invalid":
        return say("not_json", language, position=place[-1])
    if place == ("body",):
        return say("not_object", language)
    field = ".".join(str(part) for part in place[1:])
    return say(
        "field", language, field=field[:100], reason=_reason(kind, str(place[-1]), error.get("ctx", {}), language)
    )


def _reason(kind: str, field: str, context: Mapping[str, Any], language: str) -> str:
    if kind == "literal_error":
        return say("choice", language, choices=", ".join(re.findall(r"'([^']*)'", context["expected"])))
    limits = _limits(field) | {
        name: context[name] for name in ("ge", "le", "min_length", "max_length") if name in context
    }
    if kind in ("greater_than_equal", "less_than_equal"):
        return _between(limits.get("ge"), limits.get("le"), language)
    if kind in ("string_too_short", "string_too_long"):
        return say(
            "characters", language, limits=_between(limits.get("min_length"), limits.get("max_length"), language)
        )
    return say(_EXPECTED.get(kind, "invalid"), language)


def _limits(field: str) -> dict[str, Any]:
    # pydantic names only the limit that was broken; the other one helps as well.
    known = _FIELDS[field].metadata if field in _FIELDS else []
    names = ("ge", "le", "min_length", "max_length")
    return {name: getattr(rule, name) for rule in known for name in names if hasattr(rule, name)}


def _between(low: object, high: object, language: str) -> str:
    if low is None:
        return say("at_most", language, high=high)
    if high is None:
        return say("at_least", language, low=low)
    return say("between", language, low=low, high=high)
