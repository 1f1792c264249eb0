"""One stack for the tests of a module, each with a video of its own."""

import json
from collections.abc import Iterator

import pytest

from maquette.launch.stack import running
from tests.rehearsing import Rehearsal, rehearsal_settings


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """One stack for the tests of a module, each with a video of its own."""
    settings = rehearsal_settings(tmp_path_factory.mktemp("rehearsal"))
    passed_on = settings.model_dump(mode="json", exclude_unset=True, exclude={"home", "api_port", "prefect_port"})
    with pytest.MonkeyPatch.context() as environment:
        for name, value in passed_on.items():
            environment.setenv(f"MAQUETTE_{name.upper()}", json.dumps(value) if not isinstance(value, str) else value)
        with running(settings, with_api=False) as stack:
            yield Rehearsal(stack, settings)


@pytest.fixture(autouse=True)
def _own_log(rehearsal: Rehearsal) -> None:
    """Each test reads a provider's log of its own."""
    (rehearsal.settings.home / "provider-local" / "submissions.jsonl").unlink(missing_ok=True)
