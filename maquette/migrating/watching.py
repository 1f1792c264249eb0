"""Watch what reading the new shape does: errors, latency, invariants, and documents that do not satisfy the model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg
from psycopg import sql
from pydantic import BaseModel, ValidationError

from maquette.errors import Conflict
from maquette.migrating.models import SCHEMA, Options
from maquette.migrating.source import Connection, row_of
from maquette.migrating.validating import accounting
from maquette.migrating.work import Work

MIN_OBSERVED: Final = 20
"""Requests of one source before its rate counts: of fewer, a single failure would be above the spec's 5 %."""
PROBES: Final = 5
_KEPT_WINDOWS: Final = 10
# What costs much is asked seldom: the watch takes a tenth of its time at most.
_REST: Final = 9.0


class Breached(Conflict):
    """A trigger fired while reads were new: the migration is to be rolled back."""

    code = "migration_breached"


class Window(BaseModel):
    """The requests of one source over the window. ``latency_s``: 95th percentile, failures included."""

    source: str
    requests: int
    failed: int
    latency_s: float


class Breach(BaseModel):
    """Which trigger fired, and what was seen."""

    trigger: str
    message: str


def judge(windows: Sequence[Window], options: Options) -> Breach | None:
    """The spec's triggers on rates. Each source for itself: quick probes must not hide a failing application."""
    for window in windows:
        if window.requests < MIN_OBSERVED:
            continue
        if window.failed > options.max_error_rate * window.requests:
            return Breach(
                trigger="error_rate",
                message=f"{window.failed} of {window.requests} requests ({window.source}) failed within "
                f"{options.window_s:g} s: more than {options.max_error_rate:.1%}",
            )
        if window.latency_s > options.max_latency_s:
            return Breach(
                trigger="latency",
                message=f"the 95th percentile of {window.requests} requests ({window.source}) took "
                f"{window.latency_s:.2f} s: more than {options.max_latency_s:g} s",
            )
    return None


def read_windows(connection: Connection, migration: str, *, window_s: float) -> list[Window]:
    """What was observed within the window, by source, and not before the reads last changed sides."""
    return [
        Window(source=source, requests=requests, failed=failed, latency_s=latency_ms / 1000)
        for source, requests, failed, latency_ms in connection.execute(
            "SELECT source, count(*), count(*) FILTER (WHERE NOT ok), "
            "percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) "
            f"FROM {SCHEMA}.outcomes WHERE migration = %s AND at > greatest("
            "clock_timestamp() - make_interval(secs => %s), "
            f"(SELECT f.updated_at FROM {SCHEMA}.flags f WHERE f.migration = %s)) GROUP BY source ORDER BY source",
            [migration, window_s, migration],
        )
    ]


def broken_invariant(work: Work) -> Breach | None:
    """The first of the migration's invariants that does not hold. One that cannot be asked does not hold either."""
    current = work.source.current.as_string(work.connection)
    for invariant in work.migration.invariants:
        try:
            found = work.connection.execute(invariant.query.replace("{current}", current).encode()).fetchone()
        except psycopg.Error as error:
            reason = error.diag.message_primary or type(error).__name__
            return Breach(trigger="invariant", message=f"{invariant.name} could not be checked: {reason}")
        if found is None or found[0] != 0:
            broken = "no answer" if found is None else f"{found[0]} rows break it"
            return Breach(trigger="invariant", message=f"{invariant.name} does not hold: {broken}")
    return None


def broken_accounting(work: Work) -> Breach | None:
    """Are all rows there, in the one shape or the other?"""
    found = accounting(work)
    return None if found.holds else Breach(trigger="invariant", message=f"the rows do not add up: {found}")


@dataclass
class Watch:
    """The watch of one cohort. ``look`` as often as every tick; it rests by itself."""

    work: Work
    probed: str | None = None
    invariants_at: float = field(default=0.0, init=False)
    looks: int = field(default=0, init=False)

    def look(self, *, thorough: bool = False) -> Breach | None:
        """Probe, prune what is old, and judge; ``thorough`` asks the invariants whenever they were asked last."""
        self.looks += 1
        work, options = self.work, self.work.options
        self.probe()
        found = judge(read_windows(work.connection, work.migration.name, window_s=options.window_s), options)
        if found is not None:
            return found
        work.connection.execute(
            f"DELETE FROM {SCHEMA}.outcomes "
            "WHERE migration = %s AND at < clock_timestamp() - make_interval(secs => %s)",
            [work.migration.name, options.window_s * _KEPT_WINDOWS],
        )
        started = time.monotonic()
        if not thorough and started < self.invariants_at:
            return None
        found = broken_invariant(work) or broken_accounting(work)
        ended = time.monotonic()
        self.invariants_at = ended + (ended - started) * _REST
        return found

    def probe(self) -> None:
        """Read a few rows as an application does, by the view, and note how it went."""
        for key in self._next_keys():
            started = time.perf_counter()
            ok = self._reads_well(key)
            self.work.connection.execute(
                f"INSERT INTO {SCHEMA}.outcomes (migration, ok, latency_ms, source) VALUES (%s, %s, %s, 'probe')",
                [self.work.migration.name, ok, (time.perf_counter() - started) * 1000],
            )

    def _next_keys(self) -> list[str]:
        """The next keys whose reads are new, round and round."""
        source = self.work.source
        keys = [
            key
            for (key,) in self.work.connection.execute(
                sql.SQL(
                    "SELECT n.{key}::text FROM {new} n WHERE (%(after)s::text IS NULL OR n.{key} > CAST(%(after)s AS "
                    "{type})) ORDER BY n.{key} LIMIT {limit}"
                ).format(
                    key=sql.Identifier(source.key),
                    new=source.new_table,
                    type=sql.SQL(source.key_type),
                    limit=PROBES,
                ),
                {"after": self.probed},
            )
        ]
        self.probed = keys[-1] if len(keys) == PROBES else None
        return keys

    def _reads_well(self, key: str) -> bool:
        """A row that went meanwhile reads well; a new document must satisfy the model."""
        work, source = self.work, self.work.source
        # A probe that waits behind a lock counts as slow, and does not stop the watch.
        timeout_ms = int(work.options.max_latency_s * 2000)
        try:
            with work.connection.transaction():
                work.connection.execute("SELECT set_config('statement_timeout', %s, true)", [f"{timeout_ms}ms"])
                found = work.connection.execute(
                    sql.SQL("SELECT is_new, {columns} FROM {view} c WHERE c.{key} = CAST(%s AS {type})").format(
                        columns=source.select_list(work.migration.columns, alias="c"),
                        view=source.current,
                        key=sql.Identifier(source.key),
                        type=sql.SQL(source.key_type),
                    ),
                    [key],
                ).fetchone()
            if found is not None and found[0]:
                work.migration.model.model_validate(row_of(work.migration.columns, found[1:]))
        except (psycopg.errors.QueryCanceled, psycopg.errors.DatabaseError, ValidationError):
            return False
        return True
