"""A theme becomes an illustrated universe; a universe goes to production; old universes become drafts."""

from typing import Annotated
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput
from prefect.states import Cancelled, Failed
from pydantic import Field

from blocks.providers import chosen
from maquette.drafts.legacy import MigrationReport
from maquette.drafts.models import MAX_ASSETS, Approval, Making, NewDraft
from maquette.drafts.production import DraftResult
from maquette.drafts.service import Drafts
from maquette.errors import Conflict, InvalidInput, LeaseHeld, StaleLease
from maquette.intake.service import Intake
from maquette.publishing.models import Published
from maquette.settings import get_settings
from maquette.workshop import Workshop, open_workshop
from tasks import draft as tasks
from tasks.attempt import attempt, this_run
from tasks.form import JobField, form_field


@flow(name="generate-draft", persist_result=True)
async def generate_draft(
    theme: Annotated[str, form_field("Theme", "What the universe is about.", max_length=120)] = "",
    name: Annotated[str, form_field("Name", "Of the new draft; empty takes the theme.", max_length=120)] = "",
    num_assets: Annotated[int, form_field("Assets", "How many concepts.", ge=1, le=MAX_ASSETS)] = 10,
    draft_id: Annotated[str, form_field("Draft", "A draft that is there; empty makes a new one.", max_length=8)] = "",
    force_regenerate: Annotated[bool, form_field("All anew", "Make again what is there already.")] = False,
    seed: Annotated[int, form_field("Seed", "Another seed makes another universe.", ge=0, lt=2**31)] = 0,
    require_approval: Annotated[bool, form_field("Approval", "Publishing waits until somebody approves.")] = False,
    brand_id: Annotated[UUID | None, form_field("Brand", "Whose budget pays; empty takes no budget.")] = None,
    job_id: JobField = None,
) -> DraftResult | State[None]:
    """Find the concepts, paint every picture, move it, sing in every language.

    Started by hand, the run takes its parameters through the same intake as every other order.
    """

    def intake(work: Workshop, key: str, run_id: UUID | None) -> UUID:
        chosen_id = draft_id or _new_draft(work)
        making = Making(num_assets=num_assets, force_regenerate=force_regenerate)
        accepted = Intake(work.database, work.store, work.settings).generate_draft(
            chosen_id, making, key=key, flow_run_id=run_id
        )
        if accepted.job_id is None:
            raise Conflict(f"nothing of draft {chosen_id} is missing: choose more assets, or all anew")
        return accepted.job_id

    def _new_draft(work: Workshop) -> str:
        if not theme.strip():
            raise InvalidInput("a draft needs a theme: fill it in, or name a draft that is there")
        new = NewDraft(name=name or theme, theme=theme, seed=seed, require_approval=require_approval, brand_id=brand_id)
        return Drafts(work.database, work.store, work.settings).create(new, source=f"prefect:{this_run()}").draft_id

    try:
        async with attempt(job_id, intake) as lease, tasks.progress(lease):
            await tasks.write_concepts(lease)
            await tasks.make_parts(lease, await tasks.open_parts(lease))
            await tasks.show_pictures(lease)
            result = await tasks.draft_result(lease)
            if result.status == "failed":
                return Failed(message=f"draft {result.draft_id}: {result.message}")
            return result
    except (LeaseHeld, StaleLease) as error:
        return Cancelled(message=str(error))


class Decision(RunInput):
    """The form of an approval."""

    approved: bool = Field(True, title="Approved", description="No ends this publication; nothing is published.")
    note: str = Field("", title="Note", max_length=2000)


@flow(name="publish-draft", persist_result=True)
async def publish_draft(
    draft_id: Annotated[str, form_field("Draft", "The draft's id, 8 hexadecimal digits.", max_length=8)] = "",
    dry_run: Annotated[bool, form_field("Dry run", "Only show what would change in production.")] = False,
) -> Published | int | State[None]:
    """Compare with production, wait for an approval where the draft asks for one, publish.

    An approval is bound to what was seen: a draft that changes meanwhile is asked about again.
    """
    if not draft_id:
        raise InvalidInput("nothing to publish: fill in the draft's id, which its page and `maquette draft list` show")
    open_workshop(await chosen(get_settings()))
    changes = await tasks.show_plan(draft_id)
    if dry_run:
        return changes
    while (seen := await tasks.look_at_draft(draft_id, waiting_run_id=this_run())).needs_approval:
        if seen.refusal is not None:
            return _refused(draft_id, seen.refusal)
        # The key is what was seen: the same question is asked once, another one anew.
        decision = await asuspend_flow_run(
            wait_for_input=Decision.with_initial_data(
                description=(
                    f"**{seen.name}** ({draft_id}): {seen.assets} assets, {seen.songs} songs, {changes} changes in "
                    f"production. Content `{seen.content_hash[:16]}`. This run's artifacts show its pictures and the "
                    "changes."
                )
            ),
            key=f"approve-{seen.question}",
        )
        approval = Approval(content_hash=seen.content_hash, approved=decision.approved, note=decision.note)
        try:
            await tasks.record_decision(draft_id, approval)
        except Conflict as error:
            get_run_logger().warning("%s", error)
            continue
        if not decision.approved:
            return _refused(draft_id, decision.note)
    return await tasks.publish_draft(draft_id)


def _refused(draft_id: str, note: str) -> State[None]:
    return Cancelled(message=f"draft {draft_id} was not approved: {note or 'no reason given'}")


@flow(name="migrate-legacy", persist_result=True)
async def migrate_legacy(
    path: Annotated[
        str, form_field("Path", "Folder on the worker's machine, such as storage/univers.", max_length=4096)
    ] = "",
    dry_run: Annotated[bool, form_field("Dry run", "Only report what would become of each universe.")] = False,
) -> MigrationReport | State[None]:
    """Bring the folders of universes of the older systems to drafts; the folders stay untouched."""
    if not path:
        raise InvalidInput("nothing to migrate: fill in the folder of the universes, such as storage/univers")
    open_workshop(await chosen(get_settings()))
    report = await tasks.migrate_legacy(path, dry_run=dry_run)
    failed = [universe for universe in report.universes if universe.state == "failed"]
    if failed:
        names = ", ".join(universe.folder for universe in failed)
        return Failed(message=f"{len(failed)} of {len(report.universes)} universes failed: {names}; see the table")
    return report
