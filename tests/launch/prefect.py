"""A Prefect that can be down, forgetful or behind."""

import threading
from collections.abc import Mapping
from uuid import UUID, uuid4

from pydantic import JsonValue

from maquette.errors import StackError
from maquette.launch.flow_runs import DeploymentMissing, RunState
from maquette.orders.models import Job


class Prefect:
    """Stands in for the Prefect server: runs by idempotency key, states by hand."""

    def __init__(self) -> None:
        self.runs: dict[str, UUID] = {}
        self.states: dict[UUID, RunState] = {}
        self.queues: dict[UUID, bool] = {}
        self.crashed: list[UUID] = []
        self.resumed: dict[UUID, dict[str, JsonValue]] = {}
        self.down = False
        self.registered = True
        self.lock = threading.Lock()

    def create(self, job: Job, *, dispatch: int, premium: bool) -> UUID:
        """The run of that key, made once."""
        self._answer()
        if not self.registered:
            raise DeploymentMissing("not registered")
        with self.lock:
            run_id = self.runs.setdefault(f"{job.id}:{dispatch}", uuid4())
            self.states.setdefault(run_id, RunState.SCHEDULED)
            self.queues.setdefault(run_id, premium)
        return run_id

    def state(self, run_id: UUID) -> RunState:
        """What was set by hand."""
        self._answer()
        return self.states.get(run_id, RunState.MISSING)

    def crash(self, run_id: UUID, *, reason: str) -> None:
        """Note it."""
        self._answer()
        self.crashed.append(run_id)

    def resume(self, run_id: UUID, answer: Mapping[str, JsonValue]) -> None:
        """Note the answer."""
        self._answer()
        self.resumed[run_id] = dict(answer)

    def all_are(self, state: RunState) -> None:
        """Set every run's state."""
        self.states = dict.fromkeys(self.states, state)

    def _answer(self) -> None:
        if self.down:
            raise StackError("Prefect does not answer")
