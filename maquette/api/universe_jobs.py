"""Jobs of universes for older clients: the list, and where a task stands."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from maquette.api import universe_examples as examples
from maquette.api.shapes import example
from maquette.api.universe_shapes import TAG, EnglishRoute, TaskStatus, TheUniverses
from maquette.drafts.universe_jobs import JobGone, OlderJobs, begins, older_job, older_jobs

router = APIRouter(prefix="/api", tags=[TAG], route_class=EnglishRoute)


@router.get("/jobs", summary="List jobs of universes", responses=example(examples.JOBS))
def jobs(
    universes: TheUniverses,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.", examples=[100])] = 100,
) -> OlderJobs:
    """The newest first. Orders of every kind are below ``/api/orders``."""
    with universes.database.begin() as session:
        return older_jobs(session, limit=limit)


@router.get("/status/{task}", summary="Where a task stands", responses=example(examples.TASK))
def status(
    task: Annotated[str, Path(description="A job's id, or its first eight digits.", examples=["b0a7d9b4"])],
    universes: TheUniverses,
) -> TaskStatus:
    """Of a job its state; a task that nobody knows is ``completed``, as it always was."""
    try:
        with universes.database.begin() as session:
            job = older_job(session, begins(task[:8]))
    except JobGone:
        return TaskStatus(status="completed", task_id=task)
    return TaskStatus(status=job.status, task_id=task)
