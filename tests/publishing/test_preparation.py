"""Production is prepared whatever it had before, twice changes nothing, and its readers' queries use the indexes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlmodel import SQLModel

from maquette.db.embedded import ensure_database
from maquette.errors import Conflict, Transient
from maquette.publishing import production
from maquette.publishing.connection import connect
from maquette.publishing.production import missing, prepare
from maquette.publishing.univers import METADATA

# What a production of earlier days may have: no keys, no checks, no indexes, columns that came later missing.
OLD = """
CREATE TABLE univers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, slug text NOT NULL,
    thumbnail_url text, supabase_id bigint);
CREATE INDEX ix_univers_slug ON univers (slug);
CREATE TABLE univers_assets (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, univers_id bigint, sort_order int,
    image_name text, display_name text);
CREATE TABLE univers_assets_translations (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, asset_id uuid,
    language varchar(2), display_name text);
CREATE TABLE univers_music_prompts (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, univers_id bigint,
    language varchar(2), prompt text, lyrics text);
INSERT INTO univers (name, slug) SELECT 'Universe ' || n, 'universe-' || n FROM generate_series(1, 3) n;
INSERT INTO univers_assets (univers_id, sort_order, image_name, display_name)
    SELECT id, n, n || '.png', 'word' FROM univers, generate_series(0, 2) n;
INSERT INTO univers_assets_translations (asset_id, language, display_name) SELECT id, 'fr', 'mot' FROM univers_assets;
INSERT INTO univers_music_prompts (univers_id, language, prompt, lyrics) SELECT id, 'fr', 'calme', 'la' FROM univers;
"""


@pytest.fixture
def engine(postgres: str) -> Iterator[Engine]:
    """An empty database of the test's own."""
    admin = sa.make_url(postgres).set(database="postgres")
    name = f"readers_{uuid4().hex}"
    engine = connect(ensure_database(admin.render_as_string(hide_password=False), name))
    yield engine
    engine.dispose()
    server = connect(admin).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    server.dispose()


def run(engine: Engine, script: str) -> None:
    with engine.begin() as connection:
        for statement in filter(str.strip, script.split(";")):
            connection.exec_driver_sql(statement)


def shape(engine: Engine) -> list[object]:
    """All tables, columns, constraints and indexes of the database."""
    query = """
    SELECT table_name || '.' || column_name || ' ' || data_type || is_nullable || coalesce(column_default, '')
        FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) || convalidated FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"""
    with engine.connect() as connection:
        return list(connection.execute(sa.text(query)).scalars())


def count(engine: Engine, table: str) -> object:
    with engine.connect() as connection:
        return connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))


def test_the_application_knows_nothing_of_the_tables() -> None:
    assert not METADATA.tables.keys() & SQLModel.metadata.tables.keys()


def test_an_empty_database_is_prepared_once(engine: Engine) -> None:
    planned = prepare(engine, dry_run=True)
    assert shape(engine) == []
    assert prepare(engine, dry_run=False) == planned == production.statements_for_nothing()
    assert sum(each.startswith("CREATE TABLE IF NOT EXISTS") for each in planned) == 7
    assert prepare(engine, dry_run=False) == prepare(engine, dry_run=True) == []
    with engine.connect() as connection:
        assert missing(connection) == []


def test_the_schema_is_the_one_that_readers_know(engine: Engine) -> None:
    prepare(engine, dry_run=False)
    found = shape(engine)
    for line in (
        "univers.id bigintNO",
        "univers.created_at timestamp with time zoneYESnow()",
        "univers.is_public booleanYEStrue",
        "univers_assets.id uuidNOgen_random_uuid()",
        "univers_assets.univers_id bigintNO",
        "univers_assets_prompts UNIQUE (asset_id)true",
        "univers_music_prompts UNIQUE (univers_id, language)true",
        "univers_assets FOREIGN KEY (univers_id) REFERENCES univers(id) ON DELETE CASCADEtrue",
        "CREATE UNIQUE INDEX ix_univers_slug ON public.univers USING btree (slug)",
    ):
        assert line in found
    with engine.connect() as connection, pytest.raises(sa.exc.IntegrityError, match="valid_language"):
        connection.exec_driver_sql(
            "INSERT INTO univers_translations (univers_id, language, name) VALUES (1, 'xx', 'n')"
        )


def test_an_old_production_full_of_rows_is_completed(engine: Engine) -> None:
    run(engine, OLD)
    planned = prepare(engine, dry_run=True)
    assert prepare(engine, dry_run=False) == planned
    assert not any(each.startswith(("DROP", "CREATE INDEX IF", "CREATE UNIQUE INDEX IF")) for each in planned[4:0:-1])
    on_old = [each for each in planned if " INDEX " in each and "univers_assets " in each]
    assert on_old == [
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_univers_assets_univers_id_sort_order "
        "ON univers_assets (univers_id, sort_order)"
    ]
    # The name is taken by an index that keeps nothing unique.
    assert "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ix_univers_slug_1 ON univers (slug)" in planned
    assert "ALTER TABLE univers ADD COLUMN IF NOT EXISTS is_public BOOLEAN DEFAULT true" in planned
    assert "ALTER TABLE univers_music_prompts VALIDATE CONSTRAINT valid_music_language" in planned
    assert "ALTER TABLE univers_music_prompts ADD CONSTRAINT unique_music_prompt_per_lang UNIQUE USING INDEX " \
        "unique_music_prompt_per_lang" in planned  # fmt: skip
    assert prepare(engine, dry_run=False) == []
    assert [count(engine, name) for name in ("univers", "univers_assets", "univers_assets_translations")] == [3, 9, 9]
    found = shape(engine)
    assert "univers.supabase_id bigintYES" in found
    assert not [line for line in found if str(line).endswith("false")]  # all constraints are validated
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM univers WHERE slug = 'universe-1'")
    assert count(engine, "univers_assets_translations") == 6


BROKEN = [
    ("INSERT INTO univers (name, slug) VALUES ('twin', 'universe-2')", r"univers .*same \(slug\).*\(universe-2\)"),
    (
        "INSERT INTO univers_assets_translations (asset_id, language, display_name) "
        "SELECT asset_id, language, 'autre' FROM univers_assets_translations",
        r"univers_assets_translations has several rows with the same \(asset_id, language\)",
    ),
    ("UPDATE univers_music_prompts SET language = 'pt'", r"univers_music_prompts has rows with the languages \(pt\)"),
    ("UPDATE univers_assets SET univers_id = 99 WHERE sort_order = 0", r"in no row of univers \(\(99\)\)"),
    ("ALTER TABLE univers DROP COLUMN slug", r"no column slug, which must not be empty: add it as TEXT"),
]


@pytest.mark.parametrize(("damage", "said"), BROKEN, ids=range(len(BROKEN)))
def test_rows_that_stand_in_the_way_are_said_before_anything_is_changed(engine: Engine, damage: str, said: str) -> None:
    run(engine, OLD)
    run(engine, damage)
    before = shape(engine)
    for dry_run in (True, False):
        with pytest.raises(Conflict, match=said):
            prepare(engine, dry_run=dry_run)
    assert shape(engine) == before


def test_all_that_stands_in_the_way_is_said_at_once(engine: Engine) -> None:
    run(engine, OLD)
    for damage, _ in BROKEN[1:4]:
        run(engine, damage)
    with pytest.raises(Conflict) as caught:
        prepare(engine, dry_run=False)
    assert all(
        word in str(caught.value) for word in ("several rows", "languages", "in no row", "maquette draft production")
    )


def test_what_broke_off_is_built_again(engine: Engine) -> None:
    prepare(engine, dry_run=False)
    run(engine, """
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_univers_slug'::regclass;
        ALTER TABLE univers_translations DROP CONSTRAINT valid_language;
        ALTER TABLE univers_translations ADD CONSTRAINT valid_language CHECK (language IN ('fr')) NOT VALID
    """)  # fmt: skip
    assert prepare(engine, dry_run=False) == [
        "DROP INDEX CONCURRENTLY IF EXISTS ix_univers_slug",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ix_univers_slug ON univers (slug)",
        "ALTER TABLE univers_translations VALIDATE CONSTRAINT valid_language",
    ]
    assert prepare(engine, dry_run=False) == []


def test_many_may_prepare_at_once(engine: Engine) -> None:
    run(engine, OLD)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: prepare(engine, dry_run=False), range(4)))
    assert sorted(map(bool, found)) == [False, False, False, True]
    held = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
    held += "WHERE locktype = 'advisory' AND datname = current_database()"
    with engine.connect() as connection:
        assert connection.scalar(sa.text(held)) == 0


def test_a_table_in_use_is_not_waited_for_with_all_others_behind(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(engine, OLD)
    monkeypatch.setattr(production, "_LOCK_TIMEOUT", "20ms")
    with engine.connect() as user:
        user.exec_driver_sql("SELECT count(*) FROM univers")
        with pytest.raises(Transient, match="lock timeout"):
            prepare(engine, dry_run=False)
        user.rollback()
    prepare(engine, dry_run=False)
    assert prepare(engine, dry_run=True) == []


FILL = """
INSERT INTO univers (name, slug, is_public)
    SELECT 'Universe ' || md5(n::text), 'universe-' || n, mod(n, 10) = 0 FROM generate_series(1, 20000) n;
INSERT INTO univers_assets (univers_id, sort_order, image_name, display_name)
    SELECT id, n, n || '.png', 'word ' || n FROM univers, generate_series(0, 4) n WHERE id <= 5000;
INSERT INTO univers_assets_translations (asset_id, language, display_name)
    SELECT id, language, display_name FROM univers_assets, unnest(ARRAY['fr', 'de']) AS language;
INSERT INTO univers_music_prompts (univers_id, language, prompt, lyrics)
    SELECT id, language, 'calm', 'la' FROM univers, unnest(ARRAY['fr', 'de']) AS language;
INSERT INTO univers_translations (univers_id, language, name)
    SELECT id, language, name FROM univers, unnest(ARRAY['fr', 'de']) AS language;
INSERT INTO univers_prompts (univers_id) SELECT id FROM univers;
ANALYZE
"""
QUERIES = {
    "by slug": ("SELECT * FROM univers WHERE slug = 'universe-77'", {"ix_univers_slug"}),
    "public list": (
        "SELECT * FROM univers WHERE is_public ORDER BY name LIMIT 50",
        {"ix_univers_is_public_name"},
    ),
    "public list, further on": (
        "SELECT * FROM univers WHERE is_public AND name > 'Universe 8' ORDER BY name LIMIT 50",
        {"ix_univers_is_public_name"},
    ),
    "assets with names": (
        "SELECT a.*, t.display_name FROM univers_assets a LEFT JOIN univers_assets_translations t "
        "ON t.asset_id = a.id AND t.language = 'de' WHERE a.univers_id = 77 ORDER BY a.sort_order",
        {"ix_univers_assets_univers_id_sort_order", "ix_univers_assets_translations_asset_id_language"},
    ),
    "music": (
        "SELECT * FROM univers_music_prompts WHERE univers_id = 77 AND language = 'de'",
        {"unique_music_prompt_per_lang"},
    ),
    "name": (
        "SELECT name FROM univers_translations WHERE univers_id = 77 AND language = 'de'",
        {"ix_univers_translations_univers_id_language"},
    ),
    "prompts": ("SELECT * FROM univers_prompts WHERE univers_id = 77", {"ix_univers_prompts_univers_id"}),
}


def test_the_queries_of_readers_use_the_indexes(engine: Engine) -> None:
    prepare(engine, dry_run=False)
    run(engine, FILL)
    with engine.connect() as connection:
        for name, (query, indexes) in QUERIES.items():
            plan = explained(connection, query)
            assert {str(node["Index Name"]) for node in plan if "Index Name" in node} == indexes, name
            kinds = {node["Node Type"] for node in plan}
            assert "Seq Scan" not in kinds and ("Sort" not in kinds or name == "assets with names"), name
        run(engine, "DROP INDEX ix_univers_assets_univers_id_sort_order")
        nodes = {node["Node Type"] for node in explained(connection, QUERIES["assets with names"][0])}
        assert "Seq Scan" in nodes  # what the test would find without the index


def explained(connection: Connection, query: str) -> list[dict[str, object]]:
    """The nodes of the query's plan."""
    (told,) = connection.execute(sa.text(f"EXPLAIN (FORMAT JSON) {query}")).scalar_one()
    connection.rollback()
    nodes, waiting = [], [told["Plan"]]
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting += node.get("Plans", [])
    return nodes
