"""What the commands say of a draft: the JSON documents, and the summary for people."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console

from maquette.cli import order_progress
from maquette.cli.draft_tables import print_fitted
from maquette.cli.following import Kind
from maquette.cli.opening import Opened
from maquette.cli.order_progress import Standing
from maquette.cli.order_reports import FileReport, file_rows, read
from maquette.cli.order_reports import report as order_report
from maquette.cli.panels import count, money, print_summary, status_text
from maquette.cli.progress import View
from maquette.drafts.documents import subject_of
from maquette.drafts.models import (
    AssetDocument,
    DraftDocument,
    Failure,
    GenerationProgress,
    ListedDraft,
    SongDocument,
    VersionDocument,
)
from maquette.drafts.tables import DraftStatus
from maquette.journal import service as journal

# What a part of a draft is called.
NOUNS: Final = {"image": "image", "video": "video", "music": "song"}
HASH: Final = 12
_LISTED: Final = 4


class DraftReport(DraftDocument):
    """The document of ``draft create``, ``generate``, ``status``, ``regenerate`` and ``approve``.

    ``path`` is the draft's folder; ``files``, ``run_url`` and what stands under ``generation`` are of the newest
    order; ``cost_micros`` is what the draft has cost so far.
    """

    path: Path
    generation: GenerationProgress
    files: list[FileReport]
    run_url: str | None
    cost_micros: int


class DraftWhole(DraftReport):
    """The document of ``draft show``."""

    assets: list[AssetDocument]
    songs: list[SongDocument]


class AssetVersions(AssetDocument):
    """The document of ``draft versions``: the asset, and what it was before, newest first."""

    draft_id: str
    versions: list[VersionDocument]


class DraftStanding(NamedTuple):
    """A draft with its newest order, if there is one."""

    draft_id: str
    name: str
    order: Standing | None


def read_draft(opened: Opened, draft_id: str) -> DraftStanding:
    """The draft as it stands. Raises ``NotFound``."""
    draft, generation = opened.drafts.get(draft_id), opened.drafts.status(draft_id)
    order = None if generation.order_id is None else read(opened, str(generation.order_id))
    return DraftStanding(draft_id, draft.name, order)


def report(opened: Opened, standing: DraftStanding) -> DraftReport:
    """The report of a draft as it stands."""
    drafts, draft_id = opened.drafts, standing.draft_id
    with opened.database.begin() as session:
        cost_micros = journal.total_micros(session, subject_of(draft_id))
    order = None if standing.order is None else order_report(opened, standing.order)
    return DraftReport(
        **dict(drafts.get(draft_id)),
        path=drafts.folder_of(draft_id),
        generation=drafts.status(draft_id),
        files=order.files if order else [],
        run_url=order.run_urls[0] if order and order.run_urls else None,
        cost_micros=cost_micros,
    )


def whole(opened: Opened, draft_id: str) -> DraftWhole:
    """All of a draft. Raises ``NotFound``."""
    told = report(opened, read_draft(opened, draft_id))
    return DraftWhole(**dict(told), assets=opened.drafts.assets(draft_id), songs=opened.drafts.songs(draft_id))


def view(standing: DraftStanding) -> View:
    """The draft's order with its parts; nothing to wait for without one."""
    if standing.order is None:
        return View(standing.name, f"draft {standing.draft_id}", (), (), (), ended=True)
    facts = f"draft {standing.draft_id}  ({order_progress.ordered(standing.order.order)})"
    return order_progress.view(standing.order)._replace(title=standing.name, facts=facts)


def news(before: DraftStanding | None, now: DraftStanding) -> list[str]:
    """What a reader of plain lines is told of the step from one state to the next; often nothing."""
    return [] if now.order is None else order_progress.news(before.order if before else None, now.order)


def print_report(shown: DraftReport, console: Console, run_note: str = "") -> None:
    """The summary."""
    print_summary(shown.name, _rows(shown, run_note=run_note), console, status=_colour(shown), bold="folder")


def print_list(drafts: Sequence[ListedDraft], console: Console) -> None:
    """A line for each draft."""
    print_fitted(
        ("id", "status", "assets", "changed", "name"),
        (
            (
                draft.draft_id,
                status_text(draft.status),
                str(draft.num_assets),
                f"{draft.updated_at.astimezone():%Y-%m-%d %H:%M}",
                draft.name if draft.theme.casefold() == draft.name.casefold() else f"{draft.name} ({draft.theme})",
            )
            for draft in drafts
        ),
        console,
        right=("assets",),
    )


def failed_rows(failures: Sequence[Failure]) -> list[tuple[str, str]]:
    """What could not be made and why; parts with one reason are told together."""
    found: dict[tuple[str, str], list[str]] = {}
    for failure in failures:
        found.setdefault((failure.part, f"{failure.message} ({failure.code})"), []).append(failure.asset)
    return [(_called(NOUNS[part], assets), f"failed: {reason}") for (part, reason), assets in found.items()]


def what_is_there(shown: DraftWhole) -> str:
    """``10 images, 9 videos, 5 songs``."""
    return ", ".join(
        count(number, noun)
        for noun, number in {
            "image": sum(asset.image_sha256 is not None for asset in shown.assets),
            "video": sum(asset.video_sha256 is not None for asset in shown.assets),
            "song": sum(song.audio_sha256 is not None for song in shown.songs),
        }.items()
    )


def _called(noun: str, assets: Sequence[str]) -> str:
    if len(assets) > _LISTED:
        return count(len(assets), noun)
    return f"{noun}{'s' * (len(assets) > 1)} {', '.join(assets)}"


def _rows(shown: DraftReport, *, run_note: str) -> list[tuple[str, str]]:
    making = shown.generation
    few = [row for row in file_rows(shown.files) if row[0] != "folder"]
    rows = [("folder", str(shown.path)), *few, ("draft", shown.draft_id)]
    done = f"{making.generated_assets} of {count(making.total_assets, 'asset')}" if making.total_assets else "no assets"
    rows.append(("status", f"{making.status}, {done}"))
    if making.job_id is not None and making.status == DraftStatus.GENERATING:
        rows.append(("step", f"{making.current_step} ({making.progress} %)"))
    if shown.require_approval:
        rows.append(("approval", f"given for {shown.content_hash[:HASH]}" if shown.approved else "not given yet"))
    if shown.published_at is not None:
        since = ", changed since" if shown.changed_since_publication else ""
        rows.append(("published", f"{shown.published_at.astimezone():%Y-%m-%d %H:%M} as {shown.slug}{since}"))
    if making.order_id is not None:
        rows.append(("order", str(making.order_id)))
        rows.append(("cost", money(shown.cost_micros)))
    if shown.run_url is not None:
        rows.append(("run page", f"{run_note}{shown.run_url}"))
    rows += failed_rows(making.failures)
    following = _following(shown)
    return [*rows, ("next", following)] if following else rows


def _following(shown: DraftReport) -> str | None:
    """The command that goes on."""
    making = shown.generation
    if making.status in (DraftStatus.GENERATING, DraftStatus.PUBLISHING):
        return None
    if making.generated_assets < making.total_assets or making.failures:
        return f"maquette draft generate {shown.draft_id}  (makes only what is missing)"
    if making.total_assets == 0:
        return f"maquette draft generate {shown.draft_id}"
    if shown.require_approval and not shown.approved:
        return f"maquette draft approve {shown.draft_id}"
    if shown.published_at is None or shown.changed_since_publication:
        return f"maquette draft publish {shown.draft_id}"
    return None


def _colour(shown: DraftReport) -> str:
    if shown.generation.failures:
        return "partial" if shown.generation.generated_assets else "failed"
    whole = shown.generation.status in (DraftStatus.COMPLETED, DraftStatus.PUBLISHED)
    return "completed" if whole else "processing"


DRAFT: Final = Kind(
    command="draft status",
    read=read_draft,
    view=view,
    news=news,
    report=report,
    print=print_report,
    failed=lambda shown: bool(shown.generation.failures),
)
