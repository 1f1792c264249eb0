"""A served API, and videos in the states that a worker would bring them to."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import uvicorn
from sqlmodel import Session

from maquette.api.app import create_app
from maquette.db.engine import Database
from maquette.errors import QuotaExceeded
from maquette.library import service as library
from maquette.orders import service as orders
from maquette.orders.models import ItemStatus
from maquette.settings import Settings
from maquette.videos import repository
from maquette.videos.models import BlockStatus, VideoBlock, VideoBrief
from maquette.videos.rules import VideoStatus, block_durations
from maquette.videos.service import Videos, announce, announce_block, end_job

FILM = b"".join(hashlib.sha256(number.to_bytes(2, "big")).digest() for number in range(4_000))  # 128,000 bytes


@contextmanager
def served(settings: Settings, database: Database) -> Iterator[str]:
    """The API of ``settings`` on a free port; its address."""
    config = uvicorn.Config(
        create_app(settings, database), port=0, log_level="critical", access_log=False, timeout_graceful_shutdown=3
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()


class Rig:
    """Plays the worker."""

    def __init__(self, videos: Videos) -> None:
        self.videos = videos
        self.database = videos.database

    def order(self, theme: str = "Les risques du sucre", *, target_duration: int = 15) -> str:
        """A queued video's id."""
        return self.videos.order(VideoBrief(theme=theme, target_duration=target_duration)).video_id

    def write_script(self, video_id: str) -> None:
        """Give it its blocks, pending."""
        with self.database.begin() as session:
            video = repository.get_video(session, video_id, lock=True)
            for number, duration_s in enumerate(block_durations(video.target_duration), start=1):
                session.add(
                    VideoBlock(video_id=video_id, number=number, dialogue="", visual="ciel", duration_s=duration_s)
                )
            self._keep(session, video_id, "script", b'{"blocks": []}', ".json")
            self._keep(session, video_id, "script", b"BLOC 1", ".txt")
            video.raw_script = "BLOC 1"
            video.status = VideoStatus.GENERATING_PARALLEL
            announce(session, video)

    def move(self, video_id: str, status: VideoStatus) -> None:
        """Change the status, and tell."""
        with self.database.begin() as session:
            video = repository.get_video(session, video_id, lock=True)
            video.status = status
            announce(session, video)

    def finish_block(self, video_id: str, number: int) -> None:
        """Complete one block, and tell as the worker does."""
        with self.database.begin() as session:
            video = repository.get_video(session, video_id, lock=True)
            block = repository.blocks_of(session, video_id)[number - 1]
            block.status, block.progress = BlockStatus.COMPLETED, 1
            block.clip_asset_id = self._keep(session, video_id, "clip", f"clip {number}".encode(), ".mp4")
            announce_block(session, block)
            announce(session, video)

    def complete(self, video_id: str) -> None:
        """End the order well, with all files."""
        with self.database.begin() as session:
            video = repository.get_video(session, video_id, lock=True)
            video.film_asset_id = self._keep(session, video_id, "film", FILM, ".mp4")
            self._keep(session, video_id, "poster", b"poster", ".jpg")
            self._keep(session, video_id, "contact_sheet", b"sheet", ".png")
            self._keep(session, video_id, "preview", b"preview", ".mp4")
            video.status = VideoStatus.COMPLETED
            announce(session, video)
            job = orders.latest_job(session, video_id)
            assert job is not None
            orders.end_open(session, job, ItemStatus.COMPLETED)

    def fail(self, video_id: str) -> None:
        """End the order badly."""
        with self.database.begin() as session:
            job = orders.latest_job(session, video_id)
            assert job is not None
            end_job(session, job, ItemStatus.FAILED, QuotaExceeded("the account is empty"))

    def finished(self, theme: str = "Les risques du sucre") -> str:
        """A completed video's id: six events."""
        video_id = self.order(theme)
        self.write_script(video_id)
        self.finish_block(video_id, 1)
        self.finish_block(video_id, 2)
        self.complete(video_id)
        return video_id

    def _keep(self, session: Session, video_id: str, kind: str, content: bytes, suffix: str) -> UUID:
        path = self.videos.store.temporary(suffix)
        path.write_bytes(content)
        return library.add(session, self.videos.store.put(path), subject=video_id, kind=kind).id
