"""Text: the port and its adapters, and the choice between them."""

from typing import TYPE_CHECKING

from maquette.errors import ConfigurationError
from maquette.settings import Settings

if TYPE_CHECKING:
    from maquette.providers.text.port import ScriptWriter


def writer_from_settings(settings: Settings) -> "ScriptWriter":
    """The writer that ``text_provider`` names. Raises ``ConfigurationError`` for an unknown name or a missing key."""
    match settings.text_provider:
        case "local":
            from maquette.providers.text.local import LocalWriter

            return LocalWriter()
        case "openai":
            from maquette.providers.text.openai import OpenAIWriter

            if settings.openai_api_key is None and settings.openai_base_url is None:
                raise ConfigurationError(
                    "the text provider openai needs MAQUETTE_OPENAI_API_KEY, or MAQUETTE_OPENAI_BASE_URL of a server "
                    "of your own; MAQUETTE_TEXT_PROVIDER=local needs neither"
                )
            return OpenAIWriter(
                model=settings.openai_model,
                base_url=settings.openai_base_url,
                api_key=settings.openai_api_key.get_secret_value() if settings.openai_api_key else "",
                timeout_s=settings.text_timeout_s,
            )
        case unknown:
            raise ConfigurationError(f"MAQUETTE_TEXT_PROVIDER is {unknown!r}: choose local or openai")
