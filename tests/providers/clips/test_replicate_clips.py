"""Replicate's adapter against a real server that speaks its wire format."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maquette.errors import Filtered, Invalid, OutcomeUnknown, ProviderError, QuotaExceeded, Transient
from maquette.providers.catalogue import profile
from maquette.providers.clips import translation
from maquette.providers.clips.port import OperationState
from maquette.providers.clips.replicate import ReplicateClips
from maquette.providers.replicate import seed_of
from tests.providers.clip_contract import ClipContract, ClipRig, a_request
from tests.providers.clips.wire import MP4, Answer, Call, Server, serving

TOKEN = "r8_very_secret_token"
PROFILE = profile("clips", "replicate")


class FakeReplicate:
    tells = True

    def __init__(self) -> None:
        self.predictions: list[dict[str, object]] = []
        self.polls: dict[str, int] = {}
        self.fault: str | None = None
        self.create: Answer | None = None
        self.read: Answer | None = None
        self.server: Server
        self.provider: ReplicateClips

    def next_submission(self, fault: str) -> None:
        self.fault = fault

    def taken(self) -> int:
        return len(self.predictions)

    def handle(self, call: Call) -> Answer:
        if call.path.startswith("/files/"):
            return Answer(200, MP4)
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"title": "Unauthenticated", "detail": f"no such token {TOKEN}", "status": 401})
        if call.method == "POST":
            return self._create(call)
        if self.read is not None:
            return self.read
        if call.path.startswith("/v1/predictions/"):
            return self._get(call.path.rpartition("/")[2])
        page = [{**one, "output": None} for one in reversed(self.predictions)]
        return Answer(200, {"previous": None, "next": None, "results": page})

    def _create(self, call: Call) -> Answer:
        fault, self.fault = self.fault, None
        if fault == "throttle":
            detail = "Request was throttled. Your rate limit resets in ~1s."
            return Answer(429, {"title": "Too many requests", "detail": detail, "status": 429})
        if self.create is not None:
            return self.create
        prediction: dict[str, object] = {
            "id": f"pred{len(self.predictions)}",
            "model": call.path.removeprefix("/v1/models/").removesuffix("/predictions"),
            "version": "hidden",
            "status": "starting",
            "input": call.body["input"],
            "created_at": datetime.now(UTC).isoformat(),
            "data_removed": False,
            "fault": fault,
        }
        self.predictions.append(prediction)
        return Answer(201, prediction, hang_up=fault == "lose-answer")

    def _get(self, name: str) -> Answer:
        found = next((one for one in self.predictions if one["id"] == name), None)
        if found is None:
            return Answer(404, {"title": "Not found", "detail": "no such prediction", "status": 404})
        self.polls[name] = self.polls.get(name, 0) + 1
        if found["fault"] == "refuse":
            error = "The prompt was flagged: it violates the usage guidelines. (E005)"
            return Answer(200, {**found, "status": "failed", "error": error})
        if found["fault"] == "fail":
            return Answer(200, {**found, "status": "failed", "error": "CUDA out of memory"})
        status = ["starting", "processing", "succeeded"][min(2, self.polls[name] - 1)]
        output = f"{self.server.url}/files/out.mp4" if status == "succeeded" else None
        return Answer(200, {**found, "status": status, "output": output})


@pytest.fixture
def fake() -> Iterator[FakeReplicate]:
    rig = FakeReplicate()
    with serving(rig.handle) as server:
        rig.server = server
        with ReplicateClips(TOKEN, profile=PROFILE, base_url=server.url, timeout_s=5) as provider:
            rig.provider = provider
            yield rig


class TestReplicateContract(ClipContract):
    @pytest.fixture
    def rig(self, fake: FakeReplicate) -> ClipRig:
        return fake


def test_what_is_sent(fake: FakeReplicate) -> None:
    fake.provider.submit(a_request(number=2), reference="b/1")
    call = fake.server.calls[0]
    assert (call.method, call.path) == ("POST", "/v1/models/google/veo-3.1-fast/predictions")
    sent = call.body["input"]
    assert isinstance(sent, dict)
    assert sent["prompt"].startswith("Suite de la scène précédente. Gros plan")
    assert (sent["duration"], sent["aspect_ratio"], sent["resolution"]) == (8, "9:16", "720p")
    assert sent["seed"] == seed_of("b/1")


def test_the_token_does_not_reach_the_host_of_the_files(fake: FakeReplicate, tmp_path: Path) -> None:
    operation_id = fake.provider.submit(a_request(), reference="b/1")
    while fake.provider.poll(operation_id).state is not OperationState.SUCCEEDED:
        pass
    fake.provider.fetch(operation_id, tmp_path / "clip.mp4")
    files = [call for call in fake.server.calls if call.path.startswith("/files/")]
    assert files
    assert all("authorization" not in call.headers for call in files)


def test_an_output_beyond_the_limit_is_refused(
    fake: FakeReplicate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation_id = fake.provider.submit(a_request(), reference="b/1")
    while fake.provider.poll(operation_id).state is not OperationState.SUCCEEDED:
        pass
    monkeypatch.setattr(translation, "MAX_CLIP_BYTES", 10)
    with pytest.raises(Invalid, match="larger than 10 bytes"):
        fake.provider.fetch(operation_id, tmp_path / "clip.mp4")
    assert not (tmp_path / "clip.mp4").exists()


ERRORS = [
    (400, "bad input", None, Invalid, "provider_rejected", None),
    (402, "Insufficient credit", None, QuotaExceeded, "quota_exceeded", None),
    (403, "forbidden", None, Invalid, "provider_rejected", None),
    (404, "no such model", None, Invalid, "provider_rejected", None),
    (422, "duration: must be one of 4, 6, 8", None, Invalid, "provider_rejected", None),
    (422, "The prompt was flagged by content policy", None, Filtered, "usage_guidelines", None),
    (422, "Output may contain third-party content", None, Filtered, "third_party_content", None),
    (429, "Your rate limit resets in ~30s.", None, Transient, "provider_unavailable", 30),
    (429, "slow down", "7", Transient, "provider_unavailable", 7),
    (429, "monthly quota exceeded", "60", QuotaExceeded, "quota_exceeded", 60),
    (500, "oops", None, Transient, "provider_unavailable", None),
    (503, "overloaded", "3", Transient, "provider_unavailable", 3),
    (504, "gateway timeout", None, OutcomeUnknown, "outcome_unknown", None),
]


@pytest.mark.parametrize(("status", "detail", "header", "kind", "code", "wait_s"), ERRORS)
def test_every_answer_to_a_submission_has_its_error(
    fake: FakeReplicate,
    status: int,
    detail: str,
    header: str | None,
    kind: type[ProviderError],
    code: str,
    wait_s: float | None,
) -> None:
    headers = {} if header is None else {"Retry-After": header}
    fake.create = Answer(status, {"title": "t", "detail": detail, "status": status}, headers)
    with pytest.raises(ProviderError) as error:
        fake.provider.submit(a_request(), reference="b/1")
    assert type(error.value) is kind
    assert error.value.code == code
    assert getattr(error.value, "retry_after_s", None) == wait_s
    assert len(fake.server.calls) == 1, "a POST is sent once"


def test_a_wrong_token_names_the_variable_and_never_itself(fake: FakeReplicate) -> None:
    with (
        ReplicateClips("r8_other", profile=PROFILE, base_url=fake.server.url) as provider,
        pytest.raises(Invalid, match="MAQUETTE_REPLICATE_API_TOKEN") as error,
    ):
        provider.submit(a_request(), reference="b/1")
    assert "r8_other" not in str(error.value)
    fake.create = Answer(400, {"detail": f"what is {TOKEN}?", "status": 400})
    with pytest.raises(Invalid) as echoed:
        fake.provider.submit(a_request(), reference="b/1")
    assert TOKEN not in str(echoed.value)


@pytest.mark.parametrize("change", [{"version": None}, {"status": "aborted"}, {"status": "queued"}])
def test_an_answer_that_the_package_cannot_read_is_still_an_order(
    fake: FakeReplicate, change: dict[str, object]
) -> None:
    body: dict[str, object] = {"id": "abc123", "model": "o/m", "version": "hidden", "status": "starting", "input": {}}
    fake.create = Answer(201, body | change)
    assert fake.provider.submit(a_request(), reference="b/1") == "abc123"


def test_an_answer_that_nobody_can_read_is_an_unknown_outcome(fake: FakeReplicate) -> None:
    fake.create = Answer(201, b"<html>hello</html>")
    with pytest.raises(OutcomeUnknown):
        fake.provider.submit(a_request(), reference="b/1")


@pytest.mark.parametrize("status", ["canceled", "aborted", "failed"])
def test_ends_without_a_clip_are_told_as_such(fake: FakeReplicate, status: str) -> None:
    fake.read = Answer(200, {"id": "abc", "status": status, "version": None})
    with pytest.raises(Transient, match=status) as error:
        fake.provider.poll("abc")
    assert error.value.values["operation_ended"] is True


def test_a_look_that_fails_does_not_end_the_operation_and_is_not_repeated(fake: FakeReplicate) -> None:
    fake.read = Answer(503, {"detail": "down"}, {"Retry-After": "600"})
    with pytest.raises(Transient) as error:
        fake.provider.poll("abc")
    assert not error.value.values["operation_ended"]
    assert error.value.retry_after_s == 600
    assert len(fake.server.calls) == 1


def test_a_server_that_is_not_there_took_nothing() -> None:
    with (
        ReplicateClips(TOKEN, profile=PROFILE, base_url="http://127.0.0.1:9", timeout_s=2) as provider,
        pytest.raises(Transient, match="cannot be reached"),
    ):
        provider.submit(a_request(), reference="b/1")


def test_a_call_whose_input_may_have_been_removed_cannot_be_told(fake: FakeReplicate) -> None:
    fake.provider.submit(a_request(), reference="b/1")
    long_ago = datetime.now(UTC) - timedelta(hours=5)
    fake.predictions[0] |= {"input": {}, "data_removed": True, "created_at": long_ago.isoformat()}
    with pytest.raises(OutcomeUnknown):
        fake.provider.find("b/1")
    assert fake.provider.find("b/1", since=datetime.now(UTC) - timedelta(hours=1)) is None
