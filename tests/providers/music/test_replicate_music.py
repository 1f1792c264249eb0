"""Replicate's adapter for songs against a real server that speaks its wire format."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maquette.errors import Invalid, OutcomeUnknown, ProviderError, QuotaExceeded, Transient
from maquette.providers.catalogue import Profile, profile
from maquette.providers.music.local.render import placeholder
from maquette.providers.music.replicate import ReplicateMusic
from tests.providers.clips.wire import Answer, Call, Server, serving
from tests.providers.music_contract import LYRICS, MusicContract, MusicRig, a_request, finished

TOKEN = "r8_very_secret_token"
MINIMAX = profile("music", "replicate", "minimax/music-1.5")
SEEDED = MINIMAX.model_copy(update={"seed_input": "seed"})
SONG = placeholder(a_request())


class FakeReplicate:
    """``tells``: with a model that takes a seed. ``shape`` is how the model gives its output."""

    def __init__(self, model: Profile) -> None:
        self.tells = model.seed_input is not None
        self.predictions: list[dict[str, object]] = []
        self.polls: dict[str, int] = {}
        self.fault: str | None = None
        self.create: Answer | None = None
        self.file = Answer(200, SONG)
        self.shape = "address"
        self.server: Server
        self.provider: ReplicateMusic

    def next_submission(self, fault: str) -> None:
        self.fault = fault

    def taken(self) -> int:
        return len(self.predictions)

    def handle(self, call: Call) -> Answer:
        if call.path.startswith("/out/"):
            return self.file
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"detail": f"no such token {TOKEN}", "status": 401})
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
            return Answer(200, {**found, "status": "failed", "error": "The lyrics were flagged as sensitive."})
        if found["fault"] == "fail":
            return Answer(200, {**found, "status": "failed", "error": "CUDA out of memory"})
        status = ["starting", "processing", "succeeded"][min(2, self.polls[name] - 1)]
        return Answer(200, {**found, "status": status, "output": self._output() if status == "succeeded" else None})

    def _output(self) -> object:
        url = f"{self.server.url}/out/0.mp3"
        return {"address": url, "object": {"url": url}, "list": [url], "objects": [{"url": url}], "nothing": {}}[
            self.shape
        ]


def _serving(model: Profile) -> Iterator[FakeReplicate]:
    rig = FakeReplicate(model)
    with serving(rig.handle) as server:
        rig.server = server
        with ReplicateMusic(TOKEN, profile=model, base_url=server.url, timeout_s=5) as provider:
            rig.provider = provider
            yield rig


@pytest.fixture
def minimax() -> Iterator[FakeReplicate]:
    yield from _serving(MINIMAX)


@pytest.fixture
def seeded() -> Iterator[FakeReplicate]:
    yield from _serving(SEEDED)


class TestMinimaxContract(MusicContract):
    @pytest.fixture
    def rig(self, minimax: FakeReplicate) -> MusicRig:
        return minimax


class TestContractOfAModelWithASeed(MusicContract):
    @pytest.fixture
    def rig(self, seeded: FakeReplicate) -> MusicRig:
        return seeded


def _sent(fake: FakeReplicate) -> dict[str, str]:
    sent = fake.predictions[-1]["input"]
    assert isinstance(sent, dict)
    return sent


def test_what_is_sent_is_what_the_catalogue_says(minimax: FakeReplicate) -> None:
    minimax.provider.submit(a_request(seconds=60), reference="b/1")
    assert minimax.predictions[0]["model"] == "minimax/music-1.5"
    assert _sent(minimax) == {
        "lyrics": LYRICS.strip(), "prompt": a_request().prompt, "duration": 60, "bitrate": 256000,
        "sample_rate": 44100, "audio_format": "mp3",
    }  # fmt: skip


def test_long_texts_are_cut_at_a_line_or_a_word(minimax: FakeReplicate) -> None:
    lines = [f"[verse]\nLine {number} of a song that goes on" for number in range(40)]
    words = "gentle " * 60
    minimax.provider.submit(a_request(lyrics="\n".join(lines), prompt=words), reference="b/1")
    sent = _sent(minimax)
    assert 300 < len(sent["lyrics"]) <= 600
    assert "\n".join(lines).startswith(sent["lyrics"] + "\n")
    assert 250 < len(sent["prompt"]) <= 300
    assert sent["prompt"].split() == ["gentle"] * len(sent["prompt"].split())
    minimax.provider.submit(a_request(lyrics="la" * 500, prompt="x" * 300), reference="b/2")
    assert [len(_sent(minimax)[name]) for name in ("lyrics", "prompt")] == [600, 300]


@pytest.mark.parametrize("changes", [{"lyrics": " \n"}, {"lyrics": "la la la"}, {"prompt": "joyful   "}])
def test_what_is_too_short_is_refused_before_it_costs(minimax: FakeReplicate, changes: dict[str, str]) -> None:
    with pytest.raises(Invalid, match=rf"the {next(iter(changes))} has \d characters .* wants 10 or more"):
        minimax.provider.submit(a_request(**changes), reference="b/1")
    assert minimax.taken() == 0


@pytest.mark.parametrize("shape", ["address", "object", "list", "objects"])
def test_an_output_is_taken_in_every_shape(minimax: FakeReplicate, shape: str, tmp_path: Path) -> None:
    minimax.shape = shape
    path = minimax.provider.fetch(finished(minimax.provider, a_request()), tmp_path / "song.mp3")
    assert path.read_bytes() == SONG


def test_an_output_without_an_address_is_told(minimax: FakeReplicate, tmp_path: Path) -> None:
    minimax.shape = "nothing"
    with pytest.raises(Invalid, match="has no output"):
        minimax.provider.fetch(finished(minimax.provider, a_request()), tmp_path / "song.mp3")


def test_without_a_seed_none_is_said_only_where_nothing_of_the_model_was_created(minimax: FakeReplicate) -> None:
    assert minimax.provider.find("b/1") is None
    minimax.provider.submit(a_request(), reference="b/1")
    since = datetime.now(UTC) - timedelta(hours=1)
    minimax.predictions[0] |= {"created_at": (since - timedelta(hours=1)).isoformat()}
    assert minimax.provider.find("b/2", since=since) is None
    minimax.predictions[0] |= {"created_at": datetime.now(UTC).isoformat()}
    with pytest.raises(OutcomeUnknown):
        minimax.provider.find("b/2", since=since)


def test_the_token_does_not_reach_the_host_of_the_files(minimax: FakeReplicate, tmp_path: Path) -> None:
    minimax.provider.fetch(finished(minimax.provider, a_request()), tmp_path / "song.mp3")
    files = [call for call in minimax.server.calls if call.path.startswith("/out/")]
    assert files
    assert all("authorization" not in call.headers for call in files)


@pytest.mark.parametrize(
    ("file", "kind", "said"),
    [
        (Answer(404, b""), Invalid, "the song is no longer at the provider"),
        (Answer(500, b""), Transient, "the song could not be downloaded"),
        (Answer(200, SONG, hang_up=True), Transient, "the download of the song broke off"),
        (Answer(200, b"<html>expired</html>"), Invalid, "is no MP3"),
        (Answer(200, b""), Invalid, "is no MP3"),
    ],
)
def test_a_bad_download_is_told_and_leaves_nothing(
    minimax: FakeReplicate, tmp_path: Path, file: Answer, kind: type[ProviderError], said: str
) -> None:
    operation_id = finished(minimax.provider, a_request())
    minimax.file = file
    with pytest.raises(kind, match=said):
        minimax.provider.fetch(operation_id, tmp_path / "song.mp3")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("status", "kind"), [(402, QuotaExceeded), (422, Invalid), (504, OutcomeUnknown)])
def test_an_error_is_translated_and_a_post_is_sent_once(
    minimax: FakeReplicate, status: int, kind: type[ProviderError]
) -> None:
    minimax.create = Answer(status, {"title": "t", "detail": "no", "status": status})
    with pytest.raises(kind):
        minimax.provider.submit(a_request(), reference="b/1")
    assert len(minimax.server.calls) == 1


def test_a_wrong_token_is_told_without_being_repeated(minimax: FakeReplicate) -> None:
    with (
        ReplicateMusic("r8_other", profile=MINIMAX, base_url=minimax.server.url) as provider,
        pytest.raises(Invalid, match="MAQUETTE_REPLICATE_API_TOKEN") as refused,
    ):
        provider.submit(a_request(), reference="b/1")
    assert "r8_other" not in str(refused.value)
