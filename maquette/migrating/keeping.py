"""Documents that stand in the new table alone go to the archive whole before that table goes."""

from typing import Final, LiteralString

from psycopg import sql

from maquette.migrating.archiving import digest, document, find_table
from maquette.migrating.models import SCHEMA
from maquette.migrating.work import Work

# From the quarantine's side: it is short, and everybody waits for this.
QUARANTINED: Final = "n.{key} IN (SELECT CAST(q.key AS {type}) FROM {schema}.quarantine q WHERE q.run_id = %(run)s)"
"""Written in the new shape, and it has no old one."""
ORPHANS: Final = f"{QUARANTINED} AND NOT EXISTS (SELECT 1 FROM {{old}} s WHERE s.{{key}} = n.{{key}})"
"""Nor has it a row in the old table."""


def archive_whole(work: Work, *, reason: str, which: LiteralString) -> int:
    """Archive the new table's rows of the condition ``which``, in the caller's transaction; how many."""
    source = work.source
    table = find_table(work.connection, source.schema, source.new_name)
    if table is None:
        return 0
    return work.connection.execute(
        sql.SQL(
            "INSERT INTO {schema}.archive (run_id, table_name, key, row, reason, hash) "
            "SELECT %(run)s, %(table)s, n.{key}::text, {row}, %(reason)s, {hash} FROM {new} n WHERE " + which
        ).format(
            schema=sql.Identifier(SCHEMA),
            key=sql.Identifier(source.key),
            row=document(table, "n"),
            hash=digest(document(table, "n")),
            type=sql.SQL(source.key_type),
            new=source.new_table,
            old=source.table,
        ),
        {"run": work.run.id, "table": source.full_name, "reason": reason},
    ).rowcount
