"""The steps of drafts as Prefect tasks: retries, limits and names; the work is in ``maquette``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import Final
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import acreate_table_artifact
from prefect.concurrency.asyncio import concurrency

from maquette.drafts import legacy, production, publication, texts
from maquette.drafts.legacy import MigrationReport
from maquette.drafts.models import IMAGE, LOOP, SONG, Approval
from maquette.drafts.production import DraftResult, PartRef
from maquette.drafts.publication import Readiness
from maquette.drafts.service import Drafts
from maquette.errors import InvalidInput, MaquetteError, MediaError, ProviderError, StorageError, is_outage
from maquette.media.stills import contact_sheet
from maquette.orders.models import Lease
from maquette.providers.clips.port import OperationState
from maquette.publishing.models import Published
from maquette.workshop import Workshop, workshop
from tasks import artifacts
from tasks.retrying import KEPT, RETRIES

# What one part may fail with while the others go on.
_OF_ONE_PART: Final = (ProviderError, MediaError, StorageError, InvalidInput)
_LIMITS: Final = {IMAGE: "images", LOOP: "loops", SONG: "music"}
_NAMES: Final = {IMAGE: "picture", LOOP: "loop", SONG: "song"}


@task(name="write-concepts", task_run_name="find the concepts", **KEPT)
async def write_concepts(lease: Lease) -> int:
    """Write the concepts that are missing; the number of the draft's assets."""
    return await asyncio.to_thread(texts.write_concepts, workshop(), lease)


async def open_parts(lease: Lease) -> list[PartRef]:
    """The parts that are still to be made."""
    return await asyncio.to_thread(production.open_parts, workshop(), lease)


@task(name="submit-part", task_run_name="order {name}", **KEPT)
async def submit_part(lease: Lease, item: PartRef, *, name: str) -> UUID:
    """Order one part; its journal call."""
    return await asyncio.to_thread(production.submit, workshop(), lease, item)


@task(name="wait-for-part", task_run_name="wait for {name}", **KEPT, **RETRIES)
async def wait_for_part(lease: Lease, item: PartRef, call_id: UUID, *, name: str) -> None:
    """Look until the operation has ended."""
    work = workshop()
    settings = work.settings
    pause_s = {IMAGE: settings.image_poll_s, LOOP: settings.loop_poll_s, SONG: settings.music_poll_s}[item.kind]
    while True:
        status = await asyncio.to_thread(production.look, work, lease, item, call_id)
        if status.state is OperationState.SUCCEEDED:
            return
        await asyncio.sleep(pause_s)


@task(name="deliver-part", task_run_name="deliver {name}", **KEPT, **RETRIES)
async def deliver_part(lease: Lease, item: PartRef, call_id: UUID, *, name: str) -> UUID:
    """Fetch the part, bring it into its form and settle its item; its asset."""
    return await asyncio.to_thread(production.deliver, workshop(), lease, item, call_id)


async def make_parts(lease: Lease, items: list[PartRef]) -> None:
    """Make the parts in parallel, each asset's picture before its loop; one failure leaves the rest.

    Raises the first failure that another attempt may mend.
    """
    settings = workshop().settings
    # A slot that is refused is asked for again only seconds later: this run asks when one of its own is free.
    turns = {
        IMAGE: asyncio.Semaphore(settings.image_concurrency),
        LOOP: asyncio.Semaphore(settings.loop_concurrency),
        SONG: asyncio.Semaphore(settings.music_concurrency),
    }
    chains: dict[str, list[PartRef]] = {}
    for item in sorted(items, key=lambda item: (IMAGE, LOOP, SONG).index(item.kind)):
        chains.setdefault(item.part, []).append(item)
    outcomes = await asyncio.gather(*(_chain(lease, chain, turns) for chain in chains.values()), return_exceptions=True)
    raised = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    # What uses up an attempt, or must stop the run, goes before what only waits for a provider.
    for outcome in sorted(raised, key=is_outage):
        raise outcome


async def draft_result(lease: Lease) -> DraftResult:
    """What the run made."""
    return await asyncio.to_thread(production.result_of, workshop(), lease)


@asynccontextmanager
async def progress(lease: Lease) -> AsyncIterator[None]:
    """Keep a progress artifact at where the draft stands."""

    def read() -> tuple[int, str]:
        status = _drafts(workshop()).status(texts.draft_id_of(lease))
        return status.progress, status.current_step

    async with artifacts.progress(lease, read, title=f"Draft {texts.draft_id_of(lease)}"):
        yield


async def show_pictures(lease: Lease) -> None:
    """The draft's pictures on one sheet, and what each of its assets came to."""
    work, draft_id = workshop(), texts.draft_id_of(lease)
    await _show_sheet(artifacts.key(lease, "contact-sheet"), draft_id)
    with artifacts.telling():
        rows = await asyncio.to_thread(_rows, work, draft_id)
        await acreate_table_artifact(rows, key=artifacts.key(lease, "assets"), description=f"Assets of {draft_id}")


@task(name="look-at-draft", task_run_name="look at draft {draft_id}", **KEPT)
async def look_at_draft(draft_id: str, *, waiting_run_id: UUID | None) -> Readiness:
    """What would be published now, and whether it waits for an approval."""
    drafts = _drafts(workshop())
    return await asyncio.to_thread(publication.readiness, drafts, draft_id, waiting_run_id=waiting_run_id)


@task(name="approve-draft", task_run_name="record the decision on {draft_id}", **KEPT)
async def record_decision(draft_id: str, decision: Approval) -> None:
    """Keep what somebody decided about what they saw."""
    await asyncio.to_thread(_drafts(workshop()).approve, draft_id, decision)


@task(name="publish-draft", task_run_name="publish draft {draft_id}", **KEPT)
async def publish_draft(draft_id: str) -> Published:
    """Bring the draft to production."""
    return await asyncio.to_thread(publication.publish, _drafts(workshop()), draft_id)


@task(name="plan-publication", task_run_name="compare draft {draft_id} with production", **KEPT)
async def show_plan(draft_id: str) -> int:
    """The draft's pictures, and what publishing would change, on the run's page; how many changes."""
    await _show_sheet(f"draft-{draft_id}-contact-sheet", draft_id)
    changes = await asyncio.to_thread(publication.plan, _drafts(workshop()), draft_id)
    rows = [
        {"change": change.kind, "where": change.where, "which": change.key, "before": str(change.before or ""),
         "after": str(change.after or "")}
        for change in changes
    ]  # fmt: skip
    with artifacts.telling():
        await acreate_table_artifact(rows, key=f"draft-{draft_id}-plan", description=f"Publishing draft {draft_id}")
    return len(changes)


@task(name="migrate-universes", task_run_name="bring {path} to drafts", **KEPT)
async def migrate_legacy(path: str, *, dry_run: bool) -> MigrationReport:
    """Make a draft of each universe; what became of each is a table on the run's page."""
    work = workshop()
    report = await asyncio.to_thread(
        legacy.migrate_legacy, work.database, work.store, work.settings, Path(path), dry_run=dry_run
    )
    rows = [
        {"universe": each.folder, "state": each.state, "draft": each.draft_id or "", "items": each.items,
         "media": each.media, "missing": each.missing, "reason": each.reason or "; ".join(each.remarks)}
        for each in report.universes
    ]  # fmt: skip
    with artifacts.telling():
        await acreate_table_artifact(rows, key="migrate-legacy", description=f"Universes of {report.root}")
    return report


async def _chain(lease: Lease, chain: list[PartRef], turns: dict[str, asyncio.Semaphore]) -> None:
    for item in chain:
        await _make(lease, item, turns[item.kind])


async def _make(lease: Lease, item: PartRef, turn: asyncio.Semaphore) -> None:
    log, name = get_run_logger(), f"{_NAMES[item.kind]} {item.part}"
    for failures in count():
        try:
            if item.kind == LOOP:
                await asyncio.to_thread(production.require_picture, workshop(), lease, item)
            async with turn, _provider_slot(lease, item):
                call_id = await submit_part(lease, item, name=name)
                await wait_for_part(lease, item, call_id, name=name)
            await deliver_part(lease, item, call_id, name=name)
            return
        except MaquetteError as error:
            if not isinstance(error, _OF_ONE_PART) and error.code != "picture_missing":
                raise
            judged = await asyncio.to_thread(
                production.judge, workshop(), lease, item, error, failures=failures, random=Random()
            )
            if judged.again_in_s is not None:
                log.warning("%s; again in %.1f s", judged.reason, judged.again_in_s)
                await asyncio.sleep(judged.again_in_s)
                continue
            log.warning("%s; %s", judged.reason, "given up" if judged.ended else "left to the next attempt")
            if judged.ended:
                return
            raise


@asynccontextmanager
async def _provider_slot(lease: Lease, item: PartRef) -> AsyncIterator[None]:
    """Hold one of the provider's slots, Prefect's global limit ``loops-<provider>`` …, unless it is under way."""
    work = workshop()
    profile = (work.images if item.kind == IMAGE else production.provider_of(work, item.kind)).profile
    if profile.local or await asyncio.to_thread(production.is_under_way, work, lease, item):
        yield
        return
    async with concurrency(f"{_LIMITS[item.kind]}-{profile.provider}", lease_duration=60):
        yield


async def _show_sheet(key: str, draft_id: str) -> None:
    with artifacts.telling():
        sheet = await asyncio.to_thread(_sheet, workshop(), draft_id)
        if sheet is not None:
            try:
                await artifacts.picture_of(key, sheet, f"Contact sheet of draft {draft_id}")
            finally:
                sheet.unlink()


def _drafts(work: Workshop) -> Drafts:
    return Drafts(work.database, work.store, work.settings)


def _sheet(work: Workshop, draft_id: str) -> Path | None:
    drafts = _drafts(work)
    folder = drafts.folder_of(draft_id) / "assets"
    there = [a for a in drafts.assets(draft_id) if a.image_file and (folder / a.image_file).exists()]
    if not there:
        return None
    made = work.store.temporary(".png")
    contact_sheet(
        [folder / str(asset.image_file) for asset in there],
        made,
        title=drafts.get(draft_id).name,
        labels=[asset.display_name for asset in there],
    )
    return made


def _rows(work: Workshop, draft_id: str) -> list[dict[str, object]]:
    drafts = _drafts(work)
    failures = {(failure.asset, failure.part): failure.message for failure in drafts.status(draft_id).failures}
    return [
        {
            "asset": f"{asset.id} {asset.display_name}",
            "picture": failures.get((asset.id, "image"), asset.image_file if asset.image_sha256 else ""),
            "loop": failures.get((asset.id, "video"), asset.video_file if asset.video_sha256 else ""),
            **asset.titles,
        }
        for asset in drafts.assets(draft_id)
    ]
