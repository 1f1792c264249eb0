"""The doctor: finds what is there, names what is not, and changes nothing."""

import json
import os
import socket
from pathlib import Path

import pytest

from maquette.cli import doctor
from maquette.cli.output import ExitCode
from maquette.launch.state import StackState, write_state
from tests.cli.conftest import Cli


def findings(cli: Cli) -> tuple[int, dict[str, dict[str, str]]]:
    answer = cli("doctor", "--json")
    document = json.loads(answer.out)
    assert document["ok"] == (answer.code == ExitCode.OK)
    return answer.code, {check["name"]: check for check in document["checks"]}


def test_a_good_machine(bare_cli: Cli) -> None:
    code, found = findings(bare_cli)
    assert code == ExitCode.OK
    needed = ("Python", "packages", "Prefect", "ffmpeg", "PostgreSQL", "flows", "home", "stack", "clips", "images",
              "scripts", "slide fonts")  # fmt: skip
    assert {name: found[name]["state"] for name in needed} == dict.fromkeys(needed, "ok")
    assert found["PostgreSQL"]["message"][:2].isdigit()
    assert not Path(os.environ["MAQUETTE_HOME"]).exists()


def test_every_lack_says_how_to_get_it(bare_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_DATABASE_URL", "postgresql://maquette:hunter2@127.0.0.1:1/maquette")
    monkeypatch.setenv("MAQUETTE_CLIP_PROVIDER", "replicate")
    monkeypatch.setenv("MAQUETTE_IMAGE_PROVIDER", "gemini")
    monkeypatch.setattr(doctor, "PREFECT_FROM", (99,))
    monkeypatch.setattr(doctor, "PREFECT_BELOW", (100,))
    monkeypatch.setattr(doctor, "NEEDED_DISK_BYTES", 10**18)
    code, found = findings(bare_cli)
    assert code == ExitCode.FAILED
    for name in ("PostgreSQL", "clips", "images", "Prefect", "disk"):
        assert found[name]["state"] == "missing"
        assert found[name]["fix"]
    assert "MAQUETTE_GOOGLE_API_KEY" in found["images"]["fix"]
    assert "hunter2" not in json.dumps(found)
    words = bare_cli("doctor").out
    assert "Missing: Prefect, PostgreSQL, disk, clips, images." in words


def test_a_taken_port_is_a_warning(bare_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("MAQUETTE_PREFECT_PORT", str(server.getsockname()[1]))
        code, found = findings(bare_cli)
    assert code == ExitCode.OK
    assert found["Prefect port"]["state"] == "warning"


def test_a_home_that_cannot_be_made(bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MAQUETTE_HOME", str(tmp_path / "file" / "home"))
    code, found = findings(bare_cli)
    assert code == ExitCode.FAILED
    assert "MAQUETTE_HOME" in found["home"]["fix"]


@pytest.mark.parametrize(("pid", "state"), [(os.getpid(), "ok"), (2**22 + 1, "warning")], ids=["runs", "killed"])
def test_a_stack_that_runs_or_was_killed(bare_cli: Cli, pid: int, state: str) -> None:
    home = Path(os.environ["MAQUETTE_HOME"])
    home.mkdir()
    write_state(home, StackState(pid=pid, api_url="http://a", prefect_url="http://p", database_url="postgresql:///m"))
    _, found = findings(bare_cli)
    assert found["stack"]["state"] == state


def test_fonts_that_lack_a_script_are_a_warning(bare_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SCRIPTS", {"Latin": ("abc", "x"), "Tangut": ("\U00017000", "fonts-noto-extra")})
    code, found = findings(bare_cli)
    assert code == ExitCode.OK
    assert found["fonts"]["state"] == "warning"
    assert "fonts-noto-extra" in found["fonts"]["fix"]
