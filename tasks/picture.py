"""The steps of pictures and slides as Prefect tasks: retries, limits and names; the work is in ``maquette``."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from random import Random
from typing import Final
from uuid import UUID

from prefect import get_run_logger, task
from prefect.concurrency.asyncio import concurrency

from maquette.carousels import production as carousels
from maquette.errors import InvalidInput, MaquetteError, MediaError, ProviderError, StorageError, is_outage
from maquette.images import production as images
from maquette.images.models import ImagesResult, ItemRef
from maquette.orders.models import Lease
from maquette.providers.clips.port import OperationState
from maquette.workshop import workshop
from tasks.retrying import KEPT, RETRIES

# What one picture may fail with while the others go on.
OF_ONE_ITEM: Final = (ProviderError, MediaError, StorageError, InvalidInput)


@task(name="write-plan", task_run_name="plan the slides", **KEPT)
async def write_plan(lease: Lease) -> int:
    """Write the plan; the number of slides that are still to be made."""
    return await asyncio.to_thread(carousels.write_plan, workshop(), lease)


@task(name="submit-picture", task_run_name="order picture {number}", **KEPT)
async def submit_picture(lease: Lease, item_id: UUID, *, number: int) -> UUID:
    """Order one picture; its journal call."""
    return await asyncio.to_thread(images.submit_picture, workshop(), lease, item_id)


@task(name="wait-for-picture", task_run_name="wait for picture {number}", **KEPT, **RETRIES)
async def wait_for_picture(lease: Lease, call_id: UUID, *, number: int) -> None:
    """Look until the operation has ended."""
    work = workshop()
    while True:
        status = await asyncio.to_thread(images.look_at_picture, work, lease, call_id)
        if status.state is OperationState.SUCCEEDED:
            return
        await asyncio.sleep(work.settings.image_poll_s)


@task(name="deliver-image", task_run_name="deliver image {number}", **KEPT, **RETRIES)
async def deliver_image(lease: Lease, item_id: UUID, call_id: UUID, *, number: int) -> UUID:
    """Fetch the picture and settle its item; its asset."""
    return await asyncio.to_thread(images.deliver_image, workshop(), lease, item_id, call_id)


@task(name="deliver-slide", task_run_name="compose slide {number}", **KEPT, **RETRIES)
async def deliver_slide(lease: Lease, item_id: UUID, call_id: UUID, *, number: int) -> UUID:
    """Fetch the picture, lay the words over it and settle its item; its asset."""
    return await asyncio.to_thread(carousels.deliver_slide, workshop(), lease, item_id, call_id)


async def make_all(lease: Lease, deliver: Callable[..., Awaitable[UUID]]) -> None:
    """Make what is missing, in parallel; one failure leaves the rest. Raise the first that another attempt may mend."""
    items = await asyncio.to_thread(images.open_items, workshop(), lease)
    # A slot that is refused is asked for again only seconds later: this run asks when one of its own is free.
    turn = asyncio.Semaphore(workshop().settings.image_concurrency)
    outcomes = await asyncio.gather(*(_make(lease, item, deliver, turn) for item in items), return_exceptions=True)
    raised = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    # What uses up an attempt, or must stop the run, goes before what only waits for a provider.
    for outcome in sorted(raised, key=is_outage):
        raise outcome


async def _make(lease: Lease, item: ItemRef, deliver: Callable[..., Awaitable[UUID]], turn: asyncio.Semaphore) -> None:
    log = get_run_logger()
    for failures in count():
        try:
            async with turn, _provider_slot(lease, item.id):
                call_id = await submit_picture(lease, item.id, number=item.number)
                await wait_for_picture(lease, call_id, number=item.number)
            await deliver(lease, item.id, call_id, number=item.number)
            return
        except OF_ONE_ITEM as error:
            judged = await asyncio.to_thread(
                images.judge, workshop(), lease, item.id, error, failures=failures, random=Random()
            )
            if judged.again_in_s is not None:
                log.warning("%s; again in %.1f s", judged.reason, judged.again_in_s)
                await asyncio.sleep(judged.again_in_s)
                continue
            log.warning("%s; %s", judged.reason, "given up" if judged.ended else "left to the next attempt")
            if judged.ended:
                return
            raise


async def images_result(lease: Lease) -> ImagesResult:
    """What the run made."""
    return await asyncio.to_thread(images.result_of, workshop(), lease)


async def keep_pdf(lease: Lease) -> None:
    """Keep a PDF of the slides, where it was ordered. The slides are settled by now: one that fails is only told."""
    try:
        await asyncio.to_thread(carousels.keep_pdf, workshop(), lease)
    except MaquetteError as error:
        get_run_logger().warning("the PDF could not be kept: %s", error)


async def carousel_result(lease: Lease) -> carousels.CarouselResult:
    """What the run made."""
    return await asyncio.to_thread(carousels.result_of, workshop(), lease)


@asynccontextmanager
async def _provider_slot(lease: Lease, item_id: UUID) -> AsyncIterator[None]:
    """Hold one of the image provider's slots, Prefect's global limit ``images-<provider>``, unless it is under way."""
    work = workshop()
    if work.images.profile.local or await asyncio.to_thread(images.is_under_way, work, lease, item_id):
        yield
        return
    async with concurrency(f"images-{work.images.profile.provider}", lease_duration=60):
        yield
