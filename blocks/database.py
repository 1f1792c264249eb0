"""The Prefect block of a database whose rows are migrated."""

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from maquette.db.engine import database_from_settings
from maquette.errors import ConfigurationError
from maquette.settings import Settings


class DatabaseBlock(Block):
    """A PostgreSQL database, by its URL: a run's parameters name the block, so no password is among them."""

    _block_type_name = "Maquette database"
    _block_type_slug = "maquette-database"

    url: SecretStr = Field(title="URL", description="postgresql://user:password@host/database; PostgreSQL 14 or newer.")
    scratch_url: SecretStr | None = Field(
        None,
        title="Scratch URL",
        description="Server on which backups are restored to be checked; by default a database beside the first.",
    )


async def database_urls(name: str, settings: Settings) -> tuple[str, str | None]:
    """URL and scratch URL of the block document ``name``; without a name, of Maquette's own database.

    Raises ``ConfigurationError`` where there is no such document, or no database of our own.
    """
    if not name:
        return database_from_settings(settings).libpq_url, None
    try:
        block: DatabaseBlock = await DatabaseBlock.aload(name)
    except ValueError as error:
        raise ConfigurationError(
            f"Prefect has no block maquette-database/{name}: make it in the Prefect UI (Blocks, Maquette database), or "
            "use `maquette migrate run --url`"
        ) from error
    scratch = block.scratch_url
    return block.url.get_secret_value(), scratch.get_secret_value() if scratch else None
