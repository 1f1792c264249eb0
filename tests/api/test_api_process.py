"""``python -m maquette.api`` as the stack starts it: what it refuses, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from maquette.api.__main__ import main
from maquette.settings import Settings, get_settings
from tests.api.rig import Rig

ROOT = Path(__file__).parents[2]


def _told(**values: str) -> dict[str, str]:
    return {f"MAQUETTE_{name.upper()}": value for name, value in values.items()}


def _environment(**values: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAQUETTE_")}
    return kept | _told(**values)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(settings: Settings) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = _free_port()
    assert settings.database_url is not None
    environment = _environment(
        home=str(settings.home), database_url=settings.database_url.get_secret_value(), api_port=str(port)
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "maquette.api"], cwd=ROOT, env=environment, stderr=subprocess.PIPE
    )
    try:
        address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while True:
            try:
                assert httpx.get(f"{address}/health").status_code == 200
                break
            except httpx.ConnectError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield process, address
    finally:
        process.kill()
        process.communicate()


def test_it_stops_within_5_s_with_open_sockets_and_streams(settings: Settings, rig: Rig) -> None:
    video_id, waiting = rig.finished(), rig.order()
    with _running(settings) as (process, address):
        host, port = address.removeprefix("http://").split(":")
        with (
            connect(f"ws://{host}:{port}/ws/video/{waiting}") as follower,
            socket.create_connection((host, int(port))) as half_sent,
            httpx.Client(base_url=address) as client,
        ):
            follower.recv(timeout=30)
            assert client.get(f"/videos/{video_id}/film").status_code == 200
            half_sent.sendall(b"POST /videos/create HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as end:
                follower.recv(timeout=30)
            process.wait(timeout=10)
    assert end.value.rcvd is not None
    assert end.value.rcvd.code == 1012
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "MAQUETTE_DATABASE_URL"),
        ({"database_url": "mysql://a/b"}, "must be PostgreSQL"),
        ({"database_url": "postgresql://a/b", "api_host": "0.0.0.0"}, "MAQUETTE_API_TOKEN"),
        ({"database_url": "postgresql://a/b", "access_code": "hunter2"}, "MAQUETTE_ACCESS_CODE: "),
        ({"database_url": "postgresql://a/b", "api_port": "x"}, "MAQUETTE_API_PORT: "),
    ],
)
def test_what_is_missing_is_said_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    values: dict[str, str],
    said: str,
) -> None:
    for name in filter(lambda name: name.startswith("MAQUETTE_"), list(os.environ)):
        monkeypatch.delenv(name)
    for name, value in _told(home=str(tmp_path), **values).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(uvicorn, "run", _refuse_to_serve)
    get_settings.cache_clear()
    try:
        assert main() == 2
    finally:
        get_settings.cache_clear()
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1
    assert "hunter2" not in told


def test_the_process_ends_with_the_line_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "maquette.api"],
        cwd=ROOT,
        env=_environment(home=str(tmp_path), database_url="postgresql://a/b", access_code="hunter2"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("MAQUETTE_ACCESS_CODE: ")
    assert len(done.stderr.splitlines()) == 1


def _refuse_to_serve(*args: object, **kwargs: object) -> None:
    pytest.fail("it serves")
