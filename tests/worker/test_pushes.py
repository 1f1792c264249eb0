"""What the worker hears: a run that is scheduled in its pool, a place that is free; and that it polls one at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.events.clients import get_events_subscriber
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.process import ProcessWorker

from maquette.settings import get_settings
from maquette.worker import pushes
from maquette.worker.warm import WarmWorker
from tests.worker import trivial
from tests.worker.forking import until
from tests.worker.rig import Rig

pytestmark = pytest.mark.anyio


class Proxy:
    """What stands between a client and the server, and can break off."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """The port that it listens on."""
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            yield int(server.sockets[0].getsockname()[1])
            server.close()
            self.break_off()

    def break_off(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._open |= {writer, far_writer}
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        self._open -= {writer, far_writer}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """An element for each time that a stream was opened; streams do not open themselves again."""
    times: list[None] = []

    @asynccontextmanager
    async def noted(**told: Any) -> AsyncIterator[Any]:
        async with get_events_subscriber(**told, reconnection_attempts=0) as events:
            times.append(None)
            yield events

    monkeypatch.setattr(pushes, "get_events_subscriber", noted)
    return times


@asynccontextmanager
async def listening(pool: str) -> AsyncIterator[list[None]]:
    """An element for each time that the pool's worker is woken."""
    woken: list[None] = []
    task = asyncio.create_task(pushes.hear(pool, lambda: woken.append(None)))
    yield woken
    task.cancel()
    await asyncio.wait([task])


@pytest.fixture
def schedule(rig: Rig) -> Callable[[str], Coroutine[Any, Any, None]]:
    """Schedule a run in the pool of that name."""
    deployments: dict[str, UUID] = {}

    async def run(pool: str) -> None:
        if pool not in deployments:
            deployments[pool] = rig.deployment(pool, "trivial", entrypoint=f"{trivial.__name__}.trivial")
        await asyncio.to_thread(rig.run_of, deployments[pool])

    return run


Schedule = Callable[[str], Coroutine[Any, Any, None]]


async def heard(schedule: Schedule, pool: str, has_heard: Callable[[], object]) -> None:
    """Schedule runs until one is heard: the server does not say when it has begun to listen."""
    for _ in range(10):
        await schedule(pool)
        with suppress(TimeoutError):
            async with asyncio.timeout(3):
                await until(has_heard, what="a wake")
                return
    raise AssertionError("none of ten runs was heard")


async def test_a_run_wakes_the_worker_of_its_pool_alone(rig: Rig, schedule: Schedule, opened: list[None]) -> None:
    rig.pool("heard", "warm")
    rig.pool("other", "warm")
    with temporary_settings({PREFECT_API_URL: rig.server.url}):
        async with listening("heard") as woken, listening("other") as others:
            await until(lambda: len(opened) == 2, what="the streams")
            await heard(schedule, "heard", lambda: woken)
            await heard(schedule, "other", lambda: others)
            before, before_others = len(woken), len(others)
            for _ in range(3):
                await schedule("other")
            await until(lambda: len(others) == before_others + 3, what="the other pool's")
            await schedule("heard")
            await until(lambda: len(woken) > before, what="this pool's")
            assert (len(woken), len(others)) == (before + 1, before_others + 3)


async def test_a_stream_that_breaks_off_is_opened_again(
    rig: Rig, schedule: Schedule, opened: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushes, "AGAIN_S", 0.05)
    pool = rig.pool("broken", "warm")
    port = urlsplit(rig.server.url).port
    assert port is not None
    proxy = Proxy(port)
    async with proxy.serving() as near:
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{near}/api"}):
            async with listening(pool) as woken:
                await until(lambda: len(opened) == 1, what="the stream")
                await heard(schedule, "broken", lambda: woken)
                proxy.break_off()
                await until(lambda: len(opened) == 2, what="the stream, once more")
                before = len(woken)
                await heard(schedule, "broken", lambda: len(woken) > before)


class Polls:
    """Stands in for the stock worker's poll, and notes how many there are at once."""

    def __init__(self) -> None:
        self.begun = self.now = self.most = 0
        self.errors: list[Exception] = []

    async def poll(self, worker: object) -> list[FlowRun]:
        self.begun += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        if self.errors:
            raise self.errors.pop()
        return []


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> Polls:
    polls = Polls()
    monkeypatch.setattr(ProcessWorker, "get_and_submit_flow_runs", lambda worker: polls.poll(worker))
    return polls


@pytest.fixture
async def worker(rig: Rig, polls: Polls, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WarmWorker]:
    """A worker that is set up and does not poll by itself."""
    monkeypatch.setenv("MAQUETTE_WORKER_SPARES", "0")
    monkeypatch.setenv("MAQUETTE_WORKER_PRELOAD", '["tests.worker.trivial"]')
    get_settings.cache_clear()
    with temporary_settings({PREFECT_API_URL: rig.server.url}):
        worker = WarmWorker(rig.pool(f"polled-{uuid4().hex[:8]}", "warm"), name="polls", limit=1)
        async with worker:
            yield worker
    get_settings.cache_clear()


async def test_polls_follow_each_other(worker: WarmWorker, polls: Polls) -> None:
    await asyncio.gather(*(worker.get_and_submit_flow_runs() for _ in range(5)))
    assert (polls.begun, polls.most) == (5, 1)


async def test_a_run_that_is_scheduled_is_polled_for(worker: WarmWorker, polls: Polls, schedule: Schedule) -> None:
    await heard(schedule, worker.work_pool.name, lambda: polls.begun)


async def test_a_place_that_is_free_again_is_polled_for(worker: WarmWorker, polls: Polls) -> None:
    run = uuid4()
    assert worker._limiter is not None
    worker._limiter.acquire_on_behalf_of_nowait(run)
    before = polls.begun
    worker._release_limit_slot(run)
    await until(lambda: polls.begun > before, what="a poll")


async def test_a_poll_that_fails_is_followed_by_others(worker: WarmWorker, polls: Polls) -> None:
    errors = [RuntimeError("the client is closed"), OSError("no route")]
    polls.errors = errors.copy()
    for number in range(1, len(errors) + 2):
        worker._wake.set()
        await until(lambda: polls.begun == number and not polls.now, what="a poll")  # noqa: B023
    assert not polls.errors
