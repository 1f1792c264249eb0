"""Making pictures, step by step, for images and for the slides of carousels. Every step can be repeated.

Each write is one transaction that begins with the fence.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from uuid import UUID

from PIL import Image
from pydantic import BaseModel, JsonValue
from sqlmodel import Session

from maquette.db.types import now
from maquette.errors import Filtered, MaquetteError, MediaError, is_outage
from maquette.images.models import KIND, ImagesResult, ItemRef, PictureBrief, RawPicture
from maquette.images.rules import image_public_id, tags_of
from maquette.journal import operations
from maquette.journal import service as journal
from maquette.journal.models import CallState, ProviderCall
from maquette.library import service as library
from maquette.library.service import Shown
from maquette.media.slides import fit_background, save_image
from maquette.orders import service as orders
from maquette.orders.models import Lease, OrderItem
from maquette.orders.policy import JITTER, is_passing, short_pause_s
from maquette.providers.clips.port import OperationStatus
from maquette.providers.images.port import ImageRequest
from maquette.rehearsal import crash_point
from maquette.storage.port import StoredFile
from maquette.workshop import Workshop


class Judged(BaseModel):
    """When an item is tried again in this run, whether it has ended, and what to write in the log."""

    again_in_s: float | None = None
    ended: bool = False
    reason: str


def open_items(workshop: Workshop, lease: Lease) -> list[ItemRef]:
    """The items that are still to be made, by number."""
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        found = orders.items_of(session, lease.job_id, only_open=True)
        return [ItemRef(id=item.id, number=item.sequence_number) for item in found]


def submit_picture(workshop: Workshop, lease: Lease, item_id: UUID) -> UUID:
    """Order the item's picture at the provider unless it was; the id of its journal call.

    An equal request that was answered before, for the same brand unless the settings allow others, is answered
    from the cache and costs nothing. Raises the provider's translated error, journalled.
    """
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        request, files = _request(session, workshop, orders.get_item(session, item_id))
        key = call_key(workshop, lease, item_id, request)
        if journal.find_call(session, key) is None:
            source = journal.cached_answer(session, key, across_brands=workshop.settings.cache_across_brands)
            if source is not None and workshop.store.exists(RawPicture.model_validate(source.result).file.key):
                return journal.answer_from_cache(session, key, source).id
    call = journal.submit_once(
        workshop.database,
        key,
        _Submitter(workshop, request, files),
        cost_micros=workshop.images.profile.price_micros_per_image,
        guard=partial(orders.guard, lease=lease),
        breaker_base_s=workshop.settings.breaker_base_s,
    )
    return call.id


def is_under_way(workshop: Workshop, lease: Lease, item_id: UUID) -> bool:
    """Was the item's picture ordered already, by an attempt that broke off?"""
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        request, _ = _request(session, workshop, orders.get_item(session, item_id))
        call = journal.find_call(session, call_key(workshop, lease, item_id, request))
        return call is not None and call.operation_id is not None


def look_at_picture(workshop: Workshop, lease: Lease, call_id: UUID) -> OperationStatus:
    """One look at the picture's operation. Raises as ``operations.look`` does."""
    with workshop.database.begin() as session:
        claimed_at = orders.get_job(session, lease.job_id).claimed_at or now(session)
    return operations.look(
        workshop.database,
        workshop.images,
        operations.call_of(workshop.database, call_id),
        claimed_at=claimed_at,
        timeout_s=workshop.settings.image_timeout_s,
        guard=partial(orders.guard, lease=lease),
    )


def fetch_picture(workshop: Workshop, lease: Lease, call_id: UUID) -> StoredFile:
    """The picture as the provider made it, fetched once and kept.

    Raises ``MediaError`` when it is no picture (its call is then journalled as failed), ``StorageError``,
    ``ProviderError``.
    """
    call = operations.call_of(workshop.database, call_id)
    if call.state == CallState.SUCCEEDED:
        raw = RawPicture.model_validate(call.result)
        if workshop.store.exists(raw.file.key):
            return raw.file
    made = workshop.images.fetch(operations.operation_of(call), workshop.store.temporary(".picture"))
    crash_point("after-fetch")
    try:
        _require_picture(made)
    except MediaError as error:
        made.unlink(missing_ok=True)
        guard = partial(orders.guard, lease=lease)
        operations.record_failure(workshop.database, workshop.images, call_id, error, guard=guard)
        raise
    file = workshop.store.put(made)
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        journal.record_success(session, call.id, RawPicture(file=file).model_dump(mode="json"))
        library.add(
            session,
            file,
            subject=lease.subject,
            kind="raw_image",
            provenance=provenance_of(call, lease),
            shown=Shown(brand_id=lease.brand_id, order_id=lease.order_id),
        )
    return file


def deliver_image(workshop: Workshop, lease: Lease, item_id: UUID, call_id: UUID) -> UUID:
    """Bring the picture to its size, keep it, and end its item well; the asset's id.

    Raises ``MediaError``, ``StorageError``, ``StaleLease``.
    """
    call = operations.call_of(workshop.database, call_id)
    raw = fetch_picture(workshop, lease, call_id)
    with workshop.database.begin() as session:
        item = orders.get_item(session, item_id)
    brief = PictureBrief.model_validate(item.brief)
    file = fitted(workshop, raw, brief.width, brief.height)
    crash_point("before-settle")
    with workshop.database.begin() as session:
        orders.guard(session, lease, settle=True)
        moment = now(session)
        asset = library.add(
            session,
            file,
            subject=lease.subject,
            kind=KIND,
            provenance=provenance_of(call, lease) | {"parents": [raw.sha256], "variant": brief.variant},
            shown=Shown(
                brand_id=lease.brand_id,
                order_id=lease.order_id,
                item_id=item_id,
                listed=True,
                title=brief.topic,
                ratio=brief.ratio,
                width=brief.width,
                height=brief.height,
                public_id=image_public_id(lease.brand_id, lease.order_id, at_ms=int(moment.timestamp() * 1000)),
                tags=tags_of(brand_id=lease.brand_id, order_id=lease.order_id, kind=KIND, ratio=brief.ratio),
                text={"alt": brief.topic},
                expires_at=library.expiry(moment, workshop.settings),
            ),
        )
        name = f"{lease.subject}/image_{item.sequence_number}{Path(file.key).suffix}"
        workshop.store.publish(file.key, name)
        orders.complete_item(session, lease, item_id)
    return asset.id


def fitted(workshop: Workshop, raw: StoredFile, width: int, height: int) -> StoredFile:
    """The picture cut and scaled to its size; itself where it has it. Raises ``MediaError``."""
    path = workshop.store.path(raw.key)
    with Image.open(path) as picture:
        if picture.size == (width, height) and picture.format in ("JPEG", "PNG"):
            return raw
    made = workshop.store.temporary(".jpg")
    save_image(fit_background(path, width, height), made)
    return workshop.store.put(made)


def judge(
    workshop: Workshop,
    lease: Lease,
    item_id: UUID,
    error: MaquetteError,
    *,
    failures: int,
    random: Random,
    ending: Callable[[Session], AbstractContextManager[None]] = lambda session: nullcontext(),
) -> Judged:
    """Write down why an item failed, and say whether this run tries it again.

    A refused picture is reworded once, at once; a provider that is out of service for a moment is waited for. What
    may pass is left open for the job's next attempt, and what cannot pass ends the item and refunds it; neither
    stops the others. ``failures`` are the item's earlier ones in this run. An item ends within ``ending``, which locks
    the thing that is made as it begins: after the item, before the month's counters.
    """
    with workshop.database.begin() as session:
        orders.guard(session, lease, settle=True)
        item = orders.get_item(session, item_id)
        reason = f"{item.kind} {item.sequence_number}: {error}"
        if isinstance(error, Filtered) and not item.reworded:
            item.reworded = True
            item.tries += 1
            return Judged(again_in_s=0, reason=reason)
        if (pause_s := short_pause_s(error, failures=failures)) is not None:
            return Judged(again_in_s=pause_s * (1 + random.uniform(0, JITTER)), reason=reason)
        if is_outage(error) or is_passing(error):
            # Only a call that has ended is followed by another: what still runs, or could not be kept, is paid for.
            if isinstance(error, MediaError) or error.values.get("operation_ended"):
                item.tries += 1
            item.error_code, item.error_message = error.code, str(error)
            item.error_values = {key: str(value) for key, value in error.values.items()}
            return Judged(reason=reason)
    with workshop.database.begin() as session:
        orders.guard(session, lease, settle=True)
        with ending(session):
            orders.fail_item(session, lease, item_id, error)
    return Judged(ended=True, reason=reason)


def result_of(workshop: Workshop, lease: Lease) -> ImagesResult:
    """What the order's run made."""
    with workshop.database.begin() as session:
        job = orders.get_job(session, lease.job_id)
        items = [item.id for item in orders.items_of(session, lease.job_id)]
        return ImagesResult(
            order_id=lease.order_id,
            subject=lease.subject,
            status=str(job.status),
            assets=[asset.id for asset in library.delivered(session, items)],
            cost_micros=journal.total_micros(session, lease.subject),
        )


def provenance_of(call: ProviderCall, lease: Lease) -> dict[str, JsonValue]:
    """Where a picture came from, for its asset."""
    return {
        "provider": call.provider,
        "model": call.model,
        "request": call.request,
        "prompt": str(call.request.get("prompt", "")),
        "seed": call.request.get("seed"),
        "call_id": str(call.id),
        "operation_id": call.operation_id,
        "cost_micros": call.cost_micros,
        "cached_from": str(call.cached_from) if call.cached_from else None,
        "attempt": lease.attempt,
    }


def call_key(workshop: Workshop, lease: Lease, item_id: UUID, request: ImageRequest) -> journal.CallKey:
    """The journal's key. Number and try tell calls apart, not pictures: the cache does not look at them."""
    profile = workshop.images.profile
    return journal.CallKey(
        account=lease.subject,
        brand_id=lease.brand_id,
        order_id=lease.order_id,
        subject=f"item:{item_id}",
        step=f"image-{request.attempt}",
        provider=profile.provider,
        model=profile.model,
        request=request.model_dump(mode="json", exclude={"number", "attempt"}),
    )


class _Submitter:
    """The journal's view of the image provider, for one request."""

    def __init__(self, workshop: Workshop, request: ImageRequest, files: Sequence[Path]) -> None:
        self._workshop, self._request, self._files = workshop, request, list(files)

    def submit(self, reference: str) -> str:
        return self._workshop.images.submit(self._request, reference=reference, files=self._files)

    def find(self, reference: str, *, since: datetime) -> str | None:
        return self._workshop.images.find(reference, since=since)


def _request(session: Session, workshop: Workshop, item: OrderItem) -> tuple[ImageRequest, list[Path]]:
    brief = PictureBrief.model_validate(item.brief)
    assets = [library.get(session, asset_id) for asset_id in brief.references]
    request = brief.request(
        number=item.sequence_number,
        attempt=item.tries + 1,
        reworded=item.reworded,
        references=tuple(asset.sha256 for asset in assets),
    )
    return request, [workshop.store.path(asset.key) for asset in assets]


def _require_picture(path: Path) -> None:
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(f"what the provider sent is no picture ({error})") from error
