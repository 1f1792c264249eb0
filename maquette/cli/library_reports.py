"""What the commands say of the library, and how they copy out of it."""

from contextlib import suppress
from pathlib import Path
from uuid import UUID

from rich.console import Console

from maquette.cli import files
from maquette.cli.opening import Opened
from maquette.cli.panels import money, print_summary, print_table, size
from maquette.errors import NotFound, StorageError
from maquette.library import service as library
from maquette.library.listing import AssetDocument, ListedAsset, Page, asset_document


class AssetReport(AssetDocument):
    """The document of ``library show`` and ``add``; ``path`` is ``null`` when the file is not there any more."""

    path: Path | None


def report(opened: Opened, asset_id: UUID) -> AssetReport:
    """The asset with all that it came from. Raises ``NotFound``."""
    with opened.database.begin() as session:
        document = asset_document(session, asset_id)
        key = library.get(session, asset_id).key
    path = None
    with suppress(NotFound):
        path = opened.store.path(key) if document.expired_at is None else None
    return AssetReport(**dict(document), path=path)


def save(opened: Opened, asset_id: UUID, output: Path) -> list[Path]:
    """Copy the asset's file to ``output``, a carousel's slides into that folder; what was written.

    Raises ``NotFound``, ``StorageError``.
    """
    with opened.database.begin() as session:
        document = asset_document(session, asset_id)
        if document.expired_at is not None:
            raise NotFound(f"{asset_id} was kept until {document.expires_at}: order it again", code="asset_not_found")
        if not document.slides:
            return [_copied(opened, library.get(session, asset_id).key, output, name=_name(document))]
        slides = [(slide, library.get(session, slide.id).key) for slide in document.slides]
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{output} is no folder ({error.strerror}): give another --output") from error
    return [_copied(opened, key, output, name=f"slide_{(slide.slide_index or 0) + 1:02d}") for slide, key in slides]


def print_page(page: Page, console: Console) -> None:
    """A line for each entry, and how to get the next page."""
    if not page.items:
        console.print("Nothing of that kind.")
        return
    print_table(
        ("id", "type", "made", "size", "title"),
        (
            (
                str(entry.id),
                entry.type if entry.slides is None else f"{entry.type} of {len(entry.slides)}",
                f"{entry.created_at.astimezone():%Y-%m-%d %H:%M}",
                size(entry.size_bytes),
                entry.title,
            )
            for entry in page.items
        ),
        console,
        right=("size",),
    )
    if page.next is not None:
        console.print(f"more: --cursor {page.next}", style="dim", soft_wrap=True)


def print_report(shown: AssetReport, console: Console) -> None:
    """The asset, and where it came from."""
    sides = f"{shown.width}×{shown.height}" if shown.width and shown.height else ""
    facts = {
        "file": str(shown.path or "not there any more"),
        "asset": str(shown.id),
        "type": shown.type,
        "is": ", ".join(filter(None, [shown.media_type, sides, size(shown.size_bytes)])),
        "made": f"{shown.created_at.astimezone():%Y-%m-%d %H:%M:%S}",
        "kept until": f"{shown.expires_at:%Y-%m-%d}" if shown.expires_at else "",
        "order": str(shown.order_id or ""),
        "prompt": shown.prompt or "",
        "model": f"{shown.provider}, {shown.model}" if shown.model else "",
        "seed": "" if shown.seed is None else str(shown.seed),
        "cost": "" if shown.cost_micros is None else money(shown.cost_micros),
        "saved": money(shown.saved_micros) if shown.saved_micros else "",
        "made from": ", ".join(str(parent.asset_id or parent.sha256) for parent in shown.parents),
        "slides": ", ".join(str(slide.id) for slide in shown.slides or []),
    }
    rows = [(name, value) for name, value in facts.items() if value]
    print_summary(shown.title or shown.subject, rows, console, status="completed", bold="file")


def _copied(opened: Opened, key: str, output: Path, *, name: str) -> Path:
    source = opened.store.path(key)
    return files.save(source, output, name=f"{name}{source.suffix}")


def _name(asset: ListedAsset) -> str:
    return f"{asset.type}-{str(asset.id)[:8]}"
