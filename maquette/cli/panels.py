"""Forms of what is told to people: a summary, a table, money, sizes."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

STATUS_STYLES: Final = {
    "processing": "cyan",
    "sent": "cyan",
    "running": "cyan",
    "completed": "green",
    "partial": "yellow",
    "failed": "bold red",
    "cancelled": "red",
}


def print_summary(
    title: str, rows: Sequence[tuple[str, str]], console: Console, *, status: str, bold: str = ""
) -> None:
    """Names and values: a panel on a terminal, plain lines elsewhere. What a panel is too narrow for follows it whole.

    An empty name goes on with the one before.
    """
    label = max(len(name) for name, _ in rows)
    room = console.width - label - 8 if console.is_terminal else 0
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in rows:
        if cell_len(value) <= room:
            table.add_row(Text(name, style="dim"), Text(value, style="bold" if name == bold else ""))
    if table.row_count:
        shown = Text(title, style="bold")
        shown.truncate(console.width - 10, overflow="ellipsis")
        border = {"completed": "green", "partial": "yellow", "failed": "red", "cancelled": "red"}.get(status, "cyan")
        console.print(Panel(table, title=shown, border_style=border, padding=(1, 2), expand=False))
    for name, value in rows:
        if cell_len(value) > room:
            console.print(Text.assemble((f"{name:<{label}}  ", "dim"), value), soft_wrap=True)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], console: Console, *, right: Sequence[str] = ()
) -> None:
    """A line for each row under a line of names; the last column is cut where the terminal ends."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        last = name == columns[-1]
        table.add_column(
            name, no_wrap=True, justify="right" if name in right else "left", overflow="ellipsis" if last else "fold"
        )
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    # A pipe has no width, and what reads it wants whole texts.
    if not console.is_terminal:
        console.width = 1000
    console.print(table)


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(status, style=STATUS_STYLES.get(status, ""))


def count(number: int, noun: str) -> str:
    """``1 slide``, ``2 slides``."""
    return f"{number} {noun}{'s' * (number != 1)}"


def money(micros: int) -> str:
    """Micro-dollars for people: whole cents, or as many digits as a smaller sum needs."""
    dollars = micros / 1_000_000
    return f"${dollars:.2f}" if micros % 10_000 == 0 or micros >= 1_000_000 else f"${dollars:.6f}".rstrip("0")


def size(size_bytes: int) -> str:
    """Bytes for people."""
    return f"{size_bytes / 1_000_000:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1000:.1f} kB"
