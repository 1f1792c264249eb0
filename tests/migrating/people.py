"""People at work on the notes while these are migrated, and what each of them must find there afterwards."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Final, NamedTuple
from uuid import UUID

import psycopg

from maquette.migrating import exact
from maquette.migrating.models import SCHEMA
from maquette.migrating.source import Connection
from maquette.migrating.work import Work
from tests.migrating import life, rig

KEYS: Final = tuple(UUID(int=(0x1111_1111 * (7 * n % 16) << 96) + 0x4000_8000_0000_0000_0000 + n) for n in range(8))
OWNERS: Final = (UUID(int=0xA), UUID(int=0xB))
TITLES: Final = (None, "one", "two")
TIMES: Final = (None, "2024-01-01 00:00:00+00", "2024-01-01 00:00:00+00", "2025-06-07 08:09:10.123456+00")

# What an application may meet and take for its own fault or the moment's: it knows that it wrote nothing.
_REFUSED: Final = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.UniqueViolation,
    psycopg.errors.SerializationFailure,
    psycopg.errors.UndefinedTable,
)


@dataclass(frozen=True)
class Deed:
    """What somebody does, after so many moments."""

    kind: str
    key: int = 0
    other: int = 0
    shape: int = 0
    after: int = 0


class Note(NamedTuple):
    """What readers must find, whichever shape it has."""

    text: str
    title: str | None


def text_of(body: object) -> str:
    """A note's text, whichever shape it has; of what is no note, its JSON."""
    said = life.said(body)
    return said if isinstance(said, str) else exact.dumps(said)


class People:
    """Two connections of the application, and the model of what was written last."""

    def __init__(self, user: Connection, late: Connection) -> None:
        self.user, self.late = user, late
        for connection in (user, late):
            connection.execute("SELECT set_config('app.user', %s, false)", [str(rig.SOMEBODY)])
            connection.execute("SET lock_timeout = '30ms'")
        self.notes: dict[str, Note] = {}
        # Rows whose document was last written in the old table: after the way back they are what they were, to the
        # byte.
        self.verbatim: dict[str, str] = {}
        self.archive_id = 0
        self.restored: set[int] = set()
        self.touched: set[str] = set()
        """Keys that somebody wrote since a way back began."""
        self.uncommitted: tuple[str, Note] | None = None
        self.may_wait = True
        self._words = count()

    def do(self, deed: Deed) -> None:
        """Do it, or be refused."""
        self.touched |= {*map(str, KEYS)} if deed.kind == "empty" else {self._key(deed), self._key(deed, deed.other)}
        with suppress(*_REFUSED), self.user.transaction():
            getattr(self, f"_{deed.kind}")(deed)

    def commit(self) -> None:
        """End the transaction that somebody left open."""
        if self.uncommitted is not None:
            self.late.commit()
            self.late.autocommit = True
            key, note = self.uncommitted
            self.notes[key] = note
            self.verbatim[key] = self._row(key)
            self.uncommitted = None

    def see(self) -> dict[str, Note] | None:
        """What readers find; ``None`` where they would have to wait."""
        there = self.user.execute("SELECT to_regclass('notes_v2_current') IS NOT NULL").fetchone()
        view = "notes_v2_current" if there == (True,) else "notes"
        try:
            rows = self.user.execute(f"SELECT id::text, body, title FROM {view}").fetchall()
        except psycopg.errors.LockNotAvailable:
            return None
        return {key: Note(text_of(body), title) for key, body, title in rows}

    def take_in_duplicates(self) -> int:
        """Rows that went to the archive since the last look are no longer read; how many. Each is there as it was."""
        found = self.user.execute(
            "SELECT id, key, reason, row -> 'body', row ->> 'title', survivor "
            f"FROM {SCHEMA}.archive WHERE id > %s ORDER BY id",
            [self.archive_id],
        ).fetchall()
        duplicates = [each for each in found if each[2] == "duplicate"]
        kept = {(key, text_of(body)) for _, key, _, body, *_ in found}
        gone = {key for _, key, *_ in duplicates}
        for _, key, _, _, title, survivor in duplicates:
            note = self.notes.pop(key)
            self.verbatim.pop(key, None)
            assert (key, note.text) in kept and title == note.title
            assert survivor in self.notes or survivor in gone
        self.archive_id = max([self.archive_id, *(each[0] for each in found)])
        return len(duplicates)

    def take_in_restored(self) -> int:
        """Duplicates that came back since the last look are read again; how many."""
        found = self.user.execute(
            "SELECT id, key, row -> 'body', row ->> 'title' "
            f"FROM {SCHEMA}.archive WHERE restored_at IS NOT NULL AND id <> ALL (%s) ORDER BY id",
            [[*self.restored]],
        ).fetchall()
        for number, key, body, title in found:
            assert key not in self.notes
            self.notes[key] = Note(text_of(body), title)
            self.restored.add(number)
        return len(found)

    def not_restored(self, work: Work) -> set[str]:
        """Duplicates that a way back left in the archive although nobody wrote in their place."""
        found = self.user.execute(
            f"SELECT key FROM {SCHEMA}.archive WHERE run_id = %s AND reason = 'duplicate' AND restored_at IS NULL",
            [work.run.id],
        ).fetchall()
        return {key for (key,) in found} - self.notes.keys() - self.touched

    def take_in_unmade(self, work: Work) -> None:
        """What was written in the new shape and has no old one is in the archive whole; the row is as it was before."""
        found = self.user.execute(
            f"SELECT key, row -> 'body' FROM {SCHEMA}.archive WHERE run_id = %s AND reason = 'not_invertible'",
            [work.run.id],
        ).fetchall()
        kept = {(key, text_of(body)) for key, body in found}
        for key, body in rig.old(self.user).items():
            if key in self.notes and (key, self.notes[key].text) in kept:
                self.notes[key] = self.notes[key]._replace(text=text_of(body))

    def _word(self) -> str:
        return f"word {next(self._words)}"

    def _old_body(self, deed: Deed) -> object:
        word = self._word()
        return (
            {"lines": [word, "and more"]},
            {"lines": [word]},
            [word, 1, None],
            next(self._words),
            {"kind": "note", "text": word},
            {"kind": "note", "text": word, "legacy": {"lines": ["another"]}},  # quarantined: its inverse differs
            {"bad": word},
        )[deed.shape % 7]

    def _new_body(self, key: str, deed: Deed) -> object:
        word = self._word()
        if deed.shape % 7 == 6:
            return {"kind": 7, "word": word}  # breaks the model
        found = self.user.execute("SELECT body FROM notes_v2_current WHERE id = %s", [key]).fetchone()
        body = found[0] if found and rig.is_new(found[0]) else {"kind": "note"}
        return {**body, "text": word}

    def _row(self, key: str) -> str:
        found = self.user.execute("SELECT t::text FROM notes t WHERE id = %s", [key]).fetchone()
        assert found is not None
        return str(found[0])

    def _key(self, deed: Deed, number: int | None = None) -> str:
        return str(KEYS[(deed.key if number is None else number) % len(KEYS)])

    def _write(self, key: str, written: int, change: Callable[[Note], Note], *, old: bool | None) -> None:
        """Take a write of a row that is there into the model. ``old``: was its document written in the old table?"""
        assert written == (key in self.notes), "a write reaches the row that people see, or none"
        if not written:
            return
        was_verbatim = key in self.verbatim
        self.verbatim.pop(key, None)
        if old or (old is None and was_verbatim):
            self.verbatim[key] = self._row(key)
        self.notes[key] = change(self.notes[key])

    def _add(self, deed: Deed) -> None:
        key, body, title = self._key(deed), self._old_body(deed), TITLES[deed.other % 3]
        rig.add(self.user, body, owner=OWNERS[deed.shape % 2], title=title, updated_at=TIMES[deed.other % 4],
                tags=[self._word()], key=UUID(key))  # fmt: skip
        self.verbatim[key] = self._row(key)
        self.notes[key] = Note(text_of(body), title)

    def _add_new(self, deed: Deed) -> None:
        key, title = self._key(deed), TITLES[deed.other % 3]
        body = self._new_body(key, deed)
        self.user.execute(
            "INSERT INTO notes_v2_current (id, owner, body, title) VALUES (%s, %s, %s::jsonb, %s)",
            [key, OWNERS[deed.shape % 2], exact.dumps(body), title],
        )
        self.verbatim.pop(key, None)
        self.notes[key] = Note(text_of(body), title)

    def _edit(self, deed: Deed) -> None:
        key, body = self._key(deed), self._old_body(deed)
        written = self.user.execute("UPDATE notes SET body = %s::jsonb WHERE id = %s", [exact.dumps(body), key])
        self._write(key, written.rowcount, lambda note: note._replace(text=text_of(body)), old=True)

    def _edit_new(self, deed: Deed) -> None:
        key = self._key(deed)
        body = self._new_body(key, deed)
        written = self.user.execute(
            "UPDATE notes_v2_current SET body = %s::jsonb WHERE id = %s", [exact.dumps(body), key]
        )
        self._write(key, written.rowcount, lambda note: note._replace(text=text_of(body)), old=False)

    def _edit_beside(self, deed: Deed) -> None:
        """Straight into the new table, where the row is there already."""
        key = self._key(deed)
        if self.uncommitted and self.uncommitted[0] == key:
            return
        body = self._new_body(key, deed)
        written = self.user.execute("UPDATE notes_v2_new SET body = %s::jsonb WHERE id = %s", [exact.dumps(body), key])
        if written.rowcount:
            self._write(key, 1, lambda note: note._replace(text=text_of(body)), old=False)

    def _rename(self, deed: Deed) -> None:
        self._retitle("notes", deed)

    def _rename_new(self, deed: Deed) -> None:
        self._retitle("notes_v2_current", deed)

    def _retitle(self, relation: str, deed: Deed) -> None:
        key, title = self._key(deed), TITLES[deed.other % 3]
        written = self.user.execute(f"UPDATE {relation} SET title = %s WHERE id = %s".encode(), [title, key])
        self._write(key, written.rowcount, lambda note: note._replace(title=title), old=None)

    def _delete(self, deed: Deed) -> None:
        self._remove("notes", deed)

    def _delete_new(self, deed: Deed) -> None:
        self._remove("notes_v2_current", deed)

    def _remove(self, relation: str, deed: Deed) -> None:
        key = self._key(deed)
        gone = self.user.execute(f"DELETE FROM {relation} WHERE id = %s".encode(), [key]).rowcount
        assert gone == (key in self.notes)
        self.notes.pop(key, None)
        self.verbatim.pop(key, None)

    def _rekey(self, deed: Deed) -> None:
        key, other = self._key(deed), self._key(deed, deed.other)
        if key == other:
            return
        written = self.user.execute("UPDATE notes SET id = %s WHERE id = %s", [other, key]).rowcount
        assert written == (key in self.notes)
        if not written:
            return
        was_verbatim = self.verbatim.pop(key, None)
        if was_verbatim is not None:
            self.verbatim[other] = self._row(other)
        self.notes[other] = self.notes.pop(key)

    def _empty(self, deed: Deed) -> None:
        self.user.execute("TRUNCATE notes, note_tags, note_versions")
        self.notes.clear()
        self.verbatim.clear()

    def _leave_open(self, deed: Deed) -> None:
        """A write whose transaction stays open for a while: its note is older than its commit."""
        key, body = self._key(deed), self._old_body(deed)
        if self.uncommitted or not self.may_wait:
            return
        self.late.autocommit = False
        try:
            if key in self.notes:
                self._require_followed(key)
                note = self.notes[key]._replace(text=text_of(body))
                self.late.execute("UPDATE notes SET body = %s::jsonb WHERE id = %s", [exact.dumps(body), key])
            else:
                note = Note(text_of(body), None)
                rig.add(self.late, body, key=UUID(key))
        except psycopg.errors.LockNotAvailable:
            self.late.rollback()
            self.late.autocommit = True
            raise
        self.uncommitted = key, note

    def _require_followed(self, key: str) -> None:
        """A write in the new shape that waits to be followed would have to wait for this one."""
        found = self.user.execute(
            f"SELECT 1 FROM {SCHEMA}.changes WHERE key = %s AND side = 'new'", [key]
        ).fetchone() if self._has_books() else None  # fmt: skip
        if found is not None:
            raise psycopg.errors.LockNotAvailable

    def _has_books(self) -> bool:
        return self.user.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{SCHEMA}.changes"]).fetchone() == (True,)

    def _end_open(self, deed: Deed) -> None:
        self.commit()
