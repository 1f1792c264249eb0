"""What runs do to orders, without Prefect: by hand for a film, item by item for pictures."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

from maquette.carousels import production as carousels
from maquette.cli.video_reports import FILES
from maquette.db.engine import Database
from maquette.db.types import now
from maquette.drafts import production as drafts
from maquette.drafts import texts
from maquette.drafts.models import IMAGE, LOOP, SONG
from maquette.drafts.production import PartRef
from maquette.errors import MaquetteError
from maquette.images import production as images
from maquette.library import service as library
from maquette.library.service import Shown
from maquette.orders import service as orders
from maquette.orders.documents import list_orders
from maquette.orders.models import ItemStatus, Job, Lease, OrderItem, OrderStatus
from maquette.providers.clips.port import OperationState
from maquette.quota.models import MonthlyCounters
from maquette.quota.rules import period_of
from maquette.storage.port import Store
from maquette.videos import repository
from maquette.videos import service as films
from maquette.videos.models import BlockStatus, VideoBlock
from maquette.videos.rules import VideoStatus
from maquette.videos.service import Videos
from maquette.workshop import Workshop

FACTS = {"duration_s": 15.02, "size_bytes": 1_234_567, "loudness_lufs": -14.1, "true_peak_dbtp": -1.6}


def claimed(database: Database, job: Job) -> Lease:
    """The job's lease, as a run that has just begun has it."""
    with database.begin() as session:
        return orders.claim(session, job.id, flow_run_id=uuid4(), lease_s=60, deadline_s=60, holder="elsewhere/1/1")


def newest_jobs(database: Database) -> list[Job]:
    """The jobs of the newest order."""
    with database.begin() as session:
        return list(orders.jobs_of(session, list_orders(session, limit=1)[0].id))


def work_pictures(database: Database, store: Store, *, errors: Mapping[int, MaquetteError] | None = None) -> None:
    """Make all pictures of the newest order, but fail the items of these numbers."""
    for job in newest_jobs(database):
        lease = claimed(database, job)
        with database.begin() as session:
            items = list(orders.items_of(session, job.id, only_open=True))
        for item in items:
            error = (errors or {}).get(item.sequence_number)
            with database.begin() as session:
                if error is not None:
                    orders.fail_item(session, lease, item.id, error)
                    continue
                made = store.temporary(".jpg")
                made.write_text(f"{job.subject} {item.id}")
                whose = Shown(
                    brand_id=job.brand_id, order_id=job.order_id, item_id=item.id, listed=item.kind == "image",
                    title=f"Picture {item.sequence_number}", slide_index=_slide_index(item),
                )  # fmt: skip
                library.add(session, store.put(made), subject=job.subject, kind=item.kind, shown=whose)
                orders.complete_item(session, lease, item.id)


def _slide_index(item: OrderItem) -> int | None:
    return item.sequence_number - 1 if item.kind == "carousel_slide" else None


def spend(database: Database, brand_id: UUID, images: int) -> None:
    """Let so many images of the brand's present month be used."""
    with database.begin() as session:
        period = period_of(now(session))
        counters = session.get(MonthlyCounters, (brand_id, period)) or MonthlyCounters(
            brand_id=brand_id, period_yyyymm=period
        )
        counters.images_used = images
        session.add(counters)


def work_video(videos: Videos, *, error: MaquetteError | None = None) -> str:
    """Do to the newest video what a run does: write its rows, end its job; its id."""
    video_id = videos.list()[0].video_id
    with videos.database.begin() as session:
        video = repository.get_video(session, video_id, lock=True)
        if not video.raw_script:
            for number in range(1, video.total_blocks + 1):
                block = VideoBlock(video_id=video_id, number=number, dialogue=f"D{number}", visual="V", duration_s=7)
                session.add(block)
            video.raw_script = "BLOC 1"
        video.status = VideoStatus.GENERATING_PARALLEL
        films.announce(session, video)
    with videos.database.begin() as session:
        newest = orders.latest_job(session, video_id)
        assert newest is not None
        job = orders.lock_job(session, newest.id)
        if error is not None:
            films.end_job(session, job, ItemStatus.FAILED, error)
            return video_id
        video = repository.get_video(session, video_id, lock=True)
        for block in repository.blocks_of(session, video_id):
            block.status, block.progress = BlockStatus.COMPLETED, 1
        (item,) = orders.items_of(session, job.id, only_open=True)
        for kind, name in FILES.items():
            made = videos.store.temporary(Path(name).suffix)
            made.write_text(f"{kind} of {item.id}")
            whose = Shown(item_id=item.id if kind == "film" else None)
            asset = library.add(session, videos.store.put(made), subject=video_id, kind=kind, shown=whose)
            if kind == "film":
                video.film_asset_id, video.facts = asset.id, FACTS
        video.status = VideoStatus.COMPLETED
        films.announce(session, video)
        orders.end_open(session, job, ItemStatus.COMPLETED)
    return video_id


@contextmanager
def worker(database: Database, work: Callable[[], object]) -> Iterator[None]:
    """A thread that works on the first order it sees; should it fail, the command is interrupted, not left waiting."""
    stop = threading.Event()

    def waits() -> bool:
        with database.begin() as session:
            return any(order.status == OrderStatus.PENDING for order in list_orders(session, limit=1))

    def run() -> None:
        while not stop.wait(0.02):
            if waits():
                try:
                    work()
                except BaseException:
                    os.kill(os.getpid(), signal.SIGINT)
                    raise
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def make_pictures(workshop: Workshop) -> None:
    """Make the newest order for real, with the local providers."""
    for job in newest_jobs(workshop.database):
        lease = claimed(workshop.database, job)
        if job.kind == "carousel":
            carousels.write_plan(workshop, lease)
        for item in images.open_items(workshop, lease):
            call_id = images.submit_picture(workshop, lease, item.id)
            while images.look_at_picture(workshop, lease, call_id).state is not OperationState.SUCCEEDED:
                pass
            deliver = carousels.deliver_slide if job.kind == "carousel" else images.deliver_image
            deliver(workshop, lease, item.id, call_id)


def make_draft(workshop: Workshop, *, errors: Mapping[str, MaquetteError] | None = None) -> None:
    """Make the newest order, a draft's, for real with the local providers; but fail parts such as ``image 02``."""
    (job,) = newest_jobs(workshop.database)
    lease = claimed(workshop.database, job)
    texts.write_concepts(workshop, lease)
    nouns = {IMAGE: "image", LOOP: "video", SONG: "song"}
    for item in sorted(drafts.open_parts(workshop, lease), key=lambda item: list(nouns).index(item.kind)):
        try:
            if (error := (errors or {}).get(f"{nouns[item.kind]} {item.part}")) is not None:
                raise error
            _make_part(workshop, lease, item)
        except MaquetteError as error:
            # Until it is given up: a part that a safety rule refused is tried once more.
            while not drafts.judge(workshop, lease, item, error, failures=9, random=Random(1)).ended:
                pass


def _make_part(workshop: Workshop, lease: Lease, item: PartRef) -> None:
    if item.kind == LOOP:
        drafts.require_picture(workshop, lease, item)
    call_id = drafts.submit(workshop, lease, item)
    while drafts.look(workshop, lease, item, call_id).state is not OperationState.SUCCEEDED:
        pass
    drafts.deliver(workshop, lease, item, call_id)
