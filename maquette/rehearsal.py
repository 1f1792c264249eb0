"""Named points at which a run can be told to stop and wait for its SIGKILL (``MAQUETTE_CRASH_AT``)."""

import time
from typing import Final

from maquette.settings import get_settings

CRASH_POINTS: Final = (
    "after-dispatch",
    "after-intent",
    "after-submit",
    "while-waiting",
    "after-fetch",
    "during-normalising",
    "during-assembly",
    "during-rendering",
    "before-settle",
    "during-migration",
    "publish-after-backup",
    "publish-between-files",
    "publish-before-commit",
    "publish-after-commit",
    "migrating-after-backup",
    "migrating-after-expand",
    "migrating-mid-deduplicate",
    "migrating-after-index",
    "migrating-mid-backfill",
    "migrating-mid-validate",
    "migrating-mid-cut-over",
    "migrating-mid-contract",
    "migrating-mid-rollback",
)


def crash_point(name: str) -> None:
    """Stand still here when the settings name this point, for as long as the marker that tells so is there."""
    settings = get_settings()
    if settings.crash_at != name:
        return
    marker = settings.home / "rehearsal" / name
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    while marker.exists():
        time.sleep(0.05)
