"""The report: one page that tells all, and says nothing that somebody's rows could turn into a page's code."""

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree

from maquette.migrating.models import (
    Options,
    Phase,
    PhaseReport,
    Plan,
    Result,
    RowDiff,
    RunStatus,
    Statement,
)
from maquette.migrating.reporting import (
    Batch,
    Report,
    SetAside,
    batch_chart,
    counts,
    phase_times,
    plan_text,
    render,
    write,
)

NASTY = "<script>alert('é')</script>|x"


def plan_of(**changes: object) -> Plan:
    return Plan(
        hash="ab" * 32,
        migration="notes",
        table="public.notes",
        server_version="18.4",
        rows=1_200,
        size_bytes=3_500_000,
        duplicate_groups=7,
        rows_to_archive=9,
        duplicates_lacking=[{"survivor": "a", "archived": ["b"], "lacking": {"b": [NASTY]}}],
        sizes=[],
        oddities={NASTY: 3},
        quarantine={"too deep": 2},
        already_new=5,
        statements=[
            Statement(phase=Phase.EXPAND, sql="CREATE TRIGGER x", lock="ShareRowExclusiveLock", blocks="writers")
        ],
        samples=[RowDiff(key="k", before={"body": NASTY}, after={"body": {"text": NASTY}})],
        free_disk_bytes=None,
        needed_disk_bytes=12_000_000,
        estimate_s=61.0,
        options=Options(),
        warnings=["a view reads the column"],
    ).model_copy(update=changes)


def result_of(**changes: object) -> Result:
    return Result(
        run_id=UUID(int=7),
        migration="notes",
        status=RunStatus.SOAKING,
        phase=Phase.CUT_OVER,
        percent=100,
        rows_migrated=1_189,
        archived=9,
        quarantined=2,
        pending=1,
        longest_lock_ms=12.34,
        seconds=60.5,
        phases=[PhaseReport(phase=Phase.BACKFILL, seconds=1.5, rows=1_189, longest_lock_ms=12.34)],
    ).model_copy(update=changes)


def report_of(**changes: object) -> Report:
    return Report(
        plan=plan_of(),
        result=result_of(),
        batches=[Batch(phase=Phase.BACKFILL, rows=10, total_ms=float(at % 90), lock_ms=at % 7) for at in range(1_000)],
        quarantine=[SetAside(key="q", reason=NASTY)],
        archive=[SetAside(key="b", reason="duplicate", survivor="a", lacking=[NASTY])],
        made_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    ).model_copy(update=changes)


def test_the_page_tells_counts_phases_and_what_was_set_aside() -> None:
    page = render(report_of())
    for told in ("soaking", "1,189", "12.3 ms", "backfill", "public.notes", "2026-01-02 03:04:05", "ab" * 32):
        assert told in page
    assert NASTY not in page
    assert page.count("&lt;script&gt;") >= 5  # oddity, sample twice, quarantine, lacking
    assert "é" in page
    assert not re.search(r"(?:src|href)=", page)  # it needs nothing else


def test_a_run_that_has_just_begun_has_a_page_too() -> None:
    page = render(report_of(plan=None, batches=[], quarantine=[], archive=[], result=result_of(phases=[], error="why")))
    assert "None has ended yet" in page and "why" in page and "<svg" not in page


def test_the_chart_keeps_the_longest_of_its_neighbours() -> None:
    batches = [Batch(phase=Phase.BACKFILL, rows=1, total_ms=1.0, lock_ms=1.0) for _ in range(5_000)]
    batches[3_333] = Batch(phase=Phase.BACKFILL, rows=1, total_ms=900.0, lock_ms=500.0)
    chart = batch_chart(batches, target_ms=100)
    lines = [each.attrib["points"] for each in ElementTree.fromstring(chart).iter() if each.tag.endswith("polyline")]
    assert len(lines) == 2
    heights = [[float(point.split(",")[1]) for point in line.split()] for line in lines]
    assert max(len(line) for line in heights) <= 500
    assert min(heights[0]) == 14.0  # the longest batch touches the top
    assert min(heights[0]) < min(heights[1]) < 150
    ElementTree.fromstring(batch_chart(batches[:1], target_ms=100))


def test_tables_compare_the_plan_with_what_came_of_it() -> None:
    found = {row["what"]: (row["before"], row["after"]) for row in counts(report_of())}
    assert found["rows"] == (1_200, 1_191)
    assert found["archived"] == (9, 9)
    assert found["in quarantine"] == (2, 2)
    assert phase_times(result_of()) == [{"phase": "backfill", "seconds": 1.5, "rows": 1_189, "longest lock (ms)": 12.3}]


def test_the_plans_text_holds_all_that_is_approved() -> None:
    text = plan_text(plan_of(refusals=["the role may not create a schema"]))
    for told in (
        "1,200",
        "3.5 MB",
        "61 s",
        "12.0 MB of unknown",
        "may not create",
        "a view reads",
        "too deep",
        "Sample `k`",
    ):
        assert told in text
    assert "\\|x" in text  # a bar would end its cell


def test_it_is_written_at_one_stroke(tmp_path: Path) -> None:
    path = write(report_of(), tmp_path / "new" / "report.html")
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]
