"""The whole migration of the hardest rows there are, and the whole way back: where nobody wrote, not a byte differs."""

from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from maquette.migrating import contents, exact, rehearsal_check
from maquette.migrating.definition import DocumentMigration, Row
from maquette.migrating.models import SCHEMA, Duplicates, Options, RunStatus
from maquette.migrating.rolling_back import roll_back
from maquette.migrating.scratch import at
from maquette.migrating.service import Migrations
from maquette.migrating.source import Connection
from tests.migrating import life, manga, rig

MIGRATION: Final = manga.migration()
DEEP: Final = 10_000
TIMES: Final = (None, "2025-01-21 14:32:15.123456+00", "2025-01-21 14:32:15.123456+00", "infinity", "0044-03-15 BC")


def ordered_hashes(url: str, *names: str) -> dict[str, tuple[int, str]]:
    """Rows and hash of each table, over all columns in the order of its key."""
    with contents.reading(url) as connection:
        found = [contents.read(connection, contents.describe(connection, "public", name)) for name in names]
        return {content.name: (content.rows, content.sha256) for content in found}


def hard_documents() -> dict[str, str]:
    """JSON's text by what is hard about it."""
    panels = [{**manga.panel(n, "Hm. " * 9), "timing": 2} for n in range(1, 10_000)]
    large = exact.dumps({"chapters": [manga.chapter(manga.scene(*panels))]})
    assert len(large) > 5_000_000
    escapes = {"chapters": [manga.chapter(manga.scene(manga.panel(1, r"\u0000", "\u007f\u2028\U0001f98a", "\\")))]}
    no_zone = {**manga.saved(), "metadata": {"version": 4, "savedAt": "2025-01-21 14:32:15", "lastModified": "x"}}
    return {
        **{name: exact.dumps(document) for name, document in manga.shapes().items()},
        "large": large,
        "deep": '{"chapters": ' + "[" * DEEP + "]" * DEEP + "}",
        "escapes": exact.dumps(escapes),
        "no zone": exact.dumps(no_zone),
        "numbers": '{"chapters": [1, 1.0, 1.00, 1e400, -0.0, 123456789012345678901234567890, 1e-7]}',
        "half a pair": '{"chapters": [], "title": "\\\\ud83e"}',
        "true": "true",
        "text": '"PAGE 1:"',
        "array of null": "[null]",
    }


def fill(connection: Connection) -> None:
    """Each document once; duplicates with equal times and without any, and versions that point at them."""
    connection.execute("SET search_path = public")
    for number, text in enumerate(hard_documents().values()):
        script(connection, project(connection), text, TIMES[number % len(TIMES)])
    for times in (TIMES[1:3], (None, None), (None, TIMES[1])):
        shared = project(connection)
        for time in times:
            key = script(connection, shared, exact.dumps({"chapters": manga.story(), "of": time}), time)
            connection.execute(
                "INSERT INTO manga_script_versions (script_id, version_number, script_data, created_by) "
                "VALUES (%s, 1, '[1.0]', %s)",
                [key, manga.USER],
            )


def project(connection: Connection) -> str:
    key = str(uuid4())
    connection.execute("INSERT INTO manga_projects (id, user_id, title) VALUES (%s, %s, 'Tales')", [key, manga.USER])
    return key


def script(connection: Connection, project_id: str, text: str, updated_at: str | None) -> str:
    key = str(uuid4())
    connection.execute(
        "INSERT INTO manga_scripts (id, project_id, user_id, title, script_data, created_at, updated_at) "
        "VALUES (%s, %s, %s, 'Tales', %s::jsonb, %s, %s)",
        [key, project_id, manga.USER, text, updated_at, updated_at],
    )
    return key


def copied(url: str) -> str:
    """An equal database beside it."""
    name = f"whole_{uuid4().hex}"
    with psycopg.connect(at(url, "postgres"), autocommit=True) as admin:
        database = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, database))))
    return at(url, name)


@pytest.mark.slow
def test_the_hardest_rows_go_there_and_back_to_the_byte(empty_url: str, tmp_path: Path) -> None:
    tables = ("manga_scripts", "manga_script_versions", "manga_projects")
    with rig.connected(empty_url) as user:
        manga.lay_out(user)
        fill(user)
        before = documents(user)
    hashes = ordered_hashes(empty_url, *tables)
    options = Options(watch_s=0, window_s=1, soak_s=0, on_rollback=Duplicates.RESTORE)
    use = Migrations(empty_url, MIGRATION, home=tmp_path)
    with use.begin(use.plan(options).hash, options) as work:
        result = use.run_to_end(work)
    assert (result.status, result.archived, result.quarantined) == (RunStatus.SOAKING, 3, 1)
    (aside,) = use.quarantine()
    assert "deep" in aside.reason
    assert ordered_hashes(empty_url, *tables) != hashes  # the duplicates are in the archive

    given_up = copied(empty_url)
    try:
        contracting = Migrations(given_up, MIGRATION, home=tmp_path)
        assert contracting.contract(contracting.contract_plan().hash).status == RunStatus.COMPLETED
        with rig.connected(given_up) as user:
            require_all_new(user, before, aside.key)
    finally:
        rig.drop_database(at(empty_url, "postgres"), given_up.rsplit("/", 1)[1].split("?")[0])

    assert use.roll_back().status == RunStatus.ROLLED_BACK
    assert ordered_hashes(empty_url, *tables) == hashes


def documents(user: Connection) -> dict[str, dict[str, Any]]:
    """Rows as the migration reads them, by key."""
    found = user.execute(
        "SELECT id::text, title, user_id::text, created_at::text, updated_at::text, script_data FROM manga_scripts"
    )
    names = ("id", "title", "user_id", "created_at", "updated_at", "script_data")
    return {row[0]: dict(zip(names, row, strict=True)) for row in found}


def require_all_new(user: Connection, before: dict[str, dict[str, Any]], left_old: str) -> None:
    """Every document satisfies the model and inverts to what it was; the one that could not is what it was."""
    after = documents(user)
    archived = {key for (key,) in user.execute(f"SELECT key FROM {SCHEMA}.archive").fetchall()}
    assert after.keys() == before.keys() - archived
    assert user.execute(
        "SELECT script_data::text = %s FROM manga_scripts WHERE id = %s",
        [hard_documents()["deep"].replace(" ", "").replace(":", ": "), left_old],
    ).fetchone() == (True,)
    for key in after.keys() - {left_old}:
        MIGRATION.model.model_validate({"script_data": after[key]["script_data"]})
        back = MIGRATION.inverse(after[key])["script_data"]
        assert exact.dumps(back) == exact.dumps(before[key]["script_data"])


class Verbatim(rig.Notes):
    """Notes whose column is of the type json, which keeps its text as it was written."""


@pytest.mark.parametrize("policy", Duplicates)
def test_texts_of_the_type_json_come_back_as_they_were_written(
    target_url: str, user: Connection, policy: Duplicates
) -> None:
    migration: DocumentMigration = Verbatim()
    user.execute("DROP TRIGGER keep_note_version ON notes")  # it compares, and json has no equality
    user.execute("ALTER TABLE notes ALTER body TYPE json")
    texts = [
        '{"lines": ["a\\u0000b"]}', '{ "lines" :\t["spaces" ] }', '{"lines": ["twice"], "lines": ["the same key"]}',
        '{"lines": [1.10, 1e2]}', '"\\u0000"', "null", '{"b": 1, "a": 2}', "[" * 2000 + "]" * 2000,
    ]  # fmt: skip
    keys = [uuid4() for _ in texts]
    for key, text in zip(keys, texts, strict=True):
        user.execute("INSERT INTO notes (id, owner, body) VALUES (%s, %s, %s::json)", [key, rig.SOMEBODY, text])
    for year in (2024, 2025):
        user.execute(
            "INSERT INTO notes (owner, title, body, updated_at) VALUES (%s, 'twice', %s::json, %s)",
            [rig.SOMEBODY, f'{{"lines" :  ["\\u0000", "{year}"]}}', f"{year}-01-01"],
        )
    before = ordered_hashes(target_url, "notes")
    with rig.held(target_url, migration, rig.QUICK.model_copy(update={"on_rollback": policy})) as work:
        life.carry_out(work)
        seen: dict[UUID, bool] = dict(user.execute("SELECT id, is_new FROM notes_v2_current").fetchall())
        assert [texts[number] for number, key in enumerate(keys) if not seen[key]] == [texts[2], texts[-1]]
        new = user.execute("SELECT body::text FROM notes_v2_current WHERE id = %s", [keys[0]]).fetchone()
        assert new is not None and "a\\u0000b" in new[0]
        roll_back(work)
    after = ordered_hashes(target_url, "notes")
    assert (after == before) is (policy == Duplicates.RESTORE)
    rows: dict[UUID, str] = dict(user.execute("SELECT id, body::text FROM notes").fetchall())
    assert [rows[key] for key in keys] == texts


class Timed(rig.Notes):
    """Its documents depend on a column that the table's own trigger writes with each update."""

    reads = ("title", "updated_at")

    def transform(self, row: Row) -> Row:
        new = super().transform(row)["body"]
        return {"body": new if rig.is_new(row["body"]) else {**new, "at": row["updated_at"]}}

    def inverse(self, row: Row) -> Row:
        body = dict(row["body"])
        if body.pop("at", row["updated_at"]) == row["updated_at"]:
            return super().inverse({**row, "body": body})
        return {"body": row["body"]}


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_rehearsal_takes_rows_of_equal_times_for_what_they_are(target_url: str, user: Connection, rows: int) -> None:
    """Its own write changes the time: what must come back is reckoned with the time as it is then."""
    for number in range(rows):
        rig.add(user, {"lines": [str(number)]})
    migration = Timed()
    with rig.held(target_url, migration) as work, contents.reading(target_url) as reader:
        life.carry_out(work)
        tables = [contents.describe(reader, "public", "notes")]
        rehearsal_check.remember(user, tables)
        written, refused = rehearsal_check.write(user, work.source, migration)
        assert written and not refused
        roll_back(work)
        assert not rehearsal_check.differences(
            user, work.source, migration, tables=tables, run_id=work.run.id, written=written
        )
