"""The worker's side of the fork server: children that wait ready, and how they end."""

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from signal import SIGKILL
from types import TracebackType
from typing import Any, Final, Self

from prefect.settings import get_current_settings

from maquette.errors import StackError
from maquette.worker.child import Order, packed
from maquette.worker.forkserver import FORK

log = logging.getLogger(__name__)

_LARGEST: Final = 65_536
_TRIES: Final = 5
# Not by ``-m``, which would load the module a second time.
_SERVER: Final = "from maquette.worker.forkserver import main; main()"


class Fork:
    """A child of the fork server; ``returncode`` is that of ``subprocess``: negative where a signal ended it."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.has_order = False
        self._channel = channel
        self._ended = asyncio.Event()

    async def obey(self, order: Order) -> None:
        """Give the child its order. Raises ``OSError`` where it is gone."""
        self.has_order = True
        with self._channel:
            await asyncio.get_running_loop().sock_sendall(self._channel, packed(order))

    def dismiss(self) -> None:
        """Let a child that has no order leave."""
        self._channel.close()

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def end(self, code: int) -> None:
        """It has ended."""
        self._channel.close()
        self.returncode = code
        self._ended.set()


class Forks:
    """The fork server of one worker, and its children. To be entered within a running loop.

    ``spares`` children wait ready. A server that dies takes its children along (they end by SIGKILL), and the next
    request starts another.
    """

    def __init__(self, modules: Sequence[str], *, spares: int) -> None:
        self.modules = modules
        self.spares = spares
        self._server: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._asked: deque[tuple[asyncio.Future[Fork], socket.socket]] = deque()
        self._unsent: deque[socket.socket] = deque()
        self._waiting: deque[asyncio.Future[Fork]] = deque()
        self._children: dict[int, Fork] = {}
        self._is_ready = False

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._refill()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close: children that wait leave at once, those that run go on, and the server ends with the last."""
        if self._channel is not None:
            self._hang_up(self._channel)
        for future, channel in self._asked:
            channel.close()
            future.cancel()
        for fork in self._children.values():
            if not fork.has_order:
                fork.dismiss()
        if self._server is not None and not self._runs():
            await asyncio.to_thread(self._server.wait)

    async def take(self) -> Fork:
        """A child that waits for its order. Raises ``StackError`` where none can be made."""
        while True:
            asked = self._waiting.popleft() if self._waiting else self._ask()
            self._refill()
            try:
                fork = await asked
            except ConnectionError:
                continue  # the server had served well: another one is started
            except asyncio.CancelledError:
                if asked.done() and not asked.cancelled() and asked.exception() is None:
                    asked.result().dismiss()  # it came in the same turn
                raise
            if fork.returncode is None:
                return fork

    async def start(self, order: Order) -> Fork:
        """Give the order to a child that waited, which is returned. Raises ``StackError`` where that cannot be."""
        for _ in range(_TRIES):
            fork = await self.take()
            with suppress(OSError):  # it died before it had the whole order: nothing is done twice
                await fork.obey(order)
                return fork
        raise StackError(f"{_TRIES} children in a row died while they waited: look for what kills them")

    def _refill(self) -> None:
        while len(self._waiting) < self.spares:
            self._waiting.append(self._ask())

    def _ask(self) -> asyncio.Future[Fork]:
        channel = self._channel or self._start()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        future: asyncio.Future[Fork] = self._loop.create_future()
        self._asked.append((future, ours))
        self._unsent.append(theirs)
        self._send(channel)
        return future

    def _send(self, channel: socket.socket) -> None:
        """Send as many requests as the socket takes; the others follow when it takes more."""
        while self._unsent:
            try:
                socket.send_fds(channel, [FORK], [self._unsent[0].fileno()])
            except BlockingIOError:
                self._loop.add_writer(channel, self._send, channel)
                return
            except OSError:
                break  # of a dead server the reader tells
            self._unsent.popleft().close()
        self._loop.remove_writer(channel)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        settings = get_current_settings().to_environment_variables(exclude_unset=True)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-c", _SERVER, str(theirs.fileno()), *self.modules],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is the worker's to answer
                env=os.environ | settings,
            )
        ours.setblocking(False)
        self._channel = ours
        self._loop.add_reader(ours, self._hear, ours)
        return ours

    def _hear(self, channel: socket.socket) -> None:
        try:
            while message := channel.recv(_LARGEST):
                self._told(json.loads(message))
        except BlockingIOError:
            return
        except ConnectionError:
            pass
        self._lost(channel)

    def _told(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self._is_ready = True
            for module, reason in message["failed"].items():
                log.warning("%s could not be imported, its runs start slowly: %s", module, reason)
            if message["threads"]:
                log.warning("the modules started threads, which forks do not have: %s", message["threads"])
        elif "code" in message:
            if fork := self._children.pop(message["pid"], None):
                fork.end(message["code"])
        else:
            future, channel = self._asked.popleft()
            fork = self._children[message["pid"]] = Fork(message["pid"], channel)
            if future.cancelled():
                fork.dismiss()
            else:
                future.set_result(fork)

    def _lost(self, channel: socket.socket) -> None:
        """The server has died, and its children die with it."""
        assert self._server is not None
        self._hang_up(channel)
        code = self._server.wait()
        log.error("the fork server ended with %s; %d runs end with it", code, self._runs())
        was_ready, self._is_ready = self._is_ready, False
        error = (
            ConnectionResetError("the fork server died")
            if was_ready
            else StackError(f"the fork server ended with {code} before it could fork: its worker's log says why")
        )
        for waiting in self._waiting:  # nobody would hear of their error
            waiting.cancel()
        self._waiting.clear()
        for future, ours in self._asked:
            ours.close()
            if not future.cancelled():
                future.set_exception(error)
        self._asked.clear()
        for fork in self._children.values():
            _Orphan(self._loop, fork)
        self._children.clear()
        if was_ready:  # else it would die again
            self._refill()

    def _hang_up(self, channel: socket.socket) -> None:
        self._loop.remove_reader(channel)
        self._loop.remove_writer(channel)
        channel.close()
        self._channel = None
        for unsent in self._unsent:
            unsent.close()
        self._unsent.clear()

    def _runs(self) -> int:
        return sum(fork.has_order for fork in self._children.values())


class _Orphan:
    """Tells of a child's end without its parent: the child is killed by the kernel, which says only when it is over."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fork: Fork) -> None:
        try:
            self._descriptor = os.pidfd_open(fork.pid)
        except ProcessLookupError:
            fork.end(-SIGKILL)
            return
        self._loop = loop
        self._fork = fork
        loop.add_reader(self._descriptor, self._over)

    def _over(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._fork.end(-SIGKILL)
