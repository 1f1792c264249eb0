"""What the commands say of a video: the JSON document, and the summary for people."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from maquette.cli.following import Kind
from maquette.cli.opening import Opened
from maquette.cli.panels import count, money, print_summary, print_table, size, status_text
from maquette.cli.progress import STYLES
from maquette.cli.video_progress import NAMES, cell, news, view
from maquette.library import service as library
from maquette.videos.documents import BlockDocument, ListedVideo, VideoDocument
from maquette.videos.rules import VideoStatus

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


def report(opened: Opened, document: VideoDocument) -> VideoReport:
    """The report of a video as it stands."""
    completed = document.status is VideoStatus.COMPLETED
    facts = document.facts if completed and document.facts else {}
    paths = {kind: newest_path(opened, document.video_id, kind) if completed else None for kind in FILES}
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
        run_url=opened.run_url(document.flow_run_id),
        error_code=document.error_code,
        error_message=document.error_message,
    )


def print_report(shown: VideoReport, console: Console, run_note: str = "") -> None:
    """The summary."""
    print_summary(shown.theme, _rows(shown, run_note=run_note), console, status=shown.status, bold="film")


def _rows(shown: VideoReport, *, run_note: str) -> list[tuple[str, str]]:
    done = f"{sum(block.status == 'completed' for block in shown.blocks)} of {shown.total_blocks} blocks done"
    rows = [("video", shown.video_id), ("status", f"{shown.status}, {done}")]
    if shown.status is VideoStatus.COMPLETED:
        rows = [("film", str(shown.final_path)), ("video", shown.video_id)]
    rows.append(("duration", f"{shown.duration_s:.1f} s in {count(shown.total_blocks, 'block')}"))
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


def newest_path(opened: Opened, video_id: str, kind: str) -> Path | None:
    """Where the newest film or contact sheet of a video is; ``None`` when it is not there any more."""
    with opened.database.begin() as session:
        asset = library.newest(session, video_id, kind)
    return opened.published(asset, FILES[kind]) if asset else None


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
    print_table(
        ("id", "status", "done", "blocks", "seconds", "theme"),
        (
            (
                video.video_id,
                status_text(video.status),
                f"{video.progress} %",
                f"{video.completed_blocks}/{video.blocks_count}",
                str(video.duration),
                video.theme,
            )
            for video in videos
        ),
        console,
        right=("done", "blocks", "seconds"),
    )


VIDEO: Final = Kind(
    command="video status",
    read=lambda opened, video_id: opened.videos.get(video_id),
    view=view,
    news=news,
    report=report,
    print=print_report,
    failed=lambda shown: shown.status is not VideoStatus.COMPLETED,
    names=NAMES,
)
