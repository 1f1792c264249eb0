"""The one place where errors become answers: a status, and always ``{"detail": "text", "code": "…"}``.

Clients show ``detail`` as it is, so it is a text in every answer, 422 included, in the language that
``Accept-Language`` asks for. Nothing of a traceback, a setting or the request's own values gets into it.

The calls below ``/api/`` have older clients, which read ``ok``, ``error`` and ``message``: these are given besides.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

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
from maquette.api.validation import describe
from maquette.errors import MaquetteError

log = logging.getLogger(__name__)

# The nearest class in an error's ancestry counts.
STATUSES: Final[dict[type[MaquetteError], int]] = {
    MaquetteError: 500,
    errors.InvalidInput: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.BudgetExceeded: 403,
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
STATUSES_BY_CODE: Final = {
    "access_code": 400,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "storage_full": 507,
}
# The words that older clients know, where they are not the codes.
OLDER_WORDS: Final = {
    "budget_exceeded": "quota_exceeded",
    "invalid_input": "invalid_body",
    "control_character": "invalid_body",
    "script_not_drawable": "invalid_body",
    "text_does_not_fit": "invalid_body",
    "configuration": "server_misconfigured",
}
# The editor of projects knows these instead.
EDITOR_PATHS: Final = ("/api/projects", "/api/save-all")
EDITOR_WORDS: Final = {
    "project_id_required": "Project ID requis",
    "method_not_allowed": "Method not allowed",
    "unauthorized": "Unauthorized",
    "stack": "Database error",
    "internal": "Internal server error",
}

DATABASE_OUTAGES: Final = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)

_EXAMPLES: Final = {
    400: ("theme_empty", "Le thème ne peut pas être vide"),
    401: ("unauthorized", "Jeton d'API absent ou invalide."),
    403: ("budget_exceeded", "Tu as dépassé ton quota pour ce mois (reels). Réduis le nombre ou upgrade ton plan."),
    404: ("video_not_found", "Vidéo non trouvée"),
    409: ("video_busy", "La vidéo est en cours de génération. Réessayez quand elle sera terminée."),
    413: ("body_too_large", "La demande est trop volumineuse (max 1000000 octets)"),
    416: ("range_not_satisfiable", "La plage demandée est hors du fichier (4200000 octets)"),
    422: ("invalid_input", "target_duration : de 8 à 78"),
    500: ("internal", "Une erreur est survenue. Veuillez réessayer."),
    502: ("provider_rejected", "Le fournisseur a rejeté la demande."),
    503: ("stack", "Le service ne répond pas. Réessayez dans quelques minutes."),
}
# What fills the texts of a 404.
_MISSING: Final[dict[str, Any]] = {"number": 3, "draft_id": "5f3a9c1e", "asset_id": "03"}
_API_EXAMPLES: Final = _EXAMPLES | {
    400: ("invalid_input", "La demande n'est pas valide : topic is missing: it may be 1 to 2000 characters"),
    404: ("order_not_found", "Commande non trouvée"),
    409: ("conflict", "Impossible dans l'état actuel"),
    415: ("unsupported_media_type", "Ce type de contenu n'est pas accepté : envoyez image/png, image/jpeg, image/webp"),
    422: ("invalid_input", "limit : de 1 à 200"),
}


class ErrorBody(BaseModel):
    """The body of every answer from 400 on. ``detail`` is for people, ``code`` for programs."""

    detail: str
    code: str


class ErrorDetail(BaseModel):
    """One problem of a body, and the field that has it."""

    field: str
    message: str


class ApiErrorBody(ErrorBody):
    """The same below ``/api/``: ``error`` is the word that older clients know, ``message`` is ``detail``."""

    ok: Literal[False] = False
    error: str
    message: str
    details: list[ErrorDetail] | None = None


def body_of(path: str, *, detail: str, code: str, details: object = None) -> dict[str, Any]:
    """An error's body, in the form of the calls at ``path``."""
    body: dict[str, Any] = {"detail": detail, "code": code}
    if path.startswith("/api/"):
        words = EDITOR_WORDS if path.startswith(EDITOR_PATHS) else OLDER_WORDS
        body |= {"ok": False, "error": words.get(code, code), "message": detail}
        if details:
            body["details"] = details
    return body


def error_responses(*statuses: int, missing: str = "video_not_found") -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of answers with these statuses; ``missing`` is the code of their 404."""
    examples = _EXAMPLES | {404: (missing, errors.text_of(missing, "fr", **_MISSING))}
    return {status: _documented(ErrorBody, "/", *examples[status]) for status in statuses}


def api_errors(*statuses: int, missing: str = "order_not_found") -> dict[int | str, dict[str, Any]]:
    """The same of the calls below ``/api/``."""
    examples = _API_EXAMPLES | {404: (missing, errors.text_of(missing, "fr", **_MISSING))}
    return {status: _documented(ApiErrorBody, "/api/", *examples[status]) for status in statuses}


def _documented(model: type[ErrorBody], path: str, code: str, detail: str) -> dict[str, Any]:
    example = body_of(path, detail=detail, code=code)
    return {"model": model, "content": {"application/json": {"example": example}}}


class Refusal(errors.InvalidInput):
    """A request that cannot be read as what its call takes; the text is one of ``maquette.api.texts``."""

    def __init__(self, text: str, *, code: str = "invalid_input", **values: object) -> None:
        super().__init__(say(text, "en", **values), code=code, **values)
        self._text = text

    def text(self, language: str = "fr") -> str:
        """The user's text in fr, en or es."""
        return say(self._text, language, **self.values)


def answer(
    scope: Scope,
    status: int,
    *,
    detail: str,
    code: str,
    headers: Mapping[str, str] | None = None,
    details: object = None,
) -> JSONResponse:
    """An error's answer to the request of ``scope``."""
    content = body_of(scope["path"], detail=detail, code=code, details=details)
    return JSONResponse(content, status_code=status, headers=headers)


def answer_to(error: MaquetteError, scope: Scope) -> JSONResponse:
    """The answer to one of our own errors."""
    status = STATUSES_BY_CODE.get(error.code) or next(STATUSES[kind] for kind in type(error).mro() if kind in STATUSES)
    if status >= 500:
        log.error("%s: %s", type(error).__name__, error)
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}.get(status)
    detail = error.text(language_in(scope))
    return answer(scope, status, detail=detail, code=error.code, headers=headers, details=error.values.get("details"))


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
            await answer(scope, 500, detail=say("internal", language_in(scope)), code="internal")(scope, receive, send)


def language_in(scope: Scope) -> str:
    """The language to answer in: fr, en or es."""
    return language_of(Headers(scope=scope).get("accept-language"))


def language(connection: HTTPConnection) -> str:
    """The same, as a dependency."""
    return language_in(connection.scope)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    return answer_to(cast(MaquetteError, error), request.scope)


async def _outage(request: Request, error: Exception) -> JSONResponse:
    reason = str(error).partition("\n")[0]
    return answer_to(errors.StackError(f"the database does not answer: {reason}"), request.scope)


async def _http(request: Request, error: Exception) -> JSONResponse:
    status = cast(HTTPException, error).status_code
    headers = cast(HTTPException, error).headers
    said = {
        400: ("unreadable", "invalid_input"),
        404: ("not_found", "not_found"),
        405: ("method_not_allowed", "method_not_allowed"),
    }
    text, code = said.get(status, ("internal", "internal"))
    return answer(request.scope, status, detail=say(text, language(request)), code=code, headers=headers)


async def _validation(request: Request, error: Exception) -> JSONResponse:
    found = cast(RequestValidationError, error).errors()
    return answer(request.scope, 422, detail=describe(found, language(request)), code="invalid_input")
