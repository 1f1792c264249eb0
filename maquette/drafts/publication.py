"""A draft on its way to production: what is published of it, whether it may be, and what became of it."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session, col, select

from maquette.db.types import now
from maquette.drafts import repository
from maquette.drafts.changes import require_idle, touch
from maquette.drafts.documents import Whole, content_hash, subject_of, whole
from maquette.drafts.folder import files_of
from maquette.drafts.service import Drafts
from maquette.drafts.tables import DraftStatus
from maquette.errors import Conflict
from maquette.events import service as events
from maquette.providers.text.port import UNIVERSE_LANGUAGES
from maquette.publishing.models import Change, Published, PublishedAsset, PublishedSong, Universe, UniverseFile
from maquette.publishing.service import publisher_from_settings
from maquette.publishing.tables import Publication, PublicationState, is_under_way
from maquette.storage.port import Store

DEFAULT_COLOR = "#ffffff"


class Readiness(BaseModel):
    """What somebody who approves a draft sees, and whether it waits for them."""

    draft_id: str
    name: str
    content_hash: str
    version: int
    assets: int
    songs: int
    needs_approval: bool
    refusal: str | None = None

    @property
    def question(self) -> str:
        """What is asked, for a form: the same content after a change is another question."""
        return f"{self.content_hash[:16]}-{self.version}"


def readiness(drafts: Drafts, draft_id: str, *, waiting_run_id: UUID | None = None) -> Readiness:
    """What would be published now. The run ``waiting_run_id`` is resumed when it was decided elsewhere.

    ``refusal`` is the note of somebody who has refused just this while the run waited.

    Raises ``NotFound``, ``Conflict`` (``busy``, ``draft_incomplete``).
    """
    with drafts.database.begin() as session:
        draft = repository.get_draft(session, draft_id, lock=True)
        require_idle(session, draft)
        found = whole(session, draft)
        _require_complete(found)
        seen = content_hash(found)
        needs = draft.require_approval and draft.approved_hash != seen
        has_waited = waiting_run_id is not None and draft.waiting_run_id == waiting_run_id
        refused = repository.refusal_of(session, draft, seen) if needs and has_waited else None
        if has_waited and (not needs or refused is not None):
            repository.note(session, draft_id, waiting_run_id=None, waiting_since=None)
        elif waiting_run_id is not None and needs and not has_waited:
            repository.note(session, draft_id, waiting_run_id=waiting_run_id, waiting_since=now(session))
        return Readiness(
            draft_id=draft_id,
            name=draft.name,
            content_hash=seen,
            version=draft.version,
            assets=len(found.assets),
            songs=sum(song.audio_id is not None for song in found.songs),
            needs_approval=needs,
            refusal=refused,
        )


def plan(drafts: Drafts, draft_id: str) -> list[Change]:
    """What publishing would change in production; changes nothing. Raises as ``publish`` does, but for approval."""
    with drafts.database.begin() as session:
        found = whole(session, repository.get_draft(session, draft_id))
    _require_complete(found)
    with closing(publisher_from_settings(drafts.settings, drafts.database)) as publisher:
        return publisher.plan(universe_of(found), universe_files(found, drafts.store))


def publish(drafts: Drafts, draft_id: str) -> Published:
    """Bring the draft to production, whole or not at all; the same again changes nothing.

    Raises ``NotFound``, ``Conflict`` (``busy``, ``draft_incomplete``, ``approval_required``), ``StorageError`` and
    what production answers with.
    """
    with drafts.database.begin() as session:
        draft = repository.get_draft(session, draft_id, lock=True)
        require_idle(session, draft)
        found = whole(session, draft)
        _require_complete(found)
        seen = content_hash(found)
        if draft.require_approval and draft.approved_hash != seen:
            raise Conflict(
                f"draft {draft_id} waits for an approval of {seen[:12]}…: look at it and approve it",
                code="approval_required",
            )
        _tell_publishing(session, found)
    try:
        with closing(publisher_from_settings(drafts.settings, drafts.database)) as publisher:
            published = publisher.publish(
                universe_of(found),
                universe_files(found, drafts.store),
                subject=subject_of(draft_id),
                content_hash=seen,
            )
    finally:
        with drafts.database.begin() as session:
            changed = settle(session, found.draft.slug)
        for each in changed:
            drafts.follow(each)
    return published


def settle(session: Session, slug: str) -> list[str]:
    """Let each draft of the slug say what production shows of it; the ids of those for which that is news.

    Of several drafts with one slug production shows the one that was published last.
    """
    of_slug = select(Publication).where(Publication.slug == slug, Publication.state == PublicationState.PUBLISHED)
    last = session.exec(of_slug.order_by(col(Publication.finished_at).desc()).limit(1)).first()
    changed = []
    for draft in repository.locked_of_slug(session, slug):
        shown = last if last is not None and last.subject == subject_of(draft.id) else None
        facts = (shown.content_hash, shown.finished_at, shown.univers_id) if shown else (None, None, None)
        is_news = facts != (draft.published_hash, draft.published_at, draft.univers_id)
        is_over = draft.status == DraftStatus.PUBLISHING and not is_under_way(session, subject_of(draft.id))
        if is_news or is_over:
            draft.published_hash, draft.published_at, draft.univers_id = facts
            touch(session, draft)
            changed.append(draft.id)
    return changed


def universe_of(found: Whole) -> Universe:
    """The rows that the draft becomes."""
    draft = found.draft
    songs = [song for song in found.songs if song.lyrics or song.prompt]
    with_sound = [song.audio_file for song in found.songs if song.audio_id]
    return Universe(
        name=draft.name,
        slug=draft.slug,
        thumbnail_name=found.cover,
        background_color=draft.background_color or DEFAULT_COLOR,
        background_music=with_sound[0] if with_sound else None,
        default_image_prompt=draft.default_image_prompt,
        default_video_prompt=draft.default_video_prompt,
        names={language: draft.titles.get(language) or draft.name for language in UNIVERSE_LANGUAGES},
        assets=tuple(
            PublishedAsset(
                sort_order=asset.number,
                image_name=asset.image_file or "",
                display_name=asset.display_name,
                names={language: asset.titles.get(language) or asset.display_name for language in UNIVERSE_LANGUAGES},
                image_prompt=asset.image_prompt,
                video_prompt=asset.video_prompt,
                generation_count=max(1, asset.generation_count),
                last_generated_at=asset.generated_at,
            )
            for asset in found.assets
        ),
        songs=tuple(
            PublishedSong(language=song.language, prompt=song.prompt, lyrics=song.lyrics)
            for song in songs
            if song.language in UNIVERSE_LANGUAGES
        ),
    )


def universe_files(found: Whole, store: Store) -> list[UniverseFile]:
    """The files that lie in the draft's ``assets/``. Raises ``NotFound`` for one that the store lost."""
    named = {name.removeprefix("assets/"): id_ for name, id_ in files_of(found).items() if name.startswith("assets/")}
    files: Sequence[tuple[str, UUID]] = sorted(named.items())
    return [
        UniverseFile(
            name=name,
            path=Path(store.path(found.files[asset_id].key)),
            sha256=found.files[asset_id].sha256,
            media_type=found.files[asset_id].media_type,
        )
        for name, asset_id in files
    ]


def _require_complete(found: Whole) -> None:
    missing = [f"{asset.number:02d}" for asset in found.assets if asset.image_id is None]
    reason = "it has no assets yet" if not found.assets else f"pictures are missing ({', '.join(missing)})"
    if missing or not found.assets:
        raise Conflict(f"draft {found.draft.id}: {reason}; generate it first", code="draft_incomplete", reason=reason)


def _tell_publishing(session: Session, found: Whole) -> None:
    draft = found.draft
    draft.status, draft.updated_at = DraftStatus.PUBLISHING, now(session)
    draft.version += 1
    session.flush()
    events.append(session, subject_of(draft.id), "publishing", {"folder": draft.id, "status": str(draft.status)})
