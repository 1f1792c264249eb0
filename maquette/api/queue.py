"""The queue: how it stands, and what was given up."""

from fastapi import APIRouter
from pydantic import BaseModel

from maquette.api import examples
from maquette.api.orders import Limit, OfBrand, TheIntake
from maquette.api.shapes import example
from maquette.orders import queue
from maquette.orders.documents import DeadLetter, QueueDocument, dead_letters, queue_document

router = APIRouter(prefix="/api/queue", tags=["queue"])


class DeadLetters(BaseModel):
    """Jobs that failed and were not ordered again, the newest first."""

    items: list[DeadLetter]


@router.get("", summary="How the queue stands", responses=example(examples.QUEUE))
def monitor(intake: TheIntake, brand_id: OfBrand = None) -> QueueDocument:
    """Counts, the wait, what is stuck, what moved last, and the providers that are out of service."""
    with intake.database.begin() as session:
        return queue_document(session, brand_id=brand_id)


@router.post("", summary="Wake the dispatchers", responses=example(examples.QUEUE))
def kick(intake: TheIntake, brand_id: OfBrand = None) -> QueueDocument:
    """The same document; the dispatchers look at the queue at once."""
    with intake.database.begin() as session:
        queue.notify(session)
        return queue_document(session, brand_id=brand_id)


@router.get("/dead-letters", summary="What was given up", responses=example(examples.DEAD_LETTERS))
def given_up(intake: TheIntake, brand_id: OfBrand = None, limit: Limit = 50) -> DeadLetters:
    """Failed jobs that nobody has ordered again."""
    with intake.database.begin() as session:
        return DeadLetters(items=dead_letters(session, brand_id=brand_id, limit=limit))
