"""The flows of the bench of starting: that of image orders as it is, one that does nothing, and one that waits.

The first line of each is noted. Only runs import this module, for importing it changes the flow of image orders.
"""

import asyncio
import time
from functools import wraps
from inspect import signature
from typing import Any

from prefect import flow

from benchmarks.first_lines import note
from flows.image import make_images
from maquette.settings import get_settings

_make_images = make_images.fn
_SIGNATURE = signature(_make_images)


@wraps(_make_images)
async def _noted(*of: Any, **how: Any) -> Any:
    moment = time.time()
    note(get_settings().home, str(_SIGNATURE.bind(*of, **how).arguments["job_id"]), moment)
    return await _make_images(*of, **how)


make_images.fn = _noted


@flow(name="bench-nothing")
async def nothing(key: str) -> None:
    """Note the first line."""
    moment = time.time()
    note(get_settings().home, key, moment)


@flow(name="bench-waiting")
async def waiting(key: str) -> None:
    """Note the first line, and wait for the file ``key`` in the home."""
    home = get_settings().home
    note(home, key, time.time())
    while not (home / key).exists():  # noqa: ASYNC110  # another process makes it
        await asyncio.sleep(0.1)
