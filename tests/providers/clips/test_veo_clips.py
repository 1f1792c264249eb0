"""Veo's adapter against a real server that speaks Vertex AI's wire format."""

import base64
from collections.abc import Iterator
from pathlib import Path

import google.auth.credentials
import pytest

from maquette.errors import Filtered, Invalid, OutcomeUnknown, ProviderError, QuotaExceeded, Transient
from maquette.providers.catalogue import profile
from maquette.providers.clips.port import OperationState
from maquette.providers.clips.veo import VeoClips
from tests.providers.clip_contract import ClipContract, ClipRig, a_request
from tests.providers.clips.wire import MP4, Answer, Call, Server, serving

PROFILE = profile("clips", "veo")
MODEL = "projects/studio/locations/us-central1/publishers/google/models/veo-3.1-generate-001"
VIDEO = {"bytesBase64Encoded": base64.b64encode(MP4).decode(), "mimeType": "video/mp4"}
GUIDELINES = "The prompt could not be submitted: it might violate the usage guidelines."


class FakeVeo:
    tells = False

    def __init__(self) -> None:
        self.operations: dict[str, str | None] = {}
        self.polls: dict[str, int] = {}
        self.fault: str | None = None
        self.create: Answer | None = None
        self.read: Answer | None = None
        self.server: Server
        self.provider: VeoClips

    def next_submission(self, fault: str) -> None:
        self.fault = fault

    def taken(self) -> int:
        return len(self.operations)

    def handle(self, call: Call) -> Answer:
        if call.path.endswith(":predictLongRunning"):
            return self._create()
        if self.read is not None:
            return self.read
        name = str(call.body["operationName"])
        if name not in self.operations:
            return Answer(404, {"error": {"code": 404, "message": "no such operation", "status": "NOT_FOUND"}})
        self.polls[name] = self.polls.get(name, 0) + 1
        if self.operations[name] == "refuse":
            return Answer(200, {"name": name, "done": True, "error": {"code": 3, "message": GUIDELINES}})
        if self.operations[name] == "fail":
            return Answer(200, {"name": name, "done": True, "error": {"code": 13, "message": "internal"}})
        if self.polls[name] < 3:
            return Answer(200, {"name": name})
        return Answer(200, {"name": name, "done": True, "response": {"videos": [VIDEO]}})

    def _create(self) -> Answer:
        fault, self.fault = self.fault, None
        if fault == "throttle":
            error = {"code": 429, "message": "Resource exhausted, try later.", "status": "RESOURCE_EXHAUSTED"}
            return Answer(429, {"error": error}, {"Retry-After": "1"})
        if self.create is not None:
            return self.create
        name = f"{MODEL}/operations/{len(self.operations)}"
        self.operations[name] = fault
        return Answer(200, {"name": name}, hang_up=fault == "lose-answer")


class _NoCredentials(google.auth.credentials.Credentials):
    """A token that never needs refreshing."""

    def __init__(self) -> None:
        super().__init__()
        self.token = "ya29.secret"

    def refresh(self, request: object) -> None:
        raise AssertionError("tests do not reach Google")


@pytest.fixture
def fake() -> Iterator[FakeVeo]:
    rig = FakeVeo()
    with serving(rig.handle) as server:
        rig.server = server
        with VeoClips(
            "studio", profile=PROFILE, base_url=server.url, credentials=_NoCredentials(), timeout_s=5
        ) as provider:
            rig.provider = provider
            yield rig


class TestVeoContract(ClipContract):
    @pytest.fixture
    def rig(self, fake: FakeVeo) -> ClipRig:
        return fake


def test_what_is_sent(fake: FakeVeo) -> None:
    operation_id = fake.provider.submit(a_request(number=2), reference="b/1")
    fake.provider.poll(operation_id)
    create, look = fake.server.calls
    assert create.path.endswith(f"/{MODEL}:predictLongRunning")
    assert create.headers["authorization"] == "Bearer ya29.secret"
    instances, parameters = create.body["instances"], create.body["parameters"]
    assert isinstance(instances, list)
    assert isinstance(parameters, dict)
    assert instances[0]["prompt"].startswith("Suite de la scène précédente. Gros plan")
    assert 'Dialogue à générer en audio: "Le sucre est partout."' in instances[0]["prompt"]
    assert parameters | {
        "durationSeconds": 8, "aspectRatio": "9:16", "resolution": "720p", "generateAudio": True, "sampleCount": 1,
        "personGeneration": "allow_all",
    } == parameters  # fmt: skip
    assert look.path.endswith(f"/{MODEL}:fetchPredictOperation")
    assert look.body["operationName"] == operation_id


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, {"error": {"code": status, "message": message, "status": "X"}}, headers or {})


@pytest.mark.parametrize(
    ("answer", "kind", "code", "wait_s"),
    [
        (_error(400, "durationSeconds: unsupported"), Invalid, "provider_rejected", None),
        (_error(400, GUIDELINES), Filtered, "usage_guidelines", None),
        (_error(400, "The prompt names third-party content"), Filtered, "third_party_content", None),
        (_error(401, "no"), Invalid, "provider_rejected", None),
        (_error(403, "permission denied"), Invalid, "provider_rejected", None),
        (_error(404, "no such model"), Invalid, "provider_rejected", None),
        (_error(429, "Quota exceeded for aiplatform.googleapis.com"), QuotaExceeded, "quota_exceeded", None),
        (_error(429, "slow down", {"Retry-After": "9"}), Transient, "provider_unavailable", 9),
        (_error(500, "internal"), Transient, "provider_unavailable", None),
        (_error(503, "unavailable", {"Retry-After": "4"}), Transient, "provider_unavailable", 4),
        (_error(504, "deadline exceeded"), OutcomeUnknown, "outcome_unknown", None),
        (Answer(200, {}), OutcomeUnknown, "outcome_unknown", None),
        (Answer(200, b"<html>"), OutcomeUnknown, "outcome_unknown", None),
    ],
)
def test_every_answer_to_a_submission_has_its_error(
    fake: FakeVeo, answer: Answer, kind: type[ProviderError], code: str, wait_s: float | None
) -> None:
    fake.create = answer
    with pytest.raises(ProviderError) as error:
        fake.provider.submit(a_request(), reference="b/1")
    assert type(error.value) is kind
    assert error.value.code == code
    assert getattr(error.value, "retry_after_s", None) == wait_s
    assert len(fake.server.calls) == 1, "a POST is sent once"


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_name_what_to_check(fake: FakeVeo, status: int) -> None:
    fake.create = _error(status, "no")
    with pytest.raises(Invalid, match="GOOGLE_APPLICATION_CREDENTIALS") as error:
        fake.provider.submit(a_request(), reference="b/1")
    assert "ya29" not in str(error.value)


def _done(**more: object) -> Answer:
    return Answer(200, {"name": f"{MODEL}/operations/0", "done": True, **more})


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (_done(error={"code": 3, "message": GUIDELINES}), Filtered, "usage_guidelines"),
        (_done(error={"code": 3, "message": "bad prompt"}), Invalid, "provider_rejected"),
        (_done(error={"code": 8, "message": "quota"}), QuotaExceeded, "quota_exceeded"),
        (_done(error={"code": 14, "message": "unavailable"}), Transient, "provider_unavailable"),
        (
            _done(response={"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["Violates usage guidelines"]}),
            Filtered,
            "usage_guidelines",
        ),
        (
            _done(response={"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["third-party content provider"]}),
            Filtered,
            "third_party_content",
        ),
        (_done(response={}), Transient, "provider_unavailable"),
    ],
)
def test_every_bad_end_has_its_error(fake: FakeVeo, answer: Answer, kind: type[ProviderError], code: str) -> None:
    fake.read = answer
    with pytest.raises(ProviderError) as error:
        fake.provider.poll(f"{MODEL}/operations/0")
    assert type(error.value) is kind
    assert error.value.code == code
    assert error.value.values["operation_ended"] is True


def test_a_look_that_fails_does_not_end_the_operation(fake: FakeVeo) -> None:
    fake.read = _error(503, "unavailable")
    with pytest.raises(Transient) as error:
        fake.provider.poll(f"{MODEL}/operations/0")
    assert not error.value.values["operation_ended"]
    assert len(fake.server.calls) == 1


def test_a_server_that_is_not_there_took_nothing() -> None:
    with (
        VeoClips(
            "studio", profile=PROFILE, base_url="http://127.0.0.1:9", credentials=_NoCredentials(), timeout_s=2
        ) as provider,
        pytest.raises(Transient, match="cannot be reached"),
    ):
        provider.submit(a_request(), reference="b/1")


def test_a_clip_in_a_bucket_is_downloaded_from_there(
    fake: FakeVeo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = pytest.importorskip("google.cloud.storage")

    def bucket(call: Call) -> Answer:
        if "alt=media" in call.path and "clips" in call.path:
            return Answer(200, MP4)
        return Answer(404, {"error": {"code": 404, "message": "not here"}})

    with serving(bucket) as server:
        client = storage.Client(
            project="studio",
            credentials=google.auth.credentials.AnonymousCredentials(),
            client_options={"api_endpoint": server.url},
        )
        monkeypatch.setattr(storage, "Client", lambda: client)
        fake.read = _done(response={"videos": [{"gcsUri": "gs://clips/a/b.mp4", "mimeType": "video/mp4"}]})
        clip = fake.provider.fetch(f"{MODEL}/operations/0", tmp_path / "clip.mp4")
        assert clip.path.read_bytes() == MP4
        fake.read = _done(response={"videos": [{"gcsUri": "gs://gone/b.mp4", "mimeType": "video/mp4"}]})
        with pytest.raises(Invalid, match="no longer"):
            fake.provider.fetch(f"{MODEL}/operations/0", tmp_path / "gone.mp4")
        client.close()
    assert not (tmp_path / "gone.mp4").exists()


def test_a_seed_is_repeatable(fake: FakeVeo) -> None:
    fake.provider.submit(a_request(seed=41), reference="b/1")
    parameters = fake.server.calls[0].body["parameters"]
    assert isinstance(parameters, dict)
    assert parameters["seed"] == 41


def test_an_operation_that_succeeds_is_polled_to_its_end(fake: FakeVeo) -> None:
    operation_id = fake.provider.submit(a_request(), reference="b/1")
    states = [fake.provider.poll(operation_id).state for _ in range(3)]
    assert states == [OperationState.RUNNING, OperationState.RUNNING, OperationState.SUCCEEDED]
