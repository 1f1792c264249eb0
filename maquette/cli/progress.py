"""How a video in the making is shown: a bar per phase and a cell per block, or plain lines where no one watches.

``phases`` and ``news`` are pure: a document in, what to show of it out.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal, NamedTuple, Protocol, assert_never

from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from maquette.videos.documents import BlockDocument, VideoDocument
from maquette.videos.rules import VideoStatus

State = Literal["waiting", "active", "done", "failed"]
NAMES: Final = ("start", "script", "clips", "assembly")
STACK_STEPS: Final = 4  # database, Prefect server, worker, ready

# Share of a block's bar that its generation fills; the rest is captions and the fit to the film's form.
_GENERATION: Final = 0.85
_CELL: Final = 14
_BAR: Final = 30
_NOTE: Final = 28
_POLL_S: Final = 0.3

STYLES: Final[dict[State, str]] = {"waiting": "dim", "active": "cyan", "done": "green", "failed": "bold red"}
_CELL_STYLES: Final[dict[State, str]] = {
    "waiting": "white on grey23",
    "active": "black on cyan",
    "done": "black on green",
    "failed": "bold white on red",
}
_SYMBOLS: Final[dict[State, str]] = {"waiting": "·", "active": "▸", "done": "✔", "failed": "✘"}
_ASCII: Final[dict[State, str]] = {"waiting": ".", "active": ">", "done": "+", "failed": "x"}


class Phase(NamedTuple):
    """One bar. ``fraction`` is ``None`` while nobody knows how far it is."""

    name: str
    state: State
    fraction: float | None
    note: str = ""


class Cell(NamedTuple):
    """One block."""

    number: int
    state: State
    word: str


def phases(document: VideoDocument | None, *, steps: Sequence[str] = (), started: bool = True) -> tuple[Phase, ...]:
    """The four phases. ``steps`` are what the stack has begun to start, and ``started`` that it runs."""
    if not started or document is None:
        share = min(len(steps), STACK_STEPS) / (STACK_STEPS + 1)
        start = Phase("start", "done", 1, "ready") if started else Phase("start", "active", share, _last(steps))
        return start, *(Phase(name, "waiting", 0) for name in NAMES[1:])
    total, completed = document.total_blocks, document.completed_blocks
    count = f"{completed} of {total}"
    states: tuple[State, State, State]
    match document.status:
        case VideoStatus.QUEUED:
            states = ("active", "waiting", "waiting")
        case VideoStatus.SCRIPT_GENERATED | VideoStatus.GENERATING_PARALLEL:
            states = ("done", "active", "waiting")
        case VideoStatus.READY_FOR_ASSEMBLY:
            states = ("done", "done", "active")
        case VideoStatus.COMPLETED:
            states = ("done", "done", "done")
        case VideoStatus.FAILED if not document.blocks:
            states = ("failed", "waiting", "waiting")
        case VideoStatus.FAILED if completed < total:
            states = ("done", "failed", "waiting")
        case VideoStatus.FAILED:
            states = ("done", "done", "failed")
        case _:
            assert_never(document.status)
    script, clips, assembly = states
    writing = "the run is starting" if document.flow_run_id else "waiting in line"
    script_notes = {"active": writing, "done": f"{total} block{'s' * (total > 1)}"}
    return (
        Phase("start", "done", 1, "ready"),
        Phase("script", script, _known(script), script_notes.get(script, "")),
        Phase("clips", clips, _shot(document), "" if clips == "waiting" else count),
        Phase(
            "assembly",
            assembly,
            _known(assembly),
            {"active": "joining and checking", "done": "film ready"}.get(assembly, ""),
        ),
    )


def cell(block: BlockDocument) -> Cell:
    """One block in one word, readable without its colour."""
    match block.status:
        case "completed":
            return Cell(block.bloc, "done", "done")
        case "failed":
            return Cell(block.bloc, "failed", "failed")
        case "generating" if block.progress >= 1:
            return Cell(block.bloc, "active", "captions")
        case "generating":
            return Cell(block.bloc, "active", f"{block.progress:.0%}")
        case "pending":
            again = block.error_code is not None
            return Cell(block.bloc, "waiting", f"try {block.tries + 1}" if again else "waiting")
        case _:
            assert_never(block.status)


def troubles(document: VideoDocument) -> list[str]:
    """A line for each block that failed or is being tried again, and one for the film."""
    lines = [
        f"block {block.bloc} {'failed' if block.status == 'failed' else 'is tried again'}: {block.error_message}"
        for block in document.blocks
        if block.error_message is not None and block.status != "completed"
    ]
    if document.error_message is not None and not any(block.status == "failed" for block in document.blocks):
        lines.append(document.error_message)
    return lines


def news(before: VideoDocument | None, now: VideoDocument) -> list[str]:
    """What a reader of plain lines is told of the step from one document to the next; often nothing."""
    lines = []
    if before is None or before.theme != now.theme:
        lines.append(f"video     {now.video_id}: {now.theme}")
    earlier = {phase.name: phase for phase in phases(before)} if before else {}
    changed = [
        phase
        for phase in phases(now)[1:]
        if phase.state != "waiting" and (phase.name not in earlier or earlier[phase.name].state != phase.state)
    ]
    blocks = {block.bloc: block for block in before.blocks} if before else {}
    ended = []
    for block in now.blocks:
        was = blocks.get(block.bloc)
        if block.status == "completed" and before is not None and (was is None or was.status != "completed"):
            ended.append(f"clips     block {block.bloc} done ({now.completed_blocks} of {now.total_blocks})")
        elif block.error_message is not None and (
            was is None or (was.status, was.tries) != (block.status, block.tries)
        ):
            if block.status == "failed":
                ended.append(f"clips     block {block.bloc} failed: {block.error_message}")
            elif block.status == "pending":
                ended.append(f"clips     block {block.bloc} is tried again: {block.error_message}")
    told = False
    for phase in changed:
        # Blocks are told between the phase that makes them and its end.
        if phase.name == "clips" and phase.state in ("done", "failed"):
            lines += ended
            told = True
        lines.append(
            f"{phase.name:<9} {' '.join(filter(None, [_verb(phase.state), phase.note and f'({phase.note})']))}"
        )
    if not told:
        lines += ended
    if now.status is VideoStatus.FAILED and (before is None or before.status is not VideoStatus.FAILED):
        lines.append(f"failed    {now.error_message}")
    return lines


class Progress(Protocol):
    """Somewhere to show it."""

    def step(self, text: str) -> None:
        """The stack begins to start ``text``."""
        ...

    def show(self, document: VideoDocument) -> None:
        """The video's present state."""
        ...

    def say(self, text: str) -> None:
        """A line of its own."""
        ...


class PlainProgress:
    """Lines with the seconds since the start: for logs of CI and pipes."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._began = clock()
        self._document: VideoDocument | None = None

    def step(self, text: str) -> None:
        self.say(f"start     {text}")

    def show(self, document: VideoDocument) -> None:
        for line in news(self._document, document):
            self.say(line)
        self._document = document

    def say(self, text: str) -> None:
        self._console.print(f"{self._clock() - self._began:7.1f} s  {text}", markup=False, soft_wrap=True)


class LiveProgress:
    """Bars and cells, drawn again several times a second. ``console`` is a terminal."""

    def __init__(self, console: Console, *, started: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._began = clock()
        self._steps: list[str] = []
        self._started = started
        self._document: VideoDocument | None = None
        self._spans: dict[str, list[float]] = {}

    def step(self, text: str) -> None:
        self._steps.append(text)

    def show(self, document: VideoDocument) -> None:
        self._started = True
        self._document = document

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def __rich__(self) -> RenderableType:
        document = self._document
        shown = phases(document, steps=self._steps, started=self._started)
        parts: list[RenderableType] = [Text(), self._title(document), Text()]
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        # Of one width, so that nothing moves when the words change.
        table.add_column(no_wrap=True, width=_NOTE)
        table.add_column(justify="right", no_wrap=True, width=8)
        for phase in shown:
            table.add_row(*self._row(phase))
        parts.append(table)
        if document is not None and document.blocks:
            parts += [Text(), self._cells([cell(block) for block in document.blocks])]
            parts += [Text(), *(Text(line, style="yellow") for line in troubles(document))]
        parts.append(Text())
        return Group(*parts)

    def _title(self, document: VideoDocument | None) -> RenderableType:
        if document is None:
            return Text("Starting what a video needs", style="bold")
        title = Text(document.theme, style="bold", no_wrap=True, overflow="ellipsis")
        facts = f"{document.actual_duration} s, {document.style}, {document.language}, {document.aspect_ratio}"
        return Group(title, Text(f"{document.video_id}  ({facts})", style="dim"))

    def _row(self, phase: Phase) -> Iterator[RenderableType]:
        style = STYLES[phase.state]
        width = max(10, min(_BAR, self._console.width - 12 - _NOTE - 14))
        finished = "red" if phase.state == "failed" else "green"
        yield Text(f"{self._symbol(phase.state)} {phase.name}", style=style)
        yield ProgressBar(
            total=1,
            completed=phase.fraction or 0,
            width=width,
            pulse=phase.fraction is None,
            complete_style=finished if phase.state == "failed" else "cyan",
            finished_style=finished,
            pulse_style="cyan",
        )
        yield Text(phase.note, style=style)
        yield Text(self._time(phase), style="dim")

    def _time(self, phase: Phase) -> str:
        now = self._clock()
        if phase.state == "waiting":
            return ""
        span = self._spans.setdefault(phase.name, [self._began if phase.name == "start" else now])
        if phase.state != "active" and len(span) == 1:
            span.append(now)
        seconds = (span[1] if len(span) == 2 else now) - span[0]
        # Phases that were over before we looked took no time that we know of.
        return f"{seconds:.1f} s" if seconds >= 0.05 else ""

    def _cells(self, cells: Sequence[Cell]) -> RenderableType:
        per_row = max(1, (self._console.width - 2) // (_CELL + 1))
        # Rows of about one length look calmer than a full one and a rest.
        rows = -(-len(cells) // per_row)
        per_row = -(-len(cells) // rows)
        grid = Table.grid(padding=(0, 1, 0, 0))
        for _ in range(per_row):
            grid.add_column(width=_CELL)
        texts = [self._cell(each) for each in cells]
        for first in range(0, len(texts), per_row):
            if first:
                grid.add_row()
            grid.add_row(*texts[first : first + per_row])
        return grid

    def _cell(self, each: Cell) -> RenderableType:
        text = f"{each.number:>2} {self._symbol(each.state)} {each.word}"
        return Align(Text(text, style=_CELL_STYLES[each.state]), width=_CELL, style=_CELL_STYLES[each.state])

    def _symbol(self, state: State) -> str:
        return (_ASCII if self._console.options.ascii_only else _SYMBOLS)[state]


@contextmanager
def shown(*, stderr: Console, started: bool = False) -> Iterator[Progress]:
    """Show progress on ``stderr``, live where it is a terminal; log lines appear above it."""
    handler = _Above(stderr)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        if stderr.is_terminal and not stderr.is_dumb_terminal:
            live = LiveProgress(stderr, started=started)
            with Live(live, console=stderr, refresh_per_second=8, vertical_overflow="visible"):
                yield live
        else:
            yield PlainProgress(stderr)
    finally:
        root.removeHandler(handler)


def follow(
    read: Callable[[], VideoDocument], progress: Progress, *, stop: threading.Event, check: Callable[[], None]
) -> VideoDocument:
    """Show the video until it has ended or ``stop`` is set; its last document.

    ``check`` raises when to wait is vain.
    """
    looks = 0
    while True:
        document = read()
        progress.show(document)
        if document.status in (VideoStatus.COMPLETED, VideoStatus.FAILED) or stop.wait(_POLL_S):
            return document
        looks += 1
        if looks % 10 == 0:
            check()


class _Above(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(
            f"{record.levelname.lower()}: {record.getMessage()}", style="dim", markup=False, soft_wrap=True
        )


def _known(state: State) -> float | None:
    return {"waiting": 0, "active": None, "done": 1, "failed": 1}[state]


def _shot(document: VideoDocument) -> float:
    if document.total_blocks == 0:
        return 0
    if document.status in (VideoStatus.READY_FOR_ASSEMBLY, VideoStatus.COMPLETED):
        return 1
    shares = (
        1.0 if block.status == "completed" else _GENERATION * block.progress * (block.status == "generating")
        for block in document.blocks
    )
    return sum(shares) / document.total_blocks


def _last(steps: Sequence[str]) -> str:
    return steps[-1] if steps else ""


def _verb(state: State) -> str:
    return {"active": "begun", "done": "done", "failed": "failed", "waiting": ""}[state]
