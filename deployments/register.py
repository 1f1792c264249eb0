"""Registration, repeatable: pool, concurrency limits, blocks, and the deployments of ``prefect.yaml``."""

import logging
from pathlib import Path
from typing import Any

import yaml
from prefect.blocks.core import Block
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
    WorkPoolCreate,
    WorkPoolUpdate,
)
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.workers.base import BaseWorker
from pydantic import BaseModel

from blocks.database import DatabaseBlock
from blocks.providers import BLOCKS
from maquette.launch.flow_runs import QUEUES
from maquette.launch.stack import worker_type_here
from maquette.providers.catalogue import catalogue
from maquette.settings import get_settings

log = logging.getLogger(__name__)
PREFECT_YAML = Path(__file__).parents[1] / "prefect.yaml"


class Pool(BaseModel):
    """Where a deployment runs."""

    name: str
    work_queue_name: str = "default"
    job_variables: dict[str, Any] = {}


class Schedule(BaseModel):
    """When a deployment runs by itself."""

    model_config = {"extra": "forbid"}

    cron: str
    timezone: str = "UTC"


class Deployment(BaseModel):
    """One entry of ``prefect.yaml``, the part of it that we use."""

    model_config = {"extra": "forbid"}

    name: str
    entrypoint: str
    description: str = ""
    tags: list[str] = []
    parameters: dict[str, Any] = {}
    schedules: list[Schedule] = []
    work_pool: Pool


def deployments() -> list[Deployment]:
    """The deployments of ``prefect.yaml``."""
    document = yaml.safe_load(PREFECT_YAML.read_text("utf-8"))
    return [Deployment.model_validate(entry) for entry in document["deployments"]]


async def register() -> None:
    """Bring the server that ``PREFECT_API_URL`` names to what this checkout describes."""
    async with get_client() as client:
        for deployment in deployments():
            await _pool(client, deployment.work_pool)
            flow: Flow[..., Any] = load_flow_from_entrypoint(deployment.entrypoint)
            await client.create_deployment(
                await client.create_flow(flow),
                deployment.name,
                entrypoint=deployment.entrypoint,
                description=deployment.description,
                tags=deployment.tags,
                parameters=deployment.parameters,
                parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
                enforce_parameter_schema=True,
                schedules=[
                    DeploymentScheduleCreate(schedule=CronSchedule(cron=each.cron, timezone=each.timezone))
                    for each in deployment.schedules
                ],
                work_pool_name=deployment.work_pool.name,
                work_queue_name=deployment.work_pool.work_queue_name,
                job_variables=deployment.work_pool.job_variables,
            )
        blocks: tuple[type[Block], ...] = (*BLOCKS, DatabaseBlock)
        for block in blocks:
            await block.aregister_type_and_schema(client=client)
        settings = get_settings()
        places = {
            "clips": settings.clip_concurrency,
            "images": settings.image_concurrency,
            "loops": settings.loop_concurrency,
            "music": settings.music_concurrency,
        }
        for kind, provider in {(profile.kind, profile.provider) for profile in catalogue() if profile.kind in places}:
            await _limit(client, f"{kind}-{provider}", places[kind])


async def _pool(client: PrefectClient, pool: Pool) -> None:
    kind, _ = worker_type_here()
    worker = BaseWorker.get_worker_class_from_type(kind)
    assert worker is not None  # of the types that this installation has
    template = worker.get_default_base_job_template()
    try:
        await client.create_work_pool(WorkPoolCreate(name=pool.name, type=kind, base_job_template=template))
    except ObjectAlreadyExists:
        await _complete(client, pool.name, template)
    # After the default queue: upkeep, and the runs that a person starts, are few and must not starve.
    for priority, premium in enumerate((True, False), start=2):
        try:
            await client.create_work_queue(QUEUES[premium], priority=priority, work_pool_name=pool.name)
        except ObjectAlreadyExists:
            log.debug("work queue %s is there", QUEUES[premium])


async def _complete(client: PrefectClient, name: str, template: dict[str, Any]) -> None:
    """Give a pool that is there the variables that came since; what was changed in it stays."""
    found = (await client.read_work_pool(name)).base_job_template
    known = found.setdefault("variables", {}).setdefault("properties", {})
    new = {key: value for key, value in template["variables"]["properties"].items() if key not in known}
    if new:
        known |= new
        found["job_configuration"] = template["job_configuration"] | found.get("job_configuration", {})
        await client.update_work_pool(name, WorkPoolUpdate(base_job_template=found))


async def _limit(client: PrefectClient, name: str, limit: int) -> None:
    try:
        await client.read_global_concurrency_limit_by_name(name)
        await client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(limit=limit))
    except ObjectNotFound:
        await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=limit))
