"""The port of images: text to one picture, as an operation at a provider.

Every adapter passes ``tests/providers/image_contract.py``. The port knows nothing of the journal: the caller
records the operation's id before it polls. A provider that answers at once keeps its answer in a spool, from
which ``find`` and ``fetch`` read.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from maquette.providers.catalogue import Profile
from maquette.providers.clips.port import OperationStatus

Hex = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Ratio = Literal["1:1", "4:5", "9:16", "16:9", "2:3", "yt-thumb"]


class ImageRequest(BaseModel):
    """What one picture should show. Canonical: equal requests are equal pictures.

    ``number`` and ``attempt`` name the call and have no say in the picture: variants of one prompt differ by ``seed``.
    """

    model_config = ConfigDict(frozen=True)

    prompt: str = Field(description="The whole prompt, brand and style included.")
    avoid: tuple[str, ...] = Field((), description="What the picture must not show.")
    ratio: Ratio = "1:1"
    width: int = Field(
        ge=64, le=4096, description="Pixels that the finished picture has; providers may come close, and it is fitted."
    )
    height: int = Field(ge=64, le=4096)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    palette: tuple[Hex, ...] = Field((), description="#rrggbb, for providers that draw; prompts name colours in words.")
    references: tuple[str, ...] = Field((), description="sha256 of the pictures to go by; their files come beside.")
    language: Literal["fr", "en", "es"] = "fr"
    number: int = Field(1, ge=1, description="The item's number within its order, from 1.")
    attempt: int = Field(1, ge=1, description="Number of this submission for the item; each one is a call of its own.")

    def full_prompt(self) -> str:
        """The text that a generative provider is asked with: the prompt, and what to leave out."""
        return f"{self.prompt}\n\nDo not show: {', '.join(self.avoid)}." if self.avoid else self.prompt

    def aspect_ratio(self) -> str:
        """The ratio as generative providers name it."""
        return "16:9" if self.ratio == "yt-thumb" else self.ratio


class ImageProvider(Protocol):
    """An adapter. All methods block; all raise only ``ProviderError`` (and ``StorageError`` from ``fetch``)."""

    profile: Profile

    def submit(self, request: ImageRequest, *, reference: str, files: list[Path]) -> str:
        """Order the picture and return the operation's id. This call costs.

        ``reference`` is the caller's own unique name of the call. ``files`` are the pictures of
        ``request.references``, in their order. Raises ``OutcomeUnknown`` when the request went out and no answer
        came back.
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
        """Bring the finished picture (PNG, JPEG or WebP) to ``destination`` with the true suffix in place of its own.

        Its path. Nobody has decoded it: that it is whole is for the caller to see.
        """
        ...
