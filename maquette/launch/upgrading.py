"""The upgrade of a database in production: backed up, upgraded, checked; put back where that fails."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from psycopg import sql
from pydantic import BaseModel

from maquette.db.engine import sqlalchemy_url
from maquette.errors import ConfigurationError, Conflict, MaquetteError
from maquette.launch import schema
from maquette.launch.upgrade_checks import Rows, check, failed, form_of, is_as_it_was, pending, tables
from maquette.migrating import contents, dumping, scratch
from maquette.migrating.source import Connection, connect

# A session that was closed is gone a moment later.
_LEAVING_S: Final = 2.0
_LOOK_S: Final = 0.05
_TURN: Final = "SELECT pg_try_advisory_lock(hashtextextended('maquette db upgrade:' || %s, 0))"


class Revision(BaseModel):
    """One step of the schema."""

    id: str
    title: str


class Session(BaseModel):
    """A connection of somebody else."""

    pid: int
    application: str
    user: str | None
    state: str | None


class Status(BaseModel):
    """Where a database's schema stands."""

    database: str
    server: str
    revision: str | None
    head: str
    pending: list[Revision]
    sessions: list[Session]


class Upgrade(BaseModel):
    """What an upgrade did; with ``dry_run`` what it would do, as SQL."""

    database: str
    dry_run: bool
    from_revision: str | None
    to_revision: str
    revisions: list[Revision]
    sql: str | None = None
    backup: Path | None = None
    tables: list[Rows] = []
    warnings: list[str] = []
    seconds: float = 0.0


def status(url: str, *, code: Path) -> Status:
    """The revision of the database and of the code, and who is connected. Raises ``ConfigurationError``."""
    plain = _plain(url)
    with closing(connect(plain)) as connection:
        revision, scripts = pending(plain, code)
        head = ScriptDirectory.from_config(schema.config_of(plain, code=code)).get_current_head()
        return Status(
            database=connection.info.dbname,
            server=connection.info.parameter_status("server_version") or "",
            revision=revision,
            head=head or "",
            pending=[_told(script) for script in scripts],
            sessions=_sessions(connection, connection.info.dbname),
        )


def upgrade(
    url: str,
    *,
    code: Path,
    folder: Path,
    dry_run: bool = False,
    disconnect: bool = False,
    on_step: Callable[[str], None] = lambda step: None,
) -> Upgrade:
    """Bring the database of ``url`` to the head of ``code``; the backup goes below ``folder``.

    The backup is restored and compared before anything is changed. Where the upgrade or the check of its outcome
    fails, the database is as it was, or the restored one takes its name; the failed one is kept beside it. Others must
    not be connected; ``disconnect`` ends their sessions. Raises ``Conflict`` (``busy``), ``StackError``
    (``upgrade_failed``), ``StorageError``, ``ConfigurationError``.
    """
    started = time.perf_counter()
    url = _plain(url)
    before = status(url, code=code)
    done = Upgrade(
        database=before.database,
        dry_run=dry_run,
        from_revision=before.revision,
        to_revision=before.head,
        revisions=before.pending,
    )
    if not before.pending:
        return done
    if dry_run:
        return done.model_copy(update={"sql": _sql(url, code, before.revision)})
    with contents.database_errors("the upgrade"), _turn(url, before.database) as server:
        # Another upgrade may have ended since we looked.
        if not pending(url, code)[1]:
            return done.model_copy(update={"revisions": [], "from_revision": before.head})
        _alone(server, before.database, disconnect=disconnect)
        on_step("backup")
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        done.backup = folder.expanduser().absolute() / f"{before.database}-{before.revision or 'empty'}-{stamp}"
        run_id = uuid4()
        manifest = dumping.take(
            url, done.backup, subject=f"schema {before.head}", run_id=run_id, choose=tables, keep_rows=False
        )
        scratch.drop_leftovers(url)
        on_step("restore and compare")
        name = scratch.name_of(run_id, "before")
        with scratch.scratch_database(url, name) as made:
            done.warnings = dumping.restore(done.backup, manifest, made.url, with_owners=True)
            dumping.compare(made.url, manifest, done.warnings)
            form = form_of(url)
            try:
                on_step(f"upgrade to {before.head}")
                schema.upgrade(url, code=code)
                on_step("check")
                done.tables = check(url, made.url, manifest, code)
                done.seconds = time.perf_counter() - started
                return done
            except Exception as error:
                # Whatever a revision raises: what matters now is what it left.
                reason = str(error) if isinstance(error, MaquetteError) else _short(error)
                failure = error
                if is_as_it_was(url, manifest, form):
                    raise failed(f"{reason}; the database is as it was, the backup is {done.backup}") from error
                made.kept = True
        on_step("put back")
        aside = _put_back(
            server, before.database, name, stamp, backup=done.backup, reason=reason, disconnect=disconnect
        )
        raise failed(
            f"{reason}; the restored backup took the place of the database, which is kept as {aside}. "
            f"The backup is {done.backup}"
        ) from failure


def _plain(url: str) -> str:
    return sqlalchemy_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _told(script: Script) -> Revision:
    return Revision(id=script.revision, title=script.doc.partition(". ")[0].rstrip("."))


def _sql(url: str, code: Path, revision: str | None) -> str:
    """The statements of the pending steps. Raises ``ConfigurationError`` where one of them has to look at rows."""
    config = schema.config_of(url, code=code)
    directory = ScriptDirectory.from_config(config)
    written = io.StringIO()
    with EnvironmentContext(
        config, directory, as_sql=True, starting_rev=revision, destination_rev="heads", output_buffer=written,
        fn=lambda at, _: directory._upgrade_revs("heads", at),
    ) as environment:  # fmt: skip
        # Named parameters: with those of psycopg each per cent sign would be doubled.
        environment.configure(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True)
        try:
            with environment.begin_transaction():
                environment.run_migrations()
        except AttributeError as error:
            raise ConfigurationError(
                "a pending revision looks at rows and cannot be written as SQL: try it on a restored backup instead"
            ) from error
    return written.getvalue().strip() + "\n"


@contextmanager
def _turn(url: str, database: str) -> Iterator[Connection]:
    """The one upgrade of ``database`` at a time, on a connection to another database: this one may be renamed."""
    with closing(connect(scratch.at(url, "postgres" if database != "postgres" else "template1"))) as server:
        if server.execute(_TURN, [database]).fetchone() != (True,):
            raise Conflict(f"another upgrade of {database} is under way: wait for it", code="busy")
        yield server


def _sessions(server: Connection, database: str) -> list[Session]:
    rows = server.execute(
        "SELECT pid, coalesce(nullif(application_name, ''), 'unnamed'), usename, state FROM pg_stat_activity "
        "WHERE datname = %s AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY pid",
        [database],
    ).fetchall()
    return [Session(pid=pid, application=name, user=user, state=state) for pid, name, user, state in rows]


def _alone(server: Connection, database: str, *, disconnect: bool) -> None:
    """Raises ``Conflict`` (``busy``) while others are connected, unless they may be disconnected."""
    deadline = time.monotonic() + _LEAVING_S
    if disconnect:
        pids = [each.pid for each in _sessions(server, database)]
        server.execute("SELECT pg_terminate_backend(pid, 10000) FROM unnest(%s::int[]) pid", [pids])
    while (others := _sessions(server, database)) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    if others:
        who = ", ".join(f"{each.application} (pid {each.pid})" for each in others[:5])
        raise Conflict(
            f"{len(others)} other session{'s' * (len(others) != 1)} of {database} stood in the way: {who}. Stop the "
            "application first, or end them with --disconnect",
            code="busy",
        )


def _put_back(
    server: Connection, database: str, restored: str, stamp: str, *, backup: Path, reason: str, disconnect: bool
) -> str:
    """Give the restored database the name of the failed one, which is kept; its new name."""
    aside, waiting = (f"{database[:30]}_{what}_{stamp.lower()}" for what in ("failed", "restored"))
    renames = [_rename(database, aside), _rename(waiting, database)]
    try:
        server.execute(_rename(restored, waiting))  # no scratch any more: it is all there is, until people have looked
        _alone(server, database, disconnect=disconnect)
        with server.transaction():
            for rename in renames:
                server.execute(rename)
    except (MaquetteError, psycopg.Error) as error:
        said = str(error) if isinstance(error, MaquetteError) else error.diag.message_primary
        raise failed(
            f"{reason}; the database {database} is not as it was and could not be put back ({said}). The restored "
            f"backup waits as {waiting}: stop the application, then run "
            f"{'; '.join(rename.as_string(server) for rename in renames)}. The backup is {backup}"
        ) from error
    return aside


def _rename(old: str, new: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))


def _short(error: Exception) -> str:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig else error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:300]}"
