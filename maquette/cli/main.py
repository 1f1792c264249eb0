"""The command line. Only typer is imported here; each command imports what it needs when it runs."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from typer.main import get_command

from maquette.cli import (
    brand_commands,
    carousel_commands,
    db_commands,
    draft_commands,
    image_commands,
    library_commands,
    migrate_commands,
    money_commands,
    order_commands,
    pack_commands,
    stack_commands,
    video_commands,
)
from maquette.cli.demo import demo
from maquette.cli.output import EPILOG, ExitCode, exit_code_of, print_error
from maquette.errors import MaquetteError, text_of

if TYPE_CHECKING:
    from pydantic import ValidationError

app = typer.Typer(
    help="Turns a brief into finished media, durably.",
    epilog=EPILOG,
    add_completion=False,
    rich_markup_mode="rich",
)
app.command(epilog=EPILOG)(demo)
app.command(epilog=EPILOG)(stack_commands.up)
app.command(epilog=EPILOG)(stack_commands.dispatch)
app.command(epilog=EPILOG)(stack_commands.doctor)
app.command(epilog=EPILOG)(money_commands.quota)
app.command(epilog=EPILOG)(money_commands.costs)
for name, group in {
    "video": video_commands,
    "image": image_commands,
    "carousel": carousel_commands,
    "draft": draft_commands,
    "pack": pack_commands,
    "orders": order_commands,
    "library": library_commands,
    "brands": brand_commands,
    "db": db_commands,
    "migrate": migrate_commands,
}.items():
    app.add_typer(group.app, name=name)


def run() -> None:
    """Entry point of the ``maquette`` program."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. Every error becomes one line, and one document with ``--json``."""
    as_json = "--json" in arguments
    try:
        result = get_command(app).main(args=list(arguments) or ["--help"], prog_name="maquette", standalone_mode=False)
        return int(result or ExitCode.OK)
    except typer.TyperException as error:
        # pydantic, which checks the values, puts its own words before ours.
        message = error.format_message().replace("Value error, ", "").rstrip(".")
        message = f"{message} (`maquette --help` and `maquette COMMAND --help` say what there is)"
        print_error(message, code="usage", detail=message, as_json=as_json)
        return ExitCode.USAGE
    except (KeyboardInterrupt, typer.Abort):
        print_error("interrupted", code="interrupted", detail="interrupted", as_json=as_json)
        return ExitCode.INTERRUPTED
    except MaquetteError as error:
        print_error(str(error), code=error.code, detail=error.text("en"), as_json=as_json)
        return exit_code_of(error)
    except BrokenPipeError:
        # The reader has left (`maquette … | head`); Python would complain once more when it flushes at exit.
        sys.stdout = None
        return ExitCode.OK
    except Exception as error:
        return _unforeseen(error, as_json=as_json)


def _unforeseen(error: Exception, *, as_json: bool) -> int:
    """Errors of libraries that mean something to the person; any other is a defect and keeps its traceback."""
    from pydantic import ValidationError
    from sqlalchemy.exc import DBAPIError, ProgrammingError

    if isinstance(error, ValidationError):
        is_setting = error.title == "Settings"
        code = "configuration" if is_setting else "invalid_input"
        message = _reasons(error, is_setting=is_setting)
        print_error(message, code=code, detail=text_of(code, "en", reason=message), as_json=as_json)
        return ExitCode.STACK if is_setting else ExitCode.USAGE
    if isinstance(error, ProgrammingError) and "does not exist" in str(error.orig):
        message = "the database lacks tables of Maquette: `maquette up` makes them"
    elif isinstance(error, DBAPIError):
        reason = " ".join(str(error.orig).split())
        message = f"the database does not answer ({reason}): start it, or correct MAQUETTE_DATABASE_URL"
    else:
        sys.excepthook(type(error), error, error.__traceback__)
        message = f"a defect: {type(error).__name__}: {error}; the lines above say where"
        print_error(message, code="internal", detail=text_of("internal", "en"), as_json=as_json)
        return ExitCode.STACK
    print_error(message, code="stack", detail=text_of("stack", "en"), as_json=as_json)
    return ExitCode.STACK


def _reasons(error: "ValidationError", *, is_setting: bool) -> str:
    # Never the value itself: it may be a secret.
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{_name(problem['loc'], is_setting=is_setting)}: {problem['msg'].replace('Value error, ', '')}"
        for problem in found
    )


def _name(location: tuple[int | str, ...], *, is_setting: bool) -> str:
    if is_setting:
        return f"MAQUETTE_{location[0]}".upper()
    # Of a kit's field its own name: that is the option's.
    name = [part for part in location if isinstance(part, str)][-1]
    return "--" + name.removesuffix("_s").replace("_", "-")
