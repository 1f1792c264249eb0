"""The end of the road: clips to a film, its quality gate, its stills, and the settling of the order."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, JsonValue

from maquette.db.types import now
from maquette.journal import service as journal
from maquette.library import service as library
from maquette.media.assemble import assemble
from maquette.media.quality import check
from maquette.media.stills import contact_sheet, poster, preview
from maquette.orders import service as orders
from maquette.orders.models import Lease
from maquette.rehearsal import crash_point
from maquette.storage.port import StoredFile
from maquette.videos import repository
from maquette.videos.models import Video, VideoBlock
from maquette.videos.production import frame_of, writing
from maquette.videos.rules import VideoStatus
from maquette.videos.service import announce
from maquette.workshop import Workshop

NAMES = {"film": "final.mp4", "poster": "poster.jpg", "contact_sheet": "contact_sheet.png", "preview": "preview.mp4"}


class VideoResult(BaseModel):
    """What a finished run returns."""

    video_id: str
    status: str
    final_path: str
    duration_s: float
    size_bytes: int
    loudness_lufs: float | None
    cost_micros: int


def assemble_film(workshop: Workshop, lease: Lease) -> VideoResult:
    """Assemble the clips unless the film of just these clips is there, and settle the order as completed.

    Raises ``MediaError`` (``assembly_failed``), ``StorageError``, ``StaleLease``.
    """
    with writing(workshop, lease) as (session, video):
        blocks = list(repository.blocks_of(session, video.id))
        clips = [library.get(session, block.clip_asset_id) for block in blocks if block.clip_asset_id]
        film_key = _film_key(video, [clip.sha256 for clip in clips])
        made = video.film_key == film_key and video.film_asset_id is not None
        if not made:
            video.status = VideoStatus.READY_FOR_ASSEMBLY
            announce(session, video)
    files: dict[str, StoredFile] = {}
    facts: dict[str, Any] = video.facts or {}
    if not made:
        paths = [workshop.store.path(clip.key) for clip in clips]
        silent = [not clip.provenance["had_audio"] for clip in clips]
        files, facts = _make(workshop, video, blocks, paths, silent=silent)
    with writing(workshop, lease, settle=True) as (session, video):
        for kind, file in files.items():
            provenance: dict[str, JsonValue] = {"parents": [clip.sha256 for clip in clips], "attempt": lease.attempt}
            shown = library.Shown()
            if kind == "film":
                library.unlist(session, video.id, "film")
                shown = library.Shown(
                    brand_id=video.brand_id,
                    order_id=lease.order_id,
                    item_id=orders.items_of(session, lease.job_id)[0].id,
                    listed=True,
                    title=video.theme,
                    ratio=video.aspect_ratio,
                    tags=tags_of(video, lease),
                    expires_at=library.expiry(now(session), workshop.settings),
                )
            asset = library.add(session, file, subject=video.id, kind=kind, provenance=provenance, shown=shown)
            workshop.store.publish(file.key, f"{video.id}/{NAMES[kind]}")
            if kind == "film":
                video.film_asset_id, video.film_key, video.facts = asset.id, film_key, facts
        video.status = VideoStatus.COMPLETED
        video.completed_at = now(session)
        announce(session, video)
        orders.complete(session, lease)
        cost_micros = journal.total_micros(session, video.id)
        film = library.get(session, video.film_asset_id)  # type: ignore[arg-type]  # set above or before
    return VideoResult(
        video_id=video.id,
        status=VideoStatus.COMPLETED,
        final_path=str(workshop.store.publish(film.key, f"{video.id}/{NAMES['film']}")),
        duration_s=facts["duration_s"],
        size_bytes=film.size_bytes,
        loudness_lufs=facts["loudness_lufs"],
        cost_micros=cost_micros,
    )


def tags_of(video: Video, lease: Lease) -> list[str]:
    """The tags that a media host is given (the seed document's)."""
    return [f"brand:{video.brand_id}", f"order:{lease.order_id}", "type:video", f"ratio:{video.aspect_ratio}"]


def _film_key(video: Video, clips: list[str]) -> str:
    what = json.dumps([clips, video.crossfade_s, video.aspect_ratio])
    return hashlib.sha256(what.encode()).hexdigest()


def _make(
    workshop: Workshop, video: Video, blocks: list[VideoBlock], clips: list[Path], *, silent: list[bool]
) -> tuple[dict[str, StoredFile], dict[str, Any]]:
    frame = frame_of(workshop, video)
    store = workshop.store
    film = store.temporary(".mp4")
    durations = [block.duration_s for block in blocks]
    assembly = assemble(clips, film, durations_s=durations, frame=frame, crossfade_s=video.crossfade_s)
    crash_point("during-assembly")
    starts = [sum(durations[:index]) for index in range(len(durations))]
    allow_silent = [
        (float(start), float(start + block.duration_s))
        for start, block, mute in zip(starts, blocks, silent, strict=True)
        if mute or not block.dialogue
    ]
    check(film, duration_s=sum(durations), frame=frame, allow_silent=allow_silent).require()
    still, sheet, small = store.temporary(".jpg"), store.temporary(".png"), store.temporary(".mp4")
    poster(film, still)
    contact_sheet(clips, sheet, title=video.theme, labels=[block.dialogue or block.visual for block in blocks])
    preview(film, small)
    made = {"film": film, "poster": still, "contact_sheet": sheet, "preview": small}
    facts = {
        "duration_s": assembly.duration_s,
        "size_bytes": assembly.size_bytes,
        "loudness_lufs": assembly.loudness_lufs,
        "true_peak_dbtp": assembly.true_peak_dbtp,
    }
    return {kind: store.put(path) for kind, path in made.items()}, facts
