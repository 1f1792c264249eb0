"""The application: calls, guards and the ear on the event log, put together."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.middleware.cors import CORSMiddleware

from maquette.api import (
    brands,
    carousels,
    chat,
    default_prompts,
    draft_assets,
    draft_files,
    draft_stream,
    draft_texts,
    drafts,
    errors,
    health,
    library,
    media,
    money,
    order_stream,
    orders,
    projects,
    queue,
    stream,
    universe_files,
    universe_generation,
    universe_jobs,
    universe_sync,
    universe_texts,
    universes,
    videos,
)
from maquette.api.security import BodyLimit, TokenGuard
from maquette.api.wakeups import Wakeups
from maquette.carousels.service import Carousels
from maquette.db.engine import Database, database_from_settings
from maquette.drafts.service import Drafts
from maquette.drafts.writing import Writing
from maquette.intake.service import Intake
from maquette.library.listing import MAX_UPLOAD_BYTES
from maquette.projects.service import Projects
from maquette.settings import Settings
from maquette.storage import store_from_settings
from maquette.videos.service import Videos
from maquette.workshop import Workshop

_DESCRIPTION = """\
A theme becomes a finished vertical video; a topic becomes images or a carousel. Orders are accepted at once,
reserve what they will take of their brand's month, and are made by workers.

**Orders.** `GET /api/orders/{id}` is always the truth. `WS /ws/orders/{id}` sends it as a snapshot and then every
event of it in order; it closes with 1000 when the order has ended.

**Videos.** `GET /videos/{id}/status` is always the truth. `WS /ws/video/{id}` sends a snapshot
(`"type": "snapshot"`) and then every change in order, each as the same whole document with `seq`; a block's
change adds `block`. `?seq=N` begins with the state at N and replays what came after it. The text `ping` is
answered with `pong`. It closes with 1000 after `completed` or `failed`, 4404 for an unknown video (after a
message with status `not_found`), 1008 for a wrong token, 1013 while the database is away, 1012 when the
server restarts.

**Drafts.** A theme becomes an illustrated universe: concepts in five languages, each with a picture and a loop, and
songs. `GET /api/drafts/{id}/status` is always the truth; `WS /ws/drafts/{id}` sends it as a snapshot and then at every
change, and closes with 1000 when nothing is under way. Publishing goes one way, to production's tables and bucket.

**Projects.** `POST /api/projects/{id}/save-all` keeps the sections that it brings. With the version that was changed
(`If-Match`, or `metadata.version`) nobody's work is overwritten: sections that only one side changed are brought
together, and else the answer is 409 with both sides.

**Errors** are always `{"detail": "text", "code": "…"}`; `Accept-Language` chooses fr (default), en or es. Below
`/api/` they have `ok`, `error` and `message` as well, as older clients read them.

**Access.** Where a token is set, every call but `GET /` and `GET /health` carries `Authorization: Bearer …`;
WebSockets may send `?token=…` instead.
"""


def create_app(settings: Settings, database: Database | None = None) -> FastAPI:
    """The application on ``settings``; a ``database`` that is given stays the caller's to dispose of.

    Raises ``ConfigurationError`` when there is no database to use.
    """
    used = database or database_from_settings(settings)
    store = store_from_settings(settings)
    use_cases = Videos(used, store, settings)
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
            {"name": "orders", "description": "Order images, carousels and videos, follow and change the orders."},
            {"name": "chat", "description": "What a chat's message asks for, and orders of what its model proposed."},
            {"name": "carousels", "description": "Carousels that are there."},
            {"name": "drafts", "description": "Universes under work: generate, change, approve and publish them."},
            {"name": "universes", "description": "Drafts in the calls and documents of the clients before them."},
            {"name": "projects", "description": "The script of a manga: saved by section, with all its versions."},
            {"name": "library", "description": "What was made, with all that it came from, and uploads."},
            {"name": "brands", "description": "Whose budget is spent, and how what is made for it looks."},
            {"name": "money", "description": "What a month gives, what was spent, what an order would take."},
            {"name": "queue", "description": "How the queue stands."},
            {"name": "service", "description": "Is the service there?"},
        ],
        responses=errors.error_responses(422, 500, 503),
    )
    app.state.videos = use_cases
    app.state.intake = Intake(used, store, settings)
    app.state.carousels = Carousels(used, store, settings)
    app.state.writing = Writing(Drafts(used, store, settings), Workshop(settings, used))
    app.state.projects = projects.Saves(Projects(used, settings))
    app.state.streams = stream.Streams(use_cases, wakeups, settings)
    errors.install(app)
    # The last one added is the outermost: refusals carry the CORS headers too, or browsers could not show them.
    larger = [
        ("POST", re.compile("/api/library"), MAX_UPLOAD_BYTES),
        ("POST", projects.SAVES, settings.project_max_body_bytes),
    ]
    app.add_middleware(BodyLimit, limit_bytes=settings.api_max_body_bytes, larger=larger)
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
    dependencies = documented if settings.api_token is not None else []
    statuses = (401, 413) if settings.api_token is not None else (413,)
    for router in (videos.router, media.router, draft_files.router, universe_files.router):
        app.include_router(router, dependencies=dependencies, responses=errors.error_responses(*statuses))
    refusals = errors.api_errors(*statuses, 422, 500, 503)
    for module in (projects, orders, chat, carousels, drafts, draft_assets, draft_texts, library, brands, money, queue):
        app.include_router(module.router, dependencies=dependencies, responses=refusals)
    older = (universes, universe_generation, universe_texts, universe_jobs, universe_sync, default_prompts)
    for module in older:
        app.include_router(module.router, dependencies=dependencies, responses=refusals)
    app.include_router(stream.router)
    app.include_router(order_stream.router)
    app.include_router(draft_stream.router)
    return app


def _version() -> str:
    try:
        return version("maquette")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
