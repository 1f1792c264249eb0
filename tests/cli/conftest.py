"""Commands run in this process, on a home and a database of the test's own."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from maquette.cli.main import main
from maquette.settings import Settings, get_settings


class Answer(NamedTuple):
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


Cli = Callable[..., Answer]


@pytest.fixture
def bare_cli(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Cli]:
    """Run a command on a home that does not exist yet."""

    def call(*arguments: str) -> Answer:
        get_settings.cache_clear()
        capfd.readouterr()
        code = main(arguments)
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    monkeypatch.setenv("MAQUETTE_HOME", str(tmp_path_factory.mktemp("cli") / "home"))
    monkeypatch.delenv("MAQUETTE_DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    yield call
    get_settings.cache_clear()


@pytest.fixture
def cli(bare_cli: Cli, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command on the test's database, as if servers elsewhere worked on its orders."""
    assert settings.database_url is not None
    monkeypatch.setenv("MAQUETTE_HOME", str(settings.home))
    monkeypatch.setenv("MAQUETTE_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("MAQUETTE_PREFECT_API_URL", "http://127.0.0.1:9/api")
    return bare_cli
