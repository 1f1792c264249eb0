"""The bench of starting measures what it says: its arithmetic, its flows, its servers, and one small whole run."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import psutil
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import stand as stands
from benchmarks import starting as bench
from benchmarks.first_lines import note, noted
from benchmarks.report import Machine, machine
from benchmarks.stand import Way, command_of, installed_postgres, pss_bytes
from maquette.errors import StackError
from maquette.launch.stack import worker_command
from maquette.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def facts() -> Machine:
    return machine()


def started(way: Way, *, seconds: list[float], pace: float, wide: float | None = None) -> bench.Started:
    bursts = [bench.Burst(limit=4, runs=24, per_minute=pace)]
    bursts += [bench.Burst(limit=16, runs=32, per_minute=wide)] if wide else []
    return bench.Started(
        database="SQLite", way=way.name, seconds=seconds, bursts=bursts, idle_bytes=2**20, run_bytes=2**21
    )


def test_ways_are_compared_with_the_stock_worker_at_its_best(facts: Machine) -> None:
    found = [
        started(bench.DEFAULTS, seconds=[8.0, 12.0], pace=20.0),
        started(bench.BEST, seconds=[3.0, 2.0, 1.0], pace=30.0, wide=40.0),
        started(bench.WARM, seconds=[0.2, 0.1, 0.4, 0.2], pace=160.0, wide=120.0),
    ]
    report = bench.report(found, facts, quick=True)
    defaults, best, warm = report.rows
    assert set(warm) == {column.key for column in report.columns}
    assert (best["times_faster"], best["times_the_pace"]) == (1, 1)
    assert (warm["p50_s"], warm["times_faster"], warm["times_the_pace"]) == pytest.approx((0.2, 10.0, 4.0))
    assert (warm["per_minute"], warm["wide"], warm["wide_per_minute"]) == (160.0, 16, 120.0)
    assert (defaults["times_faster"], defaults["wide"], defaults["wide_per_minute"]) == (0.2, None, None)
    assert (warm["orders"], warm["idle_mib"], warm["run_mib"]) == (4, 1, 2)
    unweighed = found[2].model_copy(update={"idle_bytes": None, "run_bytes": None})
    assert bench.report([found[1], unweighed], facts, quick=True).rows[1]["idle_mib"] is None
    assert warm["p95_s"] == pytest.approx(0.37)


def test_a_database_that_is_missing_is_said(facts: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stands, "POSTGRES", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match="apt install postgresql") as missing, installed_postgres():
        pass
    notes = [f"not measured on PostgreSQL: {missing.value}"]
    assert notes[0] in bench.report([], facts, quick=True, notes=notes).table()


@given(st.integers(1, 60), st.floats(0.1, 60))
def test_orders_come_upon_a_worker_at_every_point_of_its_interval(count: int, within_s: float) -> None:
    found = bench.pauses(count, within_s)
    assert found == bench.pauses(count, within_s)
    edges = [0.0, *sorted(found), within_s]
    assert max(after - before for before, after in pairwise(edges)) <= within_s / count * 1.001


def test_the_pace_counts_from_the_run_that_fills_the_limit() -> None:
    by_fours = [30.0, 30.1, 0.0, 0.1, 0.2, 0.3, 10.0, 10.1, 10.2, 10.3, 20.2, 20.3, 20.0, 20.1, 30.2, 30.3]
    assert bench.pace(by_fours, limit=4) == pytest.approx(60 * 12 / 30)


def test_notes_of_many_runs_at_once_do_not_mix(tmp_path: Path) -> None:
    assert noted(tmp_path) == {}
    keys = [f"run-{number}" for number in range(500)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: note(tmp_path, key, 1_700_000_000.123456 + int(key[4:])), keys))
    assert noted(tmp_path) == {key: 1_700_000_000.123456 + int(key[4:]) for key in keys}
    note(tmp_path, "run-0", 5.0)  # a second attempt
    assert noted(tmp_path)["run-0"] == 1_700_000_000.123456


def test_the_warm_way_is_the_command_of_the_stack() -> None:
    assert command_of(bench.WARM, limit=7) == worker_command(Settings(worker_limit=7))
    stock = command_of(bench.BEST, limit=7)
    assert stock[stock.index("--type") + 1] == "process" and stock[-2:] == ["--limit", "7"]


def in_a_process(code: str, *, home: Path, timeout_s: float) -> str:
    """What the code prints, run where it changes nothing of this process."""
    environment = os.environ | {"MAQUETTE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout_s
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_flow_of_image_orders_is_the_real_one_and_notes_its_first_line(tmp_path: Path) -> None:
    code = """
import asyncio, inspect, time
from flows.image import make_images
theirs = make_images.fn
from benchmarks import starting_flows as ours
assert ours.make_images is make_images and inspect.signature(make_images.fn) == inspect.signature(theirs)
assert ours._make_images is theirs
async def stand_in(*of, **how):
    return of, how
ours._make_images = stand_in
called = asyncio.run(make_images.fn("A topic", 3, job_id="the-job"))
assert called == (("A topic", 3), {"job_id": "the-job"}), called
asyncio.run(ours.nothing.fn("nothing-at-all"))
print(time.time())
"""
    before = psutil.Process().create_time()
    after = float(in_a_process(code, home=tmp_path, timeout_s=120))
    found = noted(tmp_path)
    assert found.keys() == {"the-job", "nothing-at-all"}
    assert before < found["the-job"] <= found["nothing-at-all"] < after


@pytest.fixture
def ended() -> Callable[[], list[psutil.Process]]:
    """The processes that this one has started since, and that still run."""
    before = set(psutil.Process().children(recursive=True))
    return lambda: [each for each in psutil.Process().children(recursive=True) if each not in before]


def test_prefects_postgresql_is_empty_has_what_it_needs_and_ends(ended: Callable[[], list[psutil.Process]]) -> None:
    try:
        stands._programs()
    except StackError as error:
        pytest.skip(str(error))
    with installed_postgres() as url:
        folder = Path(url.rpartition("host=")[2])
        with psycopg.connect(f"host={folder} user=prefect dbname=prefect") as connection:
            assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
            connection.execute("CREATE EXTENSION pg_trgm")
    assert not folder.exists() and ended() == []


def test_memory_is_that_of_the_processes_that_are_named() -> None:
    program = "import sys; held = bytearray(b'x' * 50_000_000); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        this, other = psutil.Process(), psutil.Process(process.pid)
        assert 50_000_000 <= pss_bytes([other]) <= 90_000_000
        assert pss_bytes([this, other]) > pss_bytes([this]) + 50_000_000
        process.stdin.close()


@pytest.mark.slow
def test_a_small_bench_of_the_warm_worker(tmp_path: Path) -> None:
    code = """
from benchmarks import starting as bench
from benchmarks.stand import stand
with stand(None) as running:
    size = bench.Size(orders=2, burst=6, wide=5, wide_burst=7)
    print(bench.start(running, bench.WARM, size, database="SQLite", weighed=True).model_dump_json())
"""
    told = in_a_process(code, home=tmp_path, timeout_s=300)
    found = bench.Started.model_validate_json(told.splitlines()[-1])
    assert len(found.seconds) == 2 and min(found.seconds) > 0
    assert [(each.limit, each.runs) for each in found.bursts] == [(4, 6), (5, 7)]
    assert min(each.per_minute for each in found.bursts) > 0
    assert found.run_bytes and found.idle_bytes and 0 < found.run_bytes < found.idle_bytes
