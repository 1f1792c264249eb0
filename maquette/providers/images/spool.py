"""What a provider answered that answers at once: pictures and refusals, kept until they are fetched.

A call's files are named after its reference: a mark (``.sending``) from before the call until its answer is on the
disk, the record (``.json``), and the picture. So what a crash interrupted is told from what was never sent. All
workers that look calls up must share the folder.
"""

import os
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from maquette.errors import OutcomeUnknown
from maquette.providers.books import write_atomically

_PREFIX: Final = "gemini-"


class Record(BaseModel):
    """How a call ended. ``message`` tells why there is no picture."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    reference: str
    outcome: Literal["picture", "refused", "failed"]
    message: str = ""


class _Complete(BaseModel):
    since: datetime


class Spool:
    """Answers below ``root``; safe between processes. Raises ``OSError`` where the disk does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._complete = root / "complete.json"
        root.mkdir(parents=True, exist_ok=True)
        if not self._complete.exists():
            self._set_complete(datetime.now(UTC))

    def _set_complete(self, since: datetime) -> None:
        write_atomically(self._complete, _Complete(since=since).model_dump_json().encode())

    def _path(self, operation_id: str, suffix: str) -> Path:
        return self.root / f"{operation_id.removeprefix(_PREFIX)}{suffix}"

    @staticmethod
    def name(reference: str) -> str:
        """The operation that a call under ``reference`` is."""
        return _PREFIX + sha256(reference.encode()).hexdigest()[:40]

    def begin(self, reference: str) -> None:
        """Mark the call as under way. Raises ``OutcomeUnknown`` where it already is, or once was and was cut off."""
        mark = self._path(self.name(reference), ".sending")
        try:
            file = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            raise OutcomeUnknown(f"the call {reference} was sent before, and no answer to it was kept") from None
        try:
            os.write(file, reference.encode())
            os.fsync(file)
        finally:
            os.close(file)
        folder = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def drop(self, reference: str) -> None:
        """Take the mark away: the call was surely not taken."""
        self._path(self.name(reference), ".sending").unlink(missing_ok=True)

    def finish(self, record: Record, picture: bytes = b"") -> str:
        """Keep an answer; the operation's id. The record comes last but for the mark: what has one is whole."""
        operation_id = self.name(record.reference)
        if record.outcome == "picture":
            write_atomically(self._path(operation_id, ".picture"), picture)
        write_atomically(self._path(operation_id, ".json"), record.model_dump_json().encode())
        self.drop(record.reference)
        return operation_id

    def find(self, reference: str, *, since: datetime | None) -> str | None:
        """The call's operation; ``None`` where it was surely never sent, else ``OutcomeUnknown``."""
        operation_id = self.name(reference)
        if self.record(operation_id) is not None:
            return operation_id
        if self._path(operation_id, ".sending").exists():
            raise OutcomeUnknown(f"the call {reference} was cut off after it was sent: nobody can tell its fate")
        complete = _Complete.model_validate_json(self._complete.read_bytes())
        if since is not None and since < complete.since:
            raise OutcomeUnknown(
                f"the spool {self.root} does not reach back to the call {reference}: it cannot be told"
            )
        return None

    def record(self, operation_id: str) -> Record | None:
        """How an operation ended, or ``None`` when there is none of that name."""
        if not operation_id.startswith(_PREFIX) or not operation_id.removeprefix(_PREFIX).isalnum():
            return None
        try:
            return Record.model_validate_json(self._path(operation_id, ".json").read_bytes())
        except FileNotFoundError:
            return None

    def picture(self, operation_id: str) -> Path:
        """Where an operation's picture is."""
        return self._path(operation_id, ".picture")

    def prune(self, older_than: datetime) -> int:
        """Remove what was kept before ``older_than``; how many calls that were."""
        complete = _Complete.model_validate_json(self._complete.read_bytes())
        if complete.since < older_than:
            self._set_complete(older_than)  # first: what is gone must not look as if it had never been
        names = set()
        for path in self.root.iterdir():
            with suppress(FileNotFoundError):  # what was being written when it was listed has its own name by now
                if path != self._complete and path.stat().st_mtime < older_than.timestamp():
                    path.unlink()
                    names.add(path.stem)
        return len(names)
