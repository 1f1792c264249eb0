"""What the commands say of budgets and costs."""

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.text import Text

from maquette.cli.panels import money, print_table
from maquette.journal.costs import CostReport
from maquette.quota.rules import UNITS
from maquette.quota.service import QuotaDocument, UnitState


def print_quota(shown: QuotaDocument, brand: str, console: Console) -> None:
    """A line for each unit of the month."""
    year, month = divmod(shown.period_yyyymm, 100)
    console.print(Text(f"{brand}, plan {shown.plan}, {year}-{month:02d}", style="bold"), soft_wrap=True)
    columns = ("unit", "used", "reserved", "limit", "left", "")
    rows = ((unit, *_cells(getattr(shown, unit))) for unit in UNITS)
    print_table(columns, rows, console, right=("used", "reserved", "limit", "left"))
    films = "any length" if shown.durations_s is None else f"{max(shown.durations_s)} s at most"
    console.print(f"films of {films}; a new month begins on {shown.reset_date:%Y-%m-%d}", style="dim")


def print_costs(shown: CostReport, names: Mapping[str, str], console: Console) -> None:
    """A line for each group, and the sum. ``names`` are those of brands by their ids."""
    rows = [
        (
            money(line.cost_micros),
            money(line.saved_micros),
            str(line.calls),
            names.get(line.key or "", line.key or "none"),
        )
        for line in shown.lines
    ]
    rows.append((money(shown.cost_micros), money(shown.saved_micros), str(shown.calls), "in all"))
    print_table(("cost", "saved", "calls", shown.by), rows, console, right=("cost", "saved", "calls"))


def _cells(unit: UnitState) -> Iterator[str | Text]:
    yield str(unit.used)
    yield str(unit.reserved)
    yield "none" if unit.limit is None else str(unit.limit)
    yield "" if unit.remaining is None else str(unit.remaining)
    stop = unit.hard_stop is not None and unit.used + unit.reserved >= unit.hard_stop
    word = f"used up (stops at {unit.hard_stop})" if stop else "80 % reached" if unit.threshold_80 else ""
    yield Text(word, style="bold red" if stop else "yellow")
