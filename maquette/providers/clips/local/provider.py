"""``LocalClips``: the clip provider that needs no key and no network, and behaves like a remote one."""

import fcntl
import os
import shutil
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, assert_never

from maquette.errors import Invalid, Transient
from maquette.providers.books import Accepted, disk_error, rehearse, request_hash, write_atomically
from maquette.providers.catalogue import Profile
from maquette.providers.clips.local.books import Books, Operation, Submission, load_words, save_words
from maquette.providers.clips.port import ClipRequest, FetchedClip, OperationState, OperationStatus
from maquette.providers.clips.translation import check_request, storage_error
from maquette.settings import Fault

_CLIP, _WORDS, _PROGRESS, _FAILED = "clip.mp4", "words.json", "progress", "failed"
_STALLED_AT: Final = 0.3
# Drawings of one process at a time; more would only take turns on the same cores.
_EASELS: Final = threading.BoundedSemaphore(os.cpu_count() or 1)
# Failures of the disk, by operation's folder: they cannot always be written down.
_disk_failures: dict[Path, OSError] = {}


class LocalClips:
    """Draws clips on this machine.

    Every ``submit`` is a new paid call, one line in ``root/submissions.jsonl``: the log is the oracle of what was
    paid. Drawing starts at the first ``poll``, in a thread of the polling process; when that process dies, the next
    one to poll takes over.

    ``faults`` maps a block's number to the faults of its first submissions (see ``Settings.local_faults``), counted
    by the part of the reference before its last ``/``; ``stall_s`` is how long a stalled operation hangs; with
    ``instant`` nothing is drawn.
    """

    def __init__(
        self,
        root: Path,
        *,
        profile: Profile,
        faults: dict[int, list[Fault]] | None = None,
        stall_s: float = 3600,
        instant: bool = False,
    ) -> None:
        self.profile = profile
        self._books = Books(root)
        self._faults, self._stall_s, self._instant = faults or {}, stall_s, instant

    def submit(self, request: ClipRequest, *, reference: str) -> str:
        """Order a clip; see the port. Raises ``Invalid``, and ``Transient`` or ``OutcomeUnknown`` in rehearsals."""
        check_request(request, profile=self.profile)
        line = Submission(
            at=datetime.now(UTC),
            operation_id=None,
            reference=reference,
            request_sha256=request_hash(request),
            number=request.number,
            seconds=request.seconds,
            cost_micros=request.seconds * self.profile.price_micros_per_s,
            outcome="accepted",
        )

        def order(accepted: Accepted) -> Operation:
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
        """One look; starts or resumes the drawing where nobody draws."""
        try:
            return self._look(operation_id)
        except OSError as error:
            raise disk_error(error, "draw the clip") from error

    def _look(self, operation_id: str) -> OperationStatus:
        operation = self._load(operation_id)
        rehearse(operation.fault)
        match operation.fault:
            case "stall":
                if (datetime.now(UTC) - operation.at).total_seconds() < self._stall_s:
                    return OperationStatus(state=OperationState.RUNNING, progress=_STALLED_AT)
            case "broken-clip":
                return OperationStatus(state=OperationState.SUCCEEDED, progress=1)
            case "fail" | "refuse" | "lose-answer" | "throttle" | None:
                pass
            case _:
                assert_never(operation.fault)
        folder = self._books.folder(operation_id)
        if (folder / _CLIP).exists():
            return OperationStatus(state=OperationState.SUCCEEDED, progress=1)
        if self._instant:
            self._put_prepared(operation.request, folder / _CLIP)
            return OperationStatus(state=OperationState.SUCCEEDED, progress=1)
        if (folder / _FAILED).exists():
            raise Transient(
                f"the clip could not be drawn: {(folder / _FAILED).read_text()}; submit it again", operation_ended=True
            )
        if (failure := _disk_failures.pop(folder, None)) is not None:
            raise failure
        self._draw_if_free(operation, folder)
        return OperationStatus(state=OperationState.RUNNING, progress=_read_progress(folder))

    def _draw_if_free(self, operation: Operation, folder: Path) -> None:
        # The kernel lets go of the lock when its holder dies, so the next one to poll takes over.
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return
        except BaseException:
            os.close(lock)
            raise
        name = f"drawing {operation.operation_id}"
        threading.Thread(target=_draw, args=(operation.request, folder, lock), name=name, daemon=True).start()

    def fetch(self, operation_id: str, destination: Path) -> FetchedClip:
        """Copy the finished clip to ``destination``. Raises ``StorageError`` (``storage_full``), or ``Invalid``."""
        operation = self._load(operation_id)
        folder = self._books.operations / operation_id
        try:
            if operation.fault == "broken-clip":
                destination.write_bytes(b"This is no video: the local provider rehearses a broken clip.\n")
                return FetchedClip(path=destination)
            if not (folder / _CLIP).exists():
                raise Invalid(f"the clip of {operation_id} is not finished: poll until it has succeeded")
            shutil.copyfile(folder / _CLIP, destination)
            return FetchedClip(path=destination, words=load_words(folder / _WORDS))
        except OSError as error:
            destination.unlink(missing_ok=True)
            raise storage_error(error, destination) from error

    def _load(self, operation_id: str) -> Operation:
        operation = self._books.load(operation_id)
        if operation is None:
            raise Invalid(
                f"the local provider knows no operation {operation_id} below {self._books.root}", operation_ended=True
            )
        return operation

    def _put_prepared(self, request: ClipRequest, clip: Path) -> None:
        from maquette.providers.clips.local.render import prepared_clip

        shape = request.aspect_ratio.replace(":", "x")
        ready = self._books.root / "prepared" / f"{request.seconds}s-{shape}-{request.number}.mp4"
        ready.parent.mkdir(parents=True, exist_ok=True)
        with (ready.parent / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ready.exists():
                prepared_clip(request, ready)
        part = clip.with_name(f"{clip.stem}.{uuid.uuid4().hex}.part")
        shutil.copyfile(ready, part)
        part.replace(clip)


def _draw(request: ClipRequest, folder: Path, lock: int) -> None:
    """A thread's work; ``lock`` is held until its end."""
    try:
        with _EASELS:
            if (folder / _CLIP).exists() or (folder / _FAILED).exists():
                return
            # Imported here: drawing needs numpy, Pillow and fonts, and most processes never draw.
            from maquette.providers.clips.local.render import draw_clip

            # A name of its own: the encoder of a drawer that was killed may still be ending its own file.
            for left in folder.glob("drawn-*"):
                left.unlink(missing_ok=True)
            drawn = folder / f"drawn-{uuid.uuid4().hex}.mp4"
            words = draw_clip(request, drawn, progress=lambda share: _write_progress(folder, share))
            save_words(folder / _WORDS, words)
            drawn.replace(folder / _CLIP)
    except OSError as error:
        _disk_failures[folder] = error
    except Exception as error:  # a thread has nobody above it: the next look tells
        try:
            write_atomically(folder / _FAILED, f"{type(error).__name__}: {error}".encode())
        except OSError as full:
            _disk_failures[folder] = full
    finally:
        os.close(lock)


def _write_progress(folder: Path, share: float) -> None:
    write_atomically(folder / _PROGRESS, f"{share:.3f}".encode())


def _read_progress(folder: Path) -> float:
    try:
        return min(0.99, float((folder / _PROGRESS).read_text()))
    except (FileNotFoundError, ValueError):
        return 0.0
