"""Old rows become new documents: planned, backed up, rehearsed, moved, checked, watched; and the way back."""

from typing import Annotated
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput
from prefect.states import Cancelled, Failed
from pydantic import Field

from maquette.errors import InvalidInput
from maquette.migrating.models import ENDED, Duplicates, Options, Plan, Result, RunStatus
from tasks import migration as tasks
from tasks.form import form_field

DatabaseField = Annotated[
    str,
    form_field("Database", "Name of a block of type Maquette database; empty is Maquette's own.", max_length=200),
]
MigrationField = Annotated[str, form_field("Migration", "Its name, such as manga_scripts.", max_length=40)]
FolderField = Annotated[str, form_field("Folder", "Where the migration's file is, on the worker.", max_length=4096)]
RunField = Annotated[UUID | None, form_field("Run", "The migration's run; empty is the one that is open.")]
_CAREFUL = Options()


class Decision(RunInput):
    """The form of an approval."""

    approved: bool = Field(True, title="Approved", description="No ends this run; the database stays as it is.")
    note: str = Field("", title="Note", max_length=2000)


@flow(name="migrate-documents", persist_result=True)
async def migrate_documents(
    migration: MigrationField = "",
    database: DatabaseField = "",
    folder: FolderField = tasks.FOLDER,
    approve: Annotated[
        str, form_field("Approve", "The plan's hash; empty shows the plan and asks.", max_length=64)
    ] = "",
    dry_run: Annotated[bool, form_field("Dry run", "Only make the plan.")] = False,
    resume: Annotated[bool, form_field("Resume", "Go on with the open run, where an earlier one stopped.")] = False,
    options: Annotated[Options, form_field("Options", "How carefully; the defaults suit most.")] = _CAREFUL,
) -> Plan | Result | State[None]:
    """Plan, wait for the approval of that very plan, and carry it out up to the last cohort.

    It ends when all reads are new and both shapes are kept: the way back is a flip until the contract.
    """
    place = _place(database, migration, folder)
    if not resume and not approve:
        plan = await tasks.show_plan(place, options)
        if dry_run:
            return plan
        if plan.refusals:
            return Failed(message="; ".join(plan.refusals))
        # The key is what was seen: another plan is another question.
        decision = await asuspend_flow_run(
            wait_for_input=Decision.with_initial_data(
                description=(
                    f"**{plan.migration}** on {plan.table}: {plan.rows:,} rows, {plan.rows_to_archive:,} duplicates go "
                    f"to the archive, about {plan.estimate_s:,.0f} s. Plan `{plan.hash[:16]}`. This run's artifacts "
                    "show all of it."
                )
            ),
            key=f"approve-{plan.hash[:16]}",
        )
        if not decision.approved:
            return Cancelled(message=f"the plan was not approved: {decision.note or 'no reason given'}")
        approve = plan.hash
    run_id: UUID | None = None
    try:
        async with tasks.holding(place, approve=approve, options=options, resume=resume) as run_id:
            for phase in tasks.PHASES:
                await tasks.carry_out(run_id, phase)
    except Exception:
        if run_id is not None:
            await tasks.show_result(place, run_id)
        raise
    return await _ended(place, run_id)


@flow(name="follow-migration", persist_result=True)
async def follow_migration(
    migration: MigrationField = "",
    database: DatabaseField = "",
    folder: FolderField = tasks.FOLDER,
    for_s: Annotated[float, form_field("Seconds", "0 brings both shapes together once.", ge=0, le=864_000)] = 0.0,
) -> Result:
    """Keep both shapes together while a migration soaks; readers of the view are right without it."""
    return await tasks.follow(_place(database, migration, folder), for_s=for_s)


@flow(name="contract-migration", persist_result=True)
async def contract_migration(
    migration: MigrationField = "",
    database: DatabaseField = "",
    folder: FolderField = tasks.FOLDER,
    approve: Annotated[
        str, form_field("Approve", "Hash of the contract; empty shows it and asks.", max_length=64)
    ] = "",
) -> Result | State[None]:
    """Move the documents into their old place and take the scaffold down; afterwards there is no way back."""
    place = _place(database, migration, folder)
    if not approve:
        plan = await tasks.show_contract(place)
        if plan.refusals:
            return Failed(message="; ".join(plan.refusals))
        decision = await asuspend_flow_run(
            wait_for_input=Decision.with_initial_data(
                description=(
                    f"**{migration}**: {plan.rows:,} documents take their old place, and the old shape is given up. "
                    f"Contract `{plan.hash[:16]}`. The archive and the backup stay."
                )
            ),
            key=f"contract-{plan.hash[:16]}",
        )
        if not decision.approved:
            return Cancelled(message=f"the contract was not approved: {decision.note or 'no reason given'}")
        approve = plan.hash
    return await tasks.contract(place, approve=approve)


@flow(name="roll-back-migration", persist_result=True)
async def roll_back_migration(
    migration: MigrationField = "",
    database: DatabaseField = "",
    folder: FolderField = tasks.FOLDER,
    duplicates: Annotated[
        Duplicates | None, form_field("Duplicates", "What becomes of archived duplicates; empty is as was planned.")
    ] = None,
) -> Result:
    """Read the old shape again, at once, with every write made since; then take the scaffold down."""
    return await tasks.roll_back(_place(database, migration, folder), duplicates=duplicates)


def _place(database: str, migration: str, folder: str) -> tasks.Place:
    if not migration:
        raise InvalidInput("nothing to migrate: fill in the migration's name, such as manga_scripts")
    return tasks.Place(database=database, migration=migration, folder=folder)


async def _ended(place: tasks.Place, run_id: UUID) -> Result | State[None]:
    result = await tasks.show_result(place, run_id)
    if result.status == RunStatus.SOAKING or result.status in ENDED - {RunStatus.ROLLED_BACK}:
        return result
    return Failed(message=f"run {run_id} is {result.status.value}: {result.error or 'see its artifacts'}")
