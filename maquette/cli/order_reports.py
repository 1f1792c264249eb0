"""What the commands say of an order: the JSON document, and the summary for people."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field
from rich.console import Console
from rich.text import Text

from maquette.cli.carousel_reports import slide_path
from maquette.cli.draft_files import files_by_asset
from maquette.cli.following import Kind
from maquette.cli.opening import Opened
from maquette.cli.order_progress import DRAFT_KINDS, ENDED, NOUNS, STATES, Standing, failures, news, parts, view
from maquette.cli.panels import count, money, print_summary, print_table, status_text
from maquette.cli.progress import STYLES
from maquette.cli.video_reports import newest_path
from maquette.errors import NotFound
from maquette.intake.service import Estimate
from maquette.library import service as library
from maquette.library.models import Asset
from maquette.orders import service as orders
from maquette.orders.documents import ItemDocument, ListedOrder, OrderDocument, order_document
from maquette.orders.models import OrderStatus
from maquette.quota.rules import UNITS, Amounts
from maquette.videos.documents import VideoDocument

_SHOWN_RUNS: Final = 4
# More files of a draft are told by their folder.
_SHOWN_FILES: Final = 4


class FileReport(BaseModel):
    """A finished file under its readable name; ``number`` is its item's within the order and kind."""

    item_id: UUID
    asset_id: UUID
    kind: str
    number: int
    path: Path


class OrderReport(OrderDocument):
    """The document of all commands that order pictures, of ``orders show``, ``retry`` and ``cancel``.

    ``charged`` are the units of what was delivered, ``reserved`` those of what is still being made; ``parts`` name what
    a draft's items are, by their ids; ``remarks`` say what was mended in a pack.
    """

    files: list[FileReport]
    charged: Amounts
    reserved: Amounts
    run_urls: list[str]
    parts: dict[UUID, str] = Field({})
    remarks: list[str] = Field([])


class PackEstimate(Estimate):
    """The document of ``pack order --estimate``."""

    remarks: list[str]


def read(opened: Opened, order_id: str) -> Standing:
    """The order as it stands. Raises ``NotFound``."""
    with opened.database.begin() as session:
        order = order_document(session, UUID(order_id))
        items = orders.order_items(session, order.id)
    films: dict[str, VideoDocument] = {}
    unwritten: set[str] = set()
    for job in order.jobs:
        with suppress(NotFound):  # films and drafts may be deleted, their orders stay
            if job.kind == "video":
                films[job.subject] = opened.videos.get(job.subject)
            elif job.kind == "draft" and not opened.drafts.assets(draft_id_of(job.subject)):
                unwritten.add(job.subject)
    return Standing(
        order, films, unwritten, {item.id: item.brief["part"] for item in items if item.kind in DRAFT_KINDS}
    )


def draft_id_of(subject: str) -> str:
    """The id of the draft that a job makes."""
    return subject.removeprefix("draft_")


def report(opened: Opened, standing: Standing) -> OrderReport:
    """The report of an order as it stands."""
    order = standing.order
    return OrderReport(
        **dict(order),
        files=_files(opened, order),
        charged=_units(order, "settled"),
        reserved=_units(order, "reserved"),
        run_urls=[url for job in order.jobs if (url := opened.run_url(job.flow_run_id))],
        parts=dict(standing.named),
    )


def print_report(shown: OrderReport, console: Console, run_note: str = "") -> None:
    """The summary."""
    print_summary(shown.campaign_name, _rows(shown, run_note=run_note), console, status=shown.status)


def print_items(shown: OrderReport, console: Console) -> None:
    """A line for each item: its state, and its words or why it failed."""
    for part in parts(shown, shown.parts):
        for item in part.items:
            state, word = STATES[item.status]
            line = Text(f"{part.called([item]):<20} {word:<10} ", style=STYLES[state])
            line.append(item.reason or str((item.text or {}).get("title", "")), style="default")
            line.rstrip()
            if console.is_terminal:
                line.truncate(console.width, overflow="ellipsis")
            console.print(line, soft_wrap=True)


def print_list(orders: Sequence[ListedOrder], console: Console) -> None:
    """A line for each order."""
    print_table(
        ("id", "kind", "status", "done", "ordered", "topic"),
        (
            (
                str(order.id),
                order.kind,
                status_text(order.status),
                f"{order.completed}/{order.expected}",
                f"{order.created_at.astimezone():%Y-%m-%d %H:%M}",
                order.campaign_name,
            )
            for order in orders
        ),
        console,
        right=("done",),
    )


def print_estimate(shown: Estimate, brand: str, console: Console) -> None:
    """What an order would take."""
    rows = [
        ("brand", f"{brand}, plan {shown.plan}"),
        ("takes", units(shown.amounts)),
        ("cost", money(shown.cost_micros)),
        ("allowed", "yes" if shown.reason is None else f"no: {shown.reason}"),
    ]
    print_summary("Estimate, nothing is ordered", rows, console, status="completed" if shown.allowed else "failed")


def units(amounts: Amounts) -> str:
    """``5 images, 2 woofs``, or ``nothing``."""
    found = [count(amounts.of(unit), unit.removesuffix("s")) for unit in UNITS if amounts.of(unit)]
    return ", ".join(found) or "nothing"


def _rows(shown: OrderReport, *, run_note: str) -> list[tuple[str, str]]:
    rows = file_rows(shown.files)
    rows.append(("order", str(shown.id)))
    # Ids that `carousel`, `video` and `draft` commands take.
    named = {
        part.whole.replace("film", "video"): draft_id_of(part.job.subject)
        for part in parts(shown, shown.parts)
        if part.job.kind != "image"
    }
    rows += named.items()
    rows.append(("status", f"{shown.status}, {shown.completed} of {shown.expected}"))
    if shown.status not in ENDED:
        rows.append(("reserved", units(shown.reserved)))
    rows.append(("charged", units(shown.charged)))
    saved = f", {money(shown.saved_micros)} saved by answers that were there" if shown.saved_micros else ""
    rows.append(("cost", money(shown.cost_micros) + saved))
    if len(shown.run_urls) <= _SHOWN_RUNS:
        rows += [("run page", f"{run_note}{url}") for url in shown.run_urls]
    for part in parts(shown, shown.parts):
        rows += [(name, f"{word}: {reason}") for name, word, reason in failures(part)]
    if shown.retried_by is not None:
        rows.append(("retried by", str(shown.retried_by)))
    elif shown.status in ENDED and shown.status != OrderStatus.COMPLETED:
        rows.append(("retry", f"maquette orders retry {shown.id}"))
    return rows


def file_rows(files: Sequence[FileReport]) -> list[tuple[str, str]]:
    """The files, named by what they are; of a draft's many the folder."""
    of_drafts = [file for file in files if file.kind.startswith("draft_")]
    rows: list[tuple[str, str]] = []
    if len(of_drafts) > _SHOWN_FILES:
        rows += [("folder", str(folder)) for folder in dict.fromkeys(file.path.parent for file in of_drafts)]
        files = [file for file in files if file not in of_drafts]
    for kind in dict.fromkeys(file.kind for file in files):
        paths = [str(file.path) for file in files if file.kind == kind]
        noun = NOUNS[kind] + "s" * (len(paths) > 1)
        rows += [(noun if index == 0 else "", path) for index, path in enumerate(paths)]
    return rows


def _units(order: OrderDocument, state: str) -> Amounts:
    held = (Amounts(images=item.images, reels=item.reels, woofs=item.woofs) for item in order.items
            if item.reservation == state)  # fmt: skip
    return sum(held, Amounts())


def _files(opened: Opened, order: OrderDocument) -> list[FileReport]:
    with opened.database.begin() as session:
        assets = {asset.item_id: asset for asset in library.delivered(session, [item.id for item in order.items])}
    in_folders: dict[UUID, Path] = {}
    for job in order.jobs:
        if job.kind == "draft":
            with suppress(NotFound):  # it was deleted since
                in_folders |= files_by_asset(opened, draft_id_of(job.subject))
    found = []
    for item in order.items:
        asset = assets.get(item.id)
        path = (in_folders.get(asset.id) or _path(opened, item, asset)) if asset else None
        if asset is not None and path is not None:
            found.append(
                FileReport(item_id=item.id, asset_id=asset.id, kind=item.kind, number=item.sequence_number, path=path)
            )
    return found


def _path(opened: Opened, item: ItemDocument, asset: Asset) -> Path | None:
    """Where an item's file is under its readable name; ``None`` when it is not there any more."""
    match item.kind:
        case "video":  # a film that was edited since is another order's
            return newest_path(opened, asset.subject, "film")
        case "carousel_slide":
            return slide_path(opened, asset)
        case "draft_image" | "draft_video" | "draft_song":  # a version of the asset that was replaced since
            return opened.store.path(asset.key) if opened.store.exists(asset.key) else None
    return opened.published(asset, f"image_{item.sequence_number}{Path(asset.key).suffix}")


ORDER: Final = Kind(
    command="orders show",
    read=read,
    view=view,
    news=news,
    report=report,
    print=print_report,
    failed=lambda shown: shown.status != OrderStatus.COMPLETED,
)
