"""Every deployment of ``prefect.yaml`` loads, has a full form, and is what Prefect's own tool would deploy."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

import pytest
import yaml
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.exceptions import ParameterTypeError
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from deployments.register import PREFECT_YAML, Deployment, deployments
from maquette.intake.pipelines import PIPELINES
from maquette.launch.stack import POOL
from maquette.videos.models import AspectRatio, Language, Style, VideoBrief

ALL = deployments()
CHOICES = {"style": Style, "language": Language, "aspect_ratio": AspectRatio}
by_name = pytest.mark.parametrize("deployment", ALL, ids=lambda deployment: deployment.name)


def flow_of(deployment: Deployment) -> Flow[..., Any]:
    return load_flow_from_entrypoint(deployment.entrypoint)


def form_of(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Each parameter's schema, as the form of the Prefect UI gets it."""
    schema = parameter_schema(flow_of(deployment)).model_dump_for_openapi()
    return cast(dict[str, dict[str, Any]], _resolved(schema["properties"], schema.get("definitions", {})))


def _resolved(value: Any, definitions: dict[str, Any]) -> Any:
    """``value`` with what it refers to in its place; its own words go before those of the definition."""
    if isinstance(value, list):
        return [_resolved(each, definitions) for each in value]
    if not isinstance(value, dict):
        return value
    referred = definitions[value["$ref"].rpartition("/")[2]] if "$ref" in value else {}
    return {key: _resolved(each, definitions) for key, each in {**referred, **value}.items() if key != "$ref"}


def kinds(field: dict[str, Any]) -> list[dict[str, Any]]:
    """The kinds that a parameter's value may have, null left out."""
    return [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]


def leaves(form: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The fields that a person fills in, those of nested forms as well."""
    for name, field in form.items():
        yield name, field
        for kind in kinds(field):
            yield from leaves(kind.get("properties", {}))


@by_name
def test_the_entrypoint_is_in_module_form_and_loads(deployment: Deployment) -> None:
    assert re.fullmatch(r"flows(\.\w+)+", deployment.entrypoint), "the file form loads a second copy of the module"
    module, _, function = deployment.entrypoint.rpartition(".")
    flow = flow_of(deployment)
    assert (flow.fn.__module__, flow.fn.__name__) == (module, function)


@by_name
def test_its_default_parameters_are_accepted_by_the_flow(deployment: Deployment) -> None:
    flow = flow_of(deployment)
    accepted = flow.validate_parameters(deployment.parameters)
    assert accepted.items() >= deployment.parameters.items()
    if form := form_of(deployment):
        with pytest.raises(ParameterTypeError):
            flow.validate_parameters(dict.fromkeys(form, object()))


@by_name
def test_every_parameter_has_a_title_a_description_and_limits(deployment: Deployment) -> None:
    for name, field in leaves(form_of(deployment)):
        assert field.get("title") and field.get("description"), name
        assert field["title"] != name, f"{name}: a title for people"
        for kind in kinds(field):
            limits = {
                "string": {"enum"}
                if "enum" in kind
                else {"format"}
                if "format" in kind
                else {"maxLength"},  # no least length: a run that has a job needs no theme
                "integer": {"minimum", "maximum"},
                "number": {"minimum", "maximum"},
            }.get(kind["type"], set())
            told = kind.keys() | {key.replace("exclusiveM", "m") for key in kind}
            assert limits <= told, f"{name}: no {limits - told} in {kind}"


@pytest.mark.parametrize("name", [pipeline.deployment.partition("/")[2] for pipeline in PIPELINES.values()])
def test_the_run_is_told_where_to_take_its_job(name: str) -> None:
    (deployment,) = [each for each in ALL if each.name == name]
    field = form_of(deployment)["job_id"]
    assert field["default"] is None
    assert [kind["format"] for kind in kinds(field)] == ["uuid"]


def test_the_form_of_a_video_offers_what_a_brief_may_hold() -> None:
    (deployment,) = [each for each in ALL if each.name == "make-video"]
    form = form_of(deployment)
    offered = {name: tuple(form[name]["enum"]) for name in ("style", "language", "aspect_ratio")}
    assert offered == {name: get_args(kind) for name, kind in CHOICES.items()}
    brief = VideoBrief.model_json_schema()["properties"]
    assert form.keys() == brief.keys() | {"brand_id", "job_id"}
    for name, field in brief.items():
        if name != "theme":  # a run that has a job needs none
            limits = {"default", "minimum", "maximum", "enum", "title"} & field.keys()
            found = dict(form[name])
            found.setdefault("maximum", found.get("exclusiveMaximum", 0) - 1)
            assert {key: found[key] for key in limits} == {key: field[key] for key in limits}, name


@pytest.mark.parametrize(
    "wrong",
    [
        {"theme": "x" * 501},
        {"target_duration": 7},
        {"target_duration": 79},
        {"style": "sad"},
        {"language": "de"},
        {"aspect_ratio": "3:2"},
        {"crossfade_s": 1.1},
        {"seed": -1},
        {"seed": 2**31},
        {"job_id": "no id"},
        {"brand_id": "no id"},
    ],
    ids=str,
)
def test_the_form_of_a_video_refuses_what_a_brief_refuses(wrong: dict[str, Any]) -> None:
    (deployment,) = [each for each in ALL if each.name == "make-video"]
    flow = flow_of(deployment)
    with pytest.raises(ParameterTypeError, match=next(iter(wrong))):
        flow.validate_parameters({"theme": "Coffee", **wrong})


def test_prefect_reads_the_file_as_it_is_meant() -> None:
    document = yaml.safe_load(PREFECT_YAML.read_text("utf-8"))
    model = PrefectYamlModel.model_validate(document)
    # Prefect ignores what it does not know, a misspelt key too: what it read must be all there is.
    assert model.model_dump(mode="json", by_alias=True, exclude_unset=True) == document


def test_our_registration_deploys_the_same() -> None:
    theirs = PrefectYamlModel.model_validate(yaml.safe_load(PREFECT_YAML.read_text("utf-8"))).deployments
    assert [each.name for each in ALL] == [each.name for each in theirs]
    for ours, prefects in zip(ALL, theirs, strict=True):
        told = prefects.model_dump(mode="json", exclude_unset=True)
        assert ours.model_dump(mode="json", exclude_unset=True) == told


def test_the_names_that_the_dispatcher_uses_are_deployed() -> None:
    names = {f"{flow_of(each).name}/{each.name}" for each in ALL}
    assert {pipeline.deployment for pipeline in PIPELINES.values()} <= names
    assert {each.work_pool.name for each in ALL} == {POOL}


def test_the_file_names_the_prefect_that_is_pinned() -> None:
    document = yaml.safe_load(PREFECT_YAML.read_text("utf-8"))
    lock = Path(PREFECT_YAML).with_name("requirements.lock").read_text("utf-8")
    assert f"\nprefect=={document['prefect-version']}" in lock
