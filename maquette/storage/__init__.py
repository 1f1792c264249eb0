"""Where assets are kept: a port and its adapters."""

from maquette.settings import Settings
from maquette.storage.local import LocalStore
from maquette.storage.port import Store


def store_from_settings(settings: Settings) -> Store:
    """The store of the home."""
    return LocalStore(settings.home.expanduser().absolute())
