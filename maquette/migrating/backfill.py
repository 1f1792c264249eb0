"""Bring over what was there when it began; what changes meanwhile is followed."""

import time

from psycopg import sql

from maquette.migrating.bringing_over import Followed
from maquette.migrating.companion import Arrival, input_texts, put, read_after
from maquette.migrating.following import drain, follow
from maquette.migrating.models import SCHEMA, Phase, PhaseReport
from maquette.migrating.pacing import Pace, Throttle
from maquette.migrating.shaping import Refused, shape
from maquette.migrating.work import Work
from maquette.rehearsal import crash_point

_DRAIN_S = 600.0


def backfill(work: Work) -> PhaseReport:
    """Every row up to the last key of the beginning gets its new shape, or its reason in the quarantine.

    In the order of the key, in batches that lock no row of the old table; rows and cursor commit together. A row that
    is written between its reading and the batch's end leaves a note, and is followed between the batches. Raises
    ``Conflict`` (``busy``) where writes come faster than they can be followed.
    """
    started = time.perf_counter()
    position, upto, rows = work.position(Phase.BACKFILL)
    if upto is None:
        upto = last_key(work)
    pace = Pace(batch_ms=work.options.batch_ms, max_lock_ms=work.options.max_lock_ms)
    throttle = Throttle(work)
    followed = Followed()
    while upto is not None and position != upto:
        throttle.wait(lambda: follow(work))
        followed += follow(work)
        began = time.perf_counter()
        arrivals: list[Arrival] = []
        refusals: dict[str, str] = {}
        after, position = position, upto  # the last row may be gone by now: an empty batch ends it as well
        for row in read_after(work, after=after, upto=upto, limit=pace.size):
            position = row.key
            found = shape(work.migration, row.row)
            if isinstance(found, Refused):
                refusals[row.key] = found.reason
            else:
                arrivals.append(Arrival(row.key, input_texts(work, found), row.untouched, None))
        size = len(arrivals) + len(refusals)
        held = time.perf_counter()
        with work.transaction():
            for key, reason in (refusals | put(work, arrivals)[1]).items():
                work.quarantine(key, reason)
            work.advance(Phase.BACKFILL, position=position, upto=upto, rows=size)
            ended = time.perf_counter()
            work.note_batch(Phase.BACKFILL, rows=size, total_ms=(ended - began) * 1000, lock_ms=(ended - held) * 1000)
        if size == pace.size:
            pace.learn(total_ms=(ended - began) * 1000, lock_ms=(ended - held) * 1000)
        rows += size
        crash_point("migrating-mid-backfill")
    late = drain(work, within_s=_DRAIN_S)
    return PhaseReport(
        phase=Phase.BACKFILL,
        seconds=time.perf_counter() - started,
        rows=rows,
        longest_lock_ms=work.longest_lock_ms,
        detail={
            "followed": followed.keys + late,
            "conflicts": followed.conflicts,
            "quarantined": quarantined(work),
            "waited_s": round(throttle.waited_s, 1),
        },
    )


def last_key(work: Work) -> str | None:
    """The greatest key of the old table; ``None`` when it is empty."""
    key = sql.Identifier(work.source.key)
    found = work.connection.execute(
        sql.SQL("SELECT s.{key}::text FROM {old} s ORDER BY s.{key} DESC LIMIT 1").format(
            key=key, old=work.source.table
        )
    ).fetchone()
    return None if found is None else str(found[0])


def quarantined(work: Work) -> int:
    """Rows that are set aside."""
    found = work.connection.execute(
        f"SELECT count(*) FROM {SCHEMA}.quarantine WHERE run_id = %s", [work.run.id]
    ).fetchone()
    assert found is not None  # an aggregate always answers
    return int(found[0])
