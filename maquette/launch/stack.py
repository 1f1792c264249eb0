"""The stack of one home: PostgreSQL, Prefect server, worker, API, dispatcher and reconciler, on loopback.

What it starts it ends. Child processes live in sessions of their own, so that Ctrl-C reaches only this
one, which then stops them in order.
"""

import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, NoReturn

import httpx
import psutil

from maquette.db.embedded import embedded_postgres, make_home
from maquette.db.engine import Database
from maquette.errors import StackError
from maquette.launch import prefect_sqlite, schema
from maquette.launch.code import code_root
from maquette.launch.dispatcher import Dispatcher
from maquette.launch.flow_runs import PrefectFlowRuns
from maquette.launch.processes import STOP_S, end_tree, require_free_port, require_safe_address
from maquette.launch.reconciler import Reconciler
from maquette.launch.state import StackState, read_state, write_state
from maquette.settings import Settings
from maquette.storage import store_from_settings
from maquette.worker.seam import TRIED, moved

log = logging.getLogger(__name__)

POOL = "maquette"
START_S = 120.0
TOO_MANY_DEATHS = 5
STABLE_S = 10.0
LONGEST_PAUSE_S = 8.0


class Stack:
    """A running stack. Made by ``running``."""

    def __init__(
        self, settings: Settings, home: Path, database: Database, state: StackState, *, stop: threading.Event
    ) -> None:
        self.settings = settings
        self.home = home
        self.database = database
        self.state = state
        self.environment: dict[str, str] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, Sequence[str]] = {}
        self._started: dict[str, float] = {}
        self._deaths: Counter[str] = Counter()
        self._stop = stop

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a child; its output goes to ``logs/<name>.log``."""
        logs = self.home / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{name}.log").open("ab") as output:
            self._children[name] = subprocess.Popen(
                command,
                cwd=code_root(self.settings),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._commands[name] = command
        self._started[name] = time.monotonic()
        self.state.children = {each: child.pid for each, child in self._children.items()}
        write_state(self.home, self.state)

    def wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until ``ready``. Raises ``StackError`` with the log's end when the child dies or takes too long.

        Raises ``KeyboardInterrupt`` when the start was called off meanwhile.
        """
        deadline = time.monotonic() + START_S
        while not ready():
            if self._stop.is_set():
                raise KeyboardInterrupt
            code = self._children[name].poll()
            if code is not None or time.monotonic() > deadline:
                raise self._failure(name, f"ended with {code}" if code is not None else f"took over {START_S:.0f} s")
            time.sleep(0.05)

    def require_alive(self) -> None:
        """Raises ``StackError`` with the log's end when a child dies again and again."""
        for name, deaths in self._deaths.items():
            if deaths >= TOO_MANY_DEATHS:
                raise self._failure(name, f"ended {deaths} times in a row")

    def supervise(self, stop: threading.Event) -> None:
        """Start again what died, until ``stop``; what dies as soon as it is started gets longer pauses."""
        while not stop.wait(1):
            for name, child in list(self._children.items()):
                lived_s = time.monotonic() - self._started[name]
                if child.poll() is None:
                    if lived_s > STABLE_S:
                        self._deaths[name] = 0
                elif lived_s > min(2 ** self._deaths[name] - 1, LONGEST_PAUSE_S):
                    self._deaths[name] += 1
                    log.warning("the %s ended with %s; starting it again", name, child.returncode)
                    self.start(name, self._commands[name])

    def _failure(self, name: str, fate: str) -> StackError:
        path = self.home / "logs" / f"{name}.log"
        tail = "\n".join(path.read_text("utf-8", "replace").splitlines()[-15:])
        return StackError(f"the {name} {fate}; the end of {path}:\n{tail}")

    def stop_children(self) -> None:
        """Stop what was started, last first, each with all that it started."""
        for _, child in reversed(self._children.items()):
            end_tree(child.pid)
            child.wait()


@contextmanager
def running(
    settings: Settings,
    *,
    with_api: bool = True,
    on_step: Callable[[str], None] = log.info,
    stop: threading.Event | None = None,
) -> Iterator[Stack]:
    """Start the home's stack, yield it ready, and stop it. Raises ``StackError``, ``ConfigurationError``.

    ``on_step`` hears in a few words what is being started. ``stop``, when set, calls a start off between two
    steps (``KeyboardInterrupt``): a signal in the midst of one could leave a half-made database.
    """
    called_off = stop or threading.Event()

    def step(text: str) -> None:
        if called_off.is_set():
            raise KeyboardInterrupt
        on_step(text)

    require_safe_address(settings)
    home = make_home(settings.home)
    code = code_root(settings)
    with ExitStack() as exits:
        exits.enter_context(_only_one(home))
        _end_leftovers(home)
        if settings.prefect_api_url is None:
            require_free_port(settings.prefect_host, settings.prefect_port, option="--prefect-port")
        if with_api:
            require_free_port(settings.api_host, settings.api_port, option="--port")
        step("database")
        url = (
            settings.database_url.get_secret_value()
            if settings.database_url
            else exits.enter_context(embedded_postgres(home))
        )
        schema.upgrade(url, code=code)
        database = Database(url)
        exits.callback(database.dispose)
        prefect_url = f"http://{settings.prefect_host}:{settings.prefect_port}"
        prefect_api = settings.prefect_api_url or f"{prefect_url}/api"
        state = StackState(
            pid=os.getpid(),
            api_url=f"http://{settings.api_host}:{settings.api_port}",
            prefect_url=settings.prefect_api_url.removesuffix("/api") if settings.prefect_api_url else prefect_url,
            database_url=url,
        )
        stack = Stack(settings, home, database, state, stop=called_off)
        (home / "run").mkdir(exist_ok=True)
        stack.environment = child_environment(settings, home=home, code=code, database_url=url, prefect_api=prefect_api)
        # Prefect's client in this process reads these when it is imported.
        os.environ.update({name: stack.environment[name] for name in ("PREFECT_HOME", "DO_NOT_TRACK")})
        exits.callback((home / "stack.json").unlink, missing_ok=True)
        exits.callback(stack.stop_children)
        if settings.prefect_api_url is None:
            # The slots of runs that the last stack left: nobody gives them back.
            shutil.rmtree(home / "prefect" / "concurrency_leases", ignore_errors=True)
            step("Prefect server")
            stack.start("prefect-server", _python("uvicorn", "--factory", "prefect.server.api.server:create_app",
                                                  "--host", settings.prefect_host, "--port", str(settings.prefect_port),
                                                  "--log-level", "warning"))  # fmt: skip
            stack.wait_for("prefect-server", lambda: _answers(f"{prefect_api}/health"))
        _, why = worker_type_here()
        step(f"worker (the stock one, runs start slowly: {why})" if why else "worker")
        if why:
            stack.environment["PREFECT_WORKER_QUERY_SECONDS"] = "1"  # it hears of nothing
        stack.start("worker", worker_command(settings))
        register = register_with(stack.environment, code)
        register()
        runs = exits.enter_context(PrefectFlowRuns(prefect_api))
        if settings.prefect_api_url is None:
            runs.free_slots()
        _run_threads(exits, stack, runs, register)
        if with_api:
            step("API")  # last, for its health says that all is ready
            stack.start("api", _python("maquette.api"))
            stack.wait_for("api", lambda: _answers(f"{state.api_url}/health"))
        yield stack


def child_environment(
    settings: Settings, *, home: Path, code: Path, database_url: str, prefect_api: str
) -> dict[str, str]:
    """The environment of the stack's processes: ours, without the person's own Prefect profile."""
    keys = ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_CUSTOM_HEADERS")
    credentials = keys if settings.prefect_api_url else ()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_") or name in credentials}
    paths = [str(code), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {
        "MAQUETTE_HOME": str(home),
        "MAQUETTE_DATABASE_URL": database_url,
        "MAQUETTE_CODE_ROOT": str(code),
        "MAQUETTE_API_HOST": settings.api_host,
        "MAQUETTE_API_PORT": str(settings.api_port),
        "MAQUETTE_PREFECT_API_URL": prefect_api,
        "PYTHONPATH": os.pathsep.join(paths),
        # Prefect keeps its runner's files in a folder of the machine's /tmp, where another user may own it.
        "TMPDIR": str(home / "run"),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": prefect_api,
        "PREFECT_LOCAL_STORAGE_PATH": str(home / "prefect" / "storage"),
        # The warm worker hears of runs; this is for what it did not hear.
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # Slots survive a restart of the server, and come back when their holder was killed.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(settings.history_keep_days * 86_400),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{settings.history_keep_days}D",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        **_of_own_server(settings, home),
    }


def _of_own_server(settings: Settings, home: Path) -> dict[str, str]:
    """What serves a Prefect server of this installation; one of another's is asked as Prefect's clients ask."""
    if settings.prefect_api_url:
        return {}
    return {
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": prefect_sqlite.database_url(home / "prefect"),
        # Task runs are written down together: they show up to a second later.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    }


def worker_type_here() -> tuple[str, str]:
    """The type of worker that this installation can run, and why it is not the warm one where it is not."""
    missing = moved()
    if missing:
        return "process", f"the warm worker knows Prefect {TRIED}, and does not find {', '.join(missing)}"
    return "warm", ""


def worker_command(settings: Settings) -> list[str]:
    """The command of a worker; any number of them may serve one pool."""
    kind, _ = worker_type_here()
    return _python("prefect", "worker", "start", "--pool", POOL, "--type", kind, "--limit", str(settings.worker_limit))


def register_with(environment: dict[str, str], code: Path) -> Callable[[], None]:
    """A call that registers the deployments, from a process of its own: ``maquette`` imports no flows."""

    def register() -> None:
        done = subprocess.run(
            _python("deployments"), cwd=code, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StackError(f"the deployments could not be registered:\n{done.stderr[-2000:]}")

    return register


def kill_at_once(settings: Settings) -> NoReturn:
    """Kill all that this process started, and this process (exit code 130), without a farewell.

    PostgreSQL is told to quit immediately where it is the home's and this process runs the stack; it recovers
    from its log at the next start.
    """
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    home = settings.home.expanduser().absolute()
    state = read_state(home)
    if state is not None and state.pid == os.getpid():
        with suppress(OSError, ValueError, IndexError):
            os.kill(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGQUIT)
        (home / "stack.json").unlink(missing_ok=True)
    os._exit(130)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


def _run_threads(exits: ExitStack, stack: Stack, runs: PrefectFlowRuns, register: Callable[[], None]) -> None:
    settings, stop = stack.settings, threading.Event()
    dispatcher = Dispatcher(stack.database, runs, settings, register=register)
    reconciler = Reconciler(stack.database, runs, store_from_settings(settings), settings)
    for name, target in (
        ("dispatcher", dispatcher.run),
        ("reconciler", reconciler.run),
        ("supervisor", stack.supervise),
    ):
        thread = threading.Thread(target=target, args=[stop], name=name, daemon=True)
        thread.start()
        exits.callback(thread.join, STOP_S)
    exits.callback(stop.set)


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    lock: IO[str]
    with (home / "stack.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state = read_state(home)
            where = f" (process {state.pid}, {state.api_url})" if state else ""
            raise StackError(
                f"a stack already runs on {home}{where}: use it, stop it, or set MAQUETTE_HOME to another folder"
            ) from None
        yield


def _end_leftovers(home: Path) -> None:
    """End the children of a stack that was killed: it left their ids, and nobody else watches them."""
    try:
        state = StackState.model_validate_json((home / "stack.json").read_text())
    except (FileNotFoundError, ValueError):
        return
    for name, pid in state.children.items():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if str(home) == psutil.Process(pid).environ().get("MAQUETTE_HOME"):
                log.warning("ending the %s that a killed stack left (process %d)", name, pid)
                end_tree(pid)
