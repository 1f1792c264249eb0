"""A whole stack for a bench of workers: Prefect on SQLite or on PostgreSQL, and a worker that can be exchanged."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch
from uuid import UUID, uuid4

import httpx
import psutil
import psycopg
from pydantic import BaseModel

from benchmarks.first_lines import NOTES, noted
from benchmarks.rig import ROOT, bench_home
from maquette.errors import StackError
from maquette.intake.pipelines import PIPELINES
from maquette.intake.requests import MediaRequest
from maquette.intake.service import Intake
from maquette.launch import stack as launch
from maquette.launch.processes import end_tree
from maquette.orders.models import Job, JobStatus
from maquette.settings import Settings
from maquette.storage import store_from_settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

INSTALL: Final = "install PostgreSQL 14 or newer with its contrib modules (Debian: apt install postgresql)"
OLDEST: Final = 14
POSTGRES: Final = Path("/usr/lib/postgresql")
WAIT_S: Final = 180.0
STEADY_LOOKS: Final = 20
FLOWS: Final = "benchmarks.starting_flows"
IMAGE: Final = PIPELINES["image"].deployment
BULK: Final = 100  # Prefect's limit of runs that one request creates


class Way(BaseModel):
    """A worker and how it is set up. ``environment`` is laid over the stack's; ``None`` takes a variable away."""

    name: str
    type: str
    pool: str
    environment: dict[str, str | None] = {}
    job_variables: dict[str, Any] = {}
    pauses_s: float
    """Pauses before orders are spread over so many seconds: those between two polls, where a run waits for one."""
    processes: int
    """Of the worker when it is idle."""


@contextmanager
def installed_postgres() -> Iterator[str]:
    """Run this machine's PostgreSQL in a temporary folder; the URL of an empty database for Prefect's server.

    The embedded one lacks ``pg_trgm``, which Prefect's schema needs. Raises ``StackError`` where none is installed.
    """
    programs = _programs()
    # PostgreSQL refuses to run as root.
    user: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    with TemporaryDirectory(prefix="maquette-bench-pg-") as folder:
        if user:
            shutil.chown(folder, user["user"], user["group"])
        data = f"{folder}/data"
        initdb = [str(programs / "initdb"), "-D", data, "-U", "prefect", "-A", "trust", "-E", "UTF8", "--no-sync"]
        made = subprocess.run(initdb, cwd=folder, capture_output=True, text=True, check=False, **user)
        if made.returncode:
            raise StackError(f"{initdb[0]} made no database: {made.stderr[-500:]}")
        with Path(folder, "log").open("wb") as log:
            command = [str(programs / "postgres"), "-D", data, "-h", "", "-k", folder]
            server: subprocess.Popen[bytes] = subprocess.Popen(
                command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, **user
            )
        try:
            _make_database(f"host={folder} user=prefect", server)
            yield f"postgresql+asyncpg://prefect@/prefect?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)  # a fast stop
            server.wait()


def _programs() -> Path:
    """Where the newest PostgreSQL of this machine has its programs."""
    found = [(int(path.parts[-3]), path.parent) for path in POSTGRES.glob("*/bin/initdb") if path.parts[-3].isdigit()]
    if not found and (initdb := shutil.which("initdb")):
        told = subprocess.run([initdb, "--version"], capture_output=True, text=True, check=True).stdout
        found = [(int(told.split()[2].partition(".")[0]), Path(initdb).resolve().parent)]
    if not found or max(found)[0] < OLDEST:
        raise StackError(f"no PostgreSQL is installed here: {INSTALL}")
    return max(found)[1]


def _make_database(server: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + WAIT_S
    while True:
        try:
            with psycopg.connect(f"{server} dbname=postgres", autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'").fetchone():
                    raise StackError(f"the PostgreSQL of this machine lacks pg_trgm: {INSTALL}")
                connection.execute("CREATE DATABASE prefect")
                return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise StackError(f"the PostgreSQL of this machine did not start: {error}") from error
            time.sleep(0.05)


class Stand:
    """The running stack. Made by ``stand``."""

    def __init__(self, stack: launch.Stack, client: "SyncPrefectClient") -> None:
        self.home = stack.home
        self._stack = stack
        self._client = client
        self._api = stack.environment["PREFECT_API_URL"]
        self._told = dict(stack.environment)
        self._intake = Intake(stack.database, store_from_settings(stack.settings), stack.settings)
        self._deployed: dict[str, UUID] = {}

    def take(self, way: Way, *, limit: int) -> None:
        """Let all runs go to a worker of that way, and end the one before."""
        self._deploy(way)
        before = self._stack.state.children["worker"]
        told = self._told | way.environment
        self._stack.environment = {name: value for name, value in told.items() if value is not None}
        # First the new one: the stack starts again what ends by itself.
        self._stack.start("worker", command_of(way, limit=limit))
        end_tree(before)

    def _deploy(self, way: Way) -> None:
        from prefect.client.schemas.actions import WorkPoolCreate
        from prefect.exceptions import ObjectAlreadyExists
        from prefect.workers.base import BaseWorker

        worker = BaseWorker.get_worker_class_from_type(way.type)
        assert worker is not None  # of the types that this installation has
        template = worker.get_default_base_job_template()
        with suppress(ObjectAlreadyExists):
            self._client.create_work_pool(WorkPoolCreate(name=way.pool, type=way.type, base_job_template=template))
        image = self._client.read_deployment_by_name(IMAGE)
        flows = {"nothing": self._client.create_flow_from_name("bench-nothing")}
        flows |= {"waiting": self._client.create_flow_from_name("bench-waiting"), image.name: image.flow_id}
        for name, flow_id in flows.items():
            self._deployed[name] = self._client.create_deployment(
                flow_id,
                name,
                entrypoint=f"{FLOWS}.{name.replace('-', '_')}",
                work_pool_name=way.pool,
                work_queue_name="default",
                job_variables=way.job_variables,
            )

    def order(self) -> tuple[str, float]:
        """Order an image as a client does; its job, and the moment at which the call had returned."""
        placed = self._intake.order(MediaRequest(format="image", topic="Une terrasse de café au lever du soleil"))
        return str(placed.job_id), time.time()

    def first_line(self, key: str) -> float:
        """The moment of its first line, waited for."""
        self.until(lambda: key in noted(self.home), f"the first line of {key}")
        return noted(self.home)[key]

    def settle(self, job_id: str, way: Way) -> None:
        """Wait until the job is completed, and nothing is left of its run in the worker."""

        def completed() -> bool:
            with self._stack.database.begin() as session:
                job = session.get_one(Job, UUID(job_id))
                if job.status in (JobStatus.FAILED, JobStatus.CANCELLED):
                    raise StackError(f"the job is {job.status}: {job.last_error}; see {self.home}/logs")
                return job.status == JobStatus.COMPLETED

        self.until(completed, "the end of the order")
        self.idle(way)

    def idle(self, way: Way) -> None:
        """Wait until the worker has no run."""
        self.until(lambda: len(self.worker()) == way.processes, f"{way.name} to be idle")

    def worker(self) -> list[psutil.Process]:
        """The worker's processes."""
        root = psutil.Process(self._stack.state.children["worker"])
        return [root, *root.children(recursive=True)]

    def start_runs(self, name: str, count: int) -> Sequence[str]:
        """Create runs of ``nothing`` or ``waiting``, all for now; their keys."""
        keys = [uuid4().hex for _ in range(count)]
        for begin in range(0, count, BULK):
            asked = [{"parameters": {"key": key}} for key in keys[begin : begin + BULK]]
            url = f"{self._api}/deployments/{self._deployed[name]}/create_flow_run/bulk"
            httpx.post(url, json=asked, timeout=WAIT_S).raise_for_status()
        return keys

    @contextmanager
    def held_back(self, way: Way) -> Iterator[None]:
        """Runs that are created meanwhile all start afterwards."""
        from prefect.client.schemas.actions import WorkPoolUpdate

        self._client.update_work_pool(way.pool, WorkPoolUpdate(is_paused=True))
        yield
        self._client.update_work_pool(way.pool, WorkPoolUpdate(is_paused=False))

    def steady(self) -> None:
        """Wait until the worker starts and ends no process any more."""
        seen: deque[list[psutil.Process]] = deque(maxlen=STEADY_LOOKS)

        def unchanged() -> bool:
            seen.append(self.worker())
            return len(seen) == STEADY_LOOKS and all(each == seen[0] for each in seen)

        self.until(unchanged, "rest in the worker")

    def until(self, is_so: Callable[[], bool], what: str, *, within_s: float = WAIT_S) -> None:
        """Wait for it. Raises ``StackError`` where it takes longer."""
        deadline = time.monotonic() + within_s
        while not is_so():
            if time.monotonic() > deadline:
                raise StackError(f"{what} did not come within {within_s:.0f} s; see {self.home}/logs")
            # Seldom, for looking costs; the moments that count are noted by those who know them.
            time.sleep(0.05)


@contextmanager
def stand(prefect_database: str | None) -> Iterator[Stand]:
    """The stack as ``maquette up`` runs it; Prefect's server on its SQLite, or on the given database."""
    with bench_home({}) as home:
        from prefect.client.orchestration import SyncPrefectClient

        from maquette.worker.warm import modules_of

        os.environ["MAQUETTE_WORKER_PRELOAD"] = json.dumps([*modules_of(ROOT / "prefect.yaml"), FLOWS])
        told = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": prefect_database} if prefect_database else {}
        environment = launch.child_environment

        def with_database(*of: Any, **how: Any) -> dict[str, str]:
            return environment(*of, **how) | told

        with (
            patch.object(launch, "child_environment", with_database),
            launch.running(Settings(), with_api=False) as stack,
            SyncPrefectClient(stack.environment["PREFECT_API_URL"]) as client,
        ):
            (home / NOTES).touch()
            yield Stand(stack, client)


def command_of(way: Way, *, limit: int) -> list[str]:
    """The command of its worker, like the stack's own."""
    command = launch.worker_command(Settings(worker_limit=limit))
    for option, value in (("--pool", way.pool), ("--type", way.type)):
        command[command.index(option) + 1] = value
    return command


def pss_bytes(processes: Iterable[psutil.Process]) -> int:
    """Memory of the processes together; a page that several use counts in parts (proportional set size)."""
    total = 0
    for process in processes:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total
