"""Requests as clients of every age send them: one normal form, or one clear refusal."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.errors import InvalidInput
from maquette.intake.requests import MediaRequest, parse_estimate, parse_request
from maquette.intake.words import names_of

BRAND = UUID("7d3f1c9e-0000-4000-8000-000000000001")
ASSET = UUID("7d3f1c9e-0000-4000-8000-000000000002")
SPEC = {"format": "carousel", "count": 5, "topic": "Les tendances", "brandId": str(BRAND), "ratio": "4:5"}

EQUAL: dict[str, object] = {
    "spec": SPEC,
    "payload": {"payload": SPEC},
    "data": {"data": SPEC},
    "body as text": {"body": json.dumps(SPEC)},
    "all as text": json.dumps(SPEC),
    "head": {
        "kind": "carousel",
        "slides": 5,
        "prompt": "Les tendances",
        "brand_id": str(BRAND),
        "aspect_ratio": "4:5",
    },
    "older names": {
        "type": "carrousel",
        "numSlides": "5",
        "description": "Les tendances",
        "brand-id": str(BRAND),
        "aspectRatio": "1080x1350",
    },
    "brief object": {
        "brandId": str(BRAND),
        "format": "carousel",
        "brief": {"briefs": [{"content": "Les tendances", "format": "4:5 carousel", "numSlides": 5}]},
    },
    "brief with a text": {"brandId": str(BRAND), "brief": {"content": "Les tendances", "format": "4:5 carousel"}},
    "one carousel of five": {**SPEC, "count": 1, "slides": 5},
    "numbers and names loosely": {**SPEC, "count": "5.0", "format": "Carrousels", "ratio": " Portrait "},
    "unknown fields": {**SPEC, "brief_meta": {"x": 1}, "jobId": "j", "count": 5.0},
    "empty fields": {**SPEC, "prompt": "", "userId": None, "generatedTexts": {}, "platform": " "},
    "the spec's names win": {
        **SPEC,
        "slides": 9,
        "prompt": "autre",
        "kind": "video",
        "brand_id": "x",
        "aspect_ratio": "x",
    },
    "the inner wins": {"format": "image", "topic": "autre", "payload": SPEC},
}


@pytest.mark.parametrize("document", EQUAL.values(), ids=EQUAL.keys())
def test_every_spelling_is_one_request(document: object) -> None:
    assert parse_request(document) == parse_request(SPEC)


def test_the_normal_form_of_the_specification() -> None:
    request = parse_request(SPEC)
    assert (request.format, request.count, request.ratio, request.brand_id) == ("carousel", 5, "4:5", BRAND)
    assert (request.language, request.seed, request.variants, request.envelope) == ("fr", 0, 1, "plain")
    assert (request.use_brand_kit, request.background_only, request.pdf) == (True, False, False)
    assert (request.carousel_type, request.slide_format, request.campaign_name) == ("content", "jpeg", "Les tendances")
    assert (request.duration_s, request.texts, request.references, request.idempotency_key) == (None, None, [], None)


def test_the_older_envelope() -> None:
    request = parse_request(
        {"userId": "u1", "intent": {"brandId": str(BRAND), "format": "image", "count": 3, "topic": "Un chat"}}
    )
    assert (request.envelope, request.user_id, request.count, request.topic) == ("intent", "u1", 3, "Un chat")


@pytest.mark.parametrize("place", [{"userId": "u"}, {"user_id": "u"}, {"intent": {"userId": "u"}}])
def test_places_of_the_user(place: dict[str, Any]) -> None:
    assert parse_request({"topic": "x", **place}).user_id == "u"


@pytest.mark.parametrize(
    ("document", "field", "value"),
    [
        ({}, "format", "image"),
        ({}, "count", 1),
        ({"format": "images"}, "format", "image"),
        ({"format": "carousel"}, "count", 5),
        ({"format": "carousel", "generatedTexts": {"slides": [{}] * 7}}, "count", 7),
        ({"format": "carousel", "generatedTexts": [{}, {}, {}]}, "count", 3),
        ({"format": "carousel", "generatedTexts": {"slides": [{}] * 11}}, "count", 5),
        ({"format": "reels"}, "format", "video"),
        ({"format": "video_premium"}, "format", "video"),
        ({"type": "generate_video"}, "format", "video"),
        ({"format": "Vidéo"}, "duration_s", 15),
        ({"format": "video", "duration": 30}, "duration_s", 30),
        ({"format": "video", "durationSeconds": "8s"}, "duration_s", 8),
        ({"format": "video", "duration_seconds": "60 secondes"}, "duration_s", 60),
        ({"duration": 99}, "duration_s", None),
        ({"platform": "instagram"}, "ratio", "1:1"),
        ({"platform": "Insta", "format": "carousel"}, "ratio", "4:5"),
        ({"format": "carousel"}, "ratio", "1:1"),
        ({"platform": "tiktok"}, "ratio", "9:16"),
        ({"platform": "pinterest", "format": "carousel"}, "ratio", "2:3"),
        ({"platform": "linkedin", "format": "carousel"}, "ratio", "1:1"),
        ({"platform": "youtube"}, "ratio", "16:9"),
        ({"platform": "facebook"}, "ratio", "1:1"),
        ({"format": "video"}, "ratio", "9:16"),
        ({"format": "video", "platform": "instagram"}, "ratio", "9:16"),
        ({"format": "video", "platform": "youtube"}, "ratio", "16:9"),
        ({"ratio": "4/5"}, "ratio", "4:5"),
        ({"ratio": "1920×1080 px"}, "ratio", "16:9"),
        ({"ratio": "1024x1024"}, "ratio", "1:1"),
        ({"ratio": "carré"}, "ratio", "1:1"),
        ({"ratio": "story"}, "ratio", "9:16"),
        ({"ratio": "1080x1620"}, "ratio", "2:3"),
        ({"ratio": "1280x720"}, "ratio", "yt-thumb"),
        ({"ratio": "yt_thumb"}, "ratio", "yt-thumb"),
        ({"ratio": "1280x720", "format": "video"}, "ratio", "16:9"),
        ({"ratio": "portrait", "format": "video"}, "ratio", "9:16"),
        ({"language": "en-GB"}, "language", "en"),
        ({"language": "Español"}, "language", "es"),
        ({"goal": "Notoriété"}, "goal", "notoriete"),
        ({"objective": "attirer du monde"}, "goal", ""),
        ({"objective": "ventes"}, "goal", "vente"),
        ({"goal": "lead", "objective": "ventes"}, "goal", "lead"),
        ({"useBrandKit": "false"}, "use_brand_kit", False),
        ({"use_brand_kit": 0}, "use_brand_kit", False),
        ({"carouselMode": "background_only"}, "background_only", True),
        ({"carouselMode": "standard"}, "background_only", False),
        ({"carouselType": "citations"}, "carousel_type", "citation"),
        ({"visualStyle": "aquarelle"}, "visual_style", "aquarelle"),
        ({"colorMode": "Pastel"}, "color_mode", "pastel"),
        ({"slideFormat": "JPG"}, "slide_format", "jpeg"),
        ({"referenceImageUrl": str(ASSET)}, "references", [ASSET]),
        ({"references": [str(ASSET), str(ASSET)]}, "references", [ASSET]),
        ({"generatedTexts": '{"text": {"title": "T"}}'}, "texts", {"text": {"title": "T"}}),
        ({"idempotencyKey": " k1 "}, "idempotency_key", "k1"),
        ({"campaignName": "Rentrée"}, "campaign_name", "Rentrée"),
        ({"topic": "a\tb\nc"}, "topic", "a b c"),
        ({"topic": "é" * 300}, "campaign_name", "é" * 120),
    ],
)
def test_single_fields(document: dict[str, Any], field: str, value: object) -> None:
    assert getattr(parse_request({"topic": "Un thème", **document}), field) == value


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"format": "gif"}, "format is 'gif': it may be image, carousel or video"),
        ({"count": 21}, "count is 21: it may be 1 to 20 images"),
        ({"count": 0}, "count is 0"),
        ({"count": True}, "count is True"),
        ({"count": 2.5}, "count is 2.5"),
        ({"count": float("inf")}, "count is inf"),
        ({"count": "zwei"}, "count is 'zwei'"),
        ({"format": "carousel", "count": 1}, "count is 1: it may be 3 to 10 slides"),
        ({"format": "carousel", "slides": 11}, "count is 11: it may be 3 to 10 slides"),
        ({"format": "video", "count": 5}, "count is 5: it may be 1 to 4 videos"),
        ({"variants": 5}, "variants is 5: it may be 1 to 4"),
        ({"topic": ""}, "topic is missing"),
        ({"topic": "\u200b"}, "topic is "),
        ({"topic": "x" * 2001}, "1 to 2000 characters"),
        ({"topic": 7}, "topic is 7"),
        ({"topic": "x" * 501, "format": "video"}, "500 for a video"),
        ({"brandId": "brand-123"}, "brandId is 'brand-123': it may be the brand's UUID"),
        ({"ratio": "3:4"}, "ratio is '3:4': it may be 1:1, 4:5, 9:16, 16:9, 2:3 or yt-thumb"),
        ({"ratio": "0:0"}, "ratio is '0:0'"),
        ({"ratio": "2:3", "format": "video"}, "ratio is '2:3': it may be 9:16, 1:1, 16:9, 4:5 for a video"),
        ({"format": "video", "duration": 90}, "duration is 90: it may be 8 to 78 seconds"),
        ({"format": "video", "duration": "a while"}, "duration is 'a while'"),
        ({"platform": "myspace"}, "platform is 'myspace'"),
        ({"language": "de"}, "language is 'de': it may be fr, en or es"),
        ({"seed": 2**31}, "seed is 2147483648"),
        ({"goal": "fun"}, "goal is 'fun'"),
        ({"useBrandKit": "peut-être"}, "useBrandKit is 'peut-être': it may be true or false"),
        ({"referenceImageUrl": "https://x.test/a.png"}, "upload the picture and give its asset's id"),
        ({"references": ["data:image/png;base64,AAAA"]}, "upload the picture"),
        ({"references": ["chat.png"]}, "UUIDs of up to 8 assets"),
        ({"references": [str(UUID(int=n)) for n in range(9)]}, "up to 8"),
        ({"generatedTexts": "Bonjour"}, "generatedTexts is 'Bonjour'"),
        ({"generatedTexts": {"a": float("nan")}}, "generatedTexts is"),
        ({"generatedTexts": {"a": "x" * 50_001}}, "50000 characters"),
        ({"body": "{no"}, "body holds no sound JSON"),
        ({"brief": {"briefs": [{"content": "a"}, {"content": "b"}]}}, "a request for each"),
    ],
)
def test_wrong_fields_are_named_with_what_they_may_be(document: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_request({"topic": "Un thème", **document})
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "document",
    [
        {"topic": "a\x00b"},
        {"topic": "a\u202eb"},
        {"topic": "a", "tone": "\x1b"},
        {"topic": "a", "texts": [{"\x00": 1}]},
    ],
)
def test_control_characters_have_their_code(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="remove it") as refused:
        parse_request(document)
    assert refused.value.code == "control_character"
    assert "U+" in refused.value.text("fr")


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_request({"format": "gif", "ratio": "3:4", "seed": -1, "topic": "\x00", "campaignName": "x" * 121})
    details = refused.value.values["details"]
    assert isinstance(details, list)
    assert [each["field"] for each in details] == ["format", "ratio", "topic", "seed", "campaignName"]
    assert all(each["message"] in str(refused.value) for each in details)
    assert refused.value.code == "invalid_input"


@pytest.mark.parametrize("document", [None, 5, [], "x", "[1]", b"{}", True])
def test_what_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(InvalidInput, match="no JSON object"):
        parse_request(document)


def test_an_estimate_needs_no_topic() -> None:
    estimate = parse_estimate({"type": "reel", "durationSeconds": "30", "brand_id": str(BRAND)})
    assert (estimate.format, estimate.duration_s, estimate.count, estimate.brand_id) == ("video", 30, 1, BRAND)
    with pytest.raises(InvalidInput, match="count is 50"):
        parse_estimate({"count": 50})


def test_every_field_has_names_and_advice() -> None:
    for name, field in MediaRequest.model_fields.items():
        assert field.description
        assert name == "envelope" or names_of(name)


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["image", "5", "9:16"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_NAMES = sorted({name for field in MediaRequest.model_fields if field != "envelope" for name in names_of(field)})
_bodies = st.dictionaries(
    st.sampled_from([*_NAMES, "slides", "intent", "payload", "body", "data", "carouselMode", "objective"]),
    _values | st.dictionaries(st.sampled_from([*_NAMES, "briefs", "slides"]), _values, max_size=4),
    max_size=6,
)


@settings(deadline=None, max_examples=150)
@given(_values | _bodies | _bodies.map(lambda body: {"topic": "Un thème", **body}))
def test_any_value_is_a_request_or_refused(document: object) -> None:
    for parse in (parse_request, parse_estimate):
        try:
            request = parse(document)
        except InvalidInput:
            continue
        assert type(request).model_validate(request.model_dump(mode="json")) == request
