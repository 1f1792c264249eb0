"""What a video's run page in the Prefect UI shows: a progress bar, the storyboard, the poster, the film's link."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prefect.artifacts import acreate_link_artifact

from maquette.media.stills import contact_sheet
from maquette.orders.models import Lease
from maquette.videos.production import newest_file, stills_of
from maquette.videos.service import Videos
from maquette.workshop import workshop
from tasks import artifacts


@asynccontextmanager
async def progress(lease: Lease) -> AsyncIterator[None]:
    """Keep a progress artifact at the video's state for as long as the block runs."""
    work = workshop()
    videos = Videos(work.database, work.store, work.settings)

    def read() -> tuple[int, str]:
        status = videos.status(lease.subject)
        return status.progress, status.current_step

    async with artifacts.progress(lease, read, title=f"Video {lease.subject}"):
        yield


async def storyboard(lease: Lease) -> None:
    """One picture of every block."""
    sheet = await asyncio.to_thread(_storyboard, lease)
    try:
        await artifacts.image(lease, "storyboard", sheet, "Storyboard")
    finally:
        sheet.unlink()


async def film(lease: Lease) -> None:
    """The poster, and where the film is."""
    work = workshop()
    poster = await asyncio.to_thread(newest_file, work, lease.subject, "poster")
    await artifacts.image(lease, "poster", poster, "Poster")
    base = f"http://{work.settings.api_host}:{work.settings.api_port}"
    url = f"{base}/videos/{lease.subject}/film"
    with artifacts.telling():
        await acreate_link_artifact(
            url, link_text="final.mp4", key=artifacts.key(lease, "film"), description="The film"
        )


def _storyboard(lease: Lease) -> Path:
    work = workshop()
    theme, clips, labels = stills_of(work, lease)
    sheet = work.store.temporary(".png")
    contact_sheet(clips, sheet, title=theme, labels=labels)
    return sheet
