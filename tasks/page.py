"""What the run's page in the Prefect UI shows: a progress bar, the storyboard, the poster, the film's link.

The page only tells. Nothing of it decides, and a page that cannot be written does not stop a film.
"""

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from uuid import UUID

import httpx
from PIL import Image
from prefect import get_run_logger
from prefect.artifacts import (
    acreate_image_artifact,
    acreate_link_artifact,
    acreate_progress_artifact,
    aupdate_progress_artifact,
)
from sqlalchemy.exc import SQLAlchemyError

from maquette.media.stills import contact_sheet
from maquette.orders.models import Lease
from maquette.videos.production import newest_file, stills_of
from maquette.videos.service import Videos
from maquette.videos.studio import studio

EVERY_S = 2.0
WIDTH = 900


def key(lease: Lease, what: str) -> str:
    """An artifact's key: lower-case letters, digits and dashes."""
    return f"{lease.subject}-{what}".replace("_", "-").lower()


@asynccontextmanager
async def progress(lease: Lease) -> AsyncIterator[None]:
    """Keep a progress artifact at the video's state for as long as the block runs."""
    follower: asyncio.Task[None] | None = None
    with _telling():
        bar = await acreate_progress_artifact(0.0, key=key(lease, "progress"), description=f"Video {lease.subject}")
        follower = asyncio.create_task(_follow(lease, bar))
    try:
        yield
    finally:
        if follower is not None:
            follower.cancel()
            with suppress(asyncio.CancelledError):
                await follower
            await _show(lease, bar, shown=-1)


async def storyboard(lease: Lease) -> None:
    """One picture of every block."""
    sheet = await asyncio.to_thread(_storyboard, lease)
    try:
        await _image(lease, "storyboard", sheet, "Storyboard")
    finally:
        sheet.unlink()


async def film(lease: Lease) -> None:
    """The poster, and where the film is."""
    work = studio()
    await _image(lease, "poster", await asyncio.to_thread(newest_file, work, lease.subject, "poster"), "Poster")
    base = f"http://{work.settings.api_host}:{work.settings.api_port}"
    with _telling():
        await acreate_link_artifact(
            f"{base}/videos/{lease.subject}/film", link_text="final.mp4", key=key(lease, "film"), description="The film"
        )


async def _follow(lease: Lease, artifact: UUID) -> None:
    shown = -1
    while True:
        shown = await _show(lease, artifact, shown=shown)
        await asyncio.sleep(EVERY_S)


async def _show(lease: Lease, artifact: UUID, *, shown: int) -> int:
    work = studio()
    videos = Videos(work.database, work.store, work.settings)
    with _telling():
        status = await asyncio.to_thread(videos.status, lease.subject)
        if status.progress != shown:
            await aupdate_progress_artifact(artifact, float(status.progress), description=status.current_step)
            shown = status.progress
    return shown


async def _image(lease: Lease, what: str, picture: Path, title: str) -> None:
    # The picture travels in the artifact: the page then needs no other server to be up.
    with _telling():
        url = await asyncio.to_thread(_data_url, picture)
        await acreate_image_artifact(url, key=key(lease, what), description=f"{title} of {lease.subject}")


def _storyboard(lease: Lease) -> Path:
    work = studio()
    theme, clips, labels = stills_of(work, lease)
    sheet = work.store.temporary(".png")
    contact_sheet(clips, sheet, title=theme, labels=labels)
    return sheet


def _data_url(picture: Path) -> str:
    with Image.open(picture) as image:
        small = image.convert("RGB")
        small.thumbnail((WIDTH, WIDTH))
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, SQLAlchemyError) as error:
        get_run_logger().warning("the run's page could not be updated: %s", error)
