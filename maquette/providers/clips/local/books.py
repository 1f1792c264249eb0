"""The local provider's books: an append-only log of submissions and one file for each operation."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from maquette.providers.clips.port import ClipRequest, SpokenWord
from maquette.settings import Fault


class Submission(BaseModel):
    """One line of ``submissions.jsonl``. ``outcome`` is ``accepted`` or the rehearsed fault.

    Every line with an ``operation_id`` is a call that was taken and, where ``cost_micros`` says so, paid.
    """

    model_config = ConfigDict(frozen=True)

    at: datetime
    operation_id: str | None
    reference: str
    request_sha256: str
    number: int
    seconds: int
    cost_micros: int
    outcome: str


class Operation(BaseModel):
    """One accepted order."""

    model_config = ConfigDict(frozen=True)

    operation_id: str
    reference: str
    at: datetime
    request: ClipRequest
    fault: Fault | None = None


def request_hash(request: ClipRequest) -> str:
    """sha256 of the canonical request."""
    return hashlib.sha256(json.dumps(request.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """All or nothing: temporary file, fsync, rename."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)


class Books:
    """Files below ``root``; safe between processes. Raises ``OSError`` where the disk does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "submissions.jsonl"
        self.operations = root / "operations"

    @contextmanager
    def closed_desk(self) -> Iterator[None]:
        """One submission at a time, on all processes: faults are counted and logged in one step."""
        self.operations.mkdir(parents=True, exist_ok=True)
        with (self.root / "submissions.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def submissions(self) -> list[Submission]:
        """The log so far; a torn last line, from a crash in the write, counts for nothing."""
        found = []
        try:
            lines = self.log.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        for line in filter(None, lines):
            try:
                found.append(Submission.model_validate_json(line))
            except ValueError:
                continue
        return found

    def append(self, submission: Submission) -> None:
        """One line in one write; it is the payment, so it comes last and is on the disk when this returns."""
        line = submission.model_dump_json().encode() + b"\n"
        file = os.open(self.log, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                line = b"\n" + line
            os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)

    def save(self, operation: Operation) -> None:
        """Write the operation's file."""
        path = self.operations / f"{operation.operation_id}.json"
        write_atomically(path, operation.model_dump_json(indent=1).encode())

    def load(self, operation_id: str) -> Operation | None:
        """The operation, or ``None`` when there is none of that name."""
        if not operation_id.replace("-", "").isalnum():
            return None
        try:
            return Operation.model_validate_json((self.operations / f"{operation_id}.json").read_bytes())
        except FileNotFoundError:
            return None

    def folder(self, operation_id: str) -> Path:
        """Where the operation's clip is drawn; created."""
        path = self.operations / operation_id
        path.mkdir(parents=True, exist_ok=True)
        return path


def save_words(path: Path, words: list[SpokenWord]) -> None:
    """Write the times of a clip's words."""
    write_atomically(path, json.dumps([word.model_dump() for word in words]).encode())


def load_words(path: Path) -> list[SpokenWord]:
    """Read them again; none where none were written."""
    try:
        return [SpokenWord.model_validate(word) for word in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
