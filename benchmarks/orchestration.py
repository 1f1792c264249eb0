"""What orchestration adds: the wall time of a video above the same service calls in a plain thread pool.

The provider answers at once and the films are drafts, so that the work itself is small. Three ways, in turns, each
from the order to the finished film, with the same intake, claim, lease, journal, events and files:

* *thread pool*: the services of ``maquette.videos`` from a ``ThreadPoolExecutor``, without Prefect;
* *flow engine*: ``flows.video.make_video`` called in this process, against a real Prefect server;
* *ordered*: an order that a dispatcher sends and a worker picks up, by the database's clock.

``python -m benchmarks.orchestration`` prints a table and writes ``benchmarks/results/orchestration.json``.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Final
from uuid import UUID, uuid4

from pydantic import BaseModel

from benchmarks.meter import Meter
from benchmarks.report import Column, Machine, Report, Value, command, machine, moment, run_bench
from benchmarks.rig import bench_home
from maquette.launch.stack import running
from maquette.media.stills import contact_sheet
from maquette.orders import service as orders
from maquette.orders.holder import holder_name
from maquette.orders.lease import kept
from maquette.orders.models import Lease
from maquette.providers.clips.port import OperationState
from maquette.settings import Settings, get_settings
from maquette.videos import film, production
from maquette.videos.models import VideoBrief
from maquette.videos.service import Videos
from maquette.workshop import Workshop, workshop

THEME: Final = "Les risques du sucre"
# What asyncio.to_thread has at its disposal, so that both ways do as much at a time.
THREADS: Final = min(32, (os.cpu_count() or 1) + 4)
WAIT_S: Final = 300.0


class Spent(BaseModel):
    """What one video took; the CPU includes the servers', Prefect's and PostgreSQL."""

    wall_s: float
    cpu_s: float


def in_thread_pool(work: Workshop, brief: VideoBrief) -> float:
    """Make a video from the services alone; the wall time in seconds."""
    since = time.perf_counter()
    run_id = uuid4()
    videos = Videos(work.database, work.store, work.settings)
    # The order says that a run has it already: no dispatcher takes it.
    job_id = videos.order(brief, flow_run_id=run_id).job_id
    lease = claimed(work, job_id, run_id, deadline_s=work.settings.video_deadline_s)
    slots = threading.Semaphore(work.settings.clip_concurrency)
    with (
        kept(work.database, lease, lease_s=work.settings.lease_s, every_s=work.settings.lease_renew_s),
        ThreadPoolExecutor(THREADS) as pool,
    ):
        production.write_script(work, lease)
        blocks = production.missing_clips(work, lease)
        for done in [pool.submit(_shoot, work, lease, block.id, slots) for block in blocks]:
            done.result()
        production.require_all_clips(work, lease)
        film.assemble_film(work, lease)
    return time.perf_counter() - since


def claimed(work: Workshop, job_id: UUID, run_id: UUID, *, deadline_s: float) -> Lease:
    """The job's lease, as a flow run takes it."""
    with work.database.begin() as session:
        return orders.claim(
            session,
            job_id,
            flow_run_id=run_id,
            lease_s=work.settings.lease_s,
            deadline_s=deadline_s,
            holder=holder_name(),
        )


def _shoot(work: Workshop, lease: Lease, block_id: UUID, slots: threading.Semaphore) -> None:
    with slots:
        call_id = production.submit_clip(work, lease, block_id)
        while production.look_at_clip(work, lease, block_id, call_id).state is not OperationState.SUCCEEDED:
            time.sleep(work.settings.clip_poll_s)
    production.receive_clip(work, lease, block_id, call_id)


def in_flow_engine(brief: VideoBrief) -> float:
    """Make a video by calling the flow, as a run started by hand; the wall time in seconds."""
    from flows.video import make_video

    since = time.perf_counter()
    asyncio.run(make_video(theme=brief.theme, target_duration=brief.target_duration, seed=brief.seed))
    return time.perf_counter() - since


def ordered(work: Workshop, brief: VideoBrief) -> float:
    """Order a video and leave it to dispatcher and worker; seconds from its row to its completion.

    Raises ``RuntimeError`` when it fails or takes too long.
    """
    videos = Videos(work.database, work.store, work.settings)
    video_id = videos.order(brief).video_id
    deadline = time.monotonic() + WAIT_S
    while (video := videos.get(video_id)).completed_at is None:
        if video.status == "failed" or time.monotonic() > deadline:
            raise RuntimeError(f"{video_id} is {video.status}: {video.error_message}")
        # Seldom, for looking costs what is being measured; the clock is the database's.
        time.sleep(0.5)
    return (video.completed_at - video.created_at).total_seconds()


def storyboard_s(work: Workshop) -> float:
    """Seconds that the storyboard takes, which only the flow makes, for its run's page."""
    videos = Videos(work.database, work.store, work.settings)
    folder = work.settings.home / "videos" / videos.list(limit=1)[0].id
    sheet = work.store.temporary(".png")
    since = time.perf_counter()
    contact_sheet(sorted(folder.glob("block_*.mp4")), sheet, title=THEME)
    spent_s = time.perf_counter() - since
    sheet.unlink()
    return spent_s


def measure(quick: bool) -> Report:
    """Several rounds of the three ways on a video of 10 blocks; quick, one round on a video of 2."""
    blocks, target_s, rounds = (2, 15, 1) if quick else (10, 78, 3)
    facts = machine()
    told = {"draft": "true", "local_instant": "true"}
    with bench_home(told) as home, running(Settings(), with_api=False) as stack:
        os.environ |= {"MAQUETTE_DATABASE_URL": stack.state.database_url}
        get_settings.cache_clear()
        work = workshop()
        ways: dict[str, Callable[[VideoBrief], float]] = {
            "thread pool": lambda brief: in_thread_pool(work, brief),
            "flow engine": in_flow_engine,
            "ordered": lambda brief: ordered(work, brief),
        }
        spent: dict[str, list[Spent]] = {way: [] for way in ways}
        meter = Meter(home)
        # The first round prepares the clips and loads the code; it does not count.
        for turn in range(rounds + 1):
            brief = VideoBrief(theme=THEME, target_duration=target_s, seed=turn)
            for way, make in ways.items():
                before = meter.read()
                wall_s = make(brief)
                used = meter.read() - before
                if turn:
                    spent[way].append(Spent(wall_s=wall_s, cpu_s=used.work_s + used.servers_s))
        notes = [f"The flow's own storyboard, a service call that the pool lacks, is {storyboard_s(work):.2f} s of it."]
        concurrency = work.settings.clip_concurrency
        work.database.dispose()
    notes += [
        "ordered: with the start of the run's process, which imports Prefect and the pipeline anew",
        f"Each way orders {concurrency} clips at once and runs {THREADS} threads; the Prefect server is on SQLite.",
    ]
    return report(spent, facts, blocks=blocks, quick=quick, notes=notes)


def report(
    spent: dict[str, list[Spent]], facts: Machine, *, blocks: int, quick: bool, notes: Sequence[str] = ()
) -> Report:
    """Medians over the rounds, and of what each way took above the first one in the same round."""
    plain = next(iter(spent.values()))
    columns, rows = compared(spent, each=blocks, unit="block", to="the pool")
    return Report(
        name="orchestration",
        title=f"Orchestration of a video of {blocks} blocks, median of {len(plain)} rounds",
        command=command("orchestration", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=columns,
        rows=rows,
        notes=list(notes),
    )


def compared(
    spent: dict[str, list[Spent]], *, each: int, unit: str, to: str
) -> tuple[list[Column], list[dict[str, Value]]]:
    """Each way beside the first one, ``to``, in the same round; what it took above it is told per ``unit``."""
    plain = next(iter(spent.values()))
    columns = [
        Column(key="way", heading="way"),
        Column(key="wall_s", heading="wall s"),
        Column(key="least_s", heading="least"),
        Column(key="most_s", heading="most"),
        Column(key="ratio", heading=f"to {to}"),
        Column(key=f"above_ms_per_{unit}", heading=f"above it: ms per {unit}", digits=0),
        Column(key="cpu_s", heading="CPU s"),
        Column(key=f"above_cpu_ms_per_{unit}", heading=f"above: CPU ms per {unit}", digits=0),
    ]
    rows: list[dict[str, Value]] = []
    for way, rounds in spent.items():
        pairs = list(zip(rounds, plain, strict=True))
        rows.append(
            {
                "way": way,
                "wall_s": round(median(spent.wall_s for spent in rounds), 3),
                "least_s": round(min(spent.wall_s for spent in rounds), 3),
                "most_s": round(max(spent.wall_s for spent in rounds), 3),
                "ratio": round(median(a.wall_s / b.wall_s for a, b in pairs), 3),
                f"above_ms_per_{unit}": _per(unit_s=[a.wall_s - b.wall_s for a, b in pairs], each=each),
                "cpu_s": round(median(spent.cpu_s for spent in rounds), 3),
                f"above_cpu_ms_per_{unit}": _per(unit_s=[a.cpu_s - b.cpu_s for a, b in pairs], each=each),
            }
        )
    return columns, rows


def _per(unit_s: Sequence[float], *, each: int) -> float:
    return round(median(unit_s) / each * 1000, 1)


if __name__ == "__main__":
    run_bench(measure)
