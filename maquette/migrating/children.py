"""Rows that point at a duplicate: they move to the row that stays, and back."""

from typing import Final

import psycopg
from psycopg import sql

from maquette.errors import Conflict
from maquette.migrating import exact
from maquette.migrating.archiving import Keys, Reference, Table, document, put_back
from maquette.migrating.models import SCHEMA
from maquette.migrating.source import Connection, Source

Place = tuple[int, str]
"""Where a row lies: the oid of its table or partition, and its ctid. Good for as long as the row is held."""

_ANY_PLACE: Final = sql.SQL("true")


def move(connection: Connection, source: Source, keys: Keys, parent: Table, *, loser: str, survivor: str) -> list[str]:
    """Let all that points at ``loser`` point at ``survivor``; JSON of what the archive must know to take it back.

    Both rows are held by the caller. A child that its own table refuses there, because the survivor has such a child
    already, is removed together with all that points at it, and stands in the answer whole. That is text throughout:
    a document may be too deep for Python to read, and is kept nevertheless.
    """
    told: list[str] = []
    for reference in keys.to(parent):
        values = {"from": loser, "to": survivor}
        removed: list[str] = []
        try:
            with connection.transaction():
                moved = connection.execute(_point(source, reference), values).fetchall()
        except (psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation):
            moved, removed = _move_singly(connection, source, keys, reference, values)
        if moved or removed:
            head = exact.dumps({
                "table": reference.child.name, "columns": reference.columns, "refers": reference.refers,
            })  # fmt: skip
            identities = ",".join(identity for (identity,) in moved)
            told.append(f'{head[:-1]},"moved":[{identities}],"removed":[{",".join(removed)}]}}')
    return told


def move_back(connection: Connection, source: Source, keys: Keys, parent: Table, archived: int) -> None:
    """Give the restored row of the archive's ``archived`` its children back: those that are with the survivor still,
    and those that were removed and have their place free."""
    found = connection.execute(
        "SELECT a.key, a.survivor, c.entry ->> 'table', ARRAY(SELECT jsonb_array_elements_text(c.entry -> 'columns')), "
        "ARRAY(SELECT jsonb_array_elements_text(c.entry -> 'refers')), "
        "ARRAY(SELECT m.v::text FROM jsonb_array_elements(c.entry -> 'moved') WITH ORDINALITY m(v, n) ORDER BY n), "
        "ARRAY(SELECT r.v ->> 'table' FROM jsonb_array_elements(c.entry -> 'removed') WITH ORDINALITY r(v, n) "
        "      ORDER BY n), "
        "ARRAY(SELECT (r.v -> 'row')::text FROM jsonb_array_elements(c.entry -> 'removed') WITH ORDINALITY r(v, n) "
        "      ORDER BY n) "
        f"FROM {SCHEMA}.archive a, jsonb_array_elements(a.children) WITH ORDINALITY c(entry, n) "
        "WHERE a.id = %s ORDER BY c.n",
        [archived],
    ).fetchall()
    tables = {each.child.name: each.child for each in keys.references}
    for loser, survivor, table, columns, refers, moved, removed_from, removed in found:
        for reference in keys.to(parent):
            if (reference.child.name, [*reference.columns], [*reference.refers]) == (table, columns, refers):
                statement = _point(source, reference, _one_like(source, reference))
                for identity in moved:
                    connection.execute(statement, {"from": survivor, "to": loser, "identity": identity})
        for name, row in zip(removed_from, removed, strict=True):
            if name in tables:
                put_back(connection, keys, tables[name], row)


def _point(source: Source, reference: Reference, which: sql.Composable = _ANY_PLACE) -> sql.Composed:
    """Point the children ``c`` of the row ``from`` at the row ``to``; the identities of these children."""
    return sql.SQL(
        "UPDATE {child} c SET {assignments} FROM {parent} f, {parent} t "
        "WHERE f.{key} = CAST(%(from)s AS {type}) AND t.{key} = CAST(%(to)s AS {type}) AND {joins} AND {which} "
        "RETURNING ({identity})::text"
    ).format(
        child=reference.child.quoted,
        parent=reference.parent.quoted,
        assignments=sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(column), sql.Identifier("t", referred))
            for column, referred in zip(reference.columns, reference.refers, strict=True)
        ),
        key=sql.Identifier(source.key),
        type=sql.SQL(source.key_type),
        joins=reference.joins("c", "f"),
        which=which,
        identity=_identity(reference, "c"),
    )


def _identity(reference: Reference, alias: str) -> sql.Composable:
    """What tells a child from the other children of its parent: its primary key, else all that it holds."""
    others = [column for column in reference.child.key if column not in reference.columns]
    if not reference.child.key:
        own = sql.SQL(", ").join(map(sql.Literal, reference.columns))
        return sql.SQL("{} - ARRAY[{}]").format(document(reference.child, alias), own)
    pairs = sql.SQL(", ").join(
        sql.SQL("{}, {}").format(sql.Literal(column), sql.Identifier(alias, column)) for column in others
    )
    return sql.SQL("jsonb_build_object({})").format(pairs)


def _one_like(source: Source, reference: Reference) -> sql.Composed:
    # One for one: where there is no primary key, the survivor may have a child of its own that looks the same.
    return sql.SQL(
        "(c.tableoid, c.ctid) = (SELECT x.tableoid, x.ctid FROM {child} x, {parent} y "
        "WHERE y.{key} = CAST(%(from)s AS {type}) AND {joins} AND {identity} = %(identity)s::jsonb LIMIT 1)"
    ).format(
        child=reference.child.quoted,
        parent=reference.parent.quoted,
        key=sql.Identifier(source.key),
        type=sql.SQL(source.key_type),
        joins=reference.joins("x", "y"),
        identity=_identity(reference, "x"),
    )


def _move_singly(
    connection: Connection, source: Source, keys: Keys, reference: Reference, values: dict[str, str]
) -> tuple[list[tuple[str]], list[str]]:
    places: list[Place] = connection.execute(
        sql.SQL(
            "SELECT c.tableoid, c.ctid::text FROM {} c, {} f WHERE f.{} = CAST(%(from)s AS {}) AND {} FOR UPDATE OF c"
        ).format(
            reference.child.quoted,
            reference.parent.quoted,
            sql.Identifier(source.key),
            sql.SQL(source.key_type),
            reference.joins("c", "f"),
        ),
        values,
    ).fetchall()
    statement = _point(source, reference, sql.SQL("c.tableoid = %(oid)s AND c.ctid = %(ctid)s::tid"))
    moved: list[tuple[str]] = []
    removed: list[str] = []
    for oid, ctid in places:
        try:
            with connection.transaction():
                moved += connection.execute(statement, {**values, "oid": oid, "ctid": ctid}).fetchall()
        except (psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation):
            removed += _take_out(connection, keys, reference, (oid, ctid))
    return moved, removed


def _take_out(connection: Connection, keys: Keys, first: Reference, place: Place) -> list[str]:
    """Remove a child and all that points at it, whatever its keys would do; JSON of each row, parents first.

    Raises ``Conflict`` where that would remove rows of the migrated table: people have to decide there.
    """
    found: list[tuple[Table, Place]] = [(first.child, place)]
    told: list[str] = []
    for table, place in found:  # grows on the way
        if table.oid == first.parent.oid:
            raise Conflict(
                f"what points at a duplicate of {table.name} by {first.child.name} ({', '.join(first.columns)}) cannot "
                "point at the row that stays, which has the same already: merge these by hand, then resume"
            )
        row = connection.execute(
            sql.SQL("SELECT ({})::text FROM {} c WHERE c.tableoid = %s AND c.ctid = %s::tid").format(
                document(table, "c"), table.quoted
            ),
            place,
        ).fetchone()
        assert row is not None  # it is held, and none is deleted before all are found
        told.append(f'{{"table":{exact.dumps(table.name)},"row":{row[0]}}}')
        for reference in keys.to(table):
            further: list[Place] = connection.execute(
                sql.SQL(
                    "SELECT c.tableoid, c.ctid::text FROM {} c, {} p "
                    "WHERE p.tableoid = %s AND p.ctid = %s::tid AND {} FOR UPDATE OF c"
                ).format(reference.child.quoted, table.quoted, reference.joins("c", "p")),
                place,
            ).fetchall()
            found += [(reference.child, each) for each in further if (reference.child, each) not in found]
    for table, place in reversed(found):
        connection.execute(sql.SQL("DELETE FROM {} WHERE tableoid = %s AND ctid = %s::tid").format(table.quoted), place)
    return told
