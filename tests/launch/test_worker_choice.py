"""Which worker this installation can run: the warm one, or the stock one where Prefect has changed."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.workers.process import ProcessJobConfiguration

from maquette.launch.stack import POOL, worker_command, worker_type_here
from maquette.settings import Settings
from maquette.worker import seam
from maquette.worker.warm import WarmWorker


@pytest.fixture
def _changed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A release of Prefect without something that the warm worker needs."""
    from prefect.runner import _process_manager

    seam.moved.cache_clear()
    monkeypatch.delattr(_process_manager, "create_isolated_termination_scope")
    yield
    seam.moved.cache_clear()


def test_the_warm_worker_is_used_where_it_can_be() -> None:
    assert worker_type_here() == ("warm", "")
    command = worker_command(Settings(worker_limit=7))
    assert command == [
        sys.executable, "-m", "prefect", "worker", "start",
        "--pool", POOL, "--type", "warm", "--limit", "7",
    ]  # fmt: skip


@pytest.mark.usefixtures("_changed")
def test_else_the_stock_worker_is_and_why_is_said() -> None:
    kind, why = worker_type_here()
    assert kind == "process"
    assert why == (
        f"the warm worker knows Prefect {seam.TRIED}, and does not find "
        "prefect.runner._process_manager.create_isolated_termination_scope"
    )
    command = worker_command(Settings())
    assert command[command.index("--type") + 1] == "process"


def said(code: str) -> str:
    """What another interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_to_start_a_stack_prefect_is_not_imported_before_it_is_told_of_the_home() -> None:
    assert said("import sys, maquette.launch.stack; print('prefect' in sys.modules)") == "False\n"


def test_a_prefect_without_the_stock_worker_as_we_know_it_is_told_of_too() -> None:
    code = (
        "import sys; sys.modules['prefect.workers.process'] = None\n"
        "from maquette.launch.stack import worker_type_here; print(worker_type_here())"
    )
    assert said(code).startswith("('process', ") and "prefect.workers.process.ProcessWorker.run" in said(code)


@pytest.mark.anyio
async def test_the_stock_worker_takes_the_form_of_a_warm_pool() -> None:
    values = {"isolation": "fork", "working_dir": "/", "env": {"A": "B"}}
    template = WarmWorker.get_default_base_job_template()
    nobody = PrefectClient("http://127.0.0.1:9/api")  # there are no blocks to ask for
    configuration: ProcessJobConfiguration = await ProcessJobConfiguration.from_template_and_values(
        template, values, client=nobody
    )
    assert (configuration.env, str(configuration.working_dir)) == ({"A": "B"}, "/")
