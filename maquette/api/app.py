"""The application: calls, guards and the ear on the event log, put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.middleware.cors import CORSMiddleware

from maquette.api import errors, health, media, stream, videos
from maquette.api.security import BodyLimit, TokenGuard
from maquette.api.wakeups import Wakeups
from maquette.db.engine import Database, database_from_settings
from maquette.settings import Settings
from maquette.storage import store_from_settings
from maquette.videos.service import Videos

_DESCRIPTION = """\
A theme becomes a finished vertical video. Orders are accepted at once and made by workers.

**Progress.** `GET /videos/{id}/status` is always the truth. `WS /ws/video/{id}` sends a snapshot
(`"type": "snapshot"`) and then every change in order, each as the same whole document with `seq`; a block's
change adds `block`. `?seq=N` begins with the state at N and replays what came after it. The text `ping` is
answered with `pong`. It closes with 1000 after `completed` or `failed`, 4404 for an unknown video (after a
message with status `not_found`), 1008 for a wrong token, 1013 while the database is away, 1012 when the
server restarts.

**Errors** are always `{"detail": "text", "code": "…"}`; `Accept-Language` chooses fr (default), en or es.

**Access.** Where a token is set, every call but `GET /` and `GET /health` carries `Authorization: Bearer …`;
WebSockets may send `?token=…` instead.
"""


def create_app(settings: Settings, database: Database | None = None) -> FastAPI:
    """The application on ``settings``; a ``database`` that is given stays the caller's to dispose of.

    Raises ``ConfigurationError`` when there is no database to use.
    """
    used = database or database_from_settings(settings)
    use_cases = Videos(used, store_from_settings(settings), settings)
    wakeups = Wakeups(used.libpq_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        listening = asyncio.create_task(wakeups.listen())
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            if database is None:
                used.dispose()

    app = FastAPI(
        title="Maquette",
        version=_version(),
        description=_DESCRIPTION,
        lifespan=lifespan,
        openapi_tags=[
            {"name": "videos", "description": "Order videos, follow and change them."},
            {"name": "files", "description": "Films, pictures and scripts, with byte ranges."},
            {"name": "service", "description": "Is the service there?"},
        ],
        responses=errors.error_responses(422, 500, 503),
    )
    app.state.videos = use_cases
    app.state.streams = stream.Streams(use_cases, wakeups, settings)
    errors.install(app)
    # The last one added is the outermost: refusals carry the CORS headers too, or browsers could not show them.
    app.add_middleware(BodyLimit, limit_bytes=settings.api_max_body_bytes)
    if settings.api_token is not None:
        app.add_middleware(TokenGuard, token=settings.api_token)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["Content-Disposition", "Content-Range", "ETag"],
    )
    app.include_router(health.router)
    # For OpenAPI alone: the guard above has judged before.
    documented = [Depends(HTTPBearer(auto_error=False, description="The setting MAQUETTE_API_TOKEN."))]
    guarded = errors.error_responses(401, 413) if settings.api_token is not None else errors.error_responses(413)
    for router in (videos.router, media.router):
        dependencies = documented if settings.api_token is not None else []
        app.include_router(router, dependencies=dependencies, responses=guarded)
    app.include_router(stream.router)
    return app


def _version() -> str:
    try:
        return version("maquette")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
