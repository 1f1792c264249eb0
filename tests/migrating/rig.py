"""A small table to migrate: notes with tags, versions and triggers that fight back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from uuid import UUID, uuid4

import psycopg
import sqlalchemy as sa
from psycopg import sql
from pydantic import BaseModel, ConfigDict, JsonValue

from maquette.migrating import exact
from maquette.migrating.definition import DocumentMigration, Invariant, Row, UniqueRule
from maquette.migrating.models import Options
from maquette.migrating.source import Connection, connect
from maquette.migrating.work import Work, begin, resume

# Versions as in the contract's trap (a): written by whoever the setting names, and nobody is refused.
_DDL = """
CREATE TABLE notes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    owner uuid NOT NULL,
    body jsonb NOT NULL,
    title text,
    updated_at timestamptz DEFAULT clock_timestamp()
);
CREATE TABLE note_tags (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    note_id uuid NOT NULL REFERENCES notes ON DELETE CASCADE,
    tag text NOT NULL,
    UNIQUE (note_id, tag)
);
CREATE TABLE note_versions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    note_id uuid NOT NULL REFERENCES notes ON DELETE CASCADE,
    body jsonb NOT NULL,
    created_by uuid NOT NULL
);
CREATE FUNCTION keep_note_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.body IS DISTINCT FROM NEW.body THEN
        INSERT INTO note_versions (note_id, body, created_by)
        VALUES (OLD.id, OLD.body, nullif(current_setting('app.user', true), '')::uuid);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_note_version BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION keep_note_version();
CREATE FUNCTION touch_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER touch_note BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch_note();
"""

SOMEBODY = UUID("00000000-0000-4000-8000-000000000001")
"""The user whom the tests' own edits are made by."""

QUICK = Options(watch_s=0, window_s=1, soak_s=0, rehearse=False)
"""Nothing that waits for people."""


class NoteColumns(BaseModel):
    """The new shape: an object with a text."""

    class Body(BaseModel):
        model_config = ConfigDict(extra="allow")
        kind: str
        text: str

    body: Body


class Notes(DocumentMigration):
    """``{"lines": ["a", "b"]}`` becomes ``{"kind": "note", "text": "a\\nb", "legacy": <what was there>}``.

    Anything else becomes its own JSON as text. ``{"bad": …}`` raises. What looks like this migration's result
    without being one cannot be told from it, so its inverse differs.
    """

    name: ClassVar[str] = "notes_v2"
    table: ClassVar[str] = "notes"
    columns: ClassVar[tuple[str, ...]] = ("body",)
    reads: ClassVar[tuple[str, ...]] = ("title",)
    model: ClassVar[type[BaseModel]] = NoteColumns
    unique: ClassVar[UniqueRule | None] = UniqueRule(columns=("owner", "title"), constraint="one_note_by_title")
    invariants: ClassVar[tuple[Invariant, ...]] = (
        Invariant("every note has a body", "SELECT count(*) FROM {current} WHERE body IS NULL"),
    )
    acting_as: ClassVar[Mapping[str, str]] = {"app.user": "owner"}

    def transform(self, row: Row) -> Row:
        body = row["body"]
        if is_new(body):
            return {"body": body}
        if isinstance(body, dict) and "bad" in body:
            raise ValueError("a bad note")
        return {"body": {"kind": "note", "text": _text(body), "legacy": body}}

    def inverse(self, row: Row) -> Row:
        body = row["body"]
        if "legacy" not in body:
            return {"body": body}
        if body["text"] == _text(body["legacy"]):
            return {"body": body["legacy"]}
        return {"body": {"lines": body["text"].split("\n")}}

    def lacks(self, survivor: Row, loser: Row) -> Sequence[str]:
        kept = set(_text(survivor["body"]).split("\n"))
        return [line for line in _text(loser["body"]).split("\n") if line not in kept]

    def oddities(self, row: Row) -> Sequence[str]:
        body = row["body"]
        if not isinstance(body, dict):
            return [f"not an object: {type(body).__name__}"]
        return [f"unknown key: {key}" for key in body if key not in ("lines", "kind", "text", "legacy")]


def is_new(body: JsonValue) -> bool:
    return isinstance(body, dict) and body.get("kind") == "note" and isinstance(body.get("text"), str)


def _text(body: Any) -> str:
    if is_new(body):
        return str(body["text"])
    lines = body.get("lines") if isinstance(body, dict) else None
    if isinstance(lines, list) and all(isinstance(line, str) for line in lines):
        return "\n".join(lines)
    return exact.dumps(body)


def lay_out(connection: Connection) -> None:
    """Make the tables."""
    connection.execute(_DDL.encode())


def add(
    connection: Connection,
    body: object = None,
    *,
    owner: UUID | None = None,
    title: str | None = None,
    updated_at: object = "2025-01-21 14:32:15+00",
    tags: Sequence[str] = (),
    key: UUID | None = None,
) -> UUID:
    """Put one note in, of the old shape unless ``body`` (a value, or JSON's text as ``str``) says otherwise."""
    note = key or uuid4()
    text = body if isinstance(body, str) else exact.dumps({"lines": [str(note)]} if body is None else body)
    connection.execute(
        "INSERT INTO notes (id, owner, body, title, updated_at) VALUES (%s, %s, %s::jsonb, %s, %s)",
        [note, owner or uuid4(), text, title, updated_at],
    )
    for tag in tags:
        connection.execute("INSERT INTO note_tags (note_id, tag) VALUES (%s, %s)", [note, tag])
    return note


def fill(connection: Connection, rows: int, *, size: int = 3) -> None:
    """Put ``rows`` notes of ``size`` lines in."""
    connection.execute(
        "INSERT INTO notes (owner, body, title) SELECT gen_random_uuid(), "
        "jsonb_build_object('lines', (SELECT jsonb_agg(format('line %%s of %%s', l, n)) "
        "FROM generate_series(1, %s) l)), format('note %%s', n) FROM generate_series(1, %s) n",
        [size, rows],
    )


def edit(connection: Connection, note: UUID, body: object, *, by: UUID = SOMEBODY) -> None:
    """Write the old shape as the application does."""
    with connection.transaction():
        connection.execute("SELECT set_config('app.user', %s, true)", [str(by)])
        connection.execute("UPDATE notes SET body = %s::jsonb WHERE id = %s", [exact.dumps(body), note])


def edit_new(connection: Connection, note: UUID, text: str, *, by: UUID = SOMEBODY) -> None:
    """Write the new shape through the view, as the application does after it learned it."""
    found = connection.execute("SELECT body FROM notes_v2_current WHERE id = %s", [note]).fetchone()
    assert found is not None
    body = {**found[0], "text": text} if is_new(found[0]) else {"kind": "note", "text": text}
    with connection.transaction():
        connection.execute("SELECT set_config('app.user', %s, true)", [str(by)])
        connection.execute("UPDATE notes_v2_current SET body = %s::jsonb WHERE id = %s", [exact.dumps(body), note])


def old(connection: Connection) -> dict[str, Any]:
    """Bodies of the old table by key."""
    return dict(connection.execute("SELECT id::text, body FROM notes").fetchall())


def new(connection: Connection) -> dict[str, Any]:
    """Bodies of the table beside it by key."""
    return dict(connection.execute("SELECT id::text, body FROM notes_v2_new").fetchall())


def current(connection: Connection) -> dict[str, Any]:
    """Bodies that readers of the view see, by key."""
    return dict(connection.execute("SELECT id::text, body FROM notes_v2_current").fetchall())


def contents(connection: Connection, table: str = "notes") -> list[str]:
    """Every row of ``table`` as text, ordered: what must be equal after a way there and back."""
    rows = connection.execute(sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(table))).fetchall()
    return [text for (text,) in rows]


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection of the test's own, autocommit."""
    connection = connect(url, name="a test")
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def held(url: str, migration: DocumentMigration | None = None, options: Options = QUICK) -> Iterator[Work]:
    """A new run, held; its folder is gone afterwards. A test that resumes passes its own folder to ``begin``."""
    with (
        TemporaryDirectory(prefix="maquette-run-") as folder,
        begin(url, migration or Notes(), plan_hash="approved", options=options, folder=Path(folder)) as work,
    ):
        yield work


@contextmanager
def resumed(url: str, migration: DocumentMigration | None = None) -> Iterator[Work]:
    """The open run, taken over."""
    with resume(url, migration or Notes()) as work:
        yield work


def waits_for_lock(connection: Connection, name: str) -> bool:
    """Does a connection of that application name wait for a lock?"""
    return connection.execute(
        "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock')",
        [name],
    ).fetchone() == (True,)


def fresh_database(admin_url: str, name: str) -> None:
    """Make an empty database, without anything of the suite's template."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))


FILE = """
from tests.migrating.rig import Notes as Shared


class Notes(Shared):
    name = "notes_v2"
"""
"""A file of a folder of migrations: the notes of here."""


@contextmanager
def twelve_notes(server_url: str) -> Iterator[str]:
    """URL of a database of its own on that server, with twelve notes, two of them duplicates."""
    name = f"target_{uuid4().hex}"
    admin = sa.make_url(server_url).set(database="postgres").render_as_string(hide_password=False)
    fresh_database(admin, name)
    url = sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)
    with connected(url) as connection:
        lay_out(connection)
        fill(connection, 11)
        connection.execute("INSERT INTO notes (owner, body, title) SELECT owner, body, title FROM notes LIMIT 1")
    yield url
    drop_database(admin, name)


def drop_database(admin_url: str, name: str) -> None:
    """Drop it, whoever is connected."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
