"""Hearing of new runs: Prefect's event stream says when a run is scheduled. A hint; polling stays the truth."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter

log = logging.getLogger(__name__)

SCHEDULED: Final = "prefect.flow-run.Scheduled"
AGAIN_S: Final = 5.0


async def hear(pool: str, wake: Callable[[], None]) -> None:
    """Call ``wake`` for each run that is scheduled in ``pool``, for ever; a stream that breaks off is opened again."""
    wanted = EventFilter(event=EventNameFilter(name=[SCHEDULED]))
    while True:
        try:
            async with get_events_subscriber(filter=wanted) as events:
                async for event in events:
                    # By name: a server that was wiped gives the pool another id.
                    if any(each.role == "work-pool" and each.name == pool for each in event.related):
                        wake()
        except Exception as error:
            log.info("the server's events are not heard, runs are found by polling: %s", error)
        await asyncio.sleep(AGAIN_S)
