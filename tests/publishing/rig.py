"""Universes with their files, a production to look into, and buckets that fail."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from maquette.db.engine import Database
from maquette.errors import StorageError
from maquette.providers.text.port import UNIVERSE_LANGUAGES
from maquette.publishing.models import Published, PublishedAsset, PublishedSong, Universe, UniverseFile
from maquette.publishing.service import Publisher
from maquette.publishing.tables import Publication
from maquette.publishing.target import Production
from maquette.publishing.univers import METADATA
from maquette.storage.buckets.folder import FolderBucket
from maquette.storage.buckets.port import Bucket

WORDS = ("monkey", "tree", "bird", "flower", "snake", "lion", "zebra", "giraffe", "elephant", "butterfly")
MADE_AT = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)

# Every row with its place on the disk: an update, of equal values even, moves it.
Snapshot = dict[str, list[tuple[Any, ...]]]


def an_asset(place: int, word: str | None = None, **changes: Any) -> PublishedAsset:
    word = word or WORDS[place % len(WORDS)]
    values: dict[str, Any] = {
        "sort_order": place,
        "image_name": f"{place:02d}_{word}.png",
        "display_name": word,
        "names": {language: f"{word} ({language})" for language in UNIVERSE_LANGUAGES},
        "image_prompt": f"A {word}, drawn",
        "video_prompt": f"The {word} moves",
        "last_generated_at": MADE_AT,
    }
    return PublishedAsset.model_validate(values | changes)


def a_universe(count: int = 3, *, slug: str = "jungle", **changes: Any) -> Universe:
    values: dict[str, Any] = {
        "name": "Jungle",
        "slug": slug,
        "thumbnail_name": "00_monkey.png",
        "background_color": "#204020",
        "background_music": "music_fr.mp3",
        "default_image_prompt": "A {object}",
        "default_video_prompt": "{object} moves",
        "names": {"fr": "Jungle", "en": "Jungle", "es": "Selva", "it": "Giungla", "de": "Dschungel"},
        "assets": tuple(an_asset(place) for place in range(count)),
        "songs": tuple(PublishedSong(language=each, prompt="calm", lyrics=f"La ({each})") for each in ("fr", "en")),
    }
    return Universe.model_validate(values | changes)


def a_file(folder: Path, name: str, content: str) -> UniverseFile:
    data = content.encode()
    digest = hashlib.sha256(data).hexdigest()
    path = folder / digest
    path.write_bytes(data)
    return UniverseFile(name=name, path=path, sha256=digest, media_type="image/png")


def files_of(universe: Universe, folder: Path, *, take: str = "first") -> list[UniverseFile]:
    """A picture for each asset and a song for each language; their content is of ``take``."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [asset.image_name for asset in universe.assets] + [f"music_{song.language}.mp3" for song in universe.songs]
    return [a_file(folder, name, f"{name} {take}") for name in names]


def publish(publisher: Publisher, universe: Universe, files: Sequence[UniverseFile]) -> Published:
    return publisher.publish(universe, files, subject=f"draft_{universe.slug}", content_hash="hash")


def rows_of(engine: Engine) -> Snapshot:
    """All rows of production, with their ids, and where they lie."""
    with engine.connect() as connection:
        return {
            table.name: sorted(
                (
                    tuple(map(str, row))
                    for row in connection.execute(sa.text(f"SELECT ctid, xmin, * FROM {table.name}"))
                ),
            )
            for table in METADATA.sorted_tables
        }


def values_of(engine: Engine) -> Snapshot:
    """The same without their place and the times at which they were written: what a copy of production would hold."""
    with engine.connect() as connection:
        return {
            table.name: sorted(
                tuple(str(value) for name, value in row.items() if name not in ("created_at", "updated_at"))
                for row in connection.execute(sa.select(table)).mappings()
            )
            for table in METADATA.sorted_tables
        }


def contents(bucket: FolderBucket) -> dict[str, bytes]:
    return {path.relative_to(bucket.root).as_posix(): path.read_bytes() for path in _files(bucket.root)}


def _files(root: Path) -> Iterable[Path]:
    return (path for path in root.rglob("*") if path.is_file())


def expected(universe: Universe, files: Sequence[UniverseFile]) -> dict[str, bytes]:
    return {f"{universe.slug}/{file.name}": file.path.read_bytes() for file in files}


def publications(database: Database) -> list[Publication]:
    with database.begin() as session:
        return list(session.scalars(sa.select(Publication).order_by(sa.text("created_at"))))


def empty(production: Production) -> None:
    with production.engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE univers CASCADE"))


class FailingBucket:
    """Passes calls on to ``inner``; the one with the number ``fails_at``, from 1, fails, and all after it if told so.

    ``done``: the call has its effect before it fails, as when an answer is lost.
    """

    def __init__(self, inner: Bucket, *, fails_at: int, done: bool = False, for_good: bool = False) -> None:
        self.inner, self.fails_at, self.done, self.for_good = inner, fails_at, done, for_good
        self.calls: list[str] = []
        self._mutex = threading.Lock()

    def _call(self, verb: str, call: Callable[[], Any]) -> Any:
        with self._mutex:
            self.calls.append(verb)
            number = len(self.calls)
        fails = number == self.fails_at or (self.for_good and number > self.fails_at)
        if fails and not self.done:
            raise StorageError(f"call {number} ({verb}) fails")
        found = call()
        if fails:
            raise StorageError(f"call {number} ({verb}) fails, its effect was there")
        return found

    def put(self, name: str, path: Path, *, media_type: str) -> None:
        self._call("put", lambda: self.inner.put(name, path, media_type=media_type))

    def digest(self, name: str) -> str | None:
        found: str | None = self._call("digest", lambda: self.inner.digest(name))
        return found

    def copy(self, source: str, target: str) -> None:
        self._call("copy", lambda: self.inner.copy(source, target))

    def delete(self, names: Iterable[str]) -> None:
        self._call("delete", lambda: self.inner.delete(names))

    def list(self, prefix: str) -> Sequence[str]:
        found: Sequence[str] = self._call("list", lambda: self.inner.list(prefix))
        return found

    def public_url(self, name: str) -> str:
        return self.inner.public_url(name)
