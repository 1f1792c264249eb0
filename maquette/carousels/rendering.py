"""From a slide's words to its picture: the domain's shapes mapped to those of the renderer."""

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Final

import yaml
from pydantic import JsonValue

from maquette.brands.models import BrandKit
from maquette.carousels.briefs import CarouselBrief
from maquette.carousels.models import SlideText
from maquette.errors import InvalidInput
from maquette.images.rules import SIZES, item_seed
from maquette.media.slides import (
    SlideContent,
    SlideStyle,
    fit_background,
    open_logo,
    render_slide,
    require_fits,
    save_image,
)
from maquette.rehearsal import crash_point
from maquette.storage.port import Store

# What a slide can do without, the least important first.
SPARE: Final = ("note", "body", "badge", "bullets", "kpis", "subtitle")


def content_of(text: SlideText) -> SlideContent:
    """What of the words is drawn."""
    return SlideContent.model_validate(text.model_dump(exclude={"alt", "caption"}))


def drawn(text: SlideText) -> str:
    """All words that are drawn, for the question whether a font has them."""
    words = [text.title, text.subtitle, text.body, *text.bullets, text.cta, text.badge, text.note, text.author]
    return " ".join([*words, *(f"{kpi.delta} {kpi.label}" for kpi in text.kpis)])


def made_to_fit(
    text: SlideText, *, given: Collection[str], style: SlideStyle, brief: CarouselBrief
) -> tuple[SlideText, list[str]]:
    """A slide's words without what has no room, and the fields that were left out or shortened.

    A writer's words go, the least important first; those that the client has ``given`` stay. Raises ``InvalidInput``
    (``text_does_not_fit``) when what must stay does not fit.
    """
    left_out: list[str] = []
    while True:
        try:
            require_fits(content_of(text), style=style, size=SIZES[brief.ratio], total=brief.slides)
        except InvalidInput as error:
            spare = [field for field in SPARE if field not in given and getattr(text, field)]
            if error.code != "text_does_not_fit" or not spare:
                raise
            value = getattr(text, spare[0])
            text = text.model_copy(update={spare[0]: value[:-1] if isinstance(value, list) else ""})
            left_out.append(spare[0])
        else:
            return text, list(dict.fromkeys(left_out))


def look_of(kit: BrandKit, brief: CarouselBrief) -> BrandKit:
    """The kit that a carousel's pictures and slides go by: the brand's or a neutral one, never without colours."""
    look = kit if brief.use_brand_kit else BrandKit()
    if look.palette:
        return look
    palettes = _palettes()
    return look.model_copy(update={"palette": palettes[item_seed(brief.seed, brief.topic, 0) % len(palettes)]})


def style_of_kit(look: BrandKit) -> SlideStyle:
    """The renderer's style of a look."""
    return SlideStyle(
        title_font=look.fonts.get("primary", ""),
        body_font=look.fonts.get("secondary", ""),
        text_color=look.text_color,
        palette=tuple(look.palette),
    )


def style_of(document: JsonValue) -> SlideStyle:
    """The style that a slide's provenance keeps, so that an edit looks like the slide before."""
    return SlideStyle.model_validate(document)


def render_file(
    store: Store,
    background: Path,
    text: SlideText,
    *,
    brief: CarouselBrief,
    style: SlideStyle,
    number: int,
    logo: Path | None,
) -> Path:
    """The finished slide in a temporary file. Raises ``InvalidInput`` (``text_does_not_fit``), ``MediaError``."""
    picture = fit_background(background, *SIZES[brief.ratio])
    if not brief.background_only:
        mark = open_logo(logo) if logo is not None else None
        picture = render_slide(picture, content_of(text), style=style, number=number, total=brief.slides, logo=mark)
    crash_point("during-rendering")
    made = store.temporary(".png" if brief.slide_format == "png" else ".jpg")
    save_image(picture, made)
    return made


@lru_cache
def _palettes() -> list[list[str]]:
    rows: list[list[str]] = yaml.safe_load(Path(__file__).with_name("palettes.yaml").read_text("utf-8"))
    return rows
