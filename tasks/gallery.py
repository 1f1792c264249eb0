"""What the run page of images and carousels shows: a progress bar, a gallery, and a table of what was delivered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prefect.artifacts import acreate_table_artifact

from maquette.library import service as library
from maquette.media.stills import contact_sheet
from maquette.orders import service as orders
from maquette.orders.documents import item_documents
from maquette.orders.models import ItemStatus, Lease
from maquette.workshop import workshop
from tasks import artifacts


@asynccontextmanager
async def progress(lease: Lease) -> AsyncIterator[None]:
    """Keep a progress artifact at the share of items that have ended."""

    def read() -> tuple[int, str]:
        with workshop().database.begin() as session:
            states = [item.status for item in orders.items_of(session, lease.job_id)]
        ended = sum(state not in orders.OPEN for state in states)
        return 100 * ended // len(states), f"{states.count(ItemStatus.COMPLETED)} of {len(states)} delivered"

    async with artifacts.progress(lease, read, title=lease.subject):
        yield


async def pictures(lease: Lease) -> None:
    """The pictures of the order on one sheet, and what each of its items came to."""
    with artifacts.telling():
        sheet = await asyncio.to_thread(_sheet, lease)
        if sheet is not None:
            try:
                await artifacts.image(lease, "gallery", sheet, "Gallery")
            finally:
                sheet.unlink()
    with artifacts.telling():
        rows = await asyncio.to_thread(_rows, lease)
        await acreate_table_artifact(rows, key=artifacts.key(lease, "items"), description=f"Items of {lease.subject}")


def _sheet(lease: Lease) -> Path | None:
    work = workshop()
    with work.database.begin() as session:
        items = [item.id for item in orders.items_of(session, lease.job_id)]
        paths = [work.store.path(asset.key) for asset in library.delivered(session, items)]
    if not paths:
        return None
    made = work.store.temporary(".png")
    contact_sheet(paths, made)
    return made


def _rows(lease: Lease) -> list[dict[str, object]]:
    with workshop().database.begin() as session:
        found = item_documents(session, orders.items_of(session, lease.job_id))
    return [
        {
            "item": f"{item.kind} {item.sequence_number}",
            "status": item.status,
            "budget": item.reservation,
            "error": item.reason or "",
            "asset": str(item.asset_id or ""),
        }
        for item in found
    ]
