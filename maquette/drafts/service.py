"""What can be done with drafts. Each call is one transaction; the draft's folder is rewritten when it has committed."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from pydantic import JsonValue
from sqlmodel import Session

from maquette.brands import service as brands
from maquette.db.engine import Database
from maquette.db.types import now
from maquette.drafts import folder, repository
from maquette.drafts.changes import KEPT, keep_version, names_changed, require_idle, touch
from maquette.drafts.concepts import slug_of
from maquette.drafts.documents import (
    Whole,
    asset_document,
    content_hash,
    data_document,
    draft_document,
    listed,
    progress,
    song_document,
    subject_of,
    version_document,
    whole,
    words_document,
)
from maquette.drafts.models import (
    Approval,
    AssetChange,
    AssetDocument,
    DraftChange,
    DraftDocument,
    GenerationProgress,
    ListedDraft,
    NewDraft,
    SongChange,
    SongDocument,
    VersionDocument,
)
from maquette.drafts.prompts import prompts_of as prompts_of
from maquette.drafts.prompts import require_known
from maquette.drafts.repository import Cover
from maquette.drafts.tables import Draft, DraftApproval, DraftSong, DraftStatus
from maquette.drafts.wording import image_prompt, video_prompt
from maquette.errors import Conflict, NotFound
from maquette.events import service as events
from maquette.library import service as library
from maquette.orders.idempotency import once
from maquette.publishing.tables import is_under_way
from maquette.settings import Settings
from maquette.storage.port import Store


class Drafts:
    """The use cases of drafts, on one database, one store and the folders below the home."""

    def __init__(self, database: Database, store: Store, settings: Settings) -> None:
        self.database = database
        self.store = store
        self.settings = settings

    def create(self, new: NewDraft, *, source: str | None = None, key: str | None = None) -> DraftDocument:
        """A new draft, without assets yet. Two drafts may have one name: their ids differ.

        The same ``source``, such as a run that is started a second time, answers with its first draft. The same
        ``key`` with the same wishes answers with what was answered first.

        Raises ``InvalidInput`` for templates with unknown variables, ``NotFound`` for the brand, ``Conflict`` (a used
        key).
        """
        with self.database.begin() as session:
            wishes: dict[str, JsonValue] = new.model_dump(mode="json")
            made = once(session, key, wishes, lambda: self.add(session, new, source=source), kind=DraftDocument)
        self.follow(made.draft_id)
        return made

    def add(self, session: Session, new: NewDraft, *, source: str | None = None) -> DraftDocument:
        """``create`` in the caller's transaction; ``follow`` is to be called when that has committed."""
        prompts = prompts_of(self.settings)
        custom = new.custom_prompts
        for template in (custom.image, custom.video, custom.objects, custom.music) if custom else ():
            if template is not None:
                require_known(template)
        if source is not None:
            repository.turn_of_source(session, source)
            if (there := repository.of_source(session, source)) is not None:
                return draft_document(whole(session, there))
        if new.brand_id is not None:
            brands.get(session, new.brand_id)
        draft_id, slug = secrets.token_hex(4), slug_of(new.name)
        draft = Draft(
            id=draft_id,
            brand_id=new.brand_id,
            name=new.name,
            theme=new.theme,
            slug=slug,
            folder=f"{slug}-{draft_id}",
            description=new.description,
            background_color=new.background_color,
            default_image_prompt=(custom and custom.image) or prompts.image(new.theme),
            default_video_prompt=(custom and custom.video) or prompts.video(new.theme),
            objects_prompt=custom.objects if custom else None,
            music_prompt=custom.music if custom else None,
            seed=new.seed,
            require_approval=new.require_approval,
            source=source,
        )
        session.add(draft)
        session.flush()
        touch(session, draft)
        return draft_document(whole(session, draft))

    def get(self, draft_id: str) -> DraftDocument:
        """The draft. Raises ``NotFound`` (``draft_not_found``), as all that follow."""
        return draft_document(self._whole(draft_id))

    def assets(self, draft_id: str) -> list[AssetDocument]:
        """The draft's assets by number."""
        found = self._whole(draft_id)
        return [asset_document(found, asset) for asset in found.assets]

    def asset(self, draft_id: str, number: int) -> AssetDocument:
        """One asset. Raises ``NotFound`` (``draft_asset_not_found``)."""
        with self.database.begin() as session:
            found = whole(session, repository.get_draft(session, draft_id))
            return asset_document(found, repository.get_asset(session, draft_id, number))

    def status(self, draft_id: str) -> GenerationProgress:
        """Where the making stands."""
        with self.database.begin() as session:
            return progress(session, repository.get_draft(session, draft_id))

    def words(self, draft_id: str) -> dict[str, JsonValue]:
        """``words.json``. Raises ``NotFound`` (``words_not_found``) while there are none."""
        found = self._whole(draft_id)
        if not found.assets and found.draft.words is None:
            raise NotFound("Words not found", code="words_not_found")
        return words_document(found)

    def data(self, draft_id: str) -> dict[str, JsonValue]:
        """``data.json``, as the existing viewers read it."""
        return data_document(self._whole(draft_id))

    def songs(self, draft_id: str) -> list[SongDocument]:
        """The draft's songs."""
        found = self._whole(draft_id)
        return [song_document(found, song) for song in found.songs]

    def versions(self, draft_id: str, number: int) -> list[VersionDocument]:
        """The asset's earlier versions, newest first. Raises ``NotFound``."""
        with self.database.begin() as session:
            repository.get_draft(session, draft_id)
            repository.get_asset(session, draft_id, number)
            found = repository.versions_of(session, draft_id, number)
            ids = [UUID(v.asset[name]) for v in found for name in ("image_id", "video_id") if v.asset[name]]
            files = library.by_ids(session, ids)
            return [version_document(version, files) for version in found]

    def change(self, draft_id: str, change: DraftChange) -> DraftDocument:
        """Change what the draft is called and how it looks. Raises ``Conflict`` (``busy``), ``InvalidInput``."""
        with self.changing(draft_id) as (_, draft):
            if change.name is not None:
                draft.name = change.name
            if change.custom_prompts is not None:
                for name, column in _TEMPLATES.items():
                    if (template := getattr(change.custom_prompts, name)) is not None:
                        require_known(template)
                        setattr(draft, column, template)
            if change.titles is not None:
                draft.titles = {**draft.titles, **{str(language): title for language, title in change.titles.items()}}
            for name in ("description", "background_color", "require_approval"):
                if name in change.model_fields_set:
                    setattr(draft, name, getattr(change, name))
        return self.get(draft_id)

    def change_asset(self, draft_id: str, number: int, change: AssetChange) -> AssetDocument:
        """Change an asset's names or prompts; its files stay. Raises ``Conflict`` (``busy``), ``NotFound``."""
        prompts = prompts_of(self.settings)
        with self.changing(draft_id) as (session, draft):
            asset = repository.get_asset(session, draft_id, number)
            if change.display_name is not None or change.titles is not None:
                names_changed(draft)
            asset.display_name = change.display_name or asset.display_name
            if change.image_prompt is not None:
                asset.image_prompt = image_prompt(draft, asset, prompts, template=change.image_prompt)
            if change.video_prompt is not None:
                asset.video_prompt = video_prompt(draft, asset, prompts, template=change.video_prompt)
            if change.titles is not None:
                asset.titles = {**asset.titles, **{str(language): title for language, title in change.titles.items()}}
        return self.asset(draft_id, number)

    def change_song(self, draft_id: str, language: str, change: SongChange) -> SongDocument:
        """Give the song other words or another style; ``generate`` with music makes its sound anew."""
        with self.changing(draft_id) as (session, _):
            song = repository.get_song(session, draft_id, language) or DraftSong(draft_id=draft_id, language=language)
            if change.lyrics is not None:
                song.lyrics = change.lyrics
            if change.prompt is not None:
                require_known(change.prompt)
                song.prompt = change.prompt
            session.add(song)
        return next(song for song in self.songs(draft_id) if song.language == language)

    def restore(self, draft_id: str, number: int, version: int) -> AssetDocument:
        """Bring an asset's earlier version back; what is there now is kept as a version too.

        Raises ``Conflict`` (``busy``), ``NotFound`` (``draft_version_not_found``).
        """
        with self.changing(draft_id) as (session, draft):
            asset = repository.get_asset(session, draft_id, number)
            found = next((v for v in repository.versions_of(session, draft_id, number) if v.version == version), None)
            if found is None:
                raise NotFound(
                    f"asset {number:02d} of draft {draft_id} has no version {version}", code="draft_version_not_found"
                )
            keep_version(session, asset)
            if any(found.asset[name] != getattr(asset, name) for name in ("display_name", "titles")):
                names_changed(draft)
            for name in KEPT:
                value = found.asset[name]
                setattr(asset, name, UUID(value) if name.endswith("_id") and value else value)
            asset.generated_at = now(session)
        return self.asset(draft_id, number)

    def approve(self, draft_id: str, decision: Approval) -> DraftDocument:
        """Approve, or refuse, what was seen. Raises ``Conflict`` (``approval_stale``) when it has changed since."""
        with self.changing(draft_id) as (session, draft):
            seen = content_hash(whole(session, draft))
            if decision.content_hash != seen:
                raise Conflict(
                    f"draft {draft_id} has changed since it was looked at: look again and approve {seen[:12]}…",
                    code="approval_stale",
                )
            session.add(
                DraftApproval(draft_id=draft_id, content_hash=seen, approved=decision.approved, note=decision.note)
            )
            draft.approved_hash = seen if decision.approved else None
            draft.approved_at = now(session) if decision.approved else None
        return self.get(draft_id)

    def delete(self, draft_id: str) -> None:
        """Forget the draft and its files; what it cost stays in the books, what was published stays published.

        Raises ``NotFound``, ``Conflict`` (``busy``, also while it is being published), ``StorageError``.
        """
        with self.database.begin() as session:
            place = self._deletable(session, draft_id).folder
        with folder.turn(self.settings, draft_id, last=True):
            with self.database.begin() as session:
                self._deletable(session, draft_id)
                # Should this process die before the row is gone, the folder is behind and will be written again.
                repository.note(session, draft_id, written_version=-1)
            folder.remove(self.settings, place)
            with self.database.begin() as session:
                draft = self._deletable(session, draft_id)
                library.forget(session, subject_of(draft_id))
                events.forget(session, subject_of(draft_id))
                session.delete(draft)

    @contextmanager
    def changing(self, draft_id: str) -> Iterator[tuple[Session, Draft]]:
        """A change of an idle draft: its row is locked, the change counted and told, its folder rewritten.

        Raises ``NotFound``, ``Conflict`` (``busy``).
        """
        with self.database.begin() as session:
            draft = repository.get_draft(session, draft_id, lock=True)
            require_idle(session, draft)
            yield session, draft
            touch(session, draft)
        self.follow(draft_id)

    def rewrite(self, draft_id: str) -> Path:
        """Bring the draft's folder to what it is now; the folder."""
        return folder.rewrite(self.database, self.store, self.settings, draft_id)

    def follow(self, draft_id: str) -> None:
        """The same after a change that has been committed: a folder that cannot be written now is written later."""
        folder.follow(self.database, self.store, self.settings, draft_id)

    def folder_of(self, draft_id: str) -> Path:
        """The draft's folder."""
        with self.database.begin() as session:
            return folder.root_of(self.settings) / repository.get_draft(session, draft_id).folder

    def _deletable(self, session: Session, draft_id: str) -> Draft:
        draft = repository.get_draft(session, draft_id, lock=True)
        require_idle(session, draft)
        if draft.status == DraftStatus.PUBLISHING or is_under_way(session, subject_of(draft_id)):
            raise Conflict(f"draft {draft_id} is being published: wait until that has ended", code="busy")
        return draft

    def _whole(self, draft_id: str) -> Whole:
        with self.database.begin() as session:
            return whole(session, repository.get_draft(session, draft_id))

    def list(self, *, limit: int = 500) -> list[ListedDraft]:
        """The drafts, those changed last first."""
        with self.database.begin() as session:
            found = repository.newest_first(session, limit=limit)
            covers = repository.covers(session, [draft.id for draft in found])
            return [listed(draft, covers.get(draft.id, Cover())) for draft in found]


_TEMPLATES = {
    "image": "default_image_prompt",
    "video": "default_video_prompt",
    "objects": "objects_prompt",
    "music": "music_prompt",
}
