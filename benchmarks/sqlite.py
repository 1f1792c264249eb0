"""Prefect's server on SQLite: as Prefect ships it, and as ``maquette up`` sets it up.

Each way gets the same load, on a new database, in turns: 20 runs of ten tasks at once, one run of 100 tasks, and 80
runs created by eight clients. After the load it is awaited that all task runs are in the database: nothing
that the run's page shows may be lost.

``python -m benchmarks.sqlite`` prints a table and writes ``benchmarks/results/sqlite.json``.
"""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import psutil
from pydantic import BaseModel

from benchmarks.report import Column, Report, Value, command, machine, moment, run_bench
from benchmarks.rig import ROOT, free_port
from maquette.launch.processes import end_tree
from maquette.launch.stack import child_environment
from maquette.settings import Settings

SHIPPED: Final = "as Prefect ships it"
OURS: Final = "as maquette up"
# What maquette up adds to the server; all else is the same for both.
ADDED: Final = ("PREFECT_SERVER_DATABASE_", "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_")
TIMED: Final = ("together_s", "tasks_s", "create_s", "cpu_s")
WAIT_S: Final = 120.0


class Round(BaseModel):
    """What one load found."""

    together_s: float
    tasks_s: float
    create_s: float
    cpu_s: float
    settled_s: float
    """Seconds after the load until all task runs were in the database."""
    kept: int
    expected: int


def once(way: str, size: int) -> Round:
    """One load on a new server."""
    with TemporaryDirectory(prefix="maquette-bench-sqlite-") as folder:
        home = Path(folder)
        (home / "run").mkdir()
        port = free_port()
        environment = child_environment(
            Settings(home=home), home=home, code=ROOT, database_url="", prefect_api=f"http://127.0.0.1:{port}/api"
        )
        if way == SHIPPED:
            environment = {name: value for name, value in environment.items() if not name.startswith(ADDED)}
        with _server(home, port, environment) as server:
            before = _cpu_s(server)
            load = [sys.executable, "-m", "benchmarks.prefect_load", str(size)]
            done = subprocess.run(load, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
            cpu_s, ended = _cpu_s(server) - before, time.monotonic()
            expected = 10 * size + 5 * size
            while (kept := _task_runs(home)) < expected and time.monotonic() < ended + WAIT_S:
                time.sleep(0.1)
            return Round(
                **json.loads(done.stdout),
                cpu_s=cpu_s,
                settled_s=time.monotonic() - ended,
                kept=kept,
                expected=expected,
            )


def measure(quick: bool) -> Report:
    """Both ways in turns; medians of the rounds."""
    facts, size, rounds = machine(), 2 if quick else 20, 1 if quick else 2
    found: dict[str, list[Round]] = {SHIPPED: [], OURS: []}
    for _ in range(rounds):
        for way, each in found.items():
            each.append(once(way, size))
    rows: list[dict[str, Value]] = [{"way": way, **_medians(each)} for way, each in found.items()]
    shipped, ours = (_medians(each) for each in found.values())
    rows.append({"way": "ratio", **{key: shipped[key] / ours[key] for key in TIMED}})
    return Report(
        name="sqlite",
        title="Prefect's server on SQLite",
        command=command("sqlite", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=[
            Column(key="way", heading="way"),
            Column(key="together_s", heading=f"{size} runs of 10 tasks: s"),
            Column(key="tasks_s", heading=f"a run of {5 * size} tasks: s"),
            Column(key="create_s", heading=f"{4 * size} runs created: s"),
            Column(key="cpu_s", heading="server CPU: s"),
            Column(key="settled_s", heading="settled: s"),
            Column(key="kept", heading="task runs kept", digits=0),
            Column(key="expected", heading="of", digits=0),
        ],
        rows=rows,
        notes=[f"medians of {rounds} rounds in turns, each on a new database"],
    )


def _medians(rounds: list[Round]) -> dict[str, float]:
    return {key: float(median(each.model_dump()[key] for each in rounds)) for key in Round.model_fields}


@contextmanager
def _server(home: Path, port: int, environment: dict[str, str]) -> Iterator[psutil.Process]:
    start = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app",
             "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]  # fmt: skip
    with (home / "server.log").open("wb") as output:
        server = subprocess.Popen(start, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + WAIT_S
            while not _answers(port):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((home / "server.log").read_text()[-2000:])
                time.sleep(0.1)
            yield psutil.Process(server.pid)
        finally:
            end_tree(server.pid)
            server.wait()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=2).is_success
    except httpx.HTTPError:
        return False


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _task_runs(home: Path) -> int:
    path = next(iter((home / "prefect").glob("*.db")), None)
    if path is None:
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT count(*) FROM task_run WHERE state_type = 'COMPLETED'").fetchone()
    return int(found[0])


if __name__ == "__main__":
    run_bench(measure)
