"""Gemini's adapter for images against a real server that speaks its wire format, and its spool."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import google.auth.credentials
import google.auth.exceptions
import pytest

from maquette.errors import (
    Filtered,
    Invalid,
    OutcomeUnknown,
    ProviderError,
    QuotaExceeded,
    StorageError,
    Transient,
)
from maquette.providers.catalogue import profile
from maquette.providers.images.gemini import GeminiImages
from maquette.providers.images.spool import Record, Spool
from tests.providers.clips.wire import Answer, Call, Server, serving
from tests.providers.image_contract import ImageContract, ImageRig, a_file, a_picture, a_request, finished

KEY = "AIza-very-secret"
PROFILE = profile("images", "gemini")


def _picture(data: bytes, **more: object) -> dict[str, object]:
    return {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(data).decode()}, **more}


def _candidate(reason: str, *parts: dict[str, object], **more: object) -> dict[str, object]:
    content = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    return {"candidates": [{"finishReason": reason, "index": 0, **content, **more}]}


class FakeGemini:
    tells, tells_lost = True, False

    def __init__(self) -> None:
        self.fault: str | None = None
        self.answer: Answer | None = None
        self.made = 0
        self.server: Server
        self.provider: GeminiImages

    def next_submission(self, fault: str) -> None:
        self.fault = fault

    def taken(self) -> int:
        return self.made

    def handle(self, call: Call) -> Answer:
        fault, self.fault = self.fault, None
        if fault == "throttle":
            delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}
            error = {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED", "details": [delay]}
            return Answer(429, {"error": error})
        if self.answer is not None:
            return self.answer
        self.made += 1
        if fault == "refuse":
            return Answer(200, _candidate("IMAGE_SAFETY", finishMessage="It violates the usage guidelines."))
        if fault == "fail":
            return Answer(200, _candidate("MAX_TOKENS"))
        body = _candidate("STOP", {"text": "Here it is."}, _picture(a_picture()))
        return Answer(200, body, hang_up=fault == "lose-answer")


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeGemini]:
    rig = FakeGemini()
    with serving(rig.handle) as server:
        rig.server = server
        with GeminiImages(
            tmp_path / "spool", profile=PROFILE, api_key=KEY, base_url=server.url, timeout_s=5
        ) as provider:
            rig.provider = provider
            yield rig


class TestGeminiContract(ImageContract):
    @pytest.fixture
    def rig(self, fake: FakeGemini) -> ImageRig:
        return fake


def test_what_is_sent(fake: FakeGemini, tmp_path: Path) -> None:
    digest, path = a_file(tmp_path, a_picture(form="JPEG"))
    request = a_request(avoid=("des gens",), references=(digest,), ratio="yt-thumb", seed=7)
    fake.provider.submit(request, reference="a/1", files=[path])
    call = fake.server.calls[0]
    assert call.method == "POST"
    assert call.path.endswith("/models/gemini-3.1-flash-image:generateContent")
    assert call.headers["x-goog-api-key"] == KEY
    sent: Any = call.body
    text, picture = sent["contents"][0]["parts"]
    assert text == {"text": f"{request.prompt}\n\nDo not show: des gens."}
    assert "image/jpeg" in picture["inlineData"].values()
    config = sent["generationConfig"]
    assert config["responseModalities"] == ["TEXT", "IMAGE"]
    assert config["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "1K"}
    assert config["seed"] == 7


def test_a_draft_among_the_thoughts_is_not_the_picture(fake: FakeGemini, tmp_path: Path) -> None:
    parts = _picture(a_picture("#ff0000"), thought=True), _picture(a_picture("#00ff00"))
    fake.answer = Answer(200, _candidate("STOP", *parts))
    path = fake.provider.fetch(finished(fake.provider, a_request()), tmp_path / "picture")
    assert path.read_bytes() == a_picture("#00ff00")


REFUSALS: list[tuple[dict[str, object], str]] = [
    (_candidate("IMAGE_SAFETY"), "usage_guidelines"),
    (_candidate("IMAGE_PROHIBITED_CONTENT"), "usage_guidelines"),
    (_candidate("IMAGE_RECITATION"), "third_party_content"),
    (_candidate("NO_IMAGE"), "usage_guidelines"),
    (_candidate("IMAGE_OTHER"), "usage_guidelines"),
    (_candidate("PROHIBITED_CONTENT"), "usage_guidelines"),
    (_candidate("STOP", {"text": "I cannot draw that."}), "usage_guidelines"),
    ({"promptFeedback": {"blockReason": "SAFETY"}}, "usage_guidelines"),
]


@pytest.mark.parametrize(("body", "code"), REFUSALS)
def test_every_shape_of_a_refusal_is_one(fake: FakeGemini, body: dict[str, object], code: str) -> None:
    fake.answer = Answer(200, body)
    operation_id = fake.provider.submit(a_request(), reference="a/1", files=[])
    for _ in range(2):  # the spool remembers
        with pytest.raises(Filtered) as refusal:
            fake.provider.poll(operation_id)
        assert refusal.value.code == code
    with pytest.raises(Invalid, match="no picture"):
        fake.provider.fetch(operation_id, Path("never"))


@pytest.mark.parametrize("body", [_candidate("MAX_TOKENS"), _candidate("OTHER"), _candidate("STOP"), {}])
def test_other_ends_without_a_picture_are_worth_another_try(fake: FakeGemini, body: dict[str, object]) -> None:
    fake.answer = Answer(200, body)
    operation_id = fake.provider.submit(a_request(), reference="a/1", files=[])
    with pytest.raises(Transient) as failure:
        fake.provider.poll(operation_id)
    assert failure.value.values["operation_ended"] is True


ERRORS = [
    (400, "Invalid aspect ratio", Invalid),
    (400, "The prompt was blocked by our safety filters", Filtered),
    (403, f"API key {KEY} is not valid", Invalid),
    (429, "You exceeded your current quota", QuotaExceeded),
    (500, "An internal error has occurred", Transient),
    (503, "The model is overloaded", Transient),
]


@pytest.mark.parametrize(("status", "message", "kind"), ERRORS)
def test_an_answer_with_an_error_took_nothing_and_may_be_sent_again(
    fake: FakeGemini, status: int, message: str, kind: type[ProviderError]
) -> None:
    fake.answer = Answer(status, {"error": {"code": status, "message": message, "status": "X"}})
    with pytest.raises(ProviderError) as error:
        fake.provider.submit(a_request(), reference="a/1", files=[])
    assert type(error.value) is kind
    assert KEY not in str(error.value)
    assert len(fake.server.calls) == 1, "a POST is sent once"
    assert fake.provider.find("a/1") is None
    fake.answer = None
    assert finished(fake.provider, a_request(), "a/1")


def test_a_gateway_that_gave_up_leaves_the_outcome_unknown(fake: FakeGemini) -> None:
    fake.answer = Answer(504, {"error": {"code": 504, "message": "Deadline", "status": "DEADLINE_EXCEEDED"}})
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            fake.provider.submit(a_request(), reference="a/1", files=[])
        with pytest.raises(OutcomeUnknown):
            fake.provider.find("a/1")
    assert len(fake.server.calls) == 1, "what may have been taken is not sent again"


def test_a_server_that_is_not_there_took_nothing(tmp_path: Path) -> None:
    with GeminiImages(
        tmp_path, profile=PROFILE, api_key=KEY, base_url="http://127.0.0.1:9", timeout_s=2
    ) as provider:  # fmt: skip
        with pytest.raises(Transient, match="cannot be reached"):
            provider.submit(a_request(), reference="a/1", files=[])
        assert provider.find("a/1") is None


def test_one_reference_is_one_call(fake: FakeGemini) -> None:
    first = finished(fake.provider, a_request())
    assert fake.provider.submit(a_request(), reference="order-1/call-1", files=[]) == first
    assert fake.taken() == 1


def test_an_answer_that_cannot_be_kept_is_not_asked_for_again(
    fake: FakeGemini, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("maquette.providers.images.spool.write_atomically", full)
        with pytest.raises(OutcomeUnknown, match="could not be kept"):
            fake.provider.submit(a_request(), reference="a/1", files=[])
    with pytest.raises(OutcomeUnknown):
        fake.provider.submit(a_request(), reference="a/1", files=[])
    assert fake.taken() == 1


def test_a_picture_that_left_the_spool_is_a_storage_error(fake: FakeGemini, tmp_path: Path) -> None:
    operation_id = finished(fake.provider, a_request())
    Spool(tmp_path / "spool").picture(operation_id).unlink()
    with pytest.raises(StorageError):
        fake.provider.fetch(operation_id, tmp_path / "picture")


def test_the_spool_tells_only_of_the_time_that_it_has_seen(tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    spool = Spool(tmp_path / "spool")
    with pytest.raises(OutcomeUnknown, match="does not reach back"):
        spool.find("a/1", since=before)
    assert spool.find("a/1", since=datetime.now(UTC)) is None
    spool.finish(Record(at=before, reference="a/1", outcome="refused", message="no"))
    assert spool.find("a/1", since=before) is not None
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert spool.prune(later) == 1
    with pytest.raises(OutcomeUnknown, match="does not reach back"):
        Spool(tmp_path / "spool").find("a/1", since=datetime.now(UTC))


class _Credentials(google.auth.credentials.Credentials):
    def refresh(self, request: object) -> None:
        self.token = "token"


def test_vertex_ai_takes_a_project_instead_of_a_key(fake: FakeGemini, tmp_path: Path) -> None:
    with GeminiImages(
        tmp_path / "other", profile=PROFILE, project="p1", location="global", credentials=_Credentials(),
        base_url=fake.server.url, timeout_s=5,
    ) as provider:  # fmt: skip
        finished(provider, a_request())
    path = fake.server.calls[0].path
    assert path.endswith(
        "/projects/p1/locations/global/publishers/google/models/gemini-3.1-flash-image:generateContent"
    )
    assert fake.server.calls[0].headers["authorization"] == "Bearer token"


def test_vertex_ai_without_credentials_says_what_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise google.auth.exceptions.DefaultCredentialsError("none")

    monkeypatch.setattr("google.auth.default", none)
    with GeminiImages(tmp_path, profile=PROFILE, project="p1", location="global") as provider:
        with pytest.raises(Invalid, match="Google credentials"):
            provider.submit(a_request(), reference="a/1", files=[])
        assert provider.find("a/1") is None
