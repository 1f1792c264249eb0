"""``maquette library …``: what was made, and pictures of one's own."""

from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import typer

from maquette.cli import options
from maquette.cli.output import EPILOG, ExitCode, Json, console, print_json

app = typer.Typer(help="Find what was made, save it, add pictures.", epilog=EPILOG, no_args_is_help=False)

TypeName = Literal["image", "carousel", "video", "carousel_slide", "reference"]


@app.command("list", epilog=EPILOG)
def list_(
    *,
    type_: Annotated[TypeName | None, typer.Option("--type", help="Only these; references are shown only so.")] = None,
    brand: options.OfBrand = None,
    order: Annotated[UUID | None, typer.Option(metavar="ID", help="Only what this order made.")] = None,
    search: Annotated[str, typer.Option(help='Words of the title; "in quotes" whole, with - in front not.')] = "",
    cursor: Annotated[str | None, typer.Option(help="Where the page before ended.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 20,
    as_json: Json = False,
) -> int:
    """The newest images, carousels and films."""
    from maquette.cli.library_reports import print_page
    from maquette.cli.opening import has_database, reading
    from maquette.library.listing import Page, list_assets
    from maquette.settings import get_settings

    settings = get_settings()
    page = Page(items=[], next=None)
    if has_database(settings):
        with reading(settings) as opened:
            brand_id = opened.brand_id(brand)
            with opened.database.begin() as session:
                page = list_assets(
                    session, brand_id=brand_id, order_id=order, type_=type_, search=search, cursor=cursor, limit=limit
                )
    if as_json:
        print_json(page)
    else:
        print_page(page, console())
    return ExitCode.OK


@app.command(epilog=EPILOG)
def show(asset_id: options.AssetId, *, as_json: Json = False) -> int:
    """One asset with all that it came from."""
    from maquette.cli.library_reports import print_report, report
    from maquette.cli.opening import reading
    from maquette.settings import get_settings

    with reading(get_settings(), code="asset_not_found") as opened:
        found = report(opened, asset_id)
    if as_json:
        print_json(found)
    else:
        print_report(found, console())
    return ExitCode.OK


@app.command(epilog=EPILOG)
def save(
    asset_id: options.AssetId,
    *,
    output: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="File to write, or a folder; of a carousel the folder.  \\[default: here]"),
    ] = None,
    as_json: Json = False,
) -> int:
    """Copy an asset's file out of the library; of a carousel all its slides."""
    from maquette.cli.library_reports import save as save_asset
    from maquette.cli.opening import reading
    from maquette.settings import get_settings

    with reading(get_settings(), code="asset_not_found") as opened:
        paths = save_asset(opened, asset_id, output or Path())
    if as_json:
        print_json({"asset_id": str(asset_id), "paths": [str(path) for path in paths]})
    else:
        for path in paths:
            console().print(str(path), markup=False, soft_wrap=True)
    return ExitCode.OK


@app.command(epilog=EPILOG)
def add(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE", help="A PNG, JPEG or WebP; - is stdin.", show_default=False),
    ],
    *,
    brand: options.Brand = None,
    title: Annotated[str | None, typer.Option(help="What it is called.  \\[default: the file's name]")] = None,
    as_json: Json = False,
) -> int:
    """Keep a picture of your own, for orders to go by (`--reference`) or as a brand's logo."""
    from maquette.cli.library_reports import print_report, report
    from maquette.cli.opening import ordering
    from maquette.library.listing import upload
    from maquette.settings import get_settings

    content = file.read()
    name = Path(file.name).name if title is None else title
    with ordering(get_settings(), with_work=False) as opened:
        payer = opened.brand(brand)
        added = upload(opened.database, opened.store, content, brand_id=payer.id, title=name)
        found = report(opened, added.id)
    if as_json:
        print_json(found)
    else:
        print_report(found, console())
    return ExitCode.OK
