"""``data.json`` as older clients change it: merged one level deep, and brought back into the draft's rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from sqlmodel import Session

from maquette.drafts import repository
from maquette.drafts.concepts import file_stem
from maquette.drafts.documents import Whole, data_document
from maquette.drafts.models import MAX_ASSETS, MAX_PROMPT, Name, Text
from maquette.drafts.prompts import require_known
from maquette.drafts.tables import Draft, DraftAsset, DraftSong
from maquette.errors import InvalidInput
from maquette.providers.text.port import UniverseLanguage
from maquette.videos.rules import clean_text

MAX_LYRICS: Final = 5000
MAX_DESCRIPTION: Final = 2000
LongText = Annotated[str, Field(max_length=MAX_PROMPT), AfterValidator(clean_text)]


class ItemChange(BaseModel):
    """An item of ``data.json``. Names of files say only which item is meant; unknown keys are kept with it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    title: Annotated[Text, Field(max_length=120)] | None = None
    image: str | None = None
    video: str | None = None
    title_translations: dict[UniverseLanguage, Text] | None = None


class SongText(BaseModel):
    """A song's texts in ``data.json``. It takes the place of what was there for its language."""

    model_config = ConfigDict(frozen=True, extra="allow")

    lyrics: Annotated[str, Field(max_length=MAX_LYRICS)] | None = None
    prompt: LongText | None = None


class DataChange(BaseModel):
    """Keys of ``data.json`` to be changed. Objects are merged one level deep, all else is replaced.

    Unknown keys are kept in the same way.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    items: list[ItemChange] | None = None
    translations: dict[UniverseLanguage, list[Text]] | None = None
    background_color: str | None = None
    description: Annotated[Text, Field(max_length=MAX_DESCRIPTION)] | None = None
    thumbnail: str | None = None
    theme: Name | None = None
    theme_translations: dict[UniverseLanguage, Text] | None = None
    music_translations: dict[UniverseLanguage, SongText] | None = None


def merged(document: Mapping[str, JsonValue], patch: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """``document`` with the keys of ``patch``: objects merged one level deep, all else replaced."""
    result = dict(document)
    for key, value in patch.items():
        there = result.get(key)
        result[key] = {**there, **value} if isinstance(there, dict) and isinstance(value, dict) else value
    return result


def change_data(session: Session, found: Whole, change: DataChange) -> None:
    """Bring the change into the rows of a draft that the caller has locked.

    Raises ``InvalidInput`` for what no row can hold: items that are left out or show other files, lists of another
    length, another cover than the first picture, a color that is none (``invalid_color``).
    """
    require_finite(change)
    draft, before, given = found.draft, data_document(found), change.model_fields_set
    titles = {asset.number: dict(asset.titles) for asset in found.assets}
    if change.theme is not None:
        draft.theme = change.theme
    if "description" in given and change.description != before["description"]:
        draft.description = change.description or None
    if "background_color" in given:
        draft.background_color = color_of(change.background_color)
    if "thumbnail" in given and change.thumbnail != before["thumbnail"]:
        raise InvalidInput("thumbnail: it is always the first picture; make that one anew instead")
    if change.theme_translations is not None:
        draft.titles = {**draft.titles, **_plain(change.theme_translations)}
    if change.items is not None:
        _change_items(session, found, change.items)
    if change.translations is not None:
        _change_titles(session, found, change, shown=before["translations"], titles=titles)
    for language, text in (change.music_translations or {}).items():
        _change_song(session, draft, language, text)
    if change.model_extra:
        kept = draft.extra.get("data")
        draft.extra = {**draft.extra, "data": merged(kept if isinstance(kept, dict) else {}, change.model_extra)}


def require_finite(change: BaseModel) -> None:
    """Raises ``InvalidInput`` for NaN and infinities, which Python reads in JSON and no database keeps."""
    try:
        json.dumps(change.model_dump(), allow_nan=False)
    except ValueError:
        raise InvalidInput("NaN and Infinity are no JSON: send numbers or null") from None


def color_of(text: str | None) -> str | None:
    """The color, ``#rrggbb``. Raises ``InvalidInput`` (``invalid_color``)."""
    digits = set("0123456789abcdefABCDEF")
    if text is not None and not (len(text) == 7 and text[0] == "#" and digits.issuperset(text[1:])):
        raise InvalidInput("a color is # and six hexadecimal digits", code="invalid_color")
    return text


def add_assets(session: Session, draft: Draft, titles: Sequence[tuple[str, Mapping[str, str]]], *, start: int) -> None:
    """New assets with their names and titles, without files, numbered from ``start``. Raises ``InvalidInput``."""
    if start + len(titles) > MAX_ASSETS:
        raise InvalidInput(f"a universe has {MAX_ASSETS} items at most, not {start + len(titles)}")
    for number, (name, by_language) in enumerate(titles, start=start):
        stem = file_stem(number, by_language.get("en") or name)
        session.add(
            DraftAsset(
                draft_id=draft.id,
                number=number,
                display_name=name,
                titles={"en": name, **by_language},
                image_file=f"{stem}.png",
                video_file=f"{stem}_silent.webm",
            )
        )
    if titles:
        draft.words = None  # read from the assets from now on


def next_number(assets: Sequence[DraftAsset]) -> int:
    """The first number after all that are there."""
    return max((asset.number for asset in assets), default=-1) + 1


def _change_items(session: Session, found: Whole, items: Sequence[ItemChange]) -> None:
    assets = found.assets
    if len(items) < len(assets):
        raise InvalidInput(f"items: the universe has {len(assets)}, and none of them can be left out: send them all")
    for index, (asset, item) in enumerate(zip(assets, items, strict=False)):
        for said, there in ((item.image, asset.image_file), (item.video, asset.video_file)):
            if said and said != there:
                raise InvalidInput(
                    f"items.{index}: its file is {there}, not {said[:100]}: keep the items' order, and name files "
                    "anew with rename-media"
                )
        if item.title:
            asset.display_name = item.title
        if item.title_translations is not None:
            asset.titles = _plain(item.title_translations)
        asset.extra = dict(item.model_extra or {})
    added = items[len(assets) :]
    if any(not item.title or item.image or item.video for item in added):
        raise InvalidInput(f"items: those from {len(assets)} on are new: give each a title, and no files yet")
    new = [(item.title or "", _plain(item.title_translations or {})) for item in added]
    add_assets(session, found.draft, new, start=next_number(assets))


def _change_titles(
    session: Session, found: Whole, change: DataChange, *, shown: JsonValue, titles: Mapping[int, Mapping[str, str]]
) -> None:
    """``shown`` are the translations as they were told before the change, ``titles`` the assets' own by number."""
    session.flush()
    assets = repository.assets_of(session, found.draft.id)
    told = shown if isinstance(shown, dict) else {}
    for language, column in (change.translations or {}).items():
        if len(column) != len(assets):
            raise InvalidInput(f"translations.{language}: {len(assets)} titles are expected, one for each item")
        was = told.get(language)
        for index, (asset, text) in enumerate(zip(assets, column, strict=True)):
            if isinstance(was, list) and index < len(was) and was[index] == text:
                continue
            item = change.items[index] if change.items else None
            said = (item.title_translations or {}).get(language) if item else None
            # An item says its own title more exactly, unless it only repeats what was there.
            if said is None or said == titles.get(asset.number, {}).get(language):
                asset.titles = {**asset.titles, str(language): text}


def _change_song(session: Session, draft: Draft, language: str, text: SongText) -> None:
    song = repository.get_song(session, draft.id, language)
    lyrics, prompt, extra = text.lyrics or "", text.prompt or "", dict(text.model_extra or {})
    if song is None and not (lyrics or prompt or extra):
        return
    song = song or DraftSong(draft_id=draft.id, language=language)
    if prompt != song.prompt:
        require_known(prompt)
    song.lyrics, song.prompt, song.extra = lyrics, prompt, extra
    session.add(song)


def _plain(texts: Mapping[UniverseLanguage, str]) -> dict[str, str]:
    return {str(language): text for language, text in texts.items()}
