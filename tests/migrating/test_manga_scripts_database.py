"""The migration of manga scripts against PostgreSQL: the statistics view, triggers, invariants."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from maquette.migrating import exact
from maquette.migrating.ddl import with_short_lock
from maquette.migrating.expanding import expand, withdraw
from maquette.migrating.following import drain
from maquette.migrating.source import Connection, read_source
from tests.migrating import manga, rig

MIGRATION = manga.migration()


@pytest.fixture(
    params=["own", pytest.param("real", marks=pytest.mark.skipif(not manga.REAL.is_dir(), reason="not at hand"))]
)
def editor(empty_url: str, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A connection to the editor's database, of our own tables or of the editor's own files."""
    with rig.connected(empty_url) as connection:
        manga.lay_out(connection, real=request.param == "real")
        connection.execute("CREATE SCHEMA maquette_migrating")
        yield connection


def project(connection: Connection) -> UUID:
    found = connection.execute(
        "INSERT INTO manga_projects (user_id, title) VALUES (%s, 'Tales') RETURNING id", [manga.USER]
    ).fetchone()
    assert found is not None
    connection.execute("DELETE FROM manga_scripts WHERE project_id = %s", [found[0]])  # what a trigger made
    return UUID(str(found[0]))


def script(connection: Connection, document: Any) -> str:
    found = connection.execute(
        "INSERT INTO manga_scripts (project_id, user_id, title, script_data) VALUES (%s, %s, 'Tales', %s::jsonb) "
        "RETURNING id::text",
        [project(connection), manga.USER, exact.dumps(document)],
    ).fetchone()
    assert found is not None
    return str(found[0])


def counts(connection: Connection) -> dict[str, tuple[int, ...]]:
    rows = connection.execute(
        "SELECT id::text, chapter_count, scene_count, panel_count, dialogue_count FROM manga_script_stats"
    ).fetchall()
    return {key: tuple(rest) for key, *rest in rows}


def definition(connection: Connection) -> tuple[Any, ...] | None:
    return connection.execute(
        "SELECT pg_get_viewdef(oid), reloptions FROM pg_class WHERE relname = 'manga_script_stats'"
    ).fetchone()


def run(connection: Connection, statements: tuple[str, ...]) -> None:
    for statement in statements:
        connection.execute(statement.encode())


def replace(connection: Connection, key: str, document: Any) -> None:
    """Write past all triggers, as the engine does."""
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            "UPDATE manga_scripts SET script_data = %s::jsonb WHERE id = %s", [exact.dumps(document), key]
        )


def test_the_table_is_what_the_migration_says(editor: Connection) -> None:
    found = read_source(editor, MIGRATION)
    assert set(MIGRATION.reads) | set(MIGRATION.acting_as.values()) <= set(found.types)
    assert found.row_security


def test_the_statistics_count_both_shapes(editor: Connection) -> None:
    key = script(editor, {"chapters": manga.story()})
    before = counts(editor)
    assert before == {key: (2, 2, 3, 4)}
    run(editor, MIGRATION.before)
    assert counts(editor) == before

    new = MIGRATION.transform(manga.row({"chapters": manga.story()}))["script_data"]
    replace(editor, key, new)
    assert counts(editor) == before
    for shape in (manga.by_plain_sql(), manga.shapes()["strategy"]):
        replace(editor, key, shape)
        assert counts(editor) == before
    replace(editor, key, {**manga.saved(), "scenes": {"scenes": [{}, {}]}})
    assert counts(editor) == {key: (0, 2, 1, 1)}


def test_no_document_stops_the_statistics(editor: Connection) -> None:
    odd = [*manga.shapes().values(), {"chapters": {}}, {"chapters": [1, {"scenes": "x"}, {"scenes": [{"panels": 3}]}]},
           {"script": {"stats": {"chapters": "many", "panels": -1, "dialogues": 10**40}}}]  # fmt: skip
    keys = [script(editor, document) for document in odd]
    run(editor, MIGRATION.before)
    assert counts(editor).keys() == set(keys)
    assert counts(editor)[keys[-2]] == (3, 1, 0, 0)


def test_the_view_comes_back_as_it_was(editor: Connection) -> None:
    editor.execute("ALTER VIEW manga_script_stats SET (security_barrier = true)")
    before = definition(editor)
    run(editor, MIGRATION.before * 2)
    counting = definition(editor)
    assert before is not None and counting is not None
    assert counting[0] != before[0] and counting[1] == before[1] == ["security_barrier=true"]
    run(editor, MIGRATION.undo * 2)
    assert definition(editor) == before
    assert editor.execute("SELECT count(*) FROM pg_views WHERE schemaname = 'maquette_migrating'").fetchone() == (0,)


def test_a_view_of_somebodys_own_and_no_view_are_left_alone(editor: Connection) -> None:
    editor.execute("CREATE OR REPLACE VIEW manga_script_stats AS SELECT *, 1 AS more FROM (" +
                   "SELECT id, project_id, title, updated_at, 0 AS chapter_count, 0::bigint AS scene_count, " +
                   "0::bigint AS panel_count, 0::bigint AS dialogue_count FROM manga_scripts) s")  # fmt: skip
    before = definition(editor)
    run(editor, MIGRATION.before + MIGRATION.undo)
    assert definition(editor) == before
    editor.execute("DROP VIEW manga_script_stats")
    run(editor, MIGRATION.before + MIGRATION.undo)
    assert definition(editor) is None


def test_a_write_as_the_rows_user_satisfies_the_versions_trigger(editor: Connection) -> None:
    key = script(editor, {"chapters": manga.story()})
    statement = "UPDATE manga_scripts SET script_data = '{}' WHERE id = %s"
    with pytest.raises(psycopg.errors.NotNullViolation):
        editor.execute(statement, [key])
    with editor.transaction():
        for setting, column in MIGRATION.acting_as.items():
            editor.execute("SELECT set_config(%s, %s, true)", [setting, manga.row({})[column]])
        editor.execute(statement, [key])
    versions = editor.execute("SELECT created_by::text FROM manga_script_versions").fetchall()
    assert versions == [(manga.USER,)]


def test_the_invariants_find_what_they_name(editor: Connection) -> None:
    new = MIGRATION.transform(manga.row({"chapters": manga.story()}))["script_data"]
    key = script(editor, new)
    editor.execute("CREATE TABLE current AS SELECT id, script_data, true AS is_new FROM manga_scripts")

    def broken() -> list[str]:
        found = []
        for invariant in MIGRATION.invariants:
            query = sql.SQL(invariant.query).format(current=sql.Identifier("current"))
            if editor.execute(query).fetchone() != (0,):
                found.append(invariant.name)
        return found

    assert broken() == []
    editor.execute("UPDATE current SET script_data = script_data - 'assembly'")
    assert broken() == ["every new document has its six sections"]
    editor.execute("UPDATE current SET script_data = %s::jsonb", [exact.dumps({**new, "script": []})])
    assert broken() == ["the script of every new document is text"]
    editor.execute("DELETE FROM current WHERE id = %s", [key])
    assert broken() == ["every script is there"]


def test_the_engine_carries_scripts_both_ways(empty_url: str) -> None:
    with rig.connected(empty_url) as app:
        manga.lay_out(app)
        key = script(app, {"chapters": manga.story()})
        with rig.held(empty_url, MIGRATION) as work:
            expand(work)
            app.execute("UPDATE manga_scripts SET title = 'The fox' WHERE id = %s", [key])
            drain(work, within_s=10)
            new = app.execute("SELECT script_data FROM manga_scripts_new").fetchone()
            assert new is not None and new[0]["script"]["title"] == "The fox"
            assert counts(app) == {key: (2, 2, 3, 4)}

            content = new[0]["script"]["content"].replace("Wait!", "Stay!")
            edited = {**new[0], "script": {**new[0]["script"], "content": content}, "theme": "ink"}
            app.execute("UPDATE manga_scripts_new SET script_data = %s::jsonb", [exact.dumps(edited)])
            drain(work, within_s=10)
            old = app.execute("SELECT script_data FROM manga_scripts").fetchone()
            assert old is not None
            said = old[0]["chapters"][0]["scenes"][0]["panels"][1]["dialogues"]
            assert [each["text"] for each in said] == ["Stay!", "Come back!"]
            assert exact.dumps(MIGRATION.transform(manga.row(old[0]))["script_data"]) == exact.dumps(edited)
            assert counts(app) == {key: (2, 2, 3, 4)}

            with_short_lock(work, MIGRATION.undo, mode="ACCESS SHARE")
            withdraw(work)
            assert counts(app) == {key: (2, 2, 3, 4)}
