"""Progress of orders: phases, cells and lines from documents; each thing is told once however often one looks."""

import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from maquette.cli.order_progress import Standing, failures, news, parts, view
from maquette.cli.progress import LiveProgress
from maquette.orders.documents import ItemDocument, JobDocument, OrderDocument

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROOT = UUID(int=7)
ITEMS = {"image": "image", "carousel": "carousel_slide", "video": "video"}


def job(name: str, status: str, **more: Any) -> JobDocument:
    return JobDocument.model_validate(
        {
            "id": uuid5(ROOT, name), "order_id": ROOT, "brand_id": ROOT, "kind": name.split()[0],
            "subject": f"{name.split()[0]}_x", "status": status, "attempts": 1, "max_attempts": 3, "dispatches": 1,
            "queue": "free", "available_at": MOMENT, "flow_run_id": None, "error_code": None, "error": None,
            "created_at": MOMENT, "started_at": None, "finished_at": None, "updated_at": MOMENT,
        } | more
    )  # fmt: skip


def order(status: str, jobs: Mapping[str, tuple[JobDocument, Sequence[str]]]) -> Standing:
    """An order of these jobs, each with the states of its items; numbers go on from job to job of a kind."""
    items: list[ItemDocument] = []
    for name, (each, states) in jobs.items():
        kind = ITEMS[name.split()[0]]
        for place, state in enumerate(states, start=1):
            number = sum(item.kind == kind for item in items) + 1
            failed = {"failed": "refused", "cancelled": "the order was cancelled"}.get(state)
            items.append(
                ItemDocument(
                    id=uuid5(ROOT, f"{kind}{number}"),
                    job_id=each.id,
                    kind=kind,
                    sequence_number=number,
                    slide=place if kind == "carousel_slide" else None,
                    status=state,
                    text=None,
                    error_code="filtered" if failed else None,
                    error_message=failed,
                    reason=failed,
                    reservation=None,
                )
            )
    completed = sum(item.status == "completed" for item in items)
    ended = sum(item.status not in ("pending", "processing") for item in items)
    return Standing(
        OrderDocument(
            id=ROOT, kind="pack", status=status, brand_id=ROOT, campaign_name="Le thé", expected=len(items),
            completed=completed, failed=ended - completed, progress=0, retry_of=None, created_at=MOMENT,
            finished_at=None, brief={}, items=sorted(items, key=lambda item: (item.kind, item.sequence_number)),
            jobs=[each for each, _ in jobs.values()], cost_micros=0, saved_micros=0, retried_by=None, seq=1,
        ),
        {},
    )  # fmt: skip


def carousel(status: str, items: str, *, order_status: str = "processing", **more: Any) -> Standing:
    """One carousel; a letter for each slide: waiting, making, done, failed, cancelled."""
    words = {"w": "pending", "m": "processing", "d": "completed", "f": "failed", "c": "cancelled"}
    return order(order_status, {"carousel": (job("carousel", status, **more), [words[letter] for letter in items])})


RUN = [
    carousel("queued", "www", order_status="pending"),
    carousel("sent", "www", order_status="pending"),
    carousel("running", "mmm"),
    carousel("running", "mdm"),
    carousel("running", "fdm"),
    carousel("completed", "fdd", order_status="partial"),
]


def test_a_job_is_a_phase_and_its_items_are_cells() -> None:
    shown = [view(each) for each in RUN]
    assert [each.phases[0].state for each in shown] == ["waiting", "active", "active", "active", "active", "failed"]
    assert [each.phases[0].note for each in shown] == [
        "waiting in line", "the run is starting", "0 of 3", "1 of 3", "1 of 3", "2 of 3",
    ]  # fmt: skip
    assert [each.phases[0].fraction for each in shown] == [0, 0, None, pytest.approx(1 / 3), pytest.approx(2 / 3), 1]
    assert [[cell.word for cell in each.cells] for each in (shown[0], shown[4])] == [
        ["waiting"] * 3, ["failed", "done", "making"],
    ]  # fmt: skip
    assert [each.ended for each in shown] == [False] * 5 + [True]


@given(st.sets(st.integers(1, len(RUN) - 1)))
def test_lines_tell_each_thing_once_however_often_one_looks(looks: set[int]) -> None:
    lines: list[str] = []
    before = None
    for index in sorted(looks | {0, len(RUN) - 1}):
        lines += news(before, RUN[index])
        before = RUN[index]
    assert [line.partition(" (")[0] for line in sorted(lines) if line.startswith("carousel  slide")] == [
        "carousel  slide 1 failed", "carousel  slide 2 done", "carousel  slide 3 done",
    ]  # fmt: skip
    assert lines[0] == f"order     {ROOT}: Le thé (3 slides)"
    assert lines[-2:] == ["carousel  failed (2 of 3)", "order     partial, 2 of 3"]
    assert sum("begun" in line for line in lines) <= 1


def test_nothing_new_is_no_line() -> None:
    assert all(news(each, each) == [] for each in RUN)


def test_a_job_that_waits_for_another_attempt_says_until_when() -> None:
    waiting = carousel("queued", "mdm", error="the provider does not answer")
    clock = f"{MOMENT.astimezone():%H:%M:%S}"
    assert view(waiting).phases[0].note == f"again at {clock}"
    assert view(waiting).troubles == ("carousel is tried again: the provider does not answer",)
    assert news(RUN[3], waiting) == [f"carousel  again at {clock}: the provider does not answer"]
    later = carousel("queued", "mdm", error="again", available_at=MOMENT.replace(hour=13))
    assert len(news(waiting, later)) == 1


def test_a_cancelled_order_is_told_in_one_line() -> None:
    cancelled = carousel("cancelled", "ccccccd", order_status="partial")
    assert view(cancelled).phases[0].state == "failed"
    assert news(RUN[3], cancelled)[1:] == [
        "carousel  failed (cancelled, 1 of 7)",
        "cancelled 6 slides: the order was cancelled (filtered)",
        "order     partial, 1 of 7",
    ]


def test_parts_have_names_of_their_own() -> None:
    pack = order(
        "processing",
        {
            "image": (job("image", "completed"), ["completed"]),
            "carousel 1": (job("carousel 1", "running"), ["completed", "failed"]),
            "carousel 2": (job("carousel 2", "running"), ["failed", "failed", "processing"]),
            "video": (job("video", "completed"), ["failed"]),
        },
    )
    found = parts(pack.order)
    assert [part.name for part in found] == ["carousel 1", "carousel 2", "image", "film"]
    assert [name for part in found for name, _, _ in failures(part)] == [
        "carousel 1, slide 2", "carousel 2, slides 1, 2", "film",
    ]  # fmt: skip
    # Of several jobs the bars say enough.
    assert view(pack).cells == ()
    assert view(pack).facts.endswith("(5 slides, 1 image, 1 film)")


def test_slides_and_images_that_are_retried_keep_their_numbers() -> None:
    retried = RUN[2].order.items[2].model_copy(update={"status": "failed", "reason": "refused"})
    again = Standing(RUN[2].order.model_copy(update={"items": [retried]}), {})
    assert view(again).troubles == ("slide 3 failed: refused (None)",)


def drawn(shown: Standing, *, height: int = 40) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=height, no_color=True)
    live = LiveProgress(console)
    live.show(view(shown), [])
    console.print(live)
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()


@pytest.mark.parametrize(("height", "rows"), [(15, 3), (60, 31)])
def test_many_jobs_stay_within_the_screen(height: int, rows: int) -> None:
    states = ["completed"] * 12 + ["running"] * 2 + ["queued"] * 16
    items = {"completed": "completed", "running": "processing", "queued": "pending"}
    jobs = {f"video {number}": (job(f"video {number}", state), [items[state]]) for number, state in enumerate(states)}
    lines = drawn(order("processing", jobs), height=height)
    assert len(lines) <= height
    assert sum(line.startswith(("✔", "▸", "·")) for line in lines) == rows
    assert sum(line.startswith("▸") for line in lines) == 2
    assert ("and 13 done, 15 waiting" in lines) == (rows == 3)


def test_many_troubles_are_cut_short() -> None:
    jobs = {f"video {number}": (job(f"video {number}", "failed"), ["failed"]) for number in range(9)}
    lines = drawn(order("failed", jobs))
    assert sum("refused" in line for line in lines) == 6
    assert "and 3 more" in lines
