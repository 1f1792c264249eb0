"""``maquette video …``: order, look, retry, edit."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from maquette.cli.output import EPILOG, ExitCode, Interrupted, Json, console, print_json

if TYPE_CHECKING:
    from maquette.cli.opening import Opened
    from maquette.settings import Settings
    from maquette.videos.service import Placed

app = typer.Typer(help="Order videos, follow them, change them.", epilog=EPILOG, no_args_is_help=False)

# The same choices and limits as those of ``VideoBrief``, which a test compares: its import takes as long as all else.
StyleName = Literal["informative", "humorous", "dramatic", "inspiring"]
LanguageName = Literal["fr", "en", "es"]
AspectRatioName = Literal["9:16", "1:1", "16:9", "4:5"]

Theme = Annotated[str, typer.Option(help="What the film is about, 1 to 500 characters.")]
TargetDuration = Annotated[int, typer.Option(min=8, max=78, help="Seconds; 36 makes five blocks.")]
Style = Annotated[StyleName, typer.Option(help="Tone of the script.")]
Language = Annotated[LanguageName, typer.Option(help="Language of script, captions and messages.")]
AspectRatio = Annotated[AspectRatioName, typer.Option(help="9:16 is 1080×1920.")]
Crossfade = Annotated[float, typer.Option(min=0, max=1, help="Seconds of cross-fade between blocks; 0 cuts hard.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Another seed makes another film of the theme.")]
VideoId = Annotated[str, typer.Argument(metavar="ID", help="The video's id.", show_default=False)]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Follow until it has ended; starts a stack for it where none runs.")
]


@app.command(epilog=EPILOG)
def create(
    *,
    theme: Theme,
    target_duration: TargetDuration = 36,
    style: Style = "informative",
    language: Language = "fr",
    aspect_ratio: AspectRatio = "9:16",
    crossfade: Crossfade = 0,
    seed: Seed = 0,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Repeating the call with this key orders nothing more.")
    ] = None,
    wait: Wait = False,
    as_json: Json = False,
) -> int:
    """Order a video."""
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
    return _order(
        lambda opened: opened.videos.order(brief, idempotency_key=idempotency_key), wait=wait, as_json=as_json
    )


@app.command(epilog=EPILOG)
def status(video_id: VideoId, *, as_json: Json = False) -> int:
    """Where a video stands, block by block."""
    from maquette.cli.opening import reading
    from maquette.cli.reports import print_blocks, print_report, report
    from maquette.settings import get_settings

    settings = get_settings()
    with reading(settings) as opened:
        found = report(opened, opened.videos.get(video_id), settings)
    if as_json:
        print_json(found)
    else:
        print_report(found, console(), run_note=opened.run_note(settings))
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
    from maquette.cli.reports import print_list
    from maquette.settings import get_settings

    settings = get_settings()
    found = []
    if settings.database_url is not None or has_database(settings):
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
def retry(video_id: VideoId, *, wait: Wait = False, as_json: Json = False) -> int:
    """Make what a failed video still lacks; finished clips are kept."""
    return _order(lambda opened: opened.videos.retry(video_id), wait=wait, as_json=as_json)


@app.command(epilog=EPILOG)
def edit(
    video_id: VideoId,
    block: Annotated[int, typer.Argument(min=1, metavar="BLOCK", help="Number of the block.", show_default=False)],
    *,
    dialogue: Annotated[str | None, typer.Option(help="New words; an empty text for a block without speech.")] = None,
    visual: Annotated[str | None, typer.Option(help="New picture.")] = None,
    regenerate: Annotated[bool, typer.Option("--regenerate", help="Make the clip anew with another seed.")] = False,
    wait: Wait = False,
    as_json: Json = False,
) -> int:
    """Change one block; it costs that block and the assembly."""
    from maquette.videos.models import BlockEdit

    change = BlockEdit(dialogue=dialogue, visual=visual, regenerate=regenerate)
    return _order(lambda opened: opened.videos.edit(video_id, block, change), wait=wait, as_json=as_json)


def _order(place: "Callable[[Opened], Placed]", *, wait: bool, as_json: bool) -> int:
    from maquette.settings import get_settings

    settings = get_settings()
    return order_and_wait(place, settings, as_json=as_json) if wait else _order_only(place, settings, as_json=as_json)


def _order_only(place: "Callable[[Opened], Placed]", settings: "Settings", *, as_json: bool) -> int:
    from maquette.cli.opening import ordering
    from maquette.cli.reports import print_report, report

    with ordering(settings, with_work=False) as opened:
        document = opened.videos.get(place(opened).video_id)
        found = report(opened, document, settings)
    if opened.stack is None and settings.database_url is None:
        console(stderr=True).print(
            "No stack runs on this home: the order waits for the next `maquette up`.", soft_wrap=True
        )
    if as_json:
        print_json(found)
    else:
        print_report(found, console(), run_note=opened.run_note(settings))
    return ExitCode.OK


def order_and_wait(place: "Callable[[Opened], Placed]", settings: "Settings", *, as_json: bool) -> int:
    """Place an order, show its progress, and report. Leaves nothing running that it started.

    Raises ``Interrupted``; what ``place`` raises; ``StackError``.
    """
    from maquette.cli.opening import ordering
    from maquette.cli.progress import follow, shown
    from maquette.cli.reports import print_report, report
    from maquette.launch.processes import stop_on_signals
    from maquette.launch.stack import kill_at_once
    from maquette.videos.rules import VideoStatus

    stderr = console(stderr=True)
    with (
        stop_on_signals(at_once=lambda: kill_at_once(settings)) as stop,
        shown(stderr=stderr) as progress,
        ordering(settings, with_work=True, stop=stop, on_step=progress.step) as opened,
    ):
        if stop.is_set():
            raise Interrupted("interrupted; nothing was ordered")
        video_id = place(opened).video_id
        document = follow(
            lambda: opened.videos.get(video_id), progress, stop=stop, check=lambda: opened.require_stack(settings)
        )
        found = report(opened, document, settings)
        if stop.is_set() and opened.is_ours:
            progress.say("stopping (once more kills at once)")
    ended = document.status in (VideoStatus.COMPLETED, VideoStatus.FAILED)
    if not ended:
        goes_on = "goes on with the next `maquette up`" if opened.is_ours else "goes on"
        raise Interrupted(f"interrupted; {video_id} is ordered and {goes_on}: `maquette video status {video_id}`")
    if as_json:
        print_json(found)
    else:
        print_report(found, console(), run_note=opened.run_note(settings))
    return ExitCode.OK if document.status is VideoStatus.COMPLETED else ExitCode.VIDEO_FAILED
