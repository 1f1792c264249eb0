"""The demo's CPU seconds, split by phase, and beside them a whole ``maquette demo``.

The phases are measured on the demo's own brief, step after step in this process, with a stack running as the demo's
does: of each the CPU of the work (this process and its ffmpeg, user and system) and of the servers meanwhile
(Prefect's server, the worker, PostgreSQL). The whole demo is a process of its own; what it spends above the sum of
the phases is the flow run's process, Prefect's engine, and the progress display.

``python -m benchmarks.demo`` prints a table and writes ``benchmarks/results/demo.json``.
"""

import inspect
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch
from uuid import uuid4

from pydantic import BaseModel

from benchmarks.meter import Cpu, Meter, children_s
from benchmarks.report import Column, Machine, Report, Value, command, machine, moment, run_bench
from benchmarks.rig import bench_home
from maquette.cli.demo import demo
from maquette.launch.stack import running
from maquette.media.stills import contact_sheet
from maquette.orders import service as orders
from maquette.orders.holder import holder_name
from maquette.orders.lease import kept
from maquette.orders.models import Lease
from maquette.providers.clips.port import OperationState
from maquette.settings import Settings, get_settings
from maquette.videos import film, production
from maquette.videos.models import VideoBrief
from maquette.videos.service import Videos
from maquette.workshop import Workshop, workshop

SAMPLE_S: Final = 0.2
STOP: Final = "stop"
PROGRAM: Final = "from maquette.cli.main import run; run()"


class Phase(BaseModel):
    """One phase: its CPU seconds and the wall's. Where servers end, theirs cannot be told apart: see ``Meter``."""

    name: str
    work_cpu_s: float | None
    servers_cpu_s: float | None
    cpu_s: float
    wall_s: float


class Clock:
    """Adds up what each phase takes."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._began = meter.read(), time.perf_counter()
        self._cpu: dict[str, Cpu] = {}
        self._wall_s: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the block for ``name``. Phases do not nest."""
        cpu, since = self._meter.read(), time.perf_counter()
        yield
        self._cpu[name] = self._cpu.get(name, Cpu(work_s=0, servers_s=0)) + (self._meter.read() - cpu)
        self._wall_s[name] = self._wall_s.get(name, 0.0) + time.perf_counter() - since

    def counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, counted for ``name``."""

        def wrapped(*arguments: Any, **named: Any) -> Any:
            with self.phase(name):
                return call(*arguments, **named)

        return wrapped

    def phases(self) -> list[Phase]:
        """The phases in the order of their first block, and last what lay between them."""
        cpu, since = self._began
        between = self._meter.read() - cpu
        for counted in self._cpu.values():
            between -= counted
        wall_s = time.perf_counter() - since - sum(self._wall_s.values())
        return [
            *(_phase(name, cpu, self._wall_s[name], mixed=name == STOP) for name, cpu in self._cpu.items()),
            _phase("between them", between, wall_s, mixed=True),
        ]


def _phase(name: str, cpu: Cpu, wall_s: float, *, mixed: bool) -> Phase:
    return Phase(
        name=name,
        work_cpu_s=None if mixed else round(cpu.work_s, 2),
        servers_cpu_s=None if mixed else round(cpu.servers_s, 2),
        cpu_s=round(cpu.work_s + cpu.servers_s, 2),
        wall_s=round(wall_s, 2),
    )


def split(brief: VideoBrief) -> list[Phase]:
    """Make the film step by step and count each phase."""
    with bench_home({}) as home:
        clock = Clock(Meter(home))
        with ExitStack() as exits:
            with clock.phase("start"):
                stack = exits.enter_context(running(Settings(), with_api=False))
            os.environ |= {"MAQUETTE_DATABASE_URL": stack.state.database_url}
            get_settings.cache_clear()
            work = workshop()
            _make(work, brief, clock)
            work.database.dispose()
            with clock.phase(STOP):
                exits.close()
        return clock.phases()


def _make(work: Workshop, brief: VideoBrief, clock: Clock) -> None:
    run_id = uuid4()
    with clock.phase("script"):
        # The order says that a run has it already: no dispatcher takes it.
        placed = Videos(work.database, work.store, work.settings).order(brief, flow_run_id=run_id)
        with work.database.begin() as session:
            lease = orders.claim(
                session,
                placed.job_id,
                flow_run_id=run_id,
                lease_s=work.settings.lease_s,
                deadline_s=work.settings.video_deadline_s,
                holder=holder_name(),
            )
        production.write_script(work, lease)
    with kept(work.database, lease, lease_s=work.settings.lease_s, every_s=work.settings.lease_renew_s):
        blocks = production.missing_clips(work, lease)
        calls = {}
        with clock.phase("clips drawn"):
            for block in blocks:
                calls[block.id] = call_id = production.submit_clip(work, lease, block.id)
                while production.look_at_clip(work, lease, block.id, call_id).state is not OperationState.SUCCEEDED:
                    time.sleep(work.settings.clip_poll_s)
        with clock.phase("normalising"):
            for block_id, call_id in calls.items():
                production.receive_clip(work, lease, block_id, call_id)
        with clock.phase("stills"):
            _storyboard(work, lease)
        with ExitStack() as exits:
            # Counted where they happen, in the midst of one step.
            for phase, names in {
                "assembly": ["assemble"],
                "quality gate": ["check"],
                "stills": ["poster", "contact_sheet", "preview"],
            }.items():
                for name in names:
                    exits.enter_context(patch.object(film, name, clock.counted(phase, getattr(film, name))))
            film.assemble_film(work, lease)


def _storyboard(work: Workshop, lease: Lease) -> None:
    theme, clips, labels = production.stills_of(work, lease)
    sheet = work.store.temporary(".png")
    contact_sheet(clips, sheet, title=theme, labels=labels)
    sheet.unlink()


def whole(target_duration_s: int) -> Phase:
    """A whole ``maquette demo`` in a process of its own, in a home of its own.

    Its CPU is that of the process and of all that it waited for, as the kernel adds it up, and PostgreSQL's, which
    is read each ``SAMPLE_S`` while it runs. Raises ``RuntimeError`` with its last words when it fails.
    """
    with bench_home({}) as home:
        meter, since = Meter(home), time.perf_counter()
        before_s, postgres_s = children_s(), 0.0
        log = home / "demo.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "demo", "--target-duration", str(target_duration_s)],
                cwd=Path(__file__).parents[1],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            while process.poll() is None:
                postgres_s = meter.postgres_s()
                time.sleep(SAMPLE_S)
        if process.returncode:
            raise RuntimeError(
                f"the demo ended with {process.returncode}:\n{log.read_text('utf-8', 'replace')[-2000:]}"
            )
        return Phase(
            name="a whole demo",
            work_cpu_s=None,
            servers_cpu_s=None,
            cpu_s=round(children_s() - before_s + postgres_s, 2),
            wall_s=round(time.perf_counter() - since, 2),
        )


def measure(quick: bool) -> Report:
    """The split and the whole, on the default brief; quick, on a film of one block."""
    facts = machine()
    defaults = inspect.signature(demo).parameters
    target_duration_s = 8 if quick else int(defaults["target_duration"].default)
    brief = VideoBrief(
        theme=defaults["theme"].default,
        target_duration=target_duration_s,
        style=defaults["style"].default,
        language=defaults["language"].default,
    )
    return report(split(brief), whole(target_duration_s), facts, quick=quick, target_duration_s=target_duration_s)


def report(phases: Sequence[Phase], all_of_it: Phase, facts: Machine, *, quick: bool, target_duration_s: int) -> Report:
    """The phases, their sum, the whole demo, and what the one is short of the other."""
    summed_s = sum(phase.cpu_s for phase in phases)
    rows: list[dict[str, Value]] = [dict(phase.model_dump()) for phase in phases]
    rows.append({"name": "sum of the phases", "cpu_s": round(summed_s, 2)})
    rows.append(dict(all_of_it.model_dump()))
    rows.append({"name": "whole above sum", "cpu_s": round(all_of_it.cpu_s - summed_s, 2)})
    return Report(
        name="demo",
        title=f"CPU seconds of the demo, a film of {target_duration_s} s",
        command=command("demo", quick=quick),
        quick=quick,
        measured_at=moment(),
        machine=facts,
        columns=[
            Column(key="name", heading="phase"),
            Column(key="work_cpu_s", heading="work: CPU s"),
            Column(key="servers_cpu_s", heading="servers: CPU s"),
            Column(key="cpu_s", heading="together"),
            Column(key="wall_s", heading="wall s"),
        ],
        rows=rows,
        notes=[
            "servers: Prefect's server, the worker and PostgreSQL, at work or waiting, while the phase lasted",
            "whole above sum: the flow run's process, Prefect's engine and the progress display; the phases run one "
            "after the other and without them",
        ],
    )


if __name__ == "__main__":
    run_bench(measure)
