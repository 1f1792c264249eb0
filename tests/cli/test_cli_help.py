"""Help comes fast, and is whole: what it imports, what it offers, and that its choices are those of the rules."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from typer.main import get_command

from maquette.cli import (
    carousel_commands,
    library_commands,
    money_commands,
    options,
    order_commands,
    video_commands,
)
from maquette.cli.main import app
from maquette.cli.output import ExitCode
from maquette.intake import requests
from maquette.intake.requests import MediaRequest
from maquette.intake.values import COUNTS
from maquette.journal.costs import By
from maquette.library import listing
from maquette.orders.models import OrderStatus
from maquette.videos.models import VideoBrief
from tests.cli.conftest import Cli

HEAVY = {
    "PIL", "alembic", "av", "fastapi", "fontTools", "httpx", "numpy", "prefect", "psycopg", "pydantic_ai",
    "pydantic_settings", "sqlalchemy", "sqlmodel", "yaml",
}  # fmt: skip


@pytest.mark.parametrize("arguments", [["--help"], ["carousel", "create", "--help"], ["nothing"]])
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
    groups = {
        "video": ("create", "status", "list", "retry", "edit"),
        "image": ("create",),
        "carousel": ("create", "show", "edit", "pdf"),
        "draft": ("create", "generate", "status", "list", "show", "regenerate", "versions", "restore", "delete",
                  "approve", "publish", "production", "import", "export", "migrate-legacy"),
        "pack": ("order",),
        "orders": ("list", "show", "cancel", "retry", "dead-letters", "queue"),
        "library": ("list", "show", "save", "add"),
        "brands": ("list", "create", "change"),
        "migrate": ("plan", "run", "resume", "status", "follow", "rollback", "contract", "verify-backup", "report"),
        "db": ("status", "upgrade"),
    }  # fmt: skip
    alone = {(name,) for name in ("demo", "up", "dispatch", "doctor", "quota", "costs")}
    assert LEAVES.keys() == {(group, name) for group, names in groups.items() for name in names} | alone


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


CHOICES: dict[str, tuple[Any, Any]] = {
    "video style": (video_commands.StyleName, VideoBrief.model_fields["style"].annotation),
    "video aspect ratio": (video_commands.AspectRatioName, VideoBrief.model_fields["aspect_ratio"].annotation),
    "language": (options.LanguageName, MediaRequest.model_fields["language"].annotation),
    "ratio": (options.RatioName, MediaRequest.model_fields["ratio"].annotation),
    "platform": (options.PlatformName, requests.Platform),
    "goal": (options.GoalName, requests.Goal),
    "category": (options.CategoryName, MediaRequest.model_fields["style_category"].annotation),
    "color mode": (options.ColorModeName, MediaRequest.model_fields["color_mode"].annotation),
    "carousel type": (carousel_commands.TypeName, MediaRequest.model_fields["carousel_type"].annotation),
    "carousel format": (carousel_commands.FormatName, MediaRequest.model_fields["slide_format"].annotation),
    "costs by": (money_commands.ByName, By),
}


@pytest.mark.parametrize("name", CHOICES)
def test_choices_are_those_of_the_application(name: str) -> None:
    ours, theirs = CHOICES[name]
    # In the intake an empty text is no choice.
    assert set(get_args(ours)) == set(get_args(theirs)) - {""}


def test_choices_are_those_of_what_is_listed() -> None:
    assert set(get_args(order_commands.StatusName)) == set(OrderStatus)
    # A film is a video here.
    assert set(get_args(library_commands.TypeName)) == set(get_args(listing.Type)) - {"film"}


@pytest.mark.parametrize("path", [("video", "create"), ("demo",)], ids=" ".join)
def test_limits_and_defaults_are_those_of_the_brief(path: tuple[str, ...]) -> None:
    params = {param.name: param for param in LEAVES[path].params}
    schema = VideoBrief.model_json_schema()["properties"]
    for field, option in (("target_duration", "target_duration"), ("crossfade_s", "crossfade"), ("seed", "seed")):
        assert (params[option].min, params[option].max) == (schema[field]["minimum"], schema[field]["maximum"])
    for field, value in VideoBrief.model_fields.items():
        if field != "theme":
            assert params[field.removesuffix("_s")].default == value.default


@pytest.mark.parametrize(("group", "count"), [("image", "count"), ("carousel", "slides")])
def test_limits_of_pictures_are_those_of_a_request(group: Any, count: str) -> None:
    params = {param.name: param for param in LEAVES[group, "create"].params}
    assert (params[count].min, params[count].max) == COUNTS[group]
    schema = MediaRequest.model_json_schema()["properties"]
    for name in ("variants", "seed"):
        assert (params[name].min, params[name].max) == (schema[name]["minimum"], schema[name]["maximum"])
