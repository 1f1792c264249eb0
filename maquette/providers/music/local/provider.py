"""``LocalMusic``: the music provider that needs no key and no network, and behaves like a remote one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, assert_never

from maquette.errors import Invalid
from maquette.providers import books
from maquette.providers.books import Accepted, Entry, disk_error, rehearse, request_hash, write_atomically
from maquette.providers.catalogue import Profile
from maquette.providers.clips.port import OperationState, OperationStatus
from maquette.providers.clips.translation import storage_error, write_clip
from maquette.providers.music.port import MusicRequest
from maquette.settings import Fault

_SONG: Final = "song.mp3"
_STALLED_AT: Final = 0.3
# It begins like an MP3, as what breaks off on its way does.
_BROKEN: Final = b"ID3\x04\x00\x00\x00\x00\x00\x00 This is no song: the local provider rehearses a broken one.\n"


class Operation(Accepted):
    """One accepted order."""

    request: MusicRequest


class Books(books.Books[Entry, Operation]):
    """The books of songs below ``root``."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, line=Entry, order=Operation)


class LocalMusic:
    """Plays songs on this machine.

    Every ``submit`` is a new paid call, one line in ``root/submissions.jsonl``: the log is the oracle of what was
    paid. The song is played at the first ``poll``, in the polling process; equal requests are equal to the byte, so
    two that play the same at once, or a crash between, do no harm.

    ``faults`` maps an item's number to the faults of its first submissions, counted by the part of the reference
    before its last ``/``; ``stall_s`` is how long a stalled operation hangs; with ``instant`` there is one tone only.
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

    def submit(self, request: MusicRequest, *, reference: str) -> str:
        """Order a song; see the port. Raises ``Transient`` or ``OutcomeUnknown`` in rehearsals."""
        line = Entry(
            at=datetime.now(UTC),
            operation_id=None,
            reference=reference,
            request_sha256=request_hash(request),
            number=request.number,
            cost_micros=self.profile.price_micros_per_song,
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
        """One look; plays the song where nobody has."""
        operation = self._load(operation_id)
        rehearse(operation.fault)
        match operation.fault:
            case "stall":
                if (datetime.now(UTC) - operation.at).total_seconds() < self._stall_s:
                    return OperationStatus(state=OperationState.RUNNING, progress=_STALLED_AT)
            case "fail" | "refuse" | "broken-clip" | "lose-answer" | "throttle" | None:
                pass
            case _:
                assert_never(operation.fault)
        try:
            path = self._books.folder(operation_id) / _SONG
            if not path.exists():
                write_atomically(path, self._played(operation))
        except OSError as error:
            raise disk_error(error, "play the song") from error
        return OperationStatus(state=OperationState.SUCCEEDED, progress=1)

    def fetch(self, operation_id: str, destination: Path) -> Path:
        """Copy the finished song. Raises ``StorageError`` (``storage_full``), or ``Invalid``."""
        self._load(operation_id)
        path = self._books.operations / operation_id / _SONG
        if not path.exists():
            raise Invalid(f"the song of {operation_id} is not finished: poll until it has succeeded")
        try:
            song = path.read_bytes()
        except OSError as error:
            raise storage_error(error, path) from error
        write_clip([song], destination, what="song")
        return destination

    def _played(self, operation: Operation) -> bytes:
        if operation.fault == "broken-clip":
            return _BROKEN
        # Imported here: playing needs numpy and PyAV, and most processes never play.
        from maquette.providers.music.local import render

        if self._instant:
            return render.placeholder(operation.request)
        try:
            return render.song(operation.request)
        except (ValueError, LookupError, ArithmeticError) as error:
            # By rule: the next try would end in the same way.
            raise Invalid(
                f"the song could not be played ({type(error).__name__}: {error}): change its lyrics or its prompt",
                operation_ended=True,
            ) from error

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
