"""Three buckets: a folder, and two adapters against real servers on loopback."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from pydantic import SecretStr

from maquette.errors import ConfigurationError, MaquetteError, NotFound, StorageError, Transient
from maquette.settings import Settings
from maquette.storage.buckets import bucket_from_settings
from maquette.storage.buckets.folder import FolderBucket
from maquette.storage.buckets.gcs import GcsBucket
from maquette.storage.buckets.port import Bucket
from maquette.storage.buckets.retries import LONGEST_S, RetryingBucket
from maquette.storage.buckets.supabase import SupabaseBucket
from tests.storage.bucket_contract import BucketContract, BucketRig
from tests.storage.bucket_contract import test_a_name_that_is_taken_stays_below_its_root as test_names  # noqa: F401
from tests.storage.bucket_servers import KEY, Google, Kept, Supabase, Told, Vendor, serving


class Folder:
    def __init__(self, root: Path) -> None:
        self.bucket = FolderBucket(root, public_url="/storage/buckets/univers")

    def kept(self) -> dict[str, bytes]:
        root = self.bucket.root
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def plant(self, name: str, data: bytes) -> None:
        path = self.bucket.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class Remote:
    def __init__(self, vendor: Vendor, bucket: Bucket) -> None:
        self.vendor, self.bucket = vendor, bucket

    def kept(self) -> dict[str, bytes]:
        return {name: file.data for name, file in self.vendor.files.items()}

    def plant(self, name: str, data: bytes) -> None:
        self.vendor.files[name] = Kept(data, "image/png")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "buckets" / "univers")


@pytest.fixture
def google() -> Iterator[Remote]:
    vendor = Google()
    with (
        serving(vendor),
        GcsBucket("univers", credentials=AnonymousCredentials(), base_url=vendor.url, timeout_s=5) as bucket,
    ):
        yield Remote(vendor, bucket)


@pytest.fixture
def supabase() -> Iterator[Remote]:
    vendor = Supabase()
    with serving(vendor), SupabaseBucket("univers", url=vendor.url, key=KEY, timeout_s=5) as bucket:
        yield Remote(vendor, bucket)


@pytest.fixture(params=["google", "supabase"])
def remote(request: pytest.FixtureRequest) -> Remote:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Remote)
    return found


class TestFolderContract(BucketContract):
    @pytest.fixture
    def rig(self, folder: Folder) -> BucketRig:
        return folder


class TestGoogleContract(BucketContract):
    @pytest.fixture
    def rig(self, google: Remote) -> BucketRig:
        return google


class TestSupabaseContract(BucketContract):
    @pytest.fixture
    def rig(self, supabase: Remote) -> BucketRig:
        return supabase


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "00.png"
    path.write_bytes(b"picture")
    return path


def test_a_put_that_fails_leaves_what_was_there(folder: Folder, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.bucket.put("jungle/a.png", file, media_type="image/png")
    before = folder.kept()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file.write_bytes(b"another")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="free some") as caught:
            folder.bucket.put("jungle/a.png", file, media_type="image/png")
    assert caught.value.code == "storage_full"
    assert folder.kept() == before
    assert list(folder.bucket.root.with_name("univers.part").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, file: Path) -> None:
    (tmp_path / "univers").write_text("a file in the way")
    with pytest.raises(StorageError, match="check the folder"):
        FolderBucket(tmp_path / "univers", public_url="").put("jungle/a.png", file, media_type="image/png")


def test_no_folder_stays_empty(folder: Folder, file: Path) -> None:
    folder.bucket.put("jungle/.previous/1/a.png", file, media_type="image/png")
    folder.bucket.put("jungle/b.png", file, media_type="image/png")
    folder.bucket.delete(["jungle/.previous/1/a.png"])
    assert [path.name for path in (folder.bucket.root / "jungle").iterdir()] == ["b.png"]


def test_what_a_killed_process_left_half_written_goes(folder: Folder) -> None:
    parts = folder.bucket.root.with_name("univers.part")
    parts.mkdir(parents=True)
    for name, age_s in (("old", 7200), ("young", 60)):
        (parts / name).write_text("half")
        moment = time.time() - age_s
        os.utime(parts / name, (moment, moment))
    FolderBucket(folder.bucket.root, public_url="")
    assert [path.name for path in parts.iterdir()] == ["young"]


def test_the_digest_of_google_costs_one_small_call(google: Remote, file: Path) -> None:
    google.bucket.put("a.png", file, media_type="image/png")
    kept = google.vendor.files["a.png"]
    assert (kept.media_type, kept.cache_control, list(kept.metadata)) == ("image/png", "max-age=60", ["sha256"])
    del google.vendor.asked[:]
    google.bucket.digest("a.png")
    assert [(each.method, each.query.get("alt")) for each in google.vendor.asked] == [("GET", None)]


def test_bytes_that_change_on_their_way_are_refused_by_the_server(google: Remote, file: Path) -> None:
    assert isinstance(google.vendor, Google)
    google.vendor.corrupt = True
    for data in (b"small", bytes(9_000_000)):
        file.write_bytes(data)
        with pytest.raises(Transient, match="bytes were lost"):
            google.bucket.put("a.png", file, media_type="image/png")
    assert google.kept() == {}


def test_supabase_is_asked_for_what_no_cache_has(supabase: Remote, file: Path) -> None:
    supabase.bucket.put("a.png", file, media_type="image/png")
    assert supabase.vendor.asked[0].headers["x-upsert"] == "true"
    assert supabase.vendor.files["a.png"].media_type == "image/png"
    for _ in range(2):
        supabase.bucket.digest("a.png")
    assert len({each.query["fresh"] for each in supabase.vendor.asked[1:]}) == 2


def test_many_names_are_deleted_and_listed_in_pages(supabase: Remote) -> None:
    names = [f"jungle/{number:04}.png" for number in range(1203)]
    for name in names:
        supabase.plant(name, b"")
    assert list(supabase.bucket.list("jungle/")) == names
    supabase.bucket.delete(names)
    assert supabase.kept() == {}
    assert supabase.vendor.requests("DELETE") == 3


def test_a_name_that_supabase_does_not_take_is_said(supabase: Remote, file: Path) -> None:
    with pytest.raises(StorageError, match="without accents"):
        supabase.bucket.put("jungle/00_éléphant.png", file, media_type="image/png")


INNER = {"statusCode": "429", "error": "slow", "message": "Too many requests"}
FAULTS: list[tuple[Told, type[MaquetteError], str]] = [
    (Told(500, {}), Transient, "in trouble"),
    (Told(503, b"<html>", {"Retry-After": "7"}), Transient, "in trouble"),
    (Told(429, {}), Transient, "in trouble"),
    (Told(hang_up=True), Transient, "cannot be reached"),
    (Told(401, {}), ConfigurationError, "let us in"),
    (Told(403, {}), ConfigurationError, "let us in"),
    (Told(413, {"error": {"message": "too large"}, "message": "too large"}), StorageError, "too large|413"),
]


@pytest.mark.parametrize(("fault", "kind", "said"), FAULTS, ids=lambda value: getattr(value, "status", ""))
def test_each_verb_translates_what_the_server_answers(
    remote: Remote, file: Path, fault: Told, kind: type[MaquetteError], said: str
) -> None:
    bucket = remote.bucket
    for verb in (
        lambda: bucket.put("a.png", file, media_type="image/png"),
        lambda: bucket.digest("a.png"),
        lambda: bucket.copy("a.png", "b.png"),
        lambda: bucket.delete(["a.png"]),
        lambda: bucket.list(""),
    ):
        remote.vendor.faults = [fault]
        with pytest.raises(kind, match=said) as caught:
            verb()
        assert type(caught.value) is kind
        assert KEY not in str(caught.value)


def test_the_status_inside_counts_and_the_wait_is_told(supabase: Remote) -> None:
    supabase.vendor.faults = [Told(400, INNER, {"Retry-After": "7"})]
    with pytest.raises(Transient) as caught:
        supabase.bucket.list("")
    assert caught.value.retry_after_s == 7
    supabase.vendor.faults = [Told(404, {"code": "NoSuchKey", "message": "gone"})]
    with pytest.raises(NotFound):
        supabase.bucket.copy("a", "b")


def test_a_bucket_that_is_not_there_names_its_setting(remote: Remote, file: Path) -> None:
    remote.vendor.bucket = "another"
    for verb in (
        lambda: remote.bucket.put("a.png", file, media_type="image/png"),
        lambda: remote.bucket.digest("a.png"),
        lambda: remote.bucket.copy("a.png", "b.png"),
        lambda: remote.bucket.delete(["a.png"]),
        lambda: remote.bucket.list(""),
    ):
        with pytest.raises(ConfigurationError, match="MAQUETTE_BUCKET_NAME"):
            verb()


def test_a_wrong_key_is_not_repeated(supabase: Remote) -> None:
    with (
        SupabaseBucket("univers", url=supabase.vendor.url, key="wrong_secret") as bucket,
        pytest.raises(ConfigurationError, match="MAQUETTE_SUPABASE_KEY") as caught,
    ):
        bucket.list("")
    assert "wrong_secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["project.supabase.co", "ftp://127.0.0.1"])
def test_what_is_no_address_names_its_setting(url: str) -> None:
    with (
        pytest.raises(ConfigurationError, match="MAQUETTE_SUPABASE_URL"),
        SupabaseBucket("u", url=url, key="k") as bucket,
    ):
        bucket.list("")


def patient(remote: Remote, waits: list[float], chance: float = 0.0) -> RetryingBucket:
    return RetryingBucket(remote.bucket, wait=waits.append, chance=lambda: chance)


@pytest.mark.parametrize(("chance", "waited"), [(0.0, [0.25, 0.5, 1.0]), (1.0, [0.5, 1.0, 2.0])])
def test_trouble_is_met_with_patience_between_half_and_all(
    remote: Remote, file: Path, chance: float, waited: list[float]
) -> None:
    waits: list[float] = []
    remote.vendor.faults = [Told(503, {})] * 3
    patient(remote, waits, chance).put("a.png", file, media_type="image/png")
    assert remote.kept() == {"a.png": b"picture"}
    assert waits == waited


def test_patience_ends_and_other_errors_have_none(remote: Remote) -> None:
    waits: list[float] = []
    remote.vendor.faults = [Told(503, {})] * 4
    with pytest.raises(Transient):
        patient(remote, waits).digest("a.png")
    assert (len(waits), remote.vendor.faults) == (3, [])
    remote.vendor.faults = [Told(403, {})]
    with pytest.raises(ConfigurationError):
        patient(remote, waits).list("")
    assert len(waits) == 3


@pytest.mark.parametrize(("asked", "chance", "waited"), [("4", 0.0, 4.0), ("4", 1.0, 6.0), ("900", 0.5, LONGEST_S)])
def test_the_server_says_how_long(supabase: Remote, asked: str, chance: float, waited: float) -> None:
    waits: list[float] = []
    supabase.vendor.faults = [Told(429, {}, {"Retry-After": asked})]
    patient(supabase, waits, chance).delete(iter(["a.png"]))
    assert waits == [waited]
    assert supabase.vendor.asked[-1].json() == {"prefixes": ["a.png"]}  # an iterator is not used up by the first try


def test_the_settings_choose(settings_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = bucket_from_settings(settings_of())
    assert isinstance(bucket, FolderBucket)
    assert bucket.root == settings_of().home / "buckets" / "univers"
    assert bucket.public_url("jungle/a b.png") == "/storage/buckets/univers/jungle/a%20b.png"
    theirs = settings_of(bucket_public_url="https://cdn.example/u/")
    assert bucket_from_settings(theirs).public_url("a.png") == "https://cdn.example/u/a.png"
    with pytest.raises(ConfigurationError, match="MAQUETTE_SUPABASE_KEY"):
        bucket_from_settings(settings_of(bucket="supabase", supabase_url="https://p.supabase.co"))
    told = {"supabase_url": "https://p.supabase.co/", "supabase_key": SecretStr(KEY), "bucket_name": "eigen"}
    bucket = bucket_from_settings(settings_of(bucket="supabase", **told))
    assert bucket.public_url("a.png") == "https://p.supabase.co/storage/v1/object/public/eigen/a.png"
    assert isinstance(bucket, RetryingBucket) and isinstance(bucket.bucket, SupabaseBucket)
    bucket.bucket.close()
    for name, value in {
        "NO_GCE_CHECK": "true",
        "GOOGLE_APPLICATION_CREDENTIALS": "",
        "CLOUDSDK_CONFIG": "/nowhere",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        bucket_from_settings(settings_of(bucket="gcs"))
    with pytest.raises(StorageError, match="no name"):
        bucket_from_settings(settings_of(bucket_name="../x"))


@pytest.fixture
def settings_of(tmp_path: Path) -> Any:
    def make(**told: Any) -> Settings:
        return Settings(home=tmp_path, **told)

    return make


def test_google_has_an_address_for_readers(google: Remote) -> None:
    assert google.bucket.public_url("jungle/a b.png") == "https://storage.googleapis.com/univers/jungle/a%20b.png"
