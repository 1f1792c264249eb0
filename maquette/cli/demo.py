"""``maquette demo``: one command to a finished film, with nothing left running."""

from maquette.cli.options import Language, Seed
from maquette.cli.output import Json
from maquette.cli.video_commands import AspectRatio, Crossfade, Style, TargetDuration, Theme


def demo(
    *,
    theme: Theme = "Pourquoi les chats ronronnent",
    target_duration: TargetDuration = 36,
    style: Style = "informative",
    language: Language = "fr",
    aspect_ratio: AspectRatio = "9:16",
    crossfade: Crossfade = 0,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Make one video from a theme, on the embedded default, and show how it goes."""
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
    return order(lambda opened: opened.videos.order(brief).video_id, VIDEO, get_settings(), wait=True, as_json=as_json)
