"""``LocalLoops``: the loop provider that needs no key and no network, and behaves like a remote one."""

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, assert_never

from maquette.errors import Invalid
from maquette.providers import books
from maquette.providers.books import Accepted, Entry, disk_error, rehearse, request_hash, write_atomically
from maquette.providers.catalogue import Profile
from maquette.providers.clips.port import OperationState, OperationStatus
from maquette.providers.clips.translation import storage_error
from maquette.providers.loops.port import LoopRequest
from maquette.providers.loops.transfer import read_picture
from maquette.settings import Fault

_PICTURE, _LOOP, _PROGRESS = "picture", "loop.mp4", "progress"
_STALLED_AT: Final = 0.3
_BROKEN: Final = b"This is no video: the local provider rehearses a broken loop.\n"
_DONE: Final = OperationStatus(state=OperationState.SUCCEEDED, progress=1)


class Operation(Accepted):
    """One accepted order. Its picture lies in its folder."""

    request: LoopRequest


class Books(books.Books[Entry, Operation]):
    """The books of loops below ``root``."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, line=Entry, order=Operation)

    def prune(self, older_than: datetime) -> int:
        """As for all books; and the pictures whose order a crash kept from being taken."""
        gone = super().prune(older_than)
        for folder in self.operations.glob("*/"):
            if not folder.with_suffix(".json").exists() and folder.stat().st_mtime < older_than.timestamp():
                shutil.rmtree(folder, ignore_errors=True)
        return gone


class LocalLoops:
    """Sets pictures in motion on this machine.

    Every ``submit`` is a new paid call, one line in ``root/submissions.jsonl``: the log is the oracle of what was
    paid. The picture is kept with the order. The loop is drawn at a ``poll``, in the polling process, under a lock
    that the kernel lets go of when that process dies: the next one to poll takes over. Equal requests are equal to
    the byte.

    ``faults`` maps an item's number to the faults of its first submissions, counted by the part of the reference
    before its last ``/``; ``stall_s`` is how long a stalled operation hangs; with ``instant`` the loop is a small
    pattern that costs next to nothing.
    """

    def __init__(
        self,
        root: Path,
        *,
        profile: Profile,
        faults: Mapping[int, Sequence[Fault]] | None = None,
        stall_s: float = 3600,
        instant: bool = False,
    ) -> None:
        self.profile = profile
        self._books = Books(root)
        self._faults, self._stall_s, self._instant = faults or {}, stall_s, instant

    def submit(self, request: LoopRequest, *, reference: str, image: Path) -> str:
        """Order a loop; see the port. Raises ``Invalid``, and ``Transient`` or ``OutcomeUnknown`` in rehearsals."""
        picture, _ = read_picture(request, image)
        line = Entry(
            at=datetime.now(UTC),
            operation_id=None,
            reference=reference,
            request_sha256=request_hash(request),
            number=request.number,
            cost_micros=self.profile.price_micros_per_loop,
            outcome="accepted",
        )

        def order(accepted: Accepted) -> Operation:
            # Before the order is in the books: what is in the books can be drawn.
            write_atomically(self._books.folder(accepted.operation_id) / _PICTURE, picture)
            return Operation(**dict(accepted), request=request)

        try:
            return self._books.take(line, faults=self._faults, charges_failed=self.profile.charges_failed, order=order)
        except OSError as error:
            raise disk_error(error, "take the order") from error

    def find(self, reference: str, *, since: datetime | None = None) -> str | None:
        """The operation of ``reference`` by the log, the latest if there are several."""
        try:
            return self._books.find(reference)
        except OSError as error:
            raise disk_error(error, "read its log") from error

    def poll(self, operation_id: str) -> OperationStatus:
        """One look; draws the loop where nobody has and nobody does."""
        operation = self._load(operation_id)
        rehearse(operation.fault)
        match operation.fault:
            case "stall":
                if (datetime.now(UTC) - operation.at).total_seconds() < self._stall_s:
                    return OperationStatus(state=OperationState.RUNNING, progress=_STALLED_AT)
            case "broken-clip":
                return _DONE
            case "fail" | "refuse" | "lose-answer" | "throttle" | None:
                pass
            case _:
                assert_never(operation.fault)
        folder = self._books.operations / operation_id
        try:
            if (folder / _LOOP).exists():
                return _DONE
            with _at_work(folder) as mine:
                if not mine:
                    return OperationStatus(state=OperationState.RUNNING, progress=_read_progress(folder))
                if not (folder / _LOOP).exists():
                    self._draw(operation.request, folder)
        except OSError as error:
            raise disk_error(error, "draw the loop") from error
        return _DONE

    def fetch(self, operation_id: str, destination: Path) -> Path:
        """Copy the finished loop. Raises ``StorageError`` (``storage_full``), or ``Invalid``."""
        operation = self._load(operation_id)
        loop = self._books.operations / operation_id / _LOOP
        try:
            if operation.fault == "broken-clip":
                destination.write_bytes(_BROKEN)
            elif loop.exists():
                shutil.copyfile(loop, destination)
            else:
                raise Invalid(f"the loop of {operation_id} is not finished: poll until it has succeeded")
        except OSError as error:
            destination.unlink(missing_ok=True)
            raise storage_error(error, destination) from error
        return destination

    def _draw(self, request: LoopRequest, folder: Path) -> None:
        # Imported here: drawing needs numpy, Pillow and PyAV, and most processes never draw.
        from maquette.providers.loops.local import render

        for left in folder.glob("drawn-*"):
            left.unlink(missing_ok=True)
        drawn = folder / f"drawn-{uuid.uuid4().hex}.mp4"
        try:
            if self._instant:
                render.pattern(request, drawn)
            else:
                render.draw(request, folder / _PICTURE, drawn, progress=_progress_of(folder))
        except (ValueError, LookupError, ArithmeticError) as error:
            # By rule: the next try would end in the same way.
            raise Invalid(
                f"the loop could not be drawn ({type(error).__name__}: {error}): change the picture or the prompt",
                operation_ended=True,
            ) from error
        drawn.replace(folder / _LOOP)

    def _load(self, operation_id: str) -> Operation:
        try:
            operation = self._books.load(operation_id)
        except OSError as error:
            raise disk_error(error, "read its books") from error
        if operation is None:
            raise Invalid(
                f"the local provider knows no operation {operation_id} below {self._books.root}", operation_ended=True
            )
        return operation


@contextmanager
def _at_work(folder: Path) -> Iterator[bool]:
    """Whether the operation's work is ours; it is until the end of the block, or of this process."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)


def _progress_of(folder: Path) -> Callable[[float], None]:
    return lambda share: write_atomically(folder / _PROGRESS, f"{share:.3f}".encode())


def _read_progress(folder: Path) -> float:
    try:
        return min(0.99, float((folder / _PROGRESS).read_text()))
    except (FileNotFoundError, ValueError):
        return 0.0
