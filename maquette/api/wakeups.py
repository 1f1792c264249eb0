"""One ear on the event log per process: wakes the sockets of a video when something was logged for it."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from maquette.events.service import CHANNEL

log = logging.getLogger(__name__)

CONNECT_S: Final = 10


class Wakeups:
    """``listen`` runs once per process, ``watching`` once per socket. All on one event loop.

    A wakeup is a hint: who wakes reads the log. While the database cannot be listened to, everybody is
    woken each ``poll_s``; while it can, each ``check_s``, which also finds a connection that died silently.
    """

    def __init__(self, libpq_url: str, *, poll_s: float = 2, check_s: float = 20) -> None:
        self._url = libpq_url
        self._poll_s = poll_s
        self._check_s = check_s
        self._watchers: dict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def watching(self, subject: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever ``subject`` may have news; to be cleared before the log is read."""
        woken = asyncio.Event()
        self._watchers[subject].add(woken)
        try:
            yield woken
        finally:
            self._watchers[subject].discard(woken)
            if not self._watchers[subject]:
                del self._watchers[subject]

    async def listen(self) -> None:
        """Listen until cancelled; outages only delay."""
        while True:
            try:
                await self._listen_once()
            except psycopg.Error as error:
                log.warning("cannot listen to the database, polling: %s", str(error).partition("\n")[0])
            self._wake_all()
            await asyncio.sleep(self._poll_s)

    async def _listen_once(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=CONNECT_S, application_name="maquette-api"
        )
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            while True:
                self._wake_all()  # whatever was said before this connection listened
                async for notification in connection.notifies(timeout=self._check_s):
                    for woken in self._watchers.get(notification.payload, ()):
                        woken.set()
                await connection.execute("SELECT 1")

    def _wake_all(self) -> None:
        for watchers in self._watchers.values():
            for woken in watchers:
                woken.set()
