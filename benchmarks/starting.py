"""How fast a run starts: the stock worker at its defaults, the stock worker at its best settings, and the warm one.

The same stack carries all three, one after the other, once with Prefect's server on SQLite and once on PostgreSQL:

* *an order*: an image order placed through ``Intake.order``, sent by the dispatcher that NOTIFY wakes. The clock begins
  when the call has returned and ends at the first line of the flow. One order after the other; before each a pause, as
  long as to come upon the worker at every point of its polling interval;
* *a burst*: runs of a flow that does nothing, created while the pool is paused. The pace counts from the first line of
  the run that fills the limit to that of the last run, so that the first poll is no part of it;
* *memory*: proportional set sizes of the idle worker with all its processes, and of what a waiting run adds.

``python -m benchmarks.starting`` prints a table and writes ``benchmarks/results/starting.json``.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from random import Random
from statistics import median, quantiles
from typing import Final

from pydantic import BaseModel

from benchmarks.first_lines import noted
from benchmarks.report import Column, Machine, Report, Value, command, machine, moment, run_bench
from benchmarks.stand import Stand, Way, installed_postgres, pss_bytes, stand
from maquette.errors import StackError
from maquette.settings import Settings

LIMIT: Final[int] = Settings.model_fields["worker_limit"].default
SPARES: Final[int] = Settings.model_fields["worker_spares"].default
DEFAULTS: Final = Way(
    name="stock, defaults",
    type="process",
    pool="stock",
    environment=dict.fromkeys(
        (
            "PREFECT_WORKER_QUERY_SECONDS",
            "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED",
            "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED",
        )
    ),
    pauses_s=10,
    processes=1,
)
BEST: Final = Way(
    name="stock, best",
    type="process",
    pool="stock",
    environment={"PREFECT_WORKER_QUERY_SECONDS": "1"},
    # A run with a command of its own has no second process that prepares its workspace.
    job_variables={"command": f"{sys.executable} -m prefect.engine"},
    pauses_s=1,
    processes=1,
)
WARM: Final = Way(name="warm", type="warm", pool="maquette", pauses_s=1, processes=2 + SPARES)
# Targets: seconds of the median, and how much better than the stock worker at its best.
P50_S: Final = 0.25
MOONSHOT_S: Final = 0.1
TIMES_FASTER: Final = 10.0
TIMES_THE_PACE: Final = 4.0
BURST_S: Final = 600.0


class Size(BaseModel):
    """How much is asked of a way: orders, and runs of a burst under the default limit and under ``wide``."""

    orders: int
    burst: int
    wide: int = 2 * LIMIT
    wide_burst: int = 0


# The stock worker is slow enough for smaller bursts to tell its pace.
SIZES: Final = (
    (DEFAULTS, Size(orders=3, burst=6)),
    (BEST, Size(orders=8, burst=12, wide_burst=12)),
    (WARM, Size(orders=20, burst=200, wide_burst=40)),
)
QUICK: Final = (
    (DEFAULTS, Size(orders=1, burst=5)),
    (BEST, Size(orders=1, burst=5)),
    (WARM, Size(orders=3, burst=8, wide_burst=12)),
)


class Burst(BaseModel):
    """So many runs at once, at most ``limit`` at a time, and the pace at which they started."""

    limit: int
    runs: int
    per_minute: float


class Started(BaseModel):
    """What was found of one way on one database."""

    database: str
    way: str
    seconds: list[float]
    bursts: list[Burst]
    idle_bytes: int | None = None
    run_bytes: float | None = None


def pauses(count: int, within_s: float) -> list[float]:
    """Seconds that lie evenly between 0 and ``within_s``, in no order: the same ones in each run."""
    evenly = [(number + 0.5) / count * within_s for number in range(count)]
    Random(count).shuffle(evenly)
    return evenly


def orders(stand: Stand, way: Way, count: int) -> list[float]:
    """Seconds from the acceptance to the first line, of ``count`` orders one after the other."""
    seconds = []
    # The first one waits for the worker's own start.
    for number, pause_s in enumerate([0.0, *pauses(count, way.pauses_s)]):
        time.sleep(pause_s)
        job_id, accepted = stand.order()
        first_line = stand.first_line(job_id)
        if number:
            seconds.append(first_line - accepted)
        stand.settle(job_id, way)
    return seconds


def burst(stand: Stand, way: Way, *, limit: int, runs: int) -> Burst:
    """Create the runs and let them go."""
    with stand.held_back(way):
        keys = set(stand.start_runs("nothing", runs))
    stand.until(lambda: keys <= noted(stand.home).keys(), "the last run of the burst", within_s=BURST_S)
    stand.idle(way)
    return Burst(limit=limit, runs=runs, per_minute=pace([noted(stand.home)[key] for key in keys], limit=limit))


def pace(moments: Sequence[float], *, limit: int) -> float:
    """Runs a minute after the first ``limit``, by the moments of their first lines."""
    inorder = sorted(moments)
    return 60 * (len(inorder) - limit) / (inorder[-1] - inorder[limit - 1])


def memory(stand: Stand, way: Way) -> tuple[int, float]:
    """Bytes of the idle worker, and of what each of ``LIMIT`` waiting runs adds."""
    idle = pss_bytes(stand.worker())
    keys = stand.start_runs("waiting", LIMIT)
    for key in keys:
        stand.first_line(key)
    stand.steady()
    busy = pss_bytes(stand.worker())
    for key in keys:
        (stand.home / key).touch()
    stand.idle(way)
    return idle, (busy - idle) / LIMIT


def start(stand: Stand, way: Way, size: Size, *, database: str, weighed: bool) -> Started:
    """All that is measured of one way; its memory where it is to be ``weighed``."""
    stand.take(way, limit=LIMIT)
    seconds = orders(stand, way, size.orders)
    idle, run = memory(stand, way) if weighed else (None, None)
    bursts = [burst(stand, way, limit=LIMIT, runs=size.burst)]
    if size.wide_burst:
        stand.take(way, limit=size.wide)
        bursts.append(burst(stand, way, limit=size.wide, runs=size.wide_burst))
    return Started(database=database, way=way.name, seconds=seconds, bursts=bursts, idle_bytes=idle, run_bytes=run)


def measure(quick: bool) -> Report:
    """The three ways on both databases: twenty orders to the warm worker, fewer to the others; quick, a few."""
    facts = machine()
    found, notes = [], []
    for name in ("SQLite", "PostgreSQL"):
        with ExitStack() as exits:
            try:
                database = exits.enter_context(installed_postgres()) if name == "PostgreSQL" else None
            except StackError as error:
                notes.append(f"not measured on PostgreSQL: {error}")
                continue
            running = exits.enter_context(stand(database))
            # A worker's memory is the same whatever the server keeps its data in.
            found += [
                start(running, way, size, database=name, weighed=database is None)
                for way, size in (QUICK if quick else SIZES)
            ]
    return report(found, facts, quick=quick, notes=notes)


def report(found: Sequence[Started], facts: Machine, *, quick: bool, notes: Sequence[str] = ()) -> Report:
    """A row for each way on each database, the warm worker last, beside the stock one at its best."""
    best = {each.database: each for each in found if each.way == BEST.name}
    return Report(
        name="starting",
        title="Order accepted to first line of its flow; runs a minute; memory",
        command=command("starting", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=[
            Column(key="database", heading="Prefect on"),
            Column(key="way", heading="worker"),
            Column(key="orders", heading="orders"),
            Column(key="p50_s", heading="p50: s", digits=3),
            Column(key="p95_s", heading="p95: s", digits=3),
            Column(key="times_faster", heading="× faster", digits=1),
            Column(key="burst", heading="burst"),
            Column(key="per_minute", heading=f"runs/min, limit {LIMIT}", digits=0),
            Column(key="times_the_pace", heading="× best", digits=1),
            Column(key="wide", heading="other limit"),
            Column(key="wide_per_minute", heading="runs/min", digits=0),
            Column(key="idle_mib", heading="idle: MiB", digits=0),
            Column(key="run_mib", heading="a run: MiB", digits=0),
        ],
        rows=[_row(each, best.get(each.database, each)) for each in found],
        notes=[
            f"targets of warm: p50 {P50_S} s at most, {TIMES_FASTER:.0f} × faster than stock at its best (p50) and"
            f" {TIMES_THE_PACE:.0f} × its runs a minute (its better limit); the moonshot is {MOONSHOT_S} s",
            "p95 of few orders is about the longest; bursts count after the first runs that fill the limit",
            "memory: proportional set sizes, with fork server and spare children",
            *notes,
        ],
    )


def _row(started: Started, best: Started) -> dict[str, Value]:
    narrow, wide = (*started.bursts, None)[:2]
    assert narrow is not None
    return {
        "database": started.database,
        "way": started.way,
        "orders": len(started.seconds),
        "p50_s": median(started.seconds),
        "p95_s": _p95(started.seconds),
        "times_faster": median(best.seconds) / median(started.seconds),
        "burst": narrow.runs,
        "per_minute": narrow.per_minute,
        "times_the_pace": _best_pace(started) / _best_pace(best),
        "wide": wide.limit if wide else None,
        "wide_per_minute": wide.per_minute if wide else None,
        "idle_mib": started.idle_bytes / 2**20 if started.idle_bytes else None,
        "run_mib": started.run_bytes / 2**20 if started.run_bytes else None,
    }


def _best_pace(started: Started) -> float:
    return max(each.per_minute for each in started.bursts)


def _p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]


if __name__ == "__main__":
    run_bench(measure)
