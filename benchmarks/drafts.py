"""What a draft costs beyond its bare calls: the wall time of 10 assets with a provider that answers at once.

Four ways, in turns, each from the order to the finished universe without songs:

* *bare calls*: the providers' submit, poll and fetch, and the media work on what they sent, from a
  ``ThreadPoolExecutor``; no database, nothing that could be resumed;
* *thread pool*: the services of ``maquette.drafts`` from a ``ThreadPoolExecutor``, with intake, lease, journal, events
  and folder, without Prefect;
* *flow engine*: ``flows.draft.generate_draft`` called in this process, against a real Prefect server;
* *ordered*: an order that a dispatcher sends and a worker picks up, by the database's clock.

``python -m benchmarks.drafts`` prints a table and writes ``benchmarks/results/drafts.json``.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import uuid4

from benchmarks.meter import Meter
from benchmarks.orchestration import THREADS, WAIT_S, Spent, claimed, compared
from benchmarks.report import Machine, Report, command, machine, moment, run_bench
from benchmarks.rig import bench_home
from maquette.drafts import production, texts
from maquette.drafts.models import IMAGE, Making, NewDraft
from maquette.drafts.production import PartRef
from maquette.drafts.service import Drafts
from maquette.intake.service import Intake
from maquette.launch.stack import running
from maquette.media.loops import normalise_loop, thumbnail
from maquette.media.slides import fit_background, save_image
from maquette.orders import service as orders
from maquette.orders.lease import kept
from maquette.orders.models import Lease
from maquette.providers.clips.port import OperationState
from maquette.providers.images.port import ImageRequest
from maquette.providers.loops.port import LoopRequest
from maquette.settings import Settings, get_settings
from maquette.workshop import Workshop, workshop

THEME: Final = "jungle"


def making(assets: int) -> Making:
    """Pictures and loops."""
    return Making(num_assets=assets, parts=frozenset({"image", "video"}))


def bare(work: Workshop, assets: int, *, seed: int) -> float:
    """The calls and the media work of as many assets, and nothing else; the wall time in seconds."""
    since = time.perf_counter()
    slots = threading.Semaphore(work.settings.image_concurrency), threading.Semaphore(work.settings.loop_concurrency)
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(_bare_asset, work, number, seed, *slots) for number in range(assets)]:
            done.result()
    return time.perf_counter() - since


def _bare_asset(
    work: Workshop, number: int, seed: int, image_slots: threading.Semaphore, loop_slots: threading.Semaphore
) -> None:
    reference = f"bare/{uuid4()}"
    with image_slots:
        asked = ImageRequest(prompt=f"{THEME} {number}", width=1024, height=1024, seed=seed, number=number + 1)
        operation = work.images.submit(asked, reference=reference, files=[])
        _until_made(work.images.poll, operation, work.settings.image_poll_s)
    raw = work.images.fetch(operation, work.store.temporary(".picture"))
    picture, small = work.store.temporary(".png"), work.store.temporary(".jpg")
    save_image(fit_background(raw, 1024, 1024), picture)
    thumbnail(picture, small)
    with loop_slots:
        digest = sha256(picture.read_bytes()).hexdigest()
        wanted = LoopRequest(prompt=THEME, image_sha256=digest, seed=seed, number=number + 1)
        operation = work.loops.submit(wanted, reference=f"{reference}/loop", image=picture)
        _until_made(work.loops.poll, operation, work.settings.loop_poll_s)
    clip = work.loops.fetch(operation, work.store.temporary(".mp4"))
    made = work.store.temporary(".webm"), work.store.temporary(".mp4")
    normalise_loop(clip, webm=made[0], mp4=made[1])
    for path in (raw, picture, small, clip, *made):
        Path(path).unlink(missing_ok=True)


def _until_made(poll: Callable[[str], object], operation: str, pause_s: float) -> None:
    while getattr(poll(operation), "state", None) is not OperationState.SUCCEEDED:
        time.sleep(pause_s)


def in_thread_pool(work: Workshop, assets: int, *, seed: int) -> float:
    """Make a draft from the services alone; the wall time in seconds."""
    since = time.perf_counter()
    drafts, intake = Drafts(work.database, work.store, work.settings), _intake(work)
    draft_id = drafts.create(NewDraft(name=THEME, theme=THEME, seed=seed)).draft_id
    run_id = uuid4()
    # The order says that a run has it already: no dispatcher takes it.
    accepted = intake.generate_draft(draft_id, making(assets), flow_run_id=run_id)
    assert accepted.job_id is not None
    lease = claimed(work, accepted.job_id, run_id, deadline_s=work.settings.draft_deadline_s)
    with (
        kept(work.database, lease, lease_s=work.settings.lease_s, every_s=work.settings.lease_renew_s),
        ThreadPoolExecutor(THREADS) as pool,
    ):
        texts.write_concepts(work, lease)
        chains: dict[str, list[PartRef]] = {}
        for item in production.open_parts(work, lease):
            chains.setdefault(item.part, []).append(item)
        slots = {
            IMAGE: threading.Semaphore(work.settings.image_concurrency),
            "": threading.Semaphore(work.settings.loop_concurrency),
        }
        for done in [pool.submit(_chain, work, lease, chain, slots) for chain in chains.values()]:
            done.result()
    return time.perf_counter() - since


def _chain(work: Workshop, lease: Lease, chain: list[PartRef], slots: dict[str, threading.Semaphore]) -> None:
    for item in sorted(chain, key=lambda item: item.kind != IMAGE):
        pause_s = work.settings.image_poll_s if item.kind == IMAGE else work.settings.loop_poll_s
        with slots[IMAGE if item.kind == IMAGE else ""]:
            call_id = production.submit(work, lease, item)
            while production.look(work, lease, item, call_id).state is not OperationState.SUCCEEDED:
                time.sleep(pause_s)
        production.deliver(work, lease, item, call_id)


def in_flow_engine(work: Workshop, assets: int, *, seed: int) -> float:
    """Make a draft by calling the flow with a job of its own; the wall time in seconds."""
    from flows.draft import generate_draft

    since = time.perf_counter()
    draft_id = Drafts(work.database, work.store, work.settings).create(NewDraft(name=THEME, theme=THEME, seed=seed))
    accepted = _intake(work).generate_draft(draft_id.draft_id, making(assets), flow_run_id=uuid4())
    asyncio.run(generate_draft(job_id=accepted.job_id))
    return time.perf_counter() - since


def ordered(work: Workshop, assets: int, *, seed: int) -> float:
    """Order a draft and leave it to dispatcher and worker; seconds from its order to its end.

    Raises ``RuntimeError`` when it fails or takes too long.
    """
    drafts = Drafts(work.database, work.store, work.settings)
    draft_id = drafts.create(NewDraft(name=THEME, theme=THEME, seed=seed)).draft_id
    accepted = _intake(work).generate_draft(draft_id, making(assets))
    assert accepted.job_id is not None
    deadline = time.monotonic() + WAIT_S
    while True:
        with work.database.begin() as session:
            job = orders.get_job(session, accepted.job_id)
        if job.finished_at is not None:
            if job.status != "completed":
                raise RuntimeError(f"draft {draft_id} is {job.status}: {drafts.status(draft_id).message}")
            return (job.finished_at - job.created_at).total_seconds()
        if time.monotonic() > deadline:
            raise RuntimeError(f"draft {draft_id} is still {job.status}")
        # Seldom, for looking costs what is being measured; the clock is the database's.
        time.sleep(0.5)


def measure(quick: bool) -> Report:
    """Several rounds of the four ways on a draft of 10 assets; quick, one round on a draft of 2."""
    assets, rounds = (2, 1) if quick else (10, 3)
    facts = machine()
    told = {"local_instant": "true", "image_poll_s": "0.05", "loop_poll_s": "0.05"}
    with bench_home(told) as home, running(Settings(), with_api=False) as stack:
        os.environ |= {"MAQUETTE_DATABASE_URL": stack.state.database_url}
        get_settings.cache_clear()
        work = workshop()
        ways: dict[str, Callable[[int], float]] = {
            "bare calls": lambda seed: bare(work, assets, seed=seed),
            "thread pool": lambda seed: in_thread_pool(work, assets, seed=seed),
            "flow engine": lambda seed: in_flow_engine(workshop(), assets, seed=seed),
            "ordered": lambda seed: ordered(workshop(), assets, seed=seed),
        }
        spent: dict[str, list[Spent]] = {way: [] for way in ways}
        meter = Meter(home)
        seed = 0
        # The first round loads the code; it does not count. A seed of its own keeps each way off the cache.
        for turn in range(rounds + 1):
            for way, make in ways.items():
                seed += 1
                before = meter.read()
                wall_s = make(seed)
                used = meter.read() - before
                if turn:
                    spent[way].append(Spent(wall_s=wall_s, cpu_s=used.work_s + used.servers_s))
        workshop().database.dispose()
    return report(spent, facts, assets=assets, quick=quick)


def report(spent: dict[str, list[Spent]], facts: Machine, *, assets: int, quick: bool) -> Report:
    """Medians over the rounds, and of what each way took above the bare calls in the same round."""
    columns, rows = compared(spent, each=assets, unit="asset", to="bare")
    return Report(
        name="drafts",
        title=f"A draft of {assets} assets, picture and loop each, median of {len(next(iter(spent.values())))} rounds",
        command=command("drafts", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=columns,
        rows=rows,
        notes=[
            "Instant providers: swatches and prepared clips, which are brought into their forms in all four ways.",
            "ordered: with the start of the run's process, which imports Prefect and the pipeline anew",
        ],
    )


def _intake(work: Workshop) -> Intake:
    return Intake(work.database, work.store, work.settings)


if __name__ == "__main__":
    run_bench(measure)
