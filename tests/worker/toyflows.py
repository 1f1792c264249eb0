"""Flows whose runs end in every way that a run can end. Each leaves notes in a file of its run's id."""

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import FlowRun, State
from prefect.flow_runs import asuspend_flow_run, suspend_flow_run
from prefect.runtime import flow_run as this_run
from prefect.runtime import task_run as this_task
from prefect.states import Failed

SHOWN = ("PREFECT__FLOW_RUN_ID", "PREFECT__FLOW_NAME", "PREFECT__FLOW_ID", "PREFECT__DEPLOYMENT_NAME",
         "PREFECT__DEPLOYMENT_ID", "PREFECT__WORKER_NAME", "PREFECT__WORKER_ID", "PREFECT_API_URL",
         "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS", "TOY_OF_THE_JOB", "TOY_OF_THE_WORKER")  # fmt: skip
A_LONG_TIME_S = 300


def note(what: str, run_id: str | None = None, /, **said: object) -> None:
    """Leave a note: whole lines, so that a killed run leaves what it wrote."""
    name = run_id or this_run.get_id() or os.environ["PREFECT__FLOW_RUN_ID"]
    line = json.dumps({"what": what, "pid": os.getpid(), "at": time.time(), **said}) + "\n"
    with (Path(os.environ["TOYS"]) / str(name)).open("a") as file:
        file.write(line)


def _tell(kind: str) -> Any:
    def hook(flow: object, flow_run: FlowRun, state: State[Any]) -> None:
        note("hook", str(flow_run.id), kind=kind, state=f"{state.type.value} {state.name}")

    hook.__name__ = f"tell_of_{kind}"
    return [hook]


HOOKS: dict[str, Any] = {
    f"on_{kind}": _tell(kind) for kind in ("completion", "failure", "cancellation", "crashed", "running")
}


def begun(**said: object) -> None:
    """Note that the flow's first line was reached, and what it sees."""
    environment = {name: os.environ[name] for name in SHOWN if name in os.environ}
    note("began", folder=str(Path.cwd()), parent=os.getppid(), environment=environment, **said)


def was_told() -> bool:
    """Whether this run may end."""
    return (Path(os.environ["TOYS"]) / f"{this_run.get_id()}.told").exists()


@flow(**HOOKS)
async def completes(word: str = "none", numbers: tuple[int, ...] = ()) -> str:
    begun(word=word, numbers=numbers, attempt=this_run.get_run_count())
    get_run_logger().info("the word is %s", word)
    print(f"said by {this_run.get_id()}")  # noqa: T201
    return word


@flow(log_prints=True, **HOOKS)
def completes_in_step(word: str = "none") -> str:
    begun(word=word)
    print("printed into the log")  # noqa: T201
    Path("left-behind").write_text(word)
    return word


@flow(**HOOKS)
async def raises() -> None:
    begun()
    raise ValueError("this flow always fails")


@flow(**HOOKS)
async def returns_failed() -> State[Any]:
    begun()
    return Failed(message="not good enough")


@flow(**HOOKS)
async def kills_itself(how: int) -> None:
    begun()
    os.kill(os.getpid(), how)
    await asyncio.sleep(A_LONG_TIME_S)


@flow(**HOOKS)
def reads_nowhere() -> None:
    begun()
    ctypes.string_at(0)


@flow(**HOOKS)
async def leaves_at_once() -> None:
    begun()
    os._exit(3)


@flow(**HOOKS)
async def leaves() -> None:
    begun()
    sys.exit(2)


@flow(**HOOKS)
def leaves_in_step() -> None:
    begun()
    sys.exit(2)


@flow(**HOOKS)
async def waits() -> None:
    begun()
    await asyncio.sleep(A_LONG_TIME_S)


@flow(**HOOKS)
def sleeps() -> None:
    begun()
    time.sleep(A_LONG_TIME_S)


@flow(**HOOKS)
def has_a_grandchild() -> None:
    grandchild = subprocess.Popen(["sleep", str(A_LONG_TIME_S)])
    begun(grandchild=grandchild.pid)
    grandchild.wait()


@flow(**HOOKS)
def is_deaf() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    begun()
    while not was_told():
        time.sleep(0.05)
    note("ended")


@flow(**HOOKS)
async def ends_when_told() -> str:
    begun()
    while not was_told():  # noqa: ASYNC110  # nothing but the file tells
        await asyncio.sleep(0.05)
    note("ended")
    return "told"


@flow(**HOOKS)
async def suspends() -> str:
    begun(attempt=this_run.get_run_count())
    await asuspend_flow_run(timeout=A_LONG_TIME_S, key="once")
    note("resumed")
    return "resumed"


@flow(**HOOKS)
def suspends_in_step() -> str:
    begun(attempt=this_run.get_run_count())
    suspend_flow_run(timeout=A_LONG_TIME_S, key="once")
    note("resumed")
    return "resumed"


@flow(retries=1, retry_delay_seconds=0, **HOOKS)
async def succeeds_at_last() -> str:
    begun(attempt=this_run.get_run_count())
    if this_run.get_run_count() == 1:
        raise ValueError("not yet")
    return "at last"


@flow(timeout_seconds=0.2, **HOOKS)
async def takes_too_long() -> None:
    begun()
    await asyncio.sleep(A_LONG_TIME_S)


@task(retries=1)
async def doubled(number: int) -> int:
    if this_task.get_run_count() == 1 and number == 2:
        raise ValueError("the task's first try")
    return 2 * number


@flow(**HOOKS)
async def has_tasks() -> int:
    begun()
    return sum([await doubled(number) for number in (1, 2)])


@flow(**HOOKS)
async def is_below(word: str) -> str:
    get_run_logger().info("below: %s", word)
    return word


@flow(**HOOKS)
async def has_a_flow_below() -> str:
    begun()
    return await is_below("deep")
