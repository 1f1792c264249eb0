"""One Prefect server for the folder's tests in a process: it takes ten seconds to start."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.worker.rig import Rig, rigged


@pytest.fixture(scope="package")
def rig() -> Iterator[Rig]:
    """A server, and a way to start workers and runs."""
    # Not below pytest's own folder: a second pytest closes that one.
    with TemporaryDirectory(prefix="maquette-worker-") as folder, rigged(Path(folder)) as rig:
        yield rig
