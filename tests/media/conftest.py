"""Tiny clips, made once: a tenth of the real frame, a second or so long."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from maquette.media import ffmpeg
from maquette.media.frame import Frame
from maquette.media.normalise import normalise
from tests.media.makers import MakeBlock, MakeSource

SMALL: Final = Frame(108, 192)


def _remembered(make: Callable[[str, Path], None], folder: Path) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def get(key: str) -> Path:
        if key not in made:
            made[key] = folder / f"{len(made)}.mp4"
            make(key, made[key])
        return made[key]

    return get


@pytest.fixture
def small() -> Frame:
    """The frame of all tests."""
    return SMALL


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> MakeSource:
    """A factory of clips; equal arguments give the same file."""

    def make(key: str, path: Path) -> None:
        duration, video, audio = key.split("|")
        args: list[str] = ["-loglevel", "error"]
        for lavfi in (video, audio):
            args += ["-f", "lavfi", "-i", lavfi] if lavfi else []
        codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"] if video else []
        ffmpeg.run([*args, "-t", duration, *codecs, "-c:a", "aac", str(path)], timeout_s=60)

    get = _remembered(make, tmp_path_factory.mktemp("sources"))

    def factory(
        *, duration_s: float = 1.0, video: str | None = "testsrc2=s=108x192:r=30", audio: str | None = "sine=440"
    ) -> Path:
        return get(f"{duration_s}|{video or ''}|{audio or ''}")

    return factory


@pytest.fixture(scope="session")
def block(source: MakeSource, tmp_path_factory: pytest.TempPathFactory) -> MakeBlock:
    """A factory of normalised clips; equal arguments give the same file."""

    def make(key: str, path: Path) -> None:
        duration, video, audio = key.split("|")
        clip = source(duration_s=float(duration), video=video, audio=audio or None)
        normalise(clip, path, frame=SMALL, duration_s=float(duration), dialogue="")

    get = _remembered(make, tmp_path_factory.mktemp("blocks"))

    def factory(
        *, duration_s: float = 1.0, video: str = "testsrc2=s=108x192:r=30", audio: str | None = "sine=440"
    ) -> Path:
        return get(f"{duration_s}|{video}|{audio or ''}")

    return factory
