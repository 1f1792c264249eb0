"""``maquette migrate …``: old rows become new documents, and the way back."""

from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import typer

from maquette.cli import options
from maquette.cli.output import EPILOG, ExitCode, Json, console, print_json

app = typer.Typer(
    help="Bring a table's rows to a new shape: planned, backed up, rehearsed, moved, watched.",
    epilog=EPILOG,
    no_args_is_help=False,
)

Migration = Annotated[
    str,
    typer.Option("--migration", metavar="NAME", help="The migration: a file of --folder.", show_default=False),
]
Folder = Annotated[
    Path, typer.Option(metavar="PATH", help="Folder of the migrations; a relative one is of the checkout.")
]
Url = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="PostgreSQL to work on.  \\[default: MAQUETTE_MIGRATE_URL, else Maquette's own database]"
    ),
]
ScratchUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Where the backup is restored to be checked.  \\[default: beside the database]"),
]
RunId = Annotated[UUID | None, typer.Option("--run", metavar="ID", help="The run.  \\[default: the open one, or last]")]
Cohorts = Annotated[str, typer.Option(metavar="PERCENTS", help="Percent of rows read in the new shape, step by step.")]
WatchS = Annotated[float, typer.Option(min=0, help="Seconds that each cohort is watched.")]
WindowS = Annotated[float, typer.Option(min=0.1, help="Seconds over which errors and latency are judged.")]
SoakS = Annotated[float, typer.Option(min=0, help="Seconds between the last cohort and the contract, at least.")]
BatchMs = Annotated[float, typer.Option(min=1, help="What a batch should take, in milliseconds.")]
Rehearse = Annotated[
    bool, typer.Option("--rehearse/--no-rehearse", help="Rehearse on the restored backup, with a kill and a way back.")
]
DuplicatesName = Literal["keep_archived", "restore"]
OnRollback = Annotated[DuplicatesName, typer.Option(help="What a rollback does with archived duplicates.")]

FOLDER = Path("migrations/documents")


@app.command(epilog=EPILOG)
def plan(
    *,
    migration: Migration,
    url: Url = None,
    folder: Folder = FOLDER,
    cohorts: Cohorts = "1,10,100",
    watch_s: WatchS = 60.0,
    window_s: WindowS = 30.0,
    soak_s: SoakS = 86_400.0,
    batch_ms: BatchMs = 100.0,
    rehearse: Rehearse = True,
    on_rollback: OnRollback = "keep_archived",
    as_json: Json = False,
) -> int:
    """Say what would be done, and with which locks; reads only. Its hash is what `run --approve` takes."""
    from maquette.cli.migrations import opened, options_of, print_plan

    chosen = options_of(cohorts, watch_s, window_s, soak_s, batch_ms, rehearse, on_rollback)
    with opened(url, migration, folder) as target:
        found = target.use.plan(chosen)
    if as_json:
        print_json(found)
    else:
        print_plan(found, console())
    return ExitCode.FAILED if found.refusals else ExitCode.OK


@app.command(epilog=EPILOG)
def run(
    *,
    migration: Migration,
    approve: Annotated[
        str | None, typer.Option(metavar="HASH", help="Hash of the plan that you approve.", show_default=False)
    ] = None,
    url: Url = None,
    folder: Folder = FOLDER,
    scratch_url: ScratchUrl = None,
    cohorts: Cohorts = "1,10,100",
    watch_s: WatchS = 60.0,
    window_s: WindowS = 30.0,
    soak_s: SoakS = 86_400.0,
    batch_ms: BatchMs = 100.0,
    rehearse: Rehearse = True,
    on_rollback: OnRollback = "keep_archived",
    as_json: Json = False,
) -> int:
    """Carry the approved plan out, up to reading all rows in the new shape; both shapes are kept until `contract`."""
    from maquette.cli.migrations import carried_out, opened, options_of, print_plan, tell
    from maquette.cli.questions import require_yes

    chosen = options_of(cohorts, watch_s, window_s, soak_s, batch_ms, rehearse, on_rollback)
    with opened(url, migration, folder, scratch_url=scratch_url) as target:
        if approve is None:
            seen = target.use.plan(chosen)
            print_plan(seen, console(stderr=as_json))
            require_yes("Carry this plan out?", unless="--approve HASH")
            approve = seen.hash
        else:
            # Before a stack is started for it.
            target.use.require_plan(approve, chosen)
        result, ok = carried_out(
            target, "migrate-documents/migrate-documents", approve=approve, options=chosen.model_dump(mode="json")
        )
    tell(result, as_json=as_json)
    return ExitCode.OK if ok else ExitCode.FAILED


@app.command(epilog=EPILOG)
def resume(
    *,
    migration: Migration,
    url: Url = None,
    folder: Folder = FOLDER,
    scratch_url: ScratchUrl = None,
    as_json: Json = False,
) -> int:
    """Go on with the open run where it stopped."""
    from maquette.cli.migrations import carried_out, opened, tell

    with opened(url, migration, folder, scratch_url=scratch_url) as target:
        result, ok = carried_out(target, "migrate-documents/migrate-documents", resume=True)
    tell(result, as_json=as_json)
    return ExitCode.OK if ok else ExitCode.FAILED


@app.command(epilog=EPILOG)
def status(
    *, migration: Migration, url: Url = None, folder: Folder = FOLDER, run_id: RunId = None, as_json: Json = False
) -> int:
    """Where a run stands."""
    from maquette.cli.migrations import opened, tell

    with opened(url, migration, folder) as target:
        result = target.use.status(run_id)
    tell(result, as_json=as_json)
    return ExitCode.OK


@app.command(epilog=EPILOG)
def follow(
    *,
    migration: Migration,
    url: Url = None,
    folder: Folder = FOLDER,
    for_s: Annotated[float, typer.Option(min=0, help="Seconds; 0 brings both shapes together once.")] = 0.0,
    as_json: Json = False,
) -> int:
    """Keep both shapes together while a migration soaks; readers of the view are right without it."""
    from maquette.cli.migrations import opened, tell
    from maquette.launch.processes import stop_on_signals

    with opened(url, migration, folder) as target, stop_on_signals() as stop:
        target.use.follow(for_s=for_s, stop=stop)
        result = target.use.status()
    tell(result, as_json=as_json)
    return ExitCode.OK


@app.command(epilog=EPILOG)
def rollback(
    *,
    migration: Migration,
    url: Url = None,
    folder: Folder = FOLDER,
    duplicates: Annotated[
        DuplicatesName | None,
        typer.Option(help="What becomes of archived duplicates.  \\[default: as the plan said]"),
    ] = None,
    yes: options.Yes = False,
    as_json: Json = False,
) -> int:
    """Read the old shape again at once, with every write made since, and take the scaffold down."""
    from maquette.cli.migrations import opened, print_result, tell
    from maquette.cli.questions import require_yes
    from maquette.migrating.models import Duplicates

    with opened(url, migration, folder) as target:
        if not yes:
            print_result(target.use.status(), console(stderr=as_json))
            require_yes("Roll this back?", unless="--yes")
        result = target.use.roll_back(duplicates=Duplicates(duplicates) if duplicates else None)
    tell(result, as_json=as_json)
    return ExitCode.OK


@app.command(epilog=EPILOG)
def contract(
    *,
    migration: Migration,
    approve: Annotated[
        str | None, typer.Option(metavar="HASH", help="Hash of the contract that you approve.", show_default=False)
    ] = None,
    url: Url = None,
    folder: Folder = FOLDER,
    dry_run: options.DryRun = False,
    as_json: Json = False,
) -> int:
    """Move the documents into their old place; afterwards there is no way back but the backup."""
    from maquette.cli.migrations import carried_out, opened, print_contract, tell
    from maquette.cli.questions import require_yes

    with opened(url, migration, folder) as target:
        if approve is None or dry_run:
            seen = target.use.contract_plan()
            if dry_run:
                if as_json:
                    print_json(seen)
                else:
                    print_contract(seen, console())
                return ExitCode.FAILED if seen.refusals else ExitCode.OK
            print_contract(seen, console(stderr=as_json))
            require_yes("Carry the contract out?", unless="--approve HASH")
            approve = seen.hash
        result, ok = carried_out(target, "contract-migration/contract-migration", approve=approve)
    tell(result, as_json=as_json)
    return ExitCode.OK if ok else ExitCode.FAILED


@app.command("verify-backup", epilog=EPILOG)
def verify_backup(
    *,
    migration: Migration,
    url: Url = None,
    folder: Folder = FOLDER,
    scratch_url: ScratchUrl = None,
    run_id: RunId = None,
    as_json: Json = False,
) -> int:
    """Restore a run's backup beside the database and compare it, row by row."""
    from maquette.cli.migrations import opened, print_verified

    with opened(url, migration, folder, scratch_url=scratch_url) as target:
        found = target.use.verify_backup(run_id)
    if as_json:
        print_json(found)
    else:
        print_verified(found, console())
    return ExitCode.OK


@app.command(epilog=EPILOG)
def report(
    *,
    migration: Migration,
    url: Url = None,
    folder: Folder = FOLDER,
    run_id: RunId = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The HTML file to write.  \\[default: in the run's folder]")
    ] = None,
    as_json: Json = False,
) -> int:
    """Write the report of a run as one HTML file."""
    from maquette.cli.migrations import opened

    with opened(url, migration, folder) as target:
        found = target.use.gather(run_id)
        path = target.use.write_report(found, out)
    if as_json:
        print_json({"path": str(path), **found.result.model_dump(mode="json")})
    else:
        console().print(str(path), markup=False, soft_wrap=True)
    return ExitCode.OK
