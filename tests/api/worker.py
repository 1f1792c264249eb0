"""Plays the worker of images, carousels and drafts: the pipelines' own steps, without Prefect."""

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from random import Random
from uuid import UUID, uuid4

from sqlmodel import col, select

from maquette.carousels import production as carousels
from maquette.drafts import production as drafts
from maquette.drafts import texts
from maquette.drafts.models import IMAGE, LOOP, SONG
from maquette.drafts.production import PartRef
from maquette.errors import Filtered, Invalid, MaquetteError
from maquette.images import production as images
from maquette.images.models import ItemRef
from maquette.intake.service import Intake
from maquette.orders import service as orders
from maquette.orders.models import Job, JobStatus, Lease
from maquette.providers.clips.port import OperationState
from maquette.workshop import Workshop


class Worker:
    """Makes what was ordered, with the local providers."""

    def __init__(self, intake: Intake) -> None:
        self.workshop = Workshop(intake.settings, intake.database)

    def make(self, job_id: UUID, *, refused: Collection[int | str] = ()) -> None:
        """Make all items of the job; those whose numbers (of drafts: whose parts) are ``refused`` end badly."""
        lease, kind = self.claim(job_id)
        if kind == "draft":
            self.make_draft(lease, refused=refused)
            return
        if kind == "carousel":
            carousels.write_plan(self.workshop, lease)
        for item in images.open_items(self.workshop, lease):
            if item.number in refused:
                self.refuse(lease, item)
            else:
                self.deliver(lease, item, kind)

    def claim(self, job_id: UUID) -> tuple[Lease, str]:
        """The lease of the job, and its kind."""
        with self.workshop.database.begin() as session:
            lease = orders.claim(
                session, job_id, flow_run_id=uuid4(), lease_s=60, deadline_s=600, holder="elsewhere/1/1"
            )
            return lease, orders.get_job(session, job_id).kind

    def deliver(self, lease: Lease, item: ItemRef, kind: str) -> None:
        """Make one item."""
        call_id = images.submit_picture(self.workshop, lease, item.id)
        while images.look_at_picture(self.workshop, lease, call_id).state is not OperationState.SUCCEEDED:
            time.sleep(0.005)
        make = carousels.deliver_slide if kind == "carousel" else images.deliver_image
        make(self.workshop, lease, item.id, call_id)

    def refuse(self, lease: Lease, item: ItemRef) -> None:
        """End one item as a safety rule does that refused it twice."""
        with self.workshop.database.begin() as session:
            orders.fail_item(session, lease, item.id, Filtered("refused by a safety rule"))

    def make_draft(self, lease: Lease, *, refused: Collection[int | str] = ()) -> None:
        """Make the job's parts, each asset's picture before its loop; ``refused`` are ids and languages."""
        texts.write_concepts(self.workshop, lease)
        parts = drafts.open_parts(self.workshop, lease)
        for item in sorted(parts, key=lambda item: (IMAGE, LOOP, SONG).index(item.kind)):
            try:
                if item.part in refused:
                    raise Invalid(f"the provider takes no {item.part}")
                if item.kind == LOOP:
                    drafts.require_picture(self.workshop, lease, item)
                self.deliver_part(lease, item)
            except MaquetteError as error:
                if item.part not in refused:
                    raise
                drafts.judge(self.workshop, lease, item, error, failures=0, random=Random(0))

    def deliver_part(self, lease: Lease, item: PartRef) -> None:
        """Make one part of a draft."""
        call_id = drafts.submit(self.workshop, lease, item)
        while drafts.look(self.workshop, lease, item, call_id).state is not OperationState.SUCCEEDED:
            time.sleep(0.005)
        drafts.deliver(self.workshop, lease, item, call_id)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Make what is in the queue, in a thread, as long as the block lasts. Raises what that raised."""
        stop, raised = threading.Event(), []

        def work() -> None:
            try:
                while not stop.wait(0.02):
                    for job_id in self._queued():
                        self.make(job_id)
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if raised:
            raise raised[0]

    def _queued(self) -> list[UUID]:
        with self.workshop.database.begin() as session:
            queued = select(Job.id).where(Job.status == JobStatus.QUEUED).order_by(col(Job.created_at))
            return list(session.exec(queued))
