"""What several runs at once ask of a Prefect server: ``python -m benchmarks.prefect_load SIZE`` prints seconds as JSON.

It works on the server of ``PREFECT_API_URL``, in a process of its own, as a worker's runs do.
"""

import asyncio
import json
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client

CLIENTS = 8


@task
async def step(number: int) -> int:
    """Nothing."""
    return number


@flow
async def steps(count: int) -> None:
    """So many tasks at once."""
    await asyncio.gather(*(step(number) for number in range(count)))


async def _together(flows: int, tasks: int) -> float:
    begun = time.perf_counter()
    await asyncio.gather(*(steps(tasks) for _ in range(flows)))
    return time.perf_counter() - begun


def _create(client: SyncPrefectClient, runs: int) -> float:
    made: Any = steps
    deployment = client.create_deployment(client.create_flow(made), "load", entrypoint="benchmarks.prefect_load.steps")
    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(
            pool.map(lambda _: client.create_flow_run_from_deployment(deployment, parameters={"count": 0}), range(runs))
        )
    return time.perf_counter() - begun


def main() -> None:
    """Runs of ten tasks at once, one run of many tasks, and runs created by several clients."""
    size = int(sys.argv[1])
    logging.disable(logging.WARNING)
    with get_client(sync_client=True) as client:
        found = {
            "together_s": asyncio.run(_together(size, 10)),
            "tasks_s": asyncio.run(_together(1, 5 * size)),
            "create_s": _create(client, 4 * size),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
