"""What a forked child does: it waits for its order, obeys it, and leaves."""

import asyncio
import atexit
import ctypes
import os
import pickle
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from maquette.worker import seam

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

LIBC: Final = ctypes.CDLL(None, use_errno=True)
_PR_SET_NAME: Final = 15
LENGTH: Final = struct.Struct("!Q")
DRAIN_S: Final = 10.0
# A server that does not answer keeps nobody from its order.
GREETING_S: Final = 5.0
# The stock worker's process waits for ever for threads that a flow left; a worker's place is worth more.
LEFT_THREADS_S: Final = 10.0


@dataclass(frozen=True)
class Order:
    """What a child is to do, and where."""

    flow_run: "FlowRun"
    environment: dict[str, str]
    folder: str
    stream_output: bool


@dataclass(frozen=True)
class FlowOrder(Order):
    """Run the flow at ``entrypoint``, in module form."""

    entrypoint: str

    def obey(self) -> None:
        seam.engine(self.flow_run, self.entrypoint)


@dataclass(frozen=True)
class HookOrder(Order):
    """Run the hooks of a run that was cancelled or crashed."""

    kind: seam.Hook
    state: "State[Any]"

    def obey(self) -> None:
        seam.hooks(self.kind, self.flow_run, self.state)


def serve(channel: socket.socket) -> int:
    """Wait for the order and obey it; the exit code. A channel that closes first ends the child well."""
    name_process("spare")
    if numpy_random := sys.modules.get("numpy.random"):  # else every run would draw the same; random does it itself
        numpy_random.seed()
    with suppress(Exception):  # the run asks again, and says so
        asyncio.run(asyncio.wait_for(seam.greet(), GREETING_S))
    with channel, channel.makefile("rb") as stream:
        head = stream.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return 0
        order = pickle.loads(stream.read(*LENGTH.unpack(head)))
    name_process(f"run-{order.flow_run.id.hex[:8]}")
    code = _obey(order)
    _leave()
    return code


def name_process(name: str) -> None:
    """What ``ps -o comm`` shows of this process; 15 bytes."""
    LIBC.prctl(_PR_SET_NAME, name.encode())


def packed(order: Order) -> bytes:
    """The order as ``serve`` reads it."""
    body = pickle.dumps(order)
    return LENGTH.pack(len(body)) + body


def _obey(order: FlowOrder | HookOrder) -> int:
    settings = nullcontext() if _settings_of(order.environment) == _settings_of(os.environ) else _settings_anew()
    os.environ.clear()
    os.environ.update(order.environment)
    os.chdir(order.folder)
    if not order.stream_output:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123  # a device, for its descriptor
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
    try:
        with settings:
            order.obey()
    except SystemExit as exit_:
        return _exit_code(exit_)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _settings_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Prefect's settings; its other variables begin with two underscores."""
    return {name: value for name, value in environment.items() if name.startswith("PREFECT_") and name[8] != "_"}


@contextmanager
def _settings_anew() -> Iterator[None]:
    """Prefect's settings as the variables say now."""
    from prefect.context import SettingsContext, get_settings_context
    from prefect.settings import Settings

    with SettingsContext(profile=get_settings_context().profile, settings=Settings()):
        yield


def _exit_code(exit_: SystemExit) -> int:
    if exit_.code is None or isinstance(exit_.code, int):
        return exit_.code or 0
    print(exit_.code, file=sys.stderr)  # noqa: T201  # as the interpreter does
    return 1


def _leave() -> None:
    """What the interpreter does at its end, without taking apart the memory that is shared with the server."""
    seam.drain(DRAIN_S)
    # Ends the threads of pools that idle, and joins the others.
    joining = threading.Thread(target=threading._shutdown, daemon=True)  # type: ignore[attr-defined]
    joining.start()
    joining.join(LEFT_THREADS_S)
    if joining.is_alive():
        left = [each.name for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()]
        print(f"left behind: {', '.join(left)}", file=sys.stderr)  # noqa: T201
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
