"""What a run's configuration makes of it: a fork, or a process of its own and why; and the form of a warm pool."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from maquette.worker.warm import WarmJobConfiguration, WarmWorker, modules_of

PREFECT_YAML = Path(__file__).parents[2] / "prefect.yaml"
ENTRYPOINT = "flows.video.make_video"


def prepared(*, entrypoint: str | None = ENTRYPOINT, pull_steps: Any = None, **values: Any) -> WarmJobConfiguration:
    """The configuration of a run of such a deployment, as a worker prepares it."""
    configuration = WarmJobConfiguration(**values)
    deployment = DeploymentResponse(
        name="film", labels={}, flow_id=uuid4(), entrypoint=entrypoint, pull_steps=pull_steps
    )
    configuration.prepare_for_flow_run(FlowRun(flow_id=uuid4()), deployment)
    return configuration


def test_a_run_is_forked_where_nothing_is_against_it() -> None:
    configuration = prepared(stream_output=False, working_dir="/", labels={"a": "b"}, name="film")
    assert (configuration.own_process, configuration.entrypoint) == ("", ENTRYPOINT)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"isolation": "process"}, "its deployment asks for one"),
        ({"command": "python -m prefect.engine"}, "it has a command of its own"),
        (
            {"env": {"TZ": "UTC"}},
            "it has variables of its own, which modules that are imported already would not see",
        ),
        ({"pull_steps": [{"prefect.deployments.steps.git_clone": {}}]}, "its deployment has pull steps"),
        ({"entrypoint": "flows/video.py:make_video"}, "its entrypoint is not a module's"),
        ({"entrypoint": ""}, "its entrypoint is not a module's"),
        ({"entrypoint": None}, "its entrypoint is not a module's"),
    ],
    ids=str,
)
def test_else_it_gets_a_process_of_its_own_and_why_is_said(told: dict[str, Any], why: str) -> None:
    assert prepared(**told).own_process == why


def test_a_run_without_a_deployment_gets_a_process_of_its_own() -> None:
    configuration = WarmJobConfiguration()
    configuration.prepare_for_flow_run(FlowRun(flow_id=uuid4()))
    assert configuration.own_process == "its entrypoint is not a module's"


def test_no_pull_steps_are_none() -> None:
    assert prepared(pull_steps=[]).own_process == ""


def test_the_modules_are_those_that_our_deployments_name() -> None:
    named = {each["entrypoint"] for each in yaml.safe_load(PREFECT_YAML.read_text("utf-8"))["deployments"]}
    modules = modules_of(PREFECT_YAML)
    assert {name for name in named if name.rpartition(".")[0] not in modules} == set()
    assert set(modules) == {name.rpartition(".")[0] for name in named}
    assert list(modules) == sorted(modules)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing yet",
        "name: maquette",
        "deployments:",
        "deployments: []",
        "deployments: [{name: null}, {name: a, entrypoint: null}, {name: b, entrypoint: ''}]",
        "deployments: [{name: a, entrypoint: 'flows/video.py:make_video'}]",
        "deployments: [{name: a, entrypoint: 'make_video'}]",
    ],
)
def test_a_file_without_modules_names_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text(text)
    assert list(modules_of(file)) == []


def test_no_file_names_none(tmp_path: Path) -> None:
    assert list(modules_of(tmp_path / "prefect.yaml")) == []


def test_each_module_is_named_once(tmp_path: Path) -> None:
    file = tmp_path / "prefect.yaml"
    entrypoints = ("b.two", "a.b.one", "b.one", "c.py:one")
    file.write_text(yaml.safe_dump({"deployments": [{"entrypoint": each} for each in entrypoints]}))
    assert list(modules_of(file)) == ["a.b", "b"]


def test_every_field_of_the_form_has_a_title_and_a_description() -> None:
    template = WarmWorker.get_default_base_job_template()
    fields = template["variables"]["properties"]
    assert template["job_configuration"] == {name: f"{{{{ {name} }}}}" for name in fields}
    assert all(field.get("title") and field.get("description") for field in fields.values()), fields
    isolation = fields["isolation"]
    assert (isolation["enum"], isolation["default"]) == (["fork", "process"], "fork")
    assert WarmWorker._description
    assert WarmWorker._display_name == "Warm"


@pytest.mark.anyio
async def test_prefects_own_tool_makes_pools_with_that_form() -> None:
    template = await get_default_base_job_template_for_infrastructure_type(WarmWorker.type)
    assert template == WarmWorker.get_default_base_job_template()
