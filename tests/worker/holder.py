"""A process that holds a fork server, as a worker does, to be killed. Its arguments are files of a child's work."""

import asyncio
import json
import sys
from pathlib import Path

import psutil

from maquette.worker.forks import Forks
from tests.worker import errands
from tests.worker.errands import errand
from tests.worker.forking import MODULES, no_prefect


async def hold(begun: Path, told: Path, held: Path) -> None:
    """Write down the pids of server, working child and waiting children, and wait for the end."""
    async with Forks(MODULES, spares=2) as forks:
        fork = await forks.take()
        await fork.obey(errand(errands.waits, begun, told))
        (server,) = psutil.Process().children()
        spares = [await forks.take() for _ in range(2)]
        pids = {"server": server.pid, "working": fork.pid, "waiting": [each.pid for each in spares]}
        held.with_suffix(".new").write_text(json.dumps(pids))
        held.with_suffix(".new").rename(held)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with no_prefect():
        asyncio.run(hold(*map(Path, sys.argv[1:])))
