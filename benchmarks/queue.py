"""What one decision of a dispatcher costs, by the length of the queue, against the plainest queue there is.

*fair*: ``next_due``, which ranks all due jobs by class, age and brand. *plain*: the oldest due job, by the queue's
index. Both lock the job; it is then sent and, outside the clock, ended: no window is ever full.

``python -m benchmarks.queue`` prints a table and writes ``benchmarks/results/queue.json``.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Final
from uuid import uuid4

import sqlalchemy as sa
from pydantic import BaseModel
from sqlmodel import Session, col, select

from benchmarks.report import Column, Machine, Report, command, machine, moment, run_bench
from benchmarks.rig import bench_database
from maquette.brands import service as brands
from maquette.brands.service import NewBrand
from maquette.db.engine import Database
from maquette.orders import queue
from maquette.orders.models import Job, JobStatus
from maquette.settings import Settings

BRANDS: Final = 50
LENGTHS: Final = (100, 1_000, 10_000)
ENDED: Final = 10_000
# The brands' jobs in turn, one every 86 s of ten days that have ended and one every 10 ms that are due.
_FILL: Final = """
WITH payers AS (
    SELECT id, plan = 'pro' AS premium, row_number() OVER () - 1 AS number FROM brands WHERE NOT is_default
),
placed AS (
    INSERT INTO orders (id, brand_id, kind, campaign_name, status, brief, created_at)
    SELECT gen_random_uuid(), payers.id, 'image', 'A bench', CASE WHEN n < :ended THEN 'completed' ELSE 'pending' END,
        '{}', now() - CASE WHEN n < :ended THEN n * interval '86 s' ELSE n * interval '10 ms' END
    FROM generate_series(0, :ended + :due - 1) AS n
    JOIN payers ON payers.number = n % (SELECT count(*) FROM payers)
    RETURNING id, brand_id, status, created_at AS placed_at
)
INSERT INTO job_queue (id, order_id, brand_id, kind, subject, status, premium, sent_premium, attempts, dispatches,
    max_attempts, fence, available_at, created_at, sent_at, finished_at)
SELECT gen_random_uuid(), placed.id, brand_id, 'image', 'image_' || placed.id,
    CASE status WHEN 'pending' THEN 'queued' ELSE status END, premium, false, 0, 0, 3, 0, placed_at, placed_at,
    CASE status WHEN 'completed' THEN placed_at END, CASE status WHEN 'completed' THEN placed_at END
FROM placed JOIN payers ON payers.id = brand_id
"""

Decide = Callable[[Session], tuple[Job, bool] | None]


class Length(BaseModel):
    """A queue of so many due jobs, and by way the milliseconds of each decision and of all until it was committed."""

    due: int
    decided_ms: dict[str, list[float]] = {}
    sent_ms: dict[str, list[float]] = {}


def fill(database: Database, *, due: int, ended: int) -> None:
    """``BRANDS`` brands, every second with a premium plan, and their jobs. The statistics are those of the rows."""
    with database.begin() as session:
        for number in range(BRANDS):
            brands.create(session, NewBrand(name=f"Brand {number:02}", plan="pro" if number % 2 else "starter"))
        session.execute(sa.text(_FILL), {"due": due, "ended": ended})
    with database.begin() as session:
        session.execute(sa.text("ANALYZE"))


def plain(session: Session) -> tuple[Job, bool] | None:
    """The oldest due job that nobody holds."""
    oldest = (
        select(Job)
        .where(Job.status == JobStatus.QUEUED, col(Job.available_at) <= sa.func.now())
        .order_by(col(Job.available_at), col(Job.created_at))
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
    )
    job = session.exec(oldest).first()
    return None if job is None else (job, False)


def decide(database: Database, choose: Decide) -> tuple[float, float]:
    """One decision; milliseconds until it was made, and until it was committed. The job ends outside the clock."""
    with database.begin() as session:
        session.connection()  # from the pool, with its transaction
        since = time.perf_counter()
        found = choose(session)
        decided_s = time.perf_counter() - since
        if found is None:
            raise RuntimeError("nothing is due: the queue is shorter than the decisions of the bench")
        job, premium = found
        queue.mark_sent(session, job, uuid4(), premium=premium)
    sent_s = time.perf_counter() - since
    with database.begin() as session:
        ended = {"status": JobStatus.COMPLETED, "finished_at": sa.func.now()}
        session.execute(sa.update(Job).where(col(Job.id) == job.id).values(ended))
    return decided_s * 1000, sent_s * 1000


def drain(database: Database, ways: Mapping[str, Decide], *, due: int, decisions: int) -> Length:
    """The ways in turns, ``decisions`` of each that count. The queue is that much shorter at the end."""
    found = Length(due=due, decided_ms={way: [] for way in ways}, sent_ms={way: [] for way in ways})
    for turn in range(decisions + 5):
        for way, choose in ways.items():
            decided_ms, sent_ms = decide(database, choose)
            if turn >= 5:  # by then the statements are prepared
                found.decided_ms[way].append(decided_ms)
                found.sent_ms[way].append(sent_ms)
    return found


def measure(quick: bool) -> Report:
    """A hundred decisions each way with 100, 1,000 and 10,000 due jobs; quick, three with 20."""
    lengths, ended, most = ((20,), 100, 3) if quick else (LENGTHS, ENDED, 100)
    facts = machine()
    found = []
    for due in lengths:
        with bench_database() as database:
            settings = Settings()
            fair = partial(queue.next_due, window=settings.dispatch_window, ageing_s=settings.ageing_s)
            fill(database, due=due, ended=ended)
            # A tenth of a short queue at most, so that its length is what it is called.
            decisions = min(most, max(3, due // 10))
            found.append(drain(database, {"fair": fair, "plain": plain}, due=due, decisions=decisions))
    return report(found, facts, quick=quick, ended=ended)


def report(found: Sequence[Length], facts: Machine, *, quick: bool, ended: int) -> Report:
    """Medians as rows; the ratio is the fair decision's to the plain one's."""
    return Report(
        name="queue",
        title=f"One decision of a dispatcher, {BRANDS} brands, {ended} ended jobs in the same table: medians",
        command=command("queue", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=[
            Column(key="due", heading="due jobs"),
            Column(key="fair_ms", heading="fair: ms"),
            Column(key="fair_most_ms", heading="most"),
            Column(key="fair_sent_ms", heading="sent and committed: ms"),
            Column(key="plain_ms", heading="plain: ms"),
            Column(key="plain_sent_ms", heading="sent and committed: ms"),
            Column(key="ratio", heading="ratio", digits=1),
        ],
        rows=[
            {
                "due": each.due,
                "fair_ms": median(each.decided_ms["fair"]),
                "fair_most_ms": max(each.decided_ms["fair"]),
                "fair_sent_ms": median(each.sent_ms["fair"]),
                "plain_ms": median(each.decided_ms["plain"]),
                "plain_sent_ms": median(each.sent_ms["plain"]),
                "ratio": median(each.decided_ms["fair"]) / median(each.decided_ms["plain"]),
            }
            for each in found
        ],
        notes=["the creation of the flow run, which is Prefect's, is not in it"],
    )


if __name__ == "__main__":
    run_bench(measure)
