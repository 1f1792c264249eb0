"""A real stack with short leases, whose worker and servers the tests kill."""

import itertools
import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient
from sqlmodel import select

from maquette.drafts.service import Drafts
from maquette.intake.service import Intake
from maquette.journal import service as journal
from maquette.launch.stack import Stack
from maquette.orders.documents import OrderDocument, order_document
from maquette.quota import service as quota
from maquette.quota.models import Reservation, ReservationState
from maquette.settings import Settings
from maquette.storage import store_from_settings
from maquette.videos.documents import VideoDocument
from maquette.videos.service import Videos

PRICE = 1000

Rehearse = Callable[..., Videos]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], *, seconds: float = 90, what: str = "the condition") -> None:
    """Wait on a condition, looking each 50 ms."""
    patience = threading.Event()
    for _ in itertools.repeat(None, int(seconds / 0.05)):
        if condition():
            return
        patience.wait(0.05)
    raise AssertionError(f"{what}: not met in {seconds} s")


@dataclass
class Rehearsal:
    """The stack and what is asked of it."""

    stack: Stack
    settings: Settings

    @property
    def videos(self) -> Videos:
        return Videos(self.stack.database, store_from_settings(self.settings), self.settings)

    @property
    def intake(self) -> Intake:
        return Intake(self.stack.database, store_from_settings(self.settings), self.settings)

    @property
    def drafts(self) -> Drafts:
        return Drafts(self.stack.database, store_from_settings(self.settings), self.settings)

    @property
    def markers(self) -> Path:
        """The folder of the markers that runs leave at their crash points."""
        return self.settings.home / "rehearsal"

    def prefect(self) -> SyncPrefectClient:
        """A client of the stack's Prefect server."""
        return SyncPrefectClient(f"{self.stack.state.prefect_url}/api")

    def workers(self) -> list[psutil.Process]:
        """The worker and all that it started, flow runs included."""
        try:
            worker = psutil.Process(self.stack.state.children["worker"])
            return [worker, *worker.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill_worker(self, *, then_crash_at: str | None = None) -> None:
        """SIGKILL the worker with its runs; the supervisor starts the next one, with that crash point."""
        self.stack.environment.pop("MAQUETTE_CRASH_AT", None)
        if then_crash_at:
            self.stack.environment["MAQUETTE_CRASH_AT"] = then_crash_at
        killed = self.workers()
        for process in killed:
            os.kill(process.pid, signal.SIGKILL)
        until(lambda: set(killed).isdisjoint(self.workers()) and self.workers(), what="a new worker")

    def reached(self, point: str) -> bool:
        return (self.markers / point).exists()

    def ended(self, video_id: str, *, seconds: float = 120) -> VideoDocument:
        """The video when it has ended."""
        until(lambda: self.videos.status(video_id).status in ("completed", "failed"), seconds=seconds, what=video_id)
        return self.videos.get(video_id)

    def let_go(self, point: str) -> bool:
        """Take a crash point's marker away, for runs that may reach it again; whether all runs have ended."""
        (self.markers / point).unlink(missing_ok=True)
        return not any(process.name().startswith("run-") for process in self.workers())

    def order(self, order_id: UUID) -> OrderDocument:
        with self.stack.database.begin() as session:
            return order_document(session, order_id)

    def ended_order(self, order_id: UUID, *, seconds: float = 120) -> OrderDocument:
        """The order when it has ended."""
        until(lambda: self.order(order_id).progress == 100, seconds=seconds, what=str(order_id))
        return self.order(order_id)

    def paid(self, kind: str = "") -> list[dict[str, object]]:
        """A provider's own log (``-images`` for pictures): a line for each submission that it took."""
        log = self.settings.home / f"provider-local{kind}" / "submissions.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def require_delivered_and_paid_once(self, order: OrderDocument) -> None:
        """The oracle: all was delivered, the provider was asked once for each picture, and the books agree."""
        assert (order.status, order.completed) == ("completed", order.expected)
        assert {item.reservation for item in order.items} == {"settled"}
        asked = [int(str(line["number"])) for line in self.paid("-images") if line["operation_id"]]
        assert sorted(asked) == [item.sequence_number for item in order.items]
        assert order.cost_micros == sum(int(str(line["cost_micros"])) for line in self.paid("-images"))
        with self.stack.database.begin() as session:
            assert quota.audit(session) == []
            held = session.exec(select(Reservation).where(Reservation.state == ReservationState.RESERVED)).all()
        open_jobs = {item.id for item in order.items} & {row.item_id for row in held}
        assert not open_jobs

    def require_one_payment_per_block(self, video: VideoDocument, *, tries: int = 1) -> None:
        """The oracle: the provider's log and our journal agree, and no block was paid more often than tried."""
        with self.stack.database.begin() as session:
            total = journal.total_micros(session, video.video_id)
        assert total == sum(int(str(line["cost_micros"])) for line in self.paid())
        numbers = [int(str(line["number"])) for line in self.paid() if line["operation_id"]]
        assert sorted(numbers) == sorted(list(range(1, video.total_blocks + 1)) * tries)

    def files(self, video_id: str) -> dict[str, tuple[bytes, int]]:
        """Content and time of what shows under the video's name."""
        folder = self.settings.home / "videos" / video_id
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def rehearsal_settings(home: Path) -> Settings:
    """Short leases and quick keepers; instant clips with a price."""
    return Settings(
        home=home,
        api_port=free_port(),
        prefect_port=free_port(),
        lease_s=6,
        lease_renew_s=1,
        reconcile_s=0.5,
        dispatch_grace_s=20,
        dispatch_poll_s=1,
        job_max_attempts=20,
        retry_base_s=0,
        image_poll_s=0.1,
        local_price_micros_per_image=PRICE,
        loop_poll_s=0.1,
        loop_concurrency=50,
        local_price_micros_per_loop=PRICE,
        music_poll_s=0.1,
        music_concurrency=50,
        local_price_micros_per_song=PRICE,
        clip_poll_s=0.1,
        clip_backoff_s=0,
        local_instant=True,
        draft=True,
        local_price_micros_per_s=PRICE,
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """What the stack's processes must be told: settings that are not among those that the stack passes on."""
    given = settings.model_dump(mode="json", exclude_unset=True, exclude={"home", "api_port", "prefect_port"})
    return {f"MAQUETTE_{name.upper()}": json.dumps(value) for name, value in given.items()}
