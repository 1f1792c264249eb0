"""What OpenAPI says of the API is whole: every call with an example, every error in the one form."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, SecretStr, TypeAdapter
from starlette.routing import Route

from maquette.api import (
    brands,
    carousels,
    chat,
    default_prompts,
    draft_assets,
    draft_texts,
    drafts,
    library,
    money,
    orders,
    projects,
    queue,
    universe_generation,
    universe_jobs,
    universe_sync,
    universe_texts,
    universes,
)
from maquette.api.app import create_app
from maquette.api.chat import Message, read_pack
from maquette.api.draft_shapes import (
    CreateDraft,
    DefaultPrompt,
    Generate,
    Regenerate,
    Translate,
    WriteLyrics,
)
from maquette.api.shapes import CreateVideo
from maquette.brands.service import BrandChange, NewBrand
from maquette.carousels.briefs import SlideEdit
from maquette.db.engine import Database
from maquette.drafts.models import Approval, AssetChange, DraftChange, SongChange
from maquette.intake.requests import EstimateRequest, MediaRequest, fields_of, parse_estimate, parse_request
from maquette.projects.sections import sections_of
from maquette.settings import Settings
from maquette.videos.models import BlockEdit
from tests.api.universe_bodies import UNIVERSE_BODIES

ISSUE = """GET / | GET /health | POST /videos/create | GET /videos | GET /videos/{video_id} | DELETE /videos/{video_id}
| GET /videos/{video_id}/status | GET /videos/{video_id}/download | GET /videos/{video_id}/stream
| POST /videos/{video_id}/retry | PATCH /videos/{video_id}/blocks/{number}
| POST /api/generate-media | POST /api/packs | POST /api/intents | GET /api/orders | GET /api/orders/{order_id}
| POST /api/orders/{order_id}/cancel | POST /api/orders/{order_id}/retry | GET /api/jobs/{job_id}
| POST /api/jobs/{job_id}/requeue | GET /api/queue | POST /api/queue | GET /api/queue/dead-letters | GET /api/brands
| POST /api/brands | GET /api/brands/{brand_id} | PATCH /api/brands/{brand_id} | GET /api/library | POST /api/library
| GET /api/library/{asset_id} | DELETE /api/library/{asset_id} | GET /api/library/{asset_id}/file | GET /api/quota
| GET /api/costs | POST /api/estimate | GET /api/plans | GET /api/carousels/{carousel_id}
| PATCH /api/carousels/{carousel_id}/slides/{number} | GET /api/carousels/{carousel_id}/pdf
| POST /api/drafts | GET /api/drafts | GET /api/drafts/{draft_id} | GET /api/drafts/{draft_id}/assets
| GET /api/drafts/{draft_id}/status | POST /api/drafts/{draft_id}/generate
| PATCH /api/drafts/{draft_id}/assets/{asset_id}/regenerate | POST /api/drafts/{draft_id}/publish
| DELETE /api/drafts/{draft_id}"""

DOCS = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")


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


def _pack_or_request(body: dict[str, Any]) -> object:
    return parse_estimate(body) if "topic" in body or "intent" in body else read_pack(body)


TAKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "POST /videos/create": CreateVideo.model_validate,
    "PATCH /videos/{video_id}/blocks/{number}": BlockEdit.model_validate,
    "POST /api/generate-media": parse_request,
    "POST /api/packs": read_pack,
    "POST /api/intents": Message.model_validate,
    "POST /api/estimate": _pack_or_request,
    "POST /api/brands": NewBrand.model_validate,
    "PATCH /api/brands/{brand_id}": BrandChange.model_validate,
    "PATCH /api/carousels/{carousel_id}/slides/{number}": SlideEdit.model_validate,
    "POST /api/drafts": CreateDraft.model_validate,
    "PATCH /api/drafts/{draft_id}": DraftChange.model_validate,
    "POST /api/drafts/{draft_id}/generate": Generate.model_validate,
    "POST /api/drafts/{draft_id}/estimate": Generate.model_validate,
    "PATCH /api/drafts/{draft_id}/assets/{asset_id}": AssetChange.model_validate,
    "PATCH /api/drafts/{draft_id}/assets/{asset_id}/regenerate": Regenerate.model_validate,
    "PUT /api/drafts/{draft_id}/songs/{language}": SongChange.model_validate,
    "POST /api/drafts/{draft_id}/approve": Approval.model_validate,
    "POST /api/drafts/{draft_id}/translations/generate": Translate.model_validate,
    "POST /api/drafts/{draft_id}/images/prompts/generate": DefaultPrompt.model_validate,
    "POST /api/drafts/{draft_id}/videos/prompts/generate": DefaultPrompt.model_validate,
    "POST /api/drafts/{draft_id}/lyrics/generate": WriteLyrics.model_validate,
    "POST /api/projects/{id}/save-all": sections_of,
    "POST /api/save-all": sections_of,
    **UNIVERSE_BODIES,
}


def test_every_body_to_send_has_an_example_that_is_taken(calls: dict[str, dict[str, Any]]) -> None:
    bodies = {
        name: call["requestBody"]["content"]["application/json"]
        for name, call in calls.items()
        if "application/json" in call.get("requestBody", {}).get("content", {})
    }
    assert set(bodies) == set(TAKEN)
    for name, content in bodies.items():
        given = content.get("examples") or content["schema"]["examples"]
        for example in [each["value"] for each in given.values()] if isinstance(given, dict) else given:
            taken = TAKEN[name](example)
            if "/api/" not in name:
                assert isinstance(taken, BaseModel) and taken.model_fields_set == set(example)


def test_every_name_of_a_tolerant_body_is_told_and_understood(calls: dict[str, dict[str, Any]]) -> None:
    for call, shape in (("generate-media", MediaRequest), ("estimate", EstimateRequest)):
        schema = calls[f"POST /api/{call}"]["requestBody"]["content"]["application/json"]["schema"]
        assert set(schema["properties"]) >= {"format", "count", "brandId", "ratio", "duration"}
        assert all(f"`{name}`" in DOCS for name in schema["properties"])
        understood = fields_of(dict.fromkeys(schema["properties"], 7), shape)
        assert set(understood) == set(shape.model_fields) - {"envelope"}


def test_every_answers_example_is_an_answer() -> None:
    """The examples have every field of their models, and no other."""
    modules = (brands, carousels, chat, draft_assets, draft_texts, drafts, library, money, orders, projects, queue)
    older = (universes, universe_generation, universe_jobs, universe_sync, universe_texts, default_prompts)
    routes = [route for module in (*modules, *older) for route in module.router.routes if isinstance(route, APIRoute)]
    told = [route for route in routes if route.response_model and (route.status_code or 200) < 400]
    assert len(told) > 20
    for route in told:
        # Of the route itself: FastAPI leaves out of its document what is null.
        example = route.responses[route.status_code or 200]["content"]["application/json"]["example"]
        adapter = TypeAdapter(route.response_model)
        there = adapter.dump_python(adapter.validate_python(example), mode="json", by_alias=True)
        assert _names(there) - {"data"} == _names(example) - {"data"}, route.path


def _names(value: Any) -> set[str]:
    """The names of all members, free-form objects left out."""
    if isinstance(value, list):
        return set().union(*map(_names, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    free = ("brief", "provenance", "text", "fonts", "data")
    return set(value).union(*(_names(each) for name, each in value.items() if name not in free))


def test_every_call_names_its_errors_in_the_one_form(calls: dict[str, dict[str, Any]]) -> None:
    for name, call in calls.items():
        assert {"422", "500", "503"} <= set(call["responses"]), name
        if "_id}" in name and not name.endswith("/status"):
            assert "404" in call["responses"], name
    for name, status, part in _parts(calls):
        if int(status) >= 400:
            content = part["content"]["application/json"]
            body, names = "ErrorBody", {"detail", "code"}
            if "/api/" in name:
                body, names = "ApiErrorBody", names | {"ok", "error", "message"}
            assert names <= set(content["example"]), (name, status)
            if (name, status) not in {("GET /", "503"), ("GET /health", "503")}:
                assert content["schema"] == {"$ref": f"#/components/schemas/{body}"}, (name, status)
                assert set(content["example"]) == names


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
