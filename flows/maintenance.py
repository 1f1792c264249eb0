"""Upkeep on a schedule: stuck jobs, and what is not kept for ever."""

from prefect import flow

from maquette.launch.reconciler import Repairs
from maquette.launch.retention import Retained
from tasks.maintenance import give_up_expired, reconcile


@flow(name="cleanup-stuck-jobs", persist_result=True)
async def cleanup_stuck_jobs() -> Repairs:
    """Put back on the road what was lost between the servers: judged by lease and deadline, not by age.

    `maquette up` does the same each half minute; this is for servers of your own, and harmless beside it.
    """
    return await reconcile()


@flow(name="retention", persist_result=True)
async def retention() -> Retained:
    """Give up expired media, old events and answers, and old runs. Orders, the ledger and costs stay."""
    return await give_up_expired()
