"""The engine's books in the database that is migrated: runs, cursors, changes, archive, quarantine, flags."""

from typing import Final

from psycopg import sql

from maquette.migrating.models import SCHEMA
from maquette.migrating.source import Connection

_TABLES: Final = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.runs (
    id uuid PRIMARY KEY,
    migration text NOT NULL,
    table_name text NOT NULL,
    status text NOT NULL,
    phase text NOT NULL,
    epoch bigint NOT NULL DEFAULT 1,
    plan_hash text NOT NULL,
    options jsonb NOT NULL,
    folder text NOT NULL,
    error text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cut_over_at timestamptz,
    ended_at timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS one_open_run ON {schema}.runs (table_name) WHERE ended_at IS NULL;
CREATE TABLE IF NOT EXISTS {schema}.phases (
    run_id uuid NOT NULL REFERENCES {schema}.runs,
    phase text NOT NULL,
    report jsonb NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, phase)
);
CREATE TABLE IF NOT EXISTS {schema}.cursors (
    run_id uuid NOT NULL REFERENCES {schema}.runs,
    phase text NOT NULL,
    position text,
    upto text,
    rows bigint NOT NULL DEFAULT 0,
    longest_lock_ms double precision NOT NULL DEFAULT 0,
    seconds double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, phase)
);
CREATE TABLE IF NOT EXISTS {schema}.batches (
    run_id uuid NOT NULL REFERENCES {schema}.runs,
    phase text NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rows integer NOT NULL,
    total_ms double precision NOT NULL,
    lock_ms double precision NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS batches_of_run ON {schema}.batches (run_id, seq);
CREATE TABLE IF NOT EXISTS {schema}.archive (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES {schema}.runs,
    table_name text NOT NULL,
    key text NOT NULL,
    row jsonb NOT NULL,
    children jsonb NOT NULL DEFAULT '[]',
    reason text NOT NULL,
    survivor text,
    hash text NOT NULL,
    lacking jsonb NOT NULL DEFAULT '[]',
    restored_at timestamptz,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS archive_of_run ON {schema}.archive (run_id, key);
CREATE TABLE IF NOT EXISTS {schema}.quarantine (
    run_id uuid NOT NULL REFERENCES {schema}.runs,
    key text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, key)
);
CREATE TABLE IF NOT EXISTS {schema}.changes (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration text NOT NULL,
    key text NOT NULL,
    side text NOT NULL CHECK (side IN ('old', 'new', 'row')),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS changes_of_row ON {schema}.changes (migration, key, side);
CREATE TABLE IF NOT EXISTS {schema}.flags (
    migration text PRIMARY KEY,
    percent integer NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS {schema}.outcomes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    migration text NOT NULL,
    ok boolean NOT NULL,
    latency_ms double precision NOT NULL,
    source text NOT NULL DEFAULT 'application',
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS outcomes_by_time ON {schema}.outcomes (migration, at);
"""

# A row's cohort is a hash of its key: the same row stays on the same side while the percentage grows. A write that was
# not followed yet is shown whatever the cohort: nobody may read it away.
_FUNCTIONS: Final = """
CREATE OR REPLACE FUNCTION {schema}.reads_new(migration text, key text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce((
        SELECT f.percent > (('x' || substr(md5($2), 1, 7))::bit(28)::int % 100)
        FROM {schema}.flags f WHERE f.migration = $1), false)
$$;
CREATE OR REPLACE FUNCTION {schema}.last_side(migration text, key text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    RETURN (SELECT c.side FROM {schema}.changes c
            WHERE c.migration = $1 AND c.key = $2 AND c.side <> 'row' ORDER BY c.seq DESC LIMIT 1);
END $$;
CREATE OR REPLACE FUNCTION {schema}.shows_new(migration text, key text, only_new boolean) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    side text := {schema}.last_side($1, $2);
BEGIN
    RETURN CASE WHEN side IS NULL THEN $3 OR {schema}.reads_new($1, $2) ELSE side = 'new' END;
END $$;
CREATE OR REPLACE FUNCTION {schema}.observe(migration text, ok boolean, latency_ms double precision) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    INSERT INTO {schema}.outcomes (migration, ok, latency_ms) VALUES ($1, $2, $3)
$$;
GRANT USAGE ON SCHEMA {schema} TO PUBLIC;
"""

TURN: Final = "hashtextextended('maquette_migrating:' || %s, 0)"


def prepare(connection: Connection) -> None:
    """Make the books where they are missing; takes turns with whoever does the same."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('maquette_migrating', 1))")
        for text in (_TABLES, _FUNCTIONS):
            connection.execute(sql.SQL(text).format(schema=sql.Identifier(SCHEMA)))


def is_prepared(connection: Connection) -> bool:
    """Are the books there?"""
    return connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{SCHEMA}.outcomes"]).fetchone() == (True,)
