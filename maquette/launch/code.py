"""Where the deployment code is: flows, tasks, blocks, deployments, migrations and prefect.yaml."""

from pathlib import Path

from maquette.errors import ConfigurationError
from maquette.settings import Settings


def code_root(settings: Settings) -> Path:
    """The folder with ``prefect.yaml``: the setting, else this checkout, else the current folder.

    Raises ``ConfigurationError`` when there is none: the wheel alone holds no flows.
    """
    checkout = Path(__file__).parents[2]
    for folder in [settings.code_root] if settings.code_root else [checkout, Path.cwd()]:
        if folder and (folder / "prefect.yaml").is_file():
            return folder.absolute()
    raise ConfigurationError(
        "no prefect.yaml here: run from a checkout of the project, or set MAQUETTE_CODE_ROOT to one"
    )
