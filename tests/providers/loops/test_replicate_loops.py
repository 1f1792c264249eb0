"""Replicate's adapter for loops against a real server that speaks its wire format."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maquette.errors import (
    ConfigurationError,
    Filtered,
    Invalid,
    OutcomeUnknown,
    ProviderError,
    QuotaExceeded,
    Transient,
)
from maquette.providers.catalogue import profile
from maquette.providers.clips import translation
from maquette.providers.loops.local import render
from maquette.providers.loops.replicate import ReplicateLoops
from maquette.providers.replicate import seed_of
from tests.providers.clips.wire import Answer, Call, Server, serving
from tests.providers.loop_contract import PICTURE, LoopContract, LoopRig, a_file, a_request, finished

TOKEN = "r8_very_secret_token"
WAN = profile("loops", "replicate", "wan-video/wan-2.2-i2v-fast")


class FakeReplicate:
    tells = True

    def __init__(self, clip: bytes) -> None:
        self.predictions: list[dict[str, object]] = []
        self.polls: dict[str, int] = {}
        self.fault: str | None = None
        self.create: Answer | None = None
        self.upload = Answer(201, {"id": "f1", "urls": {"get": "https://example.com/files/f1"}})
        self.ended: dict[str, object] = {"status": "succeeded"}
        self.file = Answer(200, clip)
        self.server: Server
        self.provider: ReplicateLoops

    def next_submission(self, fault: str) -> None:
        self.fault = fault

    def taken(self) -> int:
        return len(self.predictions)

    def handle(self, call: Call) -> Answer:
        if call.path.startswith("/out/"):
            return self.file
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"detail": f"no such token {TOKEN}", "status": 401})
        if call.path == "/v1/files":
            return self.upload
        if call.method == "POST":
            return self._create(call)
        if call.path.startswith("/v1/predictions/"):
            return self._get(call.path.rpartition("/")[2])
        return Answer(200, {"next": None, "results": list(reversed(self.predictions))})

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
            "version": None,
            "status": "starting",
            "input": call.body["input"],
            "created_at": datetime.now(UTC).isoformat(),
            "fault": fault,
        }
        self.predictions.append(prediction)
        return Answer(201, prediction, hang_up=fault == "lose-answer")

    def _get(self, name: str) -> Answer:
        found = next((one for one in self.predictions if one["id"] == name), None)
        if found is None:
            return Answer(404, {"detail": "no such prediction", "status": 404})
        self.polls[name] = self.polls.get(name, 0) + 1
        if found["fault"] == "refuse":
            error = "The prompt was flagged: it violates the usage guidelines. (E005)"
            return Answer(200, {**found, "status": "failed", "error": error})
        if found["fault"] == "fail":
            return Answer(200, {**found, "status": "failed", "error": "CUDA out of memory"})
        if self.polls[name] < 3:
            return Answer(200, {**found, "status": ["starting", "processing"][self.polls[name] - 1]})
        return Answer(200, {**found, "output": f"{self.server.url}/out/0.mp4", **self.ended})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    made = tmp_path_factory.mktemp("clip") / "clip.mp4"
    render.pattern(a_request(), made)
    return made.read_bytes()


@pytest.fixture
def fake(clip: bytes) -> Iterator[FakeReplicate]:
    rig = FakeReplicate(clip)
    with serving(rig.handle) as server:
        rig.server = server
        with ReplicateLoops(TOKEN, profile=WAN, base_url=server.url, timeout_s=5) as provider:
            rig.provider = provider
            yield rig


class TestWanContract(LoopContract):
    @pytest.fixture
    def rig(self, fake: FakeReplicate) -> LoopRig:
        return fake


def test_what_is_sent_is_what_the_catalogue_says(fake: FakeReplicate, tmp_path: Path) -> None:
    request = a_request(frames=121, width=720, height=720)
    fake.provider.submit(request, reference="b/1", image=a_file(tmp_path))
    assert fake.predictions[0]["model"] == "wan-video/wan-2.2-i2v-fast"
    sent = fake.predictions[0]["input"]
    assert isinstance(sent, dict)
    picture = sent.pop("image")
    assert sent == {
        "prompt": request.prompt, "num_frames": 121, "fps": 24, "frames_per_second": 24, "width": 720, "height": 720,
        "resolution": "720p", "guidance_scale": 5, "num_inference_steps": 50, "seed": seed_of("b/1"),
    }  # fmt: skip
    kind, _, data = picture.partition(",")
    assert (kind, base64.b64decode(data)) == ("data:image/png;base64", PICTURE)


def test_a_large_picture_is_uploaded_first(fake: FakeReplicate, tmp_path: Path) -> None:
    large = PICTURE + b"\0" * 300_000
    fake.provider.submit(a_request(large), reference="b/1", image=a_file(tmp_path, large))
    sent = fake.predictions[0]["input"]
    assert isinstance(sent, dict)
    assert sent["image"] == "https://example.com/files/f1"
    assert [call.path for call in fake.server.calls] == ["/v1/files", f"/v1/models/{WAN.model}/predictions"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(Answer(500, {"detail": "no"}), Transient), (Answer(201, {"id": "f1"}), Transient), (Answer(413, {}), Invalid)],
)
def test_an_upload_that_fails_ordered_nothing(
    fake: FakeReplicate, tmp_path: Path, answer: Answer, kind: type[ProviderError]
) -> None:
    large = PICTURE + b"\0" * 300_000
    fake.upload = answer
    with pytest.raises(kind):
        fake.provider.submit(a_request(large), reference="b/1", image=a_file(tmp_path, large))
    assert fake.taken() == 0


CREATED: list[tuple[int, dict[str, object], type[ProviderError]]] = [
    (402, {"detail": "You need billing"}, QuotaExceeded),
    (429, {"detail": "Request was throttled. Your rate limit resets in ~30s."}, Transient),
    (429, {"detail": "Your quota is used up"}, QuotaExceeded),
    (400, {"detail": "This violates our content policy"}, Filtered),
    (422, {"detail": "input.num_frames: must be less than 121"}, Invalid),
    (401, {"detail": "Unauthenticated"}, Invalid),
    (500, {"detail": "Internal"}, Transient),
    (504, {"detail": "Gateway timeout"}, OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "body", "kind"), CREATED)
def test_an_error_is_translated_and_a_post_is_sent_once(
    fake: FakeReplicate, tmp_path: Path, status: int, body: dict[str, object], kind: type[ProviderError]
) -> None:
    fake.create = Answer(status, {"title": "t", "status": status, **body})
    with pytest.raises(kind) as error:
        fake.provider.submit(a_request(), reference="b/1", image=a_file(tmp_path))
    assert TOKEN not in str(error.value)
    assert len(fake.server.calls) == 1
    if "30s" in str(body):
        assert isinstance(error.value, Transient)
        assert error.value.retry_after_s == 30


ENDED: list[tuple[dict[str, object], type[ProviderError]]] = [
    ({"status": "aborted"}, Transient),
    ({"status": "canceled"}, Transient),
    ({"status": "failed", "error": "out of memory"}, Transient),
    ({"status": "failed", "error": "NSFW content detected"}, Filtered),
]


@pytest.mark.parametrize(("ended", "kind"), ENDED)
def test_a_prediction_that_ends_badly_says_so(
    fake: FakeReplicate, tmp_path: Path, ended: dict[str, object], kind: type[ProviderError]
) -> None:
    operation_id = fake.provider.submit(a_request(), reference="b/1", image=a_file(tmp_path))
    fake.ended = ended
    fake.polls[operation_id] = 2
    with pytest.raises(kind) as error:
        fake.provider.poll(operation_id)
    assert error.value.values["operation_ended"] is True


def test_what_was_created_long_before_is_not_this_call(fake: FakeReplicate, tmp_path: Path) -> None:
    fake.provider.submit(a_request(), reference="b/1", image=a_file(tmp_path))
    fake.predictions[0] |= {
        "created_at": (datetime.now(UTC) - timedelta(hours=2)).isoformat(), "input": None, "data_removed": True
    }  # fmt: skip
    assert fake.provider.find("b/2", since=datetime.now(UTC) - timedelta(hours=1)) is None
    with pytest.raises(OutcomeUnknown):
        fake.provider.find("b/2")


def test_the_token_does_not_reach_the_host_of_the_files(fake: FakeReplicate, tmp_path: Path) -> None:
    operation_id = fake.provider.submit(a_request(), reference="b/1", image=a_file(tmp_path))
    fake.provider.fetch(finished(fake.provider, operation_id), tmp_path / "loop.mp4")
    files = [call for call in fake.server.calls if call.path.startswith("/out/")]
    assert files
    assert all("authorization" not in call.headers for call in files)


def test_a_bad_download_is_told_and_leaves_nothing(
    fake: FakeReplicate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation_id = finished(
        fake.provider, fake.provider.submit(a_request(), reference="b/1", image=a_file(tmp_path / "p"))
    )  # fmt: skip
    monkeypatch.setattr(translation, "MAX_CLIP_BYTES", 4000)
    bad: list[tuple[Answer, type[ProviderError]]] = [
        (Answer(404, b""), Invalid), (Answer(503, b""), Transient), (Answer(200, b"\0" * 5000), Invalid),
        (Answer(200, b"", hang_up=True), Transient),
    ]  # fmt: skip
    for answer, kind in bad:
        fake.file = answer
        with pytest.raises(kind):
            fake.provider.fetch(operation_id, tmp_path / "loop.mp4")
        assert not (tmp_path / "loop.mp4").exists()
    fake.ended = {"status": "succeeded", "output": None}
    with pytest.raises(Invalid, match="no output"):
        fake.provider.fetch(operation_id, tmp_path / "loop.mp4")


def test_a_model_without_an_input_for_the_picture_is_no_model_for_loops() -> None:
    with pytest.raises(ConfigurationError, match="reference_input"):
        ReplicateLoops(TOKEN, profile=WAN.model_copy(update={"reference_input": None}))
