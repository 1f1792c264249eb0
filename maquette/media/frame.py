"""The target of every block: size, frame rate, sample rate, and where text may stand."""

from dataclasses import dataclass
from typing import Final

from maquette.errors import InvalidInput

FPS: Final = 30
SAMPLE_RATE: Final = 48_000
SIZES: Final[dict[str, tuple[int, int]]] = {
    "9:16": (1080, 1920),
    "1:1": (1080, 1080),
    "16:9": (1920, 1080),
    "4:5": (1080, 1350),
}


def frames(duration_s: float) -> int:
    """Frames in ``duration_s``, the nearest whole one."""
    return round(duration_s * FPS)


def samples(duration_s: float) -> int:
    """Audio samples per channel in ``duration_s``: those of its whole frames, so that picture and sound end at once."""
    return frames(duration_s) * SAMPLE_RATE // FPS


@dataclass(frozen=True)
class Frame:
    """A picture of ``width`` × ``height`` pixels, both even (4:2:0 chroma)."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 16 or self.height < 16 or self.width % 2 or self.height % 2:
            raise InvalidInput(f"a frame needs even sides of 16 pixels or more, not {self.width}×{self.height}")

    @classmethod
    def of(cls, aspect_ratio: str) -> "Frame":
        """The frame of ``9:16``, ``1:1``, ``16:9`` or ``4:5``; ``InvalidInput`` otherwise."""
        if aspect_ratio not in SIZES:
            raise InvalidInput(f"no aspect ratio {aspect_ratio!r}; there are {', '.join(SIZES)}")
        return cls(*SIZES[aspect_ratio])

    @property
    def text_width(self) -> int:
        """Widest line of text, in pixels: 8 % of the width stay free on each side."""
        return int(self.width * 0.84)

    @property
    def text_band(self) -> tuple[int, int]:
        """Rows (top, bottom) that captions stay in; both even.

        In a tall frame the lowest 22 % stay free: players draw the account's name and buttons there.
        """
        free = 0.22 if self.height > 1.5 * self.width else 0.09
        bottom = int(self.height * (1 - free)) // 2 * 2
        return bottom - int(min(self.width, self.height) * 0.36) // 2 * 2, bottom
