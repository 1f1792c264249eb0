"""``maquette carousel …``: order, look, change words, make a PDF."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from maquette.cli import options
from maquette.cli.output import EPILOG, ExitCode, Json, console, print_json

app = typer.Typer(help="Order carousels, look at them, change their words.", epilog=EPILOG, no_args_is_help=False)

FormatName = Literal["jpeg", "png"]
TypeName = Literal["content", "citation"]


@app.command(epilog=EPILOG)
def create(
    topic: options.Topic,
    *,
    slides: Annotated[
        int | None, typer.Option(min=3, max=10, help="How many.  \\[default: 5, or as many as there are texts]")
    ] = None,
    texts: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(metavar="FILE", help="Your own words as JSON, a list of slides at best; - is stdin."),
    ] = None,
    type_: Annotated[TypeName, typer.Option("--type", help="Slides with content, or quotations.")] = "content",
    format_: Annotated[FormatName, typer.Option("--format", help="Of the slides' files.")] = "jpeg",
    variants: options.Variants = 1,
    ratio: options.Ratio = None,
    platform: options.Platform = None,
    style: options.Style = "",
    category: options.Category = None,
    color_mode: options.ColorMode = None,
    goal: options.Goal = None,
    tone: options.Tone = "",
    reference: options.References = None,
    brand_kit: options.BrandKit = True,
    background_only: options.BackgroundOnly = False,
    brand: options.Brand = None,
    language: options.Language = "fr",
    seed: options.Seed = 0,
    idempotency_key: options.IdempotencyKey = None,
    estimate: options.Estimate = False,
    wait: options.Wait = True,
    as_json: Json = False,
) -> int:
    """Make a carousel on a topic, and say where its slides are."""
    from maquette.cli.files import read_json
    from maquette.cli.media_orders import order_media

    return order_media(
        {
            "format": "carousel",
            "topic": topic,
            "count": slides,
            "texts": None if texts is None else read_json(texts),
            "carousel_type": type_,
            "slide_format": format_,
            "variants": variants,
            "ratio": ratio,
            "platform": platform,
            "visual_style": style,
            "style_category": category,
            "color_mode": color_mode,
            "goal": goal,
            "tone": tone,
            "references": reference,
            "use_brand_kit": brand_kit,
            "background_only": background_only,
            "language": language,
            "seed": seed,
        },
        brand=brand,
        key=idempotency_key,
        estimate=estimate,
        wait=wait,
        as_json=as_json,
    )


@app.command(epilog=EPILOG)
def show(carousel_id: options.CarouselId, *, as_json: Json = False) -> int:
    """What a carousel says, slide by slide, and where its files are."""
    from maquette.cli.carousel_reports import print_report, report
    from maquette.cli.opening import reading
    from maquette.settings import get_settings

    with reading(get_settings(), code="carousel_not_found") as opened:
        found = report(opened, opened.carousels.get(carousel_id))
    if as_json:
        print_json(found)
    else:
        print_report(found, console())
    return ExitCode.OK


@app.command(epilog=EPILOG)
def edit(
    carousel_id: options.CarouselId,
    number: Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="The slide's number.", show_default=False)],
    *,
    title: Annotated[str | None, typer.Option(help="New title; of all texts an empty one takes it away.")] = None,
    subtitle: Annotated[str | None, typer.Option(help="New subtitle.")] = None,
    body: Annotated[str | None, typer.Option(help="New text.")] = None,
    bullet: Annotated[list[str] | None, typer.Option(help="Point of a new list; repeat it for each.")] = None,
    cta: Annotated[str | None, typer.Option(help="New call to action.")] = None,
    badge: Annotated[str | None, typer.Option(help="New badge.")] = None,
    note: Annotated[str | None, typer.Option(help="New note.")] = None,
    author: Annotated[str | None, typer.Option(help="New author of a quotation.")] = None,
    alt: Annotated[str | None, typer.Option(help="New description for people who do not see it.")] = None,
    caption: Annotated[str | None, typer.Option(help="New text to post beside it.")] = None,
    version: Annotated[
        int | None, typer.Option(min=0, help="Version that you read; refused when it was changed since.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Write new words on one slide, at once; its picture stays, and nothing is charged."""
    from maquette.carousels.briefs import SlideEdit
    from maquette.cli.carousel_reports import print_slides, report
    from maquette.cli.opening import reading
    from maquette.errors import InvalidInput
    from maquette.settings import get_settings

    words = {
        "title": title,
        "subtitle": subtitle,
        "body": body,
        "bullets": None if bullet is None else [point for point in bullet if point.strip()],
        "cta": cta,
        "badge": badge,
        "note": note,
        "author": author,
        "alt": alt,
        "caption": caption,
    }
    if all(text is None for text in words.values()):
        raise InvalidInput("the edit changes nothing: give a title, a subtitle, a body, bullets or another text")
    with reading(get_settings(), code="carousel_not_found") as opened:
        change = SlideEdit.model_validate(words | {"version": version})
        found = report(opened, opened.carousels.edit_slide(carousel_id, number, change))
    if as_json:
        print_json(found)
    else:
        print_slides(found, console(), only=number)
    return ExitCode.OK


@app.command(epilog=EPILOG)
def pdf(
    carousel_id: options.CarouselId,
    *,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write, or a folder.  \\[default: ID.pdf]")
    ] = None,
    as_json: Json = False,
) -> int:
    """Write the slides that are there as one PDF."""
    from maquette.cli.files import save
    from maquette.cli.opening import reading
    from maquette.settings import get_settings

    with reading(get_settings(), code="carousel_not_found") as opened:
        made = opened.carousels.pdf(carousel_id)
        try:
            saved = save(made, output or Path(), name=f"{carousel_id}.pdf")
        finally:
            made.unlink()
    if as_json:
        print_json({"carousel_id": carousel_id, "path": str(saved)})
    else:
        console().print(str(saved), markup=False, soft_wrap=True)
    return ExitCode.OK
