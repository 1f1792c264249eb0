"""The demo for real: a film from a theme with one command, and nothing left running."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest


def processes_of(home: Path) -> list[str]:
    """Command lines of what still works on ``home``."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            if str(home) in line or process.environ().get("MAQUETTE_HOME") == str(home):
                found.append(line)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.mark.slow
def test_the_demo_makes_a_film_and_leaves_nothing_running(tmp_path: Path) -> None:
    home = tmp_path / "home"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAQUETTE_")}
    done = subprocess.run(
        [sys.executable, "-c", "from maquette.cli.main import run; run()", "demo", "--target-duration", "8", "--json"],
        env=kept | {"MAQUETTE_HOME": str(home), "MAQUETTE_LOCAL_INSTANT": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["status"] == "completed"
    assert Path(document["final_path"]).stat().st_size == document["size_bytes"]
    assert Path(document["contact_sheet_path"]).is_file()
    assert document["duration_s"] == pytest.approx(8, abs=0.05)
    assert document["run_url"].startswith("http://127.0.0.1:4200/runs/flow-run/")
    assert not (home / "stack.json").exists()
    assert processes_of(home) == []
