"""What every command shares: exit codes, one JSON document or plain lines on stdout, and how errors are told."""

import json
import sys
from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from maquette import errors
from maquette.errors import MaquetteError

if TYPE_CHECKING:
    from pydantic import BaseModel, JsonValue
    from rich.console import Console


class ExitCode(IntEnum):
    """What the shell is told."""

    OK = 0
    FAILED = 1
    USAGE = 2
    STACK = 3
    NOT_FOUND = 4
    CONFLICT = 5
    INTERRUPTED = 130


# Rich joins the lines of an epilog into paragraphs; blank lines keep them apart.
EPILOG: Final = "Exit codes: " + ", ".join(
    f"[bold]{code.value}[/bold] {meaning}"
    for code, meaning in {
        ExitCode.OK: "done",
        ExitCode.FAILED: "not all was made, or `doctor` found something missing",
        ExitCode.USAGE: "wrong usage or input",
        ExitCode.STACK: "the stack, a setting or the machine",
        ExitCode.NOT_FOUND: "not found",
        ExitCode.CONFLICT: "not in this state, or not within the budget",
        ExitCode.INTERRUPTED: "interrupted",
    }.items()
)

Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on stdout and nothing else; progress goes to stderr.")
]

_CODES: Final[Mapping[type[MaquetteError], ExitCode]] = {
    errors.InvalidInput: ExitCode.USAGE,
    errors.NotFound: ExitCode.NOT_FOUND,
    errors.Conflict: ExitCode.CONFLICT,
    errors.BudgetExceeded: ExitCode.CONFLICT,
    errors.LeaseHeld: ExitCode.CONFLICT,
    errors.StaleLease: ExitCode.CONFLICT,
    errors.MediaError: ExitCode.FAILED,
    errors.ProviderError: ExitCode.FAILED,
}


class Interrupted(MaquetteError):
    """The person stopped the command."""

    code = "interrupted"


def exit_code_of(error: MaquetteError) -> ExitCode:
    """What the shell is told of ``error``; what is no fault of the request or of a provider is the stack's."""
    if isinstance(error, Interrupted):
        return ExitCode.INTERRUPTED
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), ExitCode.STACK)


def print_json(document: "BaseModel | Mapping[str, JsonValue]") -> None:
    """Write the command's one document."""
    text = (
        json.dumps(document, indent=2, ensure_ascii=False)
        if isinstance(document, Mapping)
        else document.model_dump_json(indent=2)
    )
    if (sys.stdout.encoding or "").lower().replace("-", "") != "utf8":
        text = json.dumps(json.loads(text), indent=2)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_error(message: str, *, code: str, detail: str, as_json: bool) -> None:
    """Tell an error: one line on stderr, and with ``as_json`` its document on stdout."""
    sys.stderr.write(f"maquette: {message}\n")
    if as_json:
        print_json({"error": {"code": code, "message": message, "detail": detail}})


def console(*, stderr: bool = False) -> "Console":
    """A console that colours words only where it is told to."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)
