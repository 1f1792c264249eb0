"""Plays the worker of images and carousels: the pipelines' own steps, without Prefect."""

import time
from collections.abc import Collection
from uuid import UUID, uuid4

from maquette.carousels import production as carousels
from maquette.errors import Filtered
from maquette.images import production as images
from maquette.images.models import ItemRef
from maquette.intake.service import Intake
from maquette.orders import service as orders
from maquette.orders.models import Lease
from maquette.providers.clips.port import OperationState
from maquette.workshop import Workshop


class Worker:
    """Makes what was ordered, with the local providers."""

    def __init__(self, intake: Intake) -> None:
        self.workshop = Workshop(intake.settings, intake.database)

    def make(self, job_id: UUID, *, refused: Collection[int] = ()) -> None:
        """Make all items of the job; those whose numbers are ``refused`` end badly."""
        lease, kind = self.claim(job_id)
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
