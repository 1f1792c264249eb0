"""Progress: phases and cells from documents, lines that tell each thing once, bars that fit their terminal."""

import io
import threading
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from maquette.cli.following import follow
from maquette.cli.progress import LiveProgress, Phase, PlainProgress, State, fitting, shown
from maquette.cli.video_progress import NAMES, cell, news, phases, view
from maquette.cli.video_reports import VIDEO
from maquette.errors import StackError
from maquette.videos.documents import BlockDocument, VideoDocument
from maquette.videos.rules import VideoStatus

THEME = "Pourquoi les chats ronronnent"
BlockState = Literal["pending", "generating", "completed", "failed"]


def block(number: int, status: BlockState = "pending", progress: float = 0, **more: Any) -> BlockDocument:
    texts = {"dialogue": "D", "visuel": "V", "duration": 7, "tries": 0, "reworded": False}
    return BlockDocument.model_validate({**texts, "bloc": number, "status": status, "progress": progress, **more})


def document(status: VideoStatus, blocks: list[BlockDocument] | None = None, **more: Any) -> VideoDocument:
    blocks = blocks or []
    completed = sum(each.status == "completed" for each in blocks)
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    return VideoDocument.model_validate(
        {
            "video_id": "video_1", "status": status, "current_step": "", "progress": 0, "seq": 1, "theme": THEME,
            "total_blocks": len(blocks) or 3, "completed_blocks": completed, "blocks_completed": completed,
            "created_at": moment, "updated_at": moment, "target_duration": 22, "actual_duration": 22,
            "style": "informative", "language": "fr", "aspect_ratio": "9:16", "blocks": blocks, "cost_micros": 0,
        } | more
    )  # fmt: skip


GENERATING = VideoStatus.GENERATING_PARALLEL
RUN = [
    document(VideoStatus.QUEUED),
    document(VideoStatus.QUEUED, flow_run_id="run"),
    document(VideoStatus.SCRIPT_GENERATED, [block(1), block(2), block(3)]),
    document(GENERATING, [block(1, "generating", 0.4), block(2, "generating", 0.1), block(3)]),
    document(GENERATING, [block(1, "generating", 1), block(2, tries=1, error_code="x", error_message="E"), block(3)]),
    document(GENERATING, [block(1, "completed", 1), block(2, "generating", 0.5), block(3, "generating", 0.5)]),
    document(GENERATING, [block(number, "completed", 1) for number in (1, 2, 3)]),
    document(VideoStatus.READY_FOR_ASSEMBLY, [block(number, "completed", 1) for number in (1, 2, 3)]),
    document(VideoStatus.COMPLETED, [block(number, "completed", 1) for number in (1, 2, 3)]),
]


def states(shown: VideoDocument) -> str:
    return " ".join(phase.state for phase in phases(shown))


def test_phases_follow_the_status() -> None:
    assert [states(each) for each in RUN] == [
        *["active waiting waiting"] * 2,
        *["done active waiting"] * 5,
        "done done active",
        "done done done",
    ]


def test_a_failure_is_shown_at_its_phase() -> None:
    kept = [block(1, "completed", 1), block(2, "failed")]
    assert states(document(VideoStatus.FAILED)) == "failed waiting waiting"
    assert states(document(VideoStatus.FAILED, kept)) == "done failed waiting"
    assert states(document(VideoStatus.FAILED, [block(1, "completed", 1)])) == "done done failed"


def test_the_clips_bar_advances_within_blocks() -> None:
    fractions = [
        phases(each)[1].fraction or 0 for each in RUN if each.status != VideoStatus.QUEUED and each is not RUN[4]
    ]
    assert fractions == sorted(fractions)
    assert 0 < (phases(RUN[3])[1].fraction or 0) < 0.34
    assert fractions[-1] == 1


@pytest.mark.parametrize(
    ("shown", "word"),
    [
        (block(1), "waiting"),
        (block(1, "generating", 0.456), "46%"),
        (block(1, "generating", 1), "captions"),
        (block(1, tries=2, error_code="x"), "try 3"),
        (block(1, "completed", 1), "done"),
        (block(1, "failed"), "failed"),
    ],
)
def test_a_cell_says_its_state_in_a_word(shown: BlockDocument, word: str) -> None:
    assert cell(shown).word == word


@given(st.sets(st.integers(1, len(RUN) - 1)))
def test_lines_tell_each_thing_once_however_often_one_looks(looks: set[int]) -> None:
    lines: list[str] = []
    before = None
    for index in sorted(looks | {0, len(RUN) - 1}):
        lines += news(before, RUN[index])
        before = RUN[index]
    for name in ("script", "clips", "assembly"):
        assert sum(line.startswith(f"{name:<9} done") for line in lines) == 1
        assert sum(line.startswith(f"{name:<9} begun") for line in lines) <= 1
    for number in (1, 2, 3):
        assert sum(f"block {number} done" in line for line in lines) == 1
    assert sum(THEME in line for line in lines) == 1
    assert lines[-1].startswith("assembly  done")


def test_nothing_new_is_no_line() -> None:
    assert all(news(each, each) == [] for each in RUN)


def test_lines_tell_of_troubles() -> None:
    assert "clips     block 2 is tried again: E" in news(RUN[3], RUN[4])
    failed = document(
        VideoStatus.FAILED, [block(1, "failed", error_code="x", error_message="Refusé")], error_message="Refusé"
    )
    lines = news(RUN[3], failed)
    assert "clips     block 1 failed: Refusé" in lines
    assert lines[-1] == "failed    Refusé"


def test_plain_lines_carry_the_seconds() -> None:
    out = io.StringIO()
    ticks = iter([100.0, 101.5])
    progress = PlainProgress(Console(file=out, width=20), clock=lambda: next(ticks))
    progress.step("a step with more letters than the console is wide [bold]")
    assert out.getvalue() == "    1.5 s  start     a step with more letters than the console is wide [bold]\n"


def drawn(shown: VideoDocument | None, *, width: int, ascii_only: bool = False, steps: tuple[str, ...] = ()) -> str:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii" if ascii_only else "utf-8")
    console = Console(file=out, force_terminal=True, width=width, no_color=True, legacy_windows=False)
    live = LiveProgress(console, names=NAMES, clock=lambda: 0)
    for step in steps:
        live.step(step)
    if shown is not None:
        live.show(view(shown), [])
    console.print(live)
    out.flush()
    return raw.getvalue().decode(out.encoding)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_every_cell_is_whole_at_any_width(width: int) -> None:
    blocks = [block(n, "completed", 1) for n in (1, 2, 3)] + [block(4, "failed"), block(5, "generating", 0.5)]
    blocks += [block(n) for n in range(6, 11)]
    text = drawn(document(GENERATING, blocks), width=width)
    for each in blocks:
        assert f"{each.bloc:>2} {'✔' if each.status == 'completed' else ''}" in text
        assert cell(each).word in text
    for word in ("start", "script", "clips", "assembly", "3 of 10", "10 blocks"):
        assert word in text


def test_a_terminal_without_symbols_gets_letters() -> None:
    text = drawn(document(GENERATING, [block(1, "completed", 1), block(2, "failed")]), width=80, ascii_only=True)
    assert " 1 + done" in text
    assert " 2 x failed" in text


def test_bars_are_there_before_the_stack_is() -> None:
    text = drawn(None, width=80, steps=("database",))
    assert "▸ start" in text
    assert "database" in text
    assert "· assembly" in text


def test_the_start_counts_what_is_being_started() -> None:
    bars = [drawn(None, width=80, steps=steps).count("━") for steps in (("a",), ("a", "b"), ("a", "b", "c"))]
    assert bars == sorted(set(bars))
    assert "ready" in drawn(RUN[0], width=80)


STATES: tuple[State, ...] = ("active", "failed", "waiting", "done")


@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=30), st.integers(1, 40))
def test_where_bars_do_not_fit_those_that_move_are_shown_first(found: list[State], room: int) -> None:
    phases = [Phase(str(number), state, None) for number, state in enumerate(found)]
    chosen = fitting(phases, room)
    assert chosen == [phase for phase in phases if phase in chosen]
    assert len(chosen) == min(room, len(phases))
    left = [STATES.index(phase.state) for phase in phases if phase not in chosen]
    assert max(STATES.index(phase.state) for phase in chosen) <= min(left, default=len(STATES))


def test_waiting_ends_with_the_video() -> None:
    documents = iter(RUN[-2:])
    out = io.StringIO()
    with shown(stderr=Console(file=out)) as progress:
        last = follow(lambda: next(documents), VIDEO, progress, stop=threading.Event(), check=lambda: None)
    assert last is RUN[-1]
    assert "\r" not in out.getvalue()
    assert "assembly  done" in out.getvalue()


def test_waiting_ends_when_nobody_works() -> None:
    def gone() -> None:
        raise StackError("gone")

    class Ticking(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return False

    with shown(stderr=Console(file=io.StringIO())) as progress, pytest.raises(StackError):
        follow(lambda: RUN[0], VIDEO, progress, stop=Ticking(), check=gone)
