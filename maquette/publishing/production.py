"""What production must have before anything is published: tables, columns, constraints, indexes.

The statements are safe on tables that are in use and full of rows: nothing is dropped but an index that was left
half-built, indexes are built beside the writers, constraints are checked without stopping them, and what the rows do
not allow is said before anything is changed.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable
from sqlalchemy.sql import ClauseElement

from maquette.errors import Conflict
from maquette.publishing.connection import translated
from maquette.publishing.univers import METADATA

COMMAND: Final = "`maquette draft production`"
_SEED: Final = 11
_PATIENCE_S: Final = 60.0
# A change of a table waits for its users, and all others wait behind it: not for long.
_LOCK_TIMEOUT: Final = "5s"
_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]

_COLUMNS: Final = """
SELECT c.relname, a.attname
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) AND c.relname = ANY(:tables)
"""
# Columns of a constraint or an index in their order; an expression has no name and leaves its index out.
_CONSTRAINTS: Final = """
SELECT c.relname, n.conname, n.contype::text, n.convalidated, f.relname AS referred, ARRAY(
    SELECT a.attname::text FROM unnest(n.conkey) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number ORDER BY k.place
) AS columns
FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid LEFT JOIN pg_class f ON f.oid = n.confrelid
WHERE n.contype IN ('c', 'f') AND pg_table_is_visible(c.oid) AND c.relname = ANY(:tables)
"""
_INDEXES: Final = """
SELECT c.relname, i.relname AS name, x.indisunique, x.indisvalid, x.indpred IS NULL AND x.indexprs IS NULL AS whole,
    ARRAY(
        SELECT a.attname::text FROM unnest(x.indkey::int[]) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
        WHERE k.place <= x.indnkeyatts ORDER BY k.place
    ) AS columns
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE pg_table_is_visible(c.oid) AND c.relname = ANY(:tables)
"""


@dataclass(frozen=True)
class _Index:
    name: str
    unique: bool
    valid: bool
    whole: bool
    columns: Sequence[str]

    def serves(self, columns: Sequence[str], *, unique: bool) -> bool:
        """Do lookups by ``columns`` use it, and does it keep them unique where they must be?"""
        if not (self.valid and self.whole):
            return False
        if unique:
            return self.unique and set(self.columns) == set(columns)
        return list(self.columns[: len(columns)]) == list(columns)


@dataclass(frozen=True)
class _Constraint:
    name: str
    valid: bool
    referred: str | None
    columns: Sequence[str]


@dataclass
class _Present:
    """A table as it is."""

    columns: set[str] = field(default_factory=set)
    constraints: list[_Constraint] = field(default_factory=list)
    indexes: list[_Index] = field(default_factory=list)


@dataclass
class _Steps:
    """What is to be done, in its order, and what stands in the way."""

    statements: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def prepare(engine: Engine, *, dry_run: bool) -> list[str]:
    """Make what is missing; the statements, which ``dry_run`` does not run. None are left after the first time.

    Raises ``Conflict`` that names the rows which do not allow a constraint, before anything is changed, and what
    ``connection.translated`` raises.
    """
    with translated(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if dry_run:
            return _plan(connection)
        with _alone(connection):
            statements = _plan(connection)
            for statement in statements:
                patience = _LOCK_TIMEOUT if statement.startswith("ALTER") else "0"
                connection.exec_driver_sql(f"SET lock_timeout = '{patience}'")
                connection.exec_driver_sql(statement)
    return statements


def missing(connection: Connection) -> list[str]:
    """Tables, and columns as ``table.column``, that publishing needs and production has not."""
    present = _present(connection)
    found = []
    for table in METADATA.sorted_tables:
        if table.name not in present:
            found.append(table.name)
        else:
            found += [f"{table.name}.{c.name}" for c in table.columns if c.name not in present[table.name].columns]
    return found


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """One preparation at a time. The lock is asked for again and again: a statement that waits holds up indexes."""
    until = time.monotonic() + _PATIENCE_S
    key = {"seed": _SEED}
    while not connection.scalar(sa.text("SELECT pg_try_advisory_lock(hashtextextended('prepare', :seed))"), key):
        if time.monotonic() > until:
            raise Conflict("production is being prepared by another process: try again when it has ended", code="busy")
        time.sleep(0.05)
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.exec_driver_sql("RESET lock_timeout")
            connection.execute(sa.text("SELECT pg_advisory_unlock(hashtextextended('prepare', :seed))"), key)


def _present(connection: Connection) -> dict[str, _Present]:
    tables: dict[str, _Present] = {}
    names = {"tables": [table.name for table in METADATA.sorted_tables]}
    for table, column in connection.execute(sa.text(_COLUMNS), names):
        tables.setdefault(table, _Present()).columns.add(column)
    for row in connection.execute(sa.text(_CONSTRAINTS), names):
        constraint = _Constraint(row.conname, row.convalidated, row.referred, row.columns)
        tables[row.relname].constraints.append(constraint)
    for row in connection.execute(sa.text(_INDEXES), names):
        index = _Index(row.name, row.indisunique, row.indisvalid, row.whole, row.columns)
        tables[row.relname].indexes.append(index)
    return tables


def statements_for_nothing() -> list[str]:
    """What ``prepare`` runs in an empty database."""
    return [statement for table in METADATA.sorted_tables for statement in _make_table(table)]


def _make_table(table: sa.Table) -> list[str]:
    indexes = [_sql(CreateIndex(index, if_not_exists=True)) for index in _sorted(table)]
    return [_sql(CreateTable(table, if_not_exists=True)), *indexes]


def _plan(connection: Connection) -> list[str]:
    present = _present(connection)
    steps = _Steps()
    for table in METADATA.sorted_tables:
        if table.name not in present:
            steps.statements += _make_table(table)
            continue
        added = _add_columns(connection, table, present[table.name], steps)
        # What stands on a column that is not there yet is built over rows that were never looked at.
        _add_constraints(connection, table, present, steps, unchecked=added)
        _add_indexes(connection, table, present[table.name], steps, unchecked=added)
    if steps.problems:
        raise Conflict(f"production cannot be prepared yet: {'; '.join(steps.problems)}. Then run {COMMAND} again")
    return steps.statements


def _add_columns(connection: Connection, table: sa.Table, present: _Present, steps: _Steps) -> set[str]:
    added = {column.name for column in table.columns if column.name not in present.columns}
    for column in table.columns:
        if column.name not in added:
            continue
        steps.statements.append(f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS {_sql(CreateColumn(column))}")
        must_be_filled = not column.nullable and column.server_default is None and column.identity is None
        if must_be_filled and connection.scalar(sa.text(f"SELECT EXISTS (SELECT FROM {table.name})")):
            kind = column.type.compile(_DIALECT)
            steps.problems.append(
                f"{table.name} has rows and no column {column.name}, which must not be empty: add it as {kind} and "
                "fill it in all rows"
            )
    return added


def _add_constraints(
    connection: Connection, table: sa.Table, tables: Mapping[str, _Present], steps: _Steps, *, unchecked: set[str]
) -> None:
    present = tables[table.name]
    known = {constraint.name: constraint for constraint in present.constraints}
    for check in sorted((c for c in table.constraints if isinstance(c, sa.CheckConstraint)), key=_name):
        rule = f"CHECK ({check.sqltext})"
        if (found := known.get(_name(check))) is not None:
            steps.statements += [] if found.valid else [_validate(table, found.name)]
        else:
            steps.statements += [
                f"ALTER TABLE {table.name} ADD CONSTRAINT {_name(check)} {rule} NOT VALID",
                _validate(table, _name(check)),
            ]
        wrong = f"SELECT DISTINCT language FROM {table.name} WHERE NOT ({check.sqltext}) LIMIT 3"
        if not (found and found.valid) and "language" not in unchecked and (rows := _examples(connection, wrong)):
            steps.problems.append(f"{table.name} has rows with the languages {rows}: delete them or give them another")
    for key in sorted((c for c in table.constraints if isinstance(c, sa.ForeignKeyConstraint)), key=_name):
        (column,), referred = key.column_keys, key.referred_table.name
        like = [c for c in present.constraints if c.referred == referred and list(c.columns) == [column]]
        if like:
            steps.statements += [] if like[0].valid else [_validate(table, like[0].name)]
        else:
            steps.statements += [
                f"ALTER TABLE {table.name} ADD CONSTRAINT {_name(key)} FOREIGN KEY ({column}) "
                f"REFERENCES {referred} (id) ON DELETE CASCADE NOT VALID",
                _validate(table, _name(key)),
            ]
        lost = f"SELECT DISTINCT {column} FROM {table.name} AS one WHERE {column} IS NOT NULL"
        if referred in tables:
            lost += f" AND NOT EXISTS (SELECT FROM {referred} WHERE {referred}.id = one.{column})"
        if (
            not (like and like[0].valid)
            and column not in unchecked
            and (rows := _examples(connection, f"{lost} LIMIT 3"))
        ):
            steps.problems.append(
                f"{table.name} has rows whose {column} is in no row of {referred} ({rows}): delete them"
            )


def _add_indexes(
    connection: Connection, table: sa.Table, present: _Present, steps: _Steps, *, unchecked: set[str]
) -> None:
    uniques = sorted((c for c in table.constraints if isinstance(c, sa.UniqueConstraint)), key=_name)
    wanted: list[tuple[sa.Index | sa.UniqueConstraint, bool]] = [
        *((index, bool(index.unique)) for index in _sorted(table)),
        *((constraint, True) for constraint in uniques),
    ]
    for one, unique in wanted:
        columns = [column.name for column in one.columns]
        if any(index.serves(columns, unique=unique) for index in present.indexes):
            continue
        name = _name(one)
        taken = {index.name: index for index in present.indexes}
        if name in taken and not taken[name].valid:  # a build that broke off leaves it there, of no use
            steps.statements.append(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            del taken[name]
        while name in taken:
            name += "_1"
        listed = ", ".join(columns)
        kind = "UNIQUE INDEX" if unique else "INDEX"
        steps.statements.append(f"CREATE {kind} CONCURRENTLY IF NOT EXISTS {name} ON {table.name} ({listed})")
        if isinstance(one, sa.UniqueConstraint):
            steps.statements.append(f"ALTER TABLE {table.name} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}")
        if unique and unchecked.isdisjoint(columns):
            present_in_all = " AND ".join(f"{column} IS NOT NULL" for column in columns)
            twice = (
                f"SELECT {listed} FROM {table.name} WHERE {present_in_all} GROUP BY {listed} HAVING count(*) > 1 "
                f"ORDER BY {listed} LIMIT 3"
            )
            if rows := _examples(connection, twice):
                steps.problems.append(
                    f"{table.name} has several rows with the same ({listed}), such as {rows}: keep one of each and "
                    "delete the others"
                )


def _examples(connection: Connection, query: str) -> str:
    rows = connection.execute(sa.text(query)).all()
    return ", ".join("(" + ", ".join(map(str, row)) + ")" for row in rows)


def _validate(table: sa.Table, name: str) -> str:
    return f"ALTER TABLE {table.name} VALIDATE CONSTRAINT {name}"


def _sorted(table: sa.Table) -> list[sa.Index]:
    return sorted(table.indexes, key=_name)


def _name(one: sa.Constraint | sa.Index) -> str:
    return str(one.name)


def _sql(element: ClauseElement) -> str:
    return " ".join(str(element.compile(dialect=_DIALECT)).split())
