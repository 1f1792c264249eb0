"""Options that several commands share. Only typer is imported here."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import typer

# The same choices and limits as those of the briefs, which a test compares: their import takes as long as all else.
LanguageName = Literal["fr", "en", "es"]
RatioName = Literal["1:1", "4:5", "9:16", "16:9", "2:3", "yt-thumb"]
PlatformName = Literal["instagram", "linkedin", "tiktok", "pinterest", "youtube", "facebook", "x"]
GoalName = Literal["education", "vente", "lead", "engagement", "notoriete"]
CategoryName = Literal["background", "character", "product"]
ColorModeName = Literal["vibrant", "pastel", "neutral"]


# Of options that may be repeated the choices are enumerations: typer knows no other.
class DraftPartName(StrEnum):
    """A part of a draft."""

    IMAGE = "image"
    VIDEO = "video"
    MUSIC = "music"


class SongLanguageName(StrEnum):
    """A language of songs and names."""

    FR = "fr"
    EN = "en"
    ES = "es"
    IT = "it"
    DE = "de"


Language = Annotated[LanguageName, typer.Option(help="Language of texts and messages.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Another seed makes another one of the topic.")]
Brand = Annotated[
    str | None,
    typer.Option(metavar="ID|NAME", help="Who pays, and whose look it is.  \\[default: the default brand]"),
]
OfBrand = Annotated[str | None, typer.Option("--brand", metavar="ID|NAME", help="Only this brand's.")]
IdempotencyKey = Annotated[str | None, typer.Option(help="Repeating the call with this key orders nothing more.")]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Follow until it has ended; starts a stack for it where none runs.")
]
Estimate = Annotated[bool, typer.Option("--estimate", help="Say what it would take, and order nothing.")]

Topic = Annotated[str, typer.Argument(metavar="TOPIC", help="What to make, 1 to 2000 characters.", show_default=False)]
Variants = Annotated[int, typer.Option(min=1, max=4, help="Versions to choose from.")]
Ratio = Annotated[RatioName | None, typer.Option(help="4:5 is 1080×1350.  \\[default: the platform's]")]
Platform = Annotated[PlatformName | None, typer.Option(help="Where it is to be posted; chooses the ratio.")]
Style = Annotated[str, typer.Option(help="A visual style's name, or words of your own.")]
Category = Annotated[CategoryName | None, typer.Option(help="What the picture is to be.")]
ColorMode = Annotated[ColorModeName | None, typer.Option(help="How strong its colours are.")]
Goal = Annotated[GoalName | None, typer.Option(help="What it is to achieve.")]
Tone = Annotated[str, typer.Option(help="How it is to sound or feel, in a few words.")]
References = Annotated[
    list[UUID] | None,
    typer.Option("--reference", metavar="ASSET", help="Picture to go by, from `library add`; repeat it for up to 8."),
]
BrandKit = Annotated[bool, typer.Option("--brand-kit/--no-brand-kit", help="Use the brand's colours, voice and logo.")]
BackgroundOnly = Annotated[bool, typer.Option("--background-only", help="A calm picture for words, without any.")]

OrderId = Annotated[UUID, typer.Argument(metavar="ID", help="The order's id.", show_default=False)]
CarouselId = Annotated[str, typer.Argument(metavar="ID", help="The carousel's id.", show_default=False)]
AssetId = Annotated[UUID, typer.Argument(metavar="ID", help="The asset's id.", show_default=False)]
DraftId = Annotated[str, typer.Argument(metavar="ID", help="The draft's id.", show_default=False)]
DraftAsset = Annotated[
    int, typer.Argument(min=0, metavar="ASSET", help="The asset's number, such as 03.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
