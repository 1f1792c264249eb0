"""A Prefect server and workers of it as processes of their own, deployments of the toy flows, and their runs."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectAlreadyExists

from maquette.launch.processes import end_tree
from tests.rehearsing import free_port, until

ROOT: Final = Path(__file__).parents[2]
TOYS: Final = "tests.worker.toyflows"
KINDS: Final = ("process", "warm")
# As ``python -m prefect`` does.
_PREFECT: Final = 'from runpy import run_module; run_module("prefect", run_name="__main__", alter_sys=True)'


def environment(home: Path, **told: str) -> dict[str, str]:
    """This process's, without what the suite was told of Prefect and of the application."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MAQUETTE_"))}
    return kept | {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": str(ROOT),
        "DO_NOT_TRACK": "1",
        **told,
    }


class Server:
    """A Prefect server with a database of its own, which may be killed and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on its port and its database, and wait until it serves."""
        app = ("-m", "uvicorn", "--factory", "prefect.server.api.server:create_app")
        with (self.home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *app, "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning"],
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(
                    self.home,
                    # A run that waits for its turn is not late, and events show soon.
                    PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED="false",
                    PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED="false",
                    PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS="1",
                    PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL="0.2",
                ),
            )
        until(self.answers, what="the server")

    def answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.home / "server.log").read_text()
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/health").is_success
        return False

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Worker:
    """A worker of one pool, and what it wrote."""

    def __init__(self, kind: str, name: str, process: subprocess.Popen[bytes], log: Path, tmp: Path) -> None:
        self.kind = kind
        self.name = name
        self.process = process
        self.log = log
        self.tmp = tmp

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def signal(self, signum: int) -> None:
        os.kill(self.pid, signum)

    def ended(self, *, seconds: float = 60) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(seconds)


@dataclass
class Run:
    """A flow run, and the notes that it left."""

    id: UUID
    notes_file: Path
    client: SyncPrefectClient = field(repr=False)

    @property
    def notes(self) -> list[dict[str, Any]]:
        with suppress(FileNotFoundError):
            return [json.loads(line) for line in self.notes_file.read_text().splitlines()]
        return []

    def said(self, what: str) -> list[dict[str, Any]]:
        return [each for each in self.notes if each["what"] == what]

    @property
    def began(self) -> dict[str, Any]:
        """The last time that its flow's first line was reached."""
        return self.said("began")[-1]

    def has_begun(self) -> bool:
        return bool(self.said("began"))

    def now(self) -> FlowRun:
        return self.client.read_flow_run(self.id)

    def state(self) -> State[Any]:
        state = self.now().state
        assert state is not None
        return state

    def is_final(self) -> bool:
        return self.state().is_final()

    def states(self) -> list[str]:
        """Type and name of each state that it went through."""
        states = sorted(self.client.read_flow_run_states(self.id), key=lambda state: state.timestamp)
        return [f"{state.type.value} {state.name}" for state in states]

    def tell(self) -> None:
        """Let ``ends_when_told`` end."""
        self.notes_file.with_name(f"{self.id}.told").touch()


class Rig:
    """A server, and what is started against it; all of it is ended with the rig."""

    def __init__(self, server: Server, client: SyncPrefectClient, home: Path) -> None:
        self.server = server
        self.client = client
        self.home = home
        self.toys = home / "toys"
        self.toys.mkdir()
        self._workers: list[Worker] = []
        self._numbers = itertools.count()

    def pool(self, name: str, kind: str) -> str:
        """A work pool of that type, with the form that the type's worker gives it."""
        from prefect.workers.base import BaseWorker

        worker = BaseWorker.get_worker_class_from_type(kind)
        assert worker is not None
        template = worker.get_default_base_job_template()
        with suppress(ObjectAlreadyExists):
            self.client.create_work_pool(WorkPoolCreate(name=name, type=kind, base_job_template=template))
        return name

    def worker(self, pool: str, kind: str, *arguments: str, patch: str = "", **told: str) -> Worker:
        """Start a worker, after the code of ``patch``; it is not ready yet."""
        number = len(self._workers)
        name = f"{kind}-{number}"
        tmp = self.home / f"tmp-{name}"
        tmp.mkdir()
        command = ["worker", "start", "--pool", pool, "--type", kind, "--name", name, *arguments]
        log = self.home / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", f"{patch}\n{_PREFECT}", *command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=environment(
                    self.home / "client",
                    **{
                        "PREFECT_API_URL": self.server.url,
                        "PREFECT_WORKER_QUERY_SECONDS": "1",
                        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
                        "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.2",
                        "MAQUETTE_HOME": str(self.home / "maquette"),
                        "MAQUETTE_WORKER_PRELOAD": json.dumps([TOYS]),
                        "TOYS": str(self.toys),
                        "TOY_OF_THE_WORKER": "seen",
                        "TMPDIR": str(tmp),
                    }
                    | told,
                ),
            )
        worker = Worker(kind, name, process, log, tmp)
        self._workers.append(worker)
        return worker

    def awaited(self, worker: Worker) -> Worker:
        """The worker, once it serves."""
        until(lambda: worker.process.poll() is not None or "started!" in worker.output, what="the worker")
        assert worker.process.poll() is None, worker.output
        return worker

    def deployment(self, pool: str, flow: str, *, entrypoint: str | None = None, **more: Any) -> UUID:
        """A deployment of one of the toy flows in that pool."""
        return self.client.create_deployment(
            flow_id=self.client.create_flow_from_name(flow.replace("_", "-")),
            name=f"{flow}-{next(self._numbers)}",
            entrypoint=entrypoint or f"{TOYS}.{flow}",
            work_pool_name=pool,
            enforce_parameter_schema=False,
            **more,
        )

    def run_of(self, deployment: UUID, **more: Any) -> Run:
        """A run of that deployment, which may start at once."""
        run = self.client.create_flow_run_from_deployment(deployment, **more)
        return Run(run.id, self.toys / str(run.id), self.client)

    def run(self, pool: str, flow: str, *, parameters: dict[str, Any] | None = None, **more: Any) -> Run:
        """A run of a deployment of its own."""
        return self.run_of(self.deployment(pool, flow, **more), parameters=parameters)

    def read(self, runs: Sequence[Run]) -> dict[UUID, FlowRun]:
        """Those runs as they are now, in one call."""
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=[run.id for run in runs]))
        return {found.id: found for found in self.client.read_flow_runs(flow_run_filter=wanted)}

    def are_final(self, runs: Sequence[Run]) -> bool:
        found = self.read(runs).values()
        return len(found) == len(runs) and all(run.state is not None and run.state.is_final() for run in found)

    def await_end(self, *runs: Run, seconds: float = 90) -> None:
        until(lambda: self.are_final(runs), seconds=seconds, what=f"the end of {runs}")

    @contextmanager
    def working(self, pool: str, kind: str, *arguments: str, patch: str = "", **told: str) -> Iterator[Worker]:
        """A worker that serves, ended with what it started however the block ends."""
        worker = self.worker(pool, kind, *arguments, patch=patch, **told)
        try:
            yield self.awaited(worker)
        finally:
            end_tree(worker.pid)
            worker.process.wait()

    def close(self) -> None:
        """End all workers, with what they started."""
        for worker in self._workers:
            end_tree(worker.pid)
            worker.process.wait()


@contextmanager
def rigged(home: Path) -> Iterator[Rig]:
    """A rig with a running server; what it started is ended with it."""
    server = Server(home)
    try:
        server.start()
        with SyncPrefectClient(server.url) as client:
            rig = Rig(server, client, home)
            try:
                yield rig
            finally:
                rig.close()
    finally:
        server.kill()
