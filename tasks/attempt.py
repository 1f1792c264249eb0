"""A run's hold on its job: intake where the run was started by hand, claim, lease, settling."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from prefect import get_run_logger, runtime

from blocks.providers import chosen
from maquette.errors import StaleLease
from maquette.intake import failures
from maquette.intake.pipelines import PIPELINES
from maquette.orders import service as orders
from maquette.orders.holder import holder_name
from maquette.orders.lease import kept
from maquette.orders.models import Lease
from maquette.settings import get_settings
from maquette.workshop import Workshop, open_workshop

# Places the order of a run that was started by hand, under an idempotency key and for a flow run; its job's id.
Intake = Callable[[Workshop, str, UUID | None], UUID]


def this_run() -> UUID | None:
    """The id of the flow run that is under way."""
    run_id = runtime.flow_run.get_id()
    return UUID(run_id) if run_id else None


@asynccontextmanager
async def attempt(job_id: UUID | None, intake: Intake) -> AsyncIterator[Lease]:
    """Hold the job for the block. A run without a job takes its parameters through the same intake first.

    What the block raises is judged by the rules of the road: another attempt later, a wait for a provider that is
    out of service, or the end with its reason. A lost lease ends this run alone.
    """
    work = open_workshop(await chosen(get_settings()))
    lease = await asyncio.to_thread(_claim, work, job_id, intake)
    settings = work.settings
    with kept(work.database, lease, lease_s=settings.lease_s, every_s=settings.lease_renew_s):
        try:
            yield lease
        except StaleLease:
            raise
        except Exception as error:
            await asyncio.to_thread(_judge, work, lease, error)
            raise


def _claim(work: Workshop, job_id: UUID | None, intake: Intake) -> Lease:
    run_id = this_run()
    if job_id is None:
        # A second start of this very run finds its first order.
        job_id = intake(work, f"prefect:{run_id}", run_id)
    with work.database.begin() as session:
        deadline_s = PIPELINES[orders.get_job(session, job_id).kind].deadline_s(work.settings)
        return orders.claim(
            session,
            job_id,
            flow_run_id=run_id,
            lease_s=work.settings.lease_s,
            deadline_s=deadline_s,
            holder=holder_name(),
        )


def _judge(work: Workshop, lease: Lease, error: Exception) -> None:
    with work.database.begin() as session:
        orders.guard(session, lease, settle=True)
        job = orders.lock_job(session, lease.job_id)
        verdict = failures.after_failure(session, job, error, settings=work.settings)
    log = get_run_logger()
    match verdict.kind:
        case "fail":
            log.error("%s; given up", error)
        case "again":
            log.warning("%s; another attempt in %.0f s", error, verdict.delay_s)
        case "wait":
            log.warning("%s; the job waits %.0f s for its provider and uses up no attempt", error, verdict.delay_s)
