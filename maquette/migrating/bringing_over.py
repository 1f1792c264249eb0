"""Write what was decided for rows whose other side changed."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from maquette.migrating import archiving
from maquette.migrating.companion import Arrival, Pair, input_texts, put
from maquette.migrating.models import SCHEMA
from maquette.migrating.shaping import Refused, Shaped, reason, texts
from maquette.migrating.source_writes import act_as, quiet
from maquette.migrating.triggers import untouched
from maquette.migrating.work import Work


@dataclass(frozen=True, slots=True)
class Followed:
    """What was brought over, in rows."""

    keys: int = 0
    to_new: int = 0
    to_old: int = 0
    removed: int = 0
    conflicts: int = 0
    quarantined: int = 0
    put_off: int = 0
    """Written again meanwhile: their turn comes again."""

    def __add__(self, other: "Followed") -> "Followed":
        return Followed(*(getattr(self, each) + getattr(other, each) for each in self.__slots__))


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done for a key. Without any of these only the hash of the other columns is taken anew."""

    pair: Pair
    to_new: Shaped | None = None
    to_old: Shaped | None = None
    refused: Refused | None = None
    removes: bool = False
    """Does the new row go?"""
    archives: str | None = None
    """The side whose document is kept in the archive, for the other one stands."""


def apply(work: Work, steps: Sequence[Step]) -> Followed:
    """Write, in the caller's transaction. Rows that were written again meanwhile are passed by and keep their notes."""
    # Nobody is to wait for the rows that we hold already while we wait for one that another holds.
    patience = f"{max(1, int(work.options.max_lock_ms / 4))}ms"
    work.connection.execute("SELECT set_config('lock_timeout', %s, true)", [patience])
    for step in steps:
        if step.archives:
            _archive(work, step)
    arriving = [_arrival(work, step.pair, step.to_new) for step in steps if step.to_new]
    got_in, unfit = put(work, arriving)
    refusals = {step.pair.key: step.refused.reason for step in steps if step.refused} | unfit
    missed = {each.key for each in arriving} - got_in - unfit.keys()
    missed |= _remove(work, [step for step in steps if step.removes or (step.pair.key in unfit and step.pair.new)])
    to_old = [step for step in steps if step.to_old]
    passed_by, unwritable = _write_old(work, to_old)
    missed |= passed_by
    refusals |= unwritable
    settled = {step.pair.key: step for step in steps if step.pair.key not in missed}
    refusals = {key: why for key, why in refusals.items() if key in settled}
    _settle(work, list(settled.values()), refusals)
    return Followed(
        keys=len(settled),
        to_new=len(got_in),
        to_old=len(to_old) - len(passed_by) - len(unwritable),
        removed=len([step for step in settled.values() if step.removes and not step.refused]),
        conflicts=len([step for step in settled.values() if step.archives]),
        quarantined=len(refusals),
        put_off=len(missed),
    )


def _arrival(work: Work, pair: Pair, shaped: Shaped) -> Arrival:
    assert pair.old is not None  # it was made from it
    return Arrival(pair.key, input_texts(work, shaped), pair.old.untouched, pair.new.version if pair.new else None)


def _archive(work: Work, step: Step) -> None:
    """Keep a document whole, and hold its row, so that what is kept is what gives way."""
    source, pair = work.source, step.pair
    loser = pair.old if step.archives == "old" else pair.new
    assert loser is not None
    schema, name = source.schema, source.name if step.archives == "old" else source.new_name
    table = archiving.find_table(work.connection, schema, name)
    assert table is not None  # both are there from the expansion on
    row = archiving.document(table, "t")
    work.connection.execute(
        sql.SQL(
            "INSERT INTO {archive} (run_id, table_name, key, row, reason, survivor, hash) "
            "SELECT %s, %s, %s, {row}, 'conflict', %s, {hash} FROM {table} t "
            "WHERE t.{key} = CAST(%s AS {type}) AND t.xmin::text = %s FOR UPDATE"
        ).format(
            archive=sql.Identifier(SCHEMA, "archive"),
            row=row,
            hash=archiving.digest(row),
            table=table.quoted,
            key=sql.Identifier(source.key),
            type=sql.SQL(source.key_type),
        ),
        [work.run.id, f"{schema}.{name}", pair.key, pair.key, pair.key, loser.version],
    )


def _remove(work: Work, steps: Sequence[Step]) -> set[str]:
    """Take rows out of the new table; the keys of those that were written meanwhile."""
    versions = {step.pair.key: step.pair.new.version for step in steps if step.pair.new}
    found = work.connection.execute(
        sql.SQL(
            "DELETE FROM {new} n USING unnest(%s::text[], %s::text[]) AS v (k, version) "
            "WHERE n.{key} = CAST(v.k AS {type}) AND n.xmin::text = v.version RETURNING v.k"
        ).format(new=work.source.new_table, key=sql.Identifier(work.source.key), type=sql.SQL(work.source.key_type)),
        [list(versions), list(versions.values())],
    )
    return versions.keys() - {key for (key,) in found}


def _write_old(work: Work, steps: Sequence[Step]) -> tuple[set[str], dict[str, str]]:
    """Write old shapes: the keys of rows that were written meanwhile, and reasons where the old table refuses one."""
    missed: set[str] = set()
    refused: dict[str, str] = {}
    with quiet(work) as quietly:
        for step in steps:
            assert step.to_old is not None
            old = step.pair.old
            if old is not None and texts(work.migration, old.row) == step.to_old.texts:
                continue
            try:
                with work.connection.transaction():
                    if old is not None and not quietly:
                        act_as(work, old.row)
                    if not _write_one(work, step.pair, step.to_old):
                        missed.add(step.pair.key)
            except psycopg.OperationalError:
                raise
            except psycopg.DatabaseError as error:
                refused[step.pair.key] = f"{work.source.full_name} refuses the old shape: {reason(error)}"
    return missed, refused


def _write_one(work: Work, pair: Pair, shaped: Shaped) -> bool:
    source, columns = work.source, work.migration.columns
    values = input_texts(work, shaped)
    names = {"old": source.table, "key": sql.Identifier(source.key), "type": sql.SQL(source.key_type)}
    casts = [sql.SQL("CAST(%s AS {})").format(sql.SQL(source.types[column])) for column in columns]
    if pair.old is not None:
        sets = [
            sql.SQL("{} = {}").format(sql.Identifier(column), cast) for column, cast in zip(columns, casts, strict=True)
        ]
        return bool(
            work.connection.execute(
                sql.SQL("UPDATE {old} s SET {sets} WHERE s.{key} = CAST(%s AS {type}) AND s.xmin::text = %s").format(
                    **names, sets=sql.SQL(", ").join(sets)
                ),
                [*values, pair.key, pair.old.version],
            ).rowcount
        )
    return bool(
        work.connection.execute(
            sql.SQL(
                "INSERT INTO {old} ({key}, {columns}) OVERRIDING SYSTEM VALUE VALUES (CAST(%s AS {type}), {casts}) "
                "ON CONFLICT ({key}) DO NOTHING"
            ).format(
                **names,
                columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                casts=sql.SQL(", ").join(casts),
            ),
            [pair.key, *values],
        ).rowcount
    )


def _settle(work: Work, steps: Sequence[Step], refusals: dict[str, str]) -> None:
    """The books: exactly the notes that were seen go, the quarantine is as it is now, and so is each row's hash."""
    keys = [step.pair.key for step in steps]
    names = {
        "schema": sql.Identifier(SCHEMA),
        "old": work.source.table,
        "new": work.source.new_table,
        "key": sql.Identifier(work.source.key),
        "type": sql.SQL(work.source.key_type),
        "untouched": untouched(work.source, work.migration, alias="s"),
    }
    work.connection.execute(
        sql.SQL("DELETE FROM {schema}.changes WHERE seq = ANY (%s)").format(**names),
        [[number for step in steps for number in step.pair.notes]],
    )
    # What is refused and still stands in the new table was written there and has no old shape: it must be shown.
    work.connection.execute(
        sql.SQL(
            "UPDATE {new} n SET untouched = v.digest, only_new = v.only_new FROM ("
            "SELECT m.{key} AS k, CASE WHEN s.{key} IS NOT NULL THEN {untouched} END AS digest, "
            "CASE WHEN m.{key}::text = ANY (%(followed)s) THEN m.{key}::text = ANY (%(refused)s) ELSE m.only_new END "
            "AS only_new FROM {new} m LEFT JOIN {old} s ON s.{key} = m.{key} "
            "WHERE m.{key} = ANY (CAST(%(keys)s AS {type}[]))) v "
            "WHERE n.{key} = v.k AND (n.untouched, n.only_new) IS DISTINCT FROM (v.digest, v.only_new)"
        ).format(**names),
        {
            "keys": keys,
            # A write of other columns alone says nothing of the documents.
            "followed": [step.pair.key for step in steps if step.pair.last is not None],
            "refused": list(refusals),
        },
    )
    work.connection.execute(
        sql.SQL("DELETE FROM {schema}.quarantine WHERE run_id = %s AND key = ANY (%s)").format(**names),
        [
            work.run.id,
            [
                step.pair.key
                for step in steps
                if step.pair.key not in refusals
                and not (step.pair.last is None and step.pair.new and step.pair.new.only_new)
            ],
        ],
    )
    for key, why in refusals.items():
        work.quarantine(key, why)
