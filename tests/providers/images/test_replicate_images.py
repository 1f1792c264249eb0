"""Replicate's adapter for images against a real server that speaks its wire format."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from maquette.errors import Invalid, OutcomeUnknown, ProviderError, QuotaExceeded, Transient
from maquette.providers.catalogue import Profile, profile
from maquette.providers.images import transfer
from maquette.providers.images.replicate import ReplicateImages
from maquette.providers.replicate import seed_of
from tests.providers.clips.wire import Answer, Call, Server, serving
from tests.providers.image_contract import ImageContract, ImageRig, a_file, a_picture, a_request, finished

TOKEN = "r8_very_secret_token"
FLUX = profile("images", "replicate", "black-forest-labs/flux-schnell")
BANANA = profile("images", "replicate", "google/nano-banana")


class FakeReplicate:
    """``tells``: with a model that takes a seed."""

    def __init__(self, model: Profile) -> None:
        self.tells = self.tells_lost = model.seed_input is not None
        self.predictions: list[dict[str, object]] = []
        self.polls: dict[str, int] = {}
        self.fault: str | None = None
        self.create: Answer | None = None
        self.file = Answer(200, a_picture(form="WEBP"))
        self.uploaded = 0
        self.server: Server
        self.provider: ReplicateImages

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
            self.uploaded += 1
            return Answer(201, {"id": "f1", "urls": {"get": f"{self.server.url}/v1/files/f1"}})
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
            "version": "hidden",
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
            return Answer(200, {**found, "status": "failed", "error": "NSFW content detected. Try another prompt."})
        if found["fault"] == "fail":
            return Answer(200, {**found, "status": "failed", "error": "CUDA out of memory"})
        status = ["starting", "processing", "succeeded"][min(2, self.polls[name] - 1)]
        output = [f"{self.server.url}/out/0.webp"] if status == "succeeded" else None
        return Answer(200, {**found, "status": status, "output": output})


def _serving(model: Profile) -> Iterator[FakeReplicate]:
    rig = FakeReplicate(model)
    with serving(rig.handle) as server:
        rig.server = server
        with ReplicateImages(TOKEN, profile=model, base_url=server.url, timeout_s=5) as provider:
            rig.provider = provider
            yield rig


@pytest.fixture
def flux() -> Iterator[FakeReplicate]:
    yield from _serving(FLUX)


@pytest.fixture
def banana() -> Iterator[FakeReplicate]:
    yield from _serving(BANANA)


class TestFluxContract(ImageContract):
    @pytest.fixture
    def rig(self, flux: FakeReplicate) -> ImageRig:
        return flux


class TestNanoBananaContract(ImageContract):
    @pytest.fixture
    def rig(self, banana: FakeReplicate) -> ImageRig:
        return banana


def _sent(fake: FakeReplicate) -> dict[str, object]:
    sent = fake.predictions[-1]["input"]
    assert isinstance(sent, dict)
    return sent


def test_what_is_sent_is_what_the_catalogue_says(flux: FakeReplicate) -> None:
    flux.provider.submit(a_request(ratio="yt-thumb", avoid=("people", "cars")), reference="b/1", files=[])
    assert flux.predictions[0]["model"] == "black-forest-labs/flux-schnell"
    assert _sent(flux) == {
        "num_outputs": 1, "megapixels": "1", "output_format": "jpg", "output_quality": 95, "aspect_ratio": "16:9",
        "prompt": f"{a_request().prompt}\n\nDo not show: people, cars.", "seed": seed_of("b/1"),
    }  # fmt: skip


def test_references_go_along_and_large_ones_are_uploaded_first(banana: FakeReplicate, tmp_path: Path) -> None:
    small = a_file(tmp_path, a_picture())
    large = a_file(tmp_path, a_picture() + b"\0" * 300_000)
    request = a_request(references=(small[0], large[0]))
    banana.provider.submit(request, reference="b/1", files=[small[1], large[1]])
    sent: Any = _sent(banana)
    inline, uploaded = sent["image_input"]
    assert inline.startswith("data:image/png;base64,iVBOR")
    assert uploaded == f"{banana.server.url}/v1/files/f1"
    assert banana.uploaded == 1
    assert "seed" not in sent


def test_without_a_seed_none_is_said_only_where_nothing_of_the_model_was_created(banana: FakeReplicate) -> None:
    assert banana.provider.find("b/1") is None
    banana.provider.submit(a_request(), reference="b/1", files=[])
    banana.predictions[0] |= {"created_at": (datetime.now(UTC) - timedelta(hours=2)).isoformat()}
    assert banana.provider.find("b/2", since=datetime.now(UTC) - timedelta(hours=1)) is None
    banana.predictions.append({**banana.predictions[0], "id": "other", "model": "black-forest-labs/flux-schnell"})
    banana.predictions[1]["created_at"] = datetime.now(UTC).isoformat()
    assert banana.provider.find("b/2", since=datetime.now(UTC) - timedelta(hours=1)) is None
    banana.predictions[1]["model"] = BANANA.model
    with pytest.raises(OutcomeUnknown):
        banana.provider.find("b/2", since=datetime.now(UTC) - timedelta(hours=1))


def test_the_token_does_not_reach_the_host_of_the_files(flux: FakeReplicate, tmp_path: Path) -> None:
    flux.provider.fetch(finished(flux.provider, a_request()), tmp_path / "picture")
    files = [call for call in flux.server.calls if call.path.startswith("/out/")]
    assert files
    assert all("authorization" not in call.headers for call in files)


BAD_FILES: list[tuple[Answer, type[ProviderError], str]] = [
    (Answer(404, b""), Invalid, "no longer at the provider"),
    (Answer(500, b""), Transient, "could not be downloaded"),
    (Answer(302, b"", {"Location": "file:///etc/passwd"}), Invalid, "leads from http to file"),
    (Answer(200, b"\xff\xd8\xff" + b"\0" * 5000), Invalid, "larger than 4000 bytes"),
    (Answer(200, a_picture(), hang_up=True), Transient, "broke off"),
]


def test_a_bad_download_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MAX_IMAGE_BYTES", 4000)
    answers = iter(BAD_FILES)
    with serving(lambda _: next(answers)[0]) as server:
        for _, kind, said in BAD_FILES:
            with pytest.raises(kind, match=said):
                transfer.download(f"{server.url}/out", timeout_s=5)


def test_an_output_that_is_no_picture_is_told_and_leaves_nothing(flux: FakeReplicate, tmp_path: Path) -> None:
    operation_id = finished(flux.provider, a_request())
    flux.file = Answer(200, b"<html>expired</html>")
    with pytest.raises(Invalid, match="no PNG, JPEG or WebP"):
        flux.provider.fetch(operation_id, tmp_path / "picture")
    assert not list(tmp_path.iterdir())


def test_redirects_are_followed_but_not_out_of_https() -> None:
    def redirecting(call: Call) -> Answer:
        return Answer(200, a_picture()) if call.path == "/end" else Answer(302, b"", {"Location": "/end"})

    with serving(redirecting) as server:
        assert transfer.download(f"{server.url}/start", timeout_s=5) == a_picture()
    look = transfer.guard("https")
    look(httpx.Request("GET", "https://example.com/picture"))
    with pytest.raises(Invalid, match="from https to http"):
        look(httpx.Request("GET", "http://example.com/picture"))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "data:image/png;base64,x", "http://host:port/x", ""])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(Invalid, match="names no address"):
        transfer.download(url, timeout_s=5)


@pytest.mark.parametrize(("status", "kind"), [(402, QuotaExceeded), (422, Invalid), (504, OutcomeUnknown)])
def test_an_error_is_translated_and_a_post_is_sent_once(
    flux: FakeReplicate, status: int, kind: type[ProviderError]
) -> None:  # fmt: skip
    flux.create = Answer(status, {"title": "t", "detail": "no", "status": status})
    with pytest.raises(kind):
        flux.provider.submit(a_request(), reference="b/1", files=[])
    assert len(flux.server.calls) == 1


def test_an_upload_that_fails_ordered_nothing(banana: FakeReplicate, tmp_path: Path) -> None:
    digest, path = a_file(tmp_path, a_picture() + b"\0" * 300_000)
    with (
        ReplicateImages("r8_other", profile=BANANA, base_url=banana.server.url) as provider,
        pytest.raises(Invalid, match="MAQUETTE_REPLICATE_API_TOKEN"),
    ):
        provider.submit(a_request(references=(digest,)), reference="b/1", files=[path])
    assert banana.taken() == 0
