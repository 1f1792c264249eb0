"""The benches say what they measured: table and JSON agree, and what was not measured is not shown as a figure.

No figure is judged here: a machine's speed is no property of the code.
"""

import importlib.util
import os
import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import assembly, demo, intake, library, orchestration, queue, slides
from benchmarks.__main__ import BENCHES, main
from benchmarks.meter import Cpu, Meter, children_s, waited_for_s
from benchmarks.report import Column, Machine, Report, Value, command, machine, run_bench
from benchmarks.rig import bench_home

MACHINE = Machine(
    system="Any",
    processor="Any",
    cores=2,
    memory_bytes=1,
    python="3.11",
    ffmpeg="9",
    versions={"moviepy": None},
    load_before=0,
)
COST = assembly.Cost(cpu_s=1.0, wall_s=2.0)


def report(rows: list[dict[str, Value]], *, quick: bool = False) -> Report:
    return Report(
        name="fake",
        title="A fake",
        command=command("fake", quick=quick),
        quick=quick,
        measured_at=datetime(2026, 1, 1, tzinfo=UTC),
        machine=MACHINE,
        columns=[Column(key="way", heading="way"), Column(key="s", heading="seconds", digits=1)],
        rows=rows,
    )


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_is_a_module_with_a_measure_and_says_what_it_measures(name: str) -> None:
    module = import_module(f"benchmarks.{name}")
    assert callable(module.measure)
    assert f"``python -m benchmarks.{name}``" in (module.__doc__ or "")
    assert command(name, quick=True) == f"python -m benchmarks.{name} --quick"


def test_one_bench_runs_alone_when_it_is_named_and_all_of_them_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run: list[str] = []

    def ended(command: list[str], **how: object) -> subprocess.CompletedProcess[str]:
        run.append(" ".join(command[2:]))
        return subprocess.CompletedProcess(command, returncode="benchmarks.demo" in command)

    monkeypatch.setattr(subprocess, "run", ended)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "intake", "--quick"])
    assert (main(), run) == (0, ["benchmarks.intake --quick"])
    run.clear()
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    assert (main(), run) == (1, [f"benchmarks.{name}" for name in BENCHES])
    assert "failed: demo" in capsys.readouterr().err


def test_what_was_not_measured_is_a_dash_and_null() -> None:
    lines = report([{"way": "ours", "s": 0.0}, {"way": "theirs", "s": None}, {"way": "nobody"}]).table().splitlines()
    assert [line.split() for line in lines[3:]] == [["ours", "0.0"], ["theirs", "—"], ["nobody", "—"]]


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.none() | st.floats(0, 1e6)), max_size=5))
def test_the_table_shows_every_row_once_and_the_json_is_the_same_rows(values: list[tuple[str, float | None]]) -> None:
    found = report([{"way": way, "s": seconds} for way, seconds in values])
    cells = [line.split() for line in found.table().splitlines()[3:]]
    assert cells == [[way, "—" if seconds is None else f"{seconds:.1f}"] for way, seconds in values]
    assert Report.model_validate_json(found.model_dump_json()) == found


def test_a_quick_run_says_so_and_leaves_the_record_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(quick: bool) -> Report:
        return report([{"way": "ours", "s": 1.5}], quick=quick)

    monkeypatch.setattr(sys, "argv", ["bench"])
    run_bench(measure, results=tmp_path)
    recorded = (tmp_path / "fake.json").read_bytes()
    assert Report.model_validate_json(recorded) == measure(False)
    assert "A quick run" not in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["bench", "--quick"])
    run_bench(measure, results=tmp_path)
    assert (tmp_path / "fake.json").read_bytes() == recorded
    assert Report.model_validate_json((tmp_path / "quick" / "fake.json").read_bytes()) == measure(True)
    assert "A quick run" in capsys.readouterr().out


def test_the_machine_is_named_with_the_versions_that_are_there() -> None:
    found = machine()
    assert found.cores > 0 and found.memory_bytes > 0 and found.ffmpeg
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.versions["prefect"] is not None


def test_a_missing_moviepy_is_said_and_no_ratio_is_made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(assembly, "assemble", lambda *clips, **how: None)
    compared = assembly.bench_moviepy([], tmp_path, seconds=8)
    assert (compared.theirs, compared.cpu_ratio) == (None, None)
    found = assembly.report([compared], MACHINE, quick=False, job="none")
    assert [found.rows[0][key] for key in ("theirs_cpu_s", "theirs_wall_s", "cpu_ratio")] == [None] * 3
    assert "MoviePy is missing" in found.table() and "`make bench` installs it" in found.table()


def test_a_ratio_is_ours_over_theirs() -> None:
    theirs = assembly.Cost(cpu_s=4.0, wall_s=1.0)
    (row,) = assembly.report([assembly.compared("n", COST, theirs, aim=0.5)], MACHINE, quick=False, job="none").rows
    assert (row["cpu_ratio"], row["aim"], row["ours_wall_s"], row["theirs_cpu_s"]) == (0.25, 0.5, 2.0, 4.0)


def test_orchestration_compares_ways_of_one_round_and_takes_medians() -> None:
    walls = {"thread pool": [1.0, 4.0, 2.0], "flow engine": [2.0, 6.0, 2.5]}
    spent = {
        way: [orchestration.Spent(wall_s=each, cpu_s=each / 2) for each in rounds] for way, rounds in walls.items()
    }
    plain, flow = orchestration.report(spent, MACHINE, blocks=10, quick=False).rows
    assert (plain["wall_s"], plain["ratio"], plain["above_ms_per_block"]) == (2.0, 1.0, 0.0)
    assert (flow["wall_s"], flow["least_s"], flow["most_s"]) == (2.5, 2.0, 6.0)
    # Rounds apart: 1.0, 2.0 and 0.5 s above, twice, 1.5 and 1.25 times as long.
    assert (flow["above_ms_per_block"], flow["ratio"]) == (100.0, 1.5)
    assert (flow["cpu_s"], flow["above_cpu_ms_per_block"]) == (1.25, 50.0)


def test_the_intake_shows_medians_tails_and_rates_of_both_ways() -> None:
    ours = intake.Took(ms=[float(each) for each in range(1, 102)], wall_s=2.02, cpu_s=0.202)
    theirs = intake.Took(ms=[10.0, 20.0, 60.0, 30.0], wall_s=0.4, cpu_s=0.002)
    case = intake.Case(order="image", clients=8, brands=1)
    compared = intake.Compared(case=case, intake=ours, bare=theirs, statements=18, bare_statements=8)
    (row,) = intake.report([compared], MACHINE, quick=False).rows
    assert (row["order"], row["clients"], row["brands"]) == ("image", 8, 1)
    assert (row["intake_p50_ms"], row["intake_p99_ms"], row["bare_p50_ms"]) == (51.0, 100.0, 25.0)
    assert (row["intake_per_s"], row["bare_per_s"], row["per_s_ratio"]) == pytest.approx((50.0, 10.0, 5.0))
    assert (row["intake_cpu_ms"], row["bare_cpu_ms"], row["p50_ms_ratio"]) == pytest.approx((2.0, 0.5, 51 / 25))
    assert (row["statements"], row["bare_statements"]) == (18, 8)


def test_the_intake_is_tried_with_one_brand_and_with_one_a_client() -> None:
    found = [(case.clients, case.brands) for case in intake.cases((1, 8)) if case.order == "image"]
    assert found == [(1, 1), (8, 8), (8, 1)]


def test_a_decision_of_the_queue_is_compared_with_the_plain_one() -> None:
    ms = {"fair": [3.0, 9.0, 6.0], "plain": [1.0, 2.0, 1.5]}
    length = queue.Length(due=100, decided_ms=ms, sent_ms={"fair": [10.0], "plain": [5.0]})
    (row,) = queue.report([length], MACHINE, quick=False, ended=0).rows
    assert (row["due"], row["fair_ms"], row["fair_most_ms"], row["plain_ms"], row["ratio"]) == (100, 6.0, 9.0, 1.5, 4.0)
    assert (row["fair_sent_ms"], row["plain_sent_ms"]) == (10.0, 5.0)


def test_the_far_page_of_the_library_is_compared_with_the_first_and_with_offset() -> None:
    compared = library.Compared(
        name="all",
        far_page=9,
        first=library.Times(ms=[4.0, 2.0, 9.0], sql_ms=[1.0]),
        far=library.Times(ms=[6.0], sql_ms=[2.0]),
        offset=library.Times(ms=[50.0], sql_ms=[40.0]),
    )
    (row,) = library.report([compared], MACHINE, quick=False, entries=1).rows
    assert (row["listing"], row["far_page"], row["first_ms"], row["far_ms"]) == ("all", 9, 4.0, 6.0)
    assert (row["ratio"], row["sql_ratio"], row["offset_sql_ms"], row["offset_ratio"]) == (1.5, 2.0, 40.0, 20.0)


def test_a_slide_is_compared_with_bare_pillow_by_its_cpu() -> None:
    ours = slides.Times(cpu_ms=[40.0, 60.0, 50.0], wall_ms=[70.0, 45.0, 55.0])
    compared = slides.Compared(name="hero", ours=ours, theirs=slides.Times(cpu_ms=[20.0], wall_ms=[22.0]))
    (row,) = slides.report([compared], MACHINE, quick=False).rows
    assert (row["ours_ms"], row["ours_cpu_ms"], row["ours_least_ms"]) == (55.0, 50.0, 45.0)
    assert (row["theirs_ms"], row["theirs_cpu_ms"], row["cpu_ratio"]) == (22.0, 20.0, 2.5)


def test_the_demo_shows_the_sum_of_its_phases_against_the_whole() -> None:
    def phase(name: str, cpu_s: float) -> demo.Phase:
        return demo.Phase(name=name, work_cpu_s=cpu_s, servers_cpu_s=0, cpu_s=cpu_s, wall_s=1)

    phases = [phase("start", 3.0), phase("stills", 1.25)]
    rows = demo.report(phases, phase("a whole demo", 5.0), MACHINE, quick=False, target_duration_s=8).rows
    assert [(row["name"], row["cpu_s"]) for row in rows] == [
        ("start", 3.0),
        ("stills", 1.25),
        ("sum of the phases", 4.25),
        ("a whole demo", 5.0),
        ("whole above sum", 0.75),
    ]
    assert rows[2].get("wall_s") is None


def test_phases_and_what_lies_between_them_make_up_all(tmp_path: Path) -> None:
    readings = iter([0.0, 1.0, 3.0, 3.5, 4.0, 4.0, 7.0, 7.25])

    class Counting(Meter):
        def read(self) -> Cpu:
            now = next(readings)
            return Cpu(work_s=now, servers_s=2 * now)

    clock = demo.Clock(Counting(tmp_path))
    with clock.phase("draw"):
        pass
    clock.counted("draw", lambda: None)()
    with clock.phase(demo.STOP):
        pass
    found = {phase.name: phase for phase in clock.phases()}
    assert {name: phase.cpu_s for name, phase in found.items()} == {"draw": 7.5, "stop": 9.0, "between them": 5.25}
    assert (found["draw"].work_cpu_s, found["draw"].servers_cpu_s) == (2.5, 5.0)
    assert (found["stop"].work_cpu_s, found["stop"].servers_cpu_s) == (None, None)


def test_the_cpu_of_what_was_started_counts(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass\nprint(time.process_time())"
    whole, children = waited_for_s(), children_s()
    told = subprocess.run([sys.executable, "-c", burn], capture_output=True, text=True, check=True)
    # The kernel rounds the two halves of a process's time.
    assert children_s() - children >= float(told.stdout) * 0.9
    assert waited_for_s() - whole >= children_s() - children - 0.01


def test_servers_count_while_they_run(tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    before = meter.read()
    burn = "import sys, time\nwhile time.process_time() < 0.2: pass\nprint('', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stdin is not None
        server.stdout.readline()
        running = meter.read() - before
        server.stdin.close()
    ended = meter.read() - before
    assert running.servers_s >= 0.15
    assert ended.servers_s < running.servers_s
    assert ended.work_s >= running.servers_s * 0.9


def test_a_bench_meets_none_of_the_persons_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"MAQUETTE_REPLICATE_API_TOKEN": "real", "PREFECT_API_KEY": "real", "HOME": "kept"}
    monkeypatch.setattr(os, "environ", environment)
    with bench_home({"draft": "true"}) as home:
        assert "real" not in environment.values()
        assert environment["MAQUETTE_DRAFT"] == "true"
        assert (environment["HOME"], environment["MAQUETTE_HOME"]) == ("kept", str(home))
    assert not home.exists()
