"""Draft folders become drafts again: our own, those of the older drafts era, and copies from another machine."""

import re
from pathlib import Path
from typing import Final

from maquette.db.engine import Database
from maquette.drafts.arrivals import ImportReport, bring
from maquette.drafts.legacy_mapping import arrival_of
from maquette.drafts.legacy_reading import LegacyUniverse, read_universe
from maquette.errors import InvalidInput
from maquette.settings import Settings
from maquette.storage.port import Store

# The drafts era had whole UUIDs before it had eight digits.
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")

__all__ = ["ImportReport", "import_folder"]


def import_folder(
    database: Database, store: Store, settings: Settings, source: Path, *, dry_run: bool = False
) -> ImportReport:
    """Make a draft of the folder, or bring the draft that was made of it up to date; what became of it.

    Documents and media are read from the folder and its ``assets/``, and never changed. Keys that we do not know are
    kept and written out again. A medium that is missing or cannot be decoded leaves its name and a remark. The id of
    ``metadata.json`` is kept where it is free. The same folder once more is ``unchanged``; ``dry_run`` writes nowhere.

    Raises ``InvalidInput`` for what is no such folder or is unsafe to read, ``Conflict`` where folder and draft have
    both changed since or the draft is being made (``busy``), ``StorageError``.
    """
    universe = read_universe(source.expanduser().absolute())
    if universe.metadata is None:
        raise InvalidInput(
            f"{universe.folder} has no metadata.json: a universe of the time before drafts needs migrating instead"
        )
    arrival = arrival_of(universe, source=source_of(universe), source_hash=universe.source.hash)
    return bring(database, store, settings, arrival, dry_run=dry_run)


def source_of(universe: LegacyUniverse) -> str:
    """By what an imported folder is known again: the draft's id where it says one, else its place."""
    said = universe.metadata.draft_id if universe.metadata else None
    is_id = said is not None and _ID.fullmatch(said) is not None
    return f"folder:{said if is_id else universe.source.folder.resolve()}"
