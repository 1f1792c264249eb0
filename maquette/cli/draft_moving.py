"""``maquette draft import``, ``export`` and ``migrate-legacy``: drafts from other places, and to them."""

from pathlib import Path
from typing import Annotated

import typer

from maquette.cli import options
from maquette.cli.output import ExitCode, Json, console, print_json


def import_(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders of drafts, one or more.", show_default=False)
    ],
    *,
    dry_run: options.DryRun = False,
    as_json: Json = False,
) -> int:
    """Read folders of drafts in; they stay untouched, and one that is there already is brought up to date."""
    from maquette.cli.draft_imports import brought, print_line, print_verdict
    from maquette.cli.opening import ordering
    from maquette.settings import get_settings

    reports = []
    with ordering(get_settings(), with_work=False) as opened:
        for folder in folders:
            reports.append(brought(opened, folder, dry_run=dry_run, alone=len(folders) == 1))
            if not as_json:
                print_line(reports[-1], console(), dry_run=dry_run)
    if as_json:
        print_json({"imports": [each.model_dump(mode="json") for each in reports], "count": len(reports)})
    elif len(reports) > 1:
        print_verdict(reports, console(), dry_run=dry_run)
    return ExitCode.FAILED if any(each.state == "failed" for each in reports) else ExitCode.OK


def export(
    draft_id: options.DraftId,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Folder to write.", show_default=False)],
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export of this draft.")] = False,
    as_json: Json = False,
) -> int:
    """Write a draft with all its files as a folder that needs nothing else."""
    from maquette.cli.opening import reading
    from maquette.drafts.exporting import export_folder
    from maquette.settings import get_settings

    with reading(get_settings(), code="draft_not_found") as opened:
        made = export_folder(opened.database, opened.store, opened.settings, draft_id, target, overwrite=overwrite)
    if as_json:
        print_json({"draft_id": draft_id, "path": str(made)})
    else:
        console().print(str(made), markup=False, soft_wrap=True)
    return ExitCode.OK


def migrate_legacy(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A universe, `storage/univers`, or what holds it.", show_default=False),
    ],
    *,
    dry_run: options.DryRun = False,
    as_json: Json = False,
) -> int:
    """Make a draft of every old universe; one that is broken stops no other, and a second run goes on."""
    from functools import partial

    from maquette.cli.draft_imports import print_line, print_migration
    from maquette.cli.opening import ordering
    from maquette.drafts.legacy import migrate_legacy as migrate
    from maquette.settings import get_settings

    with ordering(get_settings(), with_work=False) as opened:
        found = migrate(
            opened.database,
            opened.store,
            opened.settings,
            path,
            dry_run=dry_run,
            on_universe=partial(print_line, console=console(stderr=True), dry_run=dry_run),
        )
    if as_json:
        print_json(found)
    else:
        print_migration(found, console())
    return ExitCode.FAILED if any(each.state == "failed" for each in found.universes) else ExitCode.OK
