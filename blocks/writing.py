"""The Prefect block of who writes the texts."""

from typing import Literal

from pydantic import Field, SecretStr

from blocks.choice import ChoiceBlock, changed, in_block
from maquette.errors import ConfigurationError
from maquette.providers.text import writer_from_settings
from maquette.providers.text.port import ScriptWriter
from maquette.settings import Settings


class ScriptWriterBlock(ChoiceBlock):
    """Who writes the scripts: the local outline, or a model behind an OpenAI-compatible server."""

    _block_type_name = "Maquette script writer"
    _block_type_slug = "maquette-script-writer"

    provider: Literal["local", "openai"] = Field(
        "local", title="Provider", description="openai is any OpenAI-compatible server; local needs no model."
    )
    model: str | None = Field(None, title="Model", description="The model that writes.")
    base_url: str | None = Field(None, title="Base URL", description="Address of the server, with its /v1.")
    api_key: SecretStr | None = Field(None, title="API key", description="Key of the server, where it wants one.")

    def applied(self, settings: Settings) -> Settings:
        """A copy of ``settings`` with this block's choices."""
        changes: dict[str, object] = {
            "openai_model": self.model,
            "openai_base_url": self.base_url,
            "openai_api_key": self.api_key,
        }
        return changed(settings, changes, text_provider=self.provider)

    def writer(self, settings: Settings) -> ScriptWriter:
        """The writer. Raises ``ConfigurationError`` that says what is missing and where to fill it in."""
        try:
            return writer_from_settings(self.applied(settings))
        except ConfigurationError as error:
            raise in_block(self, error) from error
