"""The steps of a video as Prefect tasks: retries, limits and names; the work is in ``maquette.videos``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from uuid import UUID

from prefect import task
from prefect.concurrency.asyncio import concurrency

from maquette.errors import MaquetteError
from maquette.orders.models import Lease
from maquette.providers.clips.port import OperationState
from maquette.videos import film, production
from maquette.workshop import workshop
from tasks.retrying import KEPT, RETRIES


@task(name="write-script", task_run_name="write the script", **KEPT)
async def write_script(lease: Lease) -> int:
    """Write the script; the number of its blocks."""
    return await asyncio.to_thread(production.write_script, workshop(), lease)


@task(name="submit-clip", task_run_name="order block {number}", **KEPT)
async def submit_clip(lease: Lease, block_id: UUID, *, number: int) -> UUID:
    """Order one clip; its journal call."""
    return await asyncio.to_thread(production.submit_clip, workshop(), lease, block_id)


@task(name="wait-for-clip", task_run_name="wait for block {number}", **KEPT, **RETRIES)
async def wait_for_clip(lease: Lease, block_id: UUID, call_id: UUID, *, number: int) -> None:
    """Look until the operation has ended."""
    work = workshop()
    while True:
        status = await asyncio.to_thread(production.look_at_clip, work, lease, block_id, call_id)
        if status.state is OperationState.SUCCEEDED:
            return
        await asyncio.sleep(work.settings.clip_poll_s)


@task(name="receive-clip", task_run_name="normalise block {number}", **KEPT, **RETRIES)
async def receive_clip(lease: Lease, block_id: UUID, call_id: UUID, *, number: int) -> str:
    """Fetch and normalise the clip; its sha256."""
    return await asyncio.to_thread(production.receive_clip, workshop(), lease, block_id, call_id)


async def blocks_to_shoot(lease: Lease) -> list[production.BlockRef]:
    """The blocks that still lack their clip."""
    return await asyncio.to_thread(production.missing_clips, workshop(), lease)


async def require_all_clips(lease: Lease) -> None:
    """Raise what the first failed block failed with."""
    await asyncio.to_thread(production.require_all_clips, workshop(), lease)


def clip_places() -> int:
    """How many clips one run may have under way."""
    return workshop().settings.clip_concurrency


@asynccontextmanager
async def provider_slot(lease: Lease, block_id: UUID) -> AsyncIterator[None]:
    """Hold one of the clip provider's slots, Prefect's global limit ``clips-<provider>``.

    A provider on this machine has none: its drawings take turns as it is. A clip that is under way already, ordered
    by an attempt that was killed, takes no second one. The slots of a killed run come back when their leases end,
    after a minute or so.
    """
    work = workshop()
    if work.clips.profile.local or await asyncio.to_thread(production.is_under_way, work, lease, block_id):
        yield
        return
    async with concurrency(f"clips-{work.clips.profile.provider}", lease_duration=60):
        yield


async def judge(lease: Lease, block_id: UUID, error: MaquetteError, *, failures: int) -> production.Verdict:
    """Record a block's failure; whether and when it is tried again."""
    return await asyncio.to_thread(
        production.judge, workshop(), lease, block_id, error, failures=failures, random=Random()
    )


@task(name="assemble-film", task_run_name="assemble the film", **KEPT)
async def assemble_film(lease: Lease) -> film.VideoResult:
    """Assemble, check and settle."""
    return await asyncio.to_thread(film.assemble_film, workshop(), lease)
