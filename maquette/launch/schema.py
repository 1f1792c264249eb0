"""The application's schema, brought up to date by alembic."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config


def config_of(url: str, *, code: Path) -> "Config":
    """Alembic's configuration for the migrations of ``code`` on ``url``."""
    from alembic.config import Config

    config = Config(code / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str, *, code: Path, revision: str = "head") -> None:
    """Run the migrations of ``code`` on ``url``; takes turns with other processes that do the same."""
    from alembic import command

    command.upgrade(config_of(url, code=code), revision)
