"""The work pool of our deployments: made as this installation can serve it, completed where it is older."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import WorkPool
from prefect.workers.process import ProcessWorker

from deployments.register import Pool, _pool
from maquette.launch.flow_runs import QUEUES
from maquette.worker import seam
from maquette.worker.warm import WarmJobConfiguration, WarmWorker
from tests.worker.rig import Server

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server's address: it takes several seconds to start."""
    with TemporaryDirectory(prefix="maquette-pools-") as folder:
        server = Server(Path(folder))
        server.start()
        yield server.url
        server.kill()


@pytest.fixture
async def client(url: str) -> AsyncIterator[PrefectClient]:
    async with PrefectClient(url) as client:
        yield client


@pytest.fixture
def name() -> str:
    return f"pool-{uuid4().hex[:8]}"


async def registered(client: PrefectClient, name: str) -> WorkPool:
    await _pool(client, Pool(name=name))
    return await client.read_work_pool(name)


async def test_a_new_pool_is_warm_and_has_the_queues_of_orders(client: PrefectClient, name: str) -> None:
    pool = await registered(client, name)
    assert pool.type == "warm"
    assert pool.base_job_template == WarmWorker.get_default_base_job_template()
    queues = {queue.name: queue.priority for queue in await client.read_work_queues(work_pool_name=name)}
    assert queues == {"default": 1, QUEUES[True]: 2, QUEUES[False]: 3}


async def test_where_prefect_has_changed_it_is_the_stock_workers(
    client: PrefectClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.runner import _hook_runner

    with monkeypatch.context() as changed:
        changed.delattr(_hook_runner, "HookRunner")
        seam.moved.cache_clear()
        pool = await registered(client, name)
    seam.moved.cache_clear()
    assert pool.type == "process"
    assert pool.base_job_template == ProcessWorker.get_default_base_job_template()


def of_a_person() -> dict[str, Any]:
    """The form of an older release of ours, with changes made in the UI."""
    template = ProcessWorker.get_default_base_job_template()
    fields = template["variables"]["properties"]
    fields["env"]["default"] = {"TZ": "Europe/Paris"}
    fields["stream_output"]["default"] = False
    fields["gpu"] = {"type": "integer", "title": "GPU", "default": 0}
    template["job_configuration"]["env"] = {"GPU": "{{ gpu }}"}
    template["variables"]["required"] = ["gpu"]
    return template


async def test_an_older_pool_gets_what_is_new_and_keeps_what_was_changed(client: PrefectClient, name: str) -> None:
    theirs = of_a_person()
    await client.create_work_pool(
        WorkPoolCreate(name=name, type="process", description="By hand", base_job_template=theirs, concurrency_limit=3)
    )
    pool = await registered(client, name)
    ours = WarmWorker.get_default_base_job_template()["variables"]["properties"]
    found = pool.base_job_template
    assert found["variables"]["properties"] == theirs["variables"]["properties"] | {"isolation": ours["isolation"]}
    assert found["variables"]["required"] == ["gpu"]
    assert found["job_configuration"] == theirs["job_configuration"] | {"isolation": "{{ isolation }}"}
    assert (pool.type, pool.description, pool.concurrency_limit) == ("process", "By hand", 3)

    for isolation in ("process", "fork"):
        configuration: WarmJobConfiguration = await WarmJobConfiguration.from_template_and_values(
            found, {"isolation": isolation}, client=client
        )
        assert configuration.isolation == isolation
        assert configuration.stream_output is False


async def test_registering_again_changes_nothing(client: PrefectClient, name: str) -> None:
    await client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=of_a_person()))
    first = await registered(client, name)
    assert await registered(client, name) == first


async def test_a_pool_without_a_form_gets_ours(client: PrefectClient, name: str) -> None:
    await client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template={}))
    found = (await registered(client, name)).base_job_template
    ours = WarmWorker.get_default_base_job_template()
    assert found["job_configuration"] == ours["job_configuration"]
    assert found["variables"]["properties"] == ours["variables"]["properties"]
