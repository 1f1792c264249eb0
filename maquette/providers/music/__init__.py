"""Music: the port, its adapters (local, replicate), the choice between them, and what the local one leaves behind."""

from datetime import datetime
from typing import Final

from maquette.errors import ConfigurationError
from maquette.providers import catalogue
from maquette.providers.music.port import MusicProvider
from maquette.settings import Settings

__all__ = ["music_from_settings", "prune"]

_LOCAL: Final = "provider-local-music"  # below the home


def music_from_settings(settings: Settings) -> MusicProvider:
    """The provider that the settings name. Raises ``ConfigurationError`` that says which variable to set.

    Adapters are imported only here and only when chosen: their libraries are slow to load.
    """
    profile = catalogue.profile("music", settings.music_provider, settings.music_model)
    match settings.music_provider:
        case "local":
            from maquette.providers.music.local import LocalMusic

            return LocalMusic(
                settings.home / _LOCAL,
                profile=profile.model_copy(update={"price_micros_per_song": settings.local_price_micros_per_song}),
                faults=settings.local_music_faults,
                stall_s=settings.local_stall_s,
                instant=settings.local_instant,
            )
        case "replicate":
            if settings.replicate_api_token is None:
                raise ConfigurationError("Replicate needs a token: set MAQUETTE_REPLICATE_API_TOKEN")
            from maquette.providers.music.replicate import ReplicateMusic

            token = settings.replicate_api_token.get_secret_value()
            return ReplicateMusic(token, profile=profile, base_url=settings.replicate_base_url)
        case other:
            raise ConfigurationError(
                f"no adapter for the music provider {other}: set MAQUETTE_MUSIC_PROVIDER to local or replicate"
            )


def prune(settings: Settings, older_than: datetime) -> int:
    """Remove what the local provider keeps of songs that were ordered before ``older_than``; how many.

    Raises ``OSError``.
    """
    from maquette.providers.music.local.provider import Books

    return Books(settings.home / _LOCAL).prune(older_than)
