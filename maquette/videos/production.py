"""Making a video, step by step. Every step can be repeated: it does only what is still missing.

Each write is one transaction that begins with the fence and the video's row, in this order, so that
blocks in parallel wait for each other and never deadlock.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session

from maquette.db.types import now
from maquette.errors import (
    Filtered,
    MaquetteError,
    MediaError,
    NotFound,
    Transient,
    is_outage,
)
from maquette.journal import operations
from maquette.journal import service as journal
from maquette.journal.models import CallState, ProviderCall
from maquette.library import service as library
from maquette.media.fonts import require_drawable
from maquette.media.frame import Frame
from maquette.media.normalise import normalise
from maquette.media.probe import probe
from maquette.orders import service as orders
from maquette.orders.models import Lease
from maquette.orders.paid import written_once
from maquette.orders.policy import JITTER, short_pause_s
from maquette.providers.clips.port import ClipRequest, OperationStatus, SpokenWord
from maquette.providers.text.port import ScriptRequest, Written
from maquette.rehearsal import crash_point
from maquette.storage.port import StoredFile
from maquette.videos import repository
from maquette.videos.models import BlockStatus, Video, VideoBlock
from maquette.videos.rules import NEUTRAL_VISUAL, VideoStatus, block_durations, retry_delay_s
from maquette.videos.script import as_script, missing_blocks, parse_script
from maquette.videos.service import announce, announce_block
from maquette.workshop import Workshop

PROGRESS_STEP = 0.05


class BlockRef(BaseModel):
    """A block by its id and its number."""

    id: UUID
    number: int


class RawClip(BaseModel):
    """A clip as its provider made it; what the journal keeps as the call's result."""

    file: StoredFile
    words: list[SpokenWord]
    has_audio: bool


class Verdict(BaseModel):
    """What to do about a block that failed: try again after ``retry_in_s``, or give it up."""

    retry_in_s: float | None
    reason: str


@contextmanager
def writing(workshop: Workshop, lease: Lease, *, settle: bool = False) -> Iterator[tuple[Session, Video]]:
    """A transaction of the lease's holder, with the video locked. Raises ``StaleLease``."""
    with workshop.database.begin() as session:
        orders.guard(session, lease, settle=settle)
        yield session, repository.get_video(session, lease.subject, lock=True)


def write_script(workshop: Workshop, lease: Lease) -> int:
    """Write and keep the script unless it is there; the number of its blocks.

    Asks once more when the answer has too few blocks; what it has then is taken. Raises ``ProviderError``,
    ``InvalidInput`` for words that no font can show.
    """
    with writing(workshop, lease) as (session, video):
        there = len(repository.blocks_of(session, video.id))
        if there:
            return there
    durations = block_durations(video.target_duration)
    request = ScriptRequest(
        theme=video.theme,
        durations_s=durations,
        style=video.style,
        language=video.language,
        seed=video.seed,
    )
    written = _ask(workshop, lease, request, asks=video.asks)
    blocks = parse_script(written.text)
    if missing_blocks(blocks, wanted=len(durations)):
        warning = f"Your last answer had {len(blocks)} blocks. Write exactly {len(durations)}."
        again = _ask(workshop, lease, request.model_copy(update={"warning": warning}), asks=video.asks)
        if len(parse_script(again.text)) > len(blocks):
            written, blocks = again, parse_script(again.text)
    script = as_script(
        blocks,
        durations_s=durations,
        video_id=video.id,
        theme=video.theme,
        target_duration_s=video.target_duration,
        generated_at=video.created_at,
        raw_script=written.text,
    )
    require_drawable(" ".join(block.dialogue for block in script.blocks))
    document, raw = _keep_text(workshop, script.to_json(), ".json"), _keep_text(workshop, written.text, ".txt")
    with writing(workshop, lease) as (session, video):
        for block in script.blocks:
            session.add(
                VideoBlock(
                    video_id=video.id,
                    number=block.bloc,
                    dialogue=block.dialogue,
                    visual=block.visuel,
                    duration_s=block.duration,
                )
            )
        video.raw_script = written.text
        video.total_blocks, video.actual_duration = script.total_blocks, script.actual_duration
        video.status = VideoStatus.SCRIPT_GENERATED
        for file, kind, name in ((document, "script", "script_v2.json"), (raw, "raw_script", "script_raw.txt")):
            library.add(session, file, subject=video.id, kind=kind, provenance={"model": written.model})
            workshop.store.publish(file.key, f"{video.id}/{name}")
        announce(session, video)
    return script.total_blocks


def missing_clips(workshop: Workshop, lease: Lease) -> list[BlockRef]:
    """The blocks whose clip is still to be made, by number."""
    with writing(workshop, lease) as (session, video):
        blocks = repository.blocks_of(session, video.id)
        missing = [BlockRef(id=b.id, number=b.number) for b in blocks if b.status != BlockStatus.COMPLETED]
        if missing and video.status != VideoStatus.GENERATING_PARALLEL:
            video.status = VideoStatus.GENERATING_PARALLEL
            announce(session, video)
        return missing


def submit_clip(workshop: Workshop, lease: Lease, block_id: UUID) -> UUID:
    """Order the block's clip at the provider unless it was; the id of its journal call.

    Raises the provider's translated error, journalled.
    """
    with writing(workshop, lease) as (session, video):
        block = repository.get_block(session, block_id)
        request = clip_request(workshop, video, block)
        if block.status != BlockStatus.GENERATING:
            block.status = BlockStatus.GENERATING
            announce_block(session, block)
    call = journal.submit_once(
        workshop.database,
        _clip_key(workshop, lease, block, request),
        _ClipSubmitter(workshop, request),
        cost_micros=workshop.clips.profile.price_micros_per_s * request.seconds,
        guard=partial(orders.guard, lease=lease),
        breaker_base_s=workshop.settings.breaker_base_s,
    )
    return call.id


def is_under_way(workshop: Workshop, lease: Lease, block_id: UUID) -> bool:
    """Was the block's clip ordered already, by an attempt that broke off?"""
    with writing(workshop, lease) as (session, video):
        block = repository.get_block(session, block_id)
        call = journal.find_call(session, _clip_key(workshop, lease, block, clip_request(workshop, video, block)))
        return call is not None and call.operation_id is not None


def clip_request(workshop: Workshop, video: Video, block: VideoBlock) -> ClipRequest:
    """What the provider is asked for the block's next try. Equal inputs are equal requests, and paid once."""
    seed = hashlib.sha256(f"{video.seed}/{video.theme}/{block.number}/{block.takes}".encode()).digest()
    return ClipRequest(
        visual=NEUTRAL_VISUAL[video.language] if block.reworded else block.visual,
        dialogue="" if block.reworded else block.dialogue,
        number=block.number,
        total=video.total_blocks,
        seconds=workshop.clips.profile.seconds_for(block.duration_s),
        aspect_ratio=video.aspect_ratio,
        language=video.language,
        style=video.style,
        seed=int.from_bytes(seed[:4], "big") >> 1,
        attempt=block.tries + 1,
    )


def look_at_clip(workshop: Workshop, lease: Lease, block_id: UUID, call_id: UUID) -> OperationStatus:
    """One look at the clip's operation; its progress becomes an event. Raises as ``operations.look`` does."""
    with workshop.database.begin() as session:
        claimed_at = orders.get_job(session, lease.job_id).claimed_at or now(session)
    status = operations.look(
        workshop.database,
        workshop.clips,
        operations.call_of(workshop.database, call_id),
        claimed_at=claimed_at,
        timeout_s=workshop.settings.clip_timeout_s,
        guard=partial(orders.guard, lease=lease),
    )
    with writing(workshop, lease) as (session, _):
        block = repository.get_block(session, block_id)
        if status.progress >= block.progress + PROGRESS_STEP:
            block.progress = round(status.progress, 2)
            announce_block(session, block)
    return status


def receive_clip(workshop: Workshop, lease: Lease, block_id: UUID, call_id: UUID) -> str:
    """Fetch the finished clip, bring it to the film's form, and keep both; the normalised clip's sha256.

    Raises ``MediaError`` for a clip that cannot be used (its call is then journalled as failed),
    ``StorageError``, ``ProviderError``.
    """
    with writing(workshop, lease) as (session, video):
        block = repository.get_block(session, block_id)
    call = operations.call_of(workshop.database, call_id)
    try:
        raw = _fetch(workshop, lease, call)
        crash_point("after-fetch")
        made = workshop.store.temporary(".mp4")
        facts = normalise(
            workshop.store.path(raw.file.key),
            made,
            frame=frame_of(workshop, video),
            duration_s=block.duration_s,
            dialogue=block.dialogue,
            words=raw.words,
            on_progress=lambda fraction: crash_point("during-normalising"),
        )
    except MediaError as error:
        guard = partial(orders.guard, lease=lease)
        operations.record_failure(workshop.database, workshop.clips, call_id, error, guard=guard)
        raise
    clip = workshop.store.put(made)
    with writing(workshop, lease) as (session, video):
        block = repository.get_block(session, block_id)
        asset = library.add(
            session,
            clip,
            subject=video.id,
            kind="clip",
            provenance={
                "block": block.number,
                "parents": [raw.file.sha256],
                "had_audio": raw.has_audio,
                "captions": block.dialogue,
                "facts": facts.model_dump(mode="json"),
                "attempt": lease.attempt,
            },
        )
        block.clip_asset_id = asset.id
        block.status, block.progress = BlockStatus.COMPLETED, 1
        block.error_code = block.error_message = block.error_values = None
        workshop.store.publish(clip.key, f"{video.id}/block_{block.number}.mp4")
        announce_block(session, block)
        announce(session, video)
    return clip.sha256


def frame_of(workshop: Workshop, video: Video) -> Frame:
    """The film's frame; a quarter of its sides in drafts."""
    frame = Frame.of(video.aspect_ratio)
    return (
        Frame(width=frame.width // 4 // 2 * 2, height=frame.height // 4 // 2 * 2) if workshop.settings.draft else frame
    )


def judge(
    workshop: Workshop, lease: Lease, block_id: UUID, error: MaquetteError, *, failures: int, random: Random
) -> Verdict:
    """Write down why the block failed and say whether it gets another try, and when.

    Three retries at most; a refused block is reworded once; a lost answer, a wrong request or a full disk
    is not tried again, for it would cost twice or fail alike. A provider that is out of service for a moment is
    waited for, which is no try; for longer, the whole job waits. ``failures`` are the block's earlier ones in this run.
    """
    settings = workshop.settings
    with writing(workshop, lease) as (session, _video):
        block = repository.get_block(session, block_id)
        retry_in_s: float | None = None
        used = block.tries - block.tries_before + 1
        if isinstance(error, Filtered):
            block.tries += 1
            if not block.reworded:
                block.reworded, retry_in_s = True, 0.0
        elif (pause_s := short_pause_s(error, failures=failures)) is not None:
            retry_in_s = pause_s * (1 + random.uniform(0, JITTER))
        elif isinstance(error, (Transient, MediaError)) and error.code not in ("operation_timeout", "provider_paused"):
            block.tries += 1
            if used < settings.clip_tries:
                retry_after_s = error.retry_after_s if isinstance(error, Transient) else None
                retry_in_s = retry_delay_s(
                    used, base_s=settings.clip_backoff_s, retry_after_s=retry_after_s, random=random
                )
        block.progress = 0
        block.status = BlockStatus.PENDING if retry_in_s is not None else BlockStatus.FAILED
        block.error_code, block.error_message = error.code, str(error)
        block.error_values = {key: str(value) for key, value in error.values.items()}
        if is_outage(error) and retry_in_s is None:
            block.error_values["outage"] = "yes"
        announce_block(session, block)
        return Verdict(retry_in_s=retry_in_s, reason=f"block {block.number}: {error}")


def require_all_clips(workshop: Workshop, lease: Lease) -> None:
    """Raise the error of the first block that stays failed, for the film to end with."""
    with writing(workshop, lease) as (session, video):
        for block in repository.blocks_of(session, video.id):
            if block.status == BlockStatus.FAILED:
                values = {k: v for k, v in (block.error_values or {}).items() if k not in ("code", "message")}
                raise MaquetteError(
                    f"block {block.number}: {block.error_message}", code=block.error_code or "internal", **values
                )


def stills_of(workshop: Workshop, lease: Lease) -> tuple[str, list[Path], list[str]]:
    """The theme, the normalised clips by number, and their words: what a storyboard shows."""
    with workshop.database.begin() as session:
        video = repository.get_video(session, lease.subject)
        blocks = [b for b in repository.blocks_of(session, video.id) if b.clip_asset_id]
        clips = [workshop.store.path(library.get(session, b.clip_asset_id).key) for b in blocks if b.clip_asset_id]
        return video.theme, clips, [block.dialogue or block.visual for block in blocks]


def newest_file(workshop: Workshop, video_id: str, kind: str) -> Path:
    """The video's newest file of a kind: film, poster, contact_sheet, preview, script. Raises ``NotFound``."""
    with workshop.database.begin() as session:
        asset = library.newest(session, video_id, kind)
    if asset is None:
        raise NotFound(f"{video_id} has no {kind} yet", code="video_not_ready")
    return workshop.store.path(asset.key)


def _ask(workshop: Workshop, lease: Lease, request: ScriptRequest, *, asks: int) -> Written:
    write = partial(workshop.writer.write_script, request)
    return written_once(workshop, lease, request, write, subject=f"video:{lease.subject}", step="script", asks=asks)


def _clip_key(workshop: Workshop, lease: Lease, block: VideoBlock, request: ClipRequest) -> journal.CallKey:
    profile = workshop.clips.profile
    return journal.CallKey(
        account=block.video_id,
        brand_id=lease.brand_id,
        order_id=lease.order_id,
        subject=f"block:{block.id}",
        step="clip",
        provider=profile.provider,
        model=profile.model,
        request=request.model_dump(mode="json"),
    )


class _ClipSubmitter:
    """The journal's view of the clip provider, for one request."""

    def __init__(self, workshop: Workshop, request: ClipRequest) -> None:
        self._studio, self._request = workshop, request

    def submit(self, reference: str) -> str:
        return self._studio.clips.submit(self._request, reference=reference)

    def find(self, reference: str, *, since: datetime) -> str | None:
        return self._studio.clips.find(reference, since=since)


def _fetch(workshop: Workshop, lease: Lease, call: ProviderCall) -> RawClip:
    """The clip as the provider made it, fetched once. Raises ``MediaError`` when it is no usable video."""
    if call.state == CallState.SUCCEEDED:
        raw = RawClip.model_validate(call.result)
        if workshop.store.exists(raw.file.key):
            return raw
    fetched = workshop.clips.fetch(operations.operation_of(call), workshop.store.temporary(".mp4"))
    try:
        has_audio = probe(fetched.path).has_audio
    except MediaError:
        fetched.path.unlink(missing_ok=True)
        raise
    raw = RawClip(file=workshop.store.put(fetched.path), words=fetched.words, has_audio=has_audio)
    with writing(workshop, lease) as (session, video):
        journal.record_success(session, call.id, raw.model_dump(mode="json"))
        library.add(
            session,
            raw.file,
            subject=video.id,
            kind="raw_clip",
            provenance={
                "provider": call.provider,
                "model": call.model,
                "request": call.request,
                "operation_id": call.operation_id,
                "cost_micros": call.cost_micros,
                "attempt": lease.attempt,
            },
        )
    return raw


def _keep_text(workshop: Workshop, text: str, suffix: str) -> StoredFile:
    made: Path = workshop.store.temporary(suffix)
    made.write_text(text, "utf-8")
    return workshop.store.put(made)
