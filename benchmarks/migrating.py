"""200,000 rows of ``manga_scripts`` brought to the new shape three ways, under 200 edits and inserts a second.

*ours*: expand, deduplicate, unique constraint, backfill, every row validated. *plain SQL*: the one transaction that the
old plan had (duplicates deleted, constraint, one UPDATE, a check of the six keys), with the table's own triggers off,
for the versions trigger refuses it. *batched UPDATE*: as pgroll does it: a new column, a trigger that fills it, then
1,000 rows by key in a transaction; neither duplicates nor validation. Each way has a fresh copy of the same database.
The SQL of both makes the new shape as the old plan does, which loses what our transform keeps: it has less to do.

Writers are measured first on the idle table, then during each way; latency counts from when a request was due.

``python -m benchmarks.migrating`` prints a table and writes ``benchmarks/results/migrating.json``.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from benchmarks.live_load import LiveLoad, Outcome
from benchmarks.meter import Meter
from benchmarks.report import Column, Machine, Report, Value, command, machine, moment, run_bench
from benchmarks.rig import ROOT, bench_home
from maquette.db.embedded import embedded_postgres, ensure_database
from maquette.migrating import engine
from maquette.migrating.definition import load
from maquette.migrating.models import Options, Phase
from maquette.migrating.work import begin

ROWS: Final = 200_000
DUPLICATES: Final = 2_000
RATE: Final = 200.0
IDLE_S: Final = 20.0
BATCH: Final = 1_000
_PHASES: Final = (Phase.EXPAND, Phase.DEDUPLICATE, Phase.UNIQUE, Phase.BACKFILL, Phase.VALIDATE)

_SCHEMA: Final = """
CREATE TABLE manga_scripts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id uuid NOT NULL,
    user_id uuid NOT NULL,
    title text NOT NULL DEFAULT 'Mon Manga',
    description text DEFAULT '',
    script_data jsonb NOT NULL DEFAULT '{"chapters": []}',
    version integer DEFAULT 1,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE TABLE manga_script_versions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    script_id uuid NOT NULL REFERENCES manga_scripts ON DELETE CASCADE,
    version_number integer NOT NULL,
    script_data jsonb NOT NULL
);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON manga_scripts FOR EACH ROW EXECUTE FUNCTION touch();
"""
# One old document of about 1.4 kB of text: a chapter of two scenes of two panels.
_FILL: Final = """
INSERT INTO manga_scripts (project_id, user_id, title, script_data, updated_at)
SELECT
    CASE WHEN n > %(rows)s - %(duplicates)s THEN md5((n - %(rows)s / 2)::text)::uuid ELSE md5(n::text)::uuid END,
    md5('user')::uuid, 'Script ' || n,
    jsonb_build_object('chapters', (
        SELECT jsonb_agg(jsonb_build_object('id', 'c-' || c, 'title', 'Chapitre ' || c || ' du livre ' || n,
            'description', '', 'expanded', true, 'pageCount', 1, 'scenes', (
            SELECT jsonb_agg(jsonb_build_object('id', 's-' || s, 'title', 'Scene ' || s, 'location', 'Tokyo',
                'timeOfDay', 'night', 'panels', (
                SELECT jsonb_agg(jsonb_build_object('id', 'p-' || p, 'pageNumber', c, 'panelNumber', p,
                    'description', 'Plan large sur la ville, la nuit, sous la pluie ' || md5((n * p)::text),
                    'characters', jsonb_build_array('AKIRA'), 'dialogues', jsonb_build_array(jsonb_build_object(
                        'id', 'd-1', 'character', 'AKIRA', 'text', 'Il est encore temps.', 'type', 'speech'))))
                FROM generate_series(1, 2) p)))
            FROM generate_series(1, 2) s)))
        FROM generate_series(1, 1) c)),
    now() - n * interval '1 second'
FROM generate_series(1, %(rows)s) n
"""
_INDEXES: Final = """
CREATE INDEX ON manga_scripts (project_id);
CREATE INDEX ON manga_scripts (user_id);
CREATE INDEX ON manga_scripts (updated_at DESC);
CREATE INDEX ON manga_scripts USING gin (script_data);
CREATE INDEX ON manga_script_versions (script_id);
"""
_NEW_SHAPE: Final = """jsonb_build_object(
    'script', coalesce(script_data->'chapters', '[]'), 'characters', '{"characters": []}'::jsonb,
    'backgrounds', '{"backgrounds": []}'::jsonb, 'scenes', '{"scenes": []}'::jsonb,
    'assembly', '{"pages": [], "currentPage": 1}'::jsonb,
    'metadata', jsonb_build_object('lastModified', updated_at::text, 'version', 1))"""
_PLAIN: Final = f"""
ALTER TABLE manga_scripts DISABLE TRIGGER USER;
CREATE TABLE manga_scripts_backup AS SELECT * FROM manga_scripts;
WITH duplicates AS (
    SELECT array_agg(id ORDER BY updated_at DESC) AS ids FROM manga_scripts
    GROUP BY project_id, user_id HAVING count(*) > 1)
DELETE FROM manga_scripts WHERE id IN (SELECT unnest(ids[2:]) FROM duplicates);
ALTER TABLE manga_scripts ADD CONSTRAINT unique_project_user UNIQUE (project_id, user_id);
UPDATE manga_scripts SET script_data = {_NEW_SHAPE} WHERE NOT (script_data ? 'metadata');
DO $$ BEGIN
    IF EXISTS (SELECT FROM manga_scripts WHERE NOT
        script_data ?& array['script', 'characters', 'backgrounds', 'scenes', 'assembly', 'metadata'])
    THEN RAISE EXCEPTION 'invalid rows'; END IF;
END $$;
ALTER TABLE manga_scripts ENABLE TRIGGER USER;
"""
_COLUMN: Final = f"""
ALTER TABLE manga_scripts ADD COLUMN script_document jsonb;
CREATE FUNCTION both_shapes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE script_data jsonb := NEW.script_data; updated_at timestamptz := NEW.updated_at;
BEGIN NEW.script_document := {_NEW_SHAPE}; RETURN NEW; END $$;
CREATE TRIGGER zz_both_shapes BEFORE INSERT OR UPDATE ON manga_scripts
    FOR EACH ROW EXECUTE FUNCTION both_shapes();
"""
_BATCH: Final = """
WITH next AS (SELECT id FROM manga_scripts WHERE id > %s ORDER BY id LIMIT %s FOR NO KEY UPDATE),
moved AS (UPDATE manga_scripts m SET script_data = m.script_data FROM next WHERE m.id = next.id)
SELECT max(id::text), count(*) FROM next
"""

Way = Callable[[str, Path], tuple[int, float, dict[str, float]]]
"""Works on a URL, with a folder for files: rows, longest lock held in milliseconds, seconds by phase."""


def ours(url: str, folder: Path) -> tuple[int, float, dict[str, float]]:
    """The engine's phases between the rehearsal and the cut-over."""
    migration = load("manga_scripts", ROOT / "migrations" / "documents")
    seconds: dict[str, float] = {}
    longest_ms, rows = 0.0, 0
    with begin(url, migration, plan_hash="bench", options=Options(), folder=folder) as work:
        for phase in _PHASES:
            found = engine.carry_out(work, phase)
            seconds[phase.value] = found.seconds
            longest_ms = max(longest_ms, found.longest_lock_ms)
            if phase is Phase.BACKFILL:
                rows = found.rows
    return rows, longest_ms, seconds


def plain_sql(url: str, folder: Path) -> tuple[int, float, dict[str, float]]:
    """The old plan's one transaction."""
    del folder
    with psycopg.connect(url) as connection:
        started = time.perf_counter()
        connection.execute(_PLAIN)
        connection.commit()
        held_ms = (time.perf_counter() - started) * 1000
        rows = _count(connection)
    return rows, held_ms, {"transaction": held_ms / 1000}


def batched(url: str, folder: Path) -> tuple[int, float, dict[str, float]]:
    """A new column, a trigger, and batches by key."""
    del folder
    longest_ms, rows, last = 0.0, 0, "00000000-0000-0000-0000-000000000000"
    started = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_COLUMN)
        while True:
            since = time.perf_counter()
            found = connection.execute(_BATCH, [last, BATCH]).fetchone()
            assert found is not None
            longest_ms = max(longest_ms, (time.perf_counter() - since) * 1000)
            if not found[1]:
                break
            last, rows = found[0], rows + found[1]
    return rows, longest_ms, {"backfill": time.perf_counter() - started}


def _count(connection: psycopg.Connection[tuple[int]]) -> int:
    found = connection.execute("SELECT count(*) FROM manga_scripts").fetchone()
    assert found is not None
    return found[0]


def lost_edits(url: str, outcome: Outcome, *, is_ours: bool) -> int:
    """Rows whose last committed mark is not what readers find."""
    read = "SELECT id::text AS id, script_data::text AS found FROM manga_scripts"
    if is_ours:
        # A duplicate that somebody had just edited is in the archive, whole.
        read = (
            "SELECT id::text AS id, script_data::text AS found FROM manga_scripts_current "
            "UNION ALL SELECT key, row::text FROM maquette_migrating.archive"
        )
    with psycopg.connect(url) as connection:
        kept = connection.execute(
            sql.SQL(
                "SELECT count(DISTINCT id) FROM ({}) AS c "
                "JOIN unnest(%s::text[], %s::text[]) AS e (id, mark) USING (id) "
                "WHERE c.found LIKE '%%\"' || e.mark || '\"%%'"
            ).format(sql.SQL(read)),
            [list(outcome.edits), list(outcome.edits.values())],
        ).fetchone()
    assert kept is not None
    return len(outcome.edits) - int(kept[0])


@contextmanager
def filled(home: Path, *, rows: int, duplicates: int) -> Iterator[str]:
    """A server with the database ``filled``; its URL."""
    with embedded_postgres(home, database="filled") as url:
        with psycopg.connect(url) as connection:
            connection.execute(_SCHEMA)
            connection.execute(_FILL, {"rows": rows, "duplicates": duplicates})
            connection.execute(_INDEXES)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        yield url


def compare(home: Path, *, rows: int, duplicates: int, idle_s: float) -> list[dict[str, Value]]:
    """The idle table, then each way on a copy of it."""
    ways: dict[str, Way] = {"ours": ours, "plain SQL": plain_sql, "batched UPDATE": batched}
    found: list[dict[str, Value]] = []
    meter = Meter(home)
    with filled(home, rows=rows, duplicates=duplicates) as template:
        url = ensure_database(template, "idle", template="filled")
        with LiveLoad(url, rate=RATE) as load:
            time.sleep(idle_s)
            outcome = load.stop()
        found.append({"way": "idle", **_latencies(outcome)})
        for name, way in ways.items():
            url = ensure_database(template, name.replace(" ", "_").lower(), template="filled")
            with LiveLoad(url, rate=RATE, seed=1) as people:
                time.sleep(1.0)
                before, since = meter.read(), time.monotonic()
                moved, longest_ms, seconds = way(url, home / "migrations")
                until, used = time.monotonic(), meter.read() - before
                outcome = people.stop()
            cpu_s = used.work_s + used.servers_s
            found.append(
                {
                    "way": name,
                    "rows": moved,
                    "seconds": until - since,
                    "rows_per_s": moved / (until - since),
                    "rows_per_core_s": moved / cpu_s,
                    "longest_lock_ms": longest_ms,
                    **_latencies(outcome, since=since, until=until),
                    "lost_edits": lost_edits(url, outcome, is_ours=way is ours),
                    **{f"{phase}_s": spent for phase, spent in seconds.items()},
                }
            )
            _drop(template, url)
    return found


def _latencies(outcome: Outcome, *, since: float = 0.0, until: float = float("inf")) -> dict[str, Value]:
    return {
        "requests": outcome.requests,
        "failed": len(outcome.failed),
        "p50_ms": outcome.percentile_ms(0.5, since=since, until=until),
        "p99_ms": outcome.percentile_ms(0.99, since=since, until=until),
        "longest_ms": outcome.percentile_ms(1.0, since=since, until=until),
    }


def _drop(admin: str, url: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(str(name))))


def measure(quick: bool) -> Report:
    """200,000 rows; quick, 2,000."""
    rows, duplicates, idle_s = (2_000, 20, 1.0) if quick else (ROWS, DUPLICATES, IDLE_S)
    facts = machine()
    with bench_home({}) as home:
        found = compare(home, rows=rows, duplicates=duplicates, idle_s=idle_s)
    return report(found, facts, quick=quick, rows=rows)


def report(found: list[dict[str, Value]], facts: Machine, *, quick: bool, rows: int) -> Report:
    """A row for each way."""
    return Report(
        name="migrating",
        title=f"{rows:,} rows of manga_scripts to the new shape under {RATE:.0f} edits and inserts a second",
        command=command("migrating", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=[
            Column(key="way", heading="way"),
            Column(key="seconds", heading="s", digits=1),
            Column(key="rows_per_s", heading="rows/s", digits=0),
            Column(key="rows_per_core_s", heading="rows/CPU s", digits=0),
            Column(key="longest_lock_ms", heading="longest lock: ms", digits=0),
            Column(key="p50_ms", heading="writers p50: ms", digits=1),
            Column(key="p99_ms", heading="p99: ms", digits=1),
            Column(key="longest_ms", heading="longest: ms", digits=0),
            Column(key="requests", heading="requests"),
            Column(key="failed", heading="failed"),
            Column(key="lost_edits", heading="lost edits"),
        ],
        rows=found,
        notes=[
            "ours validates every row (model, inverse, idempotence) and archives duplicates whole; the others do not",
            "the CPU of writers and of the server's work for them is part of each way's",
            "longest lock: how long a transaction of the migration held rows or the table; plain SQL: all of it",
            "lost edits: rows whose last committed edit readers do not find; people go on writing the old shape",
        ],
    )


if __name__ == "__main__":
    run_bench(measure)
