"""``maquette image …``: order pictures."""

from typing import Annotated

import typer

from maquette.cli import options
from maquette.cli.output import EPILOG, Json

app = typer.Typer(help="Order images.", epilog=EPILOG, no_args_is_help=False)


@app.callback()
def _group() -> None:
    """A group of one command: its name is to be said."""


@app.command(epilog=EPILOG)
def create(
    topic: options.Topic,
    *,
    count: Annotated[int, typer.Option(min=1, max=20, help="How many images.")] = 1,
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
    """Make images of a topic, and say where they are."""
    from maquette.cli.media_orders import order_media

    return order_media(
        {
            "format": "image",
            "topic": topic,
            "count": count,
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
