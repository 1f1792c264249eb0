"""``maquette brands …``: who pays, and how what is made for them looks."""

from typing import Annotated
from uuid import UUID

import typer

from maquette.cli.output import EPILOG, ExitCode, Json, console, print_json

app = typer.Typer(help="Make and change brands.", epilog=EPILOG, no_args_is_help=False)

Plan = Annotated[str | None, typer.Option(help="starter, pro, studio or admin.")]
Kit = Annotated[
    typer.FileBinaryRead | None,
    typer.Option(metavar="FILE", help="A whole kit as JSON, which the other options then change; - is stdin."),
]
Palette = Annotated[
    list[str] | None, typer.Option(metavar="#RRGGBB", help="Colour, the most important first; repeat it for each.")
]
TitleFont = Annotated[str | None, typer.Option(help="Family of titles on slides.")]
TextFont = Annotated[str | None, typer.Option(help="Family of other text on slides.")]
Logo = Annotated[UUID | None, typer.Option(metavar="ASSET", help="Asset of the logo, from `library add`.")]
Voice = Annotated[str | None, typer.Option(help="How the brand speaks.")]
Niche = Annotated[str | None, typer.Option(help="The brand's trade.")]
Tagline = Annotated[str | None, typer.Option(help="What it says of itself in a line.")]


@app.command("list", epilog=EPILOG)
def list_(*, as_json: Json = False) -> int:
    """All brands, the default one first."""
    from maquette.brands import service as brands
    from maquette.brands.models import Brand
    from maquette.cli.brand_reports import document, print_list
    from maquette.cli.opening import has_database, reading
    from maquette.settings import get_settings

    settings = get_settings()
    found: list[Brand] = []
    if has_database(settings):
        with reading(settings) as opened, opened.database.begin() as session:
            found = list(brands.all_brands(session))
    if as_json:
        print_json({"brands": [document(brand) for brand in found], "count": len(found)})
    elif found:
        print_list(found, console())
    else:
        console().print("No brands.")
    return ExitCode.OK


@app.command(epilog=EPILOG)
def create(
    name: Annotated[str, typer.Argument(help="Its name.", show_default=False)],
    *,
    plan: Plan = "starter",
    kit: Kit = None,
    palette: Palette = None,
    title_font: TitleFont = None,
    text_font: TextFont = None,
    logo: Logo = None,
    voice: Voice = None,
    niche: Niche = None,
    tagline: Tagline = None,
    as_json: Json = False,
) -> int:
    """Make a brand."""
    from maquette.brands import service as brands
    from maquette.brands.service import NewBrand
    from maquette.cli.brand_reports import changed_kit, document, print_brand
    from maquette.cli.opening import ordering
    from maquette.settings import get_settings

    words = {"voice": voice, "niche": niche, "tagline": tagline}
    look = changed_kit({}, kit, palette, (title_font, text_font), logo, words)
    new = NewBrand.model_validate({"name": name, "plan": plan, "kit": look})
    with ordering(get_settings(), with_work=False) as opened, opened.database.begin() as session:
        found = brands.create(session, new)
        session.refresh(found)
    if as_json:
        print_json(document(found))
    else:
        print_brand(found, console())
    return ExitCode.OK


@app.command(epilog=EPILOG)
def change(
    brand: Annotated[str, typer.Argument(metavar="ID|NAME", help="Which one.", show_default=False)],
    *,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    plan: Plan = None,
    kit: Kit = None,
    palette: Palette = None,
    title_font: TitleFont = None,
    text_font: TextFont = None,
    logo: Logo = None,
    voice: Voice = None,
    niche: Niche = None,
    tagline: Tagline = None,
    as_json: Json = False,
) -> int:
    """Change a brand; a smaller plan holds from the next order on, and what was paid for stays as it looks."""
    from maquette.brands import service as brands
    from maquette.brands.service import BrandChange
    from maquette.cli.brand_reports import changed_kit, document, print_brand
    from maquette.cli.opening import reading
    from maquette.settings import get_settings

    words = {"voice": voice, "niche": niche, "tagline": tagline}
    with reading(get_settings(), code="brand_not_found") as opened:
        old = opened.brand(brand)
        look = changed_kit(old.kit, kit, palette, (title_font, text_font), logo, words)
        changes = BrandChange.model_validate({"name": name, "plan": plan, "kit": look})
        with opened.database.begin() as session:
            found = brands.change(session, old.id, changes)
            session.refresh(found)
    if as_json:
        print_json(document(found))
    else:
        print_brand(found, console())
    return ExitCode.OK
