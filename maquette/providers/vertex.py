"""A client of Google's generative models (package ``google-genai``, the extra ``google``), and its errors."""

from typing import Final

import google.auth.credentials
import httpx
import httpx2
from google import genai
from google.genai import errors, types

from maquette.errors import ProviderError
from maquette.providers.clips.translation import http_error

# No connection, so nothing was sent; and what may go wrong after that.
UNREACHABLE: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx.ConnectError)
UNANSWERED: Final = (httpx2.HTTPError, httpx.HTTPError, ValueError)


def connect(
    *,
    api_key: str | None = None,
    project: str | None = None,
    location: str | None = None,
    credentials: google.auth.credentials.Credentials | None = None,
    base_url: str | None,
    timeout_s: float,
) -> genai.Client:
    """A client with a key, or of Vertex AI in ``project``. ``timeout_s`` is for each HTTP request.

    Without ``credentials`` Vertex AI takes the application default ones, which are looked for at the first call.
    """
    options = types.HttpOptions(
        base_url=base_url,
        timeout=round(timeout_s * 1000),
        # The journal decides about retries: a second POST would be a second payment.
        retry_options=types.HttpRetryOptions(attempts=1),
    )
    if api_key is not None:
        return genai.Client(vertexai=False, api_key=api_key, http_options=options)
    return genai.Client(
        vertexai=True, project=project, location=location, credentials=credentials, http_options=options
    )


def translated(error: errors.APIError, *, variable: str, secret: str | None = None) -> ProviderError:
    """An answer with an error status; ``variable`` holds the credentials, ``secret`` is never repeated."""
    headers = getattr(error.response, "headers", None) or {}
    said = str(error.message or error.status)[:500]
    if secret:
        said = said.replace(secret, "***")
    return http_error(error.code, said, variable=variable, header=headers.get("Retry-After") or _delay(error))


def _delay(error: errors.APIError) -> str | None:
    """Seconds to wait by ``google.rpc.RetryInfo``, where the answer has one."""
    body = error.details.get("error") if isinstance(error.details, dict) else None
    for detail in (body.get("details") if isinstance(body, dict) else None) or []:
        if isinstance(detail, dict) and str(detail.get("@type", "")).endswith("RetryInfo"):
            return str(detail.get("retryDelay", "")).removesuffix("s") or None
    return None
