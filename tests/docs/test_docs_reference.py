"""The reference pages say what there is: every setting, command, call, status, code and crash point, and no other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from maquette.api.app import create_app
from maquette.cli.main import app as cli
from maquette.cli.output import ExitCode
from maquette.db.engine import Database
from maquette.error_texts import LANGUAGES, TEXTS
from maquette.providers.catalogue import catalogue
from maquette.rehearsal import CRASH_POINTS
from maquette.settings import Settings
from maquette.videos.rules import VideoStatus, block_durations, step_text

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def rows(name: str) -> list[list[str]]:
    """The cells of every line of a table."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page(name).splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]


def headings(name: str) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", page(name), re.MULTILINE))


def default_of(value: object) -> str:
    """A default as settings.md writes it."""
    if value is None:
        return "unset"
    if isinstance(value, list):
        return "see below"
    return f"`{json.dumps(value) if isinstance(value, bool | dict) else value}`"


def test_the_table_of_settings_is_the_settings() -> None:
    told = {cells[0]: cells[1:] for cells in rows("settings.md") if cells[0].startswith("`MAQUETTE_")}
    there = {
        f"`MAQUETTE_{name.upper()}`": [default_of(field.default), str(field.description)]
        for name, field in Settings.model_fields.items()
    }
    assert told == there


def test_no_page_names_a_setting_that_is_not_there() -> None:
    known = {f"MAQUETTE_{name.upper()}" for name in Settings.model_fields}
    named = {
        name for path in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]
        for name in re.findall(r"\bMAQUETTE_[A-Z_]*[A-Z]\b", path.read_text("utf-8"))
    }  # fmt: skip
    assert named <= known


def commands(command: object, path: str = "maquette") -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            yield from commands(each, f"{path} {name}")
    else:
        assert isinstance(command, TyperCommand)
        yield path, command


def test_every_command_has_a_heading_and_every_option_is_told() -> None:
    there = dict(commands(get_command(cli)))
    assert len(there) > 5
    assert {name.strip("`") for name in headings("cli.md") if name.startswith("`")} == set(there)
    text = page("cli.md")
    for path, command in there.items():
        section = text.partition(f"## `{path}`\n")[2].partition("\n## ")[0]
        if "options of a brief" in section.replace("\n", " "):
            section += text.partition("## Options of a brief\n")[2].partition("\n## ")[0]
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        missing = sorted(option for option in options - {"--help"} if f"`{option}`" not in section)
        assert not missing, f"{path}: {missing}"


def test_no_page_names_an_option_that_is_not_there() -> None:
    there = {option for _, command in commands(get_command(cli)) for parameter in command.params
             for option in (*parameter.opts, *parameter.secondary_opts)}  # fmt: skip
    assert set(re.findall(r"`(--[a-z-]+)`", page("cli.md"))) <= there | {"--help"}


def test_every_exit_code_is_told() -> None:
    assert {cells[0] for cells in rows("cli.md") if cells[0].isdecimal()} == {str(code.value) for code in ExitCode}


def test_every_call_has_a_heading_and_an_example() -> None:
    # Nothing is asked of the database here.
    api = create_app(Settings(), Database("postgresql://nobody@127.0.0.1:1/nowhere"))
    calls = {f"{method.upper()} {path}" for path, methods in api.openapi()["paths"].items() for method in methods}
    told = {name for name in headings("api.md") if re.match(r"(GET|POST|PATCH|PUT|DELETE|WS) ", name)}
    # The calls of older clients stand in one table.
    told |= {cells[0].strip("`") for cells in rows("api.md") if re.match(r"`(GET|POST|PATCH|PUT|DELETE) ", cells[0])}
    assert told == calls | {"WS /ws/video/{video_id}", "WS /ws/orders/{order_id}", "WS /ws/drafts/{draft_id}"}
    sections = re.split(r"^### ", page("api.md"), flags=re.MULTILINE)[1:]
    without = {section.partition("\n")[0] for section in sections if "```" not in section}
    assert without == {"GET /"}


def test_every_field_of_a_body_is_told() -> None:
    api = create_app(Settings(), Database("postgresql://nobody@127.0.0.1:1/nowhere"))
    text = page("api.md")
    for name, schema in api.openapi()["components"]["schemas"].items():
        missing = [field for field in schema.get("properties", {}) if not re.search(rf'[`"]{field}[`":]', text)]
        assert not missing, f"{name}: {missing}"


@pytest.mark.parametrize("code", sorted(TEXTS))
def test_every_error_code_is_told(code: str) -> None:
    assert f"`{code}`" in page("api.md").partition("## Errors")[2]


def test_the_block_rule_is_the_rule() -> None:
    table = [[int(cell) for cell in cells] for cells in rows("videos.md") if all(cell.isdecimal() for cell in cells)]
    assert len(table) >= 8
    assert table == [[row[0], len(block_durations(row[0])), sum(block_durations(row[0]))] for row in table]


def test_every_status_is_told_with_its_texts() -> None:
    told = {cells[0].strip("`"): cells[1:4] for cells in rows("videos.md") if len(cells) == 5}
    for status in VideoStatus:
        assert told[status] == [step_text(status, language, completed=2, total=5) for language in LANGUAGES]


def test_every_crash_point_is_told() -> None:
    section = page("architecture.md").partition("## Crash points")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)`", section, re.MULTILINE) == list(CRASH_POINTS)


def test_the_catalogue_is_the_catalogue() -> None:
    table = page("providers.md").partition("## Catalogue\n")[2].partition("\n## ")[0]
    row = r"^\| (clips|images|loops|music|text) \| `([^`]+)` \| `([^`]+)` \| ([^|]*)\| ([^|]*) \|$"
    told = re.findall(row, table, re.MULTILINE)
    assert len(told) == len(catalogue())
    assert {cells[:3] for cells in told} == {(each.kind, each.provider, each.model) for each in catalogue()}
    prices = {cells[2]: cells[4] for cells in told}
    for each in catalogue():
        if each.price_micros_per_s:
            assert prices[each.model] == f"${each.price_micros_per_s / 1_000_000:.2f} a second"
        elif each.price_micros_per_image:
            assert prices[each.model] == f"${each.price_micros_per_image / 1_000_000:.3f} an image"
        elif each.price_micros_per_loop:
            assert prices[each.model] == f"${each.price_micros_per_loop / 1_000_000:.2f} a loop"
        elif each.price_micros_per_song:
            assert prices[each.model] == f"${each.price_micros_per_song / 1_000_000:.2f} a song"
        elif each.price_micros_per_mtok_in:
            price_in, price_out = each.price_micros_per_mtok_in / 1_000_000, each.price_micros_per_mtok_out / 1_000_000
            assert prices[each.model].startswith(f"${price_in:.2f} in, ${price_out:.2f} out")
