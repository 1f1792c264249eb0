"""What clients read of a video: the shapes that existing clients know, with what they lacked added."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel
from sqlmodel import Session

from maquette.errors import text_of
from maquette.events import service as events
from maquette.journal import service as journal
from maquette.library import service as library
from maquette.videos import repository
from maquette.videos.models import Video, VideoBlock
from maquette.videos.rules import ListStatus, VideoStatus, list_status, progress, step_text


class StatusDocument(BaseModel):
    """Where a video stands. ``seq`` is that of the newest event it includes."""

    video_id: str
    status: VideoStatus
    current_step: str
    progress: int
    error_code: str | None = None
    error_message: str | None = None
    total_blocks: int
    completed_blocks: int
    blocks_completed: int
    final_url: str | None = None
    created_at: datetime
    updated_at: datetime
    seq: int


class BlockDocument(BaseModel):
    """One block, in the script's own field names, with its state."""

    bloc: int
    dialogue: str
    visuel: str
    duration: int
    status: Literal["pending", "generating", "completed", "failed"]
    progress: float
    tries: int
    reworded: bool
    sha256: str | None = None
    error_code: str | None = None
    error_message: str | None = None


class VideoDocument(StatusDocument):
    """A video whole."""

    theme: str
    target_duration: int
    actual_duration: int
    style: str
    language: str
    aspect_ratio: str
    blocks: list[BlockDocument]
    cost_micros: int
    facts: dict[str, Any] | None = None
    flow_run_id: str | None = None
    completed_at: datetime | None = None


class ListedVideo(BaseModel):
    """A line of the library."""

    id: str
    video_id: str
    theme: str
    status: ListStatus
    current_step: str
    progress: int
    created_at: datetime
    video_url: str | None
    stream_url: str | None
    thumbnail_url: str | None
    duration: int
    blocks_count: int
    completed_blocks: int


def error_text(video: Video | VideoBlock, language: str) -> str | None:
    """The user's text of what went wrong."""
    if video.error_code is None:
        return None
    return text_of(video.error_code, language, **(video.error_values or {}))


def status_document(session: Session, video: Video) -> StatusDocument:
    """The present state of ``video``."""
    return StatusDocument.model_validate(_state(session, video))


def video_document(session: Session, video: Video, *, flow_run_id: str | None = None) -> VideoDocument:
    """The video with its blocks and its cost."""
    blocks = []
    for block in repository.blocks_of(session, video.id):
        clip = library.get(session, block.clip_asset_id) if block.clip_asset_id else None
        blocks.append(
            {
                "bloc": block.number,
                "dialogue": block.dialogue,
                "visuel": block.visual,
                "duration": block.duration_s,
                "status": block.status,
                "progress": block.progress,
                "tries": block.tries,
                "reworded": block.reworded,
                "sha256": clip.sha256 if clip else None,
                "error_code": block.error_code,
                "error_message": error_text(block, video.language),
            }
        )
    return VideoDocument.model_validate(
        _state(session, video)
        | video.model_dump(
            include={
                "theme",
                "target_duration",
                "actual_duration",
                "style",
                "language",
                "aspect_ratio",
                "facts",
                "completed_at",
            }
        )
        | {
            "blocks": blocks,
            "cost_micros": journal.total_micros(session, video.id),
            "flow_run_id": flow_run_id,
        }
    )


def listed(session: Session, *, limit: int) -> list[ListedVideo]:
    """The newest videos."""
    videos = repository.newest(session, limit=limit)
    counts = repository.counts(session, [video.id for video in videos])
    rows = []
    for video in videos:
        status, completed = VideoStatus(video.status), counts.get(video.id, 0)
        ready = video.film_asset_id is not None
        rows.append(
            ListedVideo(
                id=video.id,
                video_id=video.id,
                theme=video.theme,
                status=list_status(status),
                current_step=step_text(status, video.language, completed=completed, total=video.total_blocks),
                progress=progress(status, completed=completed, total=video.total_blocks),
                created_at=video.created_at,
                video_url=f"/videos/{video.id}/film" if ready else None,
                stream_url=f"/videos/{video.id}/film" if ready else None,
                thumbnail_url=f"/videos/{video.id}/poster" if ready else None,
                duration=video.actual_duration,
                blocks_count=video.total_blocks,
                completed_blocks=completed,
            )
        )
    return rows


def _state(session: Session, video: Video) -> dict[str, Any]:
    seq = events.last_seq(session, video.id)  # first: what comes meanwhile is told again, never missed
    status = VideoStatus(video.status)
    completed = repository.counts(session, [video.id]).get(video.id, 0)
    return {
        "video_id": video.id,
        "status": status,
        "current_step": step_text(status, video.language, completed=completed, total=video.total_blocks),
        "progress": progress(status, completed=completed, total=video.total_blocks),
        "error_code": video.error_code,
        "error_message": error_text(video, video.language),
        "total_blocks": video.total_blocks,
        "completed_blocks": completed,
        "blocks_completed": completed,
        "final_url": f"/videos/{video.id}/film" if video.film_asset_id else None,
        "created_at": video.created_at,
        "updated_at": video.updated_at,
        "seq": seq,
    }
