"""Prefect blocks that choose the providers and the publisher, and hold their credentials.

A field that is left empty keeps what the settings say. The block documents named ``default`` are those that runs use:
see ``chosen``.
"""

from typing import Final, TypeVar

from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from blocks.choice import ChoiceBlock
from blocks.media import ClipProviderBlock, ImageProviderBlock, LoopProviderBlock, MusicProviderBlock
from blocks.publishing import PublisherBlock
from blocks.writing import ScriptWriterBlock
from maquette.errors import ConfigurationError
from maquette.settings import Settings

__all__ = [
    "BLOCKS",
    "ClipProviderBlock",
    "ImageProviderBlock",
    "LoopProviderBlock",
    "MusicProviderBlock",
    "PublisherBlock",
    "ScriptWriterBlock",
    "chosen",
]

DEFAULT: Final = "default"
Kind = TypeVar("Kind", bound=ChoiceBlock)

BLOCKS: Final[tuple[type[ChoiceBlock], ...]] = (
    ClipProviderBlock,
    ImageProviderBlock,
    LoopProviderBlock,
    MusicProviderBlock,
    ScriptWriterBlock,
    PublisherBlock,
)


async def chosen(settings: Settings, *, name: str = DEFAULT) -> Settings:
    """``settings`` with the choices of the block documents ``name``, where the server has them; one call for each.

    The server is the one of ``PREFECT_API_URL``. Raises ``ConfigurationError`` for a document that no longer fits.
    """
    async with get_client() as client:
        blocks = [await _loaded(kind, name, client) for kind in BLOCKS]
    for block in blocks:
        settings = block.applied(settings) if block else settings
    return settings


async def _loaded(kind: type[Kind], name: str, client: PrefectClient) -> Kind | None:
    try:
        return await kind.aload(name, client=client)
    except ValueError as error:
        if isinstance(error.__cause__, ObjectNotFound):
            return None
        raise
    except RuntimeError as error:  # what Prefect makes of a document that the class does not accept
        raise ConfigurationError(
            f"the block {kind.get_block_type_slug()}/{name} does not fit this version: open it in the Prefect UI and "
            "save it anew"
        ) from error
