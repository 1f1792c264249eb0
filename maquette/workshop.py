"""What a run works with: database, store and providers, one set per process."""

from functools import cached_property

from maquette.db.engine import Database, database_from_settings
from maquette.providers.clips import clips_from_settings
from maquette.providers.clips.port import ClipProvider
from maquette.providers.images import images_from_settings
from maquette.providers.images.port import ImageProvider
from maquette.providers.loops import loops_from_settings
from maquette.providers.loops.port import LoopProvider
from maquette.providers.music import music_from_settings
from maquette.providers.music.port import MusicProvider
from maquette.providers.text import writer_from_settings
from maquette.providers.text.port import ScriptWriter
from maquette.settings import Settings, get_settings
from maquette.storage import store_from_settings
from maquette.storage.port import Store


class Workshop:
    """The tools of one process. Providers are made when they are first asked for.

    A key that is missing is so a ``ConfigurationError`` of the step that needs it, and ends the video with it.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.store: Store = store_from_settings(settings)

    @cached_property
    def clips(self) -> ClipProvider:
        """The clip provider of the settings."""
        return clips_from_settings(self.settings)

    @cached_property
    def images(self) -> ImageProvider:
        """The image provider of the settings."""
        return images_from_settings(self.settings)

    @cached_property
    def loops(self) -> LoopProvider:
        """The loop provider of the settings."""
        return loops_from_settings(self.settings)

    @cached_property
    def music(self) -> MusicProvider:
        """The music provider of the settings."""
        return music_from_settings(self.settings)

    @cached_property
    def writer(self) -> ScriptWriter:
        """The script writer of the settings."""
        return writer_from_settings(self.settings)


_open: list[Workshop] = []


def open_workshop(settings: Settings) -> Workshop:
    """Make the process's workshop anew. Raises ``ConfigurationError`` without a database."""
    close_workshop()
    _open.append(Workshop(settings, database_from_settings(settings)))
    return _open[0]


def workshop() -> Workshop:
    """The process's workshop, of the environment's settings unless another was opened."""
    return _open[0] if _open else open_workshop(get_settings())


def close_workshop() -> None:
    """Close the connections of the process's workshop."""
    while _open:
        _open.pop().database.dispose()
