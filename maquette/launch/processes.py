"""Processes, signals and addresses of a machine."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from maquette.errors import ConfigurationError, StackError
from maquette.settings import Settings

STOP_S = 10.0


def require_free_port(host: str, port: int, *, option: str) -> None:
    """Raises ``StackError`` naming the option when something listens there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StackError(
                f"port {port} on {host} is taken ({error.strerror}): choose another with {option}"
            ) from error


def require_safe_address(settings: Settings) -> None:
    """Off loopback the API needs a token. Raises ``ConfigurationError``."""
    loopback = settings.api_host in ("localhost", "::1") or settings.api_host.startswith("127.")
    if not loopback and settings.api_token is None:
        raise ConfigurationError(
            f"the API would be open to everybody on {settings.api_host}: set MAQUETTE_API_TOKEN, or bind to 127.0.0.1"
        )


def end_tree(pid: int) -> None:
    """End a process and all it started: asked first, killed after ``STOP_S``."""
    try:
        root = psutil.Process(pid)
        tree = [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return
    with suppress(psutil.NoSuchProcess):
        root.terminate()
    _gone, _ = psutil.wait_procs([root], timeout=STOP_S)
    for process in tree:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(tree, timeout=STOP_S)


@contextmanager
def stop_on_signals(*, at_once: Callable[[], None] | None = None) -> Iterator[threading.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set; a second one calls ``at_once``."""
    stop = threading.Event()

    def hear(*_: object) -> None:
        if stop.is_set() and at_once is not None:
            at_once()
        stop.set()

    previous = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
