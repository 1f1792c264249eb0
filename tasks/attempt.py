"""A run's hold on its item: intake where the run was started by hand, claim, lease, settling."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from prefect import get_run_logger, runtime

from blocks.providers import chosen
from maquette.errors import InvalidInput, MaquetteError, StaleLease
from maquette.orders import service as orders
from maquette.orders.lease import kept
from maquette.orders.models import Lease
from maquette.settings import get_settings
from maquette.videos.film import fail_film
from maquette.videos.models import VideoBrief
from maquette.videos.service import Videos
from maquette.videos.studio import Studio, open_studio


def this_run() -> UUID | None:
    """The id of the flow run that is under way."""
    run_id = runtime.flow_run.get_id()
    return UUID(run_id) if run_id else None


@asynccontextmanager
async def attempt(item_id: UUID | None, brief: VideoBrief | None) -> AsyncIterator[Lease]:
    """Hold the item for the block. A run without an item takes its brief through the same intake first.

    An error of Maquette's own ends the item with its reason. Any other (a lost database, a defect) gives
    the item back to the queue, which bounds its attempts. A lost lease ends this run alone.
    """
    work = open_studio(await chosen(get_settings()))
    lease = await asyncio.to_thread(_claim, work, item_id, brief)
    settings = work.settings
    with kept(work.database, lease, lease_s=settings.lease_s, every_s=settings.lease_renew_s):
        try:
            yield lease
        except StaleLease:
            raise
        except MaquetteError as error:
            get_run_logger().error("%s: %s", error.code, error)
            await asyncio.to_thread(fail_film, work, lease, error)
            raise
        except Exception as error:
            await asyncio.to_thread(_give_back, work, lease, f"{type(error).__name__}: {error}")
            raise


def _claim(work: Studio, item_id: UUID | None, brief: VideoBrief | None) -> Lease:
    run_id = this_run()
    if item_id is None:
        if brief is None:
            raise InvalidInput("the run has no theme and no item: give a theme", code="theme_empty")
        videos = Videos(work.database, work.store, work.settings)
        # A second start of this very run finds its first order.
        item_id = videos.order(brief, idempotency_key=f"prefect:{run_id}", flow_run_id=run_id).item_id
    with work.database.begin() as session:
        return orders.claim(
            session,
            item_id,
            flow_run_id=run_id,
            lease_s=work.settings.lease_s,
            deadline_s=work.settings.video_deadline_s,
            holder=orders.holder_name(),
        )


def _give_back(work: Studio, lease: Lease, reason: str) -> None:
    with work.database.begin() as session:
        orders.guard(session, lease, settle=True)
        item, job = orders.get_item(session, lease.item_id), orders.job_of(session, lease.item_id)
        if job.attempts < job.max_attempts:
            orders.release(session, item, reason=reason, delay_s=2.0**job.attempts)
            return
    error = MaquetteError(f"{reason}, after {job.attempts} attempts", code="attempts_exhausted")
    fail_film(work, lease, error)
