"""Who may call: the bearer token, the access code, and the largest body that is read. Pure ASGI."""

import hmac
import re
from collections.abc import Sequence
from typing import Final

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maquette.api.errors import answer_to
from maquette.errors import AccessDenied, InvalidInput

OPEN_CALLS: Final = frozenset({("GET", "/"), ("GET", "/health")})


def same_secret(given: bytes, secret: SecretStr) -> bool:
    """Compare with the secret's UTF-8 in constant time."""
    return hmac.compare_digest(given, secret.get_secret_value().encode())


def require_access_code(given: str | None, code: SecretStr | None) -> None:
    """Raises ``AccessDenied`` (code ``access_code``) unless ``given`` is the code, where one is set."""
    if code is not None and not same_secret((given or "").strip().encode(), code):
        raise AccessDenied("the access code is missing or wrong: ask for the present one", code="access_code")


def bearer_token(headers: Headers) -> bytes:
    """The token of the ``Authorization`` header as it came; empty where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip().encode("latin-1") if scheme.lower() == "bearer" else b""


def may_listen(connection: HTTPConnection, token: SecretStr | None) -> bool:
    """May this WebSocket listen? Browsers set no header there, so ``?token=`` counts as well."""
    if token is None:
        return True
    given = bearer_token(connection.headers) or connection.query_params.get("token", "").encode()
    return same_secret(given, token)


class TokenGuard:
    """Answers 401 to every HTTP call without the token, but for the two that say that the service lives."""

    def __init__(self, app: ASGIApp, *, token: SecretStr) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["method"], scope["path"]) not in OPEN_CALLS:
            headers = Headers(scope=scope)
            if not same_secret(bearer_token(headers), self.token):
                error = AccessDenied("send the header Authorization: Bearer <MAQUETTE_API_TOKEN>")
                await answer_to(error, scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class BodyLimit:
    """Answers 413 to a body above ``limit_bytes``: at once where its length is announced, else when it is passed.

    ``larger`` are the limits of calls that take more, each with its method and a pattern of its whole path.
    A body within the limit is read here, so that the application sees it whole or not at all.
    """

    def __init__(self, app: ASGIApp, *, limit_bytes: int, larger: Sequence[tuple[str, re.Pattern[str], int]]) -> None:
        self.app = app
        self.limit_bytes = limit_bytes
        self.larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "0")
        method, path = scope["method"], scope["path"]
        own = (limit for verb, pattern, limit in self.larger if verb == method and pattern.fullmatch(path))
        limit_bytes = next(own, self.limit_bytes)
        body = bytearray()
        more = not (announced.isdecimal() and int(announced[:20]) > limit_bytes)
        refused = not more
        while more and not refused:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client is gone
            body += message.get("body", b"")
            more, refused = message.get("more_body", False), len(body) > limit_bytes
        if refused:
            error = InvalidInput(
                f"the body has more than {limit_bytes} bytes: send less",
                code="body_too_large",
                limit=limit_bytes,
            )
            await answer_to(error, scope)(scope, receive, send)
            return
        unread: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        await self.app(scope, replay, send)
