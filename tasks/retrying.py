"""How tasks are kept and retried: the journal and the database are the cache, and only free looks are repeated."""

from typing import Any, Final

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from maquette.errors import Transient


def is_passing(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Retry only what costs nothing to repeat: a look at an operation or a download that failed on the way."""
    error = getattr(state.data, "result", state.data)
    return (
        isinstance(error, Transient)
        and error.code not in ("operation_timeout", "provider_paused")
        and not error.values.get("operation_ended")
    )


# The journal and the database are the cache: a task asked twice with equal inputs must look there, not at
# what it answered before.
KEPT: Final[dict[str, Any]] = {"persist_result": True, "cache_policy": NO_CACHE}
RETRIES: Final[dict[str, Any]] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_passing,
}
