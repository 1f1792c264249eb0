"""Publishing: one way to production, whole or not at all.

The order of events is the promise. What will be replaced is copied, and what changes is recorded, before the first
file is overwritten; every file is in place and verified before the rows change, in one transaction; the publication's
``univers_id`` is recorded before that commits. So whoever finds a publication broken off knows what to do: without
``univers_id`` the rows were never changed, and the files go back; with it the rows tell by themselves.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlmodel import Session, col, select

from maquette.db.engine import Database
from maquette.db.turns import Turn
from maquette.db.types import now
from maquette.errors import InvalidInput, MaquetteError, NotFound, StaleLease, StorageError
from maquette.publishing import rows
from maquette.publishing.files import PREVIOUS, Replacement, Shelf
from maquette.publishing.models import Change, Published, Universe, UniverseFile
from maquette.publishing.production import COMMAND
from maquette.publishing.tables import OPEN, Publication, PublicationState
from maquette.publishing.target import Production, production_from_settings
from maquette.publishing.turn import turn
from maquette.rehearsal import crash_point
from maquette.settings import Settings
from maquette.storage.buckets import bucket_from_settings
from maquette.storage.buckets.port import Bucket, check_name

log = logging.getLogger(__name__)

FILES_AT_ONCE: Final = 8


class Publisher:
    """Publishes from the application's ``database`` into ``production`` and ``bucket``. Safe between threads."""

    def __init__(
        self, database: Database, production: Production, bucket: Bucket, *, files_at_once: int = FILES_AT_ONCE
    ) -> None:
        self.production = production
        self.bucket = bucket
        self._database = database
        self._files_at_once = files_at_once

    @property
    def target(self) -> str:
        """Where it publishes to, without secrets."""
        return f"{self.production.name} {self.bucket.public_url('x').removesuffix('/x')}"

    def close(self) -> None:
        """Close the connections to production."""
        self.production.dispose()

    def plan(self, universe: Universe, files: Sequence[UniverseFile]) -> list[Change]:
        """What ``publish`` would change, files first. Nothing is changed anywhere, and no turn is waited for.

        Where production has no tables yet, the first change says so, with the kind ``prepare``.
        """
        _check(universe, files)
        shelf = self._shelf(universe.slug)
        found = [replacement.change() for replacement in self._differing(shelf, universe.slug, files)]
        stored, absent = rows.Stored(), self.production.missing()
        if not absent:
            with self.production.transaction(read_only=True) as connection:
                stored = rows.read(connection, universe.slug)
            return found + rows.changes(stored, self._wanted(universe))
        note = Change(kind="prepare", where="production", key=f"{', '.join(absent)} (run {COMMAND})")
        return [note, *found, *rows.changes(stored, self._wanted(universe))]

    def publish(
        self, universe: Universe, files: Sequence[UniverseFile], *, subject: str, content_hash: str
    ) -> Published:
        """Make production and the bucket what ``universe`` and ``files`` are; on failure both are as before.

        What broke off earlier is settled first. Raises ``Conflict`` (``busy``: another publishes this universe;
        production is not prepared, or refuses the rows), ``InvalidInput``, ``NotFound`` for a local file,
        ``StorageError``, ``Transient``, ``ConfigurationError``.
        """
        _check(universe, files)
        shelf = self._shelf(universe.slug)
        with turn(self._database, universe.slug) as held:
            self.production.make_ready()
            self._settle(universe.slug, held)
            publication_id = self._begin(universe, subject=subject, content_hash=content_hash)
            try:
                replaced = shelf.back_up(self._differing(shelf, universe.slug, files), publication_id)
                crash_point("publish-after-backup")
                self._switch(publication_id, replaced)
                shelf.upload(replaced, files, before=held.require, after=lambda: crash_point("publish-between-files"))
                univers_id, changed = self._change_rows(publication_id, universe)
            except BaseException as error:
                self._give_up(publication_id, error, held)
                raise
            crash_point("publish-after-commit")
            published_at = self._end(publication_id, PublicationState.PUBLISHED)
            _tidy(shelf, replaced)
        return Published(
            univers_id=univers_id,
            slug=universe.slug,
            published_at=published_at,
            assets_count=len(universe.assets),
            files_uploaded=sum(each.after is not None for each in replaced),
            storage_url=self.bucket.public_url(universe.slug),
            changes=[*(each.change() for each in replaced), *changed],
        )

    def recover(self, slug: str) -> PublicationState | None:
        """Settle a publication of ``slug`` here that broke off: ``published`` or ``undone``; ``None`` where none did.

        Raises ``Conflict`` with the code ``busy`` while one is under way, and as ``publish`` where it cannot be
        settled yet; it stays open then.
        """
        with turn(self._database, slug) as held:
            return self._settle(slug, held)

    def unfinished(self) -> list[str]:
        """Slugs with a publication here that is under way or broke off; ``recover`` tells them apart."""
        query = select(Publication.slug).where(Publication.target == self.target, col(Publication.state).in_(OPEN))
        with self._database.begin() as session:
            return list(session.exec(query.distinct()))

    def _shelf(self, slug: str) -> Shelf:
        return Shelf(self.bucket, slug, at_once=self._files_at_once)

    def _wanted(self, universe: Universe) -> rows.Rows:
        name = universe.thumbnail_name
        url = None if name is None else self.bucket.public_url(f"{universe.slug}/{name}")
        return rows.wanted_rows(universe, thumbnail_url=url)

    def _differing(self, shelf: Shelf, slug: str, files: Sequence[UniverseFile]) -> list[Replacement]:
        """Files to bring, then those that earlier publications brought and that are no part of the universe now."""
        ended = select(Publication.replaced).where(
            Publication.slug == slug,
            Publication.target == self.target,
            Publication.state == PublicationState.PUBLISHED,
        )
        ours: dict[str, str] = {}
        with self._database.begin() as session:
            for replaced in session.exec(ended.order_by(col(Publication.created_at))):
                ours |= {each.name: each.after for each in map(Replacement.model_validate, replaced) if each.after}
        return shelf.differing(files) + shelf.stale(ours, [file.name for file in files])

    def _begin(self, universe: Universe, *, subject: str, content_hash: str) -> UUID:
        document = universe.model_dump(mode="json")
        publication = Publication(
            subject=subject,
            slug=universe.slug,
            content_hash=content_hash,
            target=self.target,
            universe=document,
        )
        with self._database.begin() as session:
            session.add(publication)
        return publication.id

    def _switch(self, publication_id: UUID, replaced: Sequence[Replacement]) -> None:
        with self._database.begin() as session:
            publication = _open(session, publication_id)
            publication.state = PublicationState.SWITCHING
            publication.replaced = [each.model_dump() for each in replaced]

    def _change_rows(self, publication_id: UUID, universe: Universe) -> tuple[int, list[Change]]:
        with self.production.transaction() as connection:
            rows.lock(connection, universe.slug)
            stored, wanted = rows.read(connection, universe.slug), self._wanted(universe)
            changed = rows.changes(stored, wanted)
            univers_id = rows.apply(connection, stored, wanted)
            # From here on the rows may be changed: whoever settles this must look at them.
            with self._database.begin() as session:
                _open(session, publication_id).univers_id = univers_id
            crash_point("publish-before-commit")
        return univers_id, changed

    def _give_up(self, publication_id: UUID, error: BaseException, held: Turn) -> None:
        """Undo what was begun. What cannot be undone now stays open, for ``recover``."""
        if not held.held():
            return  # another may be at it by now
        try:
            self._resolve(publication_id, error, end=PublicationState.FAILED)
        except Exception as trouble:
            log.warning("publication %s broke off and is not settled yet: %s", publication_id, trouble)

    def _settle(self, slug: str, held: Turn) -> PublicationState | None:
        """Settle all that is open of ``slug`` at this target; how the last of them ended."""
        query = select(Publication.id).where(
            Publication.slug == slug, Publication.target == self.target, col(Publication.state).in_(OPEN)
        )
        with self._database.begin() as session:
            found = session.exec(query.order_by(col(Publication.created_at))).all()
        ended = None
        for publication_id in found:
            held.require()
            reason = StaleLease("the process that published was stopped: publish again", code="interrupted")
            ended = self._resolve(publication_id, reason, end=PublicationState.UNDONE)
            log.warning("publication %s of %s had broken off and is %s", publication_id, slug, ended)
        return ended

    def _resolve(self, publication_id: UUID, error: BaseException, *, end: PublicationState) -> PublicationState:
        """Forward where the rows were committed, else back, which ends as ``end``. May be repeated."""
        with self._database.begin() as session:
            publication = _locked(session, publication_id)
            if publication.error_code is None:
                # It also stops the publication's own process, should it be alive: see ``_open``.
                publication.error_code = error.code if isinstance(error, MaquetteError) else "internal"
                publication.error_message = (str(error) or type(error).__name__)[:2000]
        shelf = self._shelf(publication.slug)
        replaced = [Replacement.model_validate(each) for each in publication.replaced]
        if publication.univers_id is not None and self._committed(publication):
            self._end(publication_id, PublicationState.PUBLISHED)
            _tidy(shelf, replaced)
            return PublicationState.PUBLISHED
        shelf.restore(replaced)
        self._end(publication_id, end)
        _tidy(shelf, [])
        return end

    def _committed(self, publication: Publication) -> bool:
        universe = Universe.model_validate(publication.universe)
        with self.production.transaction() as connection:
            rows.lock(connection, universe.slug)  # until a transaction that is still open there has ended
            return not rows.changes(rows.read(connection, universe.slug), self._wanted(universe))

    def _end(self, publication_id: UUID, state: PublicationState) -> datetime:
        with self._database.begin() as session:
            publication = _locked(session, publication_id)
            publication.state = state
            publication.finished_at = ended_at = now(session)
            if state is PublicationState.PUBLISHED:
                publication.error_code = publication.error_message = None
        return ended_at


def publisher_from_settings(settings: Settings, database: Database) -> Publisher:
    """The publisher of the settings; nothing is connected to yet. Raises ``ConfigurationError``."""
    return Publisher(database, production_from_settings(settings, database), bucket_from_settings(settings))


def _locked(session: Session, publication_id: UUID) -> Publication:
    return session.exec(select(Publication).where(Publication.id == publication_id).with_for_update()).one()


def _open(session: Session, publication_id: UUID) -> Publication:
    """The publication of this very process. Raises ``StaleLease`` where another has begun to settle it."""
    publication = _locked(session, publication_id)
    if publication.state not in OPEN or publication.error_code is not None:
        raise StaleLease(f"the publication of {publication.slug} was given up by another process: publish again")
    return publication


def _tidy(shelf: Shelf, replaced: Sequence[Replacement]) -> None:
    """Remove what goes, and the copies. What stays now goes with the next publication."""
    try:
        shelf.tidy(replaced)
    except MaquetteError as error:
        log.warning("old files stay in the bucket until the next publication: %s", error)


def _check(universe: Universe, files: Sequence[UniverseFile]) -> None:
    """Raise what must not be found out half-way: ``InvalidInput``, and ``NotFound`` for a file."""
    try:
        check_name(universe.slug)
        for name in [*(file.name for file in files), *filter(None, [universe.thumbnail_name])]:
            check_name(f"{universe.slug}/{name}")
    except StorageError as error:
        raise InvalidInput(str(error)) from error
    if "/" in universe.slug or universe.slug.startswith("."):
        raise InvalidInput(f"{universe.slug!r} is no slug: use small letters, digits and dashes")
    for what, values in (
        ("file", [file.name for file in files]),
        ("place of an asset", [asset.sort_order for asset in universe.assets]),
        ("language of a song", [song.language for song in universe.songs]),
    ):
        twice = [value for value, count in Counter[object](values).items() if count > 1]
        if twice:
            raise InvalidInput(f"{universe.slug} has the same {what} twice ({twice[0]}): keep one")
    for file in files:
        if file.name.partition("/")[0] == PREVIOUS:
            raise InvalidInput(f"{file.name} lies where copies are kept: choose another name")
        if not file.path.is_file():
            raise NotFound(f"the file {file.path} of {universe.slug}/{file.name} is not there: make it again")
    try:
        text = universe.model_dump_json()
    except ValueError as error:
        raise InvalidInput(f"a text of {universe.slug} is no Unicode: write it again") from error
    # Escaped backslashes first: the six characters are no control character.
    if "\\u0000" in text.replace("\\\\", ""):
        raise InvalidInput(f"a text of {universe.slug} holds the control character U+0000: remove it")
