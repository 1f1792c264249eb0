"""One stack for the tests that kill parts of it, each with a film, a draft or an order of its own."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from maquette.launch import stack as launching
from maquette.launch.stack import running
from tests.rehearsing import Rehearsal, environment_of, rehearsal_settings


@pytest.fixture(scope="package")
def stack() -> Iterator[Rehearsal]:
    """The stack of this process's tests: it takes fifteen seconds to start."""
    with TemporaryDirectory(prefix="maquette-rehearsal-") as folder, pytest.MonkeyPatch.context() as environment:
        settings = rehearsal_settings(Path(folder))
        for name, value in environment_of(settings).items():
            environment.setenv(name, value)
        # Workers that are killed again and again are started again at once.
        environment.setattr(launching, "LONGEST_PAUSE_S", 0)
        with running(settings, with_api=False) as started:
            yield Rehearsal(started, settings)


@pytest.fixture
def rehearsal(stack: Rehearsal) -> Rehearsal:
    """The stack, without the providers' logs and the markers of crash points that earlier tests left."""
    for left in [*stack.settings.home.glob("provider-local*/submissions.jsonl"), *stack.markers.glob("*")]:
        left.unlink()
    return stack
