"""People at work on a table while it is migrated: a process of its own that edits and inserts at a steady rate.

``with LiveLoad(url, rate=200) as load: …`` runs it; ``load.stop()`` ends it and tells what became of every request.
Latency counts from the moment at which a request was due, not from when a late one was sent at last.
"""

import json
import signal
import subprocess
import sys
import threading
import time
from random import Random
from types import TracebackType
from typing import Final, Self
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb
from pydantic import BaseModel

THREADS: Final = 8
_EDIT: Final = "UPDATE manga_scripts SET script_data = jsonb_set(script_data, '{chapters,0,title}', %s) WHERE id = %s"
_INSERT: Final = "INSERT INTO manga_scripts (id, project_id, user_id, script_data) VALUES (%s, %s, %s, %s)"


class Job(BaseModel):
    """What to do: ``rate`` requests a second; every fifth one inserts."""

    url: str
    rate: float
    seed: int = 0


class Outcome(BaseModel):
    """What became of it. ``edits`` is each edited or inserted row's last committed mark."""

    requests: int = 0
    failed: list[str] = []
    gone: int = 0
    """Edits of rows that were not there any more: duplicates that went to the archive."""
    latencies_ms: list[float] = []
    sent_at: list[float] = []
    """When each latency's request was due, in seconds of the monotonic clock, which processes share."""
    edits: dict[str, str] = {}

    def percentile_ms(self, share: float, *, since: float = 0.0, until: float = float("inf")) -> float | None:
        """The latency below which ``share`` of the requests due in between stayed."""
        found = sorted(
            latency for latency, at in zip(self.latencies_ms, self.sent_at, strict=True) if since <= at < until
        )
        return found[min(int(share * len(found)), len(found) - 1)] if found else None


class LiveLoad:
    """The process; ended with the block. ``stop`` may be called once, inside."""

    def __init__(self, url: str, *, rate: float, seed: int = 0) -> None:
        self._job = Job(url=url, rate=rate, seed=seed)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.live_load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(self._job.model_dump_json() + "\n")
        self._process.stdin.flush()
        if self._process.stdout.readline().strip() != "ready":
            raise RuntimeError("the load did not start: its errors are above")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> Outcome:
        """End the load; what became of it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        told, _ = self._process.communicate(timeout=60)
        return Outcome.model_validate_json(told)


class _Worker(threading.Thread):
    """One person: edits the rows that fall to them, so that each row's last mark is known."""

    def __init__(self, job: Job, keys: list[UUID], number: int, started: float, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.outcome = Outcome()
        self._job, self._keys, self._number, self._stop_asked = job, keys, number, stop
        self._random = Random(f"{job.seed}:{number}")
        self._every = THREADS / job.rate
        self._due = started + number / job.rate
        self._user = uuid4()

    def run(self) -> None:
        with psycopg.connect(self._job.url, autocommit=True, application_name="live load") as connection:
            while not self._stop_asked.wait(max(self._due - time.monotonic(), 0)):
                self.outcome.requests += 1
                try:
                    self._request(connection)
                except psycopg.Error as error:
                    self.outcome.failed.append(f"{type(error).__name__}: {str(error).strip()[:200]}")
                    if connection.closed:
                        return
                self.outcome.sent_at.append(self._due)
                self.outcome.latencies_ms.append((time.monotonic() - self._due) * 1000)
                self._due += self._every

    def _request(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        mark = f"mark-{self._number}-{self.outcome.requests}"
        if self.outcome.requests % 5 == 0:
            key = uuid4()
            chapters = {"chapters": [{"id": "c-1", "title": mark, "scenes": []}]}
            connection.execute(_INSERT, [key, uuid4(), self._user, Jsonb(chapters)])
            self._keys.append(key)
        else:
            key = self._random.choice(self._keys)
            if connection.execute(_EDIT, [Jsonb(mark), key]).rowcount == 0:
                self.outcome.gone += 1
                self._keys.remove(key)
                self.outcome.edits.pop(str(key), None)
                return
        self.outcome.edits[str(key)] = mark


def main() -> None:
    """Read the job from stdin, say ``ready``, work until SIGTERM, print the outcome."""
    job = Job.model_validate_json(sys.stdin.readline())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with psycopg.connect(job.url) as connection:
        keys: list[UUID] = [
            key
            for (key,) in connection.execute(
                "SELECT id FROM manga_scripts WHERE jsonb_typeof(script_data->'chapters'->0) = 'object' LIMIT 20000"
            )
        ]
    started = time.monotonic() + 0.2
    workers = [_Worker(job, keys[number::THREADS], number, started, stop) for number in range(THREADS)]
    for worker in workers:
        worker.start()
    print("ready", flush=True)
    threading.Thread(target=_stop_with_parent, args=[stop], daemon=True).start()
    for worker in workers:
        worker.join()
    whole = Outcome()
    for worker in workers:
        whole.requests += worker.outcome.requests
        whole.failed += worker.outcome.failed
        whole.gone += worker.outcome.gone
        whole.latencies_ms += worker.outcome.latencies_ms
        whole.sent_at += worker.outcome.sent_at
        whole.edits |= worker.outcome.edits
    sys.stdout.write(json.dumps(whole.model_dump()))


def _stop_with_parent(stop: threading.Event) -> None:
    sys.stdin.read()  # ends when the parent has gone
    stop.set()


if __name__ == "__main__":
    main()
