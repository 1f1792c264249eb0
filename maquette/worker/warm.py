"""The worker type ``warm``: the stock process worker, whose runs are forked instead of started where they may be."""

import asyncio
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

import anyio
import anyio.abc
import yaml
from prefect.client.schemas.objects import Flow, FlowRun, State, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.logging.loggers import flow_run_logger
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessJobConfiguration, ProcessVariables, ProcessWorker, ProcessWorkerResult
from pydantic import Field, PrivateAttr

from maquette.settings import get_settings
from maquette.worker import seam
from maquette.worker.child import FlowOrder, HookOrder
from maquette.worker.forks import Forks
from maquette.worker.pushes import AGAIN_S, hear

if TYPE_CHECKING:
    from prefect.runner._flow_run_executor import FlowRunExecutionResult, FlowRunExecutorContext
    from prefect.runner._process_manager import ProcessHandle

# Runs that are scheduled within this time are polled together.
TOGETHER_S: Final = 0.02
# What Prefect gives a run that is cancelled, before it is killed.
PATIENCE_S: Final = 30.0
ISOLATION: Final = "How a run starts: forked from a process that has the code imported, or in a process of its own."


class WarmVariables(ProcessVariables):
    """What a deployment may choose."""

    isolation: Literal["fork", "process"] = Field(default="fork", title="Isolation", description=ISOLATION)


class WarmJobConfiguration(ProcessJobConfiguration):
    """One run's configuration. ``own_process`` says why it cannot be forked, and is empty where it can."""

    isolation: Literal["fork", "process"] = Field(default="fork", description=ISOLATION)

    _own_process: str = PrivateAttr(default="")
    _entrypoint: str = PrivateAttr(default="")

    @property
    def own_process(self) -> str:
        return self._own_process

    @property
    def entrypoint(self) -> str:
        """The flow, in module form."""
        return self._entrypoint

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: Flow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        self._entrypoint = (deployment.entrypoint if deployment else None) or ""
        self._own_process = self._why_own_process(deployment)
        super().prepare_for_flow_run(flow_run, deployment, flow, work_pool, worker_name, worker_id)

    @classmethod
    def _base_environment(cls) -> dict[str, str]:
        return dict(_settings_environment())

    def _why_own_process(self, deployment: DeploymentResponse | None) -> str:
        if self.isolation == "process":
            return "its deployment asks for one"
        if self.command is not None:
            return "it has a command of its own"
        if self.env:
            return "it has variables of its own, which modules that are imported already would not see"
        if deployment is not None and deployment.pull_steps:
            return "its deployment has pull steps"
        if not self._entrypoint or ":" in self._entrypoint:
            return "its entrypoint is not a module's"
        return ""


class ForkedHooks:
    """Runs the hooks of a run that was cancelled or crashed in a fork, where the stock worker starts a process."""

    def __init__(self, forks: Forks) -> None:
        self._forks = forks

    async def run_cancellation_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        if state.is_cancelling():
            await self._run("cancellation", flow_run, state)

    async def run_crashed_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        if state.is_crashed():
            await self._run("crashed", flow_run, state)

    async def _run(self, kind: seam.Hook, flow_run: FlowRun, state: State[Any]) -> None:
        logger = flow_run_logger(flow_run)
        try:
            with tempfile.TemporaryDirectory(suffix="prefect") as folder:
                fork = await self._forks.start(HookOrder(flow_run, dict(os.environ), folder, True, kind, state))
                code = await fork.wait()
        except Exception:
            logger.warning("on_%s hooks of flow run %r could not be run", kind, flow_run.id, exc_info=True)
            return
        if code:
            logger.warning("on_%s hooks of flow run %r ended with status code %d", kind, flow_run.id, code)


class ForkStarter:
    """Starts one run in a fork: what Prefect calls a process starter."""

    def __init__(
        self, forks: Forks, context: "FlowRunExecutorContext", configuration: WarmJobConfiguration, folder: str
    ) -> None:
        self._forks = forks
        self._context = context
        self._configuration = configuration
        self._folder = folder

    async def start(
        self,
        flow_run: FlowRun,
        task_status: "anyio.abc.TaskStatus[ProcessHandle]" = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        environment = {name: value for name, value in self._configuration.env.items() if value is not None}
        environment |= {"PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS": "false"}
        environment |= seam.control_environment(self._context, flow_run.id)
        try:
            fork = await self._forks.start(
                FlowOrder(
                    flow_run,
                    environment,
                    self._folder,
                    self._configuration.stream_output,
                    self._configuration.entrypoint,
                )
            )
        except BaseException:
            seam.forget_control(self._context, flow_run.id)
            raise
        handle = seam.handle_of(fork)
        task_status.started(handle)
        try:
            await fork.wait()
        except BaseException:  # the worker stops at once: so does the run, and says so itself
            with anyio.CancelScope(shield=True), suppress(ProcessLookupError):
                handle.graceful_kill()
                with anyio.move_on_after(PATIENCE_S):
                    await fork.wait()
                if fork.returncode is None:
                    handle.hard_kill()
                    await fork.wait()
            raise


class WarmWorker(ProcessWorker):
    """Forks each run from a server in which Prefect and the flows are imported.

    What cannot be forked (see ``WarmJobConfiguration.own_process``) runs as under the stock worker.
    """

    type = "warm"
    job_configuration = WarmJobConfiguration
    job_configuration_variables = WarmVariables  # type: ignore[assignment]  # the stock worker's, and one more
    _display_name = "Warm"
    _description = (
        "Run each flow run in a child that is forked from a process in which Prefect and your flows are imported "
        "already. A run starts in a fraction of a second; what needs a process of its own gets one."
    )
    _documentation_url = ""
    _logo_url = ""

    async def setup(self) -> None:
        settings = get_settings()
        chosen = settings.worker_preload
        modules = modules_of(Path("prefect.yaml")) if chosen is None else chosen
        # Before the stock worker's own: a run that is waited for at the end needs both until then.
        self._forks = await self._exit_stack.enter_async_context(Forks(modules, spares=settings.worker_spares))
        self._executors = await self._exit_stack.enter_async_context(seam.executors())
        self._hooks = ForkedHooks(self._forks)
        self._polling = asyncio.Lock()
        self._wake = asyncio.Event()
        await super().setup()
        for service in (self._listen(), seam.keep_watch(self._executors, again_s=AGAIN_S)):
            self._exit_stack.push_async_callback(_cancelled, asyncio.create_task(service))

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        async with self._polling:  # the loop that polls, and what was pushed
            return await super().get_and_submit_flow_runs()

    def _release_limit_slot(self, flow_run_id: UUID) -> None:
        was_full = self._limiter is not None and self._limiter.available_tokens == 0
        super()._release_limit_slot(flow_run_id)
        if was_full:  # a run may wait for this very place
            self._wake.set()

    async def _give_worker_labels_to_flow_run(self, flow_run_id: UUID) -> None:
        assert self._runs_task_group is not None  # of a worker that is set up
        self._runs_task_group.start_soon(super()._give_worker_labels_to_flow_run, flow_run_id)  # nothing waits for them

    async def _listen(self) -> None:
        """Poll as soon as the server says that a run is scheduled, or a place is free."""
        async with anyio.create_task_group() as group:
            group.start_soon(hear, self._work_pool_name, self._wake.set)
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self.get_and_submit_flow_runs()
                except Exception as error:  # the stock worker's own loop tells of it, if it lasts
                    self._logger.debug("The poll after a push failed, the next one follows: %s", error)
                await asyncio.sleep(TOGETHER_S)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        assert isinstance(configuration, WarmJobConfiguration)
        if configuration.own_process:
            logger = self.get_flow_run_logger(flow_run)
            logger.info("The run gets a process of its own: %s", configuration.own_process)
            return await super().run(flow_run, configuration, task_status)
        with _folder(configuration.working_dir) as folder:
            starter = ForkStarter(self._forks, self._executors, configuration, folder)
            executor = self._executors.create_executor(
                flow_run, starter, propose_submitting=False, hook_runner=self._hooks
            )
            execution: FlowRunExecutionResult | None = None

            async def execute(
                *, task_status: "anyio.abc.TaskStatus[ProcessHandle]" = anyio.TASK_STATUS_IGNORED
            ) -> None:
                nonlocal execution
                execution = await executor.submit(task_status=task_status)

            async with anyio.create_task_group() as group:
                handle = await group.start(execute)
                if task_status is not None:
                    task_status.started(handle.pid)
        if execution is None or execution.status_code is None:
            raise RuntimeError("the flow run's process could not be started")
        return ProcessWorkerResult(status_code=execution.status_code, identifier=str(handle.pid))


@lru_cache
def _settings_environment() -> dict[str, str]:
    """The worker's settings, which stay as they are while it lives."""
    return get_current_settings().to_environment_variables(exclude_unset=True)


def modules_of(prefect_yaml: Path) -> Sequence[str]:
    """The modules that the deployments of a ``prefect.yaml`` name as their entrypoints; none where there is no file."""
    try:
        document = yaml.safe_load(prefect_yaml.read_text("utf-8"))
    except FileNotFoundError:
        return ()
    entrypoints = (str(each.get("entrypoint") or "") for each in (document or {}).get("deployments") or ())
    return sorted({each.rpartition(".")[0] for each in entrypoints if "." in each and ":" not in each})


@contextmanager
def _folder(chosen: Path | None) -> Iterator[str]:
    """The run's working folder: the one that was chosen, or one that goes with the run."""
    if chosen is not None:
        yield str(chosen)
        return
    with tempfile.TemporaryDirectory(suffix="prefect") as folder:
        yield folder


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
