"""Requests for media: one normal form, and the tolerant reader of what clients of every age send."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from maquette.errors import InvalidInput
from maquette.intake import values
from maquette.intake.values import MAX_TOPIC_CHARACTERS, Format, parsed, word
from maquette.intake.words import fold, names_of, ratio_named, value_named
from maquette.providers.images.port import Ratio
from maquette.videos.rules import MAX_TARGET_S, MAX_THEME_CHARACTERS, MIN_TARGET_S

Platform = Literal["instagram", "linkedin", "tiktok", "pinterest", "youtube", "facebook", "x"]
Goal = Literal["education", "vente", "lead", "engagement", "notoriete"]

DEFAULT_DURATION_S: Final = 15
MAX_NAME_CHARACTERS: Final = 120
MAX_REFERENCES: Final = 8

_WRAPPERS: Final = ("intent", "payload", "body", "data")
_MAX_LAYERS: Final = 8

Line = Annotated[str, BeforeValidator(values.line)]
Flag = Annotated[bool, BeforeValidator(values.flag)]
Whole = Annotated[int, BeforeValidator(values.whole)]


class EstimateRequest(BaseModel):
    """What the price of an order depends on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Annotated[Format, word("format")] = Field("image", description="image, carousel or video")
    platform: Annotated[Platform | Literal[""], word("platform")] = Field(
        "", description="instagram, linkedin, tiktok, pinterest, youtube, facebook or x"
    )
    texts: Annotated[dict[str, JsonValue] | list[JsonValue] | None, BeforeValidator(values.texts)] = Field(
        None, description="the client's own words as an object or a list"
    )
    count: Annotated[int, BeforeValidator(values.count)] = Field(
        default_factory=values.default_count,
        description="1 to 20 images, 3 to 10 slides of a carousel, 1 to 4 videos",
    )
    variants: Whole = Field(1, ge=1, le=4, description="1 to 4")
    brand_id: UUID | None = Field(None, description="the brand's UUID")
    ratio: Annotated[Ratio, BeforeValidator(values.ratio)] = Field(
        default_factory=values.default_ratio, description="1:1, 4:5, 9:16, 16:9, 2:3 or yt-thumb"
    )
    duration_s: Annotated[int | None, BeforeValidator(values.duration_s)] = Field(
        default_factory=lambda data: DEFAULT_DURATION_S if data["format"] == "video" else None,
        description=f"{MIN_TARGET_S} to {MAX_TARGET_S} seconds of a video",
    )
    user_id: Line | None = Field(None, max_length=200, description="the user's id, 200 characters at most")


class MediaRequest(EstimateRequest):
    """What to make, in the normal form that every road into the product shares."""

    topic: Annotated[str, BeforeValidator(values.topic)] = Field(
        description=f"1 to {MAX_TOPIC_CHARACTERS} characters of what to make, {MAX_THEME_CHARACTERS} for a video"
    )
    language: Annotated[Literal["fr", "en", "es"], BeforeValidator(values.language)] = Field(
        "fr", description="fr, en or es"
    )
    seed: Whole = Field(0, ge=0, le=2**31 - 1, description="0 to 2147483647; another seed makes another picture")
    goal: Annotated[Goal | Literal[""], word("goal")] = Field(
        "", description="education, vente, lead, engagement or notoriete"
    )
    tone: Line = Field("", max_length=200, description="200 characters at most")
    visual_style: Line = Field("", max_length=200, description="a style's name or words, 200 characters at most")
    style_category: Annotated[Literal["", "background", "character", "product"], word("style_category")] = Field(
        "", description="background, character or product"
    )
    color_mode: Annotated[Literal["", "vibrant", "pastel", "neutral"], word("color_mode")] = Field(
        "", description="vibrant, pastel or neutral"
    )
    use_brand_kit: Flag = Field(True, description="true or false")
    background_only: Flag = Field(False, description="true or false")
    references: Annotated[list[UUID], BeforeValidator(values.references)] = Field(
        [], max_length=MAX_REFERENCES, description=f"the UUIDs of up to {MAX_REFERENCES} assets"
    )
    carousel_type: Annotated[Literal["content", "citation"], word("carousel_type")] = Field(
        "content", description="content or citation"
    )
    slide_format: Annotated[Literal["jpeg", "png"], word("slide_format")] = Field("jpeg", description="jpeg or png")
    pdf: Flag = Field(False, description="true or false: all slides as one PDF, too")
    campaign_name: Line = Field(
        default_factory=lambda data: data["topic"][:MAX_NAME_CHARACTERS].strip(),
        min_length=1,
        max_length=MAX_NAME_CHARACTERS,
        description=f"1 to {MAX_NAME_CHARACTERS} characters; else the topic's first",
    )
    idempotency_key: Line | None = Field(
        None, min_length=1, max_length=200, description="1 to 200 characters that no other request bears"
    )
    envelope: Literal["plain", "intent"] = Field("plain", description="which form of answer the client reads")


Request = TypeVar("Request", bound=BaseModel)


def parse_request(document: object) -> MediaRequest:
    """The request that ``document`` means, a JSON value or its text.

    Fields go by any name of ``requests.yaml``; where two of them differ, the first of its row counts, and an inner
    object before the outer. Wrappers (``intent``, ``payload``, ``body``, ``data``) and a ``brief`` object are looked
    into; empty values are as none, unknown fields are passed over. For a carousel a count of 1 beside a number of
    slides is one carousel of so many.

    Raises ``InvalidInput`` with every problem in one message, and in ``values["details"]`` as a list of
    ``{"field", "message"}``.
    """
    return checked(MediaRequest, fields_of(document, MediaRequest))


def parse_estimate(document: object) -> EstimateRequest:
    """What an estimate is asked for: a request that may yet lack its topic. Raises as ``parse_request`` does."""
    return checked(EstimateRequest, fields_of(document, EstimateRequest))


def checked(shape: type[Request], fields: Mapping[str, object]) -> Request:
    """``fields``, under their names of ``shape``, checked. Raises ``InvalidInput`` as ``parse_request`` does."""
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        problems = [each for each in error.errors(include_url=False) if each["type"] != "default_factory_not_called"]
    details = []
    for problem in problems:
        name, context = str(problem["loc"][0]), problem.get("ctx", {})
        shown = names_of(name)[0]
        advice = context.get("advice") or f"it may be {shape.model_fields[name].description}"
        match problem["type"]:
            case "missing":
                message = f"{shown} is missing: {advice}"
            case "control_character":
                message = advice
            case _:
                message = f"{shown} is {_shortened(fields[name])}: {advice}"
        details.append({"field": shown, "message": message})
    message = "; ".join(each["message"] for each in details)
    if {problem["type"] for problem in problems} == {"control_character"}:
        character = problems[0]["ctx"]["character"]
        raise InvalidInput(message, code="control_character", character=character, details=details)
    raise InvalidInput(message, details=details)


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _blank(value: object) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())


def _layers(document: object) -> tuple[list[dict[str, Any]], bool]:
    """The objects to read fields from, the one that counts most first; whether one of them was an intent."""
    outermost = parsed(document) if isinstance(document, str) else document
    if not isinstance(outermost, dict):
        raise InvalidInput("the body is no JSON object: send one with a format and a topic")
    layers: list[dict[str, Any]] = []
    briefs: list[dict[str, Any]] = []
    intent, waiting = False, [outermost]
    while waiting and len(layers) < _MAX_LAYERS:
        layer = {key: value for key, value in waiting.pop(0).items() if isinstance(key, str)}
        layers.append(_format_split(layer))
        if isinstance(layer.get("brief"), dict):
            briefs.append(_format_split(_only_brief(layer["brief"])))
        for wrapper in _WRAPPERS:
            inner = layer.get(wrapper)
            if isinstance(inner, str) and inner.lstrip().startswith("{"):
                inner = parsed(inner)
                if inner is None:
                    raise InvalidInput(f"{wrapper} holds no sound JSON: send it as an object")
            if isinstance(inner, dict):
                intent = intent or wrapper == "intent"
                waiting.append(inner)
    return [*reversed(layers), *briefs], intent


def _only_brief(brief: dict[str, Any]) -> dict[str, Any]:
    """``{briefs: [{…}]}`` as its one brief."""
    several = brief.get("briefs")
    if not isinstance(several, list):
        return brief
    if len(several) != 1 or not isinstance(several[0], dict):
        raise InvalidInput(f"brief holds {len(several)} briefs: send a request for each, with its one object")
    return several[0]


def _format_split(layer: dict[str, Any]) -> dict[str, Any]:
    """A format as older briefs had it, ``4:5 carousel``, as format and ratio."""
    parts = layer["format"].split(maxsplit=1) if isinstance(layer.get("format"), str) else []
    if len(parts) == 2 and ratio_named(parts[0]) and value_named("format", parts[1]):
        return {"ratio": parts[0], **layer, "format": parts[1]}
    return layer


def fields_of(document: object, shape: type[BaseModel]) -> dict[str, object]:
    """What ``document`` says for the fields of ``shape``, unchecked. Raises ``InvalidInput`` for what is no object."""
    layers, intent = _layers(document)
    folded = [{fold(key).replace(" ", ""): layer[key] for key in reversed(layer)} for layer in layers]

    def pick(field: str, fits: Callable[[object], bool] = lambda value: True) -> object:
        for name in names_of(field):
            exact = [layer.get(name) for layer in layers]
            for value in [*exact, *(layer.get(name.lower()) for layer in folded)]:
                if not _blank(value) and fits(value):
                    return value
        return None

    found = {field: pick(field) for field in shape.model_fields if field != "envelope"}
    if isinstance(found.get("topic"), dict):  # older briefs were objects, and are layers of their own
        found["topic"] = pick("topic", lambda value: not isinstance(value, dict))
    if found.get("goal") is None:  # older objectives were free text
        found["goal"] = pick("objective", lambda value: value_named("goal", value) is not None)
    pieces, carousel = pick("pieces"), value_named("format", found["format"]) == "carousel"
    if pieces is not None and (found["count"] is None or (carousel and found["count"] in (1, "1"))):
        found["count"] = pieces
    if value_named("carousel_mode", pick("carousel_mode")) == "background_only":
        found["background_only"] = True
    if intent:
        found["envelope"] = "intent"
    return {field: value for field, value in found.items() if value is not None}
