"""The port of video clips: text to a short clip with sound, as an operation at a provider.

Every adapter passes ``tests/providers/clip_contract.py``. The port knows nothing of the journal: the
caller records the operation's id before it polls.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from maquette.providers.catalogue import Profile

AspectRatio = Literal["9:16", "1:1", "16:9", "4:5"]


class ClipRequest(BaseModel):
    """What one clip should show and say. Canonical: equal requests are equal clips."""

    model_config = ConfigDict(frozen=True)

    visual: str = Field(description="What is seen, in the script's language.")
    dialogue: str = Field(description="What is said; may be empty.")
    number: int = Field(ge=1, description="Number of the block, from 1.")
    total: int = Field(ge=1, description="Blocks in the film.")
    seconds: int = Field(ge=1, le=60, description="Length asked of the provider, in seconds.")
    aspect_ratio: AspectRatio = "9:16"
    resolution: Literal["720p", "1080p"] = "720p"
    language: Literal["fr", "en", "es"] = "fr"
    style: Literal["informative", "humorous", "dramatic", "inspiring"] = "informative"
    seed: int = Field(0, ge=0, le=2**31 - 1)
    attempt: int = Field(1, ge=1, description="Number of this submission for the block; each one is a call of its own.")

    def prompt(self) -> str:
        """The text that a generative provider is asked with (wording of the existing clients)."""
        lead = {
            "fr": "Suite de la scène précédente. ",
            "en": "Continuation of the previous scene. ",
            "es": "Continuación de la escena anterior. ",
        }[self.language]
        speak = {
            "fr": "Dialogue à générer en audio",
            "en": "Dialogue to generate as audio",
            "es": "Diálogo que generar en audio",
        }[self.language]
        said = f'\n\n{speak}: "{self.dialogue}"' if self.dialogue else ""
        return f"{lead if self.number > 1 else ''}{self.visual}{said}"


class OperationState(StrEnum):
    """Where an operation stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"


class OperationStatus(BaseModel):
    """One look at an operation; a failed one is raised as its ``ProviderError`` instead."""

    model_config = ConfigDict(frozen=True)

    state: OperationState
    progress: float = Field(0, ge=0, le=1)


class SpokenWord(BaseModel):
    """When one word is heard, in seconds from the clip's start."""

    model_config = ConfigDict(frozen=True)

    text: str
    start_s: float = Field(ge=0)
    end_s: float = Field(ge=0)


class FetchedClip(BaseModel):
    """A clip that arrived: the file is the caller's; the times of its words where the provider tells them."""

    model_config = ConfigDict(frozen=True)

    path: Path
    words: list[SpokenWord] = []


class ClipProvider(Protocol):
    """An adapter. All methods block; all raise only ``ProviderError`` (and ``StorageError`` from ``fetch``)."""

    profile: Profile

    def submit(self, request: ClipRequest, *, reference: str) -> str:
        """Order the clip and return the operation's id. This call costs.

        ``reference`` is the caller's own unique name of the call, kept by providers that can.
        Raises ``OutcomeUnknown`` when the request went out and no answer came back.
        """
        ...

    def find(self, reference: str, *, since: datetime | None = None) -> str | None:
        """The operation that was submitted under ``reference``; ``None`` when there surely is none.

        ``since`` is the earliest moment at which it can have been sent, where the caller knows it.

        Raises ``OutcomeUnknown`` where the provider cannot tell.
        """
        ...

    def poll(self, operation_id: str) -> OperationStatus:
        """One look. Raises the translated error when the operation failed, ``Transient`` when the look did.

        An operation's own failure carries ``operation_ended=True`` in the error's ``values``.
        """
        ...

    def fetch(self, operation_id: str, destination: Path) -> FetchedClip:
        """Download the finished clip to ``destination`` (a temporary path of the caller's)."""
        ...
