"""What the fixtures of these tests hand out."""

from pathlib import Path
from typing import Protocol


class MakeSource(Protocol):
    """Makes a clip as a provider would send it."""

    def __call__(
        self, *, duration_s: float = 1.0, video: str | None = "testsrc2=s=108x192:r=30", audio: str | None = "sine=440"
    ) -> Path: ...


class MakeBlock(Protocol):
    """Makes a normalised clip of the small frame."""

    def __call__(
        self, *, duration_s: float = 1.0, video: str = "testsrc2=s=108x192:r=30", audio: str | None = "sine=440"
    ) -> Path: ...
