"""What the commands of migrations share: the database that is worked on, the run of the flow, and what is printed."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import JsonValue, ValidationError
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from maquette.cli.opening import Opened, ordering
from maquette.cli.output import Interrupted, console, print_json
from maquette.errors import InvalidInput, MaquetteError, NotFound, StackError
from maquette.launch.code import code_root
from maquette.launch.deployed import DeployedRun, DeployedRuns
from maquette.launch.processes import stop_on_signals
from maquette.launch.stack import kill_at_once
from maquette.migrating import reporting
from maquette.migrating.backups import Verified
from maquette.migrating.contracting import ContractPlan
from maquette.migrating.definition import load
from maquette.migrating.models import ENDED, Duplicates, Options, Phase, Plan, Result, RunStatus, Statement
from maquette.migrating.service import Migrations
from maquette.settings import Settings, get_settings

POLL_S: Final = 0.5
_SHOWN: Final = 3


class Target(NamedTuple):
    """A migration on a database."""

    use: Migrations
    settings: Settings
    name: str
    folder: Path
    url: str | None
    """``None`` for Maquette's own database."""
    scratch_url: str | None


def options_of(
    cohorts: str, watch_s: float, window_s: float, soak_s: float, batch_ms: float, rehearse: bool, on_rollback: str
) -> Options:
    """The options of a plan. Raises ``InvalidInput``."""
    try:
        return Options(
            cohorts=tuple(int(percent) for percent in cohorts.split(",")),
            watch_s=watch_s,
            window_s=window_s,
            soak_s=soak_s,
            batch_ms=batch_ms,
            rehearse=rehearse,
            on_rollback=Duplicates(on_rollback),
        )
    except ValidationError as error:
        told = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise InvalidInput("; ".join(told)) from None
    except ValueError as error:
        raise InvalidInput(f"--cohorts takes percentages such as 1,10,100, not {cohorts!r}") from error


@contextmanager
def opened(url: str | None, migration: str, folder: Path, *, scratch_url: str | None = None) -> Iterator[Target]:
    """The migration on the database of ``url``, of the setting, or on Maquette's own."""
    settings = get_settings()
    found = load(migration, code_root(settings) / folder.expanduser())
    if url is None and settings.migrate_url is not None:
        url = settings.migrate_url.get_secret_value()
    if url is not None:
        use = Migrations(url, found, home=settings.home, scratch_url=scratch_url)
        yield Target(use, settings, migration, folder, url, scratch_url)
        return
    with ordering(settings, with_work=False) as own:
        use = Migrations(own.database.libpq_url, found, home=settings.home, scratch_url=scratch_url)
        yield Target(use, settings, migration, folder, None, scratch_url)


def carried_out(target: Target, deployment: str, **parameters: JsonValue) -> tuple[Result, bool]:
    """Run the deployment on the home's stack, or on one started for it, and follow it; how the run stands, and well?

    Raises ``Interrupted``, ``StackError``, and what the flow failed with before there was a run.
    """
    settings, stderr = target.settings, console(stderr=True)
    before = _status(target)
    with (
        stop_on_signals(at_once=lambda: kill_at_once(settings)) as stop,
        ordering(
            settings, with_work=True, stop=stop, on_step=lambda step: stderr.print(f"starting: {step}", style="dim")
        ) as stack,
        DeployedRuns(_prefect_api(stack)) as runs,
    ):
        if stop.is_set():
            raise Interrupted("interrupted; nothing was begun")
        database = ""
        if target.url is not None:
            database = f"url-{hashlib.sha256(target.url.encode()).hexdigest()[:16]}"
            runs.keep_database(database, url=target.url, scratch_url=target.scratch_url)
        named = {"migration": target.name, "database": database, "folder": str(target.folder)}
        flow_run = runs.start(deployment, named | parameters, name=target.name, tags=["migration", target.name])
        stderr.print(f"{stack.run_note}{stack.run_url(flow_run)}", markup=False, soft_wrap=True)
        shown: set[Phase] = set()
        while True:
            look, now = runs.look(flow_run), _status(target)
            _tell(now, before, shown, stderr)
            if look.ended or stop.wait(POLL_S):
                break
            stack.require_stack()
        if not look.ended:
            goes_on = "stops here" if stack.is_ours else "goes on"
            raise Interrupted(
                f"interrupted; the migration {goes_on}: see `maquette migrate status`, go on with `migrate resume`, or "
                "go back with `migrate rollback`"
            )
    return _judged(look, now, before)


def _judged(look: DeployedRun, now: Result | None, before: Result | None) -> tuple[Result, bool]:
    unchanged = now is None or (before is not None and now == before)
    if look.failed and unchanged:
        raise MaquetteError(look.message.removeprefix("Flow run encountered an exception: "))
    if now is None:
        raise StackError(f"the run ended as {look.state} and nothing was begun: its page tells more")
    well = now.status in (ENDED | {RunStatus.SOAKING}) - {RunStatus.ROLLED_BACK}
    return now, well and not look.failed


def _status(target: Target) -> Result | None:
    try:
        return target.use.status()
    except NotFound:
        return None


def _tell(now: Result | None, before: Result | None, shown: set[Phase], stderr: Console) -> None:
    """A line for each phase that has ended since."""
    if now is None:
        return
    earlier = {phase.phase for phase in before.phases} if before is not None and before.run_id == now.run_id else set()
    for phase in now.phases:
        if phase.phase not in shown | earlier:
            shown.add(phase.phase)
            stderr.print(
                f"{phase.phase.value.replace('_', ' '):<12} {phase.seconds:8.2f} s {phase.rows:>12,} rows", style="dim"
            )


def _prefect_api(stack: Opened) -> str:
    if stack.settings.prefect_api_url is not None:
        return stack.settings.prefect_api_url
    if stack.stack is None:
        raise StackError("no Prefect server: start `maquette up`, or set MAQUETTE_PREFECT_API_URL")
    return f"{stack.stack.prefect_url}/api"


def print_plan(plan: Plan, out: Console) -> None:
    """The plan, and the command that carries it out."""
    out.print(Markdown(reporting.plan_text(plan, groups=5, samples=1, lines_each=24)))
    out.print()
    _print_statements(plan.statements, out)
    if not plan.refusals:
        out.print(
            "Carry it out, with the same options: "
            f"maquette migrate run --migration {plan.migration} --approve {plan.hash}",
            markup=False,
            soft_wrap=True,
        )


def _print_statements(statements: Sequence[Statement], out: Console) -> None:
    """Each statement's lock and its first lines; ``--json`` shows all of it."""
    for each in statements:
        head = Text.assemble(
            (each.phase.value.replace("_", " "), "bold"), "  ", (each.lock, "cyan"), f"  {each.blocks}"
        )
        out.print(head, soft_wrap=True)
        lines = [line.strip() for line in each.sql.splitlines() if line.strip()]
        more = [f"… {len(lines) - _SHOWN} lines more"] if len(lines) > _SHOWN else []
        for line in [*lines[:_SHOWN], *more]:
            out.print(Text(f"    {line}", "dim"), overflow="ellipsis", no_wrap=True)
        out.print()


def print_contract(plan: ContractPlan, out: Console) -> None:
    """What the contract does."""
    out.print(f"{plan.rows:,} documents take their old place. Contract {plan.hash}", markup=False, soft_wrap=True)
    _print_statements(plan.statements, out)
    if plan.left_old:
        out.print(f"{plan.left_old:,} rows in quarantine stay in the old shape.")
    for refusal in plan.refusals:
        out.print(refusal, style="red", markup=False, soft_wrap=True)


def print_result(result: Result, out: Console) -> None:
    """Where the run stands, as a few lines."""
    out.print(f"{result.migration}: {result.status.value.replace('_', ' ')}", style="bold")
    if result.error:
        out.print(result.error, style="red", markup=False, soft_wrap=True)
    facts = {
        "run": str(result.run_id),
        "phase": result.phase.value.replace("_", " "),
        "read in the new shape": f"{result.percent} %",
        "rows in the new shape": f"{result.rows_migrated:,}",
        "archived": f"{result.archived:,}",
        "in quarantine": f"{result.quarantined:,}",
        "changes not yet followed": f"{result.pending:,}",
        "longest lock held": f"{result.longest_lock_ms:.1f} ms",
        "time in all phases": f"{result.seconds:.1f} s",
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in facts.items():
        table.add_row(f"[dim]{name}[/dim]", value)
    out.print(table)


def tell(result: Result, *, as_json: bool) -> None:
    """How the run stands, as the command's one document or as lines."""
    if as_json:
        print_json(result)
    else:
        print_result(result, console())


def print_verified(found: Verified, out: Console) -> None:
    """What the restored backup was found to hold."""
    for table, rows in found.rows.items():
        out.print(f"{table}: {rows:,} rows restored, and equal to those that were backed up")
    for warning in found.warnings:
        out.print(warning, style="yellow", markup=False, soft_wrap=True)
    out.print(f"{found.folder}, of {found.taken_at:%Y-%m-%d %H:%M:%S} UTC", markup=False, soft_wrap=True)
