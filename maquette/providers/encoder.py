"""The ffmpeg program, as local providers encode with it: a process of its own, fed through a pipe.

Encoders under the GPL stay in that process: see ``docs/licences.md``.
"""

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import imageio_ffmpeg


def encode(order: Sequence[str], destination: Path, frames: Iterable[bytes] = ()) -> None:
    """Run ffmpeg's ``order`` on ``frames``, which it reads as ``-i -``, and write ``destination`` atomically.

    Equal input gives equal bytes where ``order`` asks for one thread. Raises ``OSError`` when it cannot be written,
    and what drawing the frames raises.
    """
    part = destination.with_name(f"{destination.stem}.{os.getpid()}.part{destination.suffix}")
    whole = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostats", "-y", *order, "-movflags", "+faststart",
             "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", str(part)]  # fmt: skip
    # When this process dies, ffmpeg meets the end of its input and ends as well.
    with subprocess.Popen(whole, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stderr is not None
        try:
            for data in frames:
                child.stdin.write(data)
            child.stdin.close()
        except BrokenPipeError:
            pass  # ffmpeg says why below
        except BaseException:
            child.kill()
            raise
        said = child.stderr.read()
    if child.returncode:
        text = said.decode(errors="replace").strip()[-300:]
        number = 28 if "No space left" in text else 5  # ENOSPC, EIO
        raise OSError(number, f"ffmpeg could not encode the clip: {text}")
    with part.open("rb+") as done:
        os.fsync(done.fileno())
    part.replace(destination)
