"""Prefect blocks of those who make pictures, clips, loops and songs."""

from typing import Literal

from pydantic import Field, SecretStr

from blocks.choice import ChoiceBlock, changed, in_block
from maquette.errors import ConfigurationError
from maquette.providers.clips import clips_from_settings
from maquette.providers.clips.port import ClipProvider
from maquette.providers.images import images_from_settings
from maquette.providers.images.port import ImageProvider
from maquette.providers.loops import loops_from_settings
from maquette.providers.loops.port import LoopProvider
from maquette.providers.music import music_from_settings
from maquette.providers.music.port import MusicProvider
from maquette.settings import Settings


class ClipProviderBlock(ChoiceBlock):
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
        return changed(settings, changes, clip_provider=self.provider, clip_model=self.model or None)

    def clips(self, settings: Settings) -> ClipProvider:
        """The provider. Raises ``ConfigurationError`` that says what is missing and where to fill it in."""
        try:
            return clips_from_settings(self.applied(settings))
        except ConfigurationError as error:
            raise in_block(self, error) from error


class ImageProviderBlock(ChoiceBlock):
    """Which provider makes the images, with which model and credentials.

    Credentials and addresses are settings of the provider's, which clips, loops and music of the same one share: where
    several blocks fill one in, the last of clips, images, loops and music counts.
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
        return changed(settings, changes, image_provider=self.provider, image_model=self.model or None)

    def images(self, settings: Settings) -> ImageProvider:
        """The provider. Raises ``ConfigurationError`` that says what is missing and where to fill it in."""
        try:
            return images_from_settings(self.applied(settings))
        except ConfigurationError as error:
            raise in_block(self, error) from error


class LoopProviderBlock(ChoiceBlock):
    """Which provider sets pictures in motion, with which model and credentials.

    Its token and address are Replicate's, which clips, images, loops and music share: where several blocks fill one
    in, the last of them counts.
    """

    _block_type_name = "Maquette loop provider"
    _block_type_slug = "maquette-loop-provider"

    provider: Literal["local", "replicate"] = Field(
        "local", title="Provider", description="local animates pictures on the worker's machine and needs no key."
    )
    model: str | None = Field(None, title="Model", description="A model of the catalogue; empty takes its first.")
    token: SecretStr | None = Field(None, title="Token", description="Replicate's API token; local needs none.")
    base_url: str | None = Field(None, title="Base URL", description="Another address of the provider's API.")

    def applied(self, settings: Settings) -> Settings:
        """A copy of ``settings`` with this block's choices; the model is always the block's, with its provider."""
        changes: dict[str, object] = {"replicate_api_token": self.token, "replicate_base_url": self.base_url}
        if self.provider == "local":
            changes = {}
        return changed(settings, changes, loop_provider=self.provider, loop_model=self.model or None)

    def loops(self, settings: Settings) -> LoopProvider:
        """The provider. Raises ``ConfigurationError`` that says what is missing and where to fill it in."""
        try:
            return loops_from_settings(self.applied(settings))
        except ConfigurationError as error:
            raise in_block(self, error) from error


class MusicProviderBlock(ChoiceBlock):
    """Which provider makes the songs, with which model and credentials.

    Its token and address are Replicate's, which clips, images, loops and music share: where several blocks fill one
    in, the last of them counts.
    """

    _block_type_name = "Maquette music provider"
    _block_type_slug = "maquette-music-provider"

    provider: Literal["local", "replicate"] = Field(
        "local", title="Provider", description="local plays songs on the worker's machine and needs no key."
    )
    model: str | None = Field(None, title="Model", description="A model of the catalogue; empty takes its first.")
    token: SecretStr | None = Field(None, title="Token", description="Replicate's API token; local needs none.")
    base_url: str | None = Field(None, title="Base URL", description="Another address of the provider's API.")

    def applied(self, settings: Settings) -> Settings:
        """A copy of ``settings`` with this block's choices; the model is always the block's, with its provider."""
        changes: dict[str, object] = {"replicate_api_token": self.token, "replicate_base_url": self.base_url}
        if self.provider == "local":
            changes = {}
        return changed(settings, changes, music_provider=self.provider, music_model=self.model or None)

    def music(self, settings: Settings) -> MusicProvider:
        """The provider. Raises ``ConfigurationError`` that says what is missing and where to fill it in."""
        try:
            return music_from_settings(self.applied(settings))
        except ConfigurationError as error:
            raise in_block(self, error) from error
