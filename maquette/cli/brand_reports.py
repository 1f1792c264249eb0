"""Brands as the commands read and tell them."""

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO
from uuid import UUID

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from maquette.brands.models import Brand
from maquette.cli.files import read_json
from maquette.cli.panels import print_summary, print_table
from maquette.errors import InvalidInput


def changed_kit(
    kit: Mapping[str, Any],
    file: BinaryIO | None,
    palette: Sequence[str] | None,
    fonts: tuple[str | None, str | None],
    logo: UUID | None,
    words: Mapping[str, str | None],
) -> dict[str, Any]:
    """The kit with what was given in its place. Raises ``InvalidInput`` for a file that holds no kit."""
    whole = kit if file is None else read_json(file)
    if not isinstance(whole, Mapping):
        raise InvalidInput("the kit is no JSON object: give one with palette, fonts, voice and the like")
    named = {name: font for name, font in zip(("primary", "secondary"), fonts, strict=True) if font is not None}
    given = {
        "palette": list(palette) if palette else None,
        "fonts": {**(whole.get("fonts") or {}), **named} if named else None,
        "logo_asset_id": logo,
        **words,
    }
    return {**whole, **{name: value for name, value in given.items() if value is not None}}


def document(brand: Brand) -> dict[str, JsonValue]:
    """The brand's document."""
    return brand.model_dump(mode="json")


def print_brand(brand: Brand, console: Console) -> None:
    """The brand and what of its kit is set."""
    kit = {name: value for name, value in brand.kit.items() if value}
    rows = [("id", str(brand.id)), ("plan", brand.plan), *((name, _shown(value)) for name, value in kit.items())]
    print_summary(brand.name, rows, console, status="completed")


def print_list(brands: Sequence[Brand], console: Console) -> None:
    """A line for each brand."""
    rows = (
        (str(brand.id), brand.plan, Text("default" if brand.is_default else "", style="dim"), brand.name)
        for brand in brands
    )
    print_table(("id", "plan", "", "name"), rows, console)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
