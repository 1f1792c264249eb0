import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from maquette.errors import MediaError, StorageError
from maquette.media import ffmpeg

ENDLESS = ["-f", "lavfi", "-re", "-i", "testsrc2=s=64x64", "-f", "null", "-"]


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]


def test_a_failure_carries_what_ffmpeg_said(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No such file or directory"):
        ffmpeg.run(["-i", str(tmp_path / "none.mp4"), "-f", "null", "-"], timeout_s=20)


def test_the_failure_of_a_film_has_its_own_code() -> None:
    with pytest.raises(MediaError) as caught:
        ffmpeg.run(["-f", "lavfi", "-i", "nosuchsource", "-f", "null", "-"], timeout_s=20, code="assembly_failed")
    assert caught.value.code == "assembly_failed"


def test_a_graph_of_ffmpeg_python_runs_as_well() -> None:
    import ffmpeg as ffmpeg_python

    stream = ffmpeg_python.input("testsrc2=s=64x64:d=0.2", f="lavfi").output("-", f="null")
    assert "frame" in ffmpeg.run(stream, timeout_s=20)


def test_too_long_a_run_is_stopped_and_leaves_no_process() -> None:
    with pytest.raises(MediaError, match=r"stopped after 0\.3 s"):
        ffmpeg.run(ENDLESS, timeout_s=0.3)
    assert not children()


def test_an_exception_in_the_middle_leaves_no_process() -> None:
    def stop(done_s: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ffmpeg.run(ENDLESS, timeout_s=20, on_progress=stop)
    assert not children()


@pytest.mark.skipif(not ffmpeg._tether(), reason="this system cannot tie a child to its parent")
def test_ffmpeg_ends_with_a_killed_parent() -> None:
    program = f"""
from maquette.media import ffmpeg
ffmpeg.run({ENDLESS!r}, timeout_s=60, on_progress=lambda done_s: print("up", flush=True))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        (child,) = psutil.Process(parent.pid).children()
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        gone, _ = psutil.wait_procs([child], timeout=20)
        assert gone


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_named() -> None:
    with pytest.raises(StorageError) as caught:
        ffmpeg.run(["-f", "lavfi", "-i", "testsrc2=s=640x360:d=2", "-f", "rawvideo", "/dev/full"], timeout_s=20)
    assert caught.value.code == "storage_full"


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "storage_full"), (errno.EROFS, "storage"), (errno.EACCES, "storage")]
)
def test_what_the_file_system_refuses_is_a_storage_error(number: int, code: str, tmp_path: Path) -> None:
    def write() -> None:
        with ffmpeg.written(tmp_path / "film.mp4") as partial:
            partial.write_bytes(b"half")
            raise OSError(number, os.strerror(number))

    with pytest.raises(StorageError) as caught:
        write()
    assert caught.value.code == code
    assert not list(tmp_path.iterdir())


def test_a_written_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    destination = tmp_path / "film.mp4"
    with ffmpeg.written(destination) as partial:
        partial.write_bytes(b"whole")
        assert not destination.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["film.mp4"]
    assert time.time() - destination.stat().st_mtime < 60
