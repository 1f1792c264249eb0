"""The bench of publishing compares like with like: both ways write the same rows and the same files."""

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from benchmarks import publishing as bench
from benchmarks.report import Machine
from maquette.db.engine import Database
from maquette.publishing.reading import read_universe
from maquette.publishing.target import Production
from tests.publishing.rig import publications

MACHINE = Machine(
    system="Any", processor="Any", cores=2, memory_bytes=1, python="3.11", ffmpeg="9", versions={}, load_before=0
)


def test_the_bare_way_writes_the_same_rows_and_replaces_them(production: Production) -> None:
    universe = bench.universe_of(7)
    bench.publish_rows(production, universe)
    with production.transaction() as connection:
        ours = read_universe(connection, universe.slug)
        connection.execute(sa.text("TRUNCATE univers CASCADE"))
    url = production.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as bare:
        for _ in range(2):
            bench.write_bare(bare, universe)
    with production.transaction() as connection:
        assert read_universe(connection, universe.slug) == ours == universe
        assert connection.scalar(sa.text("SELECT count(*) FROM univers_assets_translations")) == 35


def test_each_case_is_done_both_ways_as_often(database: Database, production: Production, tmp_path: Path) -> None:
    found = bench.compare(database, production, tmp_path, assets=3, rounds=2)
    assert [(each.rows, each.files) for each in found] == [(33, 0), (33, 0), (33, 3), (33, 3)]
    assert all(len(each.ours_s) == len(each.bare_s) == 2 for each in found)
    assert all(seconds > 0 for each in found for seconds in each.ours_s + each.bare_s)
    assert len(list((tmp_path / "bare").iterdir())) == 3
    assert [len(each.replaced) for each in publications(database)] == [3, 0] * 3


def test_the_report_shows_medians_rates_and_the_ratio() -> None:
    case = bench.Case(name="rows", rows=100, files=0, ours_s=[2.0, 9.0, 1.0], bare_s=[4.0, 4.0, 1.0])
    made = bench.report([case], MACHINE, quick=False, assets=1)
    (row,) = made.rows
    assert (row["ours_s"], row["bare_s"], row["ratio"]) == (2.0, 4.0, 0.5)
    assert (row["ours_rows_per_s"], row["bare_rows_per_s"]) == pytest.approx((50.0, 25.0))
    assert made.measured_at <= datetime.now(UTC)
