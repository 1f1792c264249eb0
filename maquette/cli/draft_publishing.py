"""What the commands say of a draft on its way to production."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from maquette.cli.draft_reports import HASH, DraftWhole, what_is_there
from maquette.cli.draft_tables import print_fitted
from maquette.cli.panels import count, print_summary
from maquette.publishing.models import Change

_STYLES: Final = {
    "insert": "green",
    "upload": "green",
    "update": "yellow",
    "replace": "yellow",
    "delete": "red",
    "remove": "red",
}
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SHOWN: Final = 60
# Of one kind in one table; --json has each.
_MANY: Final = 8


class PublishReport(BaseModel):
    """The document of ``draft publish``; of a dry run only the changes are known."""

    draft_id: str
    dry_run: bool
    univers_id: int | None = None
    slug: str | None = None
    published_at: datetime | None = None
    assets_count: int | None = None
    files_uploaded: int | None = None
    storage_url: str | None = None
    changes: list[Change]
    count: int


def whole_hash(seen: DraftWhole, given: str | None) -> str:
    """The hash that a decision is about: that of what was shown, or the given one, which may be its beginning."""
    if given is None or (len(given) >= HASH and seen.content_hash.startswith(given.lower())):
        return seen.content_hash
    return given


def print_look(shown: DraftWhole, console: Console) -> None:
    """What somebody approves."""
    cover = next((asset.image_file for asset in shown.assets if asset.image_sha256), None)
    rows = [
        ("draft", shown.draft_id),
        ("is", what_is_there(shown)),
        ("assets", ", ".join(asset.display_name for asset in shown.assets) or "none"),
        ("folder", str(shown.path)),
        *([("cover", str(shown.path / "assets" / cover))] if cover else []),
        *([("published", "changed since")] if shown.changed_since_publication else []),
        ("hash", shown.content_hash),
    ]
    print_summary(shown.name, rows, console, status="processing", bold="is")


def print_publication(shown: PublishReport, console: Console) -> None:
    """A line for each difference, and what it came to."""
    notes = [change for change in shown.changes if change.kind == "prepare"]
    changes = [change for change in shown.changes if change.kind != "prepare"]
    if changes:
        print_fitted(("change", "where", "which", "what"), _rows(changes), console)
    for note in notes:
        console.print(Text(f"production lacks {note.key}", style="yellow"), soft_wrap=True)
    summed = ", ".join(f"{number} {kind}" for kind, number in Counter(change.kind for change in changes).items())
    if shown.dry_run:
        verdict = f"{count(len(changes), 'change')} ({summed}); nothing was changed." if changes else "Nothing differs."
        console.print(Text(verdict, style="bold"), soft_wrap=True)
        return
    rows = [
        ("universe", f"{shown.slug}, id {shown.univers_id}"),
        ("assets", str(shown.assets_count)),
        ("changes", summed or "none: it was there already"),
        ("files", f"{shown.files_uploaded} uploaded"),
        ("address", str(shown.storage_url)),
    ]
    print_summary("Published", rows, console, status="completed", bold="address")


def _rows(changes: Sequence[Change]) -> Iterator[tuple[Text, str, str, Text]]:
    """A row for each change; many of one kind are one row."""
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.kind, change.where), []).append(change)
    for (kind, where), same in groups.items():
        word, place = Text(kind, style=_STYLES.get(kind, "")), where.removeprefix("univers_")
        if len(same) > _MANY:
            yield word, place, f"{len(same)} of them", Text(f"{same[0].key} … {same[-1].key}", style="dim")
            continue
        for change in same:
            yield word, place, change.key, _difference(change)


def _difference(change: Change) -> Text:
    """The columns that differ: ``name: Singe → Ouistiti``; of a new row what is in it."""
    before, after = change.before or {}, change.after or {}
    line = Text()
    for name, values in _columns(before, after):
        line.append("; " if line else "")
        line.append(f"{name}: ", style="dim")
        line.append(values)
    return line


def _columns(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys([*after, *before]):
        old, new = before.get(name), after.get(name)
        if before and after and old != new:
            yield name, f"{_value(old)} → {_value(new)}"
        elif not (before and after):
            yield name, _value(new if after else old)


def _value(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M}"
    text = "nothing" if value is None else " ".join(str(value).split())
    if _DIGEST.fullmatch(text):
        return text[:HASH]
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
