"""``maquette up``, ``dispatch`` and ``doctor``: what runs, and whether it can."""

import logging
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from maquette.cli.output import ExitCode, Interrupted, Json, console, print_json

if TYPE_CHECKING:
    from pydantic import JsonValue

Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the API.  \\[default: 8000]")]
PrefectPort = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Port of the Prefect server.  \\[default: 4200]")
]


def up(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address of the API; off loopback it needs MAQUETTE_API_TOKEN.")
    ] = None,
    port: Port = None,
    prefect_port: PrefectPort = None,
    as_json: Json = False,
) -> int:
    """Run the whole stack of this home on loopback, until Ctrl-C or SIGTERM."""
    from maquette.errors import MaquetteError
    from maquette.launch.processes import stop_on_signals
    from maquette.launch.stack import kill_at_once, running
    from maquette.settings import get_settings

    chosen = {"api_host": host, "api_port": port, "prefect_port": prefect_port}
    settings = get_settings().model_copy(update={key: value for key, value in chosen.items() if value is not None})
    _log_to_stderr()
    stderr = console(stderr=True)
    ready = False
    with stop_on_signals(at_once=lambda: kill_at_once(settings)) as stop:
        try:
            with running(settings, on_step=lambda step: stderr.print(f"starting  {step}"), stop=stop) as stack:
                ready = True
                state = stack.state
                addresses: dict[str, JsonValue] = {
                    "api_url": state.api_url,
                    "docs_url": f"{state.api_url}/docs",
                    "prefect_url": state.prefect_url,
                    "home": str(stack.home),
                    "pid": state.pid,
                }
                if as_json:
                    print_json(addresses)
                else:
                    out = console()
                    out.print("[green]ready[/green]")
                    out.print(f"  API          {state.api_url}")
                    out.print(f"  its pages    {state.api_url}/docs")
                    out.print(f"  Prefect      {state.prefect_url}")
                    out.print(f"  home         {stack.home}", markup=False, soft_wrap=True)
                    out.print("[dim]Ctrl-C stops it all.[/dim]")
                stop.wait()
                stderr.print("stopping  (once more kills at once)")
        except (MaquetteError, KeyboardInterrupt) as error:
            # Ctrl-C reaches the short-lived tools of the start as well; what they say of it is no news.
            if stop.is_set() and not ready:
                raise Interrupted("interrupted while starting; nothing is left running") from error
            raise
    return ExitCode.OK


def dispatch(*, as_json: Json = False) -> int:
    """Send queued orders to a Prefect server of your own; any number of dispatchers may run."""
    from maquette.db.engine import database_from_settings
    from maquette.errors import ConfigurationError
    from maquette.launch.dispatcher import Dispatcher
    from maquette.launch.flow_runs import PrefectFlowRuns
    from maquette.launch.processes import stop_on_signals
    from maquette.settings import get_settings

    os.environ.setdefault("DO_NOT_TRACK", "1")  # Prefect's client reads it when it is imported
    settings = get_settings()
    database = database_from_settings(settings)
    if settings.prefect_api_url is None:
        raise ConfigurationError("no Prefect server: set MAQUETTE_PREFECT_API_URL, or run `maquette up`")
    _log_to_stderr()
    # SQLAlchemy's own rendering hides the password.
    addresses = {"database_url": str(database.url), "prefect_api_url": settings.prefect_api_url}
    with stop_on_signals() as stop:
        if as_json:
            print_json(addresses)
        else:
            line = f"dispatching from {addresses['database_url']} to {addresses['prefect_api_url']}"
            console().print(line, markup=False, soft_wrap=True)
        with PrefectFlowRuns(settings.prefect_api_url) as runs:
            Dispatcher(database, runs, settings).run(stop)
    database.dispose()
    return ExitCode.OK


def doctor(*, as_json: Json = False) -> int:
    """Say what is missing on this machine and how to get it."""
    from maquette.cli.doctor import Finding, examine, print_findings
    from maquette.settings import get_settings

    findings: list[Finding] = examine(get_settings())
    ok = all(finding.state != "missing" for finding in findings)
    if as_json:
        print_json({"ok": ok, "checks": [finding.model_dump(mode="json") for finding in findings]})
    else:
        print_findings(findings, console())
    return ExitCode.OK if ok else ExitCode.FAILED


def _log_to_stderr() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("maquette").setLevel(logging.INFO)
