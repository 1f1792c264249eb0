"""What the warm worker uses of Prefect that Prefect does not promise; nothing else imports it.

Tried with the releases named in ``TRIED``. ``moved`` says what another release has changed: its caller then uses the
stock worker. Importing this module is safe with any release.
"""

import asyncio
import os
import ssl
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from inspect import getsource, signature
from logging import getLogger
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel

if TYPE_CHECKING:
    from prefect._internal.observers import FlowRunCancellingObserver
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.flows import Flow
    from prefect.runner._flow_run_executor import FlowRunExecutorContext
    from prefect.runner._process_manager import ProcessHandle

Hook = Literal["cancellation", "crashed"]

TRIED: Final = "3.8.8"

# Module, what is used of it, and the parameters by which it is called.
_NAMES: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("prefect._internal.control_listener", "configure_from_env", ()),
    ("prefect._internal.metrics", "RunMetrics", ("flow_run", "flow")),
    ("prefect._internal.observers", "FlowRunCancellingObserver", ("on_cancelling", "on_failure")),
    ("prefect._internal.observers", "FlowRunCancellingObserver.add_in_flight_flow_run_id", ("flow_run_id",)),
    ("prefect._internal.version_checking", "check_server_version", ("api_url", "logger")),
    ("prefect.client.orchestration", "PrefectClient.raise_for_api_version_mismatch_once", ()),
    ("prefect.client.orchestration", "ssl.create_default_context", ("cafile",)),
    ("prefect.engine", "handle_engine_signals", ("flow_run_id",)),
    ("prefect.engine", "_drive_run_flow_result", ("flow", "run_result")),
    ("prefect.events.worker", "EventsWorker.drain_all", ("timeout",)),
    ("prefect.flow_engine", "run_flow", ("flow", "flow_run", "error_logger")),
    ("prefect.flows", "load_flow_from_entrypoint", ("entrypoint", "use_placeholder_flow")),
    ("prefect.flows", "load_flow_from_flow_run", ("flow_run",)),
    ("prefect.logging.handlers", "APILogWorker.drain_all", ("timeout",)),
    ("prefect.runner._control_channel", "ControlChannel.register", ("flow_run_id",)),
    ("prefect.runner._control_channel", "ControlChannel.unregister", ("flow_run_id",)),
    ("prefect.runner._flow_run_executor", "FlowRunExecutorContext.create_executor",
     ("flow_run", "starter", "propose_submitting", "hook_runner")),
    ("prefect.runner._flow_run_executor", "FlowRunExecutor.submit", ("task_status",)),
    ("prefect.runner._hook_runner", "HookRunner", ("resolve_flow",)),
    ("prefect.runner._hook_runner", "HookRunner.run_cancellation_hooks", ("flow_run", "state")),
    ("prefect.runner._hook_runner", "HookRunner.run_crashed_hooks", ("flow_run", "state")),
    ("prefect.runner._process_manager", "ProcessHandle", ("_process", "termination_scope")),
    ("prefect.runner._process_manager", "create_isolated_termination_scope", ("pid",)),
    ("prefect.workers.base", "BaseJobConfiguration._base_environment", ()),
    ("prefect.workers.base", "BaseWorker._give_worker_labels_to_flow_run", ("flow_run_id",)),
    ("prefect.workers.base", "BaseWorker._release_limit_slot", ("flow_run_id",)),
    ("prefect.workers.base", "BaseWorker.get_and_submit_flow_runs", ("self",)),
    ("prefect.workers.base", "BaseWorker.setup", ("self",)),
    ("prefect.workers.process", "ProcessJobConfiguration.prepare_for_flow_run", ("flow_run", "deployment", "flow")),
    ("prefect.workers.process", "ProcessWorker.run", ("flow_run", "configuration", "task_status")),
)  # fmt: skip
# What Prefect imports only when a run needs it.
_LATE: Final = (
    "anyio._backends._asyncio",
    "anyio.streams.memory",
    "anyio.streams.tls",
    "encodings.idna",
    "prefect.events.clients",
    "prefect.main",
    "rich._emoji_codes",
)
_PRIVATE: Final = (
    ("prefect.workers.base", "BaseWorker", ("_exit_stack", "_limiter", "_runs_task_group", "_work_pool_name")),
    ("prefect.runner._flow_run_executor", "FlowRunExecutorContext", ("_observer", "control_channel")),
    ("prefect._internal.observers", "FlowRunCancellingObserver",
     ("_consumer_task", "_handle_polling_task_done", "_in_flight_flow_run_ids", "_polling_task", "on_cancelling",
      "on_failure")),
)  # fmt: skip


@lru_cache
def moved() -> tuple[str, ...]:
    """What the warm worker needs and this machine, or the installed Prefect, has not; empty where all is there."""
    missing = []
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        missing.append("Linux with pidfd_open (5.3 or newer)")
    for module, name, parameters in _NAMES:
        try:
            found = _find(module, name)
        except (ImportError, AttributeError):
            missing.append(f"{module}.{name}")
            continue
        taken = signature(found).parameters
        missing += [f"{module}.{name}({each})" for each in parameters if each not in taken]
    for module, name, attributes in _PRIVATE:
        try:
            code = getsource(_find(module, name))
        except (ImportError, AttributeError, OSError):
            continue
        missing += [f"{module}.{name}.{each}" for each in attributes if f"self.{each}" not in code]
    return tuple(missing)


def executors() -> "FlowRunExecutorContext":
    """The context that watches over runs: cancellation, exit codes, hooks; one serves a worker's whole life."""
    from prefect.runner._flow_run_executor import FlowRunExecutorContext

    return FlowRunExecutorContext()


async def keep_watch(context: "FlowRunExecutorContext", *, again_s: float) -> None:
    """Hear of cancelled runs for as long as the context lives; ``again_s`` lie between two tries to hear again.

    Prefect's observer is made for the time of one run. When it has lost the server's events for long it polls, and
    after three polls in a row that fail it is deaf. Here another one takes its place once the server is back.
    """
    from prefect._internal.observers import FlowRunCancellingObserver
    from prefect.events.clients import get_events_subscriber

    try:
        while True:
            lost = context._observer
            if lost._consumer_task is not None:
                await asyncio.wait([lost._consumer_task])
            try:
                async with get_events_subscriber():  # an observer that cannot connect would poll
                    pass
            except Exception:
                await asyncio.sleep(again_s)
                continue
            following = FlowRunCancellingObserver(lost.on_cancelling, on_failure=lost.on_failure)
            await following.__aenter__()  # type: ignore[no-untyped-call]  # it is told of the last minute, too
            for flow_run_id in lost._in_flight_flow_run_ids:
                following.add_in_flight_flow_run_id(flow_run_id)
            context._observer = following
            await _dismiss(lost)
    finally:
        await _dismiss(context._observer)


async def _dismiss(observer: "FlowRunCancellingObserver") -> None:
    if observer._polling_task is not None:  # whose callback would trip over the cancelled task
        observer._polling_task.remove_done_callback(observer._handle_polling_task_done)
    await observer.__aexit__(None, None, None)


def handle_of(process: Any) -> "ProcessHandle":
    """What Prefect ends a run by: ``process`` has a ``pid``, a ``returncode``, and a process group of its own."""
    from prefect.runner._process_manager import ProcessHandle, create_isolated_termination_scope

    return ProcessHandle(process, termination_scope=create_isolated_termination_scope(process.pid))


def control_environment(context: "FlowRunExecutorContext", flow_run_id: UUID) -> dict[str, str]:
    """The variables by which a run's process finds its worker; to be taken back by ``forget_control``."""
    try:
        port, token = context.control_channel.register(flow_run_id)
    except RuntimeError:  # no port was to be had: a cancelled run is killed then, as by the stock worker
        return {}
    return {"PREFECT__CONTROL_PORT": str(port), "PREFECT__CONTROL_TOKEN": token}


def forget_control(context: "FlowRunExecutorContext", flow_run_id: UUID) -> None:
    """Forget a run whose process did not come to be."""
    context.control_channel.unregister(flow_run_id)


def preload() -> None:
    """Import what every run needs, and read the certificates once, in the process that the runs are forked from."""
    import certifi
    from prefect.settings import PREFECT_API_SSL_CERT_FILE

    for module in sorted({module for module, _, _ in _NAMES} | set(_LATE)):
        import_module(module)
    # A context costs 16 ms and every client makes one; a run has four clients.
    shared = ModuleType("ssl")
    vars(shared).update(vars(ssl), create_default_context=lru_cache(ssl.create_default_context))
    orchestration = import_module("prefect.client.orchestration")
    orchestration.ssl = shared  # type: ignore[attr-defined]
    with suppress(OSError):  # a client says what is wrong with the file
        shared.create_default_context(cafile=PREFECT_API_SSL_CERT_FILE.value() or certifi.where())


def complete_models() -> None:
    """Build the validators that pydantic puts off until a model is used: every child would build its own."""
    for model in set(_models(BaseModel)):
        if not model.__pydantic_complete__ and model.__module__.startswith("prefect."):
            with suppress(Exception):  # a model that names what was never imported is not used either
                model.model_rebuild(raise_errors=False)


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for each in model.__subclasses__():
        yield from _models(each)


async def greet() -> None:
    """Ask the server for its version, which every process does before its first call, and before its first event."""
    from prefect._internal.version_checking import check_server_version
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, get_current_settings

    if not get_current_settings().client.server_version_check_enabled:
        return
    async with get_client() as client:
        await client.raise_for_api_version_mismatch_once()
    await check_server_version(PREFECT_API_URL.value(), getLogger(__name__))


def engine(flow_run: "FlowRun", entrypoint: str) -> None:
    """Run the flow in this process, as ``python -m prefect.engine`` does; leaves by ``SystemExit`` where that does."""
    from prefect._internal.control_listener import configure_from_env
    from prefect._internal.metrics import RunMetrics
    from prefect.engine import _drive_run_flow_result, handle_engine_signals
    from prefect.flow_engine import run_flow
    from prefect.flows import load_flow_from_entrypoint
    from prefect.logging.loggers import flow_run_logger

    configure_from_env()
    with handle_engine_signals(flow_run.id):
        logger = flow_run_logger(flow_run)
        try:
            flow: Flow[..., Any] = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
        except Exception:
            logger.error("Unexpected exception encountered when trying to load flow", exc_info=True)
            raise
        with RunMetrics(flow_run, flow):
            _drive_run_flow_result(flow, run_flow(flow, flow_run=flow_run, error_logger=logger))  # type: ignore[arg-type]


def hooks(kind: Hook, flow_run: "FlowRun", state: "State[Any]") -> None:
    """Run the flow's hooks of that kind in this process."""
    from prefect.flows import load_flow_from_flow_run
    from prefect.runner._hook_runner import HookRunner

    runner = HookRunner(resolve_flow=load_flow_from_flow_run)
    run = runner.run_cancellation_hooks if kind == "cancellation" else runner.run_crashed_hooks
    asyncio.run(run(flow_run, state))


def drain(timeout_s: float) -> None:
    """Send what this process has logged and told."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        with suppress(TimeoutError):
            worker.drain_all(timeout=timeout_s)


def _find(module: str, name: str) -> Any:
    found = import_module(module)
    for each in name.split("."):
        found = getattr(found, each)
    return found
