"""Place an order, and follow it to its end: what all commands that order have in common."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pydantic import BaseModel
from rich.console import Console

from maquette.cli.opening import Opened, ordering
from maquette.cli.output import ExitCode, Interrupted, console, print_json
from maquette.cli.progress import Progress, View, shown
from maquette.launch.processes import stop_on_signals
from maquette.launch.stack import kill_at_once
from maquette.settings import Settings

POLL_S: Final = 0.3

Document = TypeVar("Document")
Report = TypeVar("Report", bound=BaseModel)


@dataclass(frozen=True)
class Kind(Generic[Document, Report]):
    """How one kind of thing is read by its id, shown while it is made, and reported.

    ``command`` shows it again; ``names`` are the phases that are shown before anything is known of it.
    """

    command: str
    read: Callable[[Opened, str], Document]
    view: Callable[[Document], View]
    news: Callable[[Document | None, Document], list[str]]
    report: Callable[[Opened, Document], Report]
    print: Callable[[Report, Console, str], None]
    failed: Callable[[Report], bool]
    names: Sequence[str] = ()


def order(
    place: Callable[[Opened], str],
    kind: Kind[Document, Report],
    settings: Settings,
    *,
    wait: bool,
    as_json: bool,
) -> int:
    """Place an order, follow it where ``wait``, and report. ``place`` returns the id of what is made.

    Leaves nothing running that it started. Raises ``Interrupted``; what ``place`` raises; ``StackError``.
    """
    report, opened = (_order_and_wait if wait else _order_only)(place, kind, settings)
    if as_json:
        print_json(report)
    else:
        kind.print(report, console(), opened.run_note)
    return ExitCode.FAILED if wait and kind.failed(report) else ExitCode.OK


def follow(
    read: Callable[[], Document],
    kind: Kind[Document, Report],
    progress: Progress,
    *,
    stop: threading.Event,
    check: Callable[[], None],
) -> Document:
    """Show it until it has ended or ``stop`` is set; its last document.

    ``check`` raises when to wait is vain.
    """
    looks = 0
    before: Document | None = None
    while True:
        document = read()
        view = kind.view(document)
        progress.show(view, kind.news(before, document))
        if view.ended or stop.wait(POLL_S):
            return document
        before = document
        looks += 1
        if looks % 10 == 0:
            check()


def _order_only(
    place: Callable[[Opened], str], kind: Kind[Document, Report], settings: Settings
) -> tuple[Report, Opened]:
    with ordering(settings, with_work=False) as opened:
        report = kind.report(opened, kind.read(opened, place(opened)))
    if opened.stack is None and settings.database_url is None:
        console(stderr=True).print(
            "No stack runs on this home: the order waits for the next `maquette up`.", soft_wrap=True
        )
    return report, opened


def _order_and_wait(
    place: Callable[[Opened], str], kind: Kind[Document, Report], settings: Settings
) -> tuple[Report, Opened]:
    stderr = console(stderr=True)
    with (
        stop_on_signals(at_once=lambda: kill_at_once(settings)) as stop,
        shown(stderr=stderr, names=kind.names) as progress,
        ordering(settings, with_work=True, stop=stop, on_step=progress.step) as opened,
    ):
        if stop.is_set():
            raise Interrupted("interrupted; nothing was ordered")
        key = place(opened)
        document = follow(lambda: kind.read(opened, key), kind, progress, stop=stop, check=opened.require_stack)
        report = kind.report(opened, document)
        if stop.is_set() and opened.is_ours:
            progress.say("stopping (once more kills at once)")
    if not kind.view(document).ended:
        goes_on = "goes on with the next `maquette up`" if opened.is_ours else "goes on"
        raise Interrupted(f"interrupted; {key} is ordered and {goes_on}: `maquette {kind.command} {key}`")
    return report, opened
