"""Read the new shape: cohort by cohort, watched, with a breach that takes it back."""

import threading
import time
from typing import Final

from pydantic import JsonValue

from maquette.errors import Conflict
from maquette.migrating.following import drain, follow
from maquette.migrating.models import SCHEMA, Phase, PhaseReport
from maquette.migrating.watching import Breach, Breached, Watch, broken_accounting, broken_invariant
from maquette.migrating.work import Work, get_run
from maquette.rehearsal import crash_point

FOLLOW_S: Final = 0.05
"""A write is followed after so long at most; readers of the view see it at once."""
LOOK_S: Final = 1.0
DRAIN_S: Final = 60.0


def cut_over(work: Work) -> PhaseReport:
    """Let the next cohorts read the new shape, up to all rows. After a crash the cohort reached is watched anew.

    Raises ``Breached`` when a trigger fires, and ``Conflict`` (``migration_incomplete``) when the shapes do not agree
    before a cohort is let in.
    """
    cohorts: list[JsonValue] = []
    reached = get_run(work.connection, work.run.id).percent
    for percent in work.options.cohorts:
        if percent < reached:
            continue
        started = time.monotonic()
        flipped_ms = 0.0
        if percent > reached:
            require_whole(work)
            flipped_ms = switch(work, percent, seen=reached)
            reached = percent
        looks = watch(work, for_s=work.options.watch_s)
        cohorts.append(
            {
                "percent": percent,
                "flip_ms": round(flipped_ms, 2),
                "watched_s": round(time.monotonic() - started, 2),
                "looks": looks,
            }
        )
        crash_point("migrating-mid-cut-over")
    return PhaseReport(
        phase=Phase.CUT_OVER, longest_lock_ms=work.longest_lock_ms, detail={"percent": reached, "cohorts": cohorts}
    )


def require_whole(work: Work) -> None:
    """Every write is in both shapes, no row is missing, all invariants hold. Raises ``Conflict``."""
    drain(work, within_s=DRAIN_S)
    broken = broken_accounting(work) or broken_invariant(work)
    if broken is not None:
        raise Conflict(
            f"{broken.message}: reads were not switched; see the quarantine and `maquette migrate report`, then resume "
            "or roll back",
            code="migration_incomplete",
        )


def switch(work: Work, percent: int, *, seen: int) -> float:
    """Reads of ``percent`` of the rows are new from this transaction's end on; milliseconds that it took.

    Raises ``Breached`` when somebody else changed the flag from what was ``seen``: a way back is being taken.
    """
    started = time.perf_counter()
    with work.transaction(holds_locks=False) as connection:
        changed = connection.execute(
            f"INSERT INTO {SCHEMA}.flags AS f (migration, percent) VALUES (%s, %s) ON CONFLICT (migration) "
            "DO UPDATE SET percent = EXCLUDED.percent, updated_at = clock_timestamp() WHERE f.percent = %s",
            [work.migration.name, percent, seen],
        ).rowcount
        if not changed:
            raise Breached(f"the read flag is no longer at {seen} %: somebody took the reads back")
    work.run.percent = percent
    return (time.perf_counter() - started) * 1000


def watch(work: Work, *, for_s: float, stop: threading.Event | None = None) -> int:
    """Follow writes and watch for ``for_s`` seconds, or until ``stop``; the number of looks. Raises ``Breached``."""
    watched = Watch(work)
    stop = stop or threading.Event()
    end = time.monotonic() + for_s
    next_look = 0.0
    while True:
        follow(work)
        now = time.monotonic()
        last = now >= end or stop.is_set()
        if last or now >= next_look:
            work.require_hold()  # where nothing is written, nothing else would tell
            _require_none(watched.look(thorough=last))
            next_look = now + LOOK_S
        if last:
            return watched.looks
        stop.wait(min(FOLLOW_S, end - now))


def _require_none(breach: Breach | None) -> None:
    if breach is not None:
        raise Breached(f"{breach.trigger.replace('_', ' ')}: {breach.message}")
