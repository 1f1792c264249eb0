"""Artifacts of a run's page: they only tell. A page that cannot be written stops no work."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from uuid import UUID

import httpx
from PIL import Image
from prefect import get_run_logger
from prefect.artifacts import acreate_image_artifact, acreate_progress_artifact, aupdate_progress_artifact
from sqlalchemy.exc import SQLAlchemyError

from maquette.errors import MaquetteError
from maquette.orders.models import Lease

EVERY_S = 2.0
WIDTH = 900

# Reads how far the work is: per cent, and a few words.
Reader = Callable[[], tuple[int, str]]


def key(lease: Lease, what: str) -> str:
    """An artifact's key: lower-case letters, digits and dashes."""
    return f"{lease.subject}-{what}".replace("_", "-").lower()


@asynccontextmanager
async def progress(lease: Lease, read: Reader, *, title: str) -> AsyncIterator[None]:
    """Keep a progress artifact at what ``read`` says for as long as the block runs."""
    follower: asyncio.Task[None] | None = None
    with telling():
        bar = await acreate_progress_artifact(0.0, key=key(lease, "progress"), description=title)
        follower = asyncio.create_task(_follow(read, bar))
    try:
        yield
    finally:
        if follower is not None:
            follower.cancel()
            with suppress(asyncio.CancelledError):
                await follower
            await _show(read, bar, shown=-1)


async def image(lease: Lease, what: str, picture: Path, title: str) -> None:
    """Show a picture of what the job makes."""
    await picture_of(key(lease, what), picture, f"{title} of {lease.subject}")


async def picture_of(key: str, picture: Path, description: str) -> None:
    """Show a picture, which travels in the artifact: the page then needs no other server to be up."""
    with telling():
        url = await asyncio.to_thread(_data_url, picture)
        await acreate_image_artifact(url, key=key, description=description)


@contextmanager
def telling() -> Iterator[None]:
    """Let nothing that happens to the page stop the work."""
    try:
        yield
    except (httpx.HTTPError, SQLAlchemyError, MaquetteError) as error:
        get_run_logger().warning("the run's page could not be updated: %s", error)


async def _follow(read: Reader, artifact: UUID) -> None:
    shown = -1
    while True:
        shown = await _show(read, artifact, shown=shown)
        await asyncio.sleep(EVERY_S)


async def _show(read: Reader, artifact: UUID, *, shown: int) -> int:
    with telling():
        percent, text = await asyncio.to_thread(read)
        if percent != shown:
            await aupdate_progress_artifact(artifact, float(percent), description=text)
            shown = percent
    return shown


def _data_url(picture: Path) -> str:
    with Image.open(picture) as opened:
        small = opened.convert("RGB")
        small.thumbnail((WIDTH, WIDTH))
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
