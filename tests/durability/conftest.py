"""One stack for the tests of a module, each with a video of its own."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from maquette.launch.stack import running
from tests.rehearsing import Rehearsal, environment_of, rehearsal_settings


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    """One stack for the tests of a module, each with a video of its own."""
    with TemporaryDirectory(prefix="maquette-rehearsal-") as folder, pytest.MonkeyPatch.context() as environment:
        settings = rehearsal_settings(Path(folder))
        for name, value in environment_of(settings).items():
            environment.setenv(name, value)
        with running(settings, with_api=False) as stack:
            yield Rehearsal(stack, settings)
