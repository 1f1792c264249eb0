"""The process that runs are forked from: Prefect and the flows are imported in it once.

Over the socket that it was given it hears ``fork``, with one end of a channel for the child, and tells the pids and
exit codes of its children. A child waits on its channel for its order. When the server dies, its children die with it;
when its worker dies, the children that run go on to their end, as runs of the stock worker do.
"""

import gc
import json
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Final, NoReturn

from maquette.worker import child, seam

FORK: Final = b"fork"
_PR_SET_PDEATHSIG: Final = 1
_LONGEST: Final = 500


class ForkServer:
    """Forks a child for each request, and tells how children end."""

    def __init__(self, worker: socket.socket) -> None:
        self._worker = worker
        self._pid = os.getpid()
        self._children: set[int] = set()
        self._woken, waker = socket.socketpair()
        self._woken.setblocking(False)
        waker.setblocking(False)
        self._waker = waker

    def serve(self) -> None:
        """Serve until the worker is gone and all children have ended."""
        for each in (signal.SIGINT, signal.SIGTERM):  # the worker's to answer: its runs may have time to end
            signal.signal(each, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._worker, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            is_worker_there = True
            while is_worker_there or self._children:
                for key, _ in selector.select():
                    if key.fileobj is self._woken:
                        self._woken.recv(65536)
                        self._reap()
                    elif not self._answer():
                        selector.unregister(self._worker)
                        is_worker_there = False

    def _answer(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._worker, len(FORK), 1)
        if message != FORK:
            return False
        channel = socket.socket(fileno=descriptors[0])
        pid = os.fork()
        if pid == 0:
            self._become_child(channel)
        channel.close()
        self._children.add(pid)
        self._tell({"pid": pid})
        return True

    def _become_child(self, channel: socket.socket) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for each in (self._worker, self._woken, self._waker):
                each.close()
            os.setsid()  # a run is ended with all that it started
            child.LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == self._pid:  # else the server died before that
                code = child.serve(channel)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._children.discard(pid)
            self._tell({"pid": pid, "code": os.waitstatus_to_exitcode(status)})

    def _tell(self, message: dict[str, object]) -> None:
        with suppress(OSError):  # the worker is gone; its runs go on to their end
            self._worker.send(json.dumps(message).encode())


def main() -> None:
    """Serve; the arguments are the descriptor of the socket to the worker, and the modules to import."""
    worker = socket.socket(fileno=int(sys.argv[1]))
    seam.preload()
    failed = {}
    for module in sys.argv[2:]:
        try:
            import_module(module)
        except (Exception, SystemExit) as error:
            failed[module] = f"{type(error).__name__}: {error}"[:_LONGEST]
    seam.complete_models()
    strangers = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
    gc.collect()
    gc.freeze()  # a child's collections would copy the pages that it shares
    child.name_process("fork-server")
    with suppress(OSError):  # the worker has gone meanwhile
        worker.send(json.dumps({"ready": True, "failed": failed, "threads": strangers}).encode())
    ForkServer(worker).serve()
