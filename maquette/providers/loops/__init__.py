"""Loops: the port, its adapters (local, replicate), the choice between them, and what they leave behind."""

from datetime import datetime

from maquette.errors import ConfigurationError
from maquette.providers import catalogue
from maquette.providers.loops.port import LoopProvider
from maquette.settings import Settings

__all__ = ["loops_from_settings", "prune"]

_LOCAL = "provider-local-loops"  # below the home


def loops_from_settings(settings: Settings) -> LoopProvider:
    """The provider that the settings name. Raises ``ConfigurationError`` that says which variable to set.

    Adapters are imported only here and only when chosen: their libraries are slow to load.
    """
    profile = catalogue.profile("loops", settings.loop_provider, settings.loop_model)
    match settings.loop_provider:
        case "local":
            from maquette.providers.loops.local import LocalLoops

            return LocalLoops(
                settings.home / _LOCAL,
                profile=profile.model_copy(update={"price_micros_per_loop": settings.local_price_micros_per_loop}),
                faults=settings.local_loop_faults,
                stall_s=settings.local_stall_s,
                instant=settings.local_instant,
            )
        case "replicate":
            if settings.replicate_api_token is None:
                raise ConfigurationError("Replicate needs a token: set MAQUETTE_REPLICATE_API_TOKEN")
            from maquette.providers.loops.replicate import ReplicateLoops

            token = settings.replicate_api_token.get_secret_value()
            return ReplicateLoops(token, profile=profile, base_url=settings.replicate_base_url)
        case other:
            raise ConfigurationError(
                f"no adapter for the loop provider {other}: set MAQUETTE_LOOP_PROVIDER to local or replicate"
            )


def prune(settings: Settings, older_than: datetime) -> int:
    """Remove what the local provider keeps of calls before ``older_than``; how many calls.

    It is looked through whichever provider is chosen today. Raises ``OSError``.
    """
    from maquette.providers.loops.local.provider import Books

    return Books(settings.home / _LOCAL).prune(older_than)
