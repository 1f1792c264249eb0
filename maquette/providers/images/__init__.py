"""Images: the port, its adapters (local, replicate, gemini), the choice between them, and what they leave behind."""

from datetime import datetime

from maquette.errors import ConfigurationError
from maquette.providers import catalogue
from maquette.providers.images.port import ImageProvider
from maquette.settings import Settings

__all__ = ["images_from_settings", "prune"]

_LOCAL, _GEMINI = "provider-local-images", "provider-gemini"  # below the home


def images_from_settings(settings: Settings) -> ImageProvider:
    """The provider that the settings name. Raises ``ConfigurationError`` that says which variable to set.

    Adapters are imported only here and only when chosen: their libraries are slow to load.
    """
    profile = catalogue.profile("images", settings.image_provider, settings.image_model)
    match settings.image_provider:
        case "local":
            from maquette.providers.images.local import LocalImages

            return LocalImages(
                settings.home / _LOCAL,
                profile=profile.model_copy(update={"price_micros_per_image": settings.local_price_micros_per_image}),
                faults=settings.local_image_faults,
                stall_s=settings.local_stall_s,
                instant=settings.local_instant,
            )
        case "replicate":
            if settings.replicate_api_token is None:
                raise ConfigurationError("Replicate needs a token: set MAQUETTE_REPLICATE_API_TOKEN")
            from maquette.providers.images.replicate import ReplicateImages

            token = settings.replicate_api_token.get_secret_value()
            return ReplicateImages(token, profile=profile, base_url=settings.replicate_base_url)
        case "gemini":
            return _gemini(settings, profile)
        case other:
            raise ConfigurationError(
                f"no adapter for the image provider {other}: set MAQUETTE_IMAGE_PROVIDER to local, replicate or gemini"
            )


def _gemini(settings: Settings, profile: catalogue.Profile) -> ImageProvider:
    if settings.google_api_key is None and settings.google_project is None:
        raise ConfigurationError(
            "Gemini needs an API key or a Google Cloud project: set MAQUETTE_GOOGLE_API_KEY or MAQUETTE_GOOGLE_PROJECT"
        )
    try:
        from maquette.providers.images.gemini import GeminiImages
    except ImportError as error:
        raise ConfigurationError("Gemini needs the extra `google`: pip install 'maquette[google]'") from error
    return GeminiImages(
        settings.home / _GEMINI,
        profile=profile,
        api_key=settings.google_api_key.get_secret_value() if settings.google_api_key else None,
        project=settings.google_project,
        location=settings.google_location,
        base_url=settings.google_base_url,
        timeout_s=settings.image_timeout_s,
    )


def prune(settings: Settings, older_than: datetime) -> int:
    """Remove what the local provider and Gemini's spool keep of calls before ``older_than``; how many calls.

    Both are looked through, whichever is chosen today. Raises ``OSError``.
    """
    from maquette.providers.images.local.provider import Books
    from maquette.providers.images.spool import Spool

    spool = settings.home / _GEMINI
    return Books(settings.home / _LOCAL).prune(older_than) + (Spool(spool).prune(older_than) if spool.exists() else 0)
