"""The files of one universe in the bucket: what differs, copies of what will be replaced, and the way back.

Names here are those below ``{slug}/``. Copies lie in ``{slug}/.previous/{publication}/``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict

from maquette.errors import StorageError
from maquette.publishing.models import Change, UniverseFile
from maquette.storage.buckets.port import Bucket

PREVIOUS: Final = ".previous"
_T = TypeVar("_T")
_R = TypeVar("_R")


class Replacement(BaseModel):
    """A file that a publication changes, as its row records it. ``before`` and ``after`` are sha256.

    Without ``before`` it is new; without ``after`` it goes, once the rows no longer name it.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    before: str | None = None
    after: str | None = None
    backup: str | None = None

    def change(self) -> Change:
        """The difference for people."""
        kind = "upload" if self.before is None else "remove" if self.after is None else "replace"
        before, after = ({"sha256": digest} if digest else None for digest in (self.before, self.after))
        return Change(kind=kind, where="files", key=self.name, before=before, after=after)


class Shelf:
    """The files of ``slug``, ``at_once`` of them at a time. Raises what the bucket raises."""

    def __init__(self, bucket: Bucket, slug: str, *, at_once: int) -> None:
        self._bucket, self._slug, self._at_once = bucket, slug, at_once

    def differing(self, files: Sequence[UniverseFile]) -> list[Replacement]:
        """Those whose content the bucket has not."""
        digests = self._each(lambda file: self._digest(file.name), files)
        return [
            Replacement(name=file.name, before=before, after=file.sha256)
            for file, before in zip(files, digests, strict=True)
            if before != file.sha256
        ]

    def back_up(self, replacements: Sequence[Replacement], publication_id: object) -> list[Replacement]:
        """Copy what will be replaced; the same replacements, with their copies."""

        def one(replacement: Replacement) -> Replacement:
            if replacement.before is None or replacement.after is None:
                return replacement
            backup = f"{PREVIOUS}/{publication_id}/{replacement.name}"
            self._bucket.copy(self._path(replacement.name), self._path(backup))
            if self._digest(backup) != replacement.before:
                raise StorageError(f"the copy of {self._path(replacement.name)} is not what it was: publish again")
            return replacement.model_copy(update={"backup": backup})

        return self._each(one, replacements)

    def upload(
        self,
        replacements: Sequence[Replacement],
        files: Sequence[UniverseFile],
        *,
        before: Callable[[], None],
        after: Callable[[], None],
    ) -> None:
        """Put the new files and ask the bucket what it has; ``before`` and ``after`` are called with each."""
        by_name = {file.name: file for file in files}

        def one(replacement: Replacement) -> None:
            if replacement.after is None:
                return
            before()
            file = by_name[replacement.name]
            self._bucket.put(self._path(file.name), file.path, media_type=file.media_type)
            if self._digest(file.name) != file.sha256:
                raise StorageError(f"{file.name} is not what it was to be when it reached the bucket: make it again")
            after()

        self._each(one, replacements)

    def restore(self, replacements: Sequence[Replacement]) -> None:
        """Let all files be as they were. Raises ``StorageError`` where the bucket has neither them nor their copies."""

        def one(replacement: Replacement) -> None:
            if replacement.after is None or self._digest(replacement.name) == replacement.before:
                return
            if replacement.before is None:
                self._bucket.delete([self._path(replacement.name)])
                return
            if replacement.backup is not None:
                self._bucket.copy(self._path(replacement.backup), self._path(replacement.name))
            if self._digest(replacement.name) != replacement.before:
                raise StorageError(
                    f"{self._path(replacement.name)} cannot be put back: its copy is not in the bucket; put the file "
                    f"with the sha256 {replacement.before} there, then publish again"
                )

        self._each(one, replacements)

    def stale(self, ours: Mapping[str, str], wanted: Iterable[str]) -> list[Replacement]:
        """Those of ``ours`` (names to sha256) that are not wanted any more and that nobody has replaced since."""
        candidates = ours.keys() - set(wanted)
        if not candidates:
            return []
        there = {path.removeprefix(self._path("")) for path in self._bucket.list(self._path(""))}
        found = sorted(candidates & there)
        digests = self._each(self._digest, found)
        return [
            Replacement(name=name, before=digest)
            for name, digest in zip(found, digests, strict=True)
            if digest == ours[name]
        ]

    def tidy(self, replacements: Sequence[Replacement]) -> None:
        """Remove what goes, and all copies, those of publications long ended as well: one is under way at a time."""
        self._bucket.delete([self._path(each.name) for each in replacements if each.after is None])
        self._bucket.delete(self._bucket.list(self._path(f"{PREVIOUS}/")))

    def _path(self, name: str) -> str:
        return f"{self._slug}/{name}"

    def _digest(self, name: str) -> str | None:
        return self._bucket.digest(self._path(name))

    def _each(self, work: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
        """``work`` on all, side by side. After a failure none is begun, and all that were have ended."""
        with ThreadPoolExecutor(max_workers=self._at_once) as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            return [future.result() for future in futures]
