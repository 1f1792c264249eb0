"""The port of loops: one picture to a short clip without sound, as an operation at a provider.

Every adapter passes ``tests/providers/loop_contract.py``. The port knows nothing of the journal: the caller records
the operation's id before it polls.
"""

from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from maquette.providers.catalogue import Profile
from maquette.providers.clips.port import OperationStatus


class LoopRequest(BaseModel):
    """How one picture should move. Canonical: equal requests are equal clips.

    ``number`` and ``attempt`` name the call and have no say in the clip.
    """

    model_config = ConfigDict(frozen=True)

    prompt: str = Field(description="How the picture moves.")
    image_sha256: str = Field(description="The picture to begin with; its file comes beside.")
    frames: int = Field(121, ge=9, le=241, description="Frames of the clip.")
    fps: int = Field(24, ge=8, le=60)
    width: int = Field(720, ge=64, le=1920)
    height: int = Field(720, ge=64, le=1920)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    number: int = Field(1, ge=1, description="The item's number within its order, from 1.")
    attempt: int = Field(1, ge=1, description="Number of this submission for the item; each one is a call of its own.")


class LoopProvider(Protocol):
    """An adapter. All methods block; all raise only ``ProviderError`` (and ``StorageError`` from ``fetch``)."""

    profile: Profile

    def submit(self, request: LoopRequest, *, reference: str, image: Path) -> str:
        """Order the clip and return the operation's id. This call costs.

        ``reference`` is the caller's own unique name of the call; ``image`` is the file of ``image_sha256``. Raises
        ``OutcomeUnknown`` when the request went out and no answer came back.
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
        """Bring the finished clip to ``destination``, a path of the caller's; its path. Nobody has decoded it yet."""
        ...
