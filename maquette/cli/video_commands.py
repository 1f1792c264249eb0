"""``maquette video …``: order, look, retry, edit."""

from typing import Annotated, Literal

import typer

from maquette.cli import options
from maquette.cli.output import EPILOG, ExitCode, Json, console, print_json

app = typer.Typer(help="Order videos, follow them, change them.", epilog=EPILOG, no_args_is_help=False)

# The same choices and limits as those of ``VideoBrief``, which a test compares: its import takes as long as all else.
StyleName = Literal["informative", "humorous", "dramatic", "inspiring"]
AspectRatioName = Literal["9:16", "1:1", "16:9", "4:5"]

Theme = Annotated[str, typer.Option(help="What the film is about, 1 to 500 characters.")]
TargetDuration = Annotated[int, typer.Option(min=8, max=78, help="Seconds; 36 makes five blocks.")]
Style = Annotated[StyleName, typer.Option(help="Tone of the script.")]
AspectRatio = Annotated[AspectRatioName, typer.Option(help="9:16 is 1080×1920.")]
Crossfade = Annotated[float, typer.Option(min=0, max=1, help="Seconds of cross-fade between blocks; 0 cuts hard.")]
VideoId = Annotated[str, typer.Argument(metavar="ID", help="The video's id.", show_default=False)]


@app.command(epilog=EPILOG)
def create(
    *,
    theme: Theme,
    target_duration: TargetDuration = 36,
    style: Style = "informative",
    language: options.Language = "fr",
    aspect_ratio: AspectRatio = "9:16",
    crossfade: Crossfade = 0,
    seed: options.Seed = 0,
    brand: options.Brand = None,
    idempotency_key: options.IdempotencyKey = None,
    wait: options.Wait = False,
    as_json: Json = False,
) -> int:
    """Order a video."""
    from maquette.cli.following import order
    from maquette.cli.video_reports import VIDEO
    from maquette.settings import get_settings
    from maquette.videos.models import VideoBrief

    brief = VideoBrief(
        theme=theme,
        target_duration=target_duration,
        style=style,
        language=language,
        aspect_ratio=aspect_ratio,
        crossfade_s=crossfade,
        seed=seed,
    )
    return order(
        lambda opened: (
            opened.videos.order(brief, brand_id=opened.brand_id(brand), idempotency_key=idempotency_key).video_id
        ),
        VIDEO,
        get_settings(),
        wait=wait,
        as_json=as_json,
    )


@app.command(epilog=EPILOG)
def status(video_id: VideoId, *, as_json: Json = False) -> int:
    """Where a video stands, block by block."""
    from maquette.cli.opening import reading
    from maquette.cli.video_reports import print_blocks, print_report, report
    from maquette.settings import get_settings

    with reading(get_settings(), code="video_not_found") as opened:
        found = report(opened, opened.videos.get(video_id))
    if as_json:
        print_json(found)
    else:
        print_report(found, console(), opened.run_note)
        print_blocks(found, console())
    return ExitCode.OK


@app.command("list", epilog=EPILOG)
def list_(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    as_json: Json = False,
) -> int:
    """The newest videos."""
    from maquette.cli.opening import has_database, reading
    from maquette.cli.video_reports import print_list
    from maquette.settings import get_settings

    settings = get_settings()
    found = []
    if has_database(settings):
        with reading(settings) as opened:
            found = opened.videos.list(limit=limit)
    if as_json:
        print_json({"videos": [video.model_dump(mode="json") for video in found], "count": len(found)})
    elif found:
        print_list(found, console())
    else:
        console().print(
            f"No videos in {settings.home.absolute()} yet: `maquette demo` makes one.", markup=False, soft_wrap=True
        )
    return ExitCode.OK


@app.command(epilog=EPILOG)
def retry(video_id: VideoId, *, wait: options.Wait = False, as_json: Json = False) -> int:
    """Make what a failed video still lacks; finished clips are kept."""
    from maquette.cli.following import order
    from maquette.cli.video_reports import VIDEO
    from maquette.settings import get_settings

    return order(
        lambda opened: opened.videos.retry(video_id).video_id, VIDEO, get_settings(), wait=wait, as_json=as_json
    )


@app.command(epilog=EPILOG)
def edit(
    video_id: VideoId,
    block: Annotated[int, typer.Argument(min=1, metavar="BLOCK", help="Number of the block.", show_default=False)],
    *,
    dialogue: Annotated[str | None, typer.Option(help="New words; an empty text for a block without speech.")] = None,
    visual: Annotated[str | None, typer.Option(help="New picture.")] = None,
    regenerate: Annotated[bool, typer.Option("--regenerate", help="Make the clip anew with another seed.")] = False,
    wait: options.Wait = False,
    as_json: Json = False,
) -> int:
    """Change one block; it costs that block and the assembly."""
    from maquette.cli.following import order
    from maquette.cli.video_reports import VIDEO
    from maquette.settings import get_settings
    from maquette.videos.models import BlockEdit

    change = BlockEdit(dialogue=dialogue, visual=visual, regenerate=regenerate)
    return order(
        lambda opened: opened.videos.edit(video_id, block, change).video_id,
        VIDEO,
        get_settings(),
        wait=wait,
        as_json=as_json,
    )
