"""What every block has in common: its fields change the settings, and an empty one keeps them."""

from abc import abstractmethod

from prefect.blocks.core import Block

from maquette.errors import ConfigurationError
from maquette.settings import Settings


class ChoiceBlock(Block):
    """A block whose fields stand for settings."""

    @abstractmethod
    def applied(self, settings: Settings) -> Settings:
        """A copy of ``settings`` with this block's choices."""


def changed(settings: Settings, changes: dict[str, object], **always: object) -> Settings:
    """A copy with what ``changes`` holds, its empty values left out, and all of ``always``."""
    return settings.model_copy(update={name: value for name, value in changes.items() if value} | always)


def in_block(block: Block, error: ConfigurationError) -> ConfigurationError:
    """``error`` with the block as another place to fill in what is missing."""
    return ConfigurationError(f"{error}, or fill it in on the block {block.get_block_type_name()!r}")
