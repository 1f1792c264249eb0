"""Video clips: the port, its adapters (local, replicate, veo) and the choice between them."""

from datetime import datetime

from maquette.errors import ConfigurationError
from maquette.providers import catalogue
from maquette.providers.clips.port import ClipProvider
from maquette.settings import Settings

__all__ = ["clips_from_settings"]


def clips_from_settings(settings: Settings) -> ClipProvider:
    """The provider that the settings name. Raises ``ConfigurationError`` that says which variable to set.

    Adapters are imported only here and only when chosen: their libraries are slow to load.
    """
    profile = catalogue.profile("clips", settings.clip_provider, settings.clip_model)
    match settings.clip_provider:
        case "local":
            from maquette.providers.clips.local import LocalClips

            return LocalClips(
                settings.home / "provider-local",
                profile=profile.model_copy(update={"price_micros_per_s": settings.local_price_micros_per_s}),
                faults=settings.local_faults,
                stall_s=settings.local_stall_s,
                instant=settings.local_instant,
            )
        case "replicate":
            if settings.replicate_api_token is None:
                raise ConfigurationError("Replicate needs a token: set MAQUETTE_REPLICATE_API_TOKEN")
            from maquette.providers.clips.replicate import ReplicateClips

            token = settings.replicate_api_token.get_secret_value()
            return ReplicateClips(token, profile=profile, base_url=settings.replicate_base_url)
        case "veo":
            if settings.google_project is None:
                raise ConfigurationError("Veo needs a Google Cloud project: set MAQUETTE_GOOGLE_PROJECT")
            from maquette.providers.clips.veo import VeoClips

            return VeoClips(
                settings.google_project,
                profile=profile,
                location=settings.google_location,
                base_url=settings.google_base_url,
            )
        case other:
            raise ConfigurationError(
                f"no adapter for the clip provider {other}: set MAQUETTE_CLIP_PROVIDER to local, replicate or veo"
            )


def prune(settings: Settings, older_than: datetime) -> int:
    """Remove what the local provider keeps of clips that were ordered before ``older_than``; how many.

    Raises ``OSError``.
    """
    from maquette.providers.clips.local.books import Books

    return Books(settings.home / "provider-local").prune(older_than)
