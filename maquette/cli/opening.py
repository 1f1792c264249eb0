"""From settings to ``Videos``: on the running stack of the home, on one started for the call, or on none."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from maquette.cli.output import Interrupted
from maquette.db.embedded import embedded_postgres
from maquette.db.engine import Database
from maquette.errors import MaquetteError, NotFound, StackError
from maquette.launch import schema
from maquette.launch.code import code_root
from maquette.launch.processes import require_free_port
from maquette.launch.stack import Stack, running
from maquette.launch.state import StackState, read_state
from maquette.settings import Settings
from maquette.storage import store_from_settings
from maquette.videos.service import Videos

log = logging.getLogger(__name__)


class Opened(NamedTuple):
    """The use cases, and what works on the orders."""

    videos: Videos
    stack: StackState | None
    is_ours: bool
    ours: Stack | None = None

    def run_url(self, flow_run_id: str | None, settings: Settings) -> str | None:
        """Address of the run's page; of a stack that ends with the call, where the next `maquette up` shows it."""
        if flow_run_id is None:
            return None
        state = self.stack
        base = f"http://{settings.prefect_host}:{settings.prefect_port}"
        if settings.prefect_api_url is not None:
            base = settings.prefect_api_url.removesuffix("/api")
        elif state is not None and not self.is_ours:
            base = state.prefect_url
        return f"{base}/runs/flow-run/{flow_run_id}"

    def run_note(self, settings: Settings) -> str:
        """What to say before the run page's address: when it can be seen, unless that is now."""
        there = settings.prefect_api_url is not None or (self.stack is not None and not self.is_ours)
        return "" if there else "after `make up`: "

    def require_stack(self, settings: Settings) -> None:
        """Raises ``StackError`` when the stack that works on the orders is gone, or cannot work."""
        if self.ours is not None:
            self.ours.require_alive()
        if self.stack is not None and not self.is_ours and _stack_of(settings) is None:
            raise StackError("the stack has stopped; the order is kept and goes on with the next `maquette up`")


@contextmanager
def reading(settings: Settings) -> Iterator[Opened]:
    """Open what there is, for the call only. Raises ``NotFound`` when the home has no database yet."""
    state = _stack_of(settings)
    if state is None and settings.database_url is None and not has_database(settings):
        raise NotFound(
            f"nothing was made in {settings.home.absolute()} yet: order a video, or set MAQUETTE_HOME",
            code="video_not_found",
        )
    with _opened(settings, state) as opened:
        yield opened


@contextmanager
def ordering(
    settings: Settings,
    *,
    with_work: bool,
    stop: threading.Event | None = None,
    on_step: Callable[[str], None] = log.info,
) -> Iterator[Opened]:
    """Open for an order. ``with_work`` starts a stack for the call where none runs; it ends with the block.

    Raises ``StackError``, ``ConfigurationError``, ``Interrupted`` when ``stop`` was set meanwhile.
    """
    state = _stack_of(settings)
    elsewhere = settings.database_url is not None and settings.prefect_api_url is not None
    if state is not None or not with_work or elsewhere:
        with _opened(settings, state) as opened:
            yield opened
        return
    with ExitStack() as exits:
        try:
            chosen = with_free_port(settings)
            stack = exits.enter_context(running(chosen, with_api=False, on_step=on_step, stop=stop))
        except (MaquetteError, KeyboardInterrupt) as error:
            # Ctrl-C reaches the short-lived tools of the start as well; what they say of it is no news.
            if stop is not None and stop.is_set():
                raise Interrupted("interrupted while the stack was starting; nothing was ordered") from error
            raise
        videos = Videos(stack.database, store_from_settings(chosen), chosen)
        yield Opened(videos, stack.state, is_ours=True, ours=stack)


def has_database(settings: Settings) -> bool:
    """Whether the home's embedded server was ever started."""
    return (settings.home.expanduser() / "postgres" / "PG_VERSION").exists()


def with_free_port(settings: Settings) -> Settings:
    """The settings, with a free port for the Prefect server where theirs is taken."""
    try:
        require_free_port(settings.prefect_host, settings.prefect_port, option="--prefect-port")
    except StackError:
        with socket.socket() as probe:
            probe.bind((settings.prefect_host, 0))
            return settings.model_copy(update={"prefect_port": probe.getsockname()[1]})
    return settings


def _stack_of(settings: Settings) -> StackState | None:
    """The home's running stack, unless the settings name another database than its."""
    state = read_state(settings.home)
    if state is None or state.pid == os.getpid():
        return None
    url = settings.database_url
    return state if url is None or url.get_secret_value() == state.database_url else None


@contextmanager
def _opened(settings: Settings, state: StackState | None) -> Iterator[Opened]:
    with ExitStack() as exits:
        if settings.database_url is not None:
            url = settings.database_url.get_secret_value()
        elif state is not None:
            url = state.database_url
        else:
            url = exits.enter_context(embedded_postgres(settings.home))
            schema.upgrade(url, code=code_root(settings))
        database = Database(url)
        exits.callback(database.dispose)
        yield Opened(Videos(database, store_from_settings(settings), settings), state, is_ours=False)
