"""What OpenAPI says of the API is whole: every call with an example, every error in the one form."""

import re
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, SecretStr
from starlette.routing import Route

from maquette.api.app import create_app
from maquette.api.shapes import CreateVideo
from maquette.db.engine import Database
from maquette.settings import Settings
from maquette.videos.models import BlockEdit

ISSUE = """GET / | GET /health | POST /videos/create | GET /videos | GET /videos/{video_id} | DELETE /videos/{video_id}
| GET /videos/{video_id}/status | GET /videos/{video_id}/download | GET /videos/{video_id}/stream
| POST /videos/{video_id}/retry | PATCH /videos/{video_id}/blocks/{number}"""


@pytest.fixture(scope="module")
def app() -> FastAPI:
    # Nothing is asked of the database here.
    return create_app(Settings(), Database("postgresql://nobody@127.0.0.1:1/nowhere"))


@pytest.fixture(scope="module")
def calls(app: FastAPI) -> dict[str, dict[str, Any]]:
    paths = app.openapi()["paths"]
    return {f"{method.upper()} {path}": call for path, methods in paths.items() for method, call in methods.items()}


def _parts(calls: dict[str, dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(name, status, part) for name, call in calls.items() for status, part in call["responses"].items()]


def test_every_route_is_documented(app: FastAPI, calls: dict[str, dict[str, Any]]) -> None:
    hidden = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
    plain = {route.path for route in app.routes if isinstance(route, Route)} - hidden
    assert plain <= {name.partition(" ")[2] for name in calls}
    assert {call.strip() for call in re.split(r"\|", ISSUE)} <= set(calls)


def test_every_answer_has_an_example(calls: dict[str, dict[str, Any]]) -> None:
    assert len(_parts(calls)) > 50
    for name, status, part in _parts(calls):
        for media_type, content in part.get("content", {}).items():
            if content["schema"].get("format") == "binary":
                continue
            if name.endswith("/script"):  # the file itself, as it was written
                continue
            assert "example" in content or "examples" in content, (name, status, media_type)


def test_every_body_to_send_has_an_example_that_is_taken(calls: dict[str, dict[str, Any]]) -> None:
    bodies = {
        name: call["requestBody"]["content"]["application/json"]
        for name, call in calls.items()
        if "requestBody" in call
    }
    models: dict[str, type[BaseModel]] = {
        "POST /videos/create": CreateVideo,
        "PATCH /videos/{video_id}/blocks/{number}": BlockEdit,
    }
    assert set(bodies) == set(models)
    for name, content in bodies.items():
        for example in content.get("examples") or content["schema"]["examples"]:
            assert models[name].model_validate(example).model_fields_set == set(example)


def test_every_call_names_its_errors_in_the_one_form(calls: dict[str, dict[str, Any]]) -> None:
    for name, call in calls.items():
        assert {"422", "500", "503"} <= set(call["responses"]), name
        if "{video_id}" in name and not name.endswith("/status"):
            assert "404" in call["responses"], name
    for name, status, part in _parts(calls):
        if int(status) >= 400:
            content = part["content"]["application/json"]
            assert {"detail", "code"} <= set(content["example"]), (name, status)
            if (name, status) not in {("GET /", "503"), ("GET /health", "503")}:
                assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}, (name, status)
                assert set(content["example"]) == {"detail", "code"}


def test_every_call_and_parameter_is_explained(calls: dict[str, dict[str, Any]]) -> None:
    for name, call in calls.items():
        assert all(call.get(key) for key in ("summary", "description", "tags")), name
        for parameter in call.get("parameters", []):
            if parameter["in"] == "header" and parameter["name"] == "accept-language":
                continue
            assert parameter.get("description") or parameter["schema"].get("description"), (name, parameter["name"])
            assert parameter.get("examples") or parameter["schema"].get("examples"), (name, parameter["name"])


def test_the_frameworks_own_error_form_is_nowhere(app: FastAPI) -> None:
    assert "HTTPValidationError" not in app.openapi()["components"]["schemas"]


def test_the_token_is_documented_where_it_is_set(app: FastAPI) -> None:
    guarded = create_app(
        Settings(api_token=SecretStr("t")), Database("postgresql://nobody@127.0.0.1:1/nowhere")
    ).openapi()
    assert guarded["paths"]["/videos"]["get"]["security"] == [{"HTTPBearer": []}]
    assert "401" in guarded["paths"]["/videos/{video_id}/film"]["get"]["responses"]
    assert "security" not in guarded["paths"]["/health"]["get"]
    assert "security" not in app.openapi()["paths"]["/videos"]["get"]
