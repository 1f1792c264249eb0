"""What a run did, in words that do not depend on which run of which worker it was."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from tests.worker.rig import Rig, Run, Worker

_SETTLED: Final = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"(?<=[Ff]low run ')[a-z]+-[a-z]+(?=')"), "<run>"),
    (re.compile(r"(Created \w+ run ')[\w-]+'"), r"\1<run>'"),
    (re.compile(r"(Worker ')[\w-]+'"), r"\1<worker>'"),
    (re.compile(r"(task run '\w+)-\w+'"), r"\1-<task>'"),
    (re.compile(r"\d+(\.\d+)?(?= second)"), "<s>"),
    # Of a traceback what was raised, and where in the flow; the way there is the worker's own.
    (re.compile(r"(?ms)(?<=\(most recent call last\):\n).*?(  File \"[^\"]*toyflows.py\".*?)?(?=^\S)"), r"\1"),
    # The stock worker's process for hooks keeps its reason to itself.
    (re.compile(r"(?s)(Runner failed to retrieve flow to execute .*?)\nTraceback.*"), r"\1"),
    (re.compile(r"\bport=\d+|127\.0\.0\.1:\d+"), "<address>"),
)  # fmt: skip

HEARTBEAT: Final = "prefect.flow-run.heartbeat"

# What one of the two workers alone logs, and why.
ONLY_STOCK: Final = {
    "Downloading flow code from storage at": "it looks for the code in each run's folder; a fork has the code already",
}
ONLY_WARM: Final = {
    "The run gets a process of its own": "so says the warm worker where it does as the stock worker",
}
# Left out of both, for the hooks that ran are compared by themselves: the stock worker's process for hooks sets up no
# logging, while hooks that the run itself calls are told of under either.
OF_HOOKS: Final = (
    "Running hook 'tell_of_cancellation'",
    "Hook 'tell_of_cancellation' finished",
    "Running hook 'tell_of_crashed'",
    "Hook 'tell_of_crashed' finished",
)


@dataclass(frozen=True)
class Record:
    """One run. ``told`` are the lines of its own process, ``told_by_worker`` those of the worker about it."""

    states: list[str]
    message: str
    hooks: list[str]
    attempts: int
    seen: dict[str, Any]
    told: list[str]
    told_by_worker: list[str]
    events: list[str]
    tasks: list[str]
    labels: list[str]
    has_pid: bool
    has_printed: bool
    left: list[str] = field(default_factory=list)


def settled(text: str) -> str:
    """The text without ids, names and numbers of one run."""
    for pattern, instead in _SETTLED:
        text = pattern.sub(instead, text)
    return text


def record_of(rig: Rig, run: Run, worker: Worker) -> Record:
    """What is known of a run that has ended."""
    now = run.now()
    assert now.state is not None
    worker_lines, lines = _logs(rig, run, (*OF_HOOKS, *(ONLY_WARM if worker.kind == "warm" else ONLY_STOCK)))
    began = run.said("began")
    return Record(
        states=run.states(),
        message=settled(now.state.message or ""),
        hooks=[f"{note['kind']} at {note['state']}" for note in run.said("hook")],
        attempts=len(began),
        seen=_seen(run, worker) if began else {},
        told=lines,
        told_by_worker=worker_lines,
        events=_events(rig, run),
        tasks=_tasks(rig, run),
        labels=sorted(now.labels),
        has_pid=bool(now.infrastructure_pid),
        has_printed=f"said by {run.id}" in worker.output,
        left=_left(began, worker.tmp),
    )


def is_told(rig: Rig, run: Run) -> bool:
    """Whether the worker has told the last that it has to tell of the run: hooks, Cancelled and its end."""
    told = _events(rig, run)
    was_started = "prefect.worker.submitted-flow-run" in told
    was_cancelled = "prefect.flow-run.Cancelled" in told
    return not was_started or (
        told.count("prefect.worker.executed-flow-run") == told.count("prefect.worker.submitted-flow-run")
        and was_cancelled == ("prefect.runner.cancelled-flow-run" in told)
    )


def _seen(run: Run, worker: Worker) -> dict[str, Any]:
    """What the flow saw of its parameters, its environment and its folder."""
    began = run.began
    environment = {name: settled(value) for name, value in began["environment"].items()}
    # Deployments are numbered, workers are named by their type.
    environment |= {
        name: re.sub(r"\d+|process|warm", "_", environment[name])
        for name in ("PREFECT__DEPLOYMENT_NAME", "PREFECT__WORKER_NAME", "PREFECT_API_URL")
        if name in environment
    }
    assert began["environment"]["PREFECT__FLOW_RUN_ID"] == str(run.id)
    return {
        "parameters": {name: began[name] for name in ("word", "numbers", "attempt") if name in began},
        "environment": environment,
        "folder": Path(began["folder"]).parent == worker.tmp and Path(began["folder"]).name.endswith("prefect"),
    }


def _logs(rig: Rig, run: Run, without: Sequence[str]) -> tuple[list[str], list[str]]:
    asked = {"logs": {"flow_run_id": {"any_": [str(run.id)]}}, "sort": "TIMESTAMP_ASC", "limit": 200}
    found = httpx.post(f"{rig.server.url}/logs/filter", json=asked).raise_for_status().json()
    told: dict[bool, list[str]] = {True: [], False: []}
    for line in found:
        if not line["message"].startswith(tuple(without)):
            text = f"{logging.getLevelName(line['level'])} {line['name']}: {settled(line['message']).strip()}"
            told[line["name"].endswith(".worker")].append(text)
    return told[True], told[False]


def _events(rig: Rig, run: Run) -> list[str]:
    """Their names, sorted, since worker and child tell at the same time. Of heartbeats the first."""
    wanted = {"any_resource": {"id": [f"prefect.flow-run.{run.id}"]}, "order": "ASC"}
    found = httpx.post(f"{rig.server.url}/events/filter", json={"filter": wanted, "limit": 50}).raise_for_status()
    names = [each["event"] for each in found.json()["events"]]
    return sorted([*(name for name in names if name != HEARTBEAT), *([HEARTBEAT] if HEARTBEAT in names else [])])


def _tasks(rig: Rig, run: Run) -> list[str]:
    asked = {"flow_runs": {"id": {"any_": [str(run.id)]}}}
    found = httpx.post(f"{rig.server.url}/task_runs/filter", json=asked).raise_for_status().json()
    return sorted(f"{each['task_key'].partition('-')[0]}: {each['state_type']} {each['run_count']}" for each in found)


def _left(began: Sequence[dict[str, Any]], tmp: Path) -> list[str]:
    """What should be gone and is there: folders, processes."""
    folders = [note["folder"] for note in began if Path(note["folder"]).parent == tmp and Path(note["folder"]).exists()]
    pids = {pid for note in began for pid in (note["pid"], note.get("grandchild")) if pid}
    return [*folders, *(f"process {pid}" for pid in pids if is_alive(pid))]


def is_alive(pid: int) -> bool:
    """Whether that process runs; one that nobody has reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
