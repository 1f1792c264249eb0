"""Making the parts of a draft, step by step: pictures, loops, songs. Every step can be repeated.

Each write is one transaction that begins with the fence. Pictures are ordered as those of images are; loops and
songs go the same way through their own ports.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol
from uuid import UUID

from pydantic import BaseModel, JsonValue
from sqlmodel import Session

from maquette.db.types import now
from maquette.drafts import repository
from maquette.drafts.changes import touch
from maquette.drafts.concepts import file_stem
from maquette.drafts.documents import draft_document, progress, whole
from maquette.drafts.folder import follow
from maquette.drafts.models import IMAGE, LOOP, SONG
from maquette.drafts.prompts import prompts_of
from maquette.drafts.tables import Draft, DraftAsset
from maquette.drafts.texts import draft_id_of, write_song
from maquette.drafts.wording import concept_name, image_prompt, video_prompt
from maquette.errors import InvalidInput, MaquetteError, MediaError
from maquette.images import production as pictures
from maquette.images.models import PictureBrief
from maquette.images.production import Judged, provenance_of
from maquette.images.rules import SIZES, item_seed
from maquette.images.service import REWORDED
from maquette.journal import operations
from maquette.journal import service as journal
from maquette.journal.models import CallState, ProviderCall
from maquette.library import service as library
from maquette.library.service import Shown
from maquette.media.loops import normalise_loop, thumbnail
from maquette.media.slides import fit_background, save_image
from maquette.media.songs import check_song
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus, Lease, OrderItem
from maquette.providers.catalogue import Profile
from maquette.providers.clips.port import OperationStatus
from maquette.providers.loops.port import LoopRequest
from maquette.providers.music.port import MusicRequest
from maquette.rehearsal import crash_point
from maquette.storage.port import StoredFile
from maquette.workshop import Workshop

# Each take is another picture of the same concept.
_TAKE = 1000
NEUTRAL_MOTION = "A calm, gentle movement, child-friendly."
NEUTRAL_STYLE = "A calm, friendly children's song."


class PartRef(BaseModel):
    """An item of the job: which part of which asset, or which language, it makes."""

    id: UUID
    kind: str
    part: str
    number: int


class RawFile(BaseModel):
    """A loop or a song as its provider made it; what the journal keeps as the call's result."""

    file: StoredFile


class DraftResult(BaseModel):
    """What a finished run returns."""

    order_id: UUID
    draft_id: str
    status: str
    assets: int
    generated_assets: int
    failed_assets: int
    message: str | None
    cost_micros: int
    content_hash: str


class Provider(Protocol):
    """What loops and songs have in common with all operations."""

    profile: Profile

    def find(self, reference: str, *, since: datetime | None = None) -> str | None:
        """The operation of a reference."""
        ...

    def poll(self, operation_id: str) -> OperationStatus:
        """One look."""
        ...

    def fetch(self, operation_id: str, destination: Path) -> Path:
        """The finished file."""
        ...


@dataclass(frozen=True)
class _Call:
    """What is asked for one item, and how."""

    provider: Provider
    request: LoopRequest | MusicRequest
    step: str
    submit_: Callable[[str], str]
    cost_micros: int

    def submit(self, reference: str) -> str:
        """Send."""
        return self.submit_(reference)

    def find(self, reference: str, *, since: datetime) -> str | None:
        """Look up."""
        return self.provider.find(reference, since=since)


def open_parts(workshop: Workshop, lease: Lease) -> list[PartRef]:
    """The items that are still to be made, and the snapshot of what each is made from written where it is missing.

    A part whose template cannot be filled ends with that reason, and the others go on.
    """
    prompts, faults = prompts_of(workshop.settings), dict[UUID, InvalidInput]()
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        draft = repository.get_draft(session, draft_id_of(lease))
        assets = {asset.number: asset for asset in repository.assets_of(session, draft.id)}
        items = orders.items_of(session, lease.job_id, only_open=True)
        for item in items:
            if item.kind == SONG or "prompt" in item.brief:
                continue
            asset, template = assets[int(item.brief["part"])], item.brief.get("new_prompt")
            try:
                if item.kind == IMAGE:
                    brief = _picture(draft, asset, image_prompt(draft, asset, prompts, template=template))
                    item.brief = {**brief.model_dump(mode="json"), **item.brief, "take": asset.takes}
                else:
                    prompt = video_prompt(draft, asset, prompts, template=template)
                    item.brief = {**item.brief, "prompt": prompt, "take": asset.takes}
            except InvalidInput as error:
                faults[item.id] = error
    if faults:
        _fail(workshop, lease, faults)
    return [
        PartRef(id=item.id, kind=item.kind, part=str(item.brief["part"]), number=item.sequence_number)
        for item in items
        if item.id not in faults
    ]


def _fail(workshop: Workshop, lease: Lease, faults: Mapping[UUID, InvalidInput]) -> None:
    with workshop.database.begin() as session:
        orders.guard(session, lease, settle=True)
        draft = repository.get_draft(session, draft_id_of(lease), lock=True)
        job = orders.lock_job(session, lease.job_id)
        for item_id, error in faults.items():
            orders.end(session, job, [orders.get_item(session, item_id)], ItemStatus.FAILED, error=error)
        touch(session, draft)
    follow(workshop.database, workshop.store, workshop.settings, draft.id)


def submit(workshop: Workshop, lease: Lease, item: PartRef) -> UUID:
    """Order the item at its provider unless it was; the id of its journal call.

    An equal request that was answered before, for the same brand unless the settings allow others, is answered from
    the cache. Raises the provider's translated error, journalled; ``MaquetteError`` (``picture_missing``).
    """
    if item.kind == IMAGE:
        return pictures.submit_picture(workshop, lease, item.id)
    call = _call(workshop, lease, item)
    key = _key(lease, item, call)
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        if journal.find_call(session, key) is None:
            source = journal.cached_answer(session, key, across_brands=workshop.settings.cache_across_brands)
            if source is not None and workshop.store.exists(RawFile.model_validate(source.result).file.key):
                return journal.answer_from_cache(session, key, source).id
    return journal.submit_once(
        workshop.database,
        key,
        call,
        cost_micros=call.cost_micros,
        guard=partial(orders.guard, lease=lease),
        breaker_base_s=workshop.settings.breaker_base_s,
    ).id


def is_under_way(workshop: Workshop, lease: Lease, item: PartRef) -> bool:
    """Was the item ordered already, by an attempt that broke off?"""
    if item.kind == IMAGE:
        return pictures.is_under_way(workshop, lease, item.id)
    call = _call(workshop, lease, item)
    with workshop.database.begin() as session:
        found = journal.find_call(session, _key(lease, item, call))
        return found is not None and found.operation_id is not None


def look(workshop: Workshop, lease: Lease, item: PartRef, call_id: UUID) -> OperationStatus:
    """One look at the item's operation. Raises as ``operations.look`` does."""
    if item.kind == IMAGE:
        return pictures.look_at_picture(workshop, lease, call_id)
    with workshop.database.begin() as session:
        claimed_at = orders.get_job(session, lease.job_id).claimed_at or now(session)
    settings = workshop.settings
    return operations.look(
        workshop.database,
        provider_of(workshop, item.kind),
        operations.call_of(workshop.database, call_id),
        claimed_at=claimed_at,
        timeout_s=settings.loop_timeout_s if item.kind == LOOP else settings.music_timeout_s,
        guard=partial(orders.guard, lease=lease),
    )


def deliver(workshop: Workshop, lease: Lease, item: PartRef, call_id: UUID) -> UUID:
    """Bring what was made into its form, keep it, and end the item well; its asset in the library.

    Raises ``MediaError``, ``StorageError``, ``StaleLease``.
    """
    make = {IMAGE: _deliver_image, LOOP: _deliver_loop, SONG: _deliver_song}[item.kind]
    delivered = make(workshop, lease, item, operations.call_of(workshop.database, call_id))
    follow(workshop.database, workshop.store, workshop.settings, draft_id_of(lease))
    return delivered


def judge(
    workshop: Workshop, lease: Lease, item: PartRef, error: MaquetteError, *, failures: int, random: Random
) -> Judged:
    """What becomes of an item that failed, as ``images.production.judge`` rules; its end is told of the draft too."""

    @contextmanager
    def ending(session: Session) -> Iterator[None]:
        draft = repository.get_draft(session, draft_id_of(lease), lock=True)
        yield
        touch(session, draft)

    judged = pictures.judge(workshop, lease, item.id, error, failures=failures, random=random, ending=ending)
    if judged.ended:
        follow(workshop.database, workshop.store, workshop.settings, draft_id_of(lease))
    return judged


def require_picture(workshop: Workshop, lease: Lease, item: PartRef) -> None:
    """A loop needs its picture. Raises ``MaquetteError`` (``picture_missing``)."""
    with workshop.database.begin() as session:
        asset = repository.get_asset(session, draft_id_of(lease), int(item.part))
        # The picture of this very job: a loop of the one before it would show what is being replaced.
        mine = [each for each in orders.items_of(session, lease.job_id) if each.kind == IMAGE]
        failed = any(each.brief["part"] == item.part and each.status != "completed" for each in mine)
        picture = library.get(session, asset.image_id) if asset.image_id else None
    if picture is None or failed or not workshop.store.exists(picture.key):
        raise MaquetteError(
            f"the picture of asset {item.part} is missing: its loop is made when it is there",
            code="picture_missing",
            asset_id=item.part,
        )


def result_of(workshop: Workshop, lease: Lease) -> DraftResult:
    """What the run made."""
    with workshop.database.begin() as session:
        draft = repository.get_draft(session, draft_id_of(lease))
        stands, document = progress(session, draft), draft_document(whole(session, draft))
        return DraftResult(
            order_id=lease.order_id,
            draft_id=draft.id,
            status=stands.status,
            assets=stands.total_assets,
            generated_assets=stands.generated_assets,
            failed_assets=stands.failed_assets,
            message=stands.message,
            cost_micros=journal.total_micros(session, lease.subject),
            content_hash=document.content_hash,
        )


def provider_of(workshop: Workshop, kind: str) -> Provider:
    """Who makes items of that kind."""
    return workshop.loops if kind == LOOP else workshop.music


def _picture(draft: Draft, asset: DraftAsset, prompt: str) -> PictureBrief:
    width, height = SIZES["1:1"]
    return PictureBrief(
        topic=asset.display_name,
        prompt=prompt,
        fallback_prompt=REWORDED["en"].format(topic=concept_name(asset)),
        ratio="1:1",
        width=width,
        height=height,
        seed=item_seed(draft.seed, prompt, asset.number + 1 + _TAKE * asset.takes),
        language="en",
    )


def _call(workshop: Workshop, lease: Lease, item: PartRef) -> _Call:
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        row = orders.get_item(session, item.id)
        draft = repository.get_draft(session, draft_id_of(lease))
    return _loop_call(workshop, lease, draft, row) if item.kind == LOOP else _song_call(workshop, lease, draft, row)


def _loop_call(workshop: Workshop, lease: Lease, draft: Draft, row: OrderItem) -> _Call:
    with workshop.database.begin() as session:
        asset = repository.get_asset(session, draft.id, int(row.brief["part"]))
        assert asset.image_id is not None  # `require_picture` has asked
        picture = library.get(session, asset.image_id)
    request = LoopRequest(
        prompt=NEUTRAL_MOTION if row.reworded else str(row.brief["prompt"]),
        image_sha256=picture.sha256,
        seed=item_seed(draft.seed, asset.display_name, asset.number + 1 + _TAKE * int(row.brief["take"])),
        number=row.sequence_number,
        attempt=row.tries + 1,
    )
    image = workshop.store.path(picture.key)
    return _Call(
        workshop.loops,
        request,
        "loop",
        lambda reference: workshop.loops.submit(request, reference=reference, image=image),
        workshop.loops.profile.price_micros_per_loop,
    )


def _song_call(workshop: Workshop, lease: Lease, draft: Draft, row: OrderItem) -> _Call:
    song = write_song(workshop, lease, row.brief["part"])
    request = MusicRequest(
        lyrics=song.lyrics,
        prompt=NEUTRAL_STYLE if row.reworded else song.prompt,
        language=row.brief["part"],
        seed=item_seed(draft.seed, draft.theme, _TAKE * song.takes),
        number=row.sequence_number,
        attempt=row.tries + 1,
    )
    return _Call(
        workshop.music,
        request,
        "music",
        lambda reference: workshop.music.submit(request, reference=reference),
        workshop.music.profile.price_micros_per_song,
    )


def _key(lease: Lease, item: PartRef, call: _Call) -> journal.CallKey:
    profile = call.provider.profile
    return journal.CallKey(
        account=lease.subject,
        brand_id=lease.brand_id,
        order_id=lease.order_id,
        subject=f"item:{item.id}",
        step=f"{call.step}-{call.request.attempt}",
        provider=profile.provider,
        model=profile.model,
        request=call.request.model_dump(mode="json", exclude={"number", "attempt"}),
    )


def _deliver_image(workshop: Workshop, lease: Lease, item: PartRef, call: ProviderCall) -> UUID:
    raw = pictures.fetch_picture(workshop, lease, call.id)
    with workshop.database.begin() as session:
        brief = PictureBrief.model_validate(orders.get_item(session, item.id).brief)
    made, small = workshop.store.temporary(".png"), workshop.store.temporary(".jpg")
    save_image(fit_background(workshop.store.path(raw.key), brief.width, brief.height), made)
    thumbnail(made, small)
    file, preview = workshop.store.put(made), workshop.store.put(small)
    crash_point("before-settle")
    with workshop.database.begin() as session:
        orders.guard(session, lease, settle=True)
        draft, asset = _locked(session, lease, item)
        whose = _shown(lease, title=asset.display_name, width=brief.width, height=brief.height)
        picture = library.add(
            session, file, subject=lease.subject, kind=IMAGE,
            provenance=provenance_of(call, lease) | {"parents": [raw.sha256], "take": asset.takes},
            shown=_shown(lease, item, title=asset.display_name, width=brief.width, height=brief.height),
        )  # fmt: skip
        asset.thumbnail_id = library.add(
            session, preview, subject=lease.subject, kind="draft_thumbnail",
            provenance={"parents": [file.sha256]}, shown=whose,
        ).id  # fmt: skip
        asset.image_id, asset.image_prompt = picture.id, brief.prompt
        asset.image_file = asset.image_file or f"{file_stem(asset.number, asset.display_name)}.png"
        _settle(session, lease, item, draft, asset)
    return picture.id


def _deliver_loop(workshop: Workshop, lease: Lease, item: PartRef, call: ProviderCall) -> UUID:
    raw = _fetched(workshop, lease, call, suffix=".mp4", kind="raw_loop")
    webm, mp4 = workshop.store.temporary(".webm"), workshop.store.temporary(".mp4")
    try:
        facts = normalise_loop(workshop.store.path(raw.key), webm=webm, mp4=mp4)
    except MediaError as error:
        _record_bad(workshop, lease, call, error)
        raise
    crash_point("during-normalising")
    file, other = workshop.store.put(webm), workshop.store.put(mp4)
    crash_point("before-settle")
    with workshop.database.begin() as session:
        orders.guard(session, lease, settle=True)
        draft, asset = _locked(session, lease, item)
        come_from = provenance_of(call, lease) | {"parents": [raw.sha256], "facts": facts.model_dump(mode="json")}
        made = library.add(
            session, file, subject=lease.subject, kind=LOOP, provenance=come_from,
            shown=_shown(lease, item, title=asset.display_name),
        )  # fmt: skip
        asset.mp4_id = library.add(
            session, other, subject=lease.subject, kind="draft_video_mp4", provenance=come_from,
            shown=_shown(lease, title=asset.display_name),
        ).id  # fmt: skip
        asset.video_id = made.id
        asset.video_prompt = str(orders.get_item(session, item.id).brief["prompt"])
        asset.video_file = f"{file_stem(asset.number, _stem_name(asset))}_silent.webm"
        _settle(session, lease, item, draft, asset)
    return made.id


def _deliver_song(workshop: Workshop, lease: Lease, item: PartRef, call: ProviderCall) -> UUID:
    file = _fetched(workshop, lease, call, suffix=".mp3", kind="raw_song")
    try:
        facts = check_song(workshop.store.path(file.key))
    except MediaError as error:
        _record_bad(workshop, lease, call, error)
        raise
    crash_point("before-settle")
    with workshop.database.begin() as session:
        orders.guard(session, lease, settle=True)
        draft = repository.get_draft(session, draft_id_of(lease), lock=True)
        song = repository.get_song(session, draft.id, item.part)
        assert song is not None  # its words were written first
        made = library.add(
            session, file, subject=lease.subject, kind=SONG,
            provenance=provenance_of(call, lease) | {"facts": facts.model_dump(mode="json")},
            shown=_shown(lease, item, title=f"{draft.name} ({item.part})"),
        )  # fmt: skip
        song.audio_id, song.audio_file, song.generated_at = made.id, f"music_{item.part}.mp3", now(session)
        orders.complete_item(session, lease, item.id)
        touch(session, draft)
    return made.id


def _locked(session: Session, lease: Lease, item: PartRef) -> tuple[Draft, DraftAsset]:
    draft = repository.get_draft(session, draft_id_of(lease), lock=True)
    return draft, repository.get_asset(session, draft.id, int(item.part))


def _settle(session: Session, lease: Lease, item: PartRef, draft: Draft, asset: DraftAsset) -> None:
    asset.generated_at = now(session)
    asset.generation_count += item.kind == IMAGE
    orders.complete_item(session, lease, item.id)
    touch(session, draft)


def _stem_name(asset: DraftAsset) -> str:
    """What the picture's file is called, without number and suffix: readers find the loop by it."""
    stem = (asset.image_file or "").rpartition(".")[0]
    return stem.partition("_")[2] or asset.display_name


def _shown(lease: Lease, item: PartRef | None = None, *, title: str, width: int = 0, height: int = 0) -> Shown:
    return Shown(
        brand_id=lease.brand_id,
        order_id=lease.order_id,
        item_id=item.id if item else None,
        title=title,
        width=width or None,
        height=height or None,
    )


def _fetched(workshop: Workshop, lease: Lease, call: ProviderCall, *, suffix: str, kind: str) -> StoredFile:
    """The file as the provider made it, fetched once and kept."""
    if call.state == CallState.SUCCEEDED:
        raw = RawFile.model_validate(call.result)
        if workshop.store.exists(raw.file.key):
            return raw.file
    provider = provider_of(workshop, LOOP if kind == "raw_loop" else SONG)
    made = provider.fetch(operations.operation_of(call), workshop.store.temporary(suffix))
    crash_point("after-fetch")
    file = workshop.store.put(made)
    with workshop.database.begin() as session:
        orders.guard(session, lease)
        result: dict[str, JsonValue] = RawFile(file=file).model_dump(mode="json")
        journal.record_success(session, call.id, result)
        library.add(
            session, file, subject=lease.subject, kind=kind, provenance=provenance_of(call, lease),
            shown=_shown(lease, title=""),
        )  # fmt: skip
    return file


def _record_bad(workshop: Workshop, lease: Lease, call: ProviderCall, error: MediaError) -> None:
    kind = LOOP if call.step.startswith("loop") else SONG
    guard = partial(orders.guard, lease=lease)
    operations.record_failure(workshop.database, provider_of(workshop, kind), call.id, error, guard=guard)
