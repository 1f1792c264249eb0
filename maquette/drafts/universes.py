"""Universes: drafts as the clients of the time before drafts know them, by the name of a folder.

Nothing is kept twice. Each document is read off the draft's rows, and what clients change of it goes back into them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, JsonValue
from slugify import slugify
from sqlmodel import Session, col, select

from maquette.drafts import repository
from maquette.drafts.concepts import file_stem
from maquette.drafts.documents import data_document, whole
from maquette.drafts.folder import files_of
from maquette.drafts.models import NewDraft
from maquette.drafts.prompts import Prompts
from maquette.drafts.service import Drafts, prompts_of
from maquette.drafts.tables import Draft, DraftSong
from maquette.drafts.universe_data import DataChange, change_data, color_of
from maquette.drafts.universe_prompts import PromptsChange, change_prompts, prompts_document, style
from maquette.drafts.wording import concept_name
from maquette.errors import InvalidInput, NotFound
from maquette.library.models import Asset
from maquette.providers.text.port import UNIVERSE_LANGUAGES

BASE: Final = "/storage/univers"
MAX_LISTED: Final = 500
LEGACY: Final = "legacy:"


class ListedUniverse(BaseModel):
    """An entry of ``index.json``."""

    name: str
    folder: str


class FoundUniverse(BaseModel):
    """The draft that a name means. ``numbers`` are those of its assets, by position."""

    draft_id: str
    name: str
    folder: str
    theme: str
    numbers: list[int]

    def path(self, file: str | None) -> str | None:
        """The address of one of its files."""
        return f"{BASE}/{self.folder}/{file}" if file else None

    def number(self, index: int) -> int:
        """The number of the asset at a position. Raises ``InvalidInput`` (``invalid_index``)."""
        if not 0 <= index < len(self.numbers):
            raise InvalidInput(f"{self.name} has {len(self.numbers)} items, from 0 on", code="invalid_index")
        return self.numbers[index]


class RenamedFile(BaseModel):
    """A file and its new name."""

    old: str
    new: str


def folder_of(name: str) -> str:
    """A universe's folder by its name: ``Ma Jungle`` → ``ma_jungle``."""
    return name.lower().replace(" ", "_")


def older_folder(draft: Draft) -> str:
    """The folder that older clients know the draft by: the one that it was migrated from, else its slug's."""
    if draft.source is not None and draft.source.startswith(LEGACY):
        return draft.source.rpartition("/")[2]
    return draft.slug.replace("-", "_")


def find_draft(session: Session, name: str, *, missing: str = "universe_not_found") -> Draft:
    """The draft that ``name`` means: its own folder or id, else the folder of its time before, else its slug.

    A name without letters that a slug can have is looked for as it is. Of several the one that was changed last.
    Raises ``NotFound`` with the code ``missing``.
    """
    key, slug = folder_of(name), slugify(name, max_length=60)
    if key and key.isprintable():  # no database looks for a NUL
        source = sa.func.lower(col(Draft.source))
        found = session.exec(
            select(Draft).where(
                sa.or_(
                    col(Draft.folder) == key,
                    col(Draft.id) == key,
                    sa.and_(source.startswith(LEGACY), source.endswith(f"/{key}", autoescape=True)),
                    col(Draft.slug) == slug if slug else sa.func.lower(col(Draft.name)) == name.lower(),
                )
            )
        ).all()
        if found:
            return min(
                found,
                key=lambda draft: (
                    key not in (draft.folder, draft.id),
                    older_folder(draft).lower() != key,
                    -draft.updated_at.timestamp(),
                ),
            )
    raise NotFound(f"there is no universe {name[:100]}", code=missing)


class Universes:
    """The use cases of older clients. Each call is one transaction of the draft that its name means."""

    def __init__(self, drafts: Drafts) -> None:
        self.drafts = drafts
        self.database = drafts.database

    @property
    def prompts(self) -> Prompts:
        """The prompts by theme."""
        return prompts_of(self.drafts.settings)

    def list(self) -> list[ListedUniverse]:
        """``index.json``: every draft, newest change first. Of several with one folder the newest has it alone."""
        with self.database.begin() as session:
            drafts = repository.newest_first(session, limit=MAX_LISTED)
        taken: set[str] = set()
        listed = []
        for draft in drafts:
            folder = older_folder(draft)
            if folder.lower() in taken:
                folder = draft.folder
            taken.add(folder.lower())
            listed.append(ListedUniverse(name=draft.name, folder=folder))
        return listed

    def find(self, name: str, *, missing: str = "universe_not_found") -> FoundUniverse:
        """The universe of that name. Raises ``NotFound`` with the code ``missing``, as all that follow."""
        with self.database.begin() as session:
            draft = find_draft(session, name, missing=missing)
            return FoundUniverse(
                draft_id=draft.id,
                name=draft.name,
                # As it was asked for: the newest of several has the plain folder, and others their own.
                folder=draft.folder if folder_of(name) in (draft.folder, draft.id) else older_folder(draft),
                theme=draft.theme,
                numbers=[asset.number for asset in repository.assets_of(session, draft.id)],
            )

    def create(self, name: str, theme: str) -> FoundUniverse:
        """A new universe, without items yet; without a theme its name is the theme.

        Raises ``InvalidInput`` (``universe_exists``) where the name means one already.
        """
        with self.database.begin() as session:
            turn = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:folder, 23))")
            session.execute(turn, {"folder": slugify(name)})  # two that ask at once get one universe
            try:
                there = find_draft(session, name)
            except NotFound:
                made = self.drafts.add(session, NewDraft(name=name, theme=theme or name))
            else:
                raise InvalidInput(f"{name} is draft {there.id}", code="universe_exists", name=name)
        self.drafts.follow(made.draft_id)
        return self.find(name)

    def prompts_of(self, name: str) -> dict[str, JsonValue]:
        """``prompts.json``. Raises ``NotFound`` (``prompts_not_found``)."""
        with self.database.begin() as session:
            found = whole(session, find_draft(session, name, missing="prompts_not_found"))
            return prompts_document(found, self.prompts)

    def change_prompts(self, name: str, change: PromptsChange, *, replace: bool) -> dict[str, JsonValue]:
        """Change ``prompts.json``; as it is then. Raises as ``universe_prompts.change_prompts``, ``Conflict``."""
        draft_id = self.find(name, missing="prompts_not_found").draft_id
        with self.drafts.changing(draft_id) as (session, draft):
            change_prompts(session, whole(session, draft), self.prompts, change, replace=replace)
        return self.prompts_of(draft_id)

    def template(self, draft_id: str, part: Literal["image", "video"]) -> str | None:
        """The template to fill anew where the draft's own cannot be: none where it can.

        A migrated draft's own is the first item's prompt, filled in: all items would look like that one.
        """
        with self.database.begin() as session:
            draft = repository.get_draft(session, draft_id)
        own = draft.default_image_prompt if part == "image" else draft.default_video_prompt
        if own is None or "{" in own:
            return None
        return self.prompts.image(draft.theme) if part == "image" else self.prompts.video(draft.theme)

    def data(self, name: str) -> dict[str, JsonValue]:
        """``data.json``. Raises ``NotFound`` (``data_not_found``)."""
        with self.database.begin() as session:
            return data_document(whole(session, find_draft(session, name, missing="data_not_found")))

    def change_data(self, name: str, change: DataChange) -> dict[str, JsonValue]:
        """Merge the change into ``data.json``; as it is then. Raises as ``universe_data.change_data``, ``Conflict``."""
        draft_id = self.find(name, missing="data_not_found").draft_id
        with self.drafts.changing(draft_id) as (session, draft):
            change_data(session, whole(session, draft), change)
        return self.data(draft_id)

    def color(self, name: str) -> str | None:
        """The background, ``#rrggbb``."""
        with self.database.begin() as session:
            return find_draft(session, name).background_color

    def set_color(self, name: str, color: str) -> str:
        """Set the background. Raises ``InvalidInput`` (``invalid_color``), ``Conflict``."""
        wanted = color_of(color)
        with self.drafts.changing(self.find(name).draft_id) as (_, draft):
            draft.background_color = wanted
        return color

    def rename_media(self, name: str, *, index: int | None, title: str | None) -> tuple[RenamedFile, ...]:
        """Name the files by their items' names: those of the item at ``index``, which gets ``title``, or of all.

        Raises ``InvalidInput`` (``invalid_index``), ``Conflict``.
        """
        universe = self.find(name)
        chosen = universe.numbers if index is None else [universe.number(index)]
        renamed = []
        with self.drafts.changing(universe.draft_id) as (session, _):
            for number in chosen:
                asset = repository.get_asset(session, universe.draft_id, number)
                if title is not None and index is not None:
                    asset.display_name, asset.titles = title, {**asset.titles, "en": title}
                stem = file_stem(number, concept_name(asset))
                for column, ending in (("image_file", ""), ("video_file", "_silent")):
                    old = getattr(asset, column)
                    if old and (new := f"{stem}{ending}{Path(old).suffix}") != old:
                        setattr(asset, column, new)
                        renamed.append(RenamedFile(old=old, new=new))
        return tuple(renamed)

    def write_music_prompts(self, name: str) -> dict[str, str]:
        """Give the song of each language a style where it has none; all of them. Raises ``Conflict``."""
        with self.drafts.changing(self.find(name).draft_id) as (session, draft):
            found = whole(session, draft)
            songs: Mapping[str, DraftSong] = {song.language: song for song in found.songs}
            told = {}
            for language in UNIVERSE_LANGUAGES:
                song = songs.get(language) or DraftSong(draft_id=draft.id, language=language)
                song.prompt = song.prompt or style(found, self.prompts, language)
                session.add(song)
                told[str(language)] = song.prompt
        return told

    def file(self, name: str, file: str) -> Asset:
        """The library's asset of a universe's file. Raises ``NotFound`` (``asset_not_found``)."""
        with self.database.begin() as session:
            found = whole(session, find_draft(session, name, missing="asset_not_found"))
            asset_id: UUID | None = files_of(found).get(f"assets/{file}")
            asset = found.files.get(asset_id) if asset_id else None
        if asset is None:
            raise NotFound(f"{name[:100]} has no file {file[:100]}", code="asset_not_found")
        return asset

    def cover(self, name: str) -> str | None:
        """The name of the first picture that is there."""
        with self.database.begin() as session:
            found = whole(session, find_draft(session, name))
            return next((asset.image_file for asset in found.assets if asset.image_id), None)
