"""``maquette db``: the application's own database in production."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maquette.cli.output import EPILOG, ExitCode, Json, console, print_json

if TYPE_CHECKING:
    from maquette.launch.upgrading import Status, Upgrade
    from maquette.settings import Settings

app = typer.Typer(help="Upgrade the application's own database, backed up and checked.", no_args_is_help=True)


@app.command(epilog=EPILOG)
def status(*, as_json: Json = False) -> int:
    """Say which revision the database has, which the code wants, and who is connected."""
    from maquette.launch import upgrading
    from maquette.launch.code import code_root
    from maquette.settings import get_settings

    settings = get_settings()
    found = upgrading.status(_url(settings), code=code_root(settings))
    if as_json:
        print_json(found)
    else:
        _print_status(found)
    return ExitCode.OK


@app.command(epilog=EPILOG)
def upgrade(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the SQL of what is pending, and change nothing.")
    ] = False,
    backups: Annotated[
        Path | None, typer.Option(help="Folder of the backups.  \\[default: backups below the home]")
    ] = None,
    disconnect: Annotated[
        bool, typer.Option("--disconnect", help="End other sessions of the database instead of refusing.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Back the database up, bring its schema up to date, check every row, and put it back where that fails.

    Stop the application first. The embedded database needs none of this: `maquette up` upgrades it.
    """
    from maquette.launch import upgrading
    from maquette.launch.code import code_root
    from maquette.settings import get_settings

    settings = get_settings()
    stderr = console(stderr=True)
    done = upgrading.upgrade(
        _url(settings),
        code=code_root(settings),
        folder=backups or settings.home / "backups",
        dry_run=dry_run,
        disconnect=disconnect,
        on_step=lambda step: stderr.print(step, markup=False),
    )
    if as_json:
        print_json(done)
    else:
        _print_upgrade(done)
    return ExitCode.OK


def _url(settings: "Settings") -> str:
    from maquette.errors import ConfigurationError

    if settings.database_url is None:
        raise ConfigurationError(
            "`maquette db` is for a PostgreSQL of your own: set MAQUETTE_DATABASE_URL. The embedded database is "
            "upgraded by `maquette up`"
        )
    return settings.database_url.get_secret_value()


def _print_status(found: "Status") -> None:
    from maquette.cli.panels import count, print_summary, print_table

    out = console()
    rows = [
        ("server", f"PostgreSQL {found.server}"),
        ("revision", found.revision or "none: the database is empty"),
        ("code", found.head),
        ("pending", ", ".join(each.id for each in found.pending) or "nothing"),
        ("sessions", count(len(found.sessions), "other session")),
    ]
    print_summary(found.database, rows, out, status="partial" if found.pending else "completed", bold="pending")
    if found.pending:
        print_table(("pending", "what"), [(each.id, each.title) for each in found.pending], out)
    if found.sessions:
        shown = [(str(each.pid), each.application, each.user or "", each.state or "") for each in found.sessions]
        print_table(("pid", "application", "user", "state"), shown, out)


def _print_upgrade(done: "Upgrade") -> None:
    from maquette.cli.panels import print_summary, print_table

    out = console()
    if not done.revisions:
        out.print(f"{done.database} is up to date: revision {done.to_revision}.", markup=False, soft_wrap=True)
        return
    if done.sql is not None:
        # As it is, so that it can be kept in a file.
        out.print(done.sql, markup=False, soft_wrap=True, end="")
        return
    shown = [
        (
            rows.table,
            "new" if rows.before is None else f"{rows.before:,}",
            "gone" if rows.after is None else f"{rows.after:,}",
        )
        for rows in done.tables
        if (rows.before, rows.after) != (0, 0)
    ]
    print_table(("step", "what"), [(each.id, each.title) for each in done.revisions], out)
    if shown:
        print_table(("table", "rows before", "after"), shown, out, right=("rows before", "after"))
    kept = sum(rows.before or 0 for rows in done.tables if rows.after is not None)
    print_summary(
        f"{done.database} upgraded",
        [
            ("revision", f"{done.from_revision or 'none'} to {done.to_revision}"),
            ("steps", ", ".join(each.id for each in done.revisions)),
            ("rows", f"{kept:,} compared, every one is there"),
            ("backup", str(done.backup)),
            *(("" if number else "to know", warning) for number, warning in enumerate(done.warnings)),
            ("took", f"{done.seconds:.1f} s"),
        ],
        out,
        status="completed",
        bold="backup",
    )
