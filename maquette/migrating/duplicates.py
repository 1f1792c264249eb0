"""Duplicates: the newest of a group stays, the others go to the archive, whole, and may come back."""

import random
import time
from collections import deque
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from maquette.errors import Conflict
from maquette.migrating import archiving, children, groups
from maquette.migrating.archiving import Keys, Table
from maquette.migrating.definition import UniqueRule
from maquette.migrating.following import follow
from maquette.migrating.groups import Group, Member
from maquette.migrating.models import SCHEMA, Phase, PhaseReport
from maquette.migrating.source import Connection, Source
from maquette.migrating.source_writes import act_as, quiet
from maquette.migrating.work import Work
from maquette.rehearsal import crash_point

REASON: Final = "duplicate"
# As the rollback calls documents that are new and have no old shape.
_NOT_INVERTIBLE: Final = "not_invertible"
_PATIENCE_S: Final = 120.0
_MOST_GROUPS: Final = 16
# A row that another holds is not waited for: the others of its group would be held for as long.
_HOLD: Final = "FOR UPDATE NOWAIT"


def deduplicate(work: Work) -> PhaseReport:
    """Of each group of duplicates the newest row stays, the others go to the archive with reason, survivor and hash.

    Newest by ``unique.newest_first`` with NULL last, then by the key, as PostgreSQL orders it. Children move to the
    row that stays. Each group is read, then held, then read again: an edit that came in between counts. Raises
    ``Conflict`` (``busy``) where others hold rows for minutes.
    """
    started = time.perf_counter()
    if work.migration.unique is not None:
        remove_duplicates(work, work.migration.unique)
    found = work.connection.execute(
        "SELECT count(*), count(DISTINCT survivor), count(*) FILTER (WHERE lacking <> '[]'), "
        "coalesce(sum((SELECT sum(jsonb_array_length(c -> 'moved')) FROM jsonb_array_elements(children) c)), 0)::int, "
        "coalesce(sum((SELECT sum(jsonb_array_length(c -> 'removed')) FROM jsonb_array_elements(children) c)), 0)::int "
        f"FROM {SCHEMA}.archive WHERE run_id = %s AND reason = %s",
        [work.run.id, REASON],
    ).fetchone()
    assert found is not None  # an aggregate always answers
    archived, survivors, lacking, moved, removed = found
    return PhaseReport(
        phase=Phase.DEDUPLICATE,
        seconds=time.perf_counter() - started,
        rows=archived,
        longest_lock_ms=work.longest_lock_ms,
        detail={
            "groups": survivors,
            "archived": archived,
            "archived_lacking": lacking,
            "children_moved": moved,
            "children_archived": removed,
        },
    )


def remove_duplicates(work: Work, rule: UniqueRule) -> None:
    """As ``deduplicate``, until there are none. Groups that others hold come again after a pause."""
    table = archiving.find_table(work.connection, work.source.schema, work.source.name)
    assert table is not None  # the work has seen it
    merging = _Merging(
        work,
        rule,
        table,
        archiving.find_table(work.connection, work.source.schema, work.source.new_name),
        archiving.read_keys(work.connection),
    )
    deadline, pause_s = time.monotonic() + _PATIENCE_S, 0.02
    while found := groups.find(work.connection, work.source, rule):
        merged, put_off = merging.look_at(found)
        if merged:
            deadline, pause_s = time.monotonic() + _PATIENCE_S, 0.02
        elif time.monotonic() > deadline:
            raise Conflict(
                f"{put_off} groups of duplicates of {work.source.full_name} were held by others for {_PATIENCE_S:.0f} "
                "s: end the transactions that hold them, then resume",
                code="busy",
            )
        if put_off:
            follow(work)
            time.sleep(pause_s * random.uniform(0.5, 1.5))
            pause_s = min(pause_s * 2, 2.0)


@dataclass(frozen=True)
class _Merging:
    """What merging groups needs to know."""

    work: Work
    rule: UniqueRule
    table: Table
    new: Table | None
    keys: Keys

    def look_at(self, found: Sequence[Group]) -> tuple[int, int]:
        """Merge what can be had; how many groups were merged and how many put off."""
        waiting, at_once, merged, put_off = deque(found), 1, 0, 0
        # Nothing joins it before the next look: only following does that.
        set_aside = {
            key
            for (key,) in self.work.connection.execute(
                f"SELECT key FROM {SCHEMA}.quarantine WHERE run_id = %s", [self.work.run.id]
            )
        }
        most_ms = self.work.options.max_lock_ms
        while waiting:
            batch = [waiting.popleft() for _ in range(min(at_once, len(waiting)))]
            done, held_ms = self._merge_batch(batch, set_aside)
            merged += done
            put_off += len(batch) - done
            at_once = max(1, min(_MOST_GROUPS, int(len(batch) * min(2.0, most_ms / 4 / held_ms))))
            crash_point("migrating-mid-deduplicate")
        return merged, put_off

    def _merge_batch(self, batch: Sequence[Group], set_aside: Set[str]) -> tuple[int, float]:
        """How many groups were merged, and for how many milliseconds they were held."""
        work, begun = self.work, time.perf_counter()
        # Read and compared before anything is held.
        read = [
            (group, groups.read(work.connection, work.source, work.migration, self.rule, self.table, group))
            for group in batch
        ]
        lacking = [[groups.lacking(work.migration, members[0], each) for each in members[1:]] for _, members in read]
        merged = rows = 0
        held = time.perf_counter()
        with work.transaction() as connection, quiet(work) as quietly:
            # Children that others hold are waited for, but no longer than the group itself may be held.
            wait_ms = max(1, int(work.options.max_lock_ms / 4))
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{wait_ms}ms"])
            for (group, members), lacks in zip(read, lacking, strict=True):
                try:
                    with connection.transaction():
                        if not self._may_merge(group, members):
                            raise psycopg.Rollback
                        self._merge(members[0], members[1:], lacks, set_aside, quietly=quietly)
                        merged += 1
                        rows += len(members) - 1
                except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                    pass  # put off: its savepoint has let go of it
            held_ms = (time.perf_counter() - held) * 1000
            if rows:
                total_ms = (time.perf_counter() - begun) * 1000
                work.note_batch(Phase.DEDUPLICATE, rows=rows, total_ms=total_ms, lock_ms=held_ms)
        return merged, (time.perf_counter() - held) * 1000

    def _may_merge(self, group: Group, members: Sequence[Member]) -> bool:
        """Hold the group; ``False`` where it is not as it was read, or has writes that are not followed yet."""
        connection, source, keys = self.work.connection, self.work.source, [[*group.keys]]
        if connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [group.lock]).fetchone() != (True,):
            return False
        for table in self._sides():
            connection.execute(
                sql.SQL("SELECT 1 FROM {} s WHERE {} ORDER BY {} {}").format(
                    table, groups.among(source), sql.Identifier("s", source.key), sql.SQL(_HOLD)
                ),
                keys,
            )
        followed = connection.execute(
            f"SELECT NOT EXISTS (SELECT 1 FROM {SCHEMA}.changes "
            "WHERE migration = %s AND side = 'new' AND key = ANY (%s))",
            [self.work.migration.name, *keys],
        ).fetchone()
        now = groups.standing(connection, source, self.rule, self.table, group)
        return followed == (True,) and len(now) > 1 and now == [(member.key, member.hash) for member in members]

    def _merge(
        self,
        survivor: Member,
        losers: Sequence[Member],
        lacking: Sequence[list[str]],
        set_aside: Set[str],
        *,
        quietly: bool,
    ) -> None:
        connection, source = self.work.connection, self.work.source
        gone = [loser.key for loser in losers]
        archived = self._archive(source.table, self.table, REASON, survivor.key, gone)
        if self.new is not None and (nowhere_else := [key for key in gone if key in set_aside]):
            # What was written in the new shape and has no old one.
            self._archive(source.new_table, self.new, _NOT_INVERTIBLE, survivor.key, nowhere_else)
        for loser, lacks in zip(losers, lacking, strict=True):
            if not quietly:
                act_as(self.work, loser.row)
            moved = children.move(connection, source, self.keys, self.table, loser=loser.key, survivor=survivor.key)
            connection.execute(
                f"UPDATE {SCHEMA}.archive SET lacking = %s, children = %s::jsonb WHERE id = %s",
                [Jsonb(lacks), f"[{','.join(moved)}]", archived[loser.key]],
            )
            for side in self._sides():
                connection.execute(
                    sql.SQL("DELETE FROM {} s WHERE {}").format(side, groups.among(source)), [[loser.key]]
                )

    def _archive(
        self, side: sql.Identifier, table: Table, reason: str, survivor: str, keys: Sequence[str]
    ) -> dict[str, int]:
        """Keep rows whole; their numbers in the archive by key."""
        row, key = archiving.document(table, "s"), sql.Identifier("s", self.work.source.key)
        found: list[tuple[str, int]] = self.work.connection.execute(
            sql.SQL(
                "INSERT INTO {books}.archive (run_id, table_name, key, row, reason, survivor, hash) "
                "SELECT %s, %s, {key}::text, {row}, %s, %s, {hash} FROM {side} s WHERE {among} ORDER BY {key} "
                "RETURNING key, id"
            ).format(
                books=sql.Identifier(SCHEMA), key=key, row=row, hash=archiving.digest(row), side=side,
                among=groups.among(self.work.source),
            ),
            [self.work.run.id, self.work.source.full_name, reason, survivor, [*keys]],
        ).fetchall()  # fmt: skip
        return dict(found)

    def _sides(self) -> list[sql.Identifier]:
        """The old table, and the new one where it is there."""
        source = self.work.source
        return [source.table] if self.new is None else [source.table, source.new_table]


def restore(work: Work) -> int:
    """Put archived duplicates back as they were, with their children; how many came back. May be called again.

    The unique constraint must be gone: raises ``Conflict`` otherwise. A row whose key was taken since, or whose own
    parents are gone, stays in the archive; so do children that were moved on since.
    """
    rule = work.migration.unique
    if rule is None:
        return 0
    if is_there(work.connection, work.source, rule.constraint):
        raise Conflict(f"duplicates cannot come back while {rule.constraint} is there: drop that constraint first")
    table = archiving.find_table(work.connection, work.source.schema, work.source.name)
    assert table is not None  # the work has seen it
    keys = archiving.read_keys(work.connection)
    # The last first: a row that outlived one group may have been archived in a later one, with what it had taken over.
    waiting = deque(
        archived
        for (archived,) in work.connection.execute(
            f"SELECT id FROM {SCHEMA}.archive WHERE run_id = %s AND reason = %s AND restored_at IS NULL "
            "ORDER BY id DESC",
            [work.run.id, REASON],
        )
    )
    restored, deadline = 0, time.monotonic() + _PATIENCE_S
    while waiting:
        try:
            restored += _restore_one(work, keys, table, waiting[0])
            waiting.popleft()
            deadline = time.monotonic() + _PATIENCE_S
        except psycopg.errors.LockNotAvailable as error:
            if time.monotonic() > deadline:
                raise Conflict(
                    f"rows that belong to archived rows of {table.name} were held by others for {_PATIENCE_S:.0f} s: "
                    "end the transactions that hold them, then resume",
                    code="busy",
                ) from error
    return restored


def _restore_one(work: Work, keys: Keys, table: Table, archived: int) -> bool:
    with work.transaction() as connection, quiet(work) as quietly:
        found = connection.execute(f"SELECT row::text FROM {SCHEMA}.archive WHERE id = %s", [archived]).fetchone()
        assert found is not None  # nothing is ever deleted from the archive
        if not quietly:
            owner = {
                column: connection.execute(
                    f"SELECT row ->> %s FROM {SCHEMA}.archive WHERE id = %s", [column, archived]
                ).fetchone()
                for column in work.migration.acting_as.values()
            }
            act_as(work, {column: value[0] if value else None for column, value in owner.items()})
        if not archiving.put_back(connection, keys, table, found[0]):
            return False
        children.move_back(connection, work.source, keys, table, archived)
        connection.execute(f"UPDATE {SCHEMA}.archive SET restored_at = clock_timestamp() WHERE id = %s", [archived])
        return True


def is_there(connection: Connection, source: Source, constraint: str) -> bool:
    """Has the table a constraint of that name?"""
    return connection.execute(
        "SELECT EXISTS (SELECT 1 FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s AND k.conname = %s)",
        [source.schema, source.name, constraint],
    ).fetchone() == (True,)
