"""How something in the making is shown: a bar per phase and a cell per part, or plain lines where no one watches.

What there is to show comes from ``video_progress`` and ``order_progress``.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal, NamedTuple, Protocol

from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

State = Literal["waiting", "active", "done", "failed"]
STACK_STEPS: Final = 4  # database, Prefect server, worker, ready

_CELL: Final = 14
_BAR: Final = 30
_NOTE: Final = 28
_TROUBLES: Final = 6
# Lines of the screen that are left to other things than bars.
_AROUND: Final = 12

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
    """One bar. ``fraction`` is ``None`` while nobody knows how far it is. Names are unique within a view."""

    name: str
    state: State
    fraction: float | None
    note: str = ""


class Cell(NamedTuple):
    """One part of what is made, such as a block or a slide."""

    number: int
    state: State
    word: str


class View(NamedTuple):
    """What is shown of something at one moment."""

    title: str
    facts: str
    phases: tuple[Phase, ...]
    cells: tuple[Cell, ...]
    troubles: tuple[str, ...]
    ended: bool


class Progress(Protocol):
    """Somewhere to show it."""

    def step(self, text: str) -> None:
        """The stack begins to start ``text``."""
        ...

    def show(self, view: View, lines: Sequence[str]) -> None:
        """The present state, and what is new of it in plain lines."""
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

    def step(self, text: str) -> None:
        self.say(f"start     {text}")

    def show(self, view: View, lines: Sequence[str]) -> None:
        for line in lines:
            self.say(line)

    def say(self, text: str) -> None:
        self._console.print(f"{self._clock() - self._began:7.1f} s  {text}", markup=False, soft_wrap=True)


class LiveProgress:
    """Bars and cells, drawn again several times a second. ``console`` is a terminal.

    ``names`` are the phases that are shown as waiting before there is a view.
    """

    def __init__(
        self, console: Console, *, names: Sequence[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._began = clock()
        self._names = names
        self._steps: list[str] = []
        self._view: View | None = None
        self._spans: dict[str, list[float]] = {}

    def step(self, text: str) -> None:
        self._steps.append(text)

    def show(self, view: View, lines: Sequence[str]) -> None:
        self._view = view

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def __rich__(self) -> RenderableType:
        view = self._view
        parts: list[RenderableType] = [Text(), self._title(view), Text()]
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        # Of one width, so that nothing moves when the words change.
        table.add_column(no_wrap=True, width=_NOTE)
        table.add_column(justify="right", no_wrap=True, width=8)
        phases = (self._start(), *(view.phases if view else (Phase(name, "waiting", 0) for name in self._names)))
        shown = fitting(phases, max(3, self._console.height - _AROUND))
        for phase in shown:
            table.add_row(*self._row(phase))
        parts.append(table)
        if len(shown) < len(phases):
            parts.append(Text(_rest(set(phases) - set(shown)), style="dim"))
        if view is not None:
            if view.cells:
                parts += [Text(), self._cells([self._cell(each) for each in view.cells])]
            if view.troubles:
                parts += [Text(), *(Text(line, style="yellow") for line in view.troubles[:_TROUBLES])]
                if len(view.troubles) > _TROUBLES:
                    parts.append(Text(f"and {len(view.troubles) - _TROUBLES} more", style="yellow"))
        parts.append(Text())
        return Group(*parts)

    def _start(self) -> Phase:
        if self._view is not None:
            return Phase("start", "done", 1, "ready")
        share = min(len(self._steps), STACK_STEPS) / (STACK_STEPS + 1)
        return Phase("start", "active", share, self._steps[-1] if self._steps else "")

    def _title(self, view: View | None) -> RenderableType:
        if view is None:
            return Text("Starting what the order needs", style="bold")
        return Group(
            Text(view.title, style="bold", no_wrap=True, overflow="ellipsis"),
            Text(view.facts, style="dim", no_wrap=True, overflow="ellipsis"),
        )

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

    def _cells(self, cells: Sequence[RenderableType]) -> RenderableType:
        per_row = max(1, (self._console.width - 2) // (_CELL + 1))
        # Rows of about one length look calmer than a full one and a rest.
        rows = -(-len(cells) // per_row)
        per_row = -(-len(cells) // rows)
        grid = Table.grid(padding=(0, 1, 0, 0))
        for _ in range(per_row):
            grid.add_column(width=_CELL)
        for first in range(0, len(cells), per_row):
            if first:
                grid.add_row()
            grid.add_row(*cells[first : first + per_row])
        return grid

    def _cell(self, each: Cell) -> RenderableType:
        text = f"{each.number:>2} {self._symbol(each.state)} {each.word}"
        return Align(Text(text, style=_CELL_STYLES[each.state]), width=_CELL, style=_CELL_STYLES[each.state])

    def _symbol(self, state: State) -> str:
        return (_ASCII if self._console.options.ascii_only else _SYMBOLS)[state]


@contextmanager
def shown(*, stderr: Console, names: Sequence[str] = ()) -> Iterator[Progress]:
    """Show progress on ``stderr``, live where it is a terminal; log lines appear above it."""
    handler = _Above(stderr)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        if stderr.is_terminal and not stderr.is_dumb_terminal:
            live = LiveProgress(stderr, names=names)
            with Live(live, console=stderr, refresh_per_second=8, vertical_overflow="visible"):
                yield live
        else:
            yield PlainProgress(stderr)
    finally:
        root.removeHandler(handler)


def fitting(phases: Sequence[Phase], room: int) -> list[Phase]:
    """The phases to show where there is room for so many: what moves before what is over, then what waits."""
    order: tuple[State, ...] = ("active", "failed", "waiting", "done")
    chosen = sorted(phases, key=lambda phase: order.index(phase.state))[:room]
    return [phase for phase in phases if phase in chosen]


def changed(before: Sequence[Phase], now: Sequence[Phase]) -> list[Phase]:
    """The phases that have begun or ended since."""
    states = {phase.name: phase.state for phase in before}
    return [phase for phase in now if phase.state not in ("waiting", states.get(phase.name))]


def told(phase: Phase, *, width: int = 9) -> str:
    """A phase as a line; its name takes ``width`` characters."""
    verb = {"active": "begun", "done": "done", "failed": "failed", "waiting": "waiting"}[phase.state]
    return f"{phase.name:<{width}} {verb}" + (f" ({phase.note})" if phase.note else "")


def known(state: State) -> float | None:
    """The share of a phase of which nothing is known but its state."""
    return {"waiting": 0, "active": None, "done": 1, "failed": 1}[state]


class _Above(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(
            f"{record.levelname.lower()}: {record.getMessage()}", style="dim", markup=False, soft_wrap=True
        )


def _rest(phases: set[Phase]) -> str:
    count = {state: sum(phase.state == state for phase in phases) for state in ("active", "failed", "done", "waiting")}
    words = {"active": "under way", "failed": "failed", "done": "done", "waiting": "waiting"}
    return "and " + ", ".join(f"{number} {words[state]}" for state, number in count.items() if number)
