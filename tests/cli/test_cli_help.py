"""Help comes fast, and is whole: what it imports, what it offers, and that its choices are those of the rules."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from typer.main import get_command

from maquette.cli import video_commands
from maquette.cli.main import app
from maquette.cli.output import ExitCode
from maquette.videos import models
from maquette.videos.models import VideoBrief
from tests.cli.conftest import Cli

HEAVY = {
    "PIL", "alembic", "av", "fastapi", "fontTools", "httpx", "numpy", "prefect", "psycopg", "pydantic_ai",
    "pydantic_settings", "sqlalchemy", "sqlmodel", "yaml",
}  # fmt: skip


@pytest.mark.parametrize("arguments", [["--help"], ["video", "create", "--help"], ["demo", "--help"], ["nothing"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom maquette.cli.main import main\n"
        f"code = main({arguments!r})\nprint(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == (ExitCode.USAGE if "nothing" in arguments else ExitCode.OK)
    assert done.stderr.splitlines()[-1] == ""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from commands(each, (*path, name))
    else:
        yield path, command


LEAVES = dict(commands(get_command(app)))


def test_the_commands_are_these() -> None:
    videos = {("video", name) for name in ("create", "status", "list", "retry", "edit")}
    assert LEAVES.keys() == videos | {(name,) for name in ("demo", "up", "dispatch", "doctor")}


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_is_explained_and_speaks_json(path: tuple[str, ...], bare_cli: Cli) -> None:
    answer = bare_cli(*path, "--help")
    assert answer.code == ExitCode.OK
    assert "--json" in answer.out
    assert LEAVES[path].help
    assert all(param.help for param in LEAVES[path].params), "an option or argument without help"
    for code in ExitCode:
        assert f"{code.value} " in answer.out.partition("Exit codes:")[2]


def test_no_arguments_ask_for_help(bare_cli: Cli) -> None:
    assert bare_cli().out == bare_cli("--help").out


@pytest.mark.parametrize("name", ["Style", "Language", "AspectRatio"])
def test_choices_are_those_of_the_brief(name: str) -> None:
    assert get_args(getattr(video_commands, f"{name}Name")) == get_args(getattr(models, name))


@pytest.mark.parametrize("path", [("video", "create"), ("demo",)], ids=" ".join)
def test_limits_and_defaults_are_those_of_the_brief(path: tuple[str, ...]) -> None:
    options = {param.name: param for param in LEAVES[path].params}
    schema = VideoBrief.model_json_schema()["properties"]
    for field, option in (("target_duration", "target_duration"), ("crossfade_s", "crossfade"), ("seed", "seed")):
        assert (options[option].min, options[option].max) == (schema[field]["minimum"], schema[field]["maximum"])
    for field, value in VideoBrief.model_fields.items():
        if field != "theme":
            assert options[field.removesuffix("_s")].default == value.default
