"""The application's schema, brought up to date by alembic."""

from pathlib import Path


def upgrade(url: str, *, code: Path, revision: str = "head") -> None:
    """Run the migrations of ``code`` on ``url``; takes turns with other processes that do the same."""
    from alembic import command
    from alembic.config import Config

    config = Config(code / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, revision)
