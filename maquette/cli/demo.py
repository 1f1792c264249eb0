"""``maquette demo``: one command to a finished film, with nothing left running."""

from maquette.cli.output import Json
from maquette.cli.video_commands import (
    AspectRatio,
    Crossfade,
    Language,
    Seed,
    Style,
    TargetDuration,
    Theme,
    order_and_wait,
)


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
    return order_and_wait(lambda opened: opened.videos.order(brief), get_settings(), as_json=as_json)
