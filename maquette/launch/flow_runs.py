"""What the dispatcher and the reconciler need of Prefect: create a run, see where it stands, end it."""

from enum import StrEnum
from typing import Any, Final, Protocol, Self
from uuid import UUID

import httpx

from maquette.errors import StackError
from maquette.orders.models import OrderItem

DEPLOYMENTS: Final = {"video": "make-video/make-video"}


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

    def create(self, item: OrderItem, *, attempt: int) -> UUID:
        """The run of that attempt, made once. Raises ``DeploymentMissing``."""
        ...

    def state(self, run_id: UUID) -> RunState:
        """Where the run stands."""
        ...

    def crash(self, run_id: UUID, *, reason: str) -> None:
        """Mark a run whose process is gone, so that its page tells the truth."""
        ...


class PrefectFlowRuns:
    """Prefect's API over its own client; a context manager, for it holds connections."""

    def __init__(self, api_url: str) -> None:
        from prefect.client.orchestration import SyncPrefectClient

        self._client = SyncPrefectClient(api_url, httpx_settings={"timeout": 10})

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._client.__exit__(*error)

    def create(self, item: OrderItem, *, attempt: int) -> UUID:
        from prefect.exceptions import ObjectNotFound

        name = DEPLOYMENTS[item.kind]
        try:
            deployment = self._client.read_deployment_by_name(name)
            run = self._client.create_flow_run_from_deployment(
                deployment.id,
                name=f"{item.subject}-{attempt}",
                parameters={"item_id": str(item.id)},
                tags=[item.kind, item.subject],
                idempotency_key=f"{item.id}:{attempt}",
            )
        except ObjectNotFound as error:
            raise DeploymentMissing(f"Prefect does not know {name}: run `python -m deployments`") from error
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        return run.id

    def state(self, run_id: UUID) -> RunState:
        from prefect.exceptions import ObjectNotFound

        try:
            state = self._client.read_flow_run(run_id).state
        except ObjectNotFound:
            return RunState.MISSING
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
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
            raise _unreachable(error) from error

    def free_slots(self) -> None:
        """Let all slots of the concurrency limits be free: for the start of a server that nobody else uses."""
        from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

        for limit in self._client.read_global_concurrency_limits():
            self._client.update_global_concurrency_limit(limit.name, GlobalConcurrencyLimitUpdate(active_slots=0))


def _unreachable(error: httpx.HTTPError) -> StackError:
    return StackError(f"Prefect does not answer ({type(error).__name__}: {error})")
