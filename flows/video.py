"""A theme becomes a finished vertical video."""

import asyncio
from itertools import count
from typing import Annotated
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Cancelled

from maquette.errors import LeaseHeld, MediaError, ProviderError, StaleLease, StorageError
from maquette.orders.models import Lease
from maquette.videos.film import VideoResult
from maquette.videos.models import AspectRatio, Language, Style, VideoBrief
from maquette.videos.rules import MAX_TARGET_S, MAX_THEME_CHARACTERS, MIN_TARGET_S
from maquette.videos.service import Videos
from maquette.workshop import Workshop
from tasks import page
from tasks.attempt import attempt
from tasks.form import BrandField, JobField, form_field
from tasks.video import (
    assemble_film,
    blocks_to_shoot,
    clip_places,
    judge,
    provider_slot,
    receive_clip,
    require_all_clips,
    submit_clip,
    wait_for_clip,
    write_script,
)


@flow(name="make-video", persist_result=True)
async def make_video(
    theme: Annotated[str, form_field("Theme", "What the film is about.", max_length=MAX_THEME_CHARACTERS)] = "",
    target_duration: Annotated[
        int, form_field("Target duration", "Seconds; 36 makes five blocks.", ge=MIN_TARGET_S, le=MAX_TARGET_S)
    ] = 36,
    style: Annotated[Style, form_field("Style", "Tone of the script.")] = "informative",
    language: Annotated[Language, form_field("Language", "Of script, captions and messages.")] = "fr",
    aspect_ratio: Annotated[AspectRatio, form_field("Aspect ratio", "9:16 is 1080×1920.")] = "9:16",
    crossfade_s: Annotated[float, form_field("Cross-fade", "Seconds between blocks.", ge=0, le=1)] = 0,
    seed: Annotated[int, form_field("Seed", "Another seed makes another film.", ge=0, lt=2**31)] = 0,
    brand_id: BrandField = None,
    job_id: JobField = None,
) -> VideoResult | State[None]:
    """Write the script, shoot every block, assemble the film.

    Started by hand, the run takes its parameters through the same intake as every other order.
    """

    def intake(work: Workshop, key: str, run_id: UUID | None) -> UUID:
        brief = VideoBrief(
            theme=theme,
            target_duration=target_duration,
            style=style,
            language=language,
            aspect_ratio=aspect_ratio,
            crossfade_s=crossfade_s,
            seed=seed,
        )
        videos = Videos(work.database, work.store, work.settings)
        return videos.order(brief, brand_id=brand_id, idempotency_key=key, flow_run_id=run_id).job_id

    try:
        async with attempt(job_id, intake) as lease, page.progress(lease):
            await write_script(lease)
            await shoot_all(lease)
            await page.storyboard(lease)
            film = await assemble_film(lease)
            await page.film(lease)
            return film
    except (LeaseHeld, StaleLease) as error:
        return Cancelled(message=str(error))


async def shoot_all(lease: Lease) -> None:
    """Shoot what is missing, in parallel; raise the first failure only when all others are done."""
    blocks = await blocks_to_shoot(lease)
    # A slot that is refused is asked for again only seconds later: this run asks when one of its own is free.
    turn = asyncio.Semaphore(clip_places())
    outcomes = await asyncio.gather(
        *(shoot(lease, block.id, number=block.number, turn=turn) for block in blocks), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    await require_all_clips(lease)


async def shoot(lease: Lease, block_id: UUID, *, number: int, turn: asyncio.Semaphore) -> None:
    """One block: order, wait, normalise; again as long as the rules allow."""
    log = get_run_logger()
    for failures in count():
        try:
            async with turn, provider_slot(lease, block_id):
                call_id = await submit_clip(lease, block_id, number=number)
                await wait_for_clip(lease, block_id, call_id, number=number)
            await receive_clip(lease, block_id, call_id, number=number)
            return
        except (ProviderError, MediaError, StorageError) as error:
            verdict = await judge(lease, block_id, error, failures=failures)
            if verdict.retry_in_s is None:
                log.error("%s; given up", verdict.reason)
                return
            log.warning("%s; again in %.1f s", verdict.reason, verdict.retry_in_s)
            await asyncio.sleep(verdict.retry_in_s)
