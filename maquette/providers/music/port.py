"""The port of music: lyrics and a style to a song, as an operation at a provider.

Every adapter passes ``tests/providers/music_contract.py``. The port knows nothing of the journal: the caller records
the operation's id before it polls.
"""

from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from maquette.providers.catalogue import Profile
from maquette.providers.clips.port import OperationStatus
from maquette.providers.text.port import UniverseLanguage


class MusicRequest(BaseModel):
    """One song. Canonical: equal requests are equal songs.

    ``number`` and ``attempt`` name the call and have no say in the song.
    """

    model_config = ConfigDict(frozen=True)

    lyrics: str = Field(description="With the section tags [intro] [verse] [chorus] [bridge] [outro].")
    prompt: str = Field(description="Style, mood and instruments.")
    language: UniverseLanguage
    seconds: int = Field(60, ge=4, le=240)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    number: int = Field(1, ge=1, description="The item's number within its order, from 1.")
    attempt: int = Field(1, ge=1, description="Number of this submission for the item; each one is a call of its own.")


class MusicProvider(Protocol):
    """An adapter. All methods block; all raise only ``ProviderError`` (and ``StorageError`` from ``fetch``)."""

    profile: Profile

    def submit(self, request: MusicRequest, *, reference: str) -> str:
        """Order the song and return the operation's id. This call costs.

        ``reference`` is the caller's own unique name of the call. Raises ``OutcomeUnknown`` when the request went out
        and no answer came back.
        """
        ...

    def find(self, reference: str, *, since: datetime | None = None) -> str | None:
        """The operation that was submitted under ``reference``; ``None`` when there surely is none.

        Raises ``OutcomeUnknown`` where the provider cannot tell.
        """
        ...

    def poll(self, operation_id: str) -> OperationStatus:
        """One look. Raises the translated error when the operation failed, ``Transient`` when the look did.

        An operation's own failure carries ``operation_ended=True`` in the error's ``values``.
        """
        ...

    def fetch(self, operation_id: str, destination: Path) -> Path:
        """Bring the finished song, an MP3, to ``destination``, a path of the caller's; its path."""
        ...
