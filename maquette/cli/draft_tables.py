"""Tables whose last column is the one that gives way."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from maquette.cli.panels import print_table

_GAP: Final = 2
_LEAST: Final = 4


def print_fitted(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], console: Console, *, right: Sequence[str] = ()
) -> None:
    """As ``print_table``; on a terminal the last column is cut to what the others, such as ids, leave of it."""
    cells = [[cell.copy() if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    if console.is_terminal:
        widths = (max(cell_len(text) for text in (name, *(row[place].plain for row in cells)))
                  for place, name in enumerate(columns[:-1]))  # fmt: skip
        left = console.width - sum(width + _GAP for width in widths)
        for row in cells:
            row[-1].truncate(max(_LEAST, left), overflow="ellipsis")
    print_table(columns, cells, console, right=right)
