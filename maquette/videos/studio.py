"""What a run works with: database, store and providers, made once per process."""

from dataclasses import dataclass
from functools import lru_cache

from maquette.db.engine import Database, database_from_settings
from maquette.providers.clips import clips_from_settings
from maquette.providers.clips.port import ClipProvider
from maquette.providers.text import writer_from_settings
from maquette.providers.text.port import ScriptWriter
from maquette.settings import Settings, get_settings
from maquette.storage import store_from_settings
from maquette.storage.port import Store


@dataclass(frozen=True)
class Studio:
    """The tools of one process."""

    settings: Settings
    database: Database
    store: Store
    clips: ClipProvider
    writer: ScriptWriter


def make_studio(settings: Settings, *, database: Database | None = None) -> Studio:
    """A studio of ``settings``. Raises ``ConfigurationError`` for a key or a setting that is missing."""
    return Studio(
        settings=settings,
        database=database or database_from_settings(settings),
        store=store_from_settings(settings),
        clips=clips_from_settings(settings),
        writer=writer_from_settings(settings),
    )


@lru_cache
def studio() -> Studio:
    """The process's studio."""
    return make_studio(get_settings())
