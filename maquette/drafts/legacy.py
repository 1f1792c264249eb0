"""The universes of the time before drafts become drafts: each for itself, resumable, and nothing of them is lost."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, JsonValue, computed_field

from maquette.db.engine import Database
from maquette.drafts import repository
from maquette.drafts.arrivals import ImportReport, bring
from maquette.drafts.concepts import slug_of
from maquette.drafts.legacy_mapping import arrival_of
from maquette.drafts.legacy_reading import LegacyUniverse, is_universe, read_universe
from maquette.drafts.sources import MAX_DOCUMENT_BYTES, open_regular, parse_document
from maquette.errors import InvalidInput, MaquetteError
from maquette.settings import Settings
from maquette.storage.port import Store

__all__ = ["LegacyUniverse", "MigrationReport", "UniverseReport", "migrate_legacy", "read_universe"]

_STATES: Final = ("created", "updated", "unchanged", "failed")
UniverseReport = ImportReport


class MigrationReport(BaseModel):
    """What became of all universes below a folder, or would. ``not_found`` are folders that ``index.json`` names."""

    root: str
    dry_run: bool
    universes: list[ImportReport]
    not_found: list[str] = []
    remarks: list[str] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def counts(self) -> dict[str, int]:
        """Universes by state, and their items, media, missing media and bytes."""
        states = Counter(each.state for each in self.universes)
        found = {state: states[state] for state in _STATES}
        for name in ("items", "media", "missing", "size_bytes"):
            found[name] = sum(getattr(each, name) for each in self.universes)
        return found

    def text(self) -> str:
        """The report as people read it: a table, then what should be known of each universe."""
        head = ("universe", "state", "draft", "form", "items", "media", "missing", "MB", "languages")
        rows = [head, *(_row(each) for each in self.universes)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        rows.insert(1, tuple("-" * width for width in widths))
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        counts = self.counts
        states = ", ".join(f"{counts[state]} {state}" for state in _STATES)
        trial = " (a trial: nothing was written)" if self.dry_run else ""
        lines += ["", f"{self.root}: {states}{trial}"]
        lines += [f"index.json names {name}, which is not there" for name in self.not_found]
        lines += self.remarks
        for each in self.universes:
            said = [f"  failed: {each.reason}"] if each.reason else []
            if said := [*said, *(f"  {remark}" for remark in each.remarks)]:
                lines += ["", each.folder, *said]
        return "\n".join("".join(c if c.isprintable() else "\ufffd" for c in line) for line in lines)


def migrate_legacy(
    database: Database,
    store: Store,
    settings: Settings,
    root: Path,
    *,
    dry_run: bool = False,
    resume: bool = True,
    on_universe: Callable[[ImportReport], None] | None = None,
) -> MigrationReport:
    """Make a draft of each universe below ``root``: ``storage/univers``, a folder above it, or one universe.

    Each universe is its own transaction; one that fails says why and what to do, and the others go on. Run again after
    a crash, or whenever: what is there and has not changed is ``unchanged``. Sources are never written. ``dry_run``
    writes nowhere. Without ``resume`` the files of unchanged universes are looked into and kept anew as well.

    Raises ``InvalidInput`` where ``root`` is no folder that can be read.
    """
    root = root.expanduser().absolute()
    folders, index, remarks = _universes(root)
    clashes = _clashes(database, folders)
    reports = []
    for folder in folders:
        try:
            if (clash := clashes.get(folder)) is not None:
                raise InvalidInput(clash)
            report = _migrate(database, store, settings, folder, index, dry_run=dry_run, resume=resume)
        except (MaquetteError, OSError) as error:
            report = ImportReport(source=str(folder), folder=_said(folder), state="failed", reason=str(error))
        reports.append(report)
        if on_universe is not None:
            on_universe(report)
    there = {slug_of(_said(folder)) for folder in folders}
    return MigrationReport(
        root=str(root),
        dry_run=dry_run,
        universes=reports,
        not_found=[name for name in index if slug_of(name) not in there] if folders != [root] else [],
        remarks=remarks,
    )


def _migrate(
    database: Database, store: Store, settings: Settings, folder: Path, index: Mapping[str, dict[str, JsonValue]],
    *, dry_run: bool, resume: bool,
) -> ImportReport:  # fmt: skip
    universe = read_universe(folder)
    named = index.get(universe.folder) or next(
        (entry for name, entry in index.items() if slug_of(name) == slug_of(universe.folder)), None
    )
    arrival = arrival_of(
        universe,
        source=_source_of(folder),
        # With its name: the copy of a universe under another name is another universe.
        source_hash=hashlib.sha256(f"{universe.folder}\n{universe.source.hash}".encode()).hexdigest(),
        index=named,
    )
    return bring(database, store, settings, arrival, dry_run=dry_run, again=not resume)


def _universes(root: Path) -> tuple[list[Path], dict[str, dict[str, JsonValue]], list[str]]:
    """The folders to migrate, what ``index.json`` says of each folder that it names, and remarks."""
    if not root.is_dir():
        raise InvalidInput(f"{root} is no folder: name storage/univers, a folder above it, or one universe")
    if is_universe(root):
        return [root], _index(root.parent, [])[0], []
    for inner in (root / "univers", root / "storage" / "univers"):
        if inner.is_dir():
            root = inner
            break
    index, remarks = _index(root, [])
    folders = []
    try:
        entries = sorted(entry for entry in root.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise InvalidInput(f"{root} cannot be read ({error.strerror}): make it readable, then run again") from error
    for entry in entries:
        # A file with a suffix lies beside the universes; one without stands in a universe's place.
        if entry.is_symlink() or entry.is_dir() or not entry.suffix:
            folders.append(entry)
        elif entry.name != "index.json":
            remarks.append(f"{_said(entry)} is left where it is: it is no universe")
    return folders, index, remarks


def _index(root: Path, remarks: list[str]) -> tuple[dict[str, dict[str, JsonValue]], list[str]]:
    """The entries of ``index.json`` by folder. It only repeats what the folders say: a broken one stops nothing."""
    path = root / "index.json"
    if not path.is_file():
        return {}, remarks
    try:
        with open_regular(path) as file:
            document = parse_document(file.read(MAX_DOCUMENT_BYTES), "index.json")
    except (InvalidInput, OSError) as error:
        return {}, [*remarks, f"index.json is left aside: {error}"]
    entries = document if isinstance(document, list) else []
    named = {
        unicodedata.normalize("NFC", name): entry
        for entry in entries
        if isinstance(entry, dict) and isinstance(name := entry.get("folder"), str)
    }
    if len(named) < len(entries) or not isinstance(document, list):
        remarks = [*remarks, "index.json has entries without a folder, or two for one folder: they are left aside"]
    return named, remarks


def _clashes(database: Database, folders: Sequence[Path]) -> dict[Path, str]:
    """Folders whose universes would have one name. Those that were migrated before keep it; the others are told."""
    by_slug: dict[str, list[Path]] = {}
    for folder in folders:
        by_slug.setdefault(slug_of(_said(folder)), []).append(folder)
    return dict(_told(database, by_slug))


def _told(database: Database, by_slug: Mapping[str, Sequence[Path]]) -> Iterator[tuple[Path, str]]:
    for slug, same in by_slug.items():
        if len(same) < 2:
            continue
        with database.begin() as session:
            owner = [folder for folder in same if repository.of_source(session, _source_of(folder)) is not None]
        for folder in same:
            if folder not in owner:
                others = " and ".join(_said(other) for other in same if other != folder)
                yield folder, f"it would be published as {slug}, and so would {others}: rename one, then run again"


def _source_of(folder: Path) -> str:
    return f"legacy:{folder.parent.resolve() / folder.name}"


def _said(folder: Path) -> str:
    """The folder's name as it can be shown and kept."""
    return unicodedata.normalize("NFC", folder.name.encode(errors="replace").decode())


def _row(report: ImportReport) -> tuple[str, ...]:
    return (
        report.folder, report.state, report.draft_id or "", report.variant or "", str(report.items), str(report.media),
        str(report.missing), f"{report.size_bytes / 2**20:.1f}", " ".join(report.languages),
    )  # fmt: skip
