"""What people should know of a universe that arrives: what is missing, odd, or shorter than it should be."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from maquette.drafts.legacy_mapping import Arrival, few
from maquette.drafts.models import MAX_ASSETS
from maquette.drafts.prompts import require_known
from maquette.errors import MaquetteError
from maquette.providers.text.port import UNIVERSE_LANGUAGES

_LONGEST: Final = 60
# What writers say around their lists, in the five languages, as it was found in real universes.
_CHATTER: Final = re.compile(
    r"^\W*(sure|bien sûr|seguro|sicuro|sicher|okay|ok)\W*$"
    r"|^\W*(here (are|is)|voici|he aquí|aquí (están|tienes)|ecco|hier (sind|ist))\b"
    r"|^-{2,}|^```",
    re.IGNORECASE,
)
_ANSWER: Final = re.compile(r"^\W*(sure|of course|certainly|here\W?s|here (is|are)|bien sûr|voici)\b", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"^\s*\d+\s*[.)]\s")


def remarks_of(arrival: Arrival) -> list[str]:
    """Remarks for the report, those that matter most first."""
    return [*_shape(arrival), *_texts(arrival), *arrival.remarks, *arrival.universe.source.remarks]


def is_chatter(text: str) -> bool:
    """Is the text what a writer said around its list, and no name?"""
    return bool(_CHATTER.search(text)) or "\n" in text.strip() or len(text) > _LONGEST


def _shape(arrival: Arrival) -> Iterator[str]:
    universe, count = arrival.universe, len(arrival.assets)
    if count == 0:
        yield "it has no items: the draft is empty"
    if count > MAX_ASSETS:
        yield f"it has {count} items, more than the {MAX_ASSETS} that a draft is made with: all are kept"
    if universe.variant == "words":
        yield f"it has no data.json: its {count} items are its words, still to be drawn"
    if universe.metadata and universe.metadata.num_assets not in (None, count):
        yield f"metadata.json counts {universe.metadata.num_assets} assets, {count} are there"
    if arrival.missing:
        yield f"{len(arrival.missing)} media files are missing: {few(arrival.missing)}"
    for name in ("words", "images", "videos") if universe.prompts else ():
        values = getattr(universe.prompts, name)
        said = [value for value in values or () if value]
        if values is not None and len(said) != count:
            yield f"prompts.json: {name} says {len(said)} of {count}; they count by position"
    first = arrival.draft.default_image_prompt
    if first and "{" not in first and any(asset.image_prompt is None for asset in arrival.assets):
        yield "the default image prompt names one concept: give the draft a template before pictures are made anew"
    if (called := arrival.index.get("name")) and called != arrival.draft.name:
        yield f"index.json calls it {called!r}; the draft is called {arrival.draft.name!r} after its folder"
    said_color = universe.data.background_color if universe.data else None
    if said_color and arrival.draft.background_color is None:
        yield f"the background colour {said_color!r} is not of the form #rrggbb: set it anew"


def _texts(arrival: Arrival) -> Iterator[str]:
    universe = arrival.universe
    titles = [(f"{asset.number:02d} {language}", text)
              for asset in arrival.assets
              for language, text in (("title", asset.display_name), *asset.titles.items())]  # fmt: skip
    said = universe.words.words if universe.words else None
    words = [(f"words.json {index}", word) for index, word in enumerate(said or ()) if word]
    for what, test in (("a writer's chatter", is_chatter), ("numbered lists", _NUMBERED.search)):
        if found := [f"{where} {_short(text)}" for where, text in (*titles, *words) if test(text)]:
            yield f"{len(found)} {'names look' if len(found) > 1 else 'name looks'} like {what}: {few(found, shown=3)}"
    if chatty := [song.language for song in arrival.songs if _ANSWER.search(song.lyrics)]:
        yield f"the lyrics in {', '.join(chatty)} begin with what a writer said around them: read them"
    if missing := [each for each in UNIVERSE_LANGUAGES if not all(each in asset.titles for asset in arrival.assets)]:
        yield f"not all items are named in {', '.join(missing)}: their titles stand in"
    prompts = [prompt for asset in arrival.assets for prompt in (asset.image_prompt, asset.video_prompt)]
    if unknown := _unknown_variables(prompts):
        yield f"a prompt cannot be filled in: {unknown}"


def _unknown_variables(prompts: Sequence[str | None]) -> str | None:
    for prompt in prompts:
        try:
            if prompt:
                require_known(prompt)
        except MaquetteError as error:
            return str(error)
    return None


def _short(text: str) -> str:
    said = " ".join(text.split())
    return repr(said if len(said) <= 40 else f"{said[:39]}…")
