"""Every way that a run can go, and what it comes to under the stock worker and under the warm one."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from prefect.client.schemas.objects import State
from prefect.states import Cancelling, Scheduled
from prefect.types._datetime import now

from tests.rehearsing import until
from tests.worker.records import is_alive
from tests.worker.rig import ROOT, Rig, Run

STARTED: Final = ("SCHEDULED Scheduled", "PENDING Pending", "PENDING Submitting", "RUNNING Running")
COMPLETED: Final = "COMPLETED Completed"
FAILED: Final = "FAILED Failed"
CRASHED: Final = "CRASHED Crashed"


@dataclass(frozen=True, eq=False)
class Scenario:
    """One way. ``meddle`` is what is done to the run from without; ``hooks`` are those that run.

    The stock worker is asked too where it ``has_stock``; it takes seconds a run. What a process that ends
    abruptly had not sent yet is lost under either worker.
    """

    name: str
    flow: str
    states: tuple[str, ...] = (*STARTED, COMPLETED)
    hooks: tuple[str, ...] = ("running", "completion")
    parameters: Mapping[str, Any] = field(default_factory=dict)
    deployment: Mapping[str, Any] = field(default_factory=dict)
    meddle: Callable[[Rig, Run], None] | None = None
    attempts: int = 1
    message: str = ""
    has_stock: bool = True
    is_abrupt: bool = False
    has_process: bool = False

    def start(self, rig: Rig, pool: str) -> Run:
        """A run of it in that pool."""
        if self.flow == "is_not_due":
            in_an_hour: State[Any] = Scheduled(scheduled_time=now("UTC") + timedelta(hours=1))
            return rig.run_of(rig.deployment(pool, "completes"), state=in_an_hour)
        deployment = rig.deployment(pool, self.flow, **self.deployment)
        return rig.run_of(deployment, parameters=dict(self.parameters))


def cancel(rig: Rig, run: Run) -> None:
    """As the user interface does, once the flow runs."""
    until(run.has_begun, seconds=240, what="the flow's first line")
    rig.client.set_flow_run_state(run.id, Cancelling())


def cancel_at_once(rig: Rig, run: Run) -> None:
    rig.client.set_flow_run_state(run.id, Scheduled(scheduled_time=now("UTC"), name="Late"), force=True)
    rig.client.set_flow_run_state(run.id, Cancelling())


def resume(rig: Rig, run: Run) -> None:
    until(lambda: run.state().name == "Suspended", seconds=240, what="the suspension")
    until(lambda: not is_alive(run.began["pid"]), what="the end of the suspended process")
    rig.client.resume_flow_run(run.id)


def kill(_rig: Rig, run: Run) -> None:
    until(run.has_begun, seconds=240, what="the flow's first line")
    os.kill(run.began["pid"], signal.SIGKILL)


CANCELLED: Final = (*STARTED, "CANCELLING Cancelling", "CANCELLED Cancelled")
OF_A_CANCELLED: Final = ("running", "cancellation")
SUSPENDED: Final = (*STARTED, "PAUSED Suspended", "SCHEDULED Resuming", *STARTED[1:], COMPLETED)

SCENARIOS: Final = (
    Scenario("ignores SIGTERM", "is_deaf", CANCELLED, OF_A_CANCELLED, meddle=cancel),
    Scenario("completes", "completes", parameters={"word": "héllo", "numbers": [1, 2]}),
    Scenario("completes, sync", "completes_in_step", has_stock=False),
    Scenario("raises", "raises", (*STARTED, FAILED), ("running", "failure"),
             message="Flow run encountered an exception: ValueError: this flow always fails"),
    Scenario("returns a Failed state", "returns_failed", (*STARTED, FAILED), ("running", "failure"),
             message="not good enough", has_stock=False),
    Scenario("is killed", "waits", (*STARTED, CRASHED), ("running", "crashed"), meddle=kill,
             message="Process exited with status code: -9.", is_abrupt=True),
    Scenario("reads nowhere", "reads_nowhere", (*STARTED, CRASHED), ("running", "crashed"),
             message="Process exited with status code: -11.", is_abrupt=True, has_stock=False),
    Scenario("os._exit(3)", "leaves_at_once", (*STARTED, CRASHED), ("running", "crashed"),
             message="Process exited with status code: 3.", is_abrupt=True, has_stock=False),
    Scenario("sys.exit(2)", "leaves", (*STARTED, CRASHED), ("running", "crashed")),
    Scenario("sys.exit(2), sync", "leaves_in_step", (*STARTED, CRASHED), ("running", "crashed"), has_stock=False),
    Scenario("terminates itself", "kills_itself", (*STARTED, CRASHED), ("running", "crashed"),
             parameters={"how": signal.SIGTERM}, is_abrupt=True),
    Scenario("is not to be found", "completes", (*STARTED[:3], CRASHED), (), attempts=0,
             deployment={"entrypoint": "tests.worker.nowhere.flow"}),
    Scenario("is not in its module", "completes", (*STARTED[:3], CRASHED), (), attempts=0,
             deployment={"entrypoint": "tests.worker.toyflows.nothing"}, has_stock=False),
    Scenario("bad parameters", "completes", (*STARTED[:3], FAILED), ("failure",), attempts=0,
             parameters={"numbers": "x"}),
    Scenario("cancelled, async", "waits", CANCELLED, OF_A_CANCELLED, meddle=cancel, has_stock=False),
    Scenario("cancelled, sync", "sleeps", CANCELLED, OF_A_CANCELLED, meddle=cancel),
    Scenario("cancelled with a grandchild", "has_a_grandchild", CANCELLED, OF_A_CANCELLED, meddle=cancel),
    Scenario("cancelled while late", "is_not_due", ("SCHEDULED Scheduled", "SCHEDULED Late", "CANCELLED Cancelled"),
             (), meddle=cancel_at_once, attempts=0),
    Scenario("suspended and resumed", "suspends", SUSPENDED, ("running", "running", "completion"), meddle=resume,
             attempts=2),
    Scenario("suspended and resumed, sync", "suspends_in_step", SUSPENDED, ("running", "running", "completion"),
             meddle=resume, attempts=2, has_stock=False),
    Scenario("retried", "succeeds_at_last", (*STARTED, "SCHEDULED AwaitingRetry", "RUNNING Running", COMPLETED),
             ("running", "running", "completion"), attempts=2),
    Scenario("takes too long", "takes_too_long", (*STARTED, "FAILED TimedOut"), ("running", "failure")),
    Scenario("has tasks", "has_tasks"),
    Scenario("has a flow below", "has_a_flow_below"),
    Scenario("is silent", "completes", deployment={"job_variables": {"stream_output": False}}),
    Scenario("has a folder", "completes", deployment={"job_variables": {"working_dir": str(ROOT)}}, has_stock=False),
    Scenario("asks for a process", "completes", has_process=True, has_stock=False,
             deployment={"job_variables": {"isolation": "process"}}),
    Scenario("has variables", "completes", has_process=True, has_stock=False,
             deployment={"job_variables": {"env": {"TOY_OF_THE_JOB": "seen"}}}),
    Scenario("has a command", "completes", has_process=True, has_stock=False,
             deployment={"job_variables": {"command": f"{sys.executable} -m prefect.engine"}}),
    Scenario("has pull steps", "completes", has_process=True, has_stock=False,
             deployment={"pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
                         "entrypoint": "tests/worker/toyflows.py:completes"}),
    Scenario("has a file", "completes", has_process=True, has_stock=False,
             deployment={"path": str(ROOT), "entrypoint": "tests/worker/toyflows.py:completes"}),
)  # fmt: skip
