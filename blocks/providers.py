"""Prefect blocks that choose the providers and hold their credentials.

A field that is left empty keeps what the settings say. The block documents named ``default`` are those that runs use:
see ``chosen``.
"""

from typing import Final, Literal, TypeVar

from prefect.blocks.core import Block
from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import ObjectNotFound
from pydantic import Field, SecretStr

from maquette.errors import ConfigurationError
from maquette.providers.clips import clips_from_settings
from maquette.providers.clips.port import ClipProvider
from maquette.providers.images import images_from_settings
from maquette.providers.images.port import ImageProvider
from maquette.providers.text import writer_from_settings
from maquette.providers.text.port import ScriptWriter
from maquette.settings import Settings

DEFAULT: Final = "default"
Kind = TypeVar("Kind", bound=Block)


class ClipProviderBlock(Block):
    """Which provider makes the video clips, with which model and credentials."""

    _block_type_name = "Maquette clip provider"
    _block_type_slug = "maquette-clip-provider"

    provider: Literal["local", "replicate", "veo"] = Field(
        "local", title="Provider", description="local draws clips on the worker's machine and needs no key."
    )
    model: str | None = Field(None, title="Model", description="A model of the catalogue; empty takes its first.")
    token: SecretStr | None = Field(None, title="Token", description="Replicate's API token; the others need none.")
    base_url: str | None = Field(None, title="Base URL", description="Another address of the provider's API.")
    google_project: str | None = Field(None, title="Google project", description="Google Cloud project, for veo.")
    google_location: str | None = Field(None, title="Google location", description="Google Cloud region, for veo.")

    def applied(self, settings: Settings) -> Settings:
        """A copy of ``settings`` with this block's choices; the model is always the block's, with its provider."""
        changes: dict[str, object] = {
            "replicate_api_token": self.token,
            "google_project": self.google_project,
            "google_location": self.google_location,
        }
        match self.provider:
            case "replicate":
                changes["replicate_base_url"] = self.base_url
            case "veo":
                changes["google_base_url"] = self.base_url
            case "local":
                pass
        return _changed(settings, changes, clip_provider=self.provider, clip_model=self.model or None)

    def clips(self, settings: Settings) -> ClipProvider:
        """The provider. Raises ``ConfigurationError`` that says what is missing and where to fill it in."""
        try:
            return clips_from_settings(self.applied(settings))
        except ConfigurationError as error:
            raise _in_block(self, error) from error


class ImageProviderBlock(Block):
    """Which provider makes the images, with which model and credentials.

    Credentials and addresses are settings of the provider's, which clips of the same one share: where both blocks fill
    one in, this one counts.
    """

    _block_type_name = "Maquette image provider"
    _block_type_slug = "maquette-image-provider"

    provider: Literal["local", "replicate", "gemini"] = Field(
        "local", title="Provider", description="local paints on the worker's machine and needs no key."
    )
    model: str | None = Field(None, title="Model", description="A model of the catalogue; empty takes its first.")
    token: SecretStr | None = Field(None, title="Token", description="Replicate's API token, or Gemini's API key.")
    base_url: str | None = Field(None, title="Base URL", description="Another address of the provider's API.")
    google_project: str | None = Field(
        None, title="Google project", description="Google Cloud project, for gemini without a key."
    )
    google_location: str | None = Field(
        None, title="Google location", description="Google Cloud region, for gemini without a key."
    )

    def applied(self, settings: Settings) -> Settings:
        """A copy of ``settings`` with this block's choices; the model is always the block's, with its provider."""
        changes: dict[str, object] = {
            "google_project": self.google_project,
            "google_location": self.google_location,
        }
        match self.provider:
            case "replicate":
                changes |= {"replicate_api_token": self.token, "replicate_base_url": self.base_url}
            case "gemini":
                changes |= {"google_api_key": self.token, "google_base_url": self.base_url}
            case "local":
                pass
        return _changed(settings, changes, image_provider=self.provider, image_model=self.model or None)

    def images(self, settings: Settings) -> ImageProvider:
        """The provider. Raises ``ConfigurationError`` that says what is missing and where to fill it in."""
        try:
            return images_from_settings(self.applied(settings))
        except ConfigurationError as error:
            raise _in_block(self, error) from error


class ScriptWriterBlock(Block):
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
        return _changed(settings, changes, text_provider=self.provider)

    def writer(self, settings: Settings) -> ScriptWriter:
        """The writer. Raises ``ConfigurationError`` that says what is missing and where to fill it in."""
        try:
            return writer_from_settings(self.applied(settings))
        except ConfigurationError as error:
            raise _in_block(self, error) from error


BLOCKS: Final[tuple[type[Block], ...]] = (ClipProviderBlock, ImageProviderBlock, ScriptWriterBlock)


async def chosen(settings: Settings, *, name: str = DEFAULT) -> Settings:
    """``settings`` with the choices of the block documents ``name``, where the server has them; one call for each.

    The server is the one of ``PREFECT_API_URL``. Raises ``ConfigurationError`` for a document that no longer fits.
    """
    async with get_client() as client:
        clips = await _loaded(ClipProviderBlock, name, client)
        images = await _loaded(ImageProviderBlock, name, client)
        writer = await _loaded(ScriptWriterBlock, name, client)
    for block in (clips, images, writer):
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


def _changed(settings: Settings, changes: dict[str, object], **always: object) -> Settings:
    """A copy with what ``changes`` holds, its empty values left out, and all of ``always``."""
    return settings.model_copy(update={name: value for name, value in changes.items() if value} | always)


def _in_block(block: Block, error: ConfigurationError) -> ConfigurationError:
    return ConfigurationError(f"{error}, or fill it in on the block {block.get_block_type_name()!r}")
