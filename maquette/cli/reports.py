"""What the commands say of a video: the JSON document, and the summary for people."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from rich.cells import cell_len
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from maquette.cli.opening import Opened
from maquette.cli.progress import STYLES, cell
from maquette.errors import NotFound
from maquette.library import service as library
from maquette.settings import Settings
from maquette.videos.documents import BlockDocument, ListedVideo, VideoDocument
from maquette.videos.rules import VideoStatus

_LIST_STYLES: Final = {"processing": "cyan", "completed": "green", "failed": "bold red"}
FILES: Final = {"film": "final.mp4", "contact_sheet": "contact_sheet.png"}


class VideoReport(BaseModel):
    """The document of ``video create``, ``status``, ``retry``, ``edit`` and ``demo``.

    ``duration_s`` is the planned one until the film was measured; paths are ``null`` until it is completed.
    """

    video_id: str
    status: VideoStatus
    final_path: Path | None
    duration_s: float
    cost_micros: int
    blocks: list[BlockDocument]
    total_blocks: int
    theme: str
    progress: int
    contact_sheet_path: Path | None
    size_bytes: int | None
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    run_url: str | None
    error_code: str | None
    error_message: str | None


def report(opened: Opened, document: VideoDocument, settings: Settings) -> VideoReport:
    """The report of a video as it stands."""
    completed = document.status is VideoStatus.COMPLETED
    facts = document.facts if completed and document.facts else {}
    paths = {kind: _path(opened, document.video_id, kind) if completed else None for kind in FILES}
    return VideoReport(
        video_id=document.video_id,
        status=document.status,
        final_path=paths["film"],
        duration_s=facts.get("duration_s", document.actual_duration),
        cost_micros=document.cost_micros,
        blocks=document.blocks,
        total_blocks=document.total_blocks,
        theme=document.theme,
        progress=document.progress,
        contact_sheet_path=paths["contact_sheet"],
        size_bytes=facts.get("size_bytes"),
        loudness_lufs=facts.get("loudness_lufs"),
        true_peak_dbtp=facts.get("true_peak_dbtp"),
        run_url=opened.run_url(document.flow_run_id, settings),
        error_code=document.error_code,
        error_message=document.error_message,
    )


def print_report(shown: VideoReport, console: Console, *, run_note: str = "") -> None:
    """The summary: a panel on a terminal, plain lines elsewhere. What a panel is too narrow for follows it whole."""
    rows = list(_rows(shown, run_note=run_note))
    label = max(len(name) for name, _ in rows)
    room = console.width - label - 8 if console.is_terminal else 0
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in rows:
        if cell_len(value) <= room:
            table.add_row(Text(name, style="dim"), Text(value, style="bold" if name == "film" else ""))
    if table.row_count:
        title = Text(shown.theme, style="bold")
        title.truncate(console.width - 10, overflow="ellipsis")
        border = {VideoStatus.COMPLETED: "green", VideoStatus.FAILED: "red"}.get(shown.status, "cyan")
        console.print(Panel(table, title=title, border_style=border, padding=(1, 2), expand=False))
    for name, value in rows:
        if cell_len(value) > room:
            console.print(Text.assemble((f"{name:<{label}}  ", "dim"), value), soft_wrap=True)


def money(micros: int) -> str:
    """Micro-dollars for people: whole cents, or as many digits as a smaller sum needs."""
    dollars = micros / 1_000_000
    return f"${dollars:.2f}" if micros % 10_000 == 0 or micros >= 1_000_000 else f"${dollars:.6f}".rstrip("0")


def size(size_bytes: int) -> str:
    """Bytes for people."""
    return f"{size_bytes / 1_000_000:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1000:.1f} kB"


def _rows(shown: VideoReport, *, run_note: str) -> list[tuple[str, str]]:
    done = f"{sum(block.status == 'completed' for block in shown.blocks)} of {shown.total_blocks} blocks done"
    rows = [("video", shown.video_id), ("status", f"{shown.status}, {done}")]
    if shown.status is VideoStatus.COMPLETED:
        rows = [("film", str(shown.final_path)), ("video", shown.video_id)]
    rows.append(("duration", f"{shown.duration_s:.1f} s in {shown.total_blocks} block{'s' * (shown.total_blocks > 1)}"))
    if shown.size_bytes is not None:
        rows.append(("size", size(shown.size_bytes)))
    if shown.loudness_lufs is not None and shown.true_peak_dbtp is not None:
        rows.append(("loudness", f"{shown.loudness_lufs:.1f} LUFS, true peak {shown.true_peak_dbtp:.1f} dBTP"))
    rows.append(("cost", money(shown.cost_micros)))
    if shown.contact_sheet_path is not None:
        rows.append(("contact sheet", str(shown.contact_sheet_path)))
    if shown.run_url is not None:
        rows.append(("run page", f"{run_note}{shown.run_url}"))
    failed = [block for block in shown.blocks if block.status == "failed"]
    rows += [(f"block {block.bloc}", f"{block.error_message} ({block.error_code})") for block in failed]
    if shown.status is VideoStatus.FAILED:
        if not failed:
            rows.append(("reason", f"{shown.error_message} ({shown.error_code})"))
        rows.append(("retry", f"maquette video retry {shown.video_id} --wait"))
    return rows


def _path(opened: Opened, video_id: str, kind: str) -> Path | None:
    videos = opened.videos
    with videos.database.begin() as session:
        asset = library.newest(session, video_id, kind)
    with suppress(NotFound):  # the row is there and the file was taken away
        # The readable name is a link: asking for it puts back one that somebody removed.
        return videos.store.publish(asset.key, f"{video_id}/{FILES[kind]}") if asset else None
    return None


def print_blocks(shown: VideoReport, console: Console) -> None:
    """A line for each block: its state and its words."""
    for block in shown.blocks:
        each = cell(block)
        line = Text(f"{each.number:>3}  {each.word:<9} ", style=STYLES[each.state])
        line.append(block.dialogue or block.visuel, style="default")
        if console.is_terminal:
            line.truncate(console.width, overflow="ellipsis")
        console.print(line, soft_wrap=True)


def print_list(videos: Sequence[ListedVideo], console: Console) -> None:
    """A line for each video."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("id", "status", "done", "blocks", "seconds"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("done", "blocks", "seconds") else "left")
    table.add_column("theme")
    for video in videos:
        table.add_row(
            video.video_id,
            Text(video.status, style=_LIST_STYLES[video.status]),
            f"{video.progress} %",
            f"{video.completed_blocks}/{video.blocks_count}",
            str(video.duration),
            Text(video.theme, no_wrap=True, overflow="ellipsis"),
        )
    # A pipe has no width, and what reads it wants whole themes.
    if not console.is_terminal:
        console.width = 1000
    console.print(table)
