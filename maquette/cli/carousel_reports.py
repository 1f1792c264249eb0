"""What the commands say of a carousel."""

from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from maquette.carousels.models import SlideText
from maquette.carousels.service import CarouselDocument, slides_of
from maquette.cli.opening import Opened
from maquette.library.models import Asset


class SlideFile(BaseModel):
    """A finished slide under its readable name."""

    number: int
    path: Path


class CarouselReport(CarouselDocument):
    """The document of ``carousel show`` and ``edit``."""

    files: list[SlideFile]


def report(opened: Opened, document: CarouselDocument) -> CarouselReport:
    """The report of a carousel as it stands."""
    with opened.database.begin() as session:
        slides = slides_of(session, document.carousel_id)
    found = ((slide_number(slide), slide_path(opened, slide)) for slide in slides)
    files = [SlideFile(number=number, path=path) for number, path in found if path is not None]
    return CarouselReport(**dict(document), files=files)


def slide_number(asset: Asset) -> int:
    """The slide's number within its carousel, from 1."""
    return (asset.slide_index or 0) + 1


def slide_path(opened: Opened, asset: Asset) -> Path | None:
    """Where a slide is under its readable name; ``None`` when it is not there any more."""
    return opened.published(asset, f"slide_{slide_number(asset):02d}{Path(asset.key).suffix}")


def print_report(shown: CarouselReport, console: Console) -> None:
    """The carousel, its slides, and what the linter remarked."""
    console.print(Text(shown.topic, style="bold"), soft_wrap=True)
    facts = f"{shown.carousel_id}  ({shown.slides_ordered} slides, {shown.ratio}, {shown.language})"
    console.print(Text(facts, style="dim"), soft_wrap=True)
    print_slides(shown, console)
    if not shown.slides:
        console.print("\nIts plan is not written yet.")
    for warning in shown.warnings:
        console.print(Text(warning, style="yellow"), soft_wrap=True)


def print_slides(shown: CarouselReport, console: Console, *, only: int | None = None) -> None:
    """Each slide's words and file, or those of one slide."""
    paths = {file.number: file.path for file in shown.files}
    for slide in shown.slides:
        if only in (None, slide.number):
            console.print()
            head = Text.assemble((f"{slide.number:>2}  {slide.text.type:<9} ", "cyan"), (slide.text.title, "bold"))
            if slide.version:
                head.append(f"  (version {slide.version})", style="dim")
            console.print(head, soft_wrap=True)
            for line in _lines(slide.text):
                console.print(Padding(line, (0, 0, 0, 4), expand=False))
            path = str(paths.get(slide.number, "not made yet"))
            console.print(Text(f"    {path}", style="dim"), soft_wrap=True)


def _lines(text: SlideText) -> list[Text]:
    def named(*names: str) -> list[Text]:
        return [Text.assemble((f"{name:<9} ", "dim"), getattr(text, name)) for name in names if getattr(text, name)]

    points = [*text.bullets, *(f"{kpi.delta} {kpi.label}" for kpi in text.kpis)]
    return [
        *named("subtitle", "body"),
        *(Text(f"{'':<9} • {point}") for point in points),
        *named("cta", "badge", "note", "author", "caption", "alt"),
    ]
