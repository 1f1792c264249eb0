"""The books of a local provider: an append-only log of submissions and one file for each operation.

Every submission that was taken is a line of ``submissions.jsonl``: the log is the oracle of what was paid, in tests
and in rehearsals.
"""

import errno
import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from maquette.errors import Filtered, OutcomeUnknown, Transient
from maquette.settings import Fault


class Entry(BaseModel):
    """One line of ``submissions.jsonl``. ``outcome`` is ``accepted`` or the rehearsed fault.

    Every line with an ``operation_id`` is a call that was taken and, where ``cost_micros`` says so, paid.
    """

    model_config = ConfigDict(frozen=True)

    at: datetime
    operation_id: str | None
    reference: str
    request_sha256: str
    number: int
    cost_micros: int
    outcome: str


class Accepted(BaseModel):
    """One accepted order."""

    model_config = ConfigDict(frozen=True)

    operation_id: str
    reference: str
    at: datetime
    fault: Fault | None = None


Line = TypeVar("Line", bound=Entry)
Order = TypeVar("Order", bound=Accepted)


def request_hash(request: BaseModel) -> str:
    """sha256 of the canonical request."""
    return sha256(json.dumps(request.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """All or nothing: temporary file, fsync, rename."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def disk_error(error: OSError, doing: str) -> Transient:
    """A failure of a local provider's own disk, which another try may not meet."""
    cure = "free some space" if error.errno == errno.ENOSPC else "see that its folder can be written"
    return Transient(f"the local provider could not {doing} ({error}); {cure}, then try again")


def rehearse(fault: Fault | None) -> None:
    """Raise what an operation with ``fault`` ends with, where it ends badly."""
    if fault == "fail":
        raise Transient("the local provider rehearses a failed operation: submit it again", operation_ended=True)
    if fault == "refuse":
        raise Filtered(
            "the local provider rehearses a refusal: the prompt violates the usage guidelines",
            code="usage_guidelines",
            operation_ended=True,
        )


class Books(Generic[Line, Order]):
    """Files below ``root``; safe between processes. Raises ``OSError`` where the disk does."""

    def __init__(self, root: Path, *, line: type[Line], order: type[Order]) -> None:
        self.root = root
        self.log = root / "submissions.jsonl"
        self.operations = root / "operations"
        self._line, self._order = line, order

    @contextmanager
    def closed_desk(self) -> Iterator[None]:
        """One submission at a time, on all processes: faults are counted and logged in one step."""
        self.operations.mkdir(parents=True, exist_ok=True)
        with (self.root / "submissions.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def take(
        self,
        line: Line,
        *,
        faults: Mapping[int, Sequence[Fault]],
        charges_failed: bool,
        order: Callable[[Accepted], Order],
    ) -> str:
        """Take a submission, meeting its planned fault; the operation's id.

        ``line`` is the submission as it is logged where nothing goes wrong, without its operation. ``faults`` maps
        an item's number to the faults of its first submissions, counted by the part of the reference before its last
        ``/``. Raises ``Transient`` or ``OutcomeUnknown`` in rehearsals.
        """
        with self.closed_desk():
            fault = self._next_fault(faults.get(line.number, ()), line)
            line = line.model_copy(update={"at": datetime.now(UTC), "outcome": fault or "accepted"})
            if fault == "throttle":
                self.append(line.model_copy(update={"cost_micros": 0}))
                raise Transient("the local provider rehearses a throttled request: try again in 1 s", retry_after_s=1)
            accepted = Accepted(
                operation_id=f"local-{uuid.uuid4().hex}", reference=line.reference, at=line.at, fault=fault
            )
            free = fault == "refuse" or (fault == "fail" and not charges_failed)
            # The operation first: an order that is in the log can always be found and polled.
            self.save(order(accepted))
            paid = {"operation_id": accepted.operation_id, "cost_micros": 0 if free else line.cost_micros}
            self.append(line.model_copy(update=paid))
        if fault == "lose-answer":
            raise OutcomeUnknown("the local provider rehearses a lost answer: look the call up by its reference")
        return accepted.operation_id

    def _next_fault(self, planned: Sequence[Fault], line: Line) -> Fault | None:
        if not planned:
            return None
        key = line.reference.rpartition("/")[0]
        before = sum(1 for s in self.submissions() if s.number == line.number and s.reference.rpartition("/")[0] == key)
        return planned[before] if before < len(planned) else None

    def find(self, reference: str) -> str | None:
        """The operation of ``reference`` by the log, the latest if there are several."""
        taken = [s for s in self.submissions() if s.reference == reference and s.operation_id]
        return taken[-1].operation_id if taken else None

    def submissions(self) -> list[Line]:
        """The log so far; a torn last line, from a crash in the write, counts for nothing."""
        found = []
        try:
            lines = self.log.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        for line in filter(None, lines):
            try:
                found.append(self._line.model_validate_json(line))
            except ValueError:
                continue
        return found

    def append(self, submission: Line) -> None:
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

    def save(self, operation: Order) -> None:
        """Write the operation's file."""
        path = self.operations / f"{operation.operation_id}.json"
        write_atomically(path, operation.model_dump_json(indent=1).encode())

    def load(self, operation_id: str) -> Order | None:
        """The operation, or ``None`` when there is none of that name."""
        if not operation_id.replace("-", "").isalnum():
            return None
        try:
            return self._order.model_validate_json((self.operations / f"{operation_id}.json").read_bytes())
        except FileNotFoundError:
            return None

    def folder(self, operation_id: str) -> Path:
        """Where the operation's work is done; created."""
        path = self.operations / operation_id
        path.mkdir(parents=True, exist_ok=True)
        return path

    def prune(self, older_than: datetime) -> int:
        """Remove the operations that were taken before ``older_than``, and their lines; how many there were."""
        if not self.operations.exists():
            return 0
        gone = 0
        with self.closed_desk():
            for path in self.operations.glob("*.json"):
                operation = self.load(path.stem)
                if operation is not None and operation.at < older_than:
                    shutil.rmtree(self.operations / path.stem, ignore_errors=True)
                    path.unlink()
                    gone += 1
            lines = self.submissions()
            kept = [line for line in lines if line.at >= older_than]
            if len(kept) < len(lines):
                write_atomically(self.log, b"".join(line.model_dump_json().encode() + b"\n" for line in kept))
        return gone
