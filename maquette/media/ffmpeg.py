"""Runs ffmpeg (the packaged binary) so that nothing is left running and every failure says why."""

import errno
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Protocol

import av
import imageio_ffmpeg

from maquette.errors import ConfigurationError, MaquetteError, MediaError, StorageError

# EFBIG is the file-size limit of a process: for the user it is the same as a full disk.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_TEXTS = ("No space left on device", "Disk quota exceeded", "File too large")
_DENIED_TEXTS = ("Read-only file system", "Permission denied")
_NOISE = ("Conversion failed!", "Last message repeated", "Terminating thread with return", "Task finished with error")


class Compilable(Protocol):
    """A graph of ffmpeg-python."""

    def compile(self, cmd: str) -> list[str]:
        """The whole command line, with ``cmd`` as the program."""
        ...


@lru_cache
def ffmpeg_path() -> str:
    """Path of the ffmpeg that the ``imageio-ffmpeg`` wheel carries; ``ConfigurationError`` when there is none."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise ConfigurationError(
            "no ffmpeg found; install the imageio-ffmpeg wheel of this platform, or set IMAGEIO_FFMPEG_EXE"
        ) from error


@lru_cache
def _tether() -> tuple[str, ...]:
    """Prefix that makes the kernel end ffmpeg with the process that started it, where the system has one."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    command = (setpriv, "--pdeathsig", "KILL", "--")
    works = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return command if works else ()


def storage_error(error: OSError | av.FFmpegError, path: Path) -> StorageError:
    """``error`` of writing ``path``, with code ``storage_full`` when there is no room for it."""
    if error.errno in _FULL:
        return StorageError(f"no room left to write {path}; free some space, then retry", code="storage_full")
    return StorageError(f"{path} cannot be written ({error.strerror}); make the folder writable, then retry")


@contextmanager
def written(destination: Path) -> Iterator[Path]:
    """A temporary path beside ``destination`` that takes its name at the end, and is removed on any failure.

    Raises ``StorageError`` for what the file system refuses.
    """
    partial = destination.with_name(f".{destination.stem}.part{destination.suffix}")
    try:
        yield partial
        partial.replace(destination)
    except MaquetteError:
        raise
    except OSError as error:  # some of PyAV's errors are OSError as well
        raise storage_error(error, destination) from error
    except av.FFmpegError as error:
        if error.errno in _FULL or error.errno in {errno.EROFS, errno.EACCES}:
            raise storage_error(error, destination) from error
        raise MediaError(f"{destination.name} could not be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def run(
    args_or_stream: Sequence[str] | Compilable,
    *,
    timeout_s: float,
    on_progress: Callable[[float], None] | None = None,
    code: str = "bad_clip",
) -> str:
    """Run ffmpeg with ``args`` (without the program) or a graph of ffmpeg-python; returns its last stderr lines.

    ``on_progress`` gets the seconds of output made so far. Raises ``MediaError`` (with ``code``) carrying the
    last useful stderr lines, or ``StorageError`` when the output could not be kept. Whatever happens, ffmpeg
    has ended when this returns or raises.
    """
    graph = args_or_stream
    args = graph if isinstance(graph, Sequence) else graph.compile(ffmpeg_path())[1:]
    common = ["-nostdin", "-hide_banner", "-nostats", "-y"]
    command = [*_tether(), ffmpeg_path(), *common, "-progress", "pipe:1", *args]
    lines: deque[str] = deque(maxlen=40)
    timed_out = threading.Event()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        listener = threading.Thread(target=_drain, args=(process.stderr, lines), daemon=True)
        listener.start()

        def expire() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(timeout_s, expire)
        timer.start()
        try:
            for line in process.stdout:
                key, _, value = line.strip().partition("=")
                if on_progress and key == "out_time_us" and value.isdigit():
                    on_progress(int(value) / 1e6)
            process.wait()
        finally:
            timer.cancel()
            if process.poll() is None:
                process.kill()
            process.wait()
            listener.join()
    if timed_out.is_set():
        raise MediaError(f"ffmpeg was stopped after {timeout_s:g} s; use a shorter clip or more time", code=code)
    if process.returncode:
        raise _failure(process.returncode, list(lines), code)
    return "\n".join(lines)


def _drain(stream: IO[str], lines: deque[str]) -> None:
    lines.extend(line.strip() for line in stream)


def _failure(returncode: int, lines: list[str], code: str) -> MaquetteError:
    if returncode == -signal.SIGXFSZ or any(text in line for line in lines for text in _FULL_TEXTS):
        return StorageError("no room left to write the video; free some space, then retry", code="storage_full")
    if any(text in line for line in lines for text in _DENIED_TEXTS):
        return StorageError("the video cannot be written; make the folder writable, then retry")
    useful = [line for line in lines if line and not any(noise in line for noise in _NOISE)][-4:]
    return MediaError(f"ffmpeg failed: {' | '.join(useful) or f'exit code {returncode}'}", code=code)
