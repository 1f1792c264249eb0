"""The report of a run: one HTML file that needs nothing else, and its parts for the run's page."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from pydantic import BaseModel

from maquette.migrating.models import SCHEMA, Phase, Plan, Result
from maquette.migrating.source import Connection

_TEMPLATE: Final = Path(__file__).with_name("report.html")
WIDTH: Final = 960
HEIGHT: Final = 220
_POINTS: Final = 480


class Batch(BaseModel):
    """One batch's time, in milliseconds."""

    phase: Phase
    rows: int
    total_ms: float
    lock_ms: float


class SetAside(BaseModel):
    """A row that was not brought over, or went to the archive."""

    key: str
    reason: str
    survivor: str | None = None
    lacking: list[str] = []


class Report(BaseModel):
    """All that a report shows. ``plan`` is the one that was approved."""

    plan: Plan | None
    result: Result
    batches: list[Batch]
    quarantine: list[SetAside]
    archive: list[SetAside]
    made_at: datetime


LISTED: Final = 200
"""Rows that a report lists by key; the books hold all."""


def gather(connection: Connection, result: Result, plan: Plan | None) -> Report:
    """Read the report's parts from the books."""
    batches = connection.execute(
        f"SELECT phase, rows, total_ms, lock_ms FROM {SCHEMA}.batches WHERE run_id = %s ORDER BY seq", [result.run_id]
    ).fetchall()
    quarantine = connection.execute(
        f"SELECT key, reason FROM {SCHEMA}.quarantine WHERE run_id = %s ORDER BY at, key LIMIT {LISTED}",
        [result.run_id],
    ).fetchall()
    archive = connection.execute(
        f"SELECT key, reason, survivor, lacking FROM {SCHEMA}.archive WHERE run_id = %s "
        f"ORDER BY jsonb_array_length(lacking) DESC, id LIMIT {LISTED}",
        [result.run_id],
    ).fetchall()
    return Report(
        plan=plan,
        result=result,
        batches=[Batch(phase=phase, rows=rows, total_ms=total, lock_ms=lock) for phase, rows, total, lock in batches],
        quarantine=[SetAside(key=key, reason=reason) for key, reason in quarantine],
        archive=[
            SetAside(key=key, reason=reason, survivor=survivor, lacking=[str(each) for each in lacking])
            for key, reason, survivor, lacking in archive
        ],
        made_at=datetime.now(UTC),
    )


def counts(report: Report) -> list[dict[str, str | int]]:
    """Rows before and after, as a table."""
    plan, result = report.plan, report.result
    return [
        {"what": "rows", "before": plan.rows if plan else "", "after": result.rows_migrated + result.quarantined},
        {"what": "in the new shape", "before": plan.already_new if plan else "", "after": result.rows_migrated},
        {"what": "archived", "before": plan.rows_to_archive if plan else "", "after": result.archived},
        {"what": "in quarantine", "before": sum(plan.quarantine.values()) if plan else "", "after": result.quarantined},
        {"what": "changes not yet followed", "before": "", "after": result.pending},
    ]


def plan_text(plan: Plan, *, groups: int = 50, samples: int = 5, lines_each: int = 80) -> str:
    """The plan's figures as Markdown, for people who are to approve it.

    At most ``groups`` of duplicates and ``samples``, each side of these cut after ``lines_each``.
    """
    free = "unknown" if plan.free_disk_bytes is None else _bytes(plan.free_disk_bytes)
    figures = {
        "Rows": f"{plan.rows:,}",
        "Size": _bytes(plan.size_bytes),
        "Already new": f"{plan.already_new:,}",
        "Groups of duplicates": f"{plan.duplicate_groups:,}",
        "Rows to archive": f"{plan.rows_to_archive:,}",
        "Rows to quarantine": f"{sum(plan.quarantine.values()):,}",
        "Disk needed and free": f"{_bytes(plan.needed_disk_bytes)} of {free}",
        "Estimate": f"{plan.estimate_s:,.0f} s",
    }
    lines = [f"# {plan.migration} on {plan.table}", "", f"Plan `{plan.hash}`", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in figures.items()]
    for title, remarks in (("It would be refused", plan.refusals), ("To know", plan.warnings)):
        if remarks:
            lines += ["", f"## {title}", "", *(f"- {remark}" for remark in remarks)]
    for title, found in (("Oddities", plan.oddities), ("Quarantine", plan.quarantine)):
        if found:
            lines += ["", f"## {title}", "", "| | Rows |", "|---|---:|"]
            lines += [f"| {_cell(what)} | {rows:,} |" for what, rows in found.items()]
    if plan.duplicates_lacking:
        lines += ["", "## Duplicates that hold what the row that stays lacks", ""]
        lines += ["| Stays | Goes to the archive | Held there alone |", "|---|---|---|"]
        for group in plan.duplicates_lacking[:groups]:
            for key, lacking in cast(dict[str, list[str]], group["lacking"]).items():
                lines.append(f"| `{group['survivor']}` | `{key}` | {_cell(', '.join(lacking))} |")
        if len(plan.duplicates_lacking) > groups:
            lines += ["", f"And {len(plan.duplicates_lacking) - groups} more groups."]
    for sample in plan.samples[:samples]:
        lines += [
            "",
            f"## Sample `{sample.key}`",
            "",
            "Before:",
            "",
            "```json",
            *_cut(sample.before, lines_each),
            "```",
        ]
        lines += ["", "After:", "", "```json", *_cut(sample.after, lines_each), "```"]
    return "\n".join(lines)


def _cut(value: object, lines: int) -> list[str]:
    shown = json.dumps(value, indent=2, ensure_ascii=False).splitlines()
    return shown if len(shown) <= lines else [*shown[:lines], f"… {len(shown) - lines:,} lines more"]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def phase_times(result: Result) -> list[dict[str, str | float | int]]:
    """What each phase took, as a table."""
    return [
        {
            "phase": phase.phase.value.replace("_", " "),
            "seconds": round(phase.seconds, 2),
            "rows": phase.rows,
            "longest lock (ms)": round(phase.longest_lock_ms, 1),
        }
        for phase in result.phases
    ]


def batch_chart(batches: Sequence[Batch], *, target_ms: float) -> str:
    """An SVG of the batches' times, the target as a line; of neighbouring batches the longest is drawn."""
    step = -(-len(batches) // _POINTS) or 1
    shown = [max(batches[at : at + step], key=lambda batch: batch.total_ms) for at in range(0, len(batches), step)]
    locks = [max(batch.lock_ms for batch in batches[at : at + step]) for at in range(0, len(batches), step)]
    top = max([target_ms * 1.5, *(batch.total_ms for batch in shown)])
    left, right, bottom, ceiling = 56, WIDTH - 12, HEIGHT - 28, 14

    def y(value: float) -> float:
        return round(bottom - (bottom - ceiling) * value / top, 1)

    def line(values: Sequence[float], colour: str) -> str:
        wide = (right - left) / max(len(values) - 1, 1)
        points = " ".join(f"{left + wide * at:.1f},{y(value)}" for at, value in enumerate(values))
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'

    ticks = "".join(
        f'<text x="{left - 8}" y="{y(value) + 4}" text-anchor="end">{value:.0f} ms</text>'
        f'<line x1="{left}" x2="{right}" y1="{y(value)}" y2="{y(value)}" stroke="#e4e7ec"/>'
        for value in (0.0, top / 2, top)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="11" fill="#475467">'
        f"<title>Time of each batch</title>{ticks}"
        f'<line x1="{left}" x2="{right}" y1="{y(target_ms)}" y2="{y(target_ms)}" stroke="#f79009" '
        'stroke-dasharray="5 4"/>'
        + line([batch.total_ms for batch in shown], "#175cd3")
        + line(locks, "#d92d20")
        + f'<text x="{left}" y="{HEIGHT - 8}">{len(batches):,} batches, in their order: '
        '<tspan fill="#175cd3">whole time</tspan>, <tspan fill="#d92d20">rows held</tspan>, '
        f'<tspan fill="#b54708">target {target_ms:.0f} ms</tspan></text></svg>'
    )


def render(report: Report) -> str:
    """The report as one HTML page."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["whole"] = lambda number: f"{number:,.0f}"
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    target_ms = report.plan.options.batch_ms if report.plan else 100.0
    chart = Markup(batch_chart(report.batches, target_ms=target_ms)) if report.batches else None
    return environment.from_string(_TEMPLATE.read_text("utf-8")).render(
        report=report,
        plan=report.plan,
        result=report.result,
        counts=counts(report),
        times=phase_times(report.result),
        chart=chart,
        listed=LISTED,
    )


def write(report: Report, path: Path) -> Path:
    """Write the page at one stroke; its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(".tmp")
    with made.open("w", encoding="utf-8") as file:
        file.write(render(report))
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)
    return path
