"""The whole prompts of assets and songs, filled in from the templates that apply to it."""

from collections.abc import Sequence
from typing import Final

from maquette.drafts.prompts import VARIABLES, Prompts, fill
from maquette.drafts.tables import Draft, DraftAsset
from maquette.errors import InvalidInput

MAX_FILLED: Final = 5000


def image_prompt(draft: Draft, asset: DraftAsset, prompts: Prompts, *, template: str | None = None) -> str:
    """The prompt of the asset's picture: of ``template``, else its own, else the draft's, else the theme's.

    Raises ``InvalidInput`` (``unknown_variable``), also for what is longer than ``MAX_FILLED``.
    """
    # Imported prompts may be templates until their picture was made here.
    imported = draft.source_hash is not None and asset.generation_count == 0
    if template is None and asset.image_prompt and _is_whole(asset.image_prompt, imported=imported):
        return asset.image_prompt
    wanted = template or asset.image_prompt or draft.default_image_prompt or prompts.image(draft.theme)
    return _filled(wanted, draft, asset, prompts)


def video_prompt(draft: Draft, asset: DraftAsset, prompts: Prompts, *, template: str | None = None) -> str:
    """The same of the asset's loop."""
    imported = draft.source_hash is not None
    if template is None and asset.video_prompt and _is_whole(asset.video_prompt, imported=imported):
        return asset.video_prompt
    wanted = template or asset.video_prompt or draft.default_video_prompt or prompts.video(draft.theme)
    return _filled(wanted, draft, asset, prompts)


def concept_name(asset: DraftAsset) -> str:
    """What the asset's picture shows, in English where it is known.

    A display name that is none of the titles is another thing than they name, as in universes whose words and titles
    went apart: then it counts.
    """
    is_one_of_them = asset.display_name.casefold() in {title.casefold() for title in asset.titles.values()}
    return asset.titles["en"] if is_one_of_them and asset.titles.get("en") else asset.display_name


def style_of(draft: Draft, prompts: Prompts, words: Sequence[str], *, own: str = "") -> str:
    """The style of a song: its ``own``, else the draft's music. Raises ``InvalidInput`` (``unknown_variable``)."""
    if own and not _is_template(own):
        return own
    return fill(
        own or draft.music_prompt or prompts.music(draft.theme),
        concept=draft.theme,
        theme=draft.theme,
        description=draft.description or prompts.description(draft.theme),
        words=words,
    )


def _is_whole(prompt: str, *, imported: bool) -> bool:
    """What was written here was filled in then: a brace in it is a brace, unless it names what can be filled."""
    return not imported and not _is_template(prompt)


def _is_template(prompt: str) -> bool:
    """Does it name something that can be filled in?"""
    return any(f"{{{name}}}" in prompt for name in VARIABLES)


def _filled(template: str, draft: Draft, asset: DraftAsset, prompts: Prompts) -> str:
    filled = fill(
        template,
        concept=concept_name(asset),
        theme=draft.theme,
        description=draft.description or prompts.description(draft.theme),
        words=(asset.display_name,),
    )
    if len(filled) > MAX_FILLED:
        raise InvalidInput(f"a prompt has {len(filled)} characters once it is filled in, of {MAX_FILLED}: shorten it")
    return filled
