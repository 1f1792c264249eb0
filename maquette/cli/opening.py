"""From settings to the use cases: on the running stack of the home, on one started for the call, or on none."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from maquette.brands import service as brands
from maquette.brands.models import Brand
from maquette.carousels.service import Carousels
from maquette.cli.output import Interrupted
from maquette.db.embedded import embedded_postgres
from maquette.db.engine import Database
from maquette.drafts.service import Drafts
from maquette.errors import InvalidInput, MaquetteError, NotFound, StackError
from maquette.intake.service import Intake
from maquette.launch import schema
from maquette.launch.code import code_root
from maquette.launch.processes import require_free_port
from maquette.launch.stack import Stack, running
from maquette.launch.state import StackState, read_state
from maquette.library.models import Asset
from maquette.settings import Settings
from maquette.storage import store_from_settings
from maquette.storage.port import Store
from maquette.videos.service import Videos

log = logging.getLogger(__name__)


class Opened(NamedTuple):
    """The use cases, and what works on the orders."""

    database: Database
    store: Store
    settings: Settings
    stack: StackState | None = None
    is_ours: bool = False
    ours: Stack | None = None

    @property
    def videos(self) -> Videos:
        """The use cases of videos."""
        return Videos(self.database, self.store, self.settings)

    @property
    def carousels(self) -> Carousels:
        """The use cases of carousels."""
        return Carousels(self.database, self.store, self.settings)

    @property
    def drafts(self) -> Drafts:
        """The use cases of drafts."""
        return Drafts(self.database, self.store, self.settings)

    @property
    def intake(self) -> Intake:
        """The use cases of orders."""
        return Intake(self.database, self.store, self.settings)

    def brand(self, given: str | None) -> Brand:
        """The brand of that id or name, without one the default brand. Raises ``NotFound``, ``InvalidInput``."""
        with self.database.begin() as session:
            if given is None:
                return brands.get(session, None)
            with suppress(ValueError):
                return brands.get(session, UUID(given))
            there = brands.all_brands(session)
        found = [brand for brand in there if brand.name.casefold() == given.strip().casefold()]
        if not found:
            names = ", ".join(repr(brand.name) for brand in there)
            raise NotFound(f"there is no brand {given!r}: there are {names}", code="brand_not_found")
        if len(found) > 1:
            ids = ", ".join(str(brand.id) for brand in found)
            raise InvalidInput(f"{len(found)} brands are named {given!r}: give the id of one ({ids})")
        return found[0]

    def brand_id(self, given: str | None) -> UUID | None:
        """The id of the brand that was named, if one was. Raises as ``brand`` does."""
        return None if given is None else self.brand(given).id

    def published(self, asset: Asset, name: str) -> Path | None:
        """The path of an asset's readable name; ``None`` when its file is not there any more.

        The name is a link: asking for it puts back one that somebody removed.
        """
        if asset.expired_at is not None:
            return None
        with suppress(NotFound):  # the row is there and the file was taken away
            return self.store.publish(asset.key, f"{asset.subject}/{name}")
        return None

    def run_url(self, flow_run_id: object) -> str | None:
        """Address of the run's page; of a stack that ends with the call, where the next `maquette up` shows it."""
        if flow_run_id is None:
            return None
        state, settings = self.stack, self.settings
        base = f"http://{settings.prefect_host}:{settings.prefect_port}"
        if settings.prefect_api_url is not None:
            base = settings.prefect_api_url.removesuffix("/api")
        elif state is not None and not self.is_ours:
            base = state.prefect_url
        return f"{base}/runs/flow-run/{flow_run_id}"

    @property
    def run_note(self) -> str:
        """What to say before the run page's address: when it can be seen, unless that is now."""
        there = self.settings.prefect_api_url is not None or (self.stack is not None and not self.is_ours)
        return "" if there else "after `make up`: "

    def require_stack(self) -> None:
        """Raises ``StackError`` when the stack that works on the orders is gone, or cannot work."""
        if self.ours is not None:
            self.ours.require_alive()
        if self.stack is not None and not self.is_ours and _stack_of(self.settings) is None:
            raise StackError("the stack has stopped; the order is kept and goes on with the next `maquette up`")


@contextmanager
def reading(settings: Settings, *, code: str = "not_found") -> Iterator[Opened]:
    """Open what there is, for the call only. Raises ``NotFound`` (``code``) when the home has no database yet."""
    state = _stack_of(settings)
    if state is None and not has_database(settings):
        raise NotFound(
            f"nothing was ordered in {settings.home.absolute()} yet: order something, or set MAQUETTE_HOME", code=code
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
        yield Opened(stack.database, store_from_settings(settings), settings, stack.state, is_ours=True, ours=stack)


def has_database(settings: Settings) -> bool:
    """Whether there is a database to look into: the settings name one, or the home's server was ever started."""
    return settings.database_url is not None or (settings.home.expanduser() / "postgres" / "PG_VERSION").exists()


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
        yield Opened(database, store_from_settings(settings), settings, state)
