"""Upkeep as Prefect tasks; the work is in ``maquette.launch``."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from prefect import task
from prefect.settings import get_current_settings

from blocks.providers import chosen
from maquette.db.engine import Database, database_from_settings
from maquette.errors import ConfigurationError
from maquette.launch.flow_runs import PrefectFlowRuns
from maquette.launch.reconciler import Reconciler, Repairs
from maquette.launch.retention import Retained, retain
from maquette.settings import get_settings
from maquette.storage import store_from_settings
from tasks.retrying import KEPT


@task(name="reconcile", task_run_name="find what is stuck", **KEPT)
async def reconcile() -> Repairs:
    """One pass of the reconciler."""

    # As runs have them: a publication that broke off is settled where it was begun.
    settings = await chosen(get_settings())

    def work() -> Repairs:
        with _opened() as (database, runs):
            return Reconciler(database, runs, store_from_settings(settings), settings).reconcile()

    return await asyncio.to_thread(work)


@task(name="retain", task_run_name="give up what has expired", **KEPT)
async def give_up_expired() -> Retained:
    """One pass of the retention rules."""

    def work() -> Retained:
        settings = get_settings()
        with _opened() as (database, runs):
            return retain(database, store_from_settings(settings), settings, runs)

    return await asyncio.to_thread(work)


@contextmanager
def _opened() -> Iterator[tuple[Database, PrefectFlowRuns]]:
    settings = get_settings()
    api_url = settings.prefect_api_url or get_current_settings().api.url
    if api_url is None:
        raise ConfigurationError("no Prefect server is named: set PREFECT_API_URL")
    database = database_from_settings(settings)
    try:
        with PrefectFlowRuns(api_url) as runs:
            yield database, runs
    finally:
        database.dispose()
