"""What the dispatcher and the reconciler need of Prefect: create a run, see where it stands, end it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

import httpx
from pydantic import JsonValue

from maquette.errors import StackError
from maquette.intake.pipelines import PIPELINES
from maquette.launch.prefect_api import PrefectApi, unreachable
from maquette.orders.models import Job

QUEUES: Final = {True: "premium", False: "free"}


class RunState(StrEnum):
    """A flow run as the reconciler sees it."""

    MISSING = "missing"
    SCHEDULED = "scheduled"
    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"
    CANCELLED = "cancelled"


class DeploymentMissing(StackError):
    """Prefect does not know the deployment: register it again."""


class FlowRuns(Protocol):
    """Prefect, or a stand-in in tests. All raise ``StackError`` when it does not answer."""

    def create(self, job: Job, *, dispatch: int, premium: bool) -> UUID:
        """The job's run of that number, made once, in the queue of its class. Raises ``DeploymentMissing``."""
        ...

    def state(self, run_id: UUID) -> RunState:
        """Where the run stands."""
        ...

    def crash(self, run_id: UUID, *, reason: str) -> None:
        """Mark a run whose process is gone, so that its page tells the truth."""
        ...

    def resume(self, run_id: UUID, answer: Mapping[str, JsonValue]) -> None:
        """Let a suspended run go on with ``answer`` in its form; one that is not suspended stays as it is."""
        ...


class PrefectFlowRuns(PrefectApi):
    """The runs of orders at Prefect."""

    def __init__(self, api_url: str) -> None:
        super().__init__(api_url)
        self._deployment_ids: dict[str, UUID] = {}

    def create(self, job: Job, *, dispatch: int, premium: bool) -> UUID:
        from prefect.exceptions import ObjectNotFound

        name = PIPELINES[job.kind].deployment
        try:
            run = self._client.create_flow_run_from_deployment(
                self._deployment_id(name),
                name=f"{job.subject}-{dispatch}",
                parameters={"job_id": str(job.id)},
                tags=[job.kind, job.subject, f"order:{job.order_id}"],
                idempotency_key=f"{job.id}:{dispatch}",
                work_queue_name=QUEUES[premium],
            )
        except (ObjectNotFound, httpx.HTTPError) as error:
            # A deployment that the server forgot is a plain 404 here.
            if isinstance(error, httpx.HTTPError) and not _is_missing(error):
                raise unreachable(error) from error
            self._deployment_ids.pop(name, None)
            raise DeploymentMissing(f"Prefect does not know {name}: run `python -m deployments`") from error
        return run.id

    def _deployment_id(self, name: str) -> UUID:
        """Asked for once: registering again keeps it, and a server that forgot it says so."""
        if name not in self._deployment_ids:
            self._deployment_ids[name] = self._client.read_deployment_by_name(name).id
        return self._deployment_ids[name]

    def state(self, run_id: UUID) -> RunState:
        from prefect.exceptions import ObjectNotFound

        try:
            state = self._client.read_flow_run(run_id).state
        except ObjectNotFound:
            return RunState.MISSING
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        if state is None or state.is_scheduled():
            return RunState.SCHEDULED
        if state.is_pending():
            return RunState.PENDING
        if state.is_cancelled():
            return RunState.CANCELLED
        return RunState.ENDED if state.is_final() else RunState.RUNNING

    def crash(self, run_id: UUID, *, reason: str) -> None:
        from prefect.exceptions import ObjectNotFound
        from prefect.states import Crashed

        try:
            if not self._client.read_flow_run(run_id).state.is_final():  # type: ignore[union-attr]  # runs have states
                self._client.set_flow_run_state(run_id, Crashed(message=reason), force=True)
        except ObjectNotFound:
            return
        except httpx.HTTPError as error:
            raise unreachable(error) from error

    def resume(self, run_id: UUID, answer: Mapping[str, JsonValue]) -> None:
        from prefect.exceptions import ObjectNotFound

        try:
            self._client.resume_flow_run(run_id, run_input=dict(answer))
        except ObjectNotFound:
            return
        except httpx.HTTPError as error:
            raise unreachable(error) from error

    def forget_ended(self, before: datetime, *, batch: int = 200) -> int:
        """Delete the runs that ended before ``before``; how many. Raises ``StackError``."""
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterEndTime, FlowRunFilterState
        from prefect.client.schemas.filters import FlowRunFilterStateType as StateType
        from prefect.client.schemas.objects import TERMINAL_STATES

        ended = FlowRunFilter(
            end_time=FlowRunFilterEndTime(before_=before),
            state=FlowRunFilterState(type=StateType(any_=list(TERMINAL_STATES))),
        )
        deleted = 0
        try:
            while runs := self._client.read_flow_runs(flow_run_filter=ended, limit=batch):
                for run in runs:
                    self._client.delete_flow_run(run.id)
                deleted += len(runs)
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        return deleted

    def free_slots(self) -> None:
        """Let all slots of the concurrency limits be free: for the start of a server that nobody else uses."""
        from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

        for limit in self._client.read_global_concurrency_limits():
            self._client.update_global_concurrency_limit(limit.name, GlobalConcurrencyLimitUpdate(active_slots=0))


def _is_missing(error: httpx.HTTPError) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code == httpx.codes.NOT_FOUND
