"""What the commands say of folders that become drafts."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from maquette.cli.draft_tables import print_fitted
from maquette.cli.opening import Opened
from maquette.cli.panels import count, size
from maquette.drafts.importing import ImportReport, import_folder
from maquette.drafts.legacy import MigrationReport
from maquette.errors import MaquetteError

_STYLES: Final = {"created": "green", "updated": "cyan", "unchanged": "dim", "failed": "bold red"}
_REMARKS: Final = 4
_INDENT: Final = 4


def brought(opened: Opened, folder: Path, *, dry_run: bool, alone: bool) -> ImportReport:
    """What became of one folder. Raises ``MaquetteError`` for one that is ``alone``; else the others go on."""
    try:
        return import_folder(opened.database, opened.store, opened.settings, folder, dry_run=dry_run)
    except MaquetteError as error:
        if alone:
            raise
        return ImportReport(source=str(folder), folder=folder.name, state="failed", reason=str(error))


def print_line(shown: ImportReport, console: Console, *, dry_run: bool) -> None:
    """A folder in a line, and below it what is to be known of it."""
    line = Text.assemble((f"{_word(shown, dry_run=dry_run)}  ", _STYLES[shown.state]), shown.folder)
    if shown.state != "failed":
        facts = [count(shown.items, "item"), count(shown.media, "file"), size(shown.size_bytes)]
        facts += [f"draft {shown.draft_id}"] if shown.draft_id is not None else []
        line.append(f"  ({', '.join(facts)})", style="dim")
    console.print(line, soft_wrap=True)
    if shown.reason is not None:
        _print_below(Text(shown.reason, style="red"), console)
    for remark in shown.remarks[:_REMARKS]:
        _print_below(Text(remark, style="yellow"), console)
    if len(shown.remarks) > _REMARKS:
        _print_below(Text(f"and {len(shown.remarks) - _REMARKS} more (--json has all)", style="yellow"), console)


def print_verdict(reports: Sequence[ImportReport], console: Console, *, dry_run: bool) -> None:
    """How many became what."""
    words = Counter(_word(report, dry_run=dry_run) for report in reports)
    told = ", ".join(f"{number} {word}" for word, number in words.items()) or "none"
    verdict = f"{count(len(reports), 'folder')}: {told}{'; nothing was written' if dry_run else ''}."
    style = "bold red" if any(report.state == "failed" for report in reports) else "bold green"
    console.print(Text(verdict, style=style), soft_wrap=True)


def print_migration(shown: MigrationReport, console: Console) -> None:
    """A line for each universe, and what became of them all."""
    if shown.universes:
        print_fitted(
            ("universe", "became", "draft", "items", "files", "size", "languages"),
            (
                (
                    each.folder,
                    Text(each.state, style=_STYLES[each.state]),
                    each.draft_id or "",
                    str(each.items),
                    f"{each.media} of {each.media + each.missing}",
                    size(each.size_bytes),
                    " ".join(each.languages),
                )
                for each in shown.universes
            ),
            console,
            right=("items", "files", "size"),
        )
    for name in shown.not_found:
        console.print(Text(f"index.json names {name}, which is not there", style="yellow"), soft_wrap=True)
    for remark in shown.remarks:
        console.print(Text(remark, style="yellow"), soft_wrap=True)
    for each in shown.universes:
        if each.reason is not None:
            console.print(Text(f"{each.folder} failed: {each.reason}", style="red"), soft_wrap=True)
    print_verdict(shown.universes, console, dry_run=shown.dry_run)


def _word(shown: ImportReport, *, dry_run: bool) -> str:
    return f"would be {shown.state}" if dry_run and shown.state in ("created", "updated") else shown.state


def _print_below(text: Text, console: Console) -> None:
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, _INDENT), expand=False))
    else:
        console.print(Text.assemble(" " * _INDENT, text), soft_wrap=True)
