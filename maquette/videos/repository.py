"""Queries of videos. Nothing here commits."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from maquette.errors import NotFound
from maquette.videos.models import BlockStatus, Video, VideoBlock


def get_video(session: Session, video_id: str, *, lock: bool = False) -> Video:
    """The video. Raises ``NotFound`` (code ``video_not_found``)."""
    found = select(Video).where(Video.id == video_id)
    video = session.exec(found.with_for_update() if lock else found).first()
    if video is None:
        raise NotFound(f"there is no video {video_id!r}", code="video_not_found")
    return video


def get_block(session: Session, block_id: UUID) -> VideoBlock:
    """The block, locked. Raises ``NotFound``."""
    block = session.exec(select(VideoBlock).where(VideoBlock.id == block_id).with_for_update()).first()
    if block is None:
        raise NotFound(f"there is no block {block_id}")
    return block


def blocks_of(session: Session, video_id: str) -> Sequence[VideoBlock]:
    """All blocks by number."""
    found = select(VideoBlock).where(VideoBlock.video_id == video_id).order_by(col(VideoBlock.number))
    return session.exec(found).all()


def counts(session: Session, video_ids: Sequence[str]) -> dict[str, int]:
    """Completed blocks by video."""
    rows = session.execute(
        sa.select(col(VideoBlock.video_id), sa.func.count())
        .where(col(VideoBlock.video_id).in_(video_ids), col(VideoBlock.status) == BlockStatus.COMPLETED)
        .group_by(col(VideoBlock.video_id))
    )
    return {row[0]: row[1] for row in rows}


def newest(session: Session, *, limit: int) -> Sequence[Video]:
    """Videos, newest first."""
    return session.exec(select(Video).order_by(col(Video.created_at).desc(), col(Video.id)).limit(limit)).all()
