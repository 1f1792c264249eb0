"""The folder for what is written much and kept for nothing."""

import os
import shutil
from pathlib import Path
from typing import Final

_SHARED: Final = Path("/dev/shm")
_ENOUGH_BYTES: Final = 4 << 30  # Databases and logs of two processes take one at most; many containers have 64 MB.


def roomy(folder: Path = _SHARED) -> Path | None:
    """Linux's folder in memory where it can be written and has room, else None: the system's temporary folder."""
    usable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return folder if usable and shutil.disk_usage(folder).free > _ENOUGH_BYTES else None


# A server that makes and drops a database a test works half as much there as on a disk.
MEMORY: Final = roomy()
