"""Bring the other side up to date after a write in either shape.

Why no write is lost. A write and its note commit together. The follower reads rows and notes in one statement, so it
has seen the write of every note that it sees. It writes a row only where the version is still the one that it read,
in one transaction with the removal of exactly the notes that it saw. Numbers of notes need not come in the order of
commits: a note that commits later is another note, stays, and has its row read again. So a row that was written with
something stale always has a note left that brings it right, and until then the view shows the side of that note.

Where both sides were written before the follower came by, the last one stands and the other is archived whole
(``conflict``). Writes through the view and in the old shape lock the old row, so for them last is what people take it
for; a write straight into the new table is ordered by its number alone.
"""

import time

import psycopg

from maquette.errors import Conflict
from maquette.migrating.bringing_over import Followed, Step, apply
from maquette.migrating.companion import NewRow, OldRow, Pair, read_pairs
from maquette.migrating.models import SCHEMA
from maquette.migrating.pacing import Pace
from maquette.migrating.shaping import Refused, shape, texts, unshape
from maquette.migrating.work import Work

_PAUSE_S = 0.01


def follow(work: Work, *, limit: int = 200) -> Followed:
    """Follow the oldest pending writes: ``limit`` notes, and all others of the same rows.

    Documents are read and reckoned outside of any transaction; those that write hold rows for as long as
    ``options.max_lock_ms`` allows. May be called within a transaction of ``work``.
    """
    keys = [
        key
        for (key,) in work.connection.execute(
            f"SELECT key FROM (SELECT key, seq FROM {SCHEMA}.changes WHERE migration = %s ORDER BY seq LIMIT %s) c "
            "GROUP BY key ORDER BY min(seq)",
            [work.migration.name, limit],
        )
    ]
    pace = Pace(batch_ms=work.options.batch_ms, max_lock_ms=work.options.max_lock_ms, size=20, largest=limit)
    total = Followed()
    while keys:
        chunk, keys = keys[: pace.size], keys[pace.size :]
        started = time.perf_counter()
        steps = [_decide(work, pair) for pair in read_pairs(work, chunk)]
        held = time.perf_counter()
        try:
            with work.transaction():
                total += apply(work, steps)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            total += Followed(put_off=len(steps))
        ended = time.perf_counter()
        pace.learn(total_ms=(ended - started) * 1000, lock_ms=(ended - held) * 1000)
    return total


def drain(work: Work, *, within_s: float) -> int:
    """Follow all that is pending now, while more may come; how many rows that took.

    Raises ``Conflict`` (``busy``) after ``within_s``.
    """
    deadline = time.monotonic() + within_s
    upto = work.connection.execute(
        f"SELECT coalesce(max(seq), 0) FROM {SCHEMA}.changes WHERE migration = %s", [work.migration.name]
    ).fetchone()
    assert upto is not None  # an aggregate always answers
    rows = 0
    while work.connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM {SCHEMA}.changes WHERE migration = %s AND seq <= %s)",
        [work.migration.name, upto[0]],
    ).fetchone() == (True,):
        if time.monotonic() > deadline:
            raise Conflict(
                f"writes of {work.source.full_name} come faster than they can be followed: {pending(work)} are pending "
                f"after {within_s:g} s. Resume when fewer people write",
                code="busy",
            )
        done = follow(work)
        rows += done.keys
        if done.put_off and not done.keys:
            time.sleep(_PAUSE_S)
    return rows


def pending(work: Work) -> int:
    """Notes of writes that were not followed yet."""
    found = work.connection.execute(
        f"SELECT count(*) FROM {SCHEMA}.changes WHERE migration = %s", [work.migration.name]
    ).fetchone()
    assert found is not None  # an aggregate always answers
    return int(found[0])


def _decide(work: Work, pair: Pair) -> Step:
    """Which side stands, and what the other becomes of it. Touches nothing."""
    own, old, new = work.migration, pair.old, pair.new
    if old is None:
        if new is None or pair.last != "new":
            return Step(pair, removes=new is not None)
        return _to_old(work, pair, new)
    if new is None:
        return _to_new(work, pair, old)
    if pair.last == "new":
        return _to_old(work, pair, new)
    if pair.last is None and not new.from_old:
        return Step(pair)
    try:
        if texts(own, old.row) == texts(own, new.row):
            return Step(pair)  # moved by the contract
    except TypeError:
        pass  # the old row cannot be read: it is refused below
    return _to_new(work, pair, old)


def _to_new(work: Work, pair: Pair, old: OldRow) -> Step:
    found = shape(work.migration, old.row)
    # Whatever was written in the new shape and is not in the old table would be gone.
    archives = "new" if pair.new and (pair.new.only_new or "new" in pair.sides) else None
    if isinstance(found, Refused):
        return Step(pair, refused=found, removes=pair.new is not None, archives=archives)
    if archives and pair.new and texts(work.migration, pair.new.row) == found.texts:
        archives = None
    return Step(pair, to_new=found, archives=archives)


def _to_old(work: Work, pair: Pair, new: NewRow) -> Step:
    found = unshape(work.migration, new.row)
    if isinstance(found, Refused):
        return Step(pair, refused=found)
    archives = None
    if "old" in pair.sides and pair.old is not None:
        theirs = shape(work.migration, pair.old.row)
        if isinstance(theirs, Refused) or theirs.texts != texts(work.migration, new.row):
            archives = "old"
    return Step(pair, to_old=found, archives=archives)
