"""The phases of a migration as Prefect tasks, and its run's page; the work is in ``maquette.migrating``."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import acreate_image_artifact, acreate_markdown_artifact, acreate_table_artifact
from pydantic import BaseModel

from blocks.database import database_urls
from maquette.launch.code import code_root
from maquette.migrating import engine, reporting
from maquette.migrating.contracting import ContractPlan
from maquette.migrating.definition import load
from maquette.migrating.models import Duplicates, Options, Phase, PhaseReport, Plan, Result
from maquette.migrating.service import Migrations
from maquette.migrating.work import Work
from maquette.settings import get_settings
from tasks import artifacts
from tasks.retrying import KEPT

FOLDER: Final = "migrations/documents"
PHASES: Final = tuple(engine.PHASES)

# The runs that this process holds: a task is given an id, never a connection.
_held: dict[UUID, Work] = {}


class Place(BaseModel):
    """Which migration, and where: the names of a block and of a file, never a password."""

    database: str
    migration: str
    folder: str

    @property
    def key(self) -> str:
        """Beginning of the keys of its artifacts: lower-case letters, digits and dashes."""
        return f"migration-{self.migration.replace('_', '-')}"


async def migrations(place: Place) -> Migrations:
    """The use cases of the migration. Raises ``ConfigurationError``, ``NotFound``, ``InvalidInput``."""
    settings = get_settings()
    url, scratch_url = await database_urls(place.database, settings)
    # A relative folder is of the checkout: runs start wherever their worker does.
    migration = load(place.migration, code_root(settings) / place.folder)
    return Migrations(url, migration, home=settings.home, scratch_url=scratch_url)


@task(name="plan-migration", task_run_name="plan", **KEPT)
async def show_plan(place: Place, options: Options) -> Plan:
    """Make the plan and show it on the run's page."""
    use = await migrations(place)
    plan = await asyncio.to_thread(use.plan, options)
    with artifacts.telling():
        await acreate_markdown_artifact(
            reporting.plan_text(plan), key=f"{place.key}-plan", description=f"Plan of {plan.migration}"
        )
        await acreate_table_artifact(
            [each.model_dump(mode="json") for each in plan.statements],
            key=f"{place.key}-statements",
            description="Statements, with the locks that they take",
        )
    return plan


@asynccontextmanager
async def holding(place: Place, *, approve: str, options: Options, resume: bool) -> AsyncIterator[UUID]:
    """Hold the run in this process: a new one of the approved plan, or the open one."""
    use = await migrations(place)
    hold = use.resume() if resume else use.begin(approve, options)
    work = await asyncio.to_thread(hold.__enter__)
    _held[work.run.id] = work
    try:
        yield work.run.id
    finally:
        del _held[work.run.id]
        await asyncio.to_thread(hold.__exit__, None, None, None)


@task(name="carry-out-phase", task_run_name="{phase}", **KEPT)
async def carry_out(run_id: UUID, phase: Phase) -> PhaseReport:
    """Carry one phase out, or find that it has ended."""
    report = await asyncio.to_thread(engine.carry_out, _held[run_id], phase)
    get_run_logger().info(
        "%s: %s rows in %.1f s, longest lock %.1f ms",
        phase.value.replace("_", " "), f"{report.rows:,}", report.seconds, report.longest_lock_ms,
    )  # fmt: skip
    return report


@task(name="report-migration", task_run_name="report", **KEPT)
async def show_result(place: Place, run_id: UUID) -> Result:
    """Write the report, show what it says on the run's page, and return how the run stands."""
    use = await migrations(place)
    report = await asyncio.to_thread(use.gather, run_id)
    path = await asyncio.to_thread(use.write_report, report)
    with artifacts.telling():
        await acreate_table_artifact(reporting.counts(report), key=f"{place.key}-counts", description="Rows")
        await acreate_table_artifact(
            reporting.phase_times(report.result), key=f"{place.key}-phases", description=f"Phases; report: {path}"
        )
        if report.batches and report.plan:
            chart = reporting.batch_chart(report.batches, target_ms=report.plan.options.batch_ms)
            await acreate_image_artifact(
                "data:image/svg+xml;base64," + base64.b64encode(chart.encode()).decode(),
                key=f"{place.key}-batches",
                description="Time of each batch",
            )
    return report.result


@task(name="follow-migration", task_run_name="follow", **KEPT)
async def follow(place: Place, *, for_s: float) -> Result:
    """Bring both shapes together for so long."""
    use = await migrations(place)
    await asyncio.to_thread(use.follow, for_s=for_s)
    return await asyncio.to_thread(use.status)


@task(name="plan-contract", task_run_name="plan the contract", **KEPT)
async def show_contract(place: Place) -> ContractPlan:
    """What the contract would do."""
    use = await migrations(place)
    plan = await asyncio.to_thread(use.contract_plan)
    with artifacts.telling():
        await acreate_table_artifact(
            [each.model_dump(mode="json") for each in plan.statements],
            key=f"{place.key}-contract",
            description=f"Contract of {place.migration}",
        )
    return plan


@task(name="contract-migration", task_run_name="contract", **KEPT)
async def contract(place: Place, *, approve: str) -> Result:
    """Carry the contract out."""
    use = await migrations(place)
    return await asyncio.to_thread(use.contract, approve)


@task(name="roll-back-migration", task_run_name="roll back", **KEPT)
async def roll_back(place: Place, *, duplicates: Duplicates | None) -> Result:
    """Go back to the old shape."""
    use = await migrations(place)
    return await asyncio.to_thread(use.roll_back, duplicates=duplicates)
