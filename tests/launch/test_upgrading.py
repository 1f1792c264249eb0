"""Production's database is upgraded whole, or is as it was: whatever a revision does half-way."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from maquette.db.embedded import ensure_database
from maquette.errors import ConfigurationError, Conflict, StackError
from maquette.launch import schema, upgrade_checks, upgrading
from maquette.migrating import dumping, scratch
from maquette.migrating.source import connect
from tests.migrating.rig import drop_database

ROOT = Path(__file__).parents[2]
LAST = ScriptDirectory(str(ROOT / "migrations")).get_current_head()

REVISION = """
revision = "9999"
down_revision = "{last}"
branch_labels = depends_on = None
{rewrites}

from alembic import op


def upgrade():
{body}
"""


def made(postgres: str, *, template: str | None) -> Iterator[str]:
    admin = sa.make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    name = f"upgraded_{uuid4().hex[:12]}"
    url = ensure_database(admin, name, template=template)
    if template is None:
        schema.upgrade(url, code=ROOT, revision="0001")
    with closing(connect(url)) as connection:
        connection.execute(
            "CREATE TABLE of_somebody (id int PRIMARY KEY, t text); "
            "INSERT INTO of_somebody SELECT n, 'row ' || n FROM generate_series(1, 30) n"
        )
    yield url
    with closing(connect(admin)) as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [name]).fetchall()
    for (each,) in names:
        drop_database(admin, each)


@pytest.fixture
def url(postgres: str) -> Iterator[str]:
    """A database of revision 0001 with one order, and a table of somebody else."""
    for url in made(postgres, template=None):
        with closing(connect(url)) as connection:
            connection.execute(
                "INSERT INTO orders (id, kind, brief, status) VALUES (gen_random_uuid(), 'video', "
                "'{\"theme\": \"x\"}', 'completed')"
            )
        yield url


@pytest.fixture
def current(postgres: str) -> Iterator[str]:
    """A database of the newest revision, and a table of somebody else."""
    yield from made(postgres, template="template")


def code_with(folder: Path, body: str, *, rewrites: str = "") -> Path:
    """A checkout with one revision more."""
    code = folder / "code"
    shutil.copytree(ROOT / "migrations", code / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "alembic.ini", code / "alembic.ini")
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    text = REVISION.format(last=LAST, body=lines, rewrites=rewrites)
    (code / "migrations" / "versions" / "9999_half_way.py").write_text(f'"""Half the way."""\n{text}')
    return code


def there(url: str) -> dict[str, object]:
    """Tables with their rows, all of them."""
    with closing(connect(url)) as connection:
        tables = connection.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
        ).fetchall()
        return {
            table: connection.execute(f'SELECT t::text FROM "{table}" t ORDER BY 1'.encode()).fetchall()
            for (table,) in tables
        }


def databases(url: str) -> list[str]:
    with closing(connect(url)) as connection:
        name = connection.info.dbname
        return [
            each
            for (each,) in connection.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s) AND datname <> %s ORDER BY 1",
                [name, name],
            )
        ]


def scratches(url: str) -> list[str]:
    with closing(connect(url)) as connection:
        return [
            each
            for (each,) in connection.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [scratch.PREFIX]
            )
        ]


def test_an_upgrade_is_backed_up_and_checked(url: str, tmp_path: Path) -> None:
    steps: list[str] = []
    done = upgrading.upgrade(url, code=ROOT, folder=tmp_path, on_step=steps.append)
    assert steps == ["backup", "restore and compare", f"upgrade to {LAST}", "check"]
    assert (done.from_revision, done.to_revision) == ("0001", LAST)
    rows = {each.table: (each.before, each.after) for each in done.tables}
    assert rows["public.orders"] == (1, 1)
    assert rows["public.of_somebody"] == (30, 30)
    assert rows["public.brands"] == (None, 1)
    assert "public.alembic_version" not in rows
    assert done.backup is not None
    manifest = dumping.check_files(done.backup)
    assert sorted(path.name for path in done.backup.iterdir()) == ["SHA256SUMS", "database.dump", "manifest.json"]
    assert {table.name: table.rows for table in manifest.tables}["of_somebody"] == 30
    assert not scratches(url)
    again = upgrading.upgrade(url, code=ROOT, folder=tmp_path)
    assert again.revisions == []
    assert again.backup is None


def test_a_dry_run_shows_the_sql_and_changes_nothing(url: str, tmp_path: Path) -> None:
    before = there(url)
    done = upgrading.upgrade(url, code=ROOT, folder=tmp_path, dry_run=True)
    assert done.sql is not None
    assert done.sql.startswith("BEGIN;")
    assert done.sql.rstrip().endswith("COMMIT;")
    assert "CREATE TABLE brands" in done.sql
    assert f"UPDATE alembic_version SET version_num='{LAST}'" in done.sql
    assert "CREATE TABLE alembic_version" not in done.sql
    assert there(url) == before
    assert not list(tmp_path.iterdir())


def test_the_sql_of_a_dry_run_is_what_would_be_done(url: str, tmp_path: Path) -> None:
    text = upgrading.upgrade(url, code=ROOT, folder=tmp_path, dry_run=True).sql
    assert text is not None
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(text.encode())
    assert upgrading.status(url, code=ROOT).pending == []


def test_status_tells_revisions_and_sessions(url: str) -> None:
    with closing(connect(url, name="a worker")):
        found = upgrading.status(url, code=ROOT)
        assert (found.revision, found.head) == ("0001", LAST)
        assert found.pending[0].id == "0002"
        assert "a worker" in [each.application for each in found.sessions]


def test_a_revision_that_fails_leaves_the_database_as_it_was(current: str, tmp_path: Path) -> None:
    code = code_with(tmp_path, 'op.execute("DELETE FROM of_somebody")\nop.execute("SELECT 1 / 0")')
    before = there(current)
    with pytest.raises(StackError, match=r"division by zero; the database is as it was, the backup is ") as caught:
        upgrading.upgrade(current, code=code, folder=tmp_path / "backups")
    assert caught.value.code == "upgrade_failed"
    assert there(current) == before
    assert not scratches(current)
    assert not databases(current)


HALF_WAY = """
with op.get_context().autocommit_block():
    op.execute("DELETE FROM of_somebody WHERE id > 10")
    op.execute("CREATE TABLE half (id int)")
op.execute("SELECT 1 / 0")
"""


def test_what_failed_half_way_outside_a_transaction_is_put_back(current: str, tmp_path: Path) -> None:
    code = code_with(tmp_path, HALF_WAY)
    before = there(current)
    with pytest.raises(StackError, match="took the place of the database, which is kept as ") as caught:
        upgrading.upgrade(current, code=code, folder=tmp_path / "backups")
    assert "division by zero" in str(caught.value)
    assert there(current) == before
    upgrade_checks.require_no_drift(schema.config_of(current, code=ROOT))
    assert not scratches(current)
    # What failed is kept for a look.
    (aside,) = databases(current)
    assert aside in str(caught.value)
    assert "half" in there(scratch.at(current, aside))
    # And the next upgrade, of code that was put right, goes through.
    (code / "migrations" / "versions" / "9999_half_way.py").unlink()
    assert upgrading.upgrade(current, code=code, folder=tmp_path / "backups").revisions == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('op.execute("DELETE FROM of_somebody WHERE id = 3")', r"rows of public\.of_somebody were lost or changed"),
        ('op.execute("ALTER TABLE assets ADD COLUMN stray text")', "the schema is not that of the code"),
    ],
    ids=["lost", "drift"],
)
def test_an_upgrade_that_went_through_and_did_harm_is_taken_back(
    current: str, tmp_path: Path, body: str, said: str
) -> None:
    before = there(current)
    with pytest.raises(StackError, match=said):
        upgrading.upgrade(current, code=code_with(tmp_path, body), folder=tmp_path / "backups")
    assert there(current) == before


def test_a_revision_may_say_what_it_rewrites_and_may_add(current: str, tmp_path: Path) -> None:
    body = """
op.execute("UPDATE of_somebody SET t = upper(t)")
op.execute("INSERT INTO of_somebody VALUES (0, 'more'), (31, 'more')")
"""
    code = code_with(tmp_path, body, rewrites='rewrites = ("of_somebody.t",)')
    done = upgrading.upgrade(current, code=code, folder=tmp_path / "backups")
    assert {each.table: (each.before, each.after) for each in done.tables}["public.of_somebody"] == (30, 32)


def test_others_must_be_away_or_are_sent_away(url: str, tmp_path: Path) -> None:
    with closing(connect(url, name="a worker")) as other:
        with pytest.raises(Conflict, match=r"1 other session of .*a worker \(pid \d+\)") as caught:
            upgrading.upgrade(url, code=ROOT, folder=tmp_path)
        assert caught.value.code == "busy"
        assert upgrading.status(url, code=ROOT).revision == "0001"
        assert upgrading.upgrade(url, code=ROOT, folder=tmp_path, disconnect=True).backup is not None
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT 1")


def test_what_cannot_be_put_back_says_how_and_keeps_the_restored_one(
    current: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = code_with(tmp_path, HALF_WAY)
    before = there(current)
    real, others = schema.upgrade, []

    def joined(url: str, *, code: Path, revision: str = "head") -> None:
        others.append(connect(url, name="came back"))
        real(url, code=code, revision=revision)

    monkeypatch.setattr(schema, "upgrade", joined)
    with pytest.raises(StackError, match=r"could not be put back \(1 other session of.*came back") as caught:
        upgrading.upgrade(current, code=code, folder=tmp_path / "backups")
    for other in others:
        other.close()
    # Under a name that no clearing away of scratch databases finds.
    assert not scratches(current)
    (waiting,) = databases(current)
    statements = str(caught.value).split("then run ")[1].split(". The")[0].split("; ")
    assert there(scratch.at(current, waiting)) == before
    # The statements that it told do it.
    with closing(connect(scratch.at(current, "postgres"))) as server:
        for statement in statements:
            server.execute(statement.encode())
    assert there(current) == before


def test_two_upgrades_do_not_overlap(url: str, tmp_path: Path) -> None:
    name = sa.make_url(url).database or ""
    with upgrading._turn(url, name), pytest.raises(Conflict, match="under way"):
        upgrading.upgrade(url, code=ROOT, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_database_of_newer_code_is_refused(url: str, tmp_path: Path) -> None:
    with closing(connect(url)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '7777'")
    with pytest.raises(ConfigurationError, match="7777, which this code does not know"):
        upgrading.upgrade(url, code=ROOT, folder=tmp_path)


def test_an_empty_database_is_brought_up_too(url: str, tmp_path: Path) -> None:
    with closing(connect(url)) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    done = upgrading.upgrade(url, code=ROOT, folder=tmp_path)
    assert done.from_revision is None
    assert upgrading.status(url, code=ROOT).revision == LAST
