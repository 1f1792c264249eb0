"""``prompts.json`` of older clients: a draft's prompts by position, and back into its rows."""

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from sqlmodel import Session

from maquette.drafts import repository
from maquette.drafts.documents import Whole
from maquette.drafts.models import MAX_ASSETS, Name, Text
from maquette.drafts.prompts import Prompts, require_known
from maquette.drafts.tables import Draft, DraftAsset, DraftSong
from maquette.drafts.texts import style_of
from maquette.drafts.universe_data import (
    MAX_DESCRIPTION,
    MAX_LYRICS,
    LongText,
    add_assets,
    merged,
    next_number,
    require_finite,
)
from maquette.drafts.wording import image_prompt, video_prompt
from maquette.errors import InvalidInput

# The documents of older clients have one song, and it is French.
LANGUAGE = "fr"

Column = Annotated[list[LongText | None], Field(max_length=MAX_ASSETS)]


class PromptsChange(BaseModel):
    """Keys of ``prompts.json`` to be changed; absent ones stay. Lists go by position, and unknown keys are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    theme: Name | None = None
    description: Annotated[Text, Field(max_length=MAX_DESCRIPTION)] | None = None
    words: Annotated[list[Annotated[Text, Field(max_length=120)]], Field(max_length=MAX_ASSETS)] | None = None
    images: Column | None = None
    videos: Column | None = None
    music: LongText | None = None
    lyrics: Annotated[str, Field(max_length=MAX_LYRICS)] | None = None


def prompts_document(found: Whole, prompts: Prompts) -> dict[str, JsonValue]:
    """``prompts.json``: the prompts filled in as they would be made from, and what else an older file said."""
    draft = found.draft
    song = next((song for song in found.songs if song.language == LANGUAGE), None)
    own: dict[str, JsonValue] = {
        "theme": draft.theme,
        "description": draft.description or prompts.description(draft.theme),
        "words": [asset.display_name for asset in found.assets],
        "images": [_image(draft, asset, prompts) for asset in found.assets],
        "videos": [_video(draft, asset, prompts) for asset in found.assets],
        "music": _music(found, prompts),
        "lyrics": song.lyrics if song else "",
    }
    kept = draft.extra.get("prompts")
    return {**kept, **own} if isinstance(kept, dict) else own


def change_prompts(session: Session, found: Whole, prompts: Prompts, change: PromptsChange, *, replace: bool) -> None:
    """Bring the change into the rows of a draft that the caller has locked; words beyond its assets add some.

    What only repeats what ``prompts_document`` said stays as it is, so that a template still counts. With ``replace``
    the unknown keys take the place of those that were kept. Raises ``InvalidInput`` for lists that are too long, and
    templates that cannot be filled.
    """
    require_finite(change)
    draft, before = found.draft, prompts_document(found, prompts)
    if change.words is not None:
        _change_words(session, found, change.words)
        session.flush()
    assets = repository.assets_of(session, draft.id)
    for key, column, shown in (("images", "image_prompt", _image), ("videos", "video_prompt", _video)):
        texts: Sequence[str | None] = getattr(change, key) or ()
        if len(texts) > len(assets):
            raise InvalidInput(f"{key}: {len(texts)} prompts for {len(assets)} words: send the words with them")
        for asset, text in zip(assets, texts, strict=False):
            if (text or "") != shown(draft, asset, prompts):
                require_known(text or "")
                setattr(asset, column, text or None)
    if change.music is not None and change.music != before["music"]:
        require_known(change.music)
        draft.music_prompt = change.music or None
    if change.lyrics is not None and change.lyrics != before["lyrics"]:
        song = repository.get_song(session, draft.id, LANGUAGE) or DraftSong(draft_id=draft.id, language=LANGUAGE)
        song.lyrics = change.lyrics
        session.add(song)
    if change.theme is not None:
        draft.theme = change.theme
    if change.description is not None and change.description != before["description"]:
        draft.description = change.description or None
    kept = draft.extra.get("prompts")
    there = kept if isinstance(kept, dict) and not replace else {}
    if (rest := merged(there, change.model_extra or {})) != kept:
        draft.extra = {**draft.extra, "prompts": rest}


def style(found: Whole, prompts: Prompts, language: str) -> str:
    """The style of the draft's song in a language, where the song has none of its own.

    Raises ``InvalidInput`` (``unknown_variable``).
    """
    return style_of(found.draft, prompts, [asset.titles.get(language, asset.display_name) for asset in found.assets])


def _change_words(session: Session, found: Whole, words: Sequence[str]) -> None:
    assets = found.assets
    for asset, word in zip(assets, words, strict=False):
        if word and word != asset.display_name:
            # What is drawn goes by the English name, and so did the words.
            asset.display_name, asset.titles = word, {**asset.titles, "en": word}
    added = words[len(assets) :]
    if not all(added):
        raise InvalidInput("words: those that are new may not be empty")
    add_assets(session, found.draft, [(word, {}) for word in added], start=next_number(assets))


def _image(draft: Draft, asset: DraftAsset, prompts: Prompts) -> str:
    return _shown(asset.image_prompt or draft.default_image_prompt, lambda: image_prompt(draft, asset, prompts))


def _video(draft: Draft, asset: DraftAsset, prompts: Prompts) -> str:
    return _shown(asset.video_prompt or draft.default_video_prompt, lambda: video_prompt(draft, asset, prompts))


def _music(found: Whole, prompts: Prompts) -> str:
    return _shown(found.draft.music_prompt, lambda: style(found, prompts, LANGUAGE))


def _shown(template: str | None, filled: Callable[[], str]) -> str:
    try:
        return filled()
    except InvalidInput:  # imported files may hold braces that lead nowhere: shown as they are
        return template or ""
